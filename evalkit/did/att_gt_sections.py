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
    rows, effects, refused = {}, {}, []
    for i, cell in enumerate(sample.cells):
        if not cell.live:
            continue
        rows[i] = _Rows(sample, cell)
        try:
            effects[i] = rows[i].fit(method)
        except NotEstimable as error:
            refused.append((i, error.reason))
    if not effects:
        raise NotEstimable(refused[0][1])
    lost = {i for i, _ in refused}
    kept = [i for i in range(len(sample.cells)) if i not in lost]
    estimate = np.array([effects[i].estimate if i in effects else 0.0 for i in kept])
    collect = _listed if not sample.each_alone or len(sample.y) <= LISTED else _dense
    answers = collect(sample, kept, rows, effects, method, estimate)
    treated, control = sample.sides(kept)
    seen = int(np.isfinite(sample.y[:, sample.times]).sum())
    part = InfluencePart(
        estimate=np.r_[estimate, sample.sizes],
        treated=treated,
        control=control,
        n_obs=seen,
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


def _listed(
    sample: Sample,
    kept: list[int],
    rows: dict[int, _Rows],
    effects: dict[int, SectionEffect],
    method: str,
    estimate: np.ndarray,
) -> dict[str, Any]:
    """Sums by cluster; who carries them by cluster × cohort, both ends of every cell."""
    g, c, k = sample.n_clusters, len(sample.labels), len(kept)
    place = np.searchsorted(sample.labels, sample.cohort)
    keys, key = np.unique(sample.cluster.astype(np.int64) * c + place, return_inverse=True)
    influence, one_step = np.zeros((2, g, k + len(sample.shared)))
    for j, i in enumerate(kept):
        if i not in effects:
            continue
        r, e = rows[i], effects[i]
        for side in (True, False):
            on = r.treated == side
            psi = np.bincount(sample.cluster[r.unit[on]], e.influence[on], minlength=g)
            held = np.bincount(sample.cluster[r.unit[on]], np.abs(e.response[on]), minlength=g)
            left = 1 - held / max(held.sum(), 1e-300)
            influence[:, j] += psi
            one_step[:, j] += np.where(left > TOLERANCE, psi / np.where(left > TOLERANCE, left, 1.0), 0.0)
    for cohort in (int(x) for x in sample.labels):
        units = sample.units(cohort)
        np.add.at(influence[:, k:], sample.cluster[units], size_influence(sample, cohort, units))
    whole = np.bincount(sample.cluster, minlength=g) / len(sample.y)
    one_step[:, k:] = influence[:, k:] / (1 - whole)[:, None]
    loads, reading = _ends(sample, kept, rows, effects, key, len(keys))
    return {
        "influence": influence,
        "one_step": one_step,
        "without": _without(sample, kept, rows, effects, method, estimate),
        "carriers": CellCarriers(cluster=keys // c, side=keys % c, n_sides=c, loads=loads, reading=reading),
    }


def _ends(
    sample: Sample,
    kept: list[int],
    rows: dict[int, _Rows],
    effects: dict[int, SectionEffect],
    key: np.ndarray,
    n_keys: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Response weights of groups of units (N,) `key` at both ends of every cell: ±√Σ a² (n_keys, 2k), and the reading.

    Groups are taken to carry the cells in proportion (`CellCarriers.loads`): exact without covariates.
    """
    loads = np.zeros((n_keys, 2 * len(kept)))
    for j, i in enumerate(kept):
        if i not in effects:
            continue
        r, e = rows[i], effects[i]
        for end in (0, 1):
            on = r.after == (end == 0)
            square = np.bincount(key[r.unit[on]], e.response[on] ** 2, minlength=n_keys)
            sign = np.sign(np.bincount(key[r.unit[on]], e.response[on], minlength=n_keys))
            loads[:, 2 * j + end] = sign * np.sqrt(square)
    return loads, reading_of_ends(sample, kept)


def _without(
    sample: Sample,
    kept: list[int],
    rows: dict[int, _Rows],
    effects: dict[int, SectionEffect],
    method: str,
    estimate: np.ndarray,
) -> np.ndarray | None:
    """(G, width) estimates without each cluster, NaN where there is none; None where re-fits would take too long."""
    present = np.unique(sample.cluster)
    if len(present) > REFIT or len(present) * sum(len(rows[i].unit) for i in effects) > REFIT_ROWS:
        return None
    out = np.tile(np.r_[estimate, sample.sizes], (sample.n_clusters, 1))
    for j, i in enumerate(kept):
        if i not in effects:
            continue
        cluster = sample.cluster[rows[i].unit]
        for g in np.unique(cluster):
            try:
                out[g, j] = rows[i].fit(method, cluster != g).estimate
            except NotEstimable:
                out[g, j] = np.nan
    out[:, len(kept) :] = sizes_without(sample)
    return out


def _dense(
    sample: Sample,
    kept: list[int],
    rows: dict[int, _Rows],
    effects: dict[int, SectionEffect],
    method: str,
    estimate: np.ndarray,
) -> dict[str, Any]:
    """Units that are each their own cluster, too many to list: influence (N, width) is held once, then crossed."""
    n, c, k = len(sample.y), len(sample.labels), len(kept)
    place = np.searchsorted(sample.labels, sample.cohort)
    influence, number = np.zeros((n, k + len(sample.shared))), np.full((c, k + len(sample.shared)), np.inf)
    stretch = np.full((n, k + len(sample.shared)), n / (n - 1), dtype=np.float32)
    for j, i in enumerate(kept):
        stretch[:, j] = 1.0
        if i not in effects:
            continue
        r, e = rows[i], effects[i]
        np.add.at(influence[:, j], r.unit, e.influence)
        pull = np.bincount(r.unit, np.abs(e.response), minlength=n) / 2
        stretch[:, j] = 1 / (1 - np.minimum(pull, 0.5))
        square, fourth = (np.bincount(place, pull**p, minlength=c) for p in (2, 4))
        number[:, j] = np.divide(square**2, fourth, out=np.full(c, np.inf), where=fourth > 0)
    for cohort in (int(x) for x in sample.labels):
        influence[sample.units(cohort), k:] = size_influence(sample, cohort, sample.units(cohort))
    plain = influence.T @ influence
    influence *= stretch
    stretched = influence.T @ influence
    loads, reading = _ends(sample, kept, rows, effects, place, c)
    return {
        "covariances": {"cr0": plain, "cr2": (plain + stretched) / 2, "cr3": stretched},
        "carriers": SideCarriers(
            n=np.bincount(place, minlength=c),
            gram=loads[:, :, None] * loads[:, None, :],
            effective_units=number,
            reading=reading,
        ),
    }
