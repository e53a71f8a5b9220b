"""Poisson models of `wide`: unit effects concentrated out, exposure and completeness as an offset, separation found
first.

μ_it = y_i+ E_it h_ct / Σ_s E_is h_cs with h = exp(X_cβ): a Newton step needs the panel's counts and exposures, T × T
sums by cohort, and no exponential per cell. Units without a case are left out and stand in every exposure; cells of a
row without a case, and whatever separation drives to zero, have no exposure in estimation and keep it in μ0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..core import Panel, UserError
from .first_stage import scaled_inverse
from .linalg import pseudo_inverse
from .poisson import MAX_STEPS
from .reader import Reader, row_sums
from .separation import components
from .wide import Piece, Tally, columns_of, joined


@dataclass(frozen=True, kw_only=True, eq=False)
class Counts:
    """Informative units of one cohort: place (n,) in the reader's order; y, exposure (n, T); kept (n, T) cells in
    estimation."""

    place: np.ndarray
    y: np.ndarray
    exposure: np.ndarray
    kept: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The model: rows (k, C, T), live (k,), used (C, T) cells, saturated: every row one cohort in one period."""

    rows: np.ndarray
    live: np.ndarray
    used: np.ndarray
    saturated: bool
    events: bool


class CountModel:
    """One outcome, read and solved. Rows `zero`, `lost`, `unbounded` as in `poisson.Separation`."""

    def __init__(self, reader: Reader, shape: Shape, panel: Panel, outcome: str) -> None:
        self.reader, self.shape = reader, shape
        c, t = shape.used.shape
        self.cases, self.offset = np.zeros((2, c, t))
        self.tally = Tally(reader, shape.rows & shape.used)
        self.data = [self._read(panel, outcome, s) for s in range(c)]
        self.zero, self.lost, self.unbounded = self._separate()
        self.whole = [bool(np.array_equal(d.kept, d.exposure > 0)) for d in self.data]
        self.solvable = bool(self.data and any(d.kept.any() for d in self.data))
        if not self.solvable:
            return
        alive = shape.live.copy()
        alive[[*self.zero, *self.lost, *self.unbounded]] = False
        self.alive = alive
        used = np.stack([d.kept.any(axis=0) for d in self.data])
        self.columns = columns_of(shape.rows, alive, used)
        self._solve()

    def _read(self, panel: Panel, outcome: str, cohort: int) -> Counts:
        reader, found = self.reader, []
        for at in reader.blocks(cohort):
            units = reader.order[at]
            y = reader.take(panel.matrix(outcome), units)
            e = np.ones(y.shape) if panel.exposure is None else reader.take(panel.exposure, units)
            if panel.completeness is not None:
                e = e * reader.take(panel.completeness, units)
            ok = np.isfinite(y) & (np.nan_to_num(e) > 0)
            self._check(panel, outcome, units, y, ok)
            ok &= self.shape.used[cohort]
            y, e = np.where(ok, y, 0.0), np.where(ok, e, 0.0)
            self.tally.add(cohort, reader.cluster[units], ok)
            self.cases[cohort] += y.sum(axis=0)
            self.offset[cohort] += e.sum(axis=0)
            some = row_sums(y)[:, 0] > 0
            found.append((np.flatnonzero(some) + at.start, y[some], e[some]))
        place, y, e = (np.concatenate([f[i] for f in found]) for i in range(3))
        return Counts(place=place, y=y, exposure=e, kept=e > 0)

    def _check(self, panel: Panel, outcome: str, units: np.ndarray, y: np.ndarray, ok: np.ndarray) -> None:
        there = np.isfinite(y)
        if (y[there] < 0).any():
            raise UserError("did_negative_count", outcome=outcome, cells=int((y[there] < 0).sum()))
        bad = there & ~ok & (np.nan_to_num(y) > 0)
        if bad.any():
            i, t = np.argwhere(bad)[0]
            raise UserError(
                "did_count_without_exposure",
                outcome=outcome,
                cells=int(bad.sum()),
                unit=panel.units[int(units[i])],
                time=panel.times[int(self.reader.times[t])],
            )

    def _separate(self) -> tuple[list[int], list[int], list[int]]:
        return self._saturated() if self.shape.saturated else self._pooled()

    def _saturated(self) -> tuple[list[int], list[int], list[int]]:
        shape, (c, t) = self.shape, self.shape.used.shape
        live = np.flatnonzero(shape.live)
        node = np.tile(np.arange(t), (c, 1))
        for place, r in enumerate(live):
            node[shape.rows[r]] = t + place
        size = [len(d.place) for d in self.data]
        edges = np.r_[0, np.cumsum(size)]
        if not edges[-1]:
            return [], [], []
        positive = np.concatenate([d.y > 0 for d in self.data])
        found = components(np.repeat(np.arange(c), size), node, np.concatenate([d.kept for d in self.data]), positive)
        for s, d in enumerate(self.data):
            d.kept[:] &= found.unit[edges[s] : edges[s + 1], None] == found.node[node[s]][None, :]
        split: tuple[list[int], list[int], list[int]] = ([], [], [])
        for place, r in enumerate(live):
            s, when = (int(a[0]) for a in np.nonzero(shape.rows[r])) if shape.rows[r].any() else (0, 0)
            here, there = found.node[t + place], found.node[when]
            if here >= 0 and here == there:
                continue
            own = slice(edges[s], edges[s + 1])
            told = there >= 0 and bool((found.unit[own] == there).any())
            baseline = positive[own][:, node[s] < t].any()
            split[0 if here < 0 and told else 2 if here >= 0 and not baseline else 1].append(int(r))
            self.data[s].kept[:, when] = False
        return split

    def _pooled(self) -> tuple[list[int], list[int], list[int]]:
        """As `poisson.separation`: rows without a case, then units and periods without one, until nothing changes."""
        shape = self.shape
        effect = np.asarray(shape.rows[shape.live].any(axis=0))
        treated = np.asarray(shape.rows.any(axis=(0, 2)))
        baseline = sum(d.y[:, shape.used[s] & ~effect[s]].sum() for s, d in enumerate(self.data) if treated[s])
        if not baseline:
            for d in self.data:
                d.kept[:] = False
            return [], [], []
        zero = [int(r) for r in np.flatnonzero(shape.live) if not self.cases[shape.rows[r]].any()]
        for s, d in enumerate(self.data):
            d.kept[:, np.asarray(shape.rows[zero, s].any(axis=0))] = False
        free = ~effect if shape.events else np.ones_like(effect)
        count = -1
        while count != (count := sum(int(d.kept.sum()) for d in self.data)):
            for d in self.data:
                d.kept[~(d.y * d.kept).any(axis=1)] = False
            by_time = sum((d.y * d.kept)[:, :].sum(axis=0) * free[s] for s, d in enumerate(self.data))
            for d in self.data:
                d.kept[:, np.asarray(by_time) == 0] = False
        left = np.stack([d.kept.any(axis=0) for d in self.data])
        lost = [int(r) for r in np.flatnonzero(shape.live) if r not in zero and not (shape.rows[r] & left).any()]
        return zero, lost, []

    def _solve(self) -> None:
        x = self.columns.columns
        beta = np.zeros(x.shape[2])
        value, grams, scores = self._step(beta)
        for _ in range(MAX_STEPS):
            gram, score = joined(grams, x), np.einsum("ct,ctp->p", scores, x)
            step = scaled_inverse(gram) @ score
            decrement = float(step @ score)
            new = self._step(beta + step)
            while not new[0] >= value - 1e-9 * (1 + abs(value)) and np.abs(step).max() > 1e-12:
                step = step / 2
                new = self._step(beta + step)
            beta = beta + step
            value, grams, scores = new
            if decrement < 1e-10:
                break
        else:
            raise UserError("poisson_not_converged", steps=MAX_STEPS)
        self.beta, gram = beta, joined(grams, x)
        scale = np.sqrt(np.clip(np.diag(gram), 0, None))
        scale = np.where(scale > 1e-9 * scale.max(), scale, 1.0)
        scaled = gram / scale[:, None] / scale
        inverse = pseudo_inverse(scaled)
        self.rank = round(float(np.trace(inverse @ scaled)))
        rest = self.columns.contrast / scale @ (np.eye(len(scale)) - inverse @ scaled) * scale
        self.identified = np.linalg.norm(rest, axis=1) <= 1e-6
        self.n_obs = int(sum(d.kept[d.kept.any(axis=1)].sum() for d in self.data))

    def _fitted(self, cohort: int, beta: np.ndarray) -> Iterator[tuple[slice, np.ndarray, np.ndarray, np.ndarray]]:
        """Blocks: their place, counts, fitted counts, and Σ E h of each unit."""
        d = self.data[cohort]
        eta = self.columns.columns[cohort] @ beta
        high = float(eta.max(initial=0.0))
        h = np.exp(eta - high)
        size = max(64, 300_000 // self.reader.n_periods)
        for start in range(0, len(d.y), size):
            at = slice(start, min(start + size, len(d.y)))
            size_it = d.exposure[at] * h
            y = d.y[at]
            if not self.whole[cohort]:
                size_it, y = size_it * d.kept[at], y * d.kept[at]
            total = row_sums(size_it)
            some = total > 0
            size_it *= np.divide(1.0, total, out=np.zeros_like(total), where=some)
            yield at, y, size_it, np.log(np.where(some, total, 1.0)[:, 0]) + high

    def _step(self, beta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Concentrated log-likelihood, Σ W (C, T, T) and Σ (y − μ) (C, T)."""
        c, t = self.shape.used.shape
        grams, scores, value = np.zeros((c, t, t)), np.zeros((c, t)), 0.0
        for s in range(c):
            eta = self.columns.columns[s] @ beta
            for _, y, share, level in self._fitted(s, beta):
                cases = row_sums(y)[:, 0]
                mu = share * cases[:, None]
                total = mu.sum(axis=0)
                grams[s] += np.diag(total) - mu.T @ share
                scores[s] += y.sum(axis=0) - total
                value += float(y.sum(axis=0) @ eta - cases @ level)
        return value, grams, scores

    def pieces(self, cohort: int) -> Iterator[Piece]:
        """Blocks of clusters, fitted counts and y − μ."""
        for at, y, share, _ in self._fitted(cohort, self.beta):
            mu = share * row_sums(y)
            units = self.reader.order[self.data[cohort].place[at]]
            yield self.reader.cluster[units], mu, y - mu

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        """μ0 (C, T) summed over units, and Σ_i μ0_it p_i (C, T, T) with p_i the unit's fitted shares."""
        c, t = self.shape.used.shape
        mu0, pulled = np.zeros((c, t)), np.zeros((c, t, t))
        k = int(self.alive.sum())
        own = np.zeros(t)
        own[np.flatnonzero(self.columns.used.any(axis=0))] = np.exp(np.r_[0.0, self.beta[k:]])
        for s in range(c):
            for at, y, share, level in self._fitted(s, self.beta):
                d = self.data[s]
                alpha = row_sums(y)[:, 0] * np.exp(-level)
                expected = d.exposure[at] * own * alpha[:, None]
                mu0[s] += expected.sum(axis=0)
                pulled[s] += expected.T @ share
        return mu0, pulled

    def contrasts(self, pulled: np.ndarray, mu0: np.ndarray) -> np.ndarray:
        """(k, p) ∂θ/∂β: own column of a live row; −∂ log μ0/∂β of a row without a case."""
        out = self.columns.contrast.copy()
        x, k = self.columns.columns, int(self.alive.sum())
        periods = np.flatnonzero(self.columns.used.any(axis=0))[1:]
        for r in self.zero:
            on = self.shape.rows[r]
            total = mu0[on].sum()
            if total <= 0:
                continue
            slope = np.zeros(x.shape[2])
            slope[k:] = (mu0 * on).sum(axis=0)[periods]
            slope -= np.einsum("cts,csp->p", pulled * on[:, :, None], x)
            out[r] = -slope / total
        return out
