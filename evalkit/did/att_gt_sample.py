"""The data behind ATT(g,t) of one outcome, and what every way of solving it hands back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .group_time import Cell
from .parts import Part
from .propensity import BLOCK


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Units of the sample: y (N, T), cohort (N,) capped at T, cluster (N,) codes 0..n_clusters−1; weight and covariates
    (N, T); cells to estimate and the sampled periods; complete where nothing is missing in those.
    """

    y: np.ndarray
    cohort: np.ndarray
    cluster: np.ndarray
    n_clusters: int
    weight: np.ndarray | None
    covariates: tuple[np.ndarray, ...]
    cells: tuple[Cell, ...]
    times: np.ndarray
    complete: bool = True

    @cached_property
    def labels(self) -> np.ndarray:
        """(C,) cohorts with units, ascending."""
        return np.flatnonzero(np.bincount(self.cohort))

    @cached_property
    def position(self) -> dict[int, int]:
        """Cohort → its place among `labels`."""
        return {int(c): i for i, c in enumerate(self.labels)}

    @cached_property
    def shared(self) -> list[int]:
        """Cohorts whose size weighs aggregates, in the order of the cells."""
        return list(dict.fromkeys(cell.cohort for cell in self.cells))

    @cached_property
    def order(self) -> np.ndarray:
        """(N,) units by cohort, then cluster."""
        return np.lexsort((self.cluster, self.cohort))

    @cached_property
    def edges(self) -> np.ndarray:
        """(C + 1,) where each cohort begins in `order`."""
        return np.r_[0, np.cumsum(np.bincount(self.cohort)[self.labels])]

    def sorted(self) -> Sample:
        """The sample with its units by cohort, then cluster, so that cohorts are slices; periods of y are contiguous,
        and covariates that do not change over time have one column.
        """
        order, y = self.order, np.empty(self.y.shape, order="F")
        for at in _slices(len(order)):
            y[at] = self.y[order[at]]
        covariates = tuple(c[:, :1] for c in self.covariates) if self.fixed else self.covariates
        return replace(
            self,
            y=y,
            cohort=self.cohort[order],
            cluster=self.cluster[order],
            weight=None if self.weight is None else self.weight[order],
            covariates=tuple(c[order] for c in covariates),
        )

    def span(self, cohort: int) -> slice:
        """The units of a cohort in a sorted sample."""
        i = self.position[cohort]
        return slice(int(self.edges[i]), int(self.edges[i + 1]))

    @cached_property
    def design(self) -> np.ndarray:
        """(N, p) a column of ones and covariates that do not change over time."""
        return np.array([np.ones(len(self.y)), *(c[:, 0] for c in self.covariates)]).T

    @cached_property
    def ones(self) -> np.ndarray:
        return np.ones(len(self.y))

    @cached_property
    def fixed(self) -> bool:
        """True where covariates and weights do not change over time, so that no comparison depends on the base."""
        arrays = [*self.covariates, *(() if self.weight is None else (self.weight,))]
        return all(_constant(a[at]) for a in arrays for at in _slices(len(self.y)))

    @cached_property
    def each_alone(self) -> bool:
        """True where every unit is its own cluster."""
        return bool(np.bincount(self.cluster).max() == 1)

    def clusters_of(self, cohort: int) -> int:
        """Number of clusters with units of a cohort."""
        return int(np.count_nonzero(np.bincount(self.cluster[self.cohort == cohort])))

    @cached_property
    def mass(self) -> np.ndarray:
        """(N,) weight of a unit in the size of its cohort: its first, or the mean of those seen where some are missing
        (as R did), or 1.
        """
        if self.weight is None:
            return np.ones(len(self.y))
        seen = np.where(np.isfinite(self.y[:, self.times]), self.weight[:, self.times], np.nan)
        return seen[:, 0] if np.isfinite(seen).all() else np.nanmean(seen, axis=1)

    @cached_property
    def sizes(self) -> np.ndarray:
        """(s,) size of each shared cohort as a share of all units."""
        total = np.bincount(self.cohort, self.mass, minlength=int(self.labels[-1]) + 1)
        return total[self.shared] / len(self.y)

    def units(self, cohort: int) -> np.ndarray:
        """Units of a cohort, ordered by cluster."""
        i = self.position[cohort]
        return self.order[self.edges[i] : self.edges[i + 1]]

    def blocks(self, cohort: int, size: int = BLOCK) -> Iterator[slice]:
        """Units of a cohort in a sorted sample, some at a time."""
        span = self.span(cohort)
        return (slice(a, min(a + size, span.stop)) for a in range(span.start, span.stop, size))

    def x(self, units: slice | np.ndarray, time: int) -> np.ndarray:
        """(n, p) a column of ones and the covariates in a period."""
        if self.fixed:
            return self.design[units]
        return np.column_stack([self.ones[units], *(c[units, time] for c in self.covariates)])

    def w(self, units: slice | np.ndarray, time: int) -> np.ndarray:
        """(n,) weights in a period."""
        return self.ones[units] if self.weight is None else self.weight[units, time]

    def sides(self, kept: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """(width, C) cohorts treated in the cells kept, and compared with; nothing for the sizes that follow."""
        treated = np.zeros((len(kept) + len(self.shared), len(self.labels)), dtype=bool)
        control = np.zeros_like(treated)
        for k, i in enumerate(kept):
            if self.cells[i].live:
                treated[k, self.position[self.cells[i].cohort]] = True
                control[k, [self.position[c] for c in self.cells[i].controls]] = True
        return treated, control


def _constant(a: np.ndarray) -> bool:
    """True where every row of (n, T) holds one number; neighbours in memory are compared, not rows one by one."""
    if not a.flags.c_contiguous:
        return bool((a == a[:, :1]).all())
    t, flat = a.shape[1], a.reshape(-1)
    same = flat[1:] == flat[:-1]
    same[t - 1 :: t] = True
    return bool(same.all() and (flat[::t] == flat[::t]).all())


def _slices(n: int, size: int = BLOCK) -> Iterator[slice]:
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


@dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """kept (indices of cells), their estimates, the part that answers for them (cells, then sizes of `Sample.shared`),
    and the cells refused with the reason.
    """

    kept: list[int]
    estimate: np.ndarray
    part: Part
    refused: tuple[tuple[int, str], ...] = ()
