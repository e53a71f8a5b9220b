"""One row of a path: what it stands for (`Term`), what may be said about it (`Inference`), and both (`Effect`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Measure = Literal["level", "log_rate", "log_rate_ratio", "averted", "rate", "yuan"]

MONEY_DF = 3.0
"""Below these degrees of freedom a mean over draws says more about the tail than about the programme: no mean of money,
no curve, no value of information (`methods.md` 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """What one row of a path stands for. None = aggregated over that axis."""

    term: str
    outcome: str
    measure: Measure = "level"
    cohort: Any = None
    time: Any = None
    event_time: int | None = None
    weight: float = 1.0
    n_obs: int = 0
    n_units: int = 0
    n_treated: int = 0
    n_clusters: int = 0
    n_treated_clusters: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What may be said about one row, by which rule and why that rule.

    rule          "cr3", "cr2", "cr1", "wild", "permutation", "usual", "not_testable", ...
    reason        message key `inference.reason.<...>` of the router
    std_error, df, statistic, p_value, conf_low, conf_high   None where the design carries none
    p_attainable  smallest p the procedure can give (placebo rank with G units: 1/G)
    effective_treated, effective_control   G1*, G0*: description, routes nothing
    size          simulated rejection rate at 5 % of this design, by scenario name
    refused       message key, or None
    extra         further quantities by name ("studentised_p", "placebo_rank", "usual_std_error", ...), and message keys
                  of what must be said beside the row ("working": working covariance behind df, "money", ...)
    """

    rule: str
    reason: str = ""
    std_error: float | None = None
    df: float | None = None
    statistic: float | None = None
    p_value: float | None = None
    conf_low: float | None = None
    conf_high: float | None = None
    level: float = 0.95
    p_attainable: float | None = None
    effective_treated: float | None = None
    effective_control: float | None = None
    size: dict[str, float] = field(default_factory=dict)
    refused: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One row of a path, complete, ready for a table (`EffectPath.effect`)."""

    term: str
    outcome: str
    measure: str
    estimate: float
    std_error: float | None
    conf_low: float | None
    conf_high: float | None
    p_value: float | None
    df: float | None
    level: float
    method: str
    inference: Inference | None
    n_obs: int
    n_units: int
    n_treated: int
    n_clusters: int
    n_treated_clusters: int
    notes: tuple[str, ...] = ()


def row_effect(
    term: Term,
    estimate: float,
    inference: Inference | None,
    *,
    level: float,
    method: str,
    notes: tuple[str, ...] = (),
) -> Effect:
    """The complete row of a term: its estimate with what `inference` allows to be said (None: the estimate alone)."""
    said = inference or Inference(rule="none")
    return Effect(
        term=term.term,
        outcome=term.outcome,
        measure=term.measure,
        estimate=float(estimate),
        std_error=said.std_error,
        conf_low=said.conf_low,
        conf_high=said.conf_high,
        p_value=said.p_value,
        df=said.df,
        level=level,
        method=method,
        inference=inference,
        n_obs=term.n_obs,
        n_units=term.n_units,
        n_treated=term.n_treated,
        n_clusters=term.n_clusters,
        n_treated_clusters=term.n_treated_clusters,
        notes=notes,
    )
