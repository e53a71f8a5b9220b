"""Two-way fixed effects from cohort sums against the same problem as a regression on all cells."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, Panel, UserError
from evalkit.did import moments
from evalkit.did.facts import facts_of, shares_of
from evalkit.did.grouped import GroupedPart
from evalkit.did.registry import fit_of

T = 7
twfe = import_module("evalkit.did.twfe")


def _panel(clusters: int | None, starts=(3, 4, NEVER), n: int = 48) -> Panel:
    rng = np.random.default_rng(11)
    cluster = np.arange(n) if clusters is None else rng.permutation(np.arange(n) % clusters)
    cohort = np.array(starts)[rng.permutation(np.arange(n) % len(starts))]
    y = 20 * rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, (n, T)).cumsum(axis=1)
    return Panel(
        units=tuple(f"u{i}" for i in range(n)),
        times=tuple(range(2000, 2000 + T)),
        outcomes={"y": y},
        cohort=cohort,
        cluster=cluster,
        cluster_names=tuple(f"c{g}" for g in range(int(cluster.max()) + 1)),
    )


DESIGNS = {
    "plain": Design(),
    "not_yet": Design(control="not_yet"),
    "anticipation": Design(anticipation=1),
    "selection": Design(selection_window=(2001, 2001)),
    "window": Design(window=(-2, 2)),
}


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("clusters", [None, 12])
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("method", ["twfe", "event_study"])
def test_cohort_sums_give_the_regression(method, design, clusters, listed, monkeypatch):
    """Estimates, terms, covariance by every rule, degrees of freedom and facts agree to 1e-10."""
    panel, asked = _panel(clusters), DESIGNS[design]
    full = fit_of(method, panel, asked)
    monkeypatch.setattr(twfe, "GROUPED", 5)
    monkeypatch.setattr(moments, "LISTED", 1000 if listed else 5)
    small = fit_of(method, panel, asked)
    assert isinstance(small.sources[0], GroupedPart) and full.regressions
    np.testing.assert_allclose(small.path.estimate, full.path.estimate, rtol=1e-10, atol=1e-11)
    assert small.path.terms == full.path.terms
    assert small.path.notes == full.path.notes
    rows = np.eye(len(full.path))
    a, b = shares_of(full, rows), shares_of(small, rows)
    for rule in ("analytic", "cr1", "cr2", "cr3"):
        wanted, found = a[0].part.vcov(rule, rows), b[0].part.vcov(rule, rows)
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10 * np.abs(wanted).max())
    one, two = facts_of(full.path, a), facts_of(small.path, b)
    for name in ("treated", "control", "estimable", "reference", "n_clusters"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    np.testing.assert_allclose(two.df, one.df, rtol=1e-8)
    np.testing.assert_allclose(two.effective, one.effective, rtol=1e-8)
    assert (b[0].part.scores("cr3", rows) is None) == (clusters is None and not listed)


def test_scores_by_cluster_equal_the_regression(monkeypatch):
    """Listed clusters have the regression's scores, so that gaps and bands are the same."""
    panel = _panel(12)
    full = did.event_study(panel)
    monkeypatch.setattr(twfe, "GROUPED", 5)
    small = did.event_study(panel)
    np.testing.assert_allclose(small.scores, full.scores, rtol=1e-9, atol=1e-11)
    for a, b in zip(full.inference, small.inference):
        assert (a.rule, a.refused) == (b.rule, b.refused)
        assert a.conf_low == pytest.approx(b.conf_low, rel=1e-8) if a.conf_low is not None else b.conf_low is None


def test_a_hole_or_a_weight_keeps_the_regression(monkeypatch):
    """Missing cells and weights are not described by cohort sums."""
    monkeypatch.setattr(twfe, "GROUPED", 5)
    panel = _panel(None)
    y = panel.matrix().copy()
    y[0, 0] = np.nan
    assert fit_of("twfe", replace(panel, outcomes={"y": y}), Design()).regressions
    assert fit_of("twfe", replace(panel, weight=np.ones((48, T))), Design()).regressions


@pytest.mark.parametrize("clusters", [None, 12])
@pytest.mark.parametrize("method", ["twfe", "event_study"])
def test_demeaned_in_blocks_gives_the_regression(method, clusters, monkeypatch):
    """With covariates: estimates, cr1 and the true jackknife to 1e-8; degrees of freedom close."""
    panel = _panel(clusters, n=120)
    rng = np.random.default_rng(2)
    panel = replace(panel, covariates={name: rng.normal(0, 1, (120, T)).cumsum(axis=1) for name in ("x", "z")})
    design = Design(covariates=("x", "z"))
    full = fit_of(method, panel, design)
    monkeypatch.setattr(twfe, "GROUPED", 5)
    monkeypatch.setattr(import_module("evalkit.did.demeaned"), "BLOCK", 50)
    small = fit_of(method, panel, design)
    assert full.regressions and not small.regressions
    np.testing.assert_allclose(small.path.estimate, full.path.estimate, rtol=1e-10, atol=1e-11)
    assert small.path.terms == full.path.terms
    rows = np.eye(len(full.path))
    a, b = shares_of(full, rows), shares_of(small, rows)
    for rule in ("analytic", "cr1", "cr3"):
        wanted, found = a[0].part.vcov(rule, rows), b[0].part.vcov(rule, rows)
        np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-10 * np.abs(wanted).max())
    one, two = facts_of(full.path, a), facts_of(small.path, b)
    for name in ("treated", "control", "estimable", "reference", "n_clusters"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    live = ~one.reference
    np.testing.assert_allclose(two.df[live], one.df[live], rtol=0.35 if clusters else 0.1)


def test_collinear_covariates_are_refused_in_blocks(monkeypatch):
    """A covariate that is constant within units, or repeats another, is named in blocks too."""
    monkeypatch.setattr(twfe, "GROUPED", 5)
    panel = _panel(None)
    x = np.random.default_rng(1).normal(0, 1, (48, T))
    fixed = np.repeat(x[:, :1], T, axis=1)
    for covariates in ({"x": fixed}, {"x": x, "z": 2 * x + fixed}, {"x": panel.treated.astype(float)}):
        with pytest.raises(UserError, match="collinear_covariates"):
            did.twfe(replace(panel, covariates=covariates), Design(covariates=tuple(covariates)))
