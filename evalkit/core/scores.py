"""Nouns of assessment: what is measured, what came out, and which gates stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Indicator:
    """One row of a plan's indicator dictionary. Wording lives in `text/` under `indicator.<code>`.

    `kind` picks the rule that computes it ("rate", "proportion", "ratio", "decline", "sum", "effect");
    `numerator`/`denominator` are named selections of canonical tables; `scale` multiplies the ratio
    (1000 for per mille); `direction` is "down", "up" or "band".
    """

    code: str
    kind: str
    numerator: str = ""
    denominator: str = ""
    scale: float = 1.0
    unit: str = ""
    digits: int = 2
    direction: Literal["down", "up", "band"] = "down"
    target: float | None = None
    target_low: float | None = None
    target_high: float | None = None
    source: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The value of one indicator for one place and period.

    `value` None means the data do not allow it, and `note` (message key) says why. `interval` is at
    `level`, `interval_method` names how ("exact_poisson", "wilson", "log_normal", ...). `provisional` is
    True while the count is younger than the maturity rule of the plan. `group` separates variants of one
    indicator (an industry, a base year, a situation), "" being the headline.
    """

    indicator: str
    place: str
    period: str
    value: float | None
    group: str = ""
    numerator: float | None = None
    denominator: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    level: float = 0.95
    interval_method: str = ""
    unit: str = ""
    target: float | None = None
    attainment: float | None = None
    status: Literal["met", "near", "not_met", "no_target", "no_data", "provisional"] = "no_target"
    provisional: bool = False
    as_of: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A check with a consequence. `passed` None = could not be judged. Wording: `gate.<name>`."""

    name: str
    passed: bool | None
    severity: Literal["stop", "warn", "info"] = "warn"
    detail: dict[str, Any] = field(default_factory=dict)
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """Scores with their weights and what they come to; total None where no score sheet was applied."""

    scores: tuple[Score, ...]
    weights: dict[str, float] = field(default_factory=dict)
    total: float | None = None
    grade: str = ""
    evidence_level: Literal["A", "B", "C", "D", "E", ""] = ""
