"""The part of imputation and two-stage: who moves an effect by how much, and what leaving clusters out does to it.

Influence of a unit: Σ_t ω_it (e_it − c_k)/Ω_k − s_i'A⁺L_k (`imputation`). Cluster sums and exact leave-one-out where
clusters are listed; cross products by cohort, and one step, where every unit is its own and there are too many to list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .first_stage import Block, FirstStage, scaled_inverse
from .influence_part import CellCarriers, InfluencePart, SideCarriers
from .linalg import TOLERANCE


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """k effects: position of cohort and of period, sizes Ω, estimate, slopes L (k, p), centre of the influence."""

    cohort: np.ndarray
    time: np.ndarray
    size: np.ndarray
    estimate: np.ndarray
    slope: np.ndarray
    centre: np.ndarray


def imputation_part(stage: FirstStage, rows: Rows, method: str) -> InfluencePart:
    """The effects, for "two_stage" followed by their sizes Ω, with their inference."""
    k, sizes = len(rows.cohort), method == "two_stage"
    width = k * (1 + sizes)
    reading = _reading(stage, rows, width)
    mass = stage.by_cohort("n")
    scale = stage.by_cohort("size").mean(axis=1) / np.maximum(mass, 1)
    scale = np.where(scale > 0, scale, 1.0)
    treated, control = _members(stage, rows, width)
    answers: dict[str, Any] = {}
    if stage.listed:
        answers["influence"] = _influence(stage, rows, width)
        answers["without"] = _without(stage, rows, width)
        own = np.zeros((len(stage.cells[0]), len(stage.labels)))
        own[np.arange(len(own)), stage.cells[1]] = np.sqrt(stage.sums.square) / scale[stage.cells[1]]
        answers["carriers"] = CellCarriers(
            cluster=stage.cells[0], side=stage.cells[1], n_sides=len(stage.labels), loads=own, reading=reading
        )
    else:
        answers["covariances"] = _covariances(stage, rows, width)
        square = stage.by_cohort("square") / scale**2
        answers["carriers"] = SideCarriers(
            n=mass.astype(int),
            gram=np.einsum("s,sq,sr->sqr", square, np.eye(len(mass)), np.eye(len(mass))),
            effective_units=np.repeat(square[:, None], width, axis=1),
            reading=reading,
        )
    return InfluencePart(
        estimate=np.r_[rows.estimate, rows.size] if sizes else rows.estimate,
        treated=treated,
        control=control,
        n_obs=round(float(stage.sums.n.sum())) * stage.n_periods,
        n_params=k + stage.width,
        **answers,
    )


def _loads(rows: Rows, stage: FirstStage) -> np.ndarray:
    """(k, p) A⁺L_k: what a unit's s_i adds to the effects, negatively."""
    return rows.slope @ stage.bread


def _influence(stage: FirstStage, rows: Rows, width: int) -> np.ndarray:
    """(G, width) cluster sums of the influence: Σ ω(e − c) = Y − M'λ̂ − cΩ and Σ s = b − Aλ̂, cell by cell."""
    k, sums = len(rows.cohort), stage.sums
    cluster, cohort = stage.cells
    pull = np.zeros((stage.n_clusters, stage.width))
    np.add.at(pull, cluster, sums.moment - sums.gram @ stage.coefficient)
    out = np.zeros((stage.n_clusters, width))
    out[:, :k] = -pull @ _loads(rows, stage).T
    dev = sums.total - sums.slope @ stage.coefficient
    for c in np.unique(rows.cohort):
        at, own = cohort == c, np.flatnonzero(rows.cohort == c)
        held = sums.size[at][:, rows.time[own]]
        out[np.ix_(cluster[at], own)] += (dev[at][:, rows.time[own]] - rows.centre[own] * held) / rows.size[own]
        if width > k:
            out[np.ix_(cluster[at], k + own)] += held
    return out


