"""Where the influence of blocks of units goes: cluster by cluster, or into cross products where there are too many.

Both keep what the jackknife in one step needs (the share h of a side's weight that a cluster holds: its influence on
that side is divided by 1 − h) and who carries the response weights (`influence_part`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from .att_gt_sample import Sample
from .influence_part import CellCarriers, SideCarriers
from .linalg import TOLERANCE
from .moments import LISTED


class Sums(Protocol):
    """Takes blocks of units of one cohort, in the order of their clusters."""

    block: int
    width: int

    def add(self, cohort: int, units: slice, psi: np.ndarray, pull: np.ndarray) -> None:
        """psi (n, width) influence; pull (n, S) response weights in each of the S comparisons."""

    def answers(self, reading: np.ndarray) -> dict[str, Any]:
        """What `InfluencePart` asks for besides the estimates."""


def sums_for(sample: Sample, cohorts: Sequence[int], group: np.ndarray, n_groups: int) -> Sums:
    """cohorts: treated cohort of each cell; group (k,) its comparison, of n_groups."""
    listed = not sample.each_alone or len(sample.y) <= LISTED
    return (ListedSums if listed else CrossedSums)(sample, cohorts, group, n_groups)


class _Base:
    def __init__(self, sample: Sample, cohorts: Sequence[int], group: np.ndarray, n_groups: int) -> None:
        self.sample, self.cohorts, self.group, self.n_groups = sample, np.asarray(cohorts), group, n_groups
        self.width = len(cohorts) + len(sample.shared)

    def _own(self, cohort: int) -> np.ndarray:
        """(width,) cells of which the cohort is the treated side."""
        return np.r_[self.cohorts == cohort, np.zeros(len(self.sample.shared), dtype=bool)]


class ListedSums(_Base):
    """Sums by cluster."""

    block = 2_048

    def __init__(self, sample: Sample, cohorts: Sequence[int], group: np.ndarray, n_groups: int) -> None:
        super().__init__(sample, cohorts, group, n_groups)
        g, c = sample.n_clusters, len(sample.labels)
        place = np.searchsorted(sample.labels, sample.cohort)
        self.keys = np.unique(sample.cluster.astype(np.int64) * c + place)
        self.influence = np.zeros((2, g, self.width))
        self.held = np.zeros((2, g, n_groups))
        self.gram = np.zeros((len(self.keys), n_groups, n_groups))

    def add(self, cohort: int, units: slice, psi: np.ndarray, pull: np.ndarray) -> None:
        cluster, own = self.sample.cluster[units], self._own(cohort)
        starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
        at, total = cluster[starts], np.add.reduceat(psi, starts, axis=0)
        self.influence[0][np.ix_(at, own)] += total[:, own]
        self.influence[1][np.ix_(at, ~own)] += total[:, ~own]
        weight = np.add.reduceat(pull, starts, axis=0)
        self.held[0][at] += np.clip(weight, 0, None)
        self.held[1][at] += np.clip(-weight, 0, None)
        c = len(self.sample.labels)
        key = np.searchsorted(self.keys, at.astype(np.int64) * c + self.sample.position[cohort])
        self.gram[key] += np.add.reduceat(pull[:, :, None] * pull[:, None, :], starts, axis=0)

    def answers(self, reading: np.ndarray) -> dict[str, Any]:
        c = len(self.sample.labels)
        whole = np.bincount(self.sample.cluster, minlength=self.sample.n_clusters) / len(self.sample.y)
        sizes = np.repeat(whole[:, None], len(self.sample.shared), axis=1)
        left = [1 - np.column_stack([self.held[s][:, self.group], sizes]) for s in (0, 1)]
        some = [rest > TOLERANCE for rest in left]
        return {
            "influence": self.influence.sum(axis=0),
            "one_step": sum(
                np.where(ok, self.influence[s] / np.where(ok, rest, 1.0), 0.0)
                for s, (ok, rest) in enumerate(zip(some, left))
            ),
            "carriers": CellCarriers(
                cluster=self.keys // c, side=self.keys % c, n_sides=c, gram=self.gram, reading=reading
            ),
        }


class CrossedSums(_Base):
    """Cross products over units that are each their own cluster; the jackknife in one step for variances, with the
    correlations of the influence as it is.
    """

    block = 4_096

    def __init__(self, sample: Sample, cohorts: Sequence[int], group: np.ndarray, n_groups: int) -> None:
        super().__init__(sample, cohorts, group, n_groups)
        c = len(sample.labels)
        self.plain, self.stretched = np.zeros((self.width, self.width)), np.zeros(self.width)
        self.gram = np.zeros((c, n_groups, n_groups))
        self.fourth = np.zeros((c, n_groups))

    def add(self, cohort: int, units: slice, psi: np.ndarray, pull: np.ndarray) -> None:
        place, k = self.sample.position[cohort], len(self.cohorts)
        self.plain += psi.T @ psi
        square = pull**2
        self.gram[place] += pull.T @ pull
        self.fourth[place] += np.einsum("ns,ns->s", square, square)
        stretch = 1 / (1 - np.minimum(np.abs(pull), 0.5)) ** 2
        for s in np.flatnonzero(square.sum(axis=0) > 0):
            mine = columns_of(np.flatnonzero(self.group == s).tolist())
            self.stretched[:k][mine] += stretch[:, s] @ psi[:, :k][:, mine] ** 2
        self.stretched[k:] += (psi[:, k:] ** 2).sum(axis=0)

    def answers(self, reading: np.ndarray) -> dict[str, Any]:
        second = np.einsum("css->cs", self.gram)
        number = np.divide(second**2, self.fourth, out=np.full_like(second, np.inf), where=self.fourth > 0)
        return {
            "covariances": {
                "cr0": self.plain,
                "cr2": _scaled(self.plain, (np.diag(self.plain) + self.stretched) / 2),
                "cr3": _scaled(self.plain, self.stretched),
            },
            "carriers": SideCarriers(
                n=np.diff(self.sample.edges),
                gram=self.gram,
                effective_units=np.column_stack(
                    [number[:, self.group], np.full((len(number), len(self.sample.shared)), np.inf)]
                ),
                reading=reading,
            ),
        }


def _scaled(covariance: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The covariance with other variances (k,) and its own correlations."""
    own = np.diag(covariance)
    root = np.sqrt(np.divide(variance, own, out=np.ones_like(own), where=own > 0))
    return covariance * np.outer(root, root)


def columns_of(index: list[int]) -> slice | list[int]:
    """A slice for neighbouring columns, one column for the same ones; else the list."""
    if index == list(range(index[0], index[0] + len(index))):
        return slice(index[0], index[0] + len(index))
    return slice(index[0], index[0] + 1) if len(set(index)) == 1 else index
