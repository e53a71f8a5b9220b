"""Value of more data before it is collected: one more year, more places, a linked register.

New data of `information` times the present amount would estimate the parameters with covariance V / information, V
being the covariance of their present draws (flat prior: the present estimate is all that is known). The estimate that
the new data would give is simulated for every draw, and the expected net benefit given that estimate is the smoothed
regression on it (Strong, Oakley, Brennan & Breeze 2015, Medical Decision Making 35:570). EVSI rises with the amount of
data towards the EVPPI of the same parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core import Curve, Psa, UserError, frozen_array
from .checks import numbers
from .distributions import stream
from .evppi import columns_of, increments, value_of
from .smooth import names_of, smooth


def evsi(psa: Psa, parameters: str | Sequence[str], information: Mapping[str, float], thresholds: Any) -> Curve:
    """Expected value of sample information of named studies, money, by threshold.

    Parameters
        psa          draws with parameters;  thresholds  (m,) yuan per unit of effect, ≥ 0
        parameters   the names that the new data would inform, together
        information  study → amount of new data as a multiple of the present amount (> 0): four more quarters after
                     eight are 0.5, twice as many cities 1.0
    Returns a Curve, one line per study, with Monte Carlo error.
    Raises UserError("information_outside"), ("unknown_draw"), ("psa_without_parameters"), ("threshold_outside").
    Not where new data would differ in kind (another population, another bias): that is no multiple of the present data.
    """
    odd = {k: v for k, v in information.items() if not v > 0}
    if odd or not information:
        raise UserError("information_outside", found=", ".join(f"{k} {v}" for k, v in odd.items()) or "–")
    x, y = columns_of(psa, names_of(parameters)), increments(psa)
    moving = np.ptp(x, axis=0) > 0
    own = np.atleast_2d(np.cov(x[:, moving], rowvar=False))
    root = np.zeros((x.shape[1],) * 2)
    if moving.any():
        root[np.ix_(moving, moving)] = np.linalg.cholesky(own + 1e-12 * np.diag(np.diag(own)))
    noise = stream(psa.seed or 1, "evsi").standard_normal(x.shape) @ root.T
    curves = {k: value_of(psa, smooth(x + noise / np.sqrt(v), y).fitted, thresholds) for k, v in information.items()}
    first = next(iter(curves.values()))
    return Curve(
        name="evsi",
        threshold=first.threshold,
        values={k: c.values["evpi"] for k, c in curves.items()},
        mc_error={k: c.mc_error["evpi"] for k, c in curves.items()},
        unit=psa.currency,
    )


def enbs(sample: Curve, cost: Mapping[str, float], *, population: float = 1.0) -> Curve:
    """Expected net benefit of sampling: EVSI × population − cost of the study, money, per study.

    sample      Curve of `evsi`;  cost  yuan by study, of the same price year
    population  how many programmes of this kind the decision will concern (discounted)
    Raises UserError("unknown_study") where a study has no cost. Positive: the data are worth their price.
    """
    numbers("cost", list(cost.values()))
    missing = [k for k in sample.values if k not in cost]
    if missing:
        raise UserError("unknown_study", found=", ".join(missing), known=", ".join(cost))
    return Curve(
        name="enbs",
        threshold=sample.threshold,
        values={k: frozen_array(v * population - cost[k]) for k, v in sample.values.items()},
        mc_error={k: frozen_array(v * population) for k, v in sample.mc_error.items()},
        unit=sample.unit,
    )
