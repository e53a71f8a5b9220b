"""Imputation and two-stage: unbalanced panels, weights and covariates against plain algebra; leads; large panels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design
from evalkit.did import reader
from evalkit.did.inference import fit_path
from evalkit.did.influence import drop_cluster


def panel_of(make_panel, *, n=36, t=7, seed=2, holes=True, weights=True, covariate=True, clusters=None):
    rng = np.random.default_rng(seed)
    cluster = np.arange(n) if clusters is None else np.arange(n) % clusters
    cohort = np.array([3, 4, 5, NEVER])[(np.arange(n) if clusters is None else cluster) % 4]
    x = rng.normal(0, 1, (n, t))
    on = np.arange(t)[None] >= cohort[:, None]
    y = rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, t) + rng.normal(0, 0.5, (n, t)) + 0.7 * x + on
    if holes:
        y[rng.random((n, t)) < 0.1] = np.nan
    fields = {"weight": rng.uniform(0.5, 2, (n, t))} if weights else {}
    if covariate:
        fields["covariates"] = {"x": x}
    return make_panel({"y": y}, cohort, cluster=cluster, **fields)


def plain(panel, covariates):
    """Effects by cell and their influence weights from dummies written out."""
    y = panel.matrix()
    unit, time = np.nonzero(np.isfinite(y))
    n, t = y.shape
    w = np.ones(len(unit)) if panel.weight is None else panel.weight[unit, time]
    z = np.zeros((len(unit), n + t))
    z[np.arange(len(unit)), unit] = 1
    z[np.arange(len(unit)), n + time] = 1
    z = np.column_stack([z, *(panel.covariates[c][unit, time] for c in covariates)])
    treated = time >= panel.cohort[unit]
    w0 = np.where(treated, 0, w)
    bread = np.linalg.pinv(z.T @ (w0[:, None] * z))
    e = y[unit, time] - z @ (bread @ (z.T @ (w0 * y[unit, time])))
    cells = {}
    for g in np.unique(panel.cohort[panel.cohort < t]):
        for s in range(g, t):
            on = (panel.cohort[unit] == g) & (time == s)
            own = np.where(on, w, 0) / w[on].sum()
            v = own - w0 * (z @ (bread @ (z.T @ own)))
            centre = (w[on] ** 2 @ e[on]) / (w[on] ** 2).sum()
            psi = v * np.where(on, e - centre, np.where(treated, 0, e))
            scores = np.bincount(panel.cluster[unit], psi, minlength=panel.cluster.max() + 1)
            cells[2000 + g, 2000 + s] = (own @ e, scores)
    return cells


@pytest.mark.parametrize("covariates", [(), ("x",)])
@pytest.mark.parametrize("clusters", [None, 12])
def test_unbalanced_weighted_imputation_equals_dummies_written_out(make_panel, covariates, clusters):
    """Estimates and the published covariance, joint over all cells, by cluster."""
    panel = panel_of(make_panel, clusters=clusters)
    path = did.imputation(panel, Design(rule="analytic", covariates=covariates))
    cells = plain(panel, covariates)
    wanted = [cells[t.cohort, t.time] for t in path.terms]
    np.testing.assert_allclose(path.estimate, [w[0] for w in wanted], rtol=1e-9, atol=1e-11)
    scores = np.column_stack([w[1] for w in wanted])
    np.testing.assert_allclose(path.vcov, scores.T @ scores, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("name", ["imputation", "two_stage"])
@pytest.mark.parametrize("covariates", [(), ("x",)])
def test_jackknife_is_a_true_refit(make_panel, name, covariates):
    """CR3 = √((G−1)/G) times the root sum of squares of the re-fits' differences."""
    panel = panel_of(make_panel, clusters=12)
    design = Design(rule="cr3", covariates=covariates)
    path = fit_path(name, panel, design)
    left = [fit_path(name, drop_cluster(panel, g), replace(design, rule="analytic")).estimate for g in range(12)]
    wanted = np.sqrt(11 / 12 * ((path.estimate - np.array(left)) ** 2).sum(axis=0))
    np.testing.assert_allclose(path.std_error, wanted, rtol=1e-8)


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("name", ["imputation", "two_stage"])
def test_panels_too_large_to_list_give_the_same_covariance(monkeypatch, make_panel, name, holes):
    """Cross products of units equal listed clusters: published rule exactly, jackknife to the order of one unit."""
    panel = panel_of(make_panel, n=240, holes=holes, weights=holes, covariate=False)
    listed = {rule: fit_path(name, panel, Design(rule=rule)) for rule in ("analytic", "cr1", "cr3")}
    monkeypatch.setattr(reader, "LISTED", 0)
    monkeypatch.setattr("evalkit.did.moments.LISTED", 0)
    for rule, path in listed.items():
        crossed = fit_path(name, panel, Design(rule=rule))
        tolerance = (1e-2 if holes else 1e-3) if rule == "cr3" else 1e-9
        for axis in (None, "event_time", "overall"):
            a, b = (p if axis is None else p.combine(axis) for p in (path, crossed))
            np.testing.assert_allclose(b.estimate, a.estimate, rtol=1e-10)
            np.testing.assert_allclose(b.std_error, a.std_error, rtol=tolerance)
        for a, b in zip(path.inference, crossed.inference):
            if a.df is not None:
                assert b.df == pytest.approx(a.df, rel=0.25 if holes else 1e-6)


