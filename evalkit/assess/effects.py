"""I21 and I22 as scores. The numbers come from the caller: what was estimated is not estimated again here."""

from __future__ import annotations

from typing import Any

from ..core import Score


def effect_score(
    *,
    place: str,
    period: str,
    averted: float | None,
    conf_low: float | None = None,
    conf_high: float | None = None,
    level: float = 0.95,
    method: str = "",
    group: str = "",
    as_of: str = "",
    note: str = "",
) -> Score:
    """I21, injuries averted = Σ (μ0 − observed) over treated cells; negative = more injuries than expected.

    averted, conf_low, conf_high   cases; the interval is the count path's own (delta method, rule named by `method`)
    note   message key where the value is missing ("score.not_testable", ...). Never summed over severities by the
    caller: they were estimated jointly and the total has its own interval. Source: method decisions on counts.
    """
    return Score(
        indicator="I21", place=place, period=period, group=group, value=averted, conf_low=conf_low, conf_high=conf_high,
        level=level, interval_method=method, unit="cases", as_of=as_of, note=note,
        status="no_data" if averted is None else "no_target",
    )  # fmt: skip


def economic_scores(
    *,
    place: str,
    period: str,
    programme_cost: float,
    averted_cost: float | None,
    averted: float | None,
    bcr: float | None = None,
    bcr_low: float | None = None,
    bcr_high: float | None = None,
    dominance: str = "",
    level: float = 0.95,
    group: str = "",
    as_of: str = "",
    note: str = "",
) -> tuple[Score, ...]:
    """I22: net cost per injury averted (yuan) and benefit-cost ratio (group "bcr").

    net cost per injury = (programme_cost − averted_cost) ÷ averted, all yuan and cases of the same perspective and
    price year. It is a number only where the programme averts injuries at a net cost: a saving programme shows
    "score.dominant", one that averts none "score.no_injury_averted"; a negative ratio is never printed.
    """
    head: dict[str, Any] = {"indicator": "I22", "place": place, "period": period, "level": level, "as_of": as_of}
    word = note or _icer_note(programme_cost, averted_cost, averted, dominance)
    icer = None
    if not word and averted_cost is not None and averted:
        icer = (programme_cost - averted_cost) / averted
    status: Any = "no_target" if icer is not None or word == "score.dominant" else "no_data"
    return (
        Score(**head, value=icer, numerator=None if averted_cost is None else programme_cost - averted_cost,
              denominator=averted, unit="yuan", group=group, status=status, note=word),
        Score(**head, value=bcr, conf_low=bcr_low, conf_high=bcr_high, numerator=averted_cost,
              denominator=programme_cost, unit="ratio", group="bcr" if not group else f"{group}.bcr",
              status="no_data" if bcr is None else "no_target", note=note if bcr is None else ""),
    )  # fmt: skip


def _icer_note(cost: float, averted_cost: float | None, averted: float | None, dominance: str) -> str:
    if averted is None or averted_cost is None:
        return "score.not_estimated"
    if dominance == "dominated" or averted <= 0:
        return "score.no_injury_averted"
    return "score.dominant" if dominance == "dominant" or averted_cost >= cost else ""
