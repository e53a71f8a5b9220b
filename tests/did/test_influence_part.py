"""A part known by its influence function, on the difference of two means, where everything is known."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.did.influence_part import CellCarriers, InfluencePart, SideCarriers
from evalkit.did.parts import Part

N1, N0 = 5, 9


def _part(**changes):
    """Mean of 5 treated minus mean of 9 controls, every unit its own cluster."""
    y = np.random.default_rng(1).normal(0, 1, N1 + N0)
    on = np.arange(N1 + N0) < N1
    size, sign = np.where(on, N1, N0), np.where(on, 1.0, -1.0)
    mean = np.where(on, y[on].mean(), y[~on].mean())
    influence = (sign * (y - mean) / size)[:, None]
    estimate = np.array([y[on].mean() - y[~on].mean()])
    without = np.array(
        [y[on & (np.arange(14) != i)].mean() - y[~on & (np.arange(14) != i)].mean() for i in range(N1 + N0)]
    )
    carriers = CellCarriers(
        cluster=np.arange(N1 + N0), side=np.where(on, 0, 1), gram=(1.0 / size**2)[:, None, None], n_sides=2
    )
    settings = {
        "estimate": estimate,
        "influence": influence,
        "without": without[:, None],
        "carriers": carriers,
        "treated": np.array([[True, False]]),
        "control": np.array([[False, True]]),
        "n_obs": N1 + N0,
        "n_params": 2,
    } | changes
    return InfluencePart(**settings), y, on, size


ROW = np.ones((1, 1))


def test_covariances_of_two_means():
    """analytic, cr1 and cr3 are the known variances of a difference of means; cr2 lies between analytic and cr3."""
    part, y, on, _ = _part()
    assert isinstance(part, Part)
    square = [((y[m] - y[m].mean()) ** 2).sum() for m in (on, ~on)]
    assert part.vcov("analytic", ROW)[0, 0] == pytest.approx(square[0] / N1**2 + square[1] / N0**2)
    assert part.vcov("cr1", ROW)[0, 0] == pytest.approx(14 / 13 * 13 / 12 * part.vcov("analytic", ROW)[0, 0])
    assert part.vcov("cr3", ROW)[0, 0] == pytest.approx(
        13 / 14 * (square[0] / (N1 - 1) ** 2 + square[1] / (N0 - 1) ** 2)
    )
    assert part.vcov("analytic", ROW) < part.vcov("cr2", ROW) < part.vcov("cr3", ROW) * 14 / 13


def test_one_step_equals_the_refit_for_means():
    """For means the one-step jackknife is the true one."""
    part, _, _, size = _part()
    one, _, _, _ = _part(without=None, one_step=part.influence / (1 - 1 / size)[:, None])
    np.testing.assert_allclose(one.scores("cr3", ROW), part.scores("cr3", ROW), rtol=1e-12)


def test_degrees_of_freedom_are_welch():
    """Equal clusters inside sides: (V1 + V0)² / (V1²/(n1−1) + V0²/(n0−1)); also by sides alone."""
    part, *_ = _part()
    v = np.array([1 / N1, 1 / N0])
    wanted = v.sum() ** 2 / (v**2 / np.array([N1 - 1, N0 - 1])).sum()
    assert part.df(ROW)[0] == pytest.approx(wanted)
    sides = SideCarriers(
        n=np.array([N1, N0]), gram=v[:, None, None], effective_units=np.array([[N1], [N0]], dtype=float)
    )
    alone, *_ = _part(carriers=sides, influence=None, without=None, covariances={"cr0": np.eye(1)})
    assert alone.df(ROW)[0] == pytest.approx(wanted)
    np.testing.assert_array_equal(alone.clusters(ROW), part.clusters(ROW))
    np.testing.assert_allclose(alone.effective(ROW), part.effective(ROW))
    np.testing.assert_allclose(part.effective(ROW), [[N1, N0]])
    assert alone.estimable(ROW)[0] and alone.live(ROW)[0] and alone.scores("cr3", ROW) is None


def test_a_cluster_without_which_there_is_no_estimate_is_told():
    """NaN among the left-out estimates means that the row hangs on that cluster."""
    part, *_ = _part()
    without = part.without.copy()
    without[3] = np.nan
    broken, *_ = _part(without=without)
    assert not broken.estimable(ROW)[0]
    assert np.isfinite(broken.vcov("cr3", ROW)).all()


def test_one_cluster_on_a_side_gives_no_degrees_of_freedom():
    """A side carried by one cluster has no variance of its own: NaN."""
    cluster = np.where(np.arange(14) < N1, 0, np.arange(14))
    merged = CellCarriers(
        cluster=np.unique(cluster),
        side=np.r_[0, np.ones(N0, dtype=int)],
        gram=np.r_[1 / N1, np.full(N0, 1 / N0**2)][:, None, None],
        n_sides=2,
    )
    lone, *_ = _part(carriers=merged)
    assert np.isnan(lone.df(ROW)[0])
