"""Robust intervals from estimates and covariance: duality, exactness, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

from evalkit.core import UserError
from evalkit.did.sensitivity import intervals
from evalkit.did.sensitivity.conditional import dual_rays
from evalkit.did.sensitivity.fixed_length import folded_quantile, frontier, lasso_path
from evalkit.did.sensitivity.intervals import RobustStudy
from evalkit.did.sensitivity.restrictions import Restriction


def covariance(pre: int, post: int, rho: float = 0.5, scale: float = 0.1) -> np.ndarray:
    """Covariance of differences to one reference of AR(1) paths."""
    t = np.arange(pre + post + 1)
    move = np.delete(np.eye(len(t)) - np.eye(len(t))[pre], pre, axis=0)
    return scale**2 * move @ (rho ** np.abs(t[:, None] - t)) @ move.T


def study(
    kind="relative_magnitude", pre=3, post=3, test="c_lf", seed=1, target=None, scale=1.0, **signs
) -> RobustStudy:
    vcov = covariance(pre, post) * scale**2
    beta = np.random.default_rng(seed).multivariate_normal(np.r_[np.zeros(pre), np.full(post, 0.5)] * scale, vcov)
    return RobustStudy(
        estimate=beta,
        vcov=vcov,
        restriction=Restriction(kind=kind, pre=pre, post=post, **signs),
        target=np.eye(post)[0] if target is None else np.asarray(target),
        test=test,
    )


@pytest.mark.parametrize("gap", [[4], [4, 5], [4, 6]])
def test_a_gap_is_the_whole_restriction_with_the_missing_periods_free(gap):
    """Steps per period between neighbours bound the effect as the restriction on all periods does once departures in
    the gap may be anything (3 periods, the reference, then 4; periods after the reference are missing)."""
    pre, post, mbar = 3, 4, 0.8
    kept = [t for t in range(pre + 1 + post) if t not in gap]
    whole = Restriction(kind="relative_magnitude", pre=pre, post=post)
    spacing = tuple(int(s) for s in np.diff(kept))
    part = Restriction(kind="relative_magnitude", pre=pre, post=post - len(gap), spacing=spacing)
    before = np.array([0.3, -0.1, 0.4])
    last = np.eye(pre + post)[-1], np.eye(pre + post - len(gap))[-1]

    def reach(restriction, target):
        """The largest departure in the last period, given those before the reference."""
        found = []
        for a, d in restriction.branches(mbar):
            told = linprog(-target, A_ub=a, b_ub=d, A_eq=np.eye(len(target))[:pre], b_eq=before, bounds=(None, None))
            found += [-told.fun] if told.status == 0 else []
        return max(found)

    assert reach(part, last[1]) == pytest.approx(reach(whole, last[0]), abs=1e-9)
    assert reach(whole, last[0]) == pytest.approx(mbar * 0.5 * post, abs=1e-9), "four steps of 0.8 times the largest"


SIGNS = [{}, {"bias": "positive"}, {"bias": "negative"}, {"monotone": "increasing"}, {"monotone": "decreasing"}]


@pytest.mark.parametrize("signs", SIGNS, ids=str)
@pytest.mark.parametrize("kind", ["relative_magnitude", "relative_trend", "smoothness"])
def test_statistic_of_the_vertices_is_the_linear_program(kind, signs):
    """The upper envelope of the vertices equals the linear program over the nuisance parameters at every θ."""
    s = study(kind, target=[0.2, 0.3, 0.5], **signs)
    restriction, sd = s.restriction, s.std_error
    for (a, d), test in zip(restriction.branches(0.7), s._tests(0.7 * (sd if kind == "smoothness" else 1))):
        d = d * sd if kind == "smoothness" else d
        used = (a[:, 3:] != 0).any(axis=1)
        a, d = a[used], d[used]
        noise = np.sqrt(np.einsum("ij,jk,ik->i", a, s.vcov, a))
        for theta in (-0.4, 0.3, 1.0):
            # minimise η over (η, τ): a (β − τ) − d ≤ η noise, target'τ = θ
            found = linprog(
                np.r_[1.0, np.zeros(3)],
                A_ub=np.column_stack([-noise, -a[:, 3:]]),
                b_ub=d - a @ s.estimate,
                A_eq=np.r_[0.0, s.target][None],
                b_eq=[theta],
                bounds=[(None, None)] * 4,
                method="highs",
            )
            eta = (test.level - test.slope * theta / sd).max()
            assert eta == pytest.approx(found.fun, abs=1e-7)


def test_closed_form_rays_are_those_of_double_description():
    """Two-sided bounds have post + 2 rays, and the general method finds the same."""
    from evalkit.did.sensitivity.conditional import _directions, _double_description

    a = np.tril(np.random.default_rng(1).normal(size=(4, 4))) + 2 * np.eye(4)
    two_sided, target = np.vstack([a, -a]), np.array([0.1, 0.2, 0.3, 0.4])
    closed = dual_rays(two_sided, target)
    general = _double_description(two_sided @ _directions(target))
    assert len(closed) == len(general) == 6
    closed, general = (np.sort(np.round(r / r.sum(axis=1, keepdims=True), 9), axis=0) for r in (closed, general))
    np.testing.assert_allclose(closed, general, atol=1e-8)


@pytest.mark.parametrize("kind", ["relative_magnitude", "smoothness"])
def test_vertex_is_best_exactly_within_its_conditioning_interval(kind):
    """Moving the statistic inside its interval keeps the vertex optimal; beyond an end another one takes over."""
    from evalkit.did.sensitivity.conditional import _conditioning

    test = study(kind, seed=3)._tests(0.5)[0]
    for theta in (-2.0, 0.5, 9.0):
        line = test.level - test.slope * theta
        best = int(line.argmax())
        ratio = test.covariance[:, best] / test.covariance[best, best]
        rest = line - ratio * line[best]
        low, high = _conditioning(rest[:, None], (1 - ratio)[:, None])
        assert low[0] <= line[best] <= high[0]
        for end, outside in ((low[0], -1e-6), (high[0], 1e-6)):
            if np.isfinite(end):
                inside = rest + ratio * (end - outside)
                beyond = rest + ratio * (end + outside)
                assert inside[best] >= inside.max() - 1e-12
                assert beyond[best] < beyond.max()


@pytest.mark.parametrize(
    ("kind", "test"),
    [("relative_magnitude", "c_lf"), ("relative_trend", "c_lf"), ("smoothness", "flci"), ("smoothness", "c_flci")],
)
def test_units_do_not_matter(kind, test):
    """Estimates in other units scale the interval, the size of smoothness with them."""
    size = 0.02 if kind == "smoothness" else 1.0
    plain, scaled = study(kind, test=test), study(kind, test=test, scale=1000.0)
    factor = 1000.0 if kind == "smoothness" else 1.0
    np.testing.assert_allclose(np.array(plain.interval(size)) * 1000, scaled.interval(size * factor), rtol=1e-6)


@pytest.mark.parametrize("kind", ["relative_magnitude", "relative_trend"])
def test_an_effect_moves_the_interval_and_larger_sizes_widen_it(kind):
    """Adding a constant to the effect moves the interval by it; a larger size never shortens it."""
    s = study(kind)
    moved = RobustStudy(**{**_fields(s), "estimate": s.estimate + np.r_[np.zeros(3), 1.0, 0, 0]})
    np.testing.assert_allclose(np.array(s.interval(1.0)) + 1, moved.interval(1.0), atol=1e-4)
    ends = np.array([s.interval(m) for m in (0, 0.5, 1, 2, 4)])
    assert (np.diff(ends[:, 0]) < 1e-6).all() and (np.diff(ends[:, 1]) > -1e-6).all()


def _fields(s: RobustStudy) -> dict:
    names = ("estimate", "vcov", "restriction", "target", "test", "level", "seed")
    return {name: getattr(s, name) for name in names}


@pytest.mark.parametrize(("kind", "test"), [("relative_magnitude", "c_lf"), ("smoothness", "flci")])
def test_breakdown_is_where_the_interval_reaches_zero(kind, test):
    """Just below the breakdown value the interval leaves zero out, at it it does not."""
    s = study(kind, test=test)
    size = s.breakdown()
    assert 0 < size < np.inf
    assert s.interval(0.999 * size)[0] > 0 >= s.interval(size)[0]
    assert study(kind, test=test, seed=5).breakdown(null=-1e9) == np.inf


def test_one_period_after_the_reference():
    """With one period nothing is nuisance: the interval exists and covers more than parallel trends give."""
    s = study(post=1, target=[1.0])
    low, high = s.interval(1.0)
    assert low < s.original[0] and s.original[1] < high


def test_least_squares_path_satisfies_its_conditions():
    """At every knot and between them the path minimises ½x'qx + c'x + κ‖x‖₁, by its subgradient."""
    rng = np.random.default_rng(2)
    for p in (1, 2, 5, 9):
        root = rng.normal(size=(p, p))
        q, c = root @ root.T + 0.1 * np.eye(p), rng.normal(size=p)
        knots, path = lasso_path(q, c)
        assert knots[0] == 0 and (np.diff(knots) >= 0).all()
        np.testing.assert_allclose(path[0], -np.linalg.solve(q, c), atol=1e-9)
        for kappa in np.r_[knots, (knots[1:] + knots[:-1]) / 2]:
            x = np.array([np.interp(kappa, knots, column) for column in path.T])
            gradient = c + q @ x
            assert (np.abs(gradient) <= kappa + 1e-8).all()
            active = np.abs(x) > 1e-10
            np.testing.assert_allclose(gradient[active], -kappa * np.sign(x[active]), atol=1e-8)


@pytest.mark.parametrize("size", [0.0, 0.01, 0.1, 1.0])
def test_fixed_length_interval_is_the_shortest(size):
    """A general optimiser over all linear estimators finds no shorter interval; linear trends cancel."""
    pre, post, target = 4, 3, np.array([0.2, 0.3, 0.5])
    vcov = covariance(pre, post)
    f = frontier(vcov, pre, target)
    weights, half = f.shortest(size, 0.95)
    times = np.r_[np.arange(-pre, 0), np.arange(1, post + 1)]
    assert weights @ times == pytest.approx(0.0, abs=1e-12)

    def length(x: np.ndarray) -> float:
        w = np.r_[f.kernel @ x + f.start, target]
        sd = np.sqrt(w @ vcov @ w)
        return float(sd * folded_quantile(np.array([size * (f.fixed + np.abs(x).sum()) / sd]), 0.95)[0])

    starts = [np.zeros(pre - 1), *np.random.default_rng(1).normal(size=(4, pre - 1))]
    found = min(minimize(length, s, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}).fun for s in starts)
    assert half <= found * (1 + 1e-7)
    assert half == pytest.approx(found, rel=1e-4)


def test_worst_bias_is_attained_and_covered():
    """Under the least favourable changes of slope the fixed-length interval covers with its nominal probability."""
    pre, post, size = 4, 2, 0.05
    vcov, target = covariance(pre, post), np.array([1.0, 0.0])
    weights, half = frontier(vcov, pre, target).shortest(size, 0.95)
    steps = np.delete(np.diff(np.eye(pre + post + 1), n=2, axis=0), pre, axis=1)
    delta = np.linalg.lstsq(steps, size * np.sign(np.linalg.lstsq(steps.T, weights, rcond=None)[0]), rcond=None)[0]
    bias, sd = weights @ delta, np.sqrt(weights @ vcov @ weights)
    from scipy.special import ndtr

    assert ndtr((half - bias) / sd) - ndtr((-half - bias) / sd) == pytest.approx(0.95, abs=1e-6)


@pytest.mark.parametrize("size", [0.5, 2.0])
def test_coverage_with_the_violation_on_the_boundary(size, monkeypatch):
    """With steps after the start exactly M̄ times the largest before it, the robust set covers at least nominally.

    Pre-period sampling error counts here: an interval that plugs in the estimated largest step covers .83 at M̄ = 2.
    """
    monkeypatch.setattr(intervals, "DRAWS", 2000)
    pre, post, n = 3, 2, 400
    vcov = covariance(pre, post, scale=0.3)
    largest = 0.1
    delta = np.r_[-largest, -largest, 0.0, size * largest * np.arange(1, post + 1)]
    rng = np.random.default_rng(11)
    draws = rng.multivariate_normal(delta, vcov, size=n)
    covered = 0
    for beta in draws:
        s = RobustStudy(
            estimate=beta,
            vcov=vcov,
            restriction=Restriction(kind="relative_magnitude", pre=pre, post=post),
            target=np.array([1.0, 0.0]),
            test="c_lf",
        )
        object.__setattr__(s, "_draws", _shared(vcov, s))
        covered += any(t.accepts(np.zeros(1))[0] for t in s._tests(size))
    assert covered / n >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / n)


_CACHE: dict[float, np.ndarray] = {}


def _shared(vcov: np.ndarray, s: RobustStudy) -> np.ndarray:
    """The draws depend on the covariance only: the same for every replication."""
    return _CACHE.setdefault(float(vcov.sum()), s._draws)


def test_sign_restrictions_shorten_and_too_many_periods_are_refused():
    """A known sign of the bias never widens the interval by more than the grid; too many vertices are refused."""
    plain = study("smoothness", test="c_flci").interval(0.05)
    signed = study("smoothness", test="c_flci", bias="positive").interval(0.05)
    assert signed[1] <= plain[1] + 1e-3 and signed[0] >= plain[0] - 1e-3
    with pytest.raises(UserError, match="honest_too_many_periods"):
        study("smoothness", pre=3, post=14, test="c_lf", monotone="increasing", target=np.full(14, 1 / 14)).interval(
            0.1
        )


@pytest.mark.reference
def test_critical_values_of_few_draws(frame, monkeypatch):
    """With 1,000 draws per critical value, as R HonestDiD takes, its end at M̄ = 1 lies among ours from seed to seed."""
    data = frame("medicaid_eventstudy.csv")
    vcov = data.filter(like="sigma_").to_numpy()
    monkeypatch.setattr(intervals, "DRAWS", 1000)
    ends = []
    for seed in range(40):
        s = RobustStudy(
            estimate=data.betahat.to_numpy(),
            vcov=vcov,
            restriction=Restriction(kind="relative_trend", pre=5, post=2),
            target=np.array([1.0, 0.0]),
            test="c_lf",
            seed=seed,
        )
        ends.append(s.interval(1.0)[1])
    step = 40 * np.sqrt(vcov[5, 5]) / 999
    assert min(ends) - step <= 0.0903277744794232 <= max(ends)
