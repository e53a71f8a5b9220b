"""ATT(g,t) of repeated cross-sections and unbalanced panels without covariates: algebra on sums of the rows seen.

θ = (ȳ_gt − ȳ_gb) − (ȳ_Ct − ȳ_Cb), each mean over the rows seen in its period, weighted where there are weights, so that
sums by cluster, cohort and period hold all cells with their covariance and every estimate without a cluster. Where
every unit is a cluster and there are too many to list, the influence of units, Σ_t ℓ_t w_it (y_it − ȳ_t) with ℓ = ±1/Σw
at both ends of a cell, is made and crossed block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .att_gt_panel import size_influence, sizes_without
from .att_gt_sample import Sample, Solved
from .group_time import Cell
from .influence_part import REFIT, CellCarriers, InfluencePart, SideCarriers
from .linalg import TOLERANCE
from .moments import LISTED
from .propensity import NotEstimable

BLOCK = 4_096
"""Units read at a time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Of the J clusters × cohorts (of the cohorts, where clusters are not listed), by period (J, T).

    cluster, cohort (J,) codes and places among `Sample.labels`; count rows seen, mass Σ w, square Σ w², total Σ w y;
    seen: rows with an outcome in the sampled periods, of any weight. y is taken from `pivot` (T,).
    """

    cluster: np.ndarray
    cohort: np.ndarray
    count: np.ndarray
    mass: np.ndarray
    square: np.ndarray
    total: np.ndarray
    seen: int
    pivot: np.ndarray

    def of_cohorts(self, values: np.ndarray, n: int) -> np.ndarray:
        """(C, T) sums over clusters."""
        out = np.zeros((n, values.shape[1]))
        np.add.at(out, self.cohort, values)
        return out


def solve(sample: Sample) -> Solved:
    """Estimates of all cells whose four means have rows, and their part."""
    listed = not sample.each_alone or len(sample.y) <= LISTED
    sums = _sums(sample, listed)
    count, mass, total = (sums.of_cohorts(a, len(sample.labels)) for a in (sums.count, sums.mass, sums.total))
    refused = [(i, why) for i, cell in enumerate(sample.cells) if cell.live and (why := _empty(sample, cell, count))]
    lost = {i for i, _ in refused}
    kept = [i for i in range(len(sample.cells)) if i not in lost]
    if not any(sample.cells[i].live for i in kept):
        raise NotEstimable(refused[0][1])
    load = Loads(sample=sample, kept=kept, mass=mass, total=total)
    answers = _listed(load, sums) if listed else _crossed(load, sums)
    treated, control = sample.sides(kept)
    part = InfluencePart(
        estimate=np.r_[load.estimate, sample.sizes],
        treated=treated,
        control=control,
        n_obs=sums.seen,
        n_params=len(sample.labels) * (len(sample.times) - 1) + 1,
        **answers,
    )
    return Solved(kept=kept, estimate=load.estimate, part=part, refused=tuple(refused))


def _empty(sample: Sample, cell: Cell, count: np.ndarray) -> str:
    """Why a cell has no estimate; "" where it has one."""
    both = [cell.time, cell.base]
    if not count[sample.position[cell.cohort], both].all():
        return "no_treated"
    pool = [sample.position[c] for c in cell.controls]
    return "" if count[pool][:, both].sum(axis=0).all() else "no_control"


def _read(
    sample: Sample, cohort: int, pivot: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Units (n,) of a cohort by cluster, some at a time: flags seen, w and w·(y − pivot) (n, T), 0 where not seen."""
    units = sample.units(cohort)
    for start in range(0, len(units), BLOCK):
        at = units[start : start + BLOCK]
        y = sample.y[at] - pivot
        seen = np.isfinite(y)
        w = seen.astype(float)
        if sample.weight is not None:
            w *= np.nan_to_num(np.maximum(sample.weight[at], 0.0))
        yield at, seen, w, w * np.where(seen, y, 0.0)


def _pivot(sample: Sample) -> np.ndarray:
    """(T,) a first guess of the level of each period, which saves digits."""
    y = sample.y[:BLOCK]
    seen = np.isfinite(y)
    return np.where(seen, y, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)


