"""How far trends may part before a conclusion falls: sensitivity of an evaluated design, and what it says of money."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import cea, did
from ..core import Column, EffectPath, Exhibit, Message, Panel, UserError
from ..did.sensitivity import Sensitivity, TrendEvidence
from .build import column, facts, figure, message
from .case import Case
from .robustness import sensitivity_figure

if TYPE_CHECKING:
    from .economics import Money

SIZES = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
BEYOND = 2
"""Sizes shown of the decision after the effect's breakdown: further ones only stretch the axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Robust intervals of the mean effect by M-bar, and the two conditions of evidence level B.

    refused  why there are none: a message key, "" where there are;  per_year: periods of the event study in a year
    """

    sensitivity: Sensitivity | None = None
    evidence: TrendEvidence | None = None
    measure: str = "log_rate_ratio"
    refused: str = ""
    per_year: float = 1.0

    @property
    def passed(self) -> bool:
        """True where both conditions of level B hold."""
        return self.evidence is not None and self.evidence.level == "B"


def trends_of(events: EffectPath | None, panel: Panel, *, per_year: float = 1.0) -> Trends:
    """Sensitivity of an event study; never raises where the design does not carry one, but says why.

    per_year  periods of the event study in a year: slopes are given per year
    """
    if events is None:
        return Trends(refused="trends.no_event_study")
    try:
        found = did.honest(events, grid=SIZES, target="average", panel=panel)
        evidence = did.trend_evidence(events, target="average", panel=panel, per=per_year)
    except UserError as error:
        return Trends(refused=f"trends.{error.problems[0].key}")
    measure = events.terms[0].measure
    return Trends(sensitivity=found, evidence=evidence, measure=measure, refused=found.refused or "", per_year=per_year)


def trend_exhibits(case: Case, trends: Trends) -> list[Exhibit | None]:
    """The sensitivity figure and its conditions, or the reason why there is none."""
    items: list[tuple[Column, Any]] = [(column("trend_level", "message"), level_words(trends))]
    if trends.evidence is not None and not trends.refused:
        items += [
            (column("trend_breakdown", "number", 2), finite(trends.evidence.breakdown)),
            (column("trend_periods", "number", 0), trends.per_year),
            (column("trend_slope", "number", 3), trends.evidence.slope),
            (column("trend_half_effect", "number", 3), trends.evidence.half_effect),
        ]
    notes = [message(key) for key in (trends.evidence.reasons if trends.evidence else ())]
    shown = facts(case, "trend_facts", items, notes=notes, source="model")
    if trends.sensitivity is None or trends.refused:
        return [shown]
    return [sensitivity_figure(case, trends.sensitivity, measure=trends.measure), shown]


def level_words(trends: Trends) -> Message:
    """Passed, not passed, or why it cannot be examined."""
    if trends.refused:
        return message(trends.refused)
    return message("trends.passed" if trends.passed else "trends.not_passed")


def finite(value: float | None) -> float | None:
    return None if value is None or value == float("inf") else value


def robust_figure(case: Case, money: Money, trends: Trends) -> Exhibit | None:
    """The benefit-cost ratio and the confidence of a net saving by M-bar; None where there is no robust set."""
    found = trends.sensitivity
    if found is None or trends.refused or money.fund.programme_cost <= 0:
        return None
    fallen = sum(size <= (found.breakdown or 0.0) for size in found.size)
    bounds = {
        size: (low, high)
        for size, low, high in zip(found.size[: fallen + BEYOND], found.conf_low, found.conf_high)
        if abs(low) != float("inf") and abs(high) != float("inf")
    }
    if len(bounds) < 2:
        return None
    frame = cea.robust_decision(
        money.draws, money.costs, money.flows, bounds, found.estimate, delay=money.delay, seed=case.seed
    )
    breakdown = cea.breakdown_mbar(frame)
    if breakdown is None:
        told = message("robust.none")
    else:
        told = message("robust.breakdown", value=breakdown) if breakdown > 0 else message("robust.never")
    payload = {name: frame[name].tolist() for name in ("mbar", "bcr_low", "bcr_high", "confidence")}
    return figure(
        case, "economics_robust", "robust_decision", {**payload, "breakdown": breakdown}, source="economics",
        notes=[message("note.robust")],
        alt={"low": round(payload["bcr_low"][0], 2), "high": round(payload["bcr_high"][0], 2), "breakdown": told},
    )  # fmt: skip