def test_balanced_panels_by_moments_equal_the_blocks(monkeypatch, make_panel):
    """The closed form of a complete panel is the general path."""
    panel = panel_of(make_panel, holes=False, weights=False, covariate=False, clusters=9)
    fast = {rule: did.imputation(panel, Design(rule=rule)) for rule in ("analytic", "cr3")}
    weighted = replace(panel, weight=np.ones((36, 7)))
    for rule, path in fast.items():
        slow = did.imputation(weighted, Design(rule=rule))
        np.testing.assert_allclose(path.estimate, slow.estimate, rtol=1e-10)
        np.testing.assert_allclose(path.vcov, slow.vcov, rtol=1e-8, atol=1e-14)


def test_leads_are_a_regression_of_their_own(make_panel):
    """Window (−2, ·): two lead rows beside unchanged effects, jointly with them; a trend in anticipation shows."""
    panel = panel_of(make_panel, holes=False, weights=False, covariate=False)
    y = panel.matrix() + 2.0 * (np.arange(7)[None] == panel.cohort[:, None] - 1)
    panel = replace(panel, outcomes={"y": y})
    path = did.imputation(panel, Design(window=(-2, 6)))
    leads = {t.event_time: e for t, e in zip(path.terms, path.estimate) if t.event_time < 0}
    assert set(leads) == {-2, -1}
    assert leads[-1] > 1
    assert "path.note.imputation_leads" in path.notes
    bare = did.imputation(panel)
    np.testing.assert_allclose(path.select(lambda t: t.event_time >= 0).estimate, bare.estimate, rtol=1e-12)
    first = next(i for i, t in enumerate(path.terms) if t.event_time == -1)
    assert abs(path.vcov[first, 0]) > 0
    assert "path.note.two_stage_leads" in did.two_stage(panel, Design(window=(-2, 6))).notes


def test_cells_without_a_comparison_are_refused(make_panel):
    """Units seen only under treatment tell nothing: a cohort of such units is refused with the reason, the rest is as
    without it, down to the degrees of freedom.
    """
    panel = panel_of(make_panel, holes=False, weights=False, covariate=False)
    y = panel.matrix().copy()
    y[panel.cohort == 3, :3] = np.nan
    path = did.imputation(replace(panel, outcomes={"y": y}))
    assert all(t.cohort != 2003 for t in path.terms)
    assert {(r.cohort, r.reason) for r in path.refused} == {(2003, "refused.no_untreated_cell")}
    full = did.imputation(replace(panel, outcomes={"y": panel.matrix()[panel.cohort != 3]}, **_without(panel)))
    np.testing.assert_allclose(path.estimate, full.estimate, rtol=1e-9)
    np.testing.assert_allclose([i.df for i in path.inference], [i.df for i in full.inference], rtol=1e-9)


def _without(panel):
    keep = panel.cohort != 3
    return {
        "units": tuple(u for u, k in zip(panel.units, keep) if k),
        "cohort": panel.cohort[keep],
        "cluster": np.arange(int(keep.sum())),
    }


def test_explicit_never_treated_control_is_noted(make_panel):
    """Every untreated cell compares whatever control is asked for."""
    panel = panel_of(make_panel, weights=False, covariate=False)
    assert "path.note.all_untreated_compare" in did.imputation(panel, Design(control="never")).notes
    assert "path.note.all_untreated_compare" not in did.imputation(panel).notes


def test_two_stage_aggregates_carry_the_error_of_their_weights(make_panel):
    """The published variance of an aggregate adds that of the cells' sizes: it is not that of fixed weights."""
    panel = panel_of(make_panel, holes=False, weights=False, covariate=False, clusters=12)
    gmm = did.two_stage(panel, Design(rule="analytic")).combine("overall").std_error[0]
    fixed = did.imputation(panel, Design(rule="analytic")).combine("overall").std_error[0]
    assert gmm != pytest.approx(fixed, rel=1e-6)


def test_units_seen_under_treatment_only_are_noted(linear_panel):
    """A unit without an observed baseline changes no estimate, and the path says that it was left out."""
    panel = linear_panel(n=12, starts=(4,), treated=5)
    y = panel.matrix().copy()
    y[0, :4] = np.nan
    path = did.imputation(replace(panel, outcomes={"y": y}))
    assert "path.note.always_treated" in path.notes
    y[0] = np.nan
    np.testing.assert_allclose(path.estimate, did.imputation(replace(panel, outcomes={"y": y})).estimate, atol=1e-9)
    assert "path.note.always_treated" not in did.imputation(panel).notes
