"""Intervals for ratios: Fieller's set with its type. A ratio's set may be an interval, its outside, or the line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri, stdtrit

from ..core import UserError
from .checks import level_of, numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioSet:
    """Confidence set of a ratio.

    type  "interval": [low, high]; "complement": everything at or below `low` or at or above `high`; "whole_line": the
          data exclude no value. low, high are None on the whole line.
    """

    type: Literal["interval", "complement", "whole_line"]
    low: float | None
    high: float | None
    level: float

    def plain(self) -> dict[str, Any]:
        return {"type": self.type, "low": self.low, "high": self.high, "level": self.level}

    def contains(self, ratio: float) -> bool:
        """True where `ratio` belongs to the set."""
        if self.low is None or self.high is None:
            return True
        inside = self.low <= ratio <= self.high
        return inside if self.type == "interval" else ratio <= self.low or ratio >= self.high


def critical(level: float, df: float | None = None) -> float:
    """Two-sided critical value of Student's t with `df`, of the normal where None or infinite.

    Raises UserError("level_outside"), ("value_outside") for df that is not above zero.
    """
    p = (1 + level_of(level)) / 2
    if df is not None and not df > 0:
        raise UserError("value_outside", name="df", found=str(df), low="0", high="∞")
    return float(ndtri(p) if df is None or np.isinf(df) else stdtrit(df, p))


def fieller(
    inc_cost: float,
    inc_effect: float,
    var_cost: float,
    var_effect: float,
    cov: float,
    *,
    df: float | None = None,
    level: float = 0.95,
) -> RatioSet:
    """Confidence set of inc_cost / inc_effect: all R with |ΔC − R ΔE| ≤ t √(v_C − 2 R cov + R² v_E).

    Parameters
        inc_cost, inc_effect  estimates (yuan; injuries averted);  var_*, cov  their variances and covariance
        df  degrees of freedom of the reported inference; normal without
    The set solves a R² + b R + c ≤ 0 with a = ΔE² − t² v_E, b = −2 (ΔC ΔE − t² cov), c = ΔC² − t² v_C. It is an
    interval exactly where ΔE is significant at the level (a > 0), the outside of one where a < 0 and the discriminant
    is positive, else the whole line; so too where effect and variances are nil and there is no ratio. Where a = 0 it is
    a half-line, given as a complement with an infinite limit.
    Raises UserError("not_a_number"), ("covariance_outside") where the three do not form a covariance.
    Source: Fieller (1954); Glick et al. (2014).
    """
    numbers("fieller", [inc_cost, inc_effect, var_cost, var_effect, cov])
    if var_cost < 0 or var_effect < 0 or cov**2 > var_cost * var_effect * (1 + 1e-9):
        raise UserError("covariance_outside", var_cost=var_cost, var_effect=var_effect, cov=cov)
    t2 = critical(level, df) ** 2
    a = inc_effect**2 - t2 * var_effect
    b = -2 * (inc_cost * inc_effect - t2 * cov)
    c = inc_cost**2 - t2 * var_cost
    if a == 0:
        return _half_line(b, c, level)
    disc = b * b - 4 * a * c
    if a < 0 and disc <= 0:
        return RatioSet(type="whole_line", low=None, high=None, level=level)
    root = np.sqrt(max(disc, 0.0))
    q = -0.5 * (b + np.copysign(root, b))
    first = q / a
    second = c / q if q != 0 else 0.0
    low, high = sorted((float(first), float(second)))
    return RatioSet(type="interval" if a > 0 else "complement", low=low, high=high, level=level)


def _half_line(b: float, c: float, level: float) -> RatioSet:
    """The set b R + c ≤ 0."""
    if b == 0:
        return RatioSet(type="whole_line", low=None, high=None, level=level)
    edge = -c / b
    low, high = (edge, np.inf) if b > 0 else (-np.inf, edge)
    return RatioSet(type="complement", low=float(low), high=float(high), level=level)


def dominance(inc_cost: float, inc_effect: float) -> str:
    """Quadrant in words: "dominant", "dominated", "cost_more_effect_more", "cost_less_effect_less", "equal".

    Lower or equal cost with more or equal effect (one of them strictly) dominates. Only "cost_more_effect_more" has an
    ICER that reads as a price.
    """
    if inc_cost == 0 and inc_effect == 0:
        return "equal"
    if inc_cost <= 0 and inc_effect >= 0:
        return "dominant"
    if inc_cost >= 0 and inc_effect <= 0:
        return "dominated"
    return "cost_more_effect_more" if inc_cost > 0 else "cost_less_effect_less"


def icer(inc_cost: float, inc_effect: float) -> float | None:
    """Net cost per unit of effect where it is a price (more cost, more effect), else None: read `dominance`.

    inc_cost yuan, inc_effect units of effect. Its uncertainty is a set (`fieller`), never mean ÷ mean ± error.
    """
    return inc_cost / inc_effect if dominance(inc_cost, inc_effect) == "cost_more_effect_more" else None
