"""From an interval to words: evidence level by rule, and a verdict that never says more than the design carries.

Levels: A randomised; B controlled, with the sensitivity of parallel trends passed and no diagnostic failed; C
controlled, sensitivity not passed or not testable; D before-after only; E outputs only. Level B needs the breakdown
value and the power of the pre-period (`methods.md` 4), and no pre-test decides on it: a failed one takes the causal
words away, not the level. A randomisation p beside the interval never raises a level.
"""

from __future__ import annotations

from math import ceil, expm1

from scipy.special import stdtrit

from ..core import Effect, Gate, Message, Panel
from .build import message

PRETESTS = ("placebo_start",)
"""Diagnostics that test the periods before the start: no gate of level B."""


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
    failed = [g for g in gates if g.passed is False and g.severity == "warn" and g.name not in PRETESTS]
    sound = verdict(effect) != "not_testable" and not failed
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
    reporting: Effect | None,
    control_outcome: Effect | None,
    pre_periods: tuple[int, int],
) -> tuple[Gate, ...]:
    """Named warnings that withhold a causal reading.

    reporting_shift       minor (ungraded) cases move against graded ones: the interval of the gap between their
                          effects excludes nil. Its detail tells what it cannot see: a change of reporting in
                          training projects is mostly smaller (`benchmarks/reporting_power.csv`)
    negative_control      an outcome that the programme cannot move has an interval that excludes no effect
    pre_period_length     usable periods before the start: (found, needed)
    """
    return (
        Gate(
            name="reporting_shift",
            severity="warn",
            passed=_covers_nil(reporting),
            detail={"detectable": detectable_rise(reporting)},
        ),
        Gate(name="negative_control", severity="warn", passed=_covers_nil(control_outcome)),
        Gate(
            name="pre_period_length",
            severity="warn",
            passed=pre_periods[0] >= pre_periods[1],
            detail={"periods": pre_periods[0], "needed": pre_periods[1]},
        ),
        Gate(name="effect_testable", severity="info", passed=verdict(effect) != "not_testable"),
    )


def detectable_rise(effect: Effect | None) -> str:
    """Rise in per cent that the interval of a log ratio would tell from none in 80 of 100 cases, as text (rounded up).

    100 (exp((t_{1−α/2} + t_{0.8}) × std_error) − 1); "–" where there is no standard error.
    """
    if effect is None or not effect.std_error or not effect.df:
        return "–"
    quantiles = stdtrit(effect.df, [(1 + effect.level) / 2, 0.8])
    return str(ceil(100 * expm1(float(quantiles.sum()) * effect.std_error)))


def _covers_nil(effect: Effect | None) -> bool | None:
    """Does nothing speak against no effect? None where there is none to examine."""
    return None if effect is None else verdict(effect) in ("insufficient", "not_testable")


def verdict_message(effect: Effect, level: str, gates: tuple[Gate, ...]) -> Message:
    """The sentence of the verdict. A failed diagnostic takes the causal verb away."""
    word = verdict(effect)
    failed = [g for g in gates if g.passed is False and g.severity == "warn"]
    if failed and word in ("lower", "higher"):
        return message("verdict.withheld", level=level, reasons=[message(f"gate.{g.name}.title") for g in failed])
    return message(f"verdict.{word}", level=level)