def _without(stage: FirstStage, rows: Rows, width: int) -> np.ndarray:
    """(G, width) estimates without each cluster, both stages; NaN where there is none.

    Clusters of a plain panel that are alike in their numbers of units by cohort share the inverse of the first stage.
    """
    k, sums = len(rows.cohort), stage.sums
    out = np.full((stage.n_clusters, width), np.nan)
    whole = [getattr(sums, name).sum(axis=0) for name in ("gram", "moment")]
    size, total, slope = (stage.by_cohort(name)[rows.cohort, rows.time] for name in ("size", "total", "slope"))
    for clusters, cells in _alike(stage):
        gram, moment = (_summed(getattr(sums, name), cells) for name in ("gram", "moment"))
        shared = len(gram) if stage.plain else 0
        rest = whole[0] - (gram[:1] if shared else gram)
        inverse = scaled_inverse(rest)
        coefficient = np.einsum(
            "gpq,gq->gp", np.broadcast_to(inverse, (len(clusters), *rest.shape[1:])), whole[1] - moment
        )
        omega = size - _of_rows(sums.size, cells, stage, rows)
        there = omega > TOLERANCE * size
        safe = np.where(there, omega, 1.0)
        at = slice(0, 1) if shared else slice(None)
        own = (slope - _of_rows(sums.slope, cells[at], stage, rows)) / safe[at, :, None]
        missed = np.abs(own - own @ (inverse @ rest)).max(axis=2) > 1e-7 * np.maximum(np.abs(own).max(axis=2), 1e-300)
        y = total - _of_rows(sums.total, cells, stage, rows)
        if shared:
            estimate = y / safe - coefficient @ own[0].T
        else:
            estimate = y / safe - np.einsum("gkp,gp->gk", own, coefficient)
        out[clusters, :k] = np.where(there & ~missed, estimate, np.nan)
        if width > k:
            out[clusters, k:] = np.where(there, omega, 0.0)
    return out


def _alike(stage: FirstStage) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Groups of clusters (m,) and their cells (m, C), −1 where a cluster has none of the cohort."""
    cluster, cohort = stage.cells
    codes, place = np.unique(cluster, return_inverse=True)
    cells = np.full((len(codes), len(stage.labels)), -1)
    cells[place, cohort] = np.arange(len(cluster))
    if stage.plain:
        profile = np.where(cells >= 0, stage.sums.n[cells], 0.0)
        _, kind = np.unique(profile, axis=0, return_inverse=True)
        groups = [np.flatnonzero(kind.reshape(-1) == u) for u in range(int(kind.max()) + 1)]
    else:
        groups = [np.arange(s, min(s + 128, len(codes))) for s in range(0, len(codes), 128)]
    return ((codes[g], cells[g]) for g in groups)


def _summed(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(m, ...) sums over the cells of each cluster."""
    out = np.zeros((len(cells), *values.shape[1:]))
    for c in range(cells.shape[1]):
        on = cells[:, c] >= 0
        out[on] += values[cells[on, c]]
    return out


def _of_rows(values: np.ndarray, cells: np.ndarray, stage: FirstStage, rows: Rows) -> np.ndarray:
    """(m, k, ...) what each cluster adds to the rows of its cohorts."""
    out = np.zeros((len(cells), len(rows.cohort), *values.shape[2:]))
    for c in np.unique(rows.cohort):
        on, own = cells[:, c] >= 0, np.flatnonzero(rows.cohort == c)
        out[np.ix_(on, own)] = values[cells[on, c]][:, rows.time[own]]
    return out


def _covariances(stage: FirstStage, rows: Rows, width: int) -> dict[str, np.ndarray]:
    """Units as clusters, too many to list: cross products of their influence, plain and with leverage taken out.

    Own deviations are divided by 1 − ω/Ω and s_i by its leverage in the first stage, to second order; a unit's part in
    the slopes L of an unbalanced panel stays (its share of the cohort); halfway between for cr2.
    """
    k, load = len(rows.cohort), _loads(rows, stage).T
    found = {rule: np.zeros((width, width)) for rule in ("cr0", "cr3")}
    for cohort in range(len(stage.labels)):
        own = np.flatnonzero(rows.cohort == cohort)
        t = len(own)
        reading = np.zeros((2 * t + stage.width, width))
        reading[np.arange(t), own] = 1 / rows.size[own]
        if width > k:
            reading[t + np.arange(t), k + own] = 1.0
        reading[2 * t :, :k] = -load
        for rule, cross in (_plain_crosses if stage.plain else _crosses)(stage, rows, cohort, own).items():
            found[rule] += reading.T @ cross @ reading
    return {**found, "cr2": (found["cr0"] + found["cr3"]) / 2}


