"""Models with unit effects whose other columns depend on cohort and period alone: read in blocks, solved in T × T
algebra.

With mass m_it (weights; fitted counts for Poisson; 0 where a cell is missing) and X_c (T, p) the columns of a cohort, a
unit's share of the cross product is X_c'W_iX_c, W_i = diag(m_i) − m_i m_i'/Σm_i, and of the score X_c'r_i with r_i =
m_i ∘ residual, which sums to zero within units. So A = Σ_c X_c'(Σ_i W_i)X_c, and n × p arrays are never made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .reader import Reader, row_sums

NARROW = 5_000_000
"""Up to this many cells × columns a model is written out as a regression."""
ALGEBRA = 300_000_000
"""Up to this many clusters × columns³ cluster algebra is done in full; beyond it, in one step."""


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
