"""Models with unit effects whose other columns depend on cohort and period alone: read in blocks, solved in T × T algebra.

With mass m_it (weights; fitted counts for Poisson; 0 where a cell is missing) and X_c (T, p) the columns of a cohort, a
unit's share of the cross product is X_c'W_iX_c, W_i = diag(m_i) − m_i m_i'/Σm_i, and of the score X_c'r_i with r_i = m_i ∘
residual, which sums to zero within units. So A = Σ_c X_c'(Σ_i W_i)X_c, and n × p arrays are never made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import Panel
from .att_gt import cluster_codes
from .first_stage import by_cohort_and_cluster
from .moments import LISTED

NARROW = 5_000_000
"""Up to this many cells × columns a model is written out as a regression."""
ALGEBRA = 300_000_000
"""Up to this many clusters × columns³ cluster algebra is done in full; beyond it, in one step."""


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
        """(J,) cluster and cohort position of the cluster × cohort cells; one a cohort (cluster −1) where not listed."""
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Columns:
    """columns (C, T, p); used (C, T) cells in the sample; rows (k, C, T) the cells of each effect; contrast (k, p)."""

    columns: np.ndarray
    used: np.ndarray
    rows: np.ndarray
    contrast: np.ndarray

    @property
    def width(self) -> int:
        return self.columns.shape[2]


def columns_of(rows: np.ndarray, live: np.ndarray, used: np.ndarray) -> Columns:
    """Live effects, then a dummy for every used period but the first."""
    k, c, t = rows.shape
    periods = np.flatnonzero(used.any(axis=0))[1:]
    dummies = np.zeros((c, t, len(periods)))
    dummies[:, periods, np.arange(len(periods))] = 1.0
    effects = np.moveaxis(rows[live], 0, 2).astype(float)
    contrast = np.zeros((k, int(live.sum()) + len(periods)))
    contrast[np.flatnonzero(live), np.arange(int(live.sum()))] = 1.0
    both = np.concatenate([effects, dummies], axis=2) * used[:, :, None]
    return Columns(columns=both, used=used, rows=rows & used, contrast=contrast)


class Tally:
    """Who was seen: cells (C, T) units, units (C,), treated (k,) units of each row, present (J, T) clusters by cell."""

    def __init__(self, reader: Reader, rows: np.ndarray) -> None:
        k, c, t = rows.shape
        self.reader, self.rows = reader, rows
        self.cells, self.units, self.treated = np.zeros((c, t)), np.zeros(c, dtype=int), np.zeros(k, dtype=int)
        self.present = np.zeros((len(reader.cells[0]), t), dtype=bool)
        self.single = rows.sum(axis=(1, 2)) == 1

    def add(self, cohort: int, cluster: np.ndarray, ok: np.ndarray) -> None:
        """Units of a cohort, ordered by cluster, with the cells (n, T) that were seen."""
        own = self.rows[:, cohort]
        pooled = np.flatnonzero(own.any(axis=1) & ~self.single)
        count = ok.sum(axis=0)
        self.cells[cohort] += count
        self.units[cohort] += int((row_sums(ok.astype(np.float32)) > 0).sum())
        self.treated += np.where(self.single, own @ count, 0).astype(int)
        self.treated[pooled] += (ok.astype(np.float32) @ own[pooled].T.astype(np.float32) > 0).sum(axis=0)
        starts, at = self.reader.place(cohort, cluster)
        self.present[at] |= np.logical_or.reduceat(ok, starts, axis=0)

    def clusters(self) -> tuple[int, np.ndarray]:
        """Clusters seen, and treated clusters of each row (k,)."""
        cluster, cohort = self.reader.cells
        if not self.reader.listed:
            return int(self.units.sum()), self.treated
        own = [len(np.unique(cluster[(row[cohort] & self.present).any(axis=1)])) for row in self.rows]
        return len(np.unique(cluster[self.present.any(axis=1)])), np.array(own, dtype=int)


Piece = tuple[np.ndarray, np.ndarray, np.ndarray]
Pieces = Callable[[int], Iterator[Piece]]
"""Cohort position → blocks of clusters (n,), mass (n, T), r (n, T), ordered by cluster."""


def row_sums(a: np.ndarray) -> np.ndarray:
    """(n, 1) sums over periods; a product with ones is several times faster than a reduction over few columns."""
    return (a @ np.ones(a.shape[1]))[:, None]


def shares(mass: np.ndarray) -> np.ndarray:
    """(n, T) m_i / Σ m_i."""
    total = row_sums(mass)
    return mass * np.divide(1.0, total, out=np.zeros_like(total), where=total > 0)


def unit_gram(mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ_i W_i (T, T), and the shares (n, T)."""
    share = shares(mass)
    return np.diag(mass.sum(axis=0)) - mass.T @ share, share


def apply_gram(mass: np.ndarray, share: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """(n, T) W_i v_i."""
    return mass * (vectors - np.einsum("it,it->i", share, vectors)[:, None])


def joined(grams: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(p, p) Σ_c X_c' S_c X_c."""
    return np.einsum("ctp,cts,csq->pq", columns, grams, columns, optimize=True)


def segment_products(a: np.ndarray, b: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(s, T, T) a'b of the rows of each segment."""
    if 16 * len(starts) > len(a):
        return np.add.reduceat(a[:, :, None] * b[:, None, :], starts, axis=0)
    ends = np.r_[starts[1:], len(a)]
    return np.stack([a[low:high].T @ b[low:high] for low, high in zip(starts, ends)])
