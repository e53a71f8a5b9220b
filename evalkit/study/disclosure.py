"""What may be printed: small counts, and whatever would give them back, are hidden before an exhibit is made.

Exhibits are the release edition; complete numbers stay in results.json (internal). Rule: a count below the workspace's
public threshold, zero included, is hidden, with rates and intervals that rest on it; in a list with a published total
so are the next smallest until what is hidden is no small count itself (`core.hide_small`); two-way tables go through
`assess.publish`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import assess
from ..core import Message, hide_small
from .build import message
from .case import Case

HIDDEN: Message = message("show.status.suppressed")


def threshold(case: Case) -> int:
    """Smallest count that may be shown outside."""
    return int(case.workspace.privacy.public_threshold)


def counts_hidden(
    case: Case, counts: Sequence[float | None], *, total_known: bool = True, also: Sequence[bool] | None = None
) -> list[bool]:
    """Which counts of a list must be hidden, by `core.hide_small` at the public threshold; None is a gap."""
    values = [np.nan if c is None else float(c) for c in counts]
    return hide_small(values, threshold(case), total_known=total_known, also=also).tolist()


def parts_hidden(case: Case, total: float, parts: Sequence[float]) -> list[bool]:
    """Which parts of a printed total must be hidden; what the total holds beside the parts can be read from them."""
    rest = total - sum(parts)
    if min(rest, *parts, np.inf) >= threshold(case):
        return [False] * len(parts)
    return counts_hidden(case, [*parts, rest], also=[False] * len(parts) + [True])[:-1]


def masked(row: Sequence[Any], hide: bool, cells: Sequence[int]) -> list[Any]:
    """The row with the given cells replaced by the word for hidden."""
    return [HIDDEN if hide and i in cells and v is not None else v for i, v in enumerate(row)]


def two_way(case: Case, counts: pd.DataFrame) -> pd.DataFrame:
    """A table of counts with margins as it may be printed: hidden cells are the word for hidden, the rest integers."""
    released = assess.publish(counts, threshold=threshold(case))
    return released.map(lambda v: HIDDEN if pd.isna(v) else int(v)).astype(object)
