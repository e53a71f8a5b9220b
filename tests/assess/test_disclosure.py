"""Disclosure control: nothing hidden comes back from what is published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from evalkit import assess

TABLES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=6).flatmap(
    lambda shape: hnp.arrays(np.int64, shape, elements=st.one_of(st.integers(0, 30), st.integers(0, 2000)))
)


def frame_of(values: np.ndarray) -> pd.DataFrame:
    rows, columns = values.shape
    return pd.DataFrame(values, index=[f"r{i}" for i in range(rows)], columns=[f"c{j}" for j in range(columns)])


def equations(shape: tuple[int, int]) -> np.ndarray:
    """Every row and every column of the table with margins adds up: inner cells less their margin are zero."""
    rows, columns = shape
    lines = []
    for i in range(rows):
        line = np.zeros(shape)
        line[i, :-1], line[i, -1] = 1, -1
        lines.append(line.ravel())
    for j in range(columns):
        line = np.zeros(shape)
        line[:-1, j], line[-1, j] = 1, -1
        lines.append(line.ravel())
    return np.array(lines)


def possible(value: np.ndarray, hidden: np.ndarray, cell: int) -> tuple[float, float]:
    """Least and greatest value that a hidden cell may have, given all that is published and no negative counts."""
    system, unknown = equations(value.shape), np.flatnonzero(hidden.ravel())
    right = -system[:, ~hidden.ravel()] @ value.ravel()[~hidden.ravel()]
    ends = []
    for sign in (1, -1):
        goal = sign * (unknown == cell).astype(float)
        result = linprog(goal, A_eq=system[:, unknown], b_eq=right, bounds=(0, None), method="highs")
        ends.append(sign * result.fun if result.status == 0 else -sign * np.inf if sign > 0 else np.inf)
    return ends[0], ends[1]


@settings(max_examples=100, deadline=None)
@given(TABLES, st.sampled_from([5, 10]))
def test_no_hidden_cell_comes_back_by_linear_algebra(values: np.ndarray, threshold: int) -> None:
    """No hidden cell is a linear combination of published ones: the null space of the margins moves each of them."""
    counts = frame_of(values)
    hidden = assess.suppression(counts, threshold=threshold).to_numpy()
    if not hidden.any():
        return
    system = equations(hidden.shape)[:, hidden.ravel()]
    _, singular, rest = np.linalg.svd(system)
    null = rest[int((singular > 1e-9).sum()) :]
    assert (np.abs(null).max(axis=0, initial=0) > 1e-9).all()


@settings(max_examples=50, deadline=None)
@given(TABLES, st.sampled_from([5, 10]))
def test_no_hidden_cell_is_bounded_within_a_fifth(values: np.ndarray, threshold: int) -> None:
    """With non-negativity too, a hidden small count may lie a fifth off on both sides, any hidden cell on one."""
    counts = frame_of(values)
    hidden = assess.suppression(counts, threshold=threshold).to_numpy()
    value = assess.with_margins(counts).to_numpy(float)
    for cell in np.flatnonzero(hidden.ravel()):
        x = value.ravel()[cell]
        low, high = possible(value, hidden, cell)
        assert low <= 0.8 * x + 1e-6 or high >= 1.2 * x - 1e-6
        assert high - low >= 1 - 1e-6
        if 0 < x < threshold:
            assert low <= 0.8 * x + 1e-6 and high >= 1.2 * x - 1e-6


@settings(max_examples=100, deadline=None)
@given(TABLES, st.sampled_from([5, 10]))
def test_small_counts_and_small_margins_are_hidden(values: np.ndarray, threshold: int) -> None:
    """Nothing below the threshold is published, margins included; a table of large counts is published whole."""
    counts = frame_of(values)
    shown = assess.publish(counts, threshold=threshold).to_numpy()
    assert (shown[~np.isnan(shown)] >= threshold).all()
    large = assess.publish(counts + threshold, threshold=threshold).to_numpy()
    assert not np.isnan(large).any()


def test_structural_zeros_stand() -> None:
    """A zero that everybody knows is shown and never used to cover another cell."""
    counts = frame_of(np.array([[0, 50, 60], [40, 3, 70], [30, 80, 90]]))
    known = counts == 0
    shown = assess.publish(counts, threshold=10, structural_zeros=known)
    assert shown.loc["r0", "c0"] == 0 and np.isnan(shown.loc["r1", "c1"])


def test_one_small_cell_hides_three_others_at_most() -> None:
    """One small count in a table of large ones costs three further cells and no margin."""
    counts = frame_of(np.array([[3, 50, 60], [40, 55, 70], [30, 80, 90]]))
    mask = assess.suppression(counts, threshold=10)
    assert int(mask.to_numpy().sum()) == 4 and not mask.loc[assess.TOTAL].any() and not mask[assess.TOTAL].any()


def test_rates_go_with_their_counts() -> None:
    """A rate is hidden wherever its numerator is."""
    counts = frame_of(np.array([[3, 50], [40, 55], [60, 70]]))
    mask = assess.suppression(counts, threshold=10)
    rates = assess.hide(counts / 1000, mask)
    assert rates.isna().equals(mask.loc[counts.index, counts.columns])


def test_tidy_tables_hide_numbers_and_their_intervals() -> None:
    """A tidy table loses count, rate and interval of hidden lines, its margins too where they would tell."""
    wide = assess.with_margins(frame_of(np.array([[3, 50, 60], [40, 55, 70], [30, 80, 90]])))
    tidy = wide.rename_axis(index="place", columns="industry").stack().rename("cases").reset_index()
    tidy = tidy.assign(rate=tidy["cases"] / 7, conf_low=0.0)
    out = assess.protect(
        tidy, rows="place", columns="industry", count="cases", hidden=("rate", "conf_low"), threshold=10
    )
    assert out.suppressed.sum() == 4 and out.loc[out.suppressed, ["cases", "rate", "conf_low"]].isna().all().all()
    assert out.loc[~out.suppressed, "rate"].notna().all() and tidy.cases.notna().all()


def test_protect_needs_one_line_per_cell() -> None:
    """Lines that stand twice, counts that are negative or broken are refused."""
    tidy = pd.DataFrame({"place": ["a", "a"], "industry": ["x", "x"], "cases": [1, 2]})
    with pytest.raises(ValueError, match="identify"):
        assess.protect(tidy, rows="place", columns="industry", count="cases", threshold=10)
    with pytest.raises(ValueError, match="whole"):
        assess.suppression(frame_of(np.array([[1.5]])), threshold=10)
