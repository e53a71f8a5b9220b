"""ATT(g,t): identities between ways of solving, the jackknife against true re-fits, aggregates, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, Panel, UserError
from evalkit.did import att_gt_sections, att_gt_sums
from evalkit.did.att_gt import att_gt_fit
from evalkit.did.cells import within
from evalkit.did.linalg import Regression
from evalkit.did.parts import RegressionPart

T = 6
RULES = ("analytic", "cr1", "cr2", "cr3")


def _panel(seed=1, n=60, clusters=None, starts=(2, 4, NEVER), **changes) -> Panel:
    rng = np.random.default_rng(seed)
    cohort = np.array(starts)[np.arange(n) % len(starts)]
    cluster = np.arange(n) if clusters is None else rng.permutation(np.arange(n) % clusters)
    level = rng.normal(0, 1, (n, 1))
    x = level / 2 + rng.normal(0, 0.7, (n, 1))
    y = 10 * level + x * np.arange(T) + rng.normal(0, 1, (n, T)).cumsum(axis=1)
    y += (np.arange(T)[None] >= cohort[:, None]) * 0.5
    settings = {
        "units": tuple(f"u{i}" for i in range(n)),
        "times": tuple(range(2000, 2000 + T)),
        "outcomes": {"y": y},
        "cohort": cohort,
        "cluster": cluster,
        "cluster_names": tuple(f"c{g}" for g in range(int(cluster.max()) + 1)),
        "covariates": {"x": np.repeat(x, T, axis=1)},
    } | changes
    return Panel(**settings)


def _assert_parts(a, b, rules=RULES, rtol=1e-9):
    """The same estimates, covariances and facts of two fits."""
    np.testing.assert_allclose(a.path.estimate, b.path.estimate, rtol=rtol, atol=1e-12)
    p, q = a.sources[0], b.sources[0]
    rows = np.vstack([a.path.transform, a.path.combine("overall").transform, a.path.combine("event_time").transform])
    for rule in rules:
        np.testing.assert_allclose(p.vcov(rule, rows), q.vcov(rule, rows), rtol=rtol, atol=1e-12)
    live = p.live(rows)
    np.testing.assert_array_equal(live, q.live(rows))
    np.testing.assert_array_equal(p.clusters(rows[live]), q.clusters(rows[live]))
    np.testing.assert_array_equal(p.estimable(rows[live]), q.estimable(rows[live]))


@pytest.mark.parametrize("clusters", [None, 20])
@pytest.mark.parametrize("control", ["never", "not_yet"])
@pytest.mark.parametrize("base", ["universal", "varying"])
def test_three_ways_of_solving_agree(base, control, clusters):
    """Means, models with a constant alone, and rows seen give one answer on a balanced panel without covariates."""
    panel = _panel(clusters=clusters)
    design = Design(control=control, base=base)
    closed = att_gt_fit(panel, design)
    models = att_gt_fit(replace(panel, weight=np.ones((60, T))), design)
    rows = att_gt_fit(panel, replace(design, sampling="cross_section"))
    _assert_parts(closed, models, ("analytic", "cr1", "cr3"))
    _assert_parts(closed, rows, ("analytic", "cr1", "cr3"))
    some = closed.path.transform
    half = closed.sources[0].vcov("cr2", some)
    np.testing.assert_allclose(models.sources[0].vcov("cr2", some), half, rtol=5e-3, atol=2e-4)
    live = closed.sources[0].live(some)
    df = closed.sources[0].df(some[live])
    for other in (models, rows):
        np.testing.assert_allclose(
            other.sources[0].df(some[live]), df, rtol=0.25 if clusters else 1e-9 if control == "never" else 0.005
        )
    np.testing.assert_allclose(models.sources[0].df(some[live]), rows.sources[0].df(some[live]), rtol=1e-9)


@pytest.mark.parametrize("clusters", [None, 20])
def test_never_treated_universal_is_the_saturated_regression(clusters):
    """Estimates, cluster scores and degrees of freedom are those of cohort × time dummies, never-treated reference."""
    panel = _panel(clusters=clusters)
    fit = att_gt_fit(panel, Design(control="never"))
    n, y = panel.n_units, panel.matrix()
    unit, time = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    live = [t for t in fit.path.terms if t.event_time != -1]
    columns = [(panel.cohort[unit] == t.cohort - 2000) & (time == t.time - 2000) for t in live]
    x = within(np.column_stack([*columns, *(time == t for t in range(1, T))]).astype(float), unit)
    empty = np.zeros((len(live), panel.cluster.max() + 1), dtype=bool)
    part = RegressionPart(
        regression=Regression(
            x=x, y=within(y.reshape(-1), unit), root=np.ones(n * T), unit=unit, time=time,
            cluster=panel.cluster[unit], n_clusters=int(panel.cluster.max()) + 1,
            contrast=np.eye(len(live), x.shape[1]), treated=empty, control=empty, n_params=x.shape[1] + 1,
        )
    )  # fmt: skip
    keep = np.array([t.event_time != -1 for t in fit.path.terms])
    rows = fit.path.transform[keep]
    np.testing.assert_allclose(
        fit.path.estimate[keep], (part.system.beta / part.system.scale)[: len(live)], rtol=1e-10, atol=1e-11
    )
    for rule in ("cr1", "cr2", "cr3"):
        scores = part.scores(rule, np.eye(len(live)))
        np.testing.assert_allclose(fit.sources[0].scores(rule, rows), scores, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(fit.sources[0].df(rows), part.df(np.eye(len(live))), rtol=1e-9)


@pytest.mark.parametrize("method", ["dr", "ipw", "reg"])
@pytest.mark.parametrize("seen", ["balanced", "unbalanced"])
def test_jackknife_is_the_true_one(seen, method):
    """θ − θ without a cluster is a re-fit of the panel without it, with covariates, balanced or not."""
    panel = _panel(n=90, clusters=9)
    if seen == "unbalanced":
        y = panel.matrix().copy()
        y[np.arange(0, 90, 7), np.arange(0, 90, 7) % T] = np.nan
        panel = replace(panel, outcomes={"y": y})
    design = Design(control="not_yet", covariates=("x",), adjustment=method)
    fit = att_gt_fit(panel, design)
    table = did.leave_one_out(panel, design, "att_gt")
    scores = fit.sources[0].scores("cr3", fit.path.transform)
    wanted = -table["change"].to_numpy().reshape(9, -1) * np.sqrt(8 / 9)
    np.testing.assert_allclose(scores, wanted, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("method", ["dr", "ipw", "reg"])
@pytest.mark.parametrize("sampling", ["panel", "cross_section"])
def test_many_units_are_crossed_not_listed(sampling, method, monkeypatch):
    """Cross products give what a list of clusters gives; the jackknife in one step is close to the true one."""
    panel = _panel(n=150)
    design = Design(control="not_yet", covariates=("x",), adjustment=method, sampling=sampling)
    listed = att_gt_fit(panel, design)
    monkeypatch.setattr(att_gt_sums, "LISTED", 10)
    monkeypatch.setattr(att_gt_sections, "LISTED", 10)
    crossed = att_gt_fit(panel, design)
    assert crossed.sources[0].scores("cr3", crossed.path.transform) is None
    _assert_parts(listed, crossed, ("analytic", "cr1"))
    rows = listed.path.transform
    a, b = listed.sources[0], crossed.sources[0]
    np.testing.assert_allclose(
        np.diag(a.vcov("cr3", rows)), np.diag(b.vcov("cr3", rows)), rtol=0.15 if sampling == "panel" else 0.3
    )
    live = a.live(rows)
    np.testing.assert_allclose(a.df(rows[live]), b.df(rows[live]), rtol=0.1)


def test_covariates_are_those_of_the_base_period():
    """A covariate that changes over time enters with its value at the base; after it, it may be anything."""
    panel = _panel()
    design = Design(covariates=("x",))
    x = panel.covariates["x"].copy()
    moved = np.arange(T)[None] >= np.minimum(panel.cohort, 4)[:, None]
    x[moved & (panel.cohort[:, None] != NEVER)] += 5.0
    a, b = did.att_gt(panel, design), did.att_gt(replace(panel, covariates={"x": x}), design)
    first = [i for i, t in enumerate(a.terms) if t.cohort == 2002]
    np.testing.assert_allclose(a.estimate[first], b.estimate[first], rtol=1e-9, atol=1e-12)


def test_aggregates_carry_the_error_of_the_weights():
    """Combining keeps the covariance of a fresh inference; combining twice gives the averages of Callaway-Sant'Anna."""
    panel = _panel(n=70, starts=(2, 4, 4, NEVER))
    path = did.att_gt(panel, Design(rule="analytic"))
    for axis in ("event_time", "cohort", "calendar", "overall"):
        rows = path.combine(axis)
        again = did.inference(rows, panel, "analytic")
        np.testing.assert_allclose(rows.vcov, again.vcov, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(rows.scores.T @ rows.scores, rows.vcov, atol=1e-14)
    fixed = replace(path, shares=None).combine("overall")
    assert path.combine("overall").estimate[0] == pytest.approx(fixed.estimate[0], rel=1e-12)
    assert path.combine("overall").vcov[0, 0] > fixed.vcov[0, 0]
    cohorts = path.combine("cohort")
    sizes = np.array([np.mean(panel.cohort == c) for c in (2, 4)])
    assert [t.weight for t in cohorts.terms] == pytest.approx(list(sizes))
    assert cohorts.combine("overall").estimate[0] == pytest.approx(sizes @ cohorts.estimate / sizes.sum())
    plain = path.combine("event_time").combine("overall", weights="equal")
    assert plain.estimate[0] == pytest.approx(
        np.mean([e for t, e in zip(path.combine("event_time").terms, path.combine("event_time").estimate)
                 if t.event_time >= 0])
    )  # fmt: skip


def test_balanced_window_speaks_of_the_same_cohorts():
    """Only cohorts that reach the event time asked for are in, and later event times are out."""
    path = did.att_gt(_panel())
    rows = path.combine("event_time", balanced=3)
    assert max(t.event_time for t in rows.terms) == 3
    only = path.select(lambda t: t.cohort == 2002 and t.event_time <= 3)
    np.testing.assert_allclose(rows.estimate, only.estimate)


def test_aggregates_by_hand_with_numeric_weights():
    """The slope of an aggregate in the cohorts' sizes is its numeric derivative."""
    path = did.att_gt(_panel(starts=(2, 4, 4, NEVER)))
    row = path.combine("overall")
    for j, column in enumerate(path.shares.columns.astype(int)):
        moved = path.shares.values.copy()
        step = 1e-6
        moved[j] += step
        weight = path.shares.loading @ moved
        post = np.array([t.event_time >= 0 for t in path.terms])
        new = (weight * post) @ path.estimate / (weight * post).sum()
        assert row.transform[0, column] == pytest.approx((new - row.estimate[0]) / step, rel=1e-3)


def test_without_never_treated_the_last_cohort_compares():
    """Nothing is estimated for the last cohort or from its start on; the cells are refused with the reason."""
    path = did.att_gt(_panel(starts=(2, 4)))
    assert {t.cohort for t in path.terms} == {2002}
    assert max(t.time for t in path.terms) == 2003
    assert {(r.cohort, r.time, r.reason) for r in path.refused} == {
        (2002, 2004, "refused.no_control"),
        (2002, 2005, "refused.no_control"),
    }
    assert {"path.note.last_cohort_compares", "path.note.cells_refused"} <= set(path.notes)
    with pytest.raises(UserError, match="no_never_treated"):
        did.att_gt(_panel(starts=(2, 4)), Design(control="never"))
    with pytest.raises(UserError, match="no_not_yet_treated"):
        did.att_gt(_panel(starts=(2,)))
    with pytest.raises(UserError, match="no_treated_unit"):
        did.att_gt(_panel(starts=(NEVER,)))


def test_no_overlap_refuses_its_cells_only():
    """A cohort told apart by a covariate has no propensity score; the other cohort keeps its effects."""
    panel = _panel()
    x = panel.covariates["x"].copy()
    x[panel.cohort == 2] += 1000
    path = did.att_gt(replace(panel, covariates={"x": x}), Design(covariates=("x",)))
    assert {r.reason for r in path.refused} == {"refused.overlap"}
    assert {t.cohort for t in path.terms if t.event_time != -1} == {2004}
    flat = replace(panel, covariates={"x": np.ones((60, T))})
    with pytest.raises(UserError, match="effect_not_identified"):
        did.att_gt(flat, Design(covariates=("x",)))


def test_a_cohort_of_one_unit_has_an_effect_and_no_standard_error():
    """A single-unit cohort is never told to have zero variance."""
    panel = _panel()
    cohort = np.where(panel.cohort == 2, NEVER, panel.cohort)
    cohort[0] = 2
    path = did.att_gt(replace(panel, cohort=cohort))
    lone = [i for t, i in zip(path.terms, path.inference) if t.cohort == 2002 and t.event_time >= 0]
    assert lone and all(i.refused == "inference.refused.one_treated_cluster" for i in lone)
    assert all(i.std_error is None for i in lone)


@pytest.mark.parametrize("covariates", [(), ("x",)])
def test_noisier_treated_units_move_the_uncertainty(covariates):
    """Scaling the treated outcome's noise moves every effect's standard error."""
    panel = _panel()
    design = Design(covariates=covariates)
    y = panel.matrix().copy()
    on = panel.treated
    y[on] += 10 * np.random.default_rng(9).normal(0, 1, on.sum())
    a, b = did.att_gt(panel, design), did.att_gt(replace(panel, outcomes={"y": y}), design)
    for t, before, after in zip(a.terms, a.inference, b.inference):
        if t.event_time >= 0:
            assert after.std_error > 1.5 * before.std_error


def test_anticipation_and_selection_window_move_the_base():
    """The base is the last period before notice outside the selection window; leads before it are there."""
    path = did.att_gt(_panel(starts=(3, 4, NEVER)), Design(anticipation=1, selection_window=(2001, 2001)))
    reference = {t.cohort: t.time for t, i in zip(path.terms, path.inference) if i.rule == "reference"}
    assert reference == {2003: 2000, 2004: 2002}
    assert 2001 not in {t.time for t in path.terms}


def test_several_outcomes_share_one_covariance():
    """Rows of two outcomes are aggregated apart and are correlated through their clusters."""
    panel = _panel()
    y = panel.matrix()
    two = replace(panel, outcomes={"y": y, "z": 2 * y})
    path = did.att_gt(two, Design(outcomes=("y", "z")))
    rows = path.combine("overall")
    assert [t.outcome for t in rows.terms] == ["y", "z"]
    assert rows.estimate[1] == pytest.approx(2 * rows.estimate[0])
    assert rows.vcov[0, 1] == pytest.approx(2 * rows.vcov[0, 0])
    assert did.inference(rows, two).inference[1].std_error == pytest.approx(
        2 * did.inference(rows, two).inference[0].std_error
    )
