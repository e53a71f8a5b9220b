"""Multivariate normal in a box: probabilities and means against other computations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from evalkit.did.sensitivity.normal_box import box_mean, box_probability


def _problem(n: int, seed: int = 1):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    cov = root @ root.T / n + 0.3 * np.eye(n)
    half = 1.96 * np.sqrt(np.diag(cov))
    return rng.normal(0, 0.7, n), cov, -half, half


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
def test_probability_is_that_of_another_integrator(n):
    """Five digits of the cumulative distribution by scipy's integrator."""
    mean, cov, low, high = _problem(n)
    other = multivariate_normal(mean, cov, seed=1, maxpts=2_000_000, abseps=1e-7, releps=1e-7).cdf(
        high, lower_limit=low
    )
    assert box_probability(mean, cov, low, high) == pytest.approx(float(other), abs=5e-5)


def test_independent_coordinates_multiply():
    """With a diagonal covariance the probability is the product, to machine precision; in no dimension it is 1."""
    mean, cov, low, high = _problem(4)
    cov = np.diag(np.diag(cov))
    sd = np.sqrt(np.diag(cov))
    product = np.prod(ndtr((high - mean) / sd) - ndtr((low - mean) / sd))
    assert box_probability(mean, cov, low, high) == pytest.approx(product, rel=1e-12)
    assert box_probability(np.zeros(0), np.zeros((0, 0)), np.zeros(0), np.zeros(0)) == 1.0


@pytest.mark.parametrize("n", [1, 3, 5])
def test_mean_is_that_of_the_draws_inside(n):
    """The closed form agrees with rejection sampling."""
    mean, cov, low, high = _problem(n, seed=3)
    draws = np.random.default_rng(2).multivariate_normal(mean, cov, size=400_000)
    inside = draws[((draws >= low) & (draws <= high)).all(axis=1)]
    error = 4 * inside.std(axis=0) / np.sqrt(len(inside))
    assert (np.abs(box_mean(mean, cov, low, high) - inside.mean(axis=0)) < error).all()
