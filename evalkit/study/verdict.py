"""From an interval to words: evidence level by rule, and a verdict that never says more than the design carries.

Levels: A randomised; B controlled, with the sensitivity of parallel trends passed and no diagnostic failed; C
controlled, sensitivity not passed or not testable; D before-after only; E outputs only. Level B needs the breakdown
value and the power of the pre-period (`methods.md` 4). A randomisation p beside the interval never raises a level.
"""

from __future__ import annotations

from ..core import Effect, Gate, Message, Panel
from .build import message


def evidence_level(
    panel: Panel, effect: Effect, *, trends_passed: bool = False, gates: tuple[Gate, ...] = (),
    assignment: str = "observational",
) -> str:  # fmt: skip
    """Evidence level of one evaluated design, by rule.

    trends_passed  both conditions of level B hold (`trends.Trends.passed`);  gates  its diagnostics
    """
    clusters, treated, control = panel.cluster_counts()
    if control == 0 or treated == 0 or clusters < 2:
        return "D"
    if assignment == "random" and effect.p_value is not None:
        return "A"
    sound = verdict(effect) != "not_testable" and not any(g.passed is False and g.severity == "warn" for g in gates)
    return "B" if trends_passed and sound else "C"


def verdict(effect: Effect) -> str:
    """ "lower", "higher", "insufficient" (the interval covers no change) or "not_testable"."""
    if effect.conf_low is None or effect.conf_high is None or (effect.inference and effect.inference.refused):
        return "not_testable"
    if effect.conf_high < 0:
        return "lower"
    return "higher" if effect.conf_low > 0 else "insufficient"


def diagnostics(
    effect: Effect,
    minor: Effect | None,
    graded: Effect | None,
    control_outcome: Effect | None,
    pre_periods: tuple[int, int],
) -> tuple[Gate, ...]:
    """Named warnings that withhold a causal reading.

    reporting_shift       minor (ungraded) cases move against graded ones: their intervals do not overlap
    negative_control      an outcome that the programme cannot move has an interval that excludes no effect
    pre_period_length     usable periods before the start: (found, needed)
    """
    return (
        Gate(name="reporting_shift", severity="warn", passed=_overlap(minor, graded)),
        Gate(
            name="negative_control",
            severity="warn",
            passed=None if control_outcome is None else verdict(control_outcome) in ("insufficient", "not_testable"),
        ),
        Gate(
            name="pre_period_length",
            severity="warn",
            passed=pre_periods[0] >= pre_periods[1],
            detail={"periods": pre_periods[0], "needed": pre_periods[1]},
        ),
        Gate(name="effect_testable", severity="info", passed=verdict(effect) != "not_testable"),
    )


def _overlap(a: Effect | None, b: Effect | None) -> bool | None:
    """Do the two intervals meet? None where one of them is missing."""
    known = [(x.conf_low, x.conf_high) for x in (a, b) if x is not None]
    spans = [(low, high) for low, high in known if low is not None and high is not None]
    if len(spans) < 2:
        return None
    return max(low for low, _ in spans) <= min(high for _, high in spans)


def verdict_message(effect: Effect, level: str, gates: tuple[Gate, ...]) -> Message:
    """The sentence of the verdict. A failed diagnostic takes the causal verb away."""
    word = verdict(effect)
    failed = [g for g in gates if g.passed is False and g.severity == "warn"]
    if failed and word in ("lower", "higher"):
        return message("verdict.withheld", level=level, reasons=[message(f"gate.{g.name}.title") for g in failed])
    return message(f"verdict.{word}", level=level)
