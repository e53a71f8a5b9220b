"""Small counts of a list are hidden together with whatever would give them back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.core import hide_small

LIST = st.lists(st.integers(0, 40), min_size=1, max_size=7)


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ([30, 40], [0, 0]),
        ([3, 60, 90], [1, 1, 0]),
        ([0, 60, 90], [1, 1, 0]),
        ([0, 0, 50, 60], [1, 1, 1, 0]),
        ([4, 5, 20, 60], [1, 1, 1, 0]),
        ([4, 6, 20, 60], [1, 1, 0, 0]),
        ([5, np.nan, 80], [1, 0, 1]),
        ([5], [1]),
        ([], []),
    ],
)
def test_what_is_hidden_beside_a_total(counts: list[float], hidden: list[int]) -> None:
    """Zero is a small count; two that come to less than the threshold take the next smallest; a gap is no count."""
    assert hide_small(counts, 10).astype(int).tolist() == hidden


def test_without_a_total_only_the_small_ones_are_hidden() -> None:
    """Nothing else can be worked out, so nothing else is hidden."""
    assert hide_small([3, 0, 60, 90], 10, total_known=False).tolist() == [True, True, False, False]


def test_counts_hidden_for_another_reason_count_as_hidden() -> None:
    """One withheld for its few firms takes the next smallest; a large one beside a small one protects it."""
    assert hide_small([50, 60, 70], 10, also=[False, False, True]).tolist() == [True, False, True]
    assert hide_small([5, 60, 70], 10, also=[False, False, True]).tolist() == [True, False, True]


@given(counts=LIST, threshold=st.integers(1, 12))
@settings(max_examples=200, deadline=None)
def test_nothing_small_can_be_read_from_list_and_total(counts: list[int], threshold: int) -> None:
    """No small count stands; what is hidden is two counts at least that come to the threshold, or everything."""
    values = np.array(counts)
    hidden = hide_small(values, threshold)
    assert hidden[values < threshold].all()
    if hidden.any() and not hidden.all():
        assert hidden.sum() > 1 and values[hidden].sum() >= threshold


@given(counts=LIST)
@settings(max_examples=100, deadline=None)
def test_no_hidden_count_comes_back(counts: list[int]) -> None:
    """Knowing the rest, the total and that counts are not negative, every hidden one could still be another number."""
    values = np.array(counts)
    hidden = hide_small(values, 10)
    if hidden.all():
        return
    for i in np.flatnonzero(hidden):
        others = [j for j in np.flatnonzero(hidden) if j != i]
        assert any(values[i] > 0 or values[j] > 0 for j in others)  # one up, the other down: the same total
