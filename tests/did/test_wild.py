"""The wild cluster bootstrap: closed forms against explicit samples, exact enumeration against draws, inversion."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from evalkit.core import Design
from evalkit.did import cluster_draws, wild, wild_forms
from evalkit.did.joint import joint_test
from evalkit.did.linalg import cluster_system, satterthwaite
from evalkit.did.parts import RegressionPart
from evalkit.did.registry import ESTIMATORS


@pytest.fixture
def regression(plain):
    """60 rows in 7 unequal clusters, three regressors."""
    rng = np.random.default_rng(3)
    cluster = np.repeat(np.arange(7), [4, 6, 8, 9, 10, 11, 12])
    x = np.column_stack([np.ones(60), rng.normal(size=60) + cluster % 3, rng.normal(size=60)])
    y = x @ [1, 0.4, -0.2] + rng.normal(size=60) + rng.normal(size=7)[cluster]
    return plain(x, y, cluster)


def _explicit(r, kind, restricted, null):
    """p by building every bootstrap sample and solving it from scratch."""
    x, y, g = r.x, r.y, r.cluster
    c = np.eye(x.shape[1])[1]
    sets = [g == k for k in range(r.n_clusters)]

    def ols(x, y):
        return np.linalg.lstsq(x, y, rcond=None)[0]

    def restricted_fit(keep):
        rest = np.delete(x[keep], 1, axis=1)
        return np.insert(ols(rest, y[keep] - null * x[keep, 1]), 1, null)

    def statistic(response, centre):
        beta = ols(x, response)
        if kind[1] == "1":
            bread = np.linalg.inv(x.T @ x)
            score = [c @ bread @ x[s].T @ (response - x @ beta)[s] for s in sets]
        else:
            score = [c @ (ols(x[~s], response[~s]) - beta) for s in sets]
        return abs(c @ beta - centre) / np.sqrt(np.sum(np.square(score)))

    everyone = np.ones(len(y), dtype=bool)
    fitted = x @ (restricted_fit(everyone) if restricted else ols(x, y))
    e = y - fitted
    if kind[0] == "3":
        for s in sets:
            e[s] = (y - x @ (restricted_fit(~s) if restricted else ols(x[~s], y[~s])))[s]
    centre = null if restricted else c @ ols(x, y)
    drawn = [statistic(fitted + np.array(v)[g] * e, centre) for v in product([1.0, -1.0], repeat=r.n_clusters)]
    return float(np.mean(np.array(drawn) >= statistic(y, null) * (1 - 1e-9)))


@pytest.mark.parametrize("kind", ["11", "13", "31", "33"])
@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("null", [0.0, 0.35])
def test_enumeration_equals_explicit_bootstrap_samples(regression, kind, restricted, null):
    """Every kind, both sets of residuals: p of the closed forms = p of 2^7 samples solved one by one."""
    found = wild.bootstrap(
        cluster_system(regression),
        np.eye(3)[1],
        kind=kind,
        null_imposed=restricted,
        weights="rademacher",
        null=null,
        level=None,
    )
    assert found.draws == 128
    assert found.p_value == pytest.approx(_explicit(regression, kind, restricted, null), abs=1e-12)


@pytest.mark.parametrize("kind", ["11", "33"])
def test_draws_agree_with_enumeration(regression, kind):
    """Drawn Rademacher weights give the enumerated p within Monte Carlo error, at several null values."""
    system = cluster_system(regression)
    f = wild_forms.forms(system, np.eye(3)[1] / system.scale, kind, True)
    sample = wild_forms.drawn(f, "rademacher", 40_000, 1)
    for gap in (0.05, 0.3, -0.6):
        assert sample.share(gap) == pytest.approx(wild_forms.enumerated_share(f, gap), abs=0.012)


@pytest.mark.parametrize("weights", ["webb", "normal"])
def test_other_weights_have_the_same_null_moments(regression, weights):
    """Weights of mean 0 and variance 1; p from them is near the enumerated one and reproducible by seed."""
    v = wild_forms.weights(np.random.default_rng(1), weights, 4_000, 7)
    assert abs(v.mean()) < 0.02
    assert v.var() == pytest.approx(1, abs=0.03)
    system = cluster_system(regression)
    a, b = (wild.bootstrap(system, np.eye(3)[1], weights=weights, seed=2, level=None) for _ in range(2))
    assert a.p_value == b.p_value
    exact = wild.bootstrap(system, np.eye(3)[1], weights="rademacher", level=None)
    assert a.p_value == pytest.approx(exact.p_value, abs=0.08)


def test_21_clusters_are_enumerated_and_22_drawn(linear_panel):
    """The automatic choice: all 2^21 signs for 21 clusters, draws for 22, Webb's six points for 9."""
    for g, draws, weights in ((21, 2**21, "rademacher"), (22, 10_000, "rademacher"), (9, 10_000, "webb")):
        r = ESTIMATORS["twfe"](linear_panel(n=g), Design()).regressions[0]
        found = wild.bootstrap(cluster_system(r), r.contrast[0], level=None)
        assert (found.draws, found.weights) == (draws, weights)
        assert found.enumerated == (g == 21)


