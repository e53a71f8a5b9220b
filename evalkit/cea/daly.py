"""Disability-adjusted life years: years lost to death and years lived with disability, discounted continuously.

Age weighting (K = 1) is given for old studies only; it was dropped from the Global Burden of Disease in 2010.
Murray (1994), Bulletin WHO 72:429; Fox-Rushby & Hanson (2001), Health Policy and Planning 16:326.
"""

from __future__ import annotations

import numpy as np

from ..core import UserError
from .checks import numbers

BETA, C = 0.04, 0.1658
"""Parameters of the age weight C x exp(−β x)."""


def years_lost(age: float, years: float, *, rate: float = 0.05, age_weight: float = 0.0) -> float:
    """Discounted years of life from `age` over the next `years`, at a continuous real `rate`.

    age (years at death or injury), years (remaining life expectancy, or duration of a disability), rate ≥ 0 per year,
    age_weight 0 (none) or 1 (full). ∫ over x from age to age + years of [K C x e^(−βx) + 1 − K] e^(−r(x − age)) dx.
    Raises UserError("years_outside").
    """
    if not (0 <= years < np.inf and 0 <= age < np.inf and 0 <= rate < np.inf and 0 <= age_weight <= 1):
        raise UserError("years_outside", age=age, years=years, rate=rate, weight=age_weight)
    plain = years if rate == 0 else -np.expm1(-rate * years) / rate
    if age_weight == 0:
        return float(plain)
    s = rate + BETA

    def part(x: float) -> float:
        return float(np.exp(-s * x + rate * age) * (-s * x - 1))

    weighted = C / s**2 * (part(age + years) - part(age))
    return float(age_weight * weighted + (1 - age_weight) * plain)


def daly(
    *, deaths: float = 0.0, age: float, life_expectancy: float, disabled: float = 0.0, disability_weight: float = 0.0,
    duration: float = 0.0, rate: float = 0.05,
) -> dict[str, float]:  # fmt: skip
    """DALY of deaths and of disabled cases at one mean age: {"yll", "yld", "daly"} in years.

    deaths, disabled (cases, may be averted ones); life_expectancy (remaining years at `age`); disability_weight in
    [0, 1]; duration (years with disability). Raises UserError("years_outside"), ("disability_weight_outside"),
    ("not_a_number").
    Never beside a value of statistical life or human capital (`methods.md` 5): the same loss would count twice.
    """
    if not 0 <= disability_weight <= 1:
        raise UserError("disability_weight_outside", found=disability_weight)
    deaths, disabled = numbers("deaths, disabled", [deaths, disabled]).tolist()
    yll = deaths * years_lost(age, life_expectancy, rate=rate)
    yld = disabled * disability_weight * years_lost(age, duration, rate=rate)
    return {"yll": yll, "yld": yld, "daly": yll + yld}
