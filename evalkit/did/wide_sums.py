"""A solved model of `wide`, and its sums by cell: cluster × cohort, where clusters are listed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .components import CellSums
from .reader import Reader, row_sums, segment_products
from .wide import Columns, Pieces, shares


@dataclass(frozen=True, kw_only=True, eq=False)
class Wide:
    """A solved model: its reader, columns, blocks of (cluster, mass, r), coefficients, and N, K of the cr1 factor,
    units in estimation.

    treated, control (k, C, T) cells that count a cluster as treated in a row, and as compared with
    counts           True for a Poisson model: mass is the fitted count
    """

    reader: Reader
    columns: Columns
    pieces: Pieces
    beta: np.ndarray
    contrast: np.ndarray
    treated: np.ndarray
    control: np.ndarray
    n_obs: int
    n_params: int
    n_units: int
    counts: bool = False


def listed_sums(wide: Wide) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sums by cell (J): W, P'diag(m²)P (J, T, T), r (J, T), and where mass was seen (J, T)."""
    reader, t = wide.reader, wide.reader.n_periods
    j = len(reader.cells[0])
    gram, second, score, seen = np.zeros((j, t, t)), np.zeros((j, t, t)), np.zeros((j, t)), np.zeros((j, t), dtype=bool)
    diagonal = np.arange(t)
    for cohort in range(len(reader.labels)):
        for cluster, mass, r in wide.pieces(cohort):
            starts, at = reader.place(cohort, cluster)
            share, square = shares(mass), mass**2
            gram[at] -= segment_products(mass, share, starts)
            gram[at[:, None], diagonal, diagonal] += np.add.reduceat(mass, starts, axis=0)
            crossed = segment_products(square, share, starts)
            own = segment_products(share * row_sums(square), share, starts)
            second[at] += own - crossed - np.swapaxes(crossed, 1, 2)
            second[at[:, None], diagonal, diagonal] += np.add.reduceat(square, starts, axis=0)
            score[at] += np.add.reduceat(r, starts, axis=0)
            seen[at] |= np.add.reduceat(mass > 0, starts, axis=0) > 0
    return gram, second, score, seen


def cell_sums(wide: Wide) -> CellSums:
    """Sums of fitted counts and residuals by cluster and period."""
    reader = wide.reader
    residual, weight = np.zeros((2, reader.n_clusters, reader.n_periods))
    squares = np.zeros(2)
    for cohort in range(len(reader.labels)):
        for cluster, mass, r in wide.pieces(cohort):
            starts = reader.place(cohort, cluster)[0]
            residual[cluster[starts]] += np.add.reduceat(r, starts, axis=0)
            weight[cluster[starts]] += np.add.reduceat(mass, starts, axis=0)
            squares += np.einsum("it,it->", r, r), np.einsum("it,it->", mass, mass)
    return CellSums(
        residual=residual, weight=weight, residual_square=float(squares[0]), weight_square=float(squares[1])
    )


def members_of(
    rows: np.ndarray, seen: np.ndarray, cluster: np.ndarray, cohort: np.ndarray, n_clusters: int
) -> np.ndarray:
    """(k, G) clusters with a seen cell (J, T) among the rows' cells (k, C, T)."""
    out = np.zeros((len(rows), n_clusters), dtype=bool)
    for r, on in enumerate(rows):
        out[r, cluster[(on[cohort] & seen).any(axis=1)]] = True
    return out
