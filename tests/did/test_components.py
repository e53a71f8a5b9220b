"""Error components behind the degrees of freedom of counts whose units nest in clusters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit.core import NEVER, Design
from evalkit.did.components import CellSums, components, working_gram
from evalkit.did.inference import fit_path
from evalkit.did.linalg import satterthwaite
from evalkit.did.parts import part_of
from evalkit.did.registry import fit_of


@pytest.fixture
def batches(make_panel):
    """Factory: 12 batches, half of them treated; sizes of firms log-normal, standard deviation `skew` of logs."""

    def build(seed=1, skew=1.8, firms=12, t=10, groups=12):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(groups), firms)
        cohort = np.where(cluster % 2 == 0, 5, NEVER)
        exposure = np.repeat(rng.lognormal(1, skew, (len(cluster), 1)), t, axis=1)
        y = rng.poisson(exposure * np.exp(0.1 * rng.normal(size=(groups, t)))[cluster])
        return make_panel({"cases": y.astype(float)}, cohort, cluster=cluster, exposure=exposure)

    return build


def _parts(panel, name="ppml"):
    part = part_of(fit_of(name, panel, Design()).sources[0])
    rows = np.eye(part.width)
    return part, part.df(rows), satterthwaite(part.system, part.contrast(rows), part.weights)


def test_moments_recover_the_components():
    """Averaged over draws, τ² and ω² of known shocks and Poisson-like noise come back."""
    rng, shared, own = np.random.default_rng(5), 0.04, 0.02
    groups, t, n = 10, 12, 8
    mu = rng.lognormal(1.5, 1, (groups, n, t))
    found = []
    for _ in range(400):
        error = rng.normal(0, np.sqrt(shared), (groups, 1, t)) + rng.normal(0, np.sqrt(own), (groups, n, t))
        e = mu * (error + rng.normal(size=mu.shape) / np.sqrt(mu))
        sums = CellSums(
            residual=e.sum(axis=1),
            weight=mu.sum(axis=1),
            residual_square=float((e**2).sum()),
            weight_square=float((mu**2).sum()),
        )
        c = components(sums)
        found.append((c.shared, c.own))
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    assert np.all(np.abs(mean - (shared, own)) < 4 * error)


def test_working_covariance_is_the_written_out_one(batches):
    """X_g'W_gX_g equals the product with W written out cell by cell from the two variances and 1/μ."""
    regression = fit_of("ppml", batches(), Design()).regressions[0]
    part = part_of(regression)
    system, r = part.system, regression
    x, time = r.x / system.scale, np.unique(r.time, return_inverse=True)[1]
    e = r.root * (r.y - x @ system.beta)
    sums = {}
    for g, t, i in zip(r.cluster, time, range(len(e))):
        sums.setdefault((g, t), []).append(i)
    mu = r.root**2
    pairs = sum(mu[k].sum() ** 2 - (mu[k] ** 2).sum() for k in sums.values())
    shared = max(0.0, sum(e[k].sum() ** 2 - (e[k] ** 2).sum() for k in sums.values()) / pairs)
    own = max(0.0, ((e**2).sum() - mu.sum()) / (mu**2).sum() - shared)
    for g in range(r.n_clusters):
        at = np.flatnonzero(r.cluster == g)
        together = time[at][:, None] == time[at][None, :]
        w = shared * together + np.diag(own + 1 / mu[at])
        scaled = x[at] * r.root[at, None]
        np.testing.assert_allclose(part.working[g], scaled.T @ w @ scaled, rtol=1e-9, atol=1e-9)


def test_largest_firms_no_longer_set_the_degrees_of_freedom(batches):
    """With sizes over orders of magnitude components give more degrees of freedom than the identity, below G − 1."""
    for seed in range(4):
        _, df, identity = _parts(batches(seed=seed))
        assert identity[0] < df[0] < 11


def test_equal_firms_need_no_components(batches):
    """Firms of one size: which response is noisier does not matter, both working covariances nearly agree."""
    _, df, identity = _parts(batches(skew=0.0))
    assert df[0] == pytest.approx(identity[0], rel=0.05)


@pytest.mark.parametrize("name", ["ppml", "etwfe_poisson"])
def test_degrees_of_freedom_ignore_the_unit_of_exposure(batches, name):
    """Exposure in months instead of years changes no degrees of freedom."""
    panel = batches()
    moved = replace(panel, exposure=12 * panel.exposure)
    np.testing.assert_allclose(_parts(panel, name)[1], _parts(moved, name)[1], rtol=1e-7)


def test_one_unit_a_cluster_keeps_the_identity(count_panel, batches):
    """Cities: a cluster is one unit, shock and unit can't be told apart, the identity on the response stands."""
    part, df, identity = _parts(count_panel())
    assert part.working is None
    np.testing.assert_array_equal(df, identity)
    assert fit_path("ppml", count_panel(), Design()).inference[0].extra["working"] == "inference.note.working_response"
    assert fit_path("ppml", batches(), Design()).inference[0].extra["working"] == "inference.note.working_components"


def test_linear_models_keep_the_identity(batches):
    """No noise of known size: firms in batches under a linear model keep the identity."""
    assert part_of(fit_of("twfe", batches(), Design()).sources[0]).working is None


def test_models_without_unit_effects_keep_the_identity(batches):
    """Cohort dummies leave the level of each unit in the error: no components without it."""
    regression = fit_of("etwfe_poisson_cohort", batches(), Design()).regressions[0]
    assert working_gram(regression, part_of(regression).system) is None
