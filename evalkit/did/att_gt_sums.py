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

    def add(self, cohort: int, units: np.ndarray, psi: np.ndarray, pull: np.ndarray) -> None:
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

    def add(self, cohort: int, units: np.ndarray, psi: np.ndarray, pull: np.ndarray) -> None:
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
    """Cross products over units that are each their own cluster."""

    block = 16_384

    def __init__(self, sample: Sample, cohorts: Sequence[int], group: np.ndarray, n_groups: int) -> None:
        super().__init__(sample, cohorts, group, n_groups)
        c = len(sample.labels)
        self.plain, self.stretched = np.zeros((2, self.width, self.width))
        self.gram = np.zeros((c, n_groups, n_groups))
        self.fourth = np.zeros((c, n_groups))

    def add(self, cohort: int, units: np.ndarray, psi: np.ndarray, pull: np.ndarray) -> None:
        place, n = self.sample.position[cohort], len(self.sample.y)
        self.plain += psi.T @ psi
        stretch = 1 / (1 - np.minimum(np.abs(pull), 0.5))
        psi[:, : len(self.cohorts)] *= stretch[:, self.group]
        psi[:, len(self.cohorts) :] *= n / (n - 1)
        self.stretched += psi.T @ psi
        square = pull**2
        self.gram[place] += pull.T @ pull
        self.fourth[place] += (square**2).sum(axis=0)

    def answers(self, reading: np.ndarray) -> dict[str, Any]:
        second = np.einsum("css->cs", self.gram)
        number = np.divide(second**2, self.fourth, out=np.full_like(second, np.inf), where=self.fourth > 0)
        return {
            "covariances": {
                "cr0": self.plain,
                "cr2": (self.plain + self.stretched) / 2,
                "cr3": self.stretched,
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
