"""ATT(g,t) of repeated cross-sections and unbalanced panels with covariates: every cell compares the rows seen at its
two periods.

Rows of a unit seen more than once are summed within the unit (or its cluster), as R did does with an unbalanced panel.
Covariates and weights are those of the row.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .att_gt_panel import size_influence, sizes_without
from .att_gt_sample import Sample, Solved
from .att_gt_seen import reading_of_ends
from .cross_section import SectionEffect, section_effect
from .group_time import Cell
from .influence_part import REFIT, CellCarriers, InfluencePart, SideCarriers
from .linalg import TOLERANCE
from .moments import LISTED
from .propensity import NotEstimable

REFIT_ROWS = 100_000_000
"""Re-fits read at most so many rows in all; beyond it the jackknife takes one step."""


def solve(sample: Sample, method: str) -> Solved:
    """Estimates by "dr", "ipw" or "reg" and their part; a comparison without an estimate refuses its cell."""
    listed = not sample.each_alone or len(sample.y) <= LISTED
    sums = _Listed(sample) if listed else _Dense(sample)
    value: dict[int, float] = {}
    refused, read = [], 0
    for i, cell in enumerate(sample.cells):
        if not cell.live:
            continue
        rows = _Rows(sample, cell)
        try:
            effect = rows.fit(method)
        except NotEstimable as error:
            refused.append((i, error.reason))
            continue
        sums.add(i, rows, effect)
        value[i], read = effect.estimate, read + len(rows.unit)
    if not value:
        raise NotEstimable(refused[0][1])
    lost = {i for i, _ in refused}
    kept = [i for i in range(len(sample.cells)) if i not in lost]
    estimate = np.array([value.get(i, 0.0) for i in kept])
    answers = sums.answers(kept)
    if listed:
        answers["without"] = _without(sample, kept, method, estimate, read)
    treated, control = sample.sides(kept)
    part = InfluencePart(
        estimate=np.r_[estimate, sample.sizes],
        treated=treated,
        control=control,
        n_obs=int(np.isfinite(sample.y[:, sample.times]).sum()),
        n_params=len(sample.labels) * (len(sample.times) - 1) + 1 + len(sample.covariates),
        **answers,
    )
    return Solved(kept=kept, estimate=estimate, part=part, refused=tuple(refused))


class _Rows:
    """The rows of one cell: unit, whether after, whether treated."""

    def __init__(self, sample: Sample, cell: Cell) -> None:
        self.sample, self.cell = sample, cell
        units = np.concatenate([sample.units(c) for c in (cell.cohort, *cell.controls)])
        pieces = []
        for time in (cell.time, cell.base):
            ok = np.isfinite(sample.y[units, time])
            for c in sample.covariates:
                ok &= np.isfinite(c[units, time])
            if sample.weight is not None:
                ok &= np.nan_to_num(sample.weight[units, time]) > 0
            pieces.append(units[ok])
        self.unit = np.concatenate(pieces)
        self.after = np.arange(len(self.unit)) < len(pieces[0])
        self.treated = sample.cohort[self.unit] == cell.cohort

    def fit(self, method: str, keep: np.ndarray | None = None) -> SectionEffect:
        """The effect, of the rows to keep (n,) where told."""
        at = np.ones(len(self.unit), dtype=bool) if keep is None else keep
        unit, after = self.unit[at], self.after[at]
        time = np.where(after, self.cell.time, self.cell.base)
        x = np.column_stack([np.ones(len(unit)), *(c[unit, time] for c in self.sample.covariates)])
        w = None if self.sample.weight is None else self.sample.weight[unit, time]
        return section_effect(self.sample.y[unit, time], after, self.treated[at], x, w, method)


class _Listed:
    """Sums by cluster of every cell's influence; who carries them by cluster × cohort, both ends of every cell.

    Groups are taken to carry the cells in proportion (`CellCarriers.loads`): exact without covariates.
    """

    def __init__(self, sample: Sample) -> None:
        self.sample, n = sample, len(sample.cells)
        c = len(sample.labels)
        place = np.searchsorted(sample.labels, sample.cohort)
        self.keys, self.key = np.unique(sample.cluster.astype(np.int64) * c + place, return_inverse=True)
        self.influence, self.one_step = np.zeros((2, sample.n_clusters, n))
        self.loads = np.zeros((len(self.keys), n, 2))

    def add(self, i: int, rows: _Rows, effect: SectionEffect) -> None:
        g = self.sample.n_clusters
        for side in (True, False):
            on = rows.treated == side
            cluster = self.sample.cluster[rows.unit[on]]
            psi = np.bincount(cluster, effect.influence[on], minlength=g)
            held = np.bincount(cluster, np.abs(effect.response[on]), minlength=g)
            left = 1 - held / max(held.sum(), 1e-300)
            self.influence[:, i] += psi
            self.one_step[:, i] += np.where(left > TOLERANCE, psi / np.where(left > TOLERANCE, left, 1.0), 0.0)
        self.loads[:, i] = _ends(self.key, len(self.keys), rows, effect)

    def answers(self, kept: list[int]) -> dict[str, Any]:
        sample, g, c = self.sample, self.sample.n_clusters, len(self.sample.labels)
        sizes = np.zeros((g, len(sample.shared)))
        for cohort in (int(x) for x in sample.labels):
            units = sample.units(cohort)
            np.add.at(sizes, sample.cluster[units], size_influence(sample, cohort, units))
        whole = np.bincount(sample.cluster, minlength=g) / len(sample.y)
        return {
            "influence": np.hstack([self.influence[:, kept], sizes]),
            "one_step": np.hstack([self.one_step[:, kept], sizes / (1 - whole)[:, None]]),
            "carriers": CellCarriers(
                cluster=self.keys // c,
                side=self.keys % c,
                n_sides=c,
                loads=self.loads[:, kept].reshape(len(self.keys), -1),
                reading=reading_of_ends(sample, kept),
            ),
        }


def _ends(key: np.ndarray, n_keys: int, rows: _Rows, effect: SectionEffect) -> np.ndarray:
    """(n_keys, 2) response weights ±√Σ a² of groups of units, `key` (N,), at both ends of a cell."""
    out = np.zeros((n_keys, 2))
    for end in (0, 1):
        on = rows.after == (end == 0)
        group, response = key[rows.unit[on]], effect.response[on]
        square = np.bincount(group, response**2, minlength=n_keys)
        out[:, end] = np.sign(np.bincount(group, response, minlength=n_keys)) * np.sqrt(square)
    return out


def _without(sample: Sample, kept: list[int], method: str, estimate: np.ndarray, read: int) -> np.ndarray | None:
    """(G, width) estimates without each cluster, NaN where there is none; None where re-fits would take too long.

    read: rows of all cells.
    """
    present = np.unique(sample.cluster)
    if len(present) > REFIT or len(present) * read > REFIT_ROWS:
        return None
    out = np.tile(np.r_[estimate, sample.sizes], (sample.n_clusters, 1))
    for j, i in enumerate(kept):
        if not sample.cells[i].live:
            continue
        rows = _Rows(sample, sample.cells[i])
        cluster = sample.cluster[rows.unit]
        for g in np.unique(cluster):
            try:
                out[g, j] = rows.fit(method, cluster != g).estimate
            except NotEstimable:
                out[g, j] = np.nan
    out[:, len(kept) :] = sizes_without(sample)
    return out


class _Dense:
    """Units that are each their own cluster, too many to list: influence (N, width) is held once, then crossed."""

    def __init__(self, sample: Sample) -> None:
        self.sample, n = sample, len(sample.y)
        c, k, width = len(sample.labels), len(sample.cells), len(sample.cells) + len(sample.shared)
        self.place = np.searchsorted(sample.labels, sample.cohort)
        self.influence, self.number = np.zeros((n, width)), np.full((c, width), np.inf)
        self.stretch = np.full((n, width), n / (n - 1), dtype=np.float32)
        self.stretch[:, :k] = 1.0
        self.loads = np.zeros((c, k, 2))

    def add(self, i: int, rows: _Rows, effect: SectionEffect) -> None:
        c, n = len(self.sample.labels), len(self.sample.y)
        np.add.at(self.influence[:, i], rows.unit, effect.influence)
        pull = np.bincount(rows.unit, np.abs(effect.response), minlength=n) / 2
        self.stretch[:, i] = 1 / (1 - np.minimum(pull, 0.5))
        square, fourth = (np.bincount(self.place, pull**p, minlength=c) for p in (2, 4))
        self.number[:, i] = np.divide(square**2, fourth, out=np.full(c, np.inf), where=fourth > 0)
        self.loads[:, i] = _ends(self.place, c, rows, effect)

    def answers(self, kept: list[int]) -> dict[str, Any]:
        sample, k = self.sample, len(self.sample.cells)
        for cohort in (int(x) for x in sample.labels):
            units = sample.units(cohort)
            self.influence[units, k:] = size_influence(sample, cohort, units)
        columns = np.r_[kept, k + np.arange(len(sample.shared))]
        square = np.ix_(columns, columns)
        plain = (self.influence.T @ self.influence)[square]
        self.influence *= self.stretch
        stretched = (self.influence.T @ self.influence)[square]
        loads = self.loads[:, kept].reshape(len(self.loads), -1)
        return {
            "covariances": {"cr0": plain, "cr2": (plain + stretched) / 2, "cr3": stretched},
            "carriers": SideCarriers(
                n=np.bincount(self.place, minlength=len(sample.labels)),
                gram=loads[:, :, None] * loads[:, None, :],
                effective_units=self.number[:, columns],
                reading=reading_of_ends(sample, kept),
            ),
        }
