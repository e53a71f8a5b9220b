"""What may be printed: small counts, and whatever would give them back, are hidden before an exhibit is made.

Exhibits are the release edition; complete numbers stay in results.json (internal). Rule: a count below the workspace's
public threshold is hidden, with rates and intervals that rest on it; a list with a published total never hides exactly
one cell; two-way tables go through `assess.publish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import assess
from ..core import Message
from .build import message
from .case import Case

HIDDEN: Message = message("show.status.suppressed")


def threshold(case: Case) -> int:
    """Smallest count that may be shown outside."""
    return int(case.workspace.privacy.public_threshold)


def counts_hidden(case: Case, counts: Sequence[float], *, total_known: bool = True) -> list[bool]:
    """Which counts of a list must be hidden; with a known total a single hidden one takes the next smallest along.

    Zero counts as small: that nobody was hurt in a cell tells about its people too. Missing counts are not hidden.
    """
    values = np.array([np.nan if c is None else float(c) for c in counts])
    hidden = values < threshold(case)
    if total_known and hidden.sum() == 1 and np.isfinite(values[~hidden]).any():
        hidden[np.nanargmin(np.where(hidden, np.nan, values))] = True
    return hidden.tolist()


def masked(row: Sequence[Any], hide: bool, cells: Sequence[int]) -> list[Any]:
    """The row with the given cells replaced by the word for hidden."""
    return [HIDDEN if hide and i in cells and v is not None else v for i, v in enumerate(row)]


def two_way(case: Case, counts: pd.DataFrame) -> pd.DataFrame:
    """A table of counts with margins as it may be printed: hidden cells are the word for hidden, the rest integers."""
    released = assess.publish(counts, threshold=threshold(case))
    return released.map(lambda v: HIDDEN if pd.isna(v) else int(v)).astype(object)