def test_interval_is_where_p_crosses_the_level(linear_panel):
    """Just inside either end p exceeds 5 %, just outside it does not; one-sided p are half and its complement."""
    r = ESTIMATORS["twfe"](linear_panel(n=14), Design()).regressions[0]
    system = cluster_system(r)
    found = wild.bootstrap(system, r.contrast[0])
    step = 1e-4 * (found.conf_high - found.conf_low)
    for end, inward in ((found.conf_low, step), (found.conf_high, -step)):
        inside, outside = (
            wild.bootstrap(system, r.contrast[0], null=end + d, level=None).p_value for d in (inward, -inward)
        )
        assert outside <= 0.05 < inside
    assert sum(found.tails) == pytest.approx(1)
    assert min(found.tails) == pytest.approx(found.p_value / 2)


def test_cluster_draws_of_one_regressor_are_the_wild_bootstrap(plain):
    """A regression without nuisance terms: draws of its scores under the null give the restricted bootstrap exactly."""
    rng = np.random.default_rng(5)
    cluster = np.repeat(np.arange(11), 5)
    x = rng.normal(size=(55, 1)) + (cluster % 4)[:, None]
    r = plain(x, 0.15 * x[:, 0] + rng.normal(size=55) + rng.normal(size=11)[cluster], cluster)
    system = cluster_system(r)
    m = system.bread[:, 0] / system.scale[0]
    leverage = np.einsum("i,gij,j->g", system.bread[0], system.gram, system.bread[:, 0])
    found = cluster_draws.bootstrap(
        float(system.beta[0] / system.scale[0]), system.score @ m, leverage / leverage.sum()
    )
    expected = wild.bootstrap(system, np.ones(1))
    assert found.p_value == pytest.approx(expected.p_value, abs=1e-12)
    assert (found.conf_low, found.conf_high) == pytest.approx((expected.conf_low, expected.conf_high), rel=1e-5)


def test_joint_test_of_one_contrast_is_the_t_test(linear_panel):
    """Hotelling's approximation with one contrast: F = t², denominator df = Satterthwaite's; too many: NaN."""
    r = ESTIMATORS["event_study"](linear_panel(n=14), Design()).regressions[0]
    part = RegressionPart(regression=r)
    c = part.contrast(np.eye(part.width)[:1])
    found = joint_test(part.system, c)
    assert found.df_denom == pytest.approx(satterthwaite(part.system, c)[0], rel=1e-9)
    t = float(c[0] / part.system.scale @ part.system.beta) / np.sqrt(part.vcov("cr2", np.eye(part.width)[:1])[0, 0])
    assert found.statistic == pytest.approx(t**2, rel=1e-9)
    few = ESTIMATORS["event_study"](linear_panel(n=5, treated=2), Design()).regressions[0]
    assert np.isnan(joint_test(cluster_system(few), few.contrast[few.contrast.any(axis=1)]).p_value)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["value", "capital"])
@pytest.mark.parametrize("kind", ["13", "33"])
@pytest.mark.parametrize("restricted", [True, False])
def test_one_sided_factor_gives_the_package_p(frame, name, kind, restricted):
    """R fwildclusterboot's p of types 13 and 33: its jackknife factor on the sample's variance and not the draws'."""
    from tests.golden.agreement import cases
    from tests.golden.methods.clubsandwich import system_of

    system, names = system_of("grunfeld/ols", frame)
    f = wild_forms.forms(system, np.eye(3)[names.index(name)] / system.scale, kind, restricted)
    inflated = replace(f, variance=f.variance * 10 / 9 * 199 / 197)
    case = f"wildboot/grunfeld/ols/{name}/rademacher_{kind}_null{str(restricted).upper()}"
    wanted = next(c for c in cases() if c.name == case).numbers["p"][0]
    assert wild_forms.enumerated_share(inflated, f.estimate) == pytest.approx(wanted, abs=2 / 2**10)


@pytest.mark.reference
def test_interval_equals_the_package(frame):
    """Ends of the enumerated interval (2^14 signs) within 5e-4 of its width of R fwildclusterboot's."""
    from tests.golden.agreement import cases
    from tests.golden.methods.clubsandwich import system_of

    system, names = system_of("mortality14/twfe", frame)
    case = "wildboot/mortality14/twfe/legal/rademacher_fnw11_nullTRUE"
    wanted = next(c for c in cases() if c.name == case).numbers
    found = wild.bootstrap(system, np.eye(len(system.scale))[names.index("legal")])
    low, high = wanted["ci95lo"][0], wanted["ci95hi"][0]
    assert found.conf_low == pytest.approx(low, abs=5e-4 * (high - low))
    assert found.conf_high == pytest.approx(high, abs=5e-4 * (high - low))
