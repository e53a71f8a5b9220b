"""The indicators of a place in one table, and as scores for results.json."""

from __future__ import annotations

from typing import Any

from .. import assess
from ..core import Exhibit, Indicator, Score
from .build import column, message, table
from .case import Case
from .disclosure import HIDDEN, threshold

COUNTS = ("rate",)
"""Kinds of indicator whose value gives a count of persons away."""


def scorecard(case: Case, place: str) -> tuple[Exhibit | None, tuple[Score, ...]]:
    """Headline value of every computed indicator, with interval, target and status; and all scores with variants."""
    if not case.plan.indicators:
        return None, ()
    scores = assess.scores(case.canonical, case.plan, place=place, period=case.period)
    columns = (column("code"), column("indicator", "message"), column("score_value", "message"),
               column("interval", "message"), column("target", "message"), column("status", "status"),
               column("provisional", "flag"))  # fmt: skip
    rows = [score_row(case, s) for s in scores if not s.group]
    notes = [message("note.indicators"), message("note.suppressed", threshold=threshold(case))]
    return table(case, "summary_indicators", columns, rows, source="indicators", notes=notes), scores


def score_row(case: Case, score: Score) -> list[Any]:
    """A score as a table row; a rate on few cases is hidden like the cases."""
    indicator = case.plan.indicator(score.indicator)
    small = indicator.kind in COUNTS and (score.numerator or 0) < threshold(case)
    head = [score.indicator, message(f"indicator.{score.indicator}.name")]
    known = [worded(indicator, score.value), span(indicator, score)]
    return [
        *head,
        *([HIDDEN, None] if small else known),
        worded(indicator, score.target),
        score.status,
        score.provisional,
    ]


def worded(indicator: Indicator, value: float | None) -> Any:
    """A value with its unit, in the number of digits the plan gives it."""
    if value is None:
        return None
    shown = 100 * value if indicator.unit == "%" else value
    return message(f"amount.{indicator.unit}", value=shown, digits=indicator.digits)


def span(indicator: Indicator, score: Score) -> Any:
    """The interval in the same unit, None where there is none."""
    if score.conf_low is None or score.conf_high is None:
        return None
    low, high = worded(indicator, score.conf_low), worded(indicator, score.conf_high)
    return message("amount.interval", low=low, high=high)
