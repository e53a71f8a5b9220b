"""Two-way fixed effects with covariates on a large balanced panel: three blocked passes, nothing of n × T × p held.

Unit and period effects leave by x̃_it = x_it − x̄_i − x̄_t + x̄, so that A = Σ x̃_i'x̃_i and β = A⁻¹ Σ x̃_i'y_i. Without
cluster G the rest is balanced too, its period means moved, and the true leave-one-cluster-out difference is

    β − β₍₋G₎ = (A − Σ_G x̃_i'x̃_i − S_G'S_G/(n−n_G))⁻¹ (Σ_G x̃_i'e_i + S_G'E_G/(n−n_G)),   S_G = Σ_G x̃_i, E_G = Σ_G e_i

cr1 is as in `linalg`; cr2 lies halfway between it and cr3 and degrees of freedom are those of `influence_part`, cohorts
being the sides: with the more than `twfe.GROUPED` units this is for, both differ from `linalg` in terms of order 1/n.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import UserError
from .cells import Cells, Row
from .influence_part import CellCarriers, InfluencePart, SideCarriers
from .linalg import pseudo_inverse
from .reader import row_sums

BLOCK = 4_096


@dataclass(frozen=True, kw_only=True, eq=False)
class Wide:
    """y and covariates (N, T); member (N,) each unit's cohort, −1 outside the sample; effects (C, T, k) by cohort;
    times sampled; cluster (N,) codes of n_clusters.
    """

    y: np.ndarray
    covariates: tuple[np.ndarray, ...]
    member: np.ndarray
    effects: np.ndarray
    times: np.ndarray
    cluster: np.ndarray
    n_clusters: int

    @property
    def width(self) -> int:
        return self.effects.shape[2] + len(self.covariates)

    def blocks(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Units (B,), x (B, T, p) and y (B, T) minus their unit means, some units at a time."""
        inside, k = np.flatnonzero(self.member >= 0), self.effects.shape[2]
        effects = self.effects - self.effects.mean(axis=1, keepdims=True)
        for start in range(0, len(inside), BLOCK):
            at = inside[start : start + BLOCK]
            x = np.empty((len(at), len(self.times), self.width))
            x[:, :, :k] = effects[self.member[at]]
            for j, values in enumerate(self.covariates, start=k):
                x[:, :, j] = self._centred(values, at)
            yield at, x, self._centred(self.y, at)

    def _centred(self, values: np.ndarray, units: np.ndarray) -> np.ndarray:
        """(n, T) the sampled periods of these units minus their unit means."""
        every = len(self.times) == values.shape[1]
        own = np.asarray(values[units] if every else values[units][:, self.times], dtype=float)
        own -= row_sums(own) / own.shape[1]
        return own


def rectangular(cells: Cells) -> bool:
    """True where every unit of the cells is in every period of them."""
    return len(cells.unit) == len(np.unique(cells.unit)) * len(np.unique(cells.time))


def wide_of(
    y: np.ndarray,
    covariates: tuple[np.ndarray, ...],
    cohort: np.ndarray,
    clusters: tuple[np.ndarray, int],
    moments_cohorts: np.ndarray,
    cells: Cells,
    rows: list[Row],
) -> Wide:
    """From the cells of the panel of cohorts (`grouped.cohort_panel`) to the units behind them."""
    times = np.unique(cells.time)
    live = [row for row in rows if row.live]
    effects = np.zeros((len(moments_cohorts), int(times[-1]) + 1, len(live)))
    for j, row in enumerate(live):
        effects[cells.unit[row.cells], cells.time[row.cells], j] = 1.0
    position = np.searchsorted(moments_cohorts, cohort)
    inside = np.zeros(len(moments_cohorts), dtype=bool)
    inside[cells.unit] = True
    return Wide(
        y=y,
        covariates=covariates,
        member=np.where(inside[position], position, -1),
        effects=effects[:, times],
        times=times,
        cluster=clusters[0],
        n_clusters=clusters[1],
    )


def solve(data: Wide) -> tuple[np.ndarray, dict[str, Any]]:
    """(p,) coefficients, and what `InfluencePart` asks for about all p of them besides who is treated.

    Raises UserError("collinear_covariates") where a covariate has no variation of its own.
    """
    n, p, t = int((data.member >= 0).sum()), data.width, len(data.times)
    mean_x, mean_y = np.zeros((t, p)), np.zeros(t)
    for _, x, y in data.blocks():
        mean_x += x.sum(axis=0) / n
        mean_y += y.sum(axis=0) / n
    gram, moment = np.zeros((p, p)), np.zeros(p)
    for _, x, y in data.blocks():
        flat = (x - mean_x).reshape(-1, p)
        gram += flat.T @ flat
        moment += flat.T @ (y - mean_y).reshape(-1)
    bread = _bread(data, gram)
    beta = bread @ moment
    alone = bool(np.bincount(data.cluster[data.member >= 0], minlength=data.n_clusters).max() == 1)
    collect = _alone if alone else _together
    answers = collect(data, mean_x, mean_y, gram, bread, beta, n)
    return beta, answers | {"n_obs": n * t, "n_params": p + t, "published": "cr1"}


def _bread(data: Wide, gram: np.ndarray) -> np.ndarray:
    scale = np.sqrt(np.diag(gram))
    raw = np.array([np.sqrt(float((c[data.member >= 0] ** 2).sum())) for c in data.covariates])
    own = slice(data.effects.shape[2], None)
    safe = np.where(scale > 0, scale, 1.0)
    scaled = gram / np.outer(safe, safe)
    inverse = pseudo_inverse(scaled)
    rest = (np.eye(len(gram)) - inverse @ scaled)[own]
    if (scale[own] <= 1e-10 * raw).any() or (np.linalg.norm(rest, axis=1) > 1e-6).any():
        raise UserError("collinear_covariates", columns=len(gram))
    return inverse / np.outer(safe, safe)


