"""Units of a panel by cohort and cluster, read some at a time: no copy of the panel is made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ..core import Panel
from .moments import LISTED, cluster_codes


def by_cohort_and_cluster(cohort: np.ndarray, cluster: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, ...]:
    """Units kept, by cohort (small numbers), then cluster; the cohorts there are (C,), and where each begins (C,)."""
    if np.bincount(cluster).max() > 1:
        order = np.argsort(cluster, kind="stable")
        order = order[np.argsort(cohort[order].astype(np.int16), kind="stable")]
    else:
        order = np.argsort(cohort.astype(np.int16), kind="stable")
    order = order if keep.all() else order[keep[order]]
    count = np.bincount(cohort[order])
    labels = np.flatnonzero(count)
    return order, labels, np.r_[0, np.cumsum(count[labels])[:-1]]


class Reader:
    """Units of a panel by cohort, then cluster. labels (C,) cohorts; listed: sums by cluster are kept."""

    def __init__(self, panel: Panel, cohort: np.ndarray, keep: np.ndarray, times: np.ndarray) -> None:
        self.panel, self.times = panel, times
        self.cluster, self.n_clusters = cluster_codes(panel)
        self.order, self.labels, self.starts = by_cohort_and_cluster(cohort, self.cluster, keep)
        self.ends = np.r_[self.starts[1:], len(self.order)]
        several = bool(np.bincount(self.cluster[self.order]).max() > 1)
        self.listed = several or len(self.order) <= LISTED
        self.large = not self.listed or len(self.order) >= 16 * len(self.cells[0])

    @property
    def n_periods(self) -> int:
        return len(self.times)

    def take(self, array: np.ndarray, units: np.ndarray) -> np.ndarray:
        """(n, T) the sampled periods of an (N, T) array."""
        return array[units] if len(self.times) == array.shape[1] else array[np.ix_(units, self.times)]

    def blocks(self, cohort: int, size: int | None = None) -> Iterator[slice]:
        """Positions in `order` of the units of the cohort at this position, some at a time."""
        if size is None:
            size = max(64, (300_000 if self.large else 400_000 // self.n_periods) // self.n_periods)
        low, high = int(self.starts[cohort]), int(self.ends[cohort])
        return (slice(start, min(start + size, high)) for start in range(low, high, size))

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """(J,) cluster and cohort position of the cluster × cohort cells; one a cohort (cluster −1) if not listed."""
        if not self.listed:
            return np.full(len(self.labels), -1), np.arange(len(self.labels))
        place = np.repeat(np.arange(len(self.labels)), self.ends - self.starts)
        keys = np.unique(self.cluster[self.order].astype(np.int64) * len(self.labels) + place)
        return keys // len(self.labels), keys % len(self.labels)

    def place(self, cohort: int, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where units of a cohort with these clusters begin a new cell, and which cells those are."""
        if not self.listed:
            return np.array([0]), np.array([cohort])
        starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
        c = len(self.labels)
        keys = self.cells[0] * c + self.cells[1]
        return starts, np.searchsorted(keys, cluster[starts].astype(np.int64) * c + cohort)


def row_sums(a: np.ndarray) -> np.ndarray:
    """(n, 1) sums over periods; a product with ones is several times faster than a reduction over few columns."""
    return (a @ np.ones(a.shape[1]))[:, None]


def segment_products(a: np.ndarray, b: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(s, T, T) a'b of the rows of each segment."""
    if 16 * len(starts) > len(a):
        return np.add.reduceat(a[:, :, None] * b[:, None, :], starts, axis=0)
    ends = np.r_[starts[1:], len(a)]
    return np.stack([a[low:high].T @ b[low:high] for low, high in zip(starts, ends)])
