"""Time value: discount factors by date, survival, annuities that grow and end with life.

Conventions. Rates are real and per year. A calendar year y without a fraction stands for the whole year and is placed
by `timing`: "start" y, "mid" y + 0.5 (default), "end" y + 1; a fractional date (2023.25) is taken as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from ..core import UserError
from ..sources import parameter
from .checks import numbers, one_of, within

TINY = 1e-9
Timing = Literal["start", "mid", "end"]
Rate = float | Mapping[int, float]
_SHIFT = {"start": 0.0, "mid": 0.5, "end": 1.0}


def when(year: Any, timing: Timing = "mid") -> np.ndarray:
    """Dates in years of calendar `year`: whole years moved by `timing`, fractional ones kept."""
    one_of("timing", timing, _SHIFT)
    date = numbers("year", year)
    return np.where(date == np.floor(date), date + _SHIFT[timing], date)


def base_rate() -> float:
    """The real discount rate of the base case per year, on costs and effects alike: `discount_rate` of the sources."""
    return parameter("discount_rate").value


def discount_factor(year: Any, base: float, rate: Rate | None = None, *, timing: Timing = "mid") -> np.ndarray:
    """Value at the start of `base` of one yuan at `year`: (1 + r)^−(date − base).

    Parameters
        year  calendar years or dates, any shape;  base  valuation date, e.g. 2023 = 1 January 2023
        rate  one rate, or a schedule {first calendar year: rate}, each holding until the next; `base_rate` without it
    Returns factors, shape of `year`.
    Raises UserError("rate_outside") for a rate at or below −1 or above 1, ("empty_schedule") for {}, ("not_a_number")
    for a date that is none, ("choice_unknown") for a timing.
    """
    date, rate = when(year, timing), base_rate() if rate is None else rate
    if not isinstance(rate, Mapping):
        return (1 + _checked(rate)) ** -(date - base)
    return np.exp(_log_growth(rate, base) - _log_growth(rate, date))


def _log_growth(schedule: Mapping[int, float], date: Any) -> Any:
    """∫ log(1 + r) from the schedule's first year to `date` (the first rate holds before it, the last after)."""
    if not schedule:
        raise UserError("empty_schedule")
    starts = np.array(sorted(schedule), dtype=float)
    force = np.log1p([_checked(schedule[s]) for s in sorted(schedule)])
    edges = np.append(starts[1:], np.inf)
    d = np.asarray(date, dtype=float)[..., None]
    spans = np.clip(np.minimum(d, edges) - starts, 0, None)
    return spans @ force + np.minimum(np.asarray(date, dtype=float) - starts[0], 0) * force[0]


def _checked(rate: float) -> float:
    if not -1 < rate <= 1:
        raise UserError("rate_outside", found=rate)
    return float(rate)


def annuity(years: float, rate: float, growth: float = 0.0, *, timing: Literal["start", "mid", "end"] = "end") -> float:
    """Present value of 1 a year for `years`, growing by `growth` a year: a(n, r, g) = Σ (1+g)^t / (1+r)^(t+s).

    s = 1 ("end", the textbook annuity-immediate), 0.5 or 0 by `timing`; the amount of the first year is 1; the last
    part-year pays its part. a(n, r) = (1 − (1+r)^−n)/r for whole n, 1/r for ever. n (1+r)^−s where r = g.
    Raises UserError("rate_outside"), ("negative_years"), ("value_outside"), ("choice_unknown").
    """
    one_of("timing", timing, _SHIFT)
    within("growth", growth, TINY - 1)
    years = float(numbers("years", years, finite=False))
    if not years >= 0:
        raise UserError("negative_years", found=years)
    ratio, gap, scale = np.log1p(growth) - np.log1p(_checked(rate)), rate - growth, (1 + rate) ** (1 - _SHIFT[timing])
    if np.isinf(years):
        if gap <= 0:
            raise UserError("value_outside", name="years", found="inf", low="0", high="∞ (g < r)")
        return float(scale / gap)
    n = np.floor(years)
    whole = n / (1 + rate) if gap == 0 else -np.expm1(n * ratio) / gap
    return float(scale * (whole + (years - n) * np.exp(n * ratio) / (1 + rate)))


def life_annuity(
    age: float, rate: float, growth: float = 0.0, *, mode: float, scale: float, to_age: float = 110.0
) -> float:
    """Present value of 1 a year from `age` while alive, at most to `to_age`: mid-year, Gompertz survival.

    Σ S(t + ½) (1+g)^t / (1+r)^(t+½). Ages in years, rates real and per year; `mode`, `scale` (years) as in `survival`.
    Raises UserError("rate_outside"), ("value_outside"). Not for ages below 20 (`survival`).
    """
    within("scale", scale, np.finfo(float).tiny)
    within("growth", growth, -1.0)
    t = np.arange(int(np.ceil(max(within("to_age", to_age, 0.0, 200.0) - within("age", age, 0.0), 0))))
    alive = survival(t + 0.5, age, mode, scale)
    factors = alive * (1 + growth) ** t * (1 + _checked(rate)) ** -(t + 0.5)
    return float(paid_share(0.0, to_age - age, len(t)) @ factors)


def survival(t: Any, age: Any, mode: Any, scale: Any) -> np.ndarray:
    """P(alive t years after `age`) under Gompertz mortality with modal age at death `mode` and dispersion `scale`.

    S(t | x) = exp(−e^((x−M)/b) (e^(t/b) − 1)); life expectancy at birth ≈ M − 0.577 b. Stands in for a life table;
    all arguments in years, broadcast. Returns probabilities. Not for ages below 20, where mortality is not Gompertz.
    Source: Gompertz (1825), in the parametrisation by the modal age at death.
    """
    t, age, mode, scale = (np.asarray(v, dtype=float) for v in (t, age, mode, scale))
    return np.exp(-np.exp((age - mode) / scale) * np.expm1(t / scale))


def paid_share(start: Any, stop: Any, horizon: int) -> np.ndarray:
    """(..., horizon) part of each year t = 0, 1, ... that lies between `start` and `stop` (years, broadcast)."""
    t = np.arange(horizon)
    low, high = np.asarray(start, float)[..., None], np.asarray(stop, float)[..., None]
    return np.clip(np.minimum(high, t + 1) - np.maximum(low, t), 0, 1)
