"""Monte Carlo error: how far a result of n draws may be from that of infinitely many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core import Psa
from .curves import inmb, threshold_curves
from .evppi import evppi


def mc_errors(psa: Psa, threshold: float = 0.0, parameters: str | Sequence[str | Sequence[str]] = ()) -> pd.DataFrame:
    """Value and Monte Carlo error of mean INMB, ICER, CEAC and EVPI, and of the EVPPI of the `parameters` named.

    threshold  yuan per unit of effect, ≥ 0
    Returns a frame: measure, name (strategy or parameters), value, mc_error. ICER: R = ΔC/ΔE by strategy against the
    comparator, error sd(ΔC − R ΔE) / (√n |ΔE|), no number where the strategies do the same. The errors are those of
    independent draws: too large for Latin hypercube and Sobol points, never too small by design.
    Raises UserError("threshold_outside"), ("unknown_draw"), ("psa_without_parameters").
    """
    base, root = psa.strategies.index(psa.comparator), np.sqrt(psa.n)
    gain, curves = inmb(psa, threshold), threshold_curves(psa, [threshold])
    rows: list[tuple[str, str, float, float]] = []
    for j, name in enumerate(psa.strategies):
        if j == base:
            continue
        rows.append(("inmb", name, gain[:, j].mean(), gain[:, j].std() / root))
        cost, effect = (a[:, j] - a[:, base] for a in (psa.cost, psa.effect))
        if effect.mean() != 0:
            ratio = cost.mean() / effect.mean()
            rows.append(("icer", name, ratio, (cost - ratio * effect).std() / root / abs(effect.mean())))
    for measure in ("ceac", "evpi"):
        curve = curves[measure]
        rows += [(measure, k, v[0], curve.mc_error[k][0]) for k, v in curve.values.items()]
    if len(parameters):
        curve = evppi(psa, parameters, [threshold])
        rows += [("evppi", k, v[0], curve.mc_error[k][0]) for k, v in curve.values.items()]
    return pd.DataFrame(rows, columns=["measure", "name", "value", "mc_error"])


def precise(psa: Psa, threshold: float, error: float) -> bool:
    """True where the errors of mean INMB and EVPI are at most `error` of what the worst choice loses on average."""
    found = threshold_curves(psa, [threshold])
    worst = max(v[0] for v in found["expected_loss"].values.values())
    gain = inmb(psa, threshold).std(axis=0).max() / np.sqrt(psa.n)
    return bool(max(gain, found["evpi"].mc_error["evpi"][0]) <= error * worst)
