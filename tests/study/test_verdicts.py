"""Words never say more than the design carries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from bench import KINDS, Bench
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evalkit import text
from evalkit.core import NEVER, Design, Effect, Gate, Inference, Panel
from evalkit.study import verdict as module
from evalkit.study.verdict import detectable_rise, diagnostics, evidence_level, verdict, verdict_message

pytestmark = pytest.mark.xdist_group("study")
bounds = st.floats(-3, 3, allow_nan=False)


def effect(low: float | None, high: float | None, **inference: Any) -> Effect:
    estimate = 0.0 if low is None or high is None else (low + high) / 2
    return Effect(
        term="att",
        outcome="avertable",
        measure="log_rate_ratio",
        estimate=estimate,
        std_error=None,
        conf_low=low,
        conf_high=high,
        p_value=None,
        df=None,
        level=0.95,
        method="ppml",
        inference=Inference(rule="cr3", **inference),
        n_obs=10,
        n_units=10,
        n_treated=5,
        n_clusters=4,
        n_treated_clusters=2,
    )


def panel(treated: int, control: int) -> Panel:
    n = treated + control
    return Panel(
        units=tuple(map(str, range(n))),
        times=(2019, 2020),
        outcomes={"avertable": np.ones((n, 2))},
        cohort=np.where(np.arange(n) < treated, 1, NEVER),
        cluster=np.arange(n),
        cluster_names=tuple(map(str, range(n))),
    )


@given(bounds, bounds)
def test_the_verdict_follows_the_interval(a: float, b: float) -> None:
    """Lower or higher only where the whole interval lies on one side of no effect, insufficient where it covers it."""
    low, high = min(a, b), max(a, b)
    said = verdict(effect(low, high))
    assert (said == "insufficient") == (low <= 0 <= high)
    assert (said == "lower") == (high < 0)
    assert (said == "higher") == (low > 0)


@pytest.mark.parametrize(
    "refused",
    [
        effect(None, None),
        effect(None, 0.2),
        effect(-0.4, None),
        effect(-0.4, -0.2, refused="inference.refused.few_clusters"),
    ],
)
def test_a_refused_inference_is_not_testable(refused: Effect) -> None:
    """Without both ends of an interval, or with a refusal of the router, nothing is said about the effect."""
    assert verdict(refused) == "not_testable"
    assert verdict_message(refused, "C", ()).key == "verdict.not_testable"


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(0, 6), bounds, bounds)
def test_no_observational_design_is_above_level_c(treated: int, control: int, a: float, b: float) -> None:
    """Whatever the clusters and however small the p-value, a design that nobody randomised is C or below."""
    if treated + control == 0:
        return
    found = effect(min(a, b), max(a, b))
    kinds = [k for k in get_args(get_type_hints(Design)["assignment"]) if k != "random"]
    assert kinds
    for kind in kinds:
        level = evidence_level(panel(treated, control), found, assignment=kind)
        assert level in ("C", "D", "E")
        assert (level == "C") == (treated > 0 and control > 0)


@pytest.mark.parametrize("name", KINDS)
def test_no_report_of_the_sample_is_above_level_c(tiny: Bench, name: str) -> None:
    """Nothing in the sample is randomised, so no report prints level A or B."""
    levels = {s.values["evidence_level"] for s in tiny.sections(name) if "evidence_level" in s.values}
    assert levels <= {"C", "D", "E"}
    assert name not in ("project", "province") or levels


def test_a_failed_diagnostic_takes_the_causal_word_away() -> None:
    """With a failed warning the sentence names it instead of saying that injuries fell; information does not count."""
    lower = effect(-0.4, -0.2)
    failed = Gate(name="negative_control", severity="warn", passed=False)
    assert verdict_message(lower, "C", ()).key == "verdict.lower"
    assert verdict_message(lower, "C", (failed,)).key == "verdict.withheld"
    told = Gate(name="effect_testable", severity="info", passed=False)
    assert verdict_message(lower, "C", (told,)).key == "verdict.lower"
    for lang in text.LANGUAGES:
        assert text.t("gate.negative_control.title", lang) in text.say(verdict_message(lower, "C", (failed,)), lang)


def test_diagnostics_name_what_went_wrong() -> None:
    """A gap between minor and graded cases, the outcome that cannot move, and a short pre-period each fail by name."""
    lower, higher, none = effect(-0.4, -0.2), effect(0.1, 0.3), effect(-0.1, 0.1)
    gates = {g.name: g.passed for g in diagnostics(lower, lower, higher, (5, 8))}
    assert gates == {
        "reporting_shift": False,
        "negative_control": False,
        "pre_period_length": False,
        "effect_testable": True,
    }
    assert all(g.passed for g in diagnostics(lower, none, none, (8, 8)))
    unknown = {g.name: g.passed for g in diagnostics(lower, None, None, (8, 8))}
    assert unknown["reporting_shift"] is None
    assert unknown["negative_control"] is None


def test_every_verdict_and_level_has_its_words() -> None:
    """Each word that the rules can give can be said in every language."""
    for lang in text.LANGUAGES:
        assert all(text.has(f"verdict.{w}", lang) for w in ("lower", "higher", "insufficient", "not_testable"))
        assert all(text.has(f"verdict_word.{w}", lang) for w in ("lower", "higher", "insufficient", "not_testable"))
        assert all(text.has(f"evidence.{level}", lang) for level in "ACD")
    assert "before-after" in (module.__doc__ or "")


@pytest.mark.parametrize(("error", "df"), [(0.05, 40.0), (0.19, 19.0)])
def test_the_rise_that_can_be_seen_has_a_power_of_80_per_cent(error: float, df: float) -> None:
    """At the printed rise the t test rejects in at least 80 of 100 cases, one per cent below it in fewer."""
    known = replace(effect(-0.1, 0.1), std_error=error, df=df)
    rise = float(detectable_rise(known))
    at, below = (stats.nct.sf(stats.t.ppf(0.975, df), df, np.log1p(r / 100) / error) for r in (rise, rise - 1))
    assert at > 0.795
    assert below < 0.8
    assert detectable_rise(effect(-0.1, 0.1)) == detectable_rise(None) == "–"