def _sums(sample: Sample, listed: bool) -> Sums:
    c, t, pivot = len(sample.labels), sample.y.shape[1], _pivot(sample)
    if listed:
        keys = np.unique(sample.cluster.astype(np.int64) * c + np.searchsorted(sample.labels, sample.cohort))
    else:
        keys = np.arange(c)
    out, rows = np.zeros((4, len(keys), t)), 0
    for place, label in enumerate(sample.labels.tolist()):
        for units, seen, w, wy in _read(sample, label, pivot):
            rows += int(seen[:, sample.times].sum())
            starts, at = np.zeros(1, dtype=int), np.array([place])
            if listed:
                cluster = sample.cluster[units]
                starts = np.flatnonzero(np.r_[True, cluster[1:] != cluster[:-1]])
                at = np.searchsorted(keys, cluster[starts].astype(np.int64) * c + place)
            for sums, values in zip(out, (w > 0, w, w**2, wy)):
                sums[at] += np.add.reduceat(values, starts, axis=0, dtype=float)
    return Sums(
        cluster=keys // c if listed else np.full(c, -1),
        cohort=keys % c,
        count=out[0],
        mass=out[1],
        square=out[2],
        total=out[3],
        seen=rows,
        pivot=pivot,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Loads:
    """The cells kept (k), from sums Σ w and Σ w y (C, T) of the cohorts."""

    sample: Sample
    kept: list[int]
    mass: np.ndarray
    total: np.ndarray

    @cached_property
    def cells(self) -> list[tuple[int, Cell, int, list[int]]]:
        """Live cells: their row, the cell, places of its cohort and of its controls."""
        place, cells = self.sample.position, self.sample.cells
        return [
            (j, cells[i], place[cells[i].cohort], [place[c] for c in cells[i].controls])
            for j, i in enumerate(self.kept)
            if cells[i].live
        ]

    def estimates(self, mass: np.ndarray, total: np.ndarray) -> np.ndarray:
        """(..., k) from sums of the cohorts (..., C, T)."""
        out = np.zeros((*mass.shape[:-2], len(self.kept)))
        for j, cell, g, pool in self.cells:
            for sign, time in ((1, cell.time), (-1, cell.base)):
                own = total[..., g, time] / mass[..., g, time]
                out[..., j] += sign * (own - total[..., pool, time].sum(axis=-1) / mass[..., pool, time].sum(axis=-1))
        return out

    @cached_property
    def estimate(self) -> np.ndarray:
        return self.estimates(self.mass, self.total)

    @cached_property
    def ends(self) -> tuple[np.ndarray, np.ndarray]:
        """(C, k, T) ℓ and ℓ·ȳ of a cohort's rows in every cell."""
        load, centred = np.zeros((2, len(self.mass), len(self.kept), self.mass.shape[1]))
        for j, cell, g, pool in self.cells:
            for sign, time in ((1, cell.time), (-1, cell.base)):
                for s, side in ((sign, [g]), (-sign, pool)):
                    mass = self.mass[side, time].sum()
                    load[side, j, time] = s / mass
                    centred[side, j, time] = s / mass * (self.total[side, time].sum() / mass)
        return load, centred

    def carried(self, cohort: np.ndarray, square: np.ndarray) -> np.ndarray:
        """(J, 2k) what groups of units of these cohorts with Σ w² (J, T) carry of both ends: ±√Σ a²."""
        out = np.zeros((len(cohort), 2 * len(self.kept)))
        for j, cell, _, _ in self.cells:
            for end, time in enumerate((cell.time, cell.base)):
                out[:, 2 * j + end] = self.ends[0][cohort, j, time] * np.sqrt(square[:, time])
        return out


def reading_of_ends(sample: Sample, kept: list[int]) -> np.ndarray:
    """(T, 2k, width) every cell takes its two ends, each in its period."""
    k = len(kept)
    out = np.zeros((sample.y.shape[1], 2 * k, k + len(sample.shared)))
    for j, i in enumerate(kept):
        cell = sample.cells[i]
        if cell.live:
            out[cell.time, 2 * j, j] = out[cell.base, 2 * j + 1, j] = 1.0
    return out


def _listed(load: Loads, sums: Sums) -> dict[str, Any]:
    """Sums by cluster; who carries them by cluster × cohort, both ends of every cell."""
    sample, k = load.sample, len(load.kept)
    g, width = sample.n_clusters, k + len(sample.shared)
    psi, held = np.zeros((2, 2, g, k))
    for place, label in enumerate(sample.labels.tolist()):
        at = sums.cohort == place
        own = np.array([sample.cells[i].cohort == label for i in load.kept])
        ell, centred = (a[place] for a in load.ends)
        influence = sums.total[at] @ ell.T - sums.mass[at] @ centred.T
        share = sums.mass[at] @ np.abs(ell).T
        for side, on in enumerate((own, ~own)):
            psi[side][np.ix_(sums.cluster[at], on)] += influence[:, on]
            held[side][np.ix_(sums.cluster[at], on)] += share[:, on]
    left = 1 - held / np.maximum(held.sum(axis=1, keepdims=True), 1e-300)
    some = left > TOLERANCE
    sizes = np.zeros((g, len(sample.shared)))
    for label in sample.labels.tolist():
        units = sample.units(label)
        own_size = size_influence(sample, label, units)
        sizes += np.column_stack([np.bincount(sample.cluster[units], v, minlength=g) for v in own_size.T])
    whole = np.bincount(sample.cluster, minlength=g) / len(sample.y)
    one_step = np.where(some, psi / np.where(some, left, 1.0), 0.0).sum(axis=0)
    return {
        "influence": np.hstack([psi.sum(axis=0), sizes]).reshape(g, width),
        "one_step": np.hstack([one_step, sizes / (1 - whole)[:, None]]),
        "without": _without(load, sums),
        "carriers": CellCarriers(
            cluster=sums.cluster,
            side=sums.cohort,
            n_sides=len(sample.labels),
            loads=load.carried(sums.cohort, sums.square),
            reading=reading_of_ends(sample, load.kept),
        ),
    }


def _without(load: Loads, sums: Sums) -> np.ndarray | None:
    """(G, width) estimates without each cluster, NaN where a mean has no rows then; None for many clusters."""
    sample = load.sample
    if len(np.unique(sample.cluster)) > REFIT:
        return None
    shape = (sample.n_clusters, *load.mass.shape)
    count, mass, total = np.zeros((3, *shape))
    for out, values in zip((count, mass, total), (sums.count, sums.mass, sums.total)):
        out[sums.cluster, sums.cohort] = values
        out[:] = out.sum(axis=0) - out
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = load.estimates(mass, total)
    for j, cell, g, pool in load.cells:
        for time in (cell.time, cell.base):
            gone = (count[:, g, time] == 0) | (count[:, pool, time].sum(axis=1) == 0)
            estimate[gone, j] = np.nan
    return np.hstack([estimate, sizes_without(sample)])


def _crossed(load: Loads, sums: Sums) -> dict[str, Any]:
    """Units that are each their own cluster, too many to list: their influence (n, width) block by block, crossed."""
    sample, k = load.sample, len(load.kept)
    n, c, width = len(sample.y), len(sample.labels), k + len(sample.shared)
    plain, stretched = np.zeros((2, width, width))
    second, fourth = np.zeros((2, c, k))
    for place, label in enumerate(sample.labels.tolist()):
        ell, centred = (a[place].T for a in load.ends)
        for units, _, w, wy in _read(sample, label, sums.pivot):
            psi = np.hstack([wy @ ell - w @ centred, size_influence(sample, label, units)])
            pull = w @ np.abs(ell) / 2
            plain += psi.T @ psi
            psi[:, :k] /= 1 - np.minimum(pull, 0.5)
            psi[:, k:] *= n / (n - 1)
            stretched += psi.T @ psi
            pull *= pull
            second[place] += pull.sum(axis=0)
            fourth[place] += np.einsum("nk,nk->k", pull, pull)
    number = np.full((c, width), np.inf)
    number[:, :k] = np.divide(second**2, fourth, out=np.full((c, k), np.inf), where=fourth > 0)
    ends = load.carried(sums.cohort, sums.square)
    return {
        "covariances": {"cr0": plain, "cr2": (plain + stretched) / 2, "cr3": stretched},
        "carriers": SideCarriers(
            n=np.diff(sample.edges),
            gram=ends[:, :, None] * ends[:, None, :],
            effective_units=number,
            reading=reading_of_ends(sample, load.kept),
        ),
    }