def _residuals(
    data: Wide, mean_x: np.ndarray, mean_y: np.ndarray, beta: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for at, x, y in data.blocks():
        x -= mean_x
        yield at, x, y - mean_y - x @ beta


def _alone(
    data: Wide,
    mean_x: np.ndarray,
    mean_y: np.ndarray,
    gram: np.ndarray,
    bread: np.ndarray,
    beta: np.ndarray,
    n: int,
) -> dict[str, Any]:
    """Every unit its own cluster: leave each out by its own p × p inverse."""
    c, p = len(data.effects), len(beta)
    influence, one_step = np.zeros((2, data.n_clusters, p))
    second, fourth = np.zeros((c, p, p)), np.zeros((c, p))
    for at, x, rest in _residuals(data, mean_x, mean_y, beta):
        score = np.einsum("btp,bt->bp", x, rest)
        own = np.swapaxes(x, 1, 2) @ x
        influence[data.cluster[at]] = score @ bread
        step = n / (n - 1)
        one_step[data.cluster[at]] = np.linalg.solve(gram - step * own, step * score[:, :, None])[:, :, 0]
        pulled = bread @ own @ bread
        np.add.at(second, data.member[at], pulled)
        np.add.at(fourth, data.member[at], np.einsum("bpp->bp", pulled) ** 2)
    diagonal = np.einsum("cpp->cp", second)
    number = np.divide(diagonal**2, fourth, out=np.full((c, p), np.inf), where=fourth > 0)
    count = np.bincount(data.member[data.member >= 0], minlength=c)
    return {
        "influence": influence,
        "one_step": one_step,
        "carriers": SideCarriers(n=count, gram=second, effective_units=number),
    }


def _together(
    data: Wide,
    mean_x: np.ndarray,
    mean_y: np.ndarray,
    gram: np.ndarray,
    bread: np.ndarray,
    beta: np.ndarray,
    n: int,
) -> dict[str, Any]:
    """Clusters of several units: their sums, then one p × p inverse each."""
    c, p, t, g = len(data.effects), len(beta), len(data.times), data.n_clusters
    score, own, path, rests = np.zeros((g, p)), np.zeros((g, p, p)), np.zeros((g, t, p)), np.zeros((g, t))
    inside = data.member >= 0
    keys, key = np.unique(data.cluster[inside] * c + data.member[inside], return_inverse=True)
    carried, start = np.zeros((len(keys), p, p)), 0
    for at, x, rest in _residuals(data, mean_x, mean_y, beta):
        cluster, gram_i = data.cluster[at], np.swapaxes(x, 1, 2) @ x
        np.add.at(score, cluster, np.einsum("btp,bt->bp", x, rest))
        np.add.at(own, cluster, gram_i)
        np.add.at(path, cluster, x)
        np.add.at(rests, cluster, rest)
        np.add.at(carried, key[start : start + len(at)], gram_i)
        start += len(at)
    left = (n - np.bincount(data.cluster[inside], minlength=g)).astype(float)
    safe = np.where(left > 0, left, np.inf)
    without = gram - own - np.swapaxes(path, 1, 2) @ path / safe[:, None, None]
    moved = score + np.einsum("gtp,gt->gp", path, rests) / safe[:, None]
    scale = np.sqrt(np.diag(gram))
    inverse = pseudo_inverse(without / np.outer(scale, scale)) / np.outer(scale, scale)
    step = np.einsum("gpq,gq->gp", inverse, moved)
    lost = np.linalg.norm(np.eye(p) - (inverse @ without), axis=1) > 1e-6
    return {
        "influence": score @ bread,
        "without": np.where(lost, np.nan, beta - step),
        "carriers": CellCarriers(cluster=keys // c, side=keys % c, n_sides=c, gram=bread @ carried @ bread),
    }


def part_of_effects(
    estimate: np.ndarray, answers: dict[str, Any], contrast: np.ndarray, treated: np.ndarray, control: np.ndarray
) -> InfluencePart:
    """The part whose quantities are `contrast` (k, p) @ coefficients; treated, control (k, C)."""
    carriers = answers["carriers"]
    grams = contrast @ carriers.gram @ contrast.T
    if isinstance(carriers, SideCarriers):
        reached = np.where(contrast.any(axis=1), np.argmax(np.abs(contrast), axis=1), 0)
        kept = SideCarriers(n=carriers.n, gram=grams, effective_units=carriers.effective_units[:, reached])
        return _mapped(estimate, answers, contrast, treated, control, kept)
    cells = CellCarriers(cluster=carriers.cluster, side=carriers.side, n_sides=carriers.n_sides, gram=grams)
    return _mapped(estimate, answers, contrast, treated, control, cells)


def _mapped(
    estimate: np.ndarray,
    answers: dict[str, Any],
    contrast: np.ndarray,
    treated: np.ndarray,
    control: np.ndarray,
    carriers: SideCarriers | CellCarriers,
) -> InfluencePart:
    moved = {name: answers[name] @ contrast.T for name in ("influence", "one_step", "without") if name in answers}
    numbers = {name: answers[name] for name in ("n_obs", "n_params", "published")}
    return InfluencePart(estimate=estimate, carriers=carriers, treated=treated, control=control, **moved, **numbers)
