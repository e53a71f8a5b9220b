"""Cluster algebra against brute force on full matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit.core import UserError
from evalkit.did import linalg, parts
from evalkit.did.cells import within


@pytest.fixture
def data():
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(7), [3, 4, 5, 6, 3, 8, 5])
    x = np.column_stack([rng.normal(size=len(cluster)), rng.normal(size=len(cluster)), np.ones(len(cluster))])
    weight = rng.uniform(0.3, 3, len(cluster))
    return x, x @ [1.0, -0.5, 2.0] + rng.normal(size=len(cluster)), cluster, weight


def _full(x, y, cluster):
    bread = np.linalg.inv(x.T @ x)
    residual = y - x @ (bread @ (x.T @ y))
    rows = [np.flatnonzero(cluster == g) for g in np.unique(cluster)]
    return bread, residual, rows


def _adjustment(x, bread, rows):
    values, vectors = np.linalg.eigh(np.eye(len(rows)) - x[rows] @ bread @ x[rows].T)
    return (vectors / np.sqrt(values)) @ vectors.T


def test_cr2_equals_the_inverse_root_of_each_clusters_residual_maker(data, plain, standard_errors):
    """CR2 by p × p eigenvalues equals (I − H_gg)^(−½) applied to the residuals of every cluster."""
    x, y, cluster, _ = data
    bread, residual, rows = _full(x, y, cluster)
    scores = np.array([bread @ x[r].T @ _adjustment(x, bread, r) @ residual[r] for r in rows])
    found = standard_errors(linalg.cluster_system(plain(x, y, cluster)), linalg.cr2_influence)
    np.testing.assert_allclose(found, np.sqrt((scores**2).sum(axis=0)), rtol=1e-10)


def test_cr3_is_the_true_leave_one_cluster_out_jackknife(data, plain, standard_errors):
    """CR3 equals √((G−1)/G Σ (β₍₋g₎ − β)²) from actual re-fits, weights included."""
    x, y, cluster, weight = data
    root = np.sqrt(weight)[:, None]
    whole = np.linalg.lstsq(x * root, y * root[:, 0], rcond=None)[0]
    without = []
    for g in range(7):
        keep = cluster != g
        without.append(np.linalg.lstsq((x * root)[keep], (y * root[:, 0])[keep], rcond=None)[0])
    expected = np.sqrt(6 / 7 * ((np.array(without) - whole) ** 2).sum(axis=0))
    found = standard_errors(linalg.cluster_system(plain(x, y, cluster, weight)), linalg.cr3_influence)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("working", ["response", "weight", "shared"])
def test_satterthwaite_equals_the_eigenvalue_formula_on_full_matrices(data, plain, working):
    """df = (Σλ)²/Σλ² of G'ΩG with G the n × n loadings of the CR2 scores and Ω the working covariance."""
    x, y, cluster, weight = data
    root = np.sqrt(weight)
    xt = x * root[:, None]
    bread, _, rows = _full(xt, y * root, cluster)
    maker = np.eye(len(y)) - xt @ bread @ xt.T
    time = np.concatenate([np.arange(n) // 2 for n in (3, 4, 5, 6, 3, 8, 5)])
    same = (cluster[:, None] == cluster) & (time[:, None] == time)
    omega = {"response": np.diag(weight), "weight": np.eye(len(y)), "shared": np.outer(root, root) * same}[working]
    expected = []
    for c in np.eye(3):
        load = np.zeros((len(y), len(rows)))
        for g, r in enumerate(rows):
            load[:, g] = maker[:, r] @ _adjustment(xt, bread, r) @ xt[r] @ bread @ c
        gamma = load.T @ omega @ load
        expected.append(np.trace(gamma) ** 2 / (gamma**2).sum())
    regression = replace(plain(x, y, cluster, weight), time=time)
    system = linalg.cluster_system(regression)
    gram = {"response": None, "weight": system.gram, "shared": linalg.shared_gram(regression, system)}[working]
    found = linalg.satterthwaite(system, np.eye(3), working=gram)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_absorbing_nested_effects_changes_nothing(data, plain, standard_errors):
    """CR1 (same K), CR2 and the degrees of freedom agree between unit dummies and the within transformation."""
    x, y, cluster, _ = data
    dummies = (cluster[:, None] == np.arange(7)).astype(float)
    whole = linalg.cluster_system(plain(np.column_stack([x[:, :2], dummies]), y, cluster, n_params=2))
    inner = linalg.cluster_system(plain(within(x[:, :2], cluster), within(y, cluster), cluster))
    for rule in (linalg.cr1_influence, linalg.cr2_influence):
        np.testing.assert_allclose(
            standard_errors(whole, rule)[:2], standard_errors(inner, rule), rtol=1e-8, err_msg=rule.__name__
        )
    np.testing.assert_allclose(
        linalg.satterthwaite(whole, np.eye(9)[:2]), linalg.satterthwaite(inner, np.eye(2)), rtol=1e-7
    )


def test_a_column_that_one_cluster_carries_is_not_estimable_without_it(plain):
    """`estimable_without` is False exactly for the cluster that alone identifies a contrast."""
    cluster = np.repeat(np.arange(4), 3)
    x = np.column_stack([np.ones(12), (cluster == 2) * np.tile([0.0, 1.0, 2.0], 4)])
    system = linalg.cluster_system(plain(x, np.arange(12.0), cluster))
    found = linalg.estimable_without(system, np.eye(2))
    assert found[:, 0].all()
    assert found[:, 1].tolist() == [True, True, False, True]


def test_units_of_column_do_not_matter(data, plain, standard_errors):
    """Measuring a regressor in units a million times smaller scales its standard error and leaves df alone."""
    x, y, cluster, _ = data
    small = linalg.cluster_system(plain(x * [1e6, 1, 1], y, cluster))
    usual = linalg.cluster_system(plain(x, y, cluster))
    found = standard_errors(small, linalg.cr3_influence) * [1e6, 1, 1]
    np.testing.assert_allclose(found, standard_errors(usual, linalg.cr3_influence), rtol=1e-9)
    np.testing.assert_allclose(linalg.satterthwaite(small, np.eye(3)), linalg.satterthwaite(usual, np.eye(3)))


def test_unit_in_two_clusters_is_refused(data, plain):
    """Unit effects can only be absorbed where every unit lies in one cluster."""
    x, y, cluster, _ = data
    with pytest.raises(UserError, match="unit_in_two_clusters"):
        linalg.cluster_system(plain(x, y, cluster, unit=np.arange(len(y)) // 2))


def test_effective_number_counts_equal_clusters_as_they_are(plain):
    """Equal clusters give their number; one giant among dwarfs gives about one."""
    cluster = np.repeat(np.arange(6), 4)
    x = np.tile([[1.0], [-1.0]], (12, 1))
    system = linalg.cluster_system(plain(x, x[:, 0], cluster))
    everyone = np.ones(6, dtype=bool)
    assert linalg.effective_number(system, np.ones(1), everyone) == pytest.approx(6)
    big = np.where(cluster == 0, 1e4, 1.0)
    system = linalg.cluster_system(plain(x, x[:, 0], cluster, big))
    assert linalg.effective_number(system, np.ones(1), everyone) == pytest.approx(1, abs=0.01)


def test_adjustments_by_series_equal_those_by_eigenvalues(data, plain):
    """Contrasts left out of, or adjusted for, a cluster: the same to 1e-12 by series, a heavy cluster included."""
    x, y, cluster, weight = data
    x = np.column_stack([x, 1.0 * (cluster == 2) + 0.1 * x[:, 0]])
    system = linalg.cluster_system(plain(x, y, cluster, weight))
    assert linalg.heavy_clusters(system).any() and not linalg.heavy_clusters(system).all()
    c = np.eye(4)[:2]
    np.testing.assert_allclose(linalg.leave_out_loads(system, c), c @ linalg.leave_out(system), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(linalg.cr2_loads(system, c), c @ linalg.cr2_weights(system), rtol=1e-12, atol=1e-13)


def test_many_clusters_are_answered_as_few_are(data, plain, monkeypatch):
    """Scores, degrees of freedom and what stays identified do not depend on which way the algebra goes."""
    x, y, cluster, weight = data
    x = np.column_stack([x, 1.0 * (cluster == 2)])
    regression = replace(plain(x, y, cluster, weight), contrast=np.eye(4))
    few, rows = parts.RegressionPart(regression=regression), np.eye(4)
    told = {rule: few.scores(rule, rows) for rule in parts.RULES}, few.df(rows), few.estimable(rows)
    monkeypatch.setattr(parts, "MANY", 0)
    many = parts.RegressionPart(regression=regression)
    for rule, scores in told[0].items():
        np.testing.assert_allclose(many.scores(rule, rows), scores, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(many.df(rows), told[1], rtol=1e-10)
    assert many.estimable(rows).tolist() == told[2].tolist() == [True, True, True, False]
    np.testing.assert_allclose(many.without(rows[0]), few.inverses @ rows[0], rtol=1e-10, atol=1e-12)