def _crosses(stage: FirstStage, rows: Rows, cohort: int, own: np.ndarray) -> dict[str, np.ndarray]:
    """Cross products of (own deviations, sizes, s_i) over the units of a cohort, in a second pass."""
    t, times = len(own), rows.time[own]
    out = {rule: np.zeros((2 * t + stage.width,) * 2) for rule in ("cr0", "cr3")}
    for block in stage.read(cohort):
        e, held = stage.residual(block), block.omega[:, times]
        pull = block.omega0 * e
        pull = pull if block.z is None else np.einsum("it,itp->ip", pull, block.z)
        all_of = np.concatenate([held * (e[:, times] - rows.centre[own]), held, pull], axis=1)
        out["cr0"] += all_of.T @ all_of
        all_of[:, :t] /= np.maximum(1 - held / rows.size[own], 0.5)
        all_of[:, 2 * t :] += _leverage(stage, block, pull)
        out["cr3"] += all_of.T @ all_of
    return out


def _plain_crosses(stage: FirstStage, rows: Rows, cohort: int, own: np.ndarray) -> dict[str, np.ndarray]:
    """The same of a balanced panel without weights and covariates, from the cohort's cross product."""
    m, t, p = stage.moments, len(own), stage.n_periods
    untreated = stage.untreated[cohort]
    centre = np.eye(p) - np.outer(np.ones(p), untreated / untreated.sum())
    n, mean = float(m.n[cohort]), centre @ (m.mean[cohort] - stage.coefficient)
    square = centre @ m.cross[cohort] @ centre.T + n * np.outer(mean, mean)
    pick = np.zeros((2 * t + p, p))
    pick[np.arange(t), rows.time[own]] = 1.0
    pick[2 * t + np.flatnonzero(untreated), np.flatnonzero(untreated)] = 1.0
    shift = np.zeros(2 * t + p)
    shift[:t], shift[t : 2 * t] = -rows.centre[own], 1.0
    sums = pick @ mean * n
    plain = pick @ square @ pick.T + np.outer(sums, shift) + np.outer(shift, sums) + n * np.outer(shift, shift)
    lever = np.diag(untreated.astype(float)) @ centre @ stage.bread
    stretch = np.eye(2 * t + p)
    stretch[np.arange(t), np.arange(t)] = 1 / max(1 - 1 / n, 0.5)
    stretch[2 * t :, 2 * t :] += lever + lever @ lever
    return {"cr0": plain, "cr3": stretch @ plain @ stretch.T}


def _leverage(stage: FirstStage, block: Block, pull: np.ndarray) -> np.ndarray:
    """(n, p) A_i A⁺ s_i (1 + h) to second order in the unit's own share of A."""
    step, out = pull, np.zeros_like(pull)
    for _ in range(2):
        b = step @ stage.bread
        if block.z is None:
            step = block.omega0 * (b - np.einsum("it,it->i", block.share, b)[:, None])
        else:
            step = np.einsum("it,itp->ip", block.omega0 * np.einsum("itp,ip->it", block.z, b), block.z)
        out += step
    return out


def _reading(stage: FirstStage, rows: Rows, width: int) -> np.ndarray:
    """(T, C, width) average response weights of a cohort's units on each effect (periods' part of the projection)."""
    t, c = stage.n_periods, len(stage.labels)
    n = np.maximum(stage.by_cohort("n"), 1)
    load = _loads(rows, stage)[:, :t]
    slope, gram = (stage.by_cohort(name) for name in ("slope", "gram"))
    out = np.zeros((t, c, width))
    for k, (g, s) in enumerate(zip(rows.cohort, rows.time)):
        out[:, :, k] -= np.einsum("cst,t->sc", gram[:, :t, :t], load[k]) / n
        out[:, g, k] += slope[g, s, :t] / rows.size[k] / n[g]
    return out


def _members(stage: FirstStage, rows: Rows, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(width, C) cohorts treated in an effect, and cohorts with untreated cells in its period."""
    treated = np.zeros((width, len(stage.labels)), dtype=bool)
    control = np.zeros_like(treated)
    k = np.arange(len(rows.cohort))
    treated[k, rows.cohort] = True
    control[k] = stage.untreated[:, rows.time].T
    control[k, rows.cohort] = False
    return treated, control
