"""All curves in one pass equal the obvious loop over thresholds, ties included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evalkit import cea


def obvious(psa, thresholds):
    """(m, s) shares, losses and their errors by one argmax per threshold."""
    out = []
    for k in thresholds:
        benefit = k * psa.effect - psa.cost
        top = benefit == benefit.max(axis=1, keepdims=True)
        share = top / top.sum(axis=1, keepdims=True)
        loss = benefit.max(axis=1, keepdims=True) - benefit
        root = np.sqrt(psa.n)
        out.append((share.mean(0), share.std(0) / root, loss.mean(0), loss.std(0) / root))
    return [np.array(a) for a in zip(*out)]


def same(psa, thresholds):
    curves = cea.threshold_curves(psa, thresholds)
    share, share_error, loss, loss_error = obvious(psa, thresholds)
    scale = np.abs(loss).max() + 1e-9
    for j, s in enumerate(psa.strategies):
        np.testing.assert_allclose(curves["ceac"].values[s], share[:, j], atol=1e-12)
        np.testing.assert_allclose(curves["ceac"].mc_error[s], share_error[:, j], atol=1e-7)
        np.testing.assert_allclose(curves["expected_loss"].values[s], loss[:, j], atol=1e-12 * scale)
        np.testing.assert_allclose(curves["expected_loss"].mc_error[s], loss_error[:, j], atol=1e-6 * scale)
    np.testing.assert_allclose(curves["evpi"].values["evpi"], loss.min(axis=1), atol=1e-12 * scale)


@pytest.mark.parametrize("n", [1, 50, 40_000])
def test_equal_to_the_loop(n: int) -> None:
    """Normal draws of four strategies, thresholds in any order."""
    rng = np.random.default_rng(n)
    cost = rng.normal([0, 1e6, 2e6, 3e6], 5e5, (n, 4))
    effect = rng.normal([0, 40, 60, 75], 20, (n, 4))
    cost[:, 0], effect[:, 0] = 0, 0
    psa = cea.psa_from_arrays(cost, effect, tuple("abcd"), comparator="a")
    same(psa, rng.permutation(np.linspace(0, 1e5, 37)))


small = st.integers(-3, 3).map(float)


@settings(max_examples=150, deadline=None)
@given(
    cost=arrays(float, (12, 3), elements=small),
    effect=arrays(float, (12, 3), elements=small),
    comparator=st.sampled_from("abc"),
)
def test_ties_are_split_equally(cost, effect, comparator) -> None:
    """Small whole numbers: equal lines, equal costs at zero, crossings exactly on a threshold."""
    psa = cea.psa_from_arrays(cost, effect, tuple("abc"), comparator=comparator)
    same(psa, np.array([0.0, 0.5, 1.0, 2.0, 3.0]))


def test_small_differences_between_large_totals_stay_exact() -> None:
    """Fund totals of 10^8 yuan that differ by five: shares, losses and EVPI of the difference, never negative."""
    rng = np.random.default_rng(2)
    base = rng.normal(1e8, 1e6, 5_000)
    psa = cea.psa_from_arrays(np.c_[base, base - 5], np.ones((5_000, 2)), ("a", "b"), comparator="a")
    curves = cea.threshold_curves(psa, [0.0, 1e5])
    assert (curves["evpi"].values["evpi"] >= 0).all()
    np.testing.assert_allclose(curves["ceac"].values["b"], 1.0)
    np.testing.assert_allclose(curves["expected_loss"].values["a"], 5.0, rtol=1e-6)


def test_errors_of_many_draws_come_from_some_of_them() -> None:
    """Beyond 131,072 draws the errors of losses are still sd/√n, within 2 %; means and shares use every draw."""
    rng = np.random.default_rng(9)
    n = 400_000
    psa = cea.psa_from_arrays(
        np.c_[np.zeros(n), rng.normal(1e6, 5e5, n)], np.c_[np.zeros(n), rng.normal(40, 20, n)], "ab", comparator="a"
    )
    grid = [0.0, 1e4, 3e4, 1e5]
    curves, (share, share_error, loss, loss_error) = cea.threshold_curves(psa, grid), obvious(psa, grid)
    for j, s in enumerate("ab"):
        np.testing.assert_allclose(curves["ceac"].values[s], share[:, j], atol=1e-12)
        np.testing.assert_allclose(curves["ceac"].mc_error[s], share_error[:, j], rtol=1e-6)
        np.testing.assert_allclose(curves["expected_loss"].values[s], loss[:, j], rtol=1e-9)
        np.testing.assert_allclose(curves["expected_loss"].mc_error[s], loss_error[:, j], rtol=0.02)
