"""The funding decision when parallel trends may fail: what a violation of size M-bar would do to the money.

A sensitivity analysis bounds the log rate ratio by a robust set for every M-bar. With the observed cases given, a bound
shifts every severity's ratio alike, so that averted_k = observed_k (exp(−θ_k − shift) − 1), and the saving follows at
mean unit costs. The benefit-cost ratio is therefore a range over the robust set, not a distribution; the confidence
that the net saving is positive is that of the draws moved to the least favourable end (`methods.md` 5: min-max, not
probability).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core import Flow, Parameter, UserError
from .bridge import Draws
from .checks import numbers
from .decision import sides_of
from .unit_costs import UnitCosts


def robust_decision(
    draws: Draws,
    costs: UnitCosts,
    programme_cost: float | Parameter | Sequence[Flow],
    bounds: Mapping[float, tuple[float, float]],
    estimate: float,
    *,
    perspective: str = "fund",
    delay: Any = 0.0,
    seed: int = 1,
) -> pd.DataFrame:
    """The decision by M-bar.

    Parameters
        draws, costs, programme_cost, perspective, delay, seed  as in `decide`
        bounds    M-bar → (low, high) of the robust set of the pooled log rate ratio
        estimate  pooled log rate ratio that the bounds surround
    Returns one row per M-bar, rising: mbar, averted_low, averted_high (injuries), npv_low, npv_high (yuan), bcr_low,
    bcr_high (None without programme cost), confidence (share of draws with a positive net saving at the least
    favourable end; None where means are refused).
    Raises UserError("bounds_outside") where a set is empty or unbounded the wrong way round, and as `decide`.
    """
    sides = sides_of(draws, costs, programme_cost, perspective=perspective, delay=delay, seed=seed)
    draws, unit, programme = sides.draws, sides.unit.mean(axis=0), sides.cost
    observed, estimate = draws.mu0 - draws.estimate, float(numbers("estimate", estimate))
    rows = []
    for mbar in sorted(bounds):
        low, high = bounds[mbar]
        if not low <= high:
            raise UserError("bounds_outside", mbar=mbar, low=low, high=high)
        ends = [_shifted(draws, observed, bound - estimate) for bound in (high, low)]
        saved = [sides.factor * float(a @ unit) for a in ends]
        worst = sides.npv + saved[0] - sides.factor * float(draws.estimate @ unit) if draws.n else np.empty(0)
        rows.append(
            {
                "mbar": float(mbar),
                "averted_low": float(ends[0].sum()),
                "averted_high": float(ends[1].sum()),
                "npv_low": saved[0] - programme,
                "npv_high": saved[1] - programme,
                "bcr_low": saved[0] / programme if programme > 0 else None,
                "bcr_high": saved[1] / programme if programme > 0 else None,
                "confidence": None if draws.refused or not draws.n else float((worst > 0).mean()),
            }
        )
    return pd.DataFrame(rows)


def breakdown_mbar(decisions: pd.DataFrame) -> float | None:
    """The M-bar up to which the whole robust set saves money: where `npv_low` crosses zero, linear between rows.

    Returns 0.0 where even the first row's set reaches below zero, None where no row's does: larger than examined.
    """
    if decisions.empty:
        return None
    x, y = decisions.mbar.to_numpy(float), decisions.npv_low.to_numpy(float)
    below = np.flatnonzero(y <= 0)
    if not len(below):
        return None
    i = int(below[0])
    if i == 0:
        return 0.0 if y[0] < 0 else float(x[0])
    return float(x[i - 1] + (x[i] - x[i - 1]) * y[i - 1] / (y[i - 1] - y[i]))


def _shifted(draws: Draws, observed: np.ndarray, shift: float) -> np.ndarray:
    """(k,) averted injuries with every log rate ratio moved by `shift`; strata without an effect keep none."""
    live = (draws.estimate != 0) & (observed > 0)
    expected = np.where(live, draws.mu0 * np.exp(-shift), observed)
    return np.where(live, expected - observed, draws.estimate)
