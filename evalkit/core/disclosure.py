"""Small counts of a list: which of them may be printed. Tables with two margins: `assess.suppression`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def hide_small(
    counts: Any, threshold: float, *, total_known: bool = True, also: Sequence[bool] | None = None
) -> np.ndarray:
    """(g,) True for the counts of a list that must not be printed.

    Parameters
        counts       (g,) numbers of cases; a gap (NaN) has nothing to hide and protects nothing
        threshold    smallest count that may be printed: below it a count is hidden, zero included. That nobody was hurt
                     tells about people too, and a zero that stands says of the hidden ones that they are none
        total_known  what the hidden ones add up to can be read from the total and is a count itself: the next smallest
                     ones are hidden too until there are two and they come to the threshold
        also         (g,) True for counts hidden for another reason, or not in the list but in its total
    With everything hidden the total itself may be a small count: that is for the one who prints it.
    """
    values = np.asarray(counts, dtype=float)
    hidden = values < threshold
    if also is not None:
        hidden |= np.asarray(also, dtype=bool)
    if total_known and hidden.any():
        left = np.where(hidden | np.isnan(values), np.inf, values)
        for i in np.argsort(left, kind="stable")[: np.isfinite(left).sum()]:
            if hidden.sum() > 1 and np.nansum(values[hidden]) >= threshold:
                break
            hidden[i] = True
    return hidden
