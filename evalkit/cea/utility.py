"""Risk aversion: what the decision would be if a yuan lost weighed more than a yuan won.

Constant absolute risk aversion, u(x) = (1 − exp(−r x)) / r, which is x itself as r → 0. r is 1/money: meant for a fund
it must be scaled to the budget, r = aversion / budget, or a ten-thousandth of a yuan⁻¹ already turns millions into
astronomical utilities. Source: Baio & Dawid (2015), Statistical Methods in Medical Research 24:615.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Psa, UserError, frozen_array
from .curves import grid_of, nmb


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAverse:
    """By threshold (m,): expected incremental utility of every strategy over the comparator, and its EVPI, in money."""

    threshold: np.ndarray
    rate: float
    expected: dict[str, np.ndarray]
    evpi: np.ndarray


def risk_averse(psa: Psa, thresholds: Any, *, aversion: float, budget: float) -> RiskAverse:
    """Expected utility of net benefit at a risk aversion that is scaled to the budget.

    thresholds (m,) yuan per unit of effect;  aversion ≥ 0 without unit, 1 being marked;  budget yuan > 0: r = their
    ratio. Raises UserError("aversion_outside"), also where utilities are beyond numbers, and ("threshold_outside").
    Utilities are in money near zero and must not be added to costs.
    """
    if not (aversion >= 0 and budget > 0):
        raise UserError("aversion_outside", aversion=aversion, budget=budget)
    rate = aversion / budget
    base = psa.strategies.index(psa.comparator)
    grid = grid_of(thresholds)
    expected, value = np.empty((len(grid), len(psa.strategies))), np.empty(len(grid))
    for i, threshold in enumerate(grid):
        benefit = nmb(psa, float(threshold))
        with np.errstate(over="ignore"):
            utility = benefit if rate == 0 else -np.expm1(-rate * benefit) / rate
        if not np.isfinite(utility).all():
            raise UserError("aversion_outside", aversion=aversion, budget=budget)
        expected[i] = (utility - utility[:, [base]]).mean(axis=0)
        value[i] = (utility.max(axis=1, keepdims=True) - utility).mean(axis=0).min()
    return RiskAverse(
        threshold=frozen_array(grid),
        rate=rate,
        expected={s: frozen_array(expected[:, j]) for j, s in enumerate(psa.strategies)},
        evpi=frozen_array(value),
    )
