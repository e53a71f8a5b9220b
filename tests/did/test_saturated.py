"""Closed form of cohort × time saturated estimators against the dummy regression."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.core import NEVER
from evalkit.did import moments as moments_module
from evalkit.did.cells import within
from evalkit.did.linalg import Regression
from evalkit.did.moments import cohort_moments
from evalkit.did.parts import Part, RegressionPart
from evalkit.did.saturated import saturated

T = 6


def _data(seed: int, per_cluster: bool):
    rng = np.random.default_rng(seed)
    n = 40
    cluster = np.arange(n) if per_cluster else rng.permutation(np.r_[np.arange(12), rng.integers(0, 12, n - 12)])
    cohort = np.array([2, 4, NEVER])[rng.permutation(np.arange(n) % 3)]
    y = rng.normal(0, 1, (n, T)).cumsum(axis=1) + 50 * rng.normal(0, 1, (n, 1))
    return y, cohort, cluster


def _both(y, cohort, cluster):
    """ATT(g,t) of Sun-Abraham with never-treated reference, base g − 1: as a regression and in closed form."""
    n = len(y)
    unit, time = np.repeat(np.arange(n), T), np.tile(np.arange(T), n)
    pairs = [(g, t) for g in (2, 4) for t in range(T) if t != g - 1]
    columns = [((cohort[unit] == g) & (time == t)).astype(float) for g, t in pairs]
    x = within(np.column_stack([*columns, *(time == t for t in range(1, T))]).astype(float), unit)
    member = {g: np.isin(np.arange(cluster.max() + 1), cluster[cohort == g]) for g in (2, 4, NEVER)}
    treated, control = np.array([member[g] for g, _ in pairs]), np.array([member[NEVER]] * len(pairs))
    regression = Regression(
        x=x,
        y=within(y.reshape(-1), unit),
        root=np.ones(n * T),
        unit=unit,
        cluster=cluster[unit],
        time=time,
        n_clusters=int(cluster.max()) + 1,
        contrast=np.eye(len(pairs), x.shape[1]),
        treated=treated,
        control=control,
        n_params=x.shape[1] + 1,
    )
    load = np.zeros((3, len(pairs), T))
    for k, (g, t) in enumerate(pairs):
        for c, sign in (({2: 0, 4: 1}[g], 1.0), (2, -1.0)):
            load[c, k, t] += sign
            load[c, k, g - 1] -= sign
    sides = np.array([[g == 2, g == 4, False] for g, _ in pairs]), np.array([[False, False, True]] * len(pairs))
    return RegressionPart(regression=regression), saturated(cohort_moments(y, cohort, cluster), load, *sides)


@pytest.mark.parametrize("per_cluster", [True, False])
@pytest.mark.parametrize("rule", ["analytic", "cr1", "cr2", "cr3"])
def test_scores_equal_the_regression(rule, per_cluster):
    """Cluster scores of single effects and of averages are those of the dummy regression."""
    part, closed = _both(*_data(1, per_cluster))
    rows = np.vstack([np.eye(part.width), np.full(part.width, 1 / part.width), np.arange(part.width) - 3.0])
    np.testing.assert_allclose(closed.scores(rule, rows), part.scores(rule, rows), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("per_cluster", [True, False])
def test_facts_equal_the_regression(per_cluster):
    """Degrees of freedom, cluster counts, effective numbers and estimability are those of the dummy regression."""
    part, closed = _both(*_data(2, per_cluster))
    rows = np.vstack([np.eye(part.width), np.full(part.width, 1 / part.width), np.arange(part.width) - 3.0])
    assert isinstance(closed, Part)
    assert closed.n_clusters == part.n_clusters
    np.testing.assert_allclose(closed.df(rows), part.df(rows), rtol=1e-10)
    np.testing.assert_array_equal(closed.clusters(rows), part.clusters(rows))
    np.testing.assert_allclose(closed.effective(rows), part.effective(rows), rtol=1e-10)
    np.testing.assert_array_equal(closed.estimable(rows), part.estimable(rows))
    np.testing.assert_array_equal(closed.live(rows), part.live(rows))


@pytest.mark.parametrize("rule", ["analytic", "cr1", "cr2", "cr3"])
def test_cross_products_alone_give_the_same(rule, monkeypatch):
    """Without a list of units the covariance and degrees of freedom come from cross products and do not change."""
    y, cohort, cluster = _data(3, True)
    _, listed = _both(y, cohort, cluster)
    monkeypatch.setattr(moments_module, "LISTED", 10)
    _, alone = _both(y, cohort, cluster)
    rows = np.vstack([np.eye(listed.width), np.full(listed.width, 0.1)])
    assert alone.scores(rule, rows) is None
    np.testing.assert_allclose(alone.vcov(rule, rows), listed.vcov(rule, rows), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(alone.df(rows), listed.df(rows), rtol=1e-10)
    np.testing.assert_array_equal(alone.clusters(rows), listed.clusters(rows))
    np.testing.assert_allclose(alone.effective(rows), listed.effective(rows), rtol=1e-10)


def test_many_types_of_clusters_take_the_short_way(monkeypatch):
    """Γ written out and by its cross products give the same degrees of freedom."""
    _, closed = _both(*_data(4, False))
    rows = np.vstack([np.eye(closed.width), np.full(closed.width, 0.1)])
    full = closed.df(rows)
    monkeypatch.setattr("evalkit.did.linalg.EXPLICIT", 1)
    np.testing.assert_allclose(closed.df(rows), full, rtol=1e-9)


def test_units_alone_have_the_classical_formula():
    """With every unit its own cluster df = (Σ v)² / Σ v²/(n − 1), v = |ℓ|²/n by cohort."""
    y, cohort, cluster = _data(5, True)
    part, closed = _both(y, cohort, cluster)
    n = closed.moments.n
    v = 2 / n[[0, 2]]
    assert closed.df(np.eye(part.width)[:1])[0] == pytest.approx(v.sum() ** 2 / (v**2 / (n[[0, 2]] - 1)).sum())


def test_a_cohort_in_one_cluster_is_not_estimable_without_it():
    """Both ways say that the effects of a cohort that sits in one cluster hang on that cluster."""
    y, cohort, cluster = _data(6, False)
    cohort = np.where(cluster == 0, 2, np.where(cohort == 2, 4, cohort))
    part, closed = _both(y, cohort, cluster)
    rows = np.eye(part.width)
    assert not closed.estimable(rows).all()
    np.testing.assert_array_equal(closed.estimable(rows), part.estimable(rows))


def test_moments_survive_a_high_level():
    """A level of a million costs no digits of the cross product."""
    y, cohort, cluster = _data(7, True)
    low, high = cohort_moments(y, cohort, cluster), cohort_moments(y + 1e6, cohort, cluster)
    np.testing.assert_allclose(high.cross, low.cross, rtol=1e-6)
    for c, label in enumerate(low.cohorts):
        centred = y[cohort == label] - y[cohort == label].mean(axis=0)
        np.testing.assert_allclose(low.cross[c], centred.T @ centred, rtol=1e-10)
