"""One pass over a balanced panel: size, mean path and cross product of every cohort, by cluster where there are few.

The mean is taken around a first guess (each cohort's first unit) and the cross product corrected by it, so that a level
of 10⁶ around an effect of 1 costs no digits. Rows are read in blocks; no copy of the panel is made.
"""

from __future__ import annotations

import numpy as np

from ..core import Moments, Panel, frozen_array

BLOCK = 4_096
"""Rows read at a time: a block of 20 periods stays in cache."""
LISTED = 5_000
"""Up to this many units, each its own cluster, are listed as cells; more are known by their cross products alone."""


def cohort_moments(y: np.ndarray, cohort: np.ndarray, cluster: np.ndarray, n_clusters: int | None = None) -> Moments:
    """Moments of y (N, T), all of it observed, by cohort (N,) and cluster (N,) codes.

    Cells by cluster × cohort are listed where clusters hold several units, and for up to `LISTED` units.
    """
    labels, member = cohort_codes(cohort)
    n = np.bincount(member, minlength=len(labels))
    first = np.array([np.argmax(member == c) for c in range(len(labels))])
    pivot = np.asarray(y[first], dtype=float)
    size, total, square = n.astype(float), np.zeros_like(pivot), np.zeros((len(labels), y.shape[1], y.shape[1]))
    for c in range(len(labels)):
        units = np.flatnonzero(member == c)
        for start in range(0, len(units), BLOCK):
            block = np.asarray(y[units[start : start + BLOCK]], dtype=float)
            block -= pivot[c]
            total[c] += block.sum(axis=0)
            square[c] += block.T @ block
    shift = total / size[:, None]
    cross = square - size[:, None, None] * shift[:, :, None] * shift[:, None, :]
    count = int(cluster.max()) + 1 if n_clusters is None else n_clusters
    mean = pivot + shift
    several = len(y) > LISTED and bool(np.bincount(cluster, minlength=count).max() == 1)
    cells = {} if several else _cells(y, mean, member, cluster, len(labels))
    return Moments(
        cohorts=frozen_array(labels, np.int64),
        n=frozen_array(n, np.int64),
        mean=frozen_array(mean),
        cross=frozen_array(cross),
        n_clusters=count,
        **cells,
    )


def cluster_codes(panel: Panel) -> tuple[np.ndarray, int]:
    """(N,) positions of clusters among those of the panel, and their number."""
    present = np.bincount(panel.cluster) > 0
    if present.all():
        return panel.cluster, len(present)
    return (np.cumsum(present) - 1)[panel.cluster], int(present.sum())


def cluster_types(m: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(U, C) distinct numbers of units by cohort in a cluster, how many clusters have them, (G,) which has which.

    Where clusters are not listed every unit is its own, a type is a cohort, and the last is empty.
    """
    if m.cell_n is None or m.cell_cluster is None or m.cell_cohort is None:
        return np.eye(len(m.n)), m.n.astype(np.int64), np.zeros(0, dtype=int)
    profile = np.zeros((m.n_clusters, len(m.n)))
    profile[m.cell_cluster, m.cell_cohort] = m.cell_n
    return _kinds(profile)


def types_of_units(
    member: np.ndarray, cluster: np.ndarray, n_clusters: int, n: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same from every unit's cohort and cluster codes (N,); n (C,) units by cohort."""
    if int(np.bincount(cluster).max()) == 1:
        return np.eye(len(n)), n, np.zeros(0, dtype=int)
    count = np.bincount(cluster * len(n) + member, minlength=n_clusters * len(n))
    return _kinds(count.reshape(n_clusters, len(n)).astype(float))


def _kinds(profile: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    kinds, which, many = np.unique(profile, axis=0, return_inverse=True, return_counts=True)
    return kinds, np.where(kinds.any(axis=1), many, 0), which.reshape(-1)


def cohort_codes(cohort: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct cohorts, ascending, and the position of each unit's; without sorting the units."""
    low, high = int(cohort.min()), int(cohort.max())
    if high - low > 4 * len(cohort) + 1000:  # NEVER among small numbers
        small = np.where(cohort == high, cohort[cohort < high].max(initial=low) + 1, cohort)
        labels, member = cohort_codes(small)
        return np.r_[labels[:-1], high], member
    present = np.bincount(cohort - low, minlength=high - low + 1) > 0
    return np.flatnonzero(present) + low, (np.cumsum(present) - 1)[cohort - low]


def _cells(
    y: np.ndarray, mean: np.ndarray, member: np.ndarray, cluster: np.ndarray, n_cohorts: int
) -> dict[str, np.ndarray]:
    keys, cell = np.unique(cluster.astype(np.int64) * n_cohorts + member, return_inverse=True)
    count = np.bincount(cell)
    total = np.column_stack([np.bincount(cell, y[:, t] - mean[member, t]) for t in range(y.shape[1])])
    return {
        "cell_cluster": frozen_array(keys // n_cohorts, np.int64),
        "cell_cohort": frozen_array(keys % n_cohorts, np.int64),
        "cell_n": frozen_array(count, np.int64),
        "cell_sum": frozen_array(total),
    }
