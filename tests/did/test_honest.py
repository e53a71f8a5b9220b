"""Sensitivity of a path: what is refused and why, few clusters, breakdown with clusters left out, evidence."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did, text
from evalkit.core import NEVER, Design, UserError
from evalkit.did.sensitivity.event_paths import event_study_of


@pytest.fixture(scope="module")
def wide(linear_panel):
    """40 clusters, 14 treated, 4 periods before the reference and 4 after: enough for a joint covariance."""
    return linear_panel(seed=4, n=40, t=9, starts=(5,), treated=14, effect=1.5)


@pytest.fixture(scope="module")
def path(wide):
    return did.event_study(wide)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_original_interval_is_the_reported_one(wide, level):
    """Under parallel trends the sensitivity analysis starts from the reported t interval, not from a normal one."""
    path = did.event_study(wide, Design(level=level))
    found = did.honest(path)
    said = path.inference[[t.event_time for t in path.terms].index(0)]
    assert found.original == pytest.approx((said.conf_low, said.conf_high), rel=1e-9)
    assert found.inflation > 1
    assert found.size == (0.0, 0.5, 1.0, 1.5, 2.0) and len(found.tidy()) == 5
    assert found.conf_low[1] < found.conf_low[0] and found.refused is None


@pytest.mark.parametrize("restriction", ["relative_magnitude", "relative_trend", "smoothness"])
@pytest.mark.parametrize("target", ["first", "average", 2, [0.1, 0.2, 0.3, 0.4]])
def test_breakdown_agrees_with_the_intervals(path, restriction, target):
    """At the reported breakdown value the interval holds zero, a little below it does not."""
    found = did.honest(path, restriction, target=target)
    if found.breakdown > 0:
        below, at = did.honest(path, restriction, [0.99 * found.breakdown, found.breakdown], target=target).conf_low
        assert below > 0 >= at
    else:
        assert did.honest(path, restriction, [0.0], target=target).conf_low[0] <= 0
    assert did.breakdown(path, restriction, target=target).size == pytest.approx(found.breakdown)


def test_breakdown_without_each_of_the_largest_clusters(wide):
    """Three values, of the clusters with the largest exposure, equal to an analysis of the smaller panel."""
    exposure = np.ones((40, 9)) * np.r_[np.full(37, 1.0), 9.0, 8.0, 7.0][:, None]
    panel = replace(wide, exposure=exposure)
    found = did.breakdown(did.event_study(panel), panel=panel)
    assert [name for name, _ in found.without] == ["c37", "c38", "c39"]
    from evalkit.did.influence import drop_cluster

    alone = did.breakdown(did.event_study(drop_cluster(panel, 37)))
    assert found.without[0][1] == pytest.approx(alone.size, rel=1e-6)


def test_few_clusters_are_refused_or_labelled_approximate(linear_panel):
    """Three treated clusters carry no joint covariance: refused without the panel, approximate with it."""
    panel = linear_panel(seed=2, n=40, t=9, starts=(5,), treated=3)
    path = did.event_study(panel)
    refused = did.honest(path)
    assert refused.refused == "honest.refused.few_treated" and refused.size == () and refused.breakdown is None
    assert did.breakdown(path).size is None and did.pretrend_power(path).trends == ()
    assert did.trend_evidence(path).reasons == ("honest.refused.few_treated",)
    found = did.honest(path, panel=panel)
    assert found.covariance == "control_paths" and found.notes == ("honest.note.control_paths",)
    many = linear_panel(seed=2, n=16, t=9, starts=(5,), treated=7)
    assert did.honest(did.event_study(many)).refused == "honest.refused.few_clusters"
    assert did.honest(did.event_study(many), panel=many).refused is not None
    for lang in text.LANGUAGES:
        assert text.t("honest.refused.few_treated", lang) and text.t(found.notes[0], lang)


def test_covariance_from_control_paths_has_the_right_size(linear_panel):
    """Over many panels with three treated clusters its diagonal averages the true sampling variance."""
    ratio = []
    for seed in range(40):
        panel = linear_panel(seed=seed, n=40, t=7, starts=(4,), treated=3)
        study = event_study_of(did.event_study(panel), panel=panel)
        ratio.append(np.diag(study.vcov) / (0.5**2 * 2 * (1 / 3 + 1 / 37)))
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("honest_asymmetric", lambda p: replace(p, method="imputation")),
        ("honest_varying_base", lambda p: replace(p, design=Design(base="varying"))),
        ("honest_not_event_time", lambda p: p.combine("overall")),
        ("honest_needs_inference", lambda p: p.combine("event_time")),
        ("honest_no_pre_period", lambda p: p.select(lambda t: t.event_time >= -1)),
        ("honest_no_target", lambda p: p.select(lambda t: t.event_time < 0)),
    ],
)
def test_what_is_no_joint_event_study_is_refused(path, key, change):
    """Each misuse is told by its own message, in every language."""
    with pytest.raises(UserError) as told:
        did.honest(change(path))
    assert told.value.problems[0].key == key
    for lang in text.LANGUAGES:
        assert text.error_text(told.value, lang)


@pytest.mark.parametrize("restriction", ["smoothness", "relative_trend"])
def test_changes_of_slope_need_neighbouring_periods(path, restriction):
    """With a period missing they are refused, naming it; steps per period are not, and the wider step costs width."""
    holed = path.select(lambda t: t.event_time not in (0, 1))
    with pytest.raises(UserError) as told:
        did.honest(holed, restriction, target=2)
    assert told.value.problems[0].key == "honest_gap" and told.value.problems[0].values["missing"] == [0, 1]
    for lang in text.LANGUAGES:
        assert text.error_text(told.value, lang)
    found, whole = did.honest(holed, target=2), did.honest(path, target=2)
    assert found.original == pytest.approx(whole.original)
    width = np.subtract(found.conf_high, found.conf_low)
    assert width[0] == pytest.approx(np.subtract(*whole.original[::-1]), rel=0.2) and (np.diff(width) > 0).all()


def test_slopes_are_told_over_the_span_asked_for(path, wide):
    """A slope over two periods is twice that over one, so level B does not hang on how fine they are."""
    one, two = (did.trend_evidence(path, panel=wide, per=per) for per in (1.0, 2.0))
    assert two.slope == pytest.approx(2 * one.slope) and two.breakdown == one.breakdown


@pytest.mark.parametrize(
    "options", [{"restriction": "magic"}, {"bias": "up"}, {"monotone": "yes"}, {"test": "flci"}, {"target": 99}]
)
def test_unknown_options_are_refused(path, options):
    """Options that do not exist, or tests that do not fit the restriction, are refused."""
    with pytest.raises(UserError, match=r"honest_unknown_option|honest_no_target"):
        did.honest(path, **options)


def test_combined_paths_answer_after_inference(path, wide):
    """A path combined over event time gives the same answer once it carries inference."""
    again = did.inference(path.combine("event_time"), wide)
    assert did.honest(again).conf_low == pytest.approx(did.honest(path).conf_low)
    assert did.honest(path.combine("event_time"), panel=wide).conf_low == pytest.approx(did.honest(path).conf_low)


def test_counts_combine_on_counts(count_panel):
    """The average of a count path is the ratio of sums; its interval is the linearised one moved there."""
    panel = count_panel(seed=5, n=60, t=7, starts=(4,), treated=25)
    path = did.ppml_event_study(panel)
    found = did.honest(path, target="average", panel=panel)
    assert found.estimate == pytest.approx(path.combine("overall").estimate[0], abs=1e-12)
    if found.refused is None:
        assert found.original[0] < found.estimate < found.original[1]


def test_pretrend_power_reads_the_path(path):
    """The slope found is detected with the power asked for, and passing the test biases what follows upwards."""
    found = did.pretrend_power(path, slope=0.05)
    assert [t.power for t in found.trends[:2]] == pytest.approx([0.5, 0.8], abs=1e-5)
    assert found.slope(0.5) < found.slope(0.8) and found.trends[2].target_power is None
    assert found.trends[1].bias == pytest.approx(found.slope(0.8))
    assert list(found.tidy().columns[:2]) == ["target_power", "slope"]
    with pytest.raises(KeyError):
        found.slope(0.9)


def test_evidence_level_follows_its_two_conditions(path, linear_panel):
    """B where the breakdown value is at least 1 and half the effect would have been seen as a slope; else C and why."""
    strong = did.trend_evidence(did.event_study(linear_panel(seed=4, n=60, t=9, starts=(5,), treated=25, effect=20.0)))
    assert strong.level == "B" and strong.reasons == () and strong.breakdown >= 1
    none = did.trend_evidence(did.event_study(linear_panel(seed=4, n=60, t=9, starts=(5,), treated=25, effect=0.0)))
    assert none.level == "C" and set(none.reasons) == {"honest.reason.breakdown", "honest.reason.slope"}


def test_the_same_seed_gives_the_same_interval(path, wide):
    """Nothing depends on the call; another seed moves the interval by Monte Carlo error only."""
    first, second = did.honest(path), did.honest(path)
    assert first == second
    other = did.honest(did.event_study(wide, Design(seed=7)))
    assert other.conf_low != first.conf_low
    assert other.conf_low == pytest.approx(first.conf_low, abs=0.05)


def test_anticipation_is_after_the_reference(wide):
    """With one period of notice the reference is −2, the notice period may diverge, and the target is the start."""
    path = did.event_study(wide, Design(anticipation=1))
    study = event_study_of(path)
    assert study.reference == -2 and study.event_time[study.pre] == -1
    assert study.target.tolist() == [0.0, 1.0, 0.0, 0.0, 0.0]


def test_never_treated_means_never(wide):
    """The fixture holds comparison units, so that the tests above test something."""
    assert (wide.cohort == NEVER).sum() == 26
