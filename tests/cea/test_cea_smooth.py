"""Splines by cell equal the dense design; the smoother keeps small differences and lets responses err together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import BSpline

from evalkit.cea.smooth import smooth
from evalkit.cea.spline import CONSTANT, Rows, Spline, rows, spline, spread

RNG = np.random.default_rng(4)
DRAWS = {
    "normal": RNG.normal(size=500),
    "skewed": RNG.lognormal(0, 3, 500) * 1e6,
    "few values": RNG.integers(0, 4, 500).astype(float),
    "two values": RNG.integers(0, 2, 500).astype(float),
    "many": RNG.normal(size=30_000),
}


def dense(s: Spline, x: np.ndarray) -> np.ndarray:
    unit = (s.edges - s.edges[0]) / np.ptp(s.edges)
    knots = np.concatenate([np.zeros(3), unit, np.ones(3)])
    return BSpline.design_matrix(np.clip((x - s.edges[0]) / np.ptp(s.edges), 0, 1), knots, 3).toarray()


def check(found: Rows, design: np.ndarray) -> None:
    y, b = RNG.normal(size=(len(design), 3)), RNG.normal(size=(design.shape[1], 2))
    np.testing.assert_allclose(found.gram(), design.T @ design, atol=1e-9 * len(design))
    np.testing.assert_allclose(found.moment(found.sort(y)), design.T @ y, atol=1e-9 * len(design))
    np.testing.assert_allclose(found.times(b), design @ b, atol=1e-9)


@pytest.mark.parametrize("name", DRAWS)
def test_rows_of_one_spline_are_the_dense_design(name: str) -> None:
    """Inner products and values from sums of powers by cell equal those of scipy's B-splines."""
    x = DRAWS[name]
    s = spline(x, 16)
    check(rows(s, CONSTANT, x[:, None]), dense(s, x))


def test_rows_of_two_splines_are_the_product_of_their_designs() -> None:
    """Columns run along the second spline first, whatever the draws of either look like."""
    x = np.column_stack([DRAWS["normal"], DRAWS["few values"]])
    a, b = spline(x[:, 0], 6), spline(x[:, 1], 6)
    design = dense(a, x[:, 0])[:, :, None] * dense(b, x[:, 1])[:, None, :]
    check(rows(a, b, x), design.reshape(len(x), -1))


def test_the_points_that_stand_for_all_meet_no_period() -> None:
    """Draws that repeat a short pattern, or that are sorted, are represented in proportion."""
    for period in (2, 3, 5, 16, 97):
        shares = np.bincount(spread(np.arange(100_000) % period, 8_192), minlength=period) / 8_192
        np.testing.assert_allclose(shares, 1 / period, atol=0.003)
    assert spread(np.arange(100_000), 8_192).mean() == pytest.approx(49_999.5, rel=1e-3)
    assert len(spread(np.arange(50), 8_192)) == 50


def test_small_differences_between_large_totals_are_smoothed_as_well() -> None:
    """Adding 10^9 to a response adds 10^9 to its fitted values and changes nothing else."""
    x = RNG.normal(size=(2_000, 1))
    y = np.sin(2 * x) + RNG.normal(0, 0.3, (2_000, 1))
    np.testing.assert_allclose(smooth(x, y + 1e9).fitted - 1e9, smooth(x, y).fitted, atol=1e-5)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_values_at_the_draws_are_the_fitted_values(d: int) -> None:
    """And beyond the range of the draws those of its edge."""
    x = RNG.normal(size=(800, d))
    fit = smooth(x, x.sum(axis=1, keepdims=True) ** 2)
    np.testing.assert_allclose(fit.at(x), fit.fitted, atol=1e-8)
    beyond = np.where(np.eye(d, dtype=bool)[0], 99.0, 0.0)[None]
    np.testing.assert_allclose(fit.at(beyond), fit.at(np.minimum(beyond, x.max(axis=0))))


def test_responses_err_together_as_their_residuals_do() -> None:
    """A cost that is minus twice the effect has an error minus twice the effect's, draw by draw."""
    x = RNG.normal(size=(3_000, 1))
    effect = x + RNG.normal(size=(3_000, 1))
    fit = smooth(x, np.hstack([-2 * effect, effect]))
    error = fit.errors(x[:50], RNG.normal(size=(7, fit.size, 2)))
    np.testing.assert_allclose(error[..., 0], -2 * error[..., 1], atol=1e-6)
    assert error.shape == (7, 50, 2) and np.ptp(error[..., 1]) > 0


def test_errors_of_a_straight_line_are_those_of_least_squares() -> None:
    """Draws whose expectation is a straight line: the sd at the mean is near σ/√n, as the line's own."""
    x = RNG.normal(size=(20_000, 1))
    fit = smooth(x, 3 * x + RNG.normal(0, 2, x.shape))
    error = fit.errors(np.zeros((1, 1)), np.random.default_rng(1).normal(size=(4_000, fit.size, 1)))
    assert 0.9 <= error.std() / (2 / np.sqrt(20_000)) <= 1.1


def test_shuffled_responses_lose_their_meaning() -> None:
    """The fit to responses in another order stays near their mean; in their own order it is the fit itself."""
    x = RNG.normal(size=(5_000, 1))
    fit = smooth(x, 4 * x)
    same, other = fit.shuffled(x, [np.arange(5_000), np.random.default_rng(2).permutation(5_000)])
    np.testing.assert_allclose(same, fit.fitted, atol=1e-8)
    assert np.abs(other).mean() < 0.05 * np.abs(same).mean()
