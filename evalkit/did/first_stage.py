"""Unit and period effects fitted on untreated cells alone, and what they leave in every cell: dense in periods, in
blocks.

    y_it = α_i + λ_t + x_it'γ on cells before notice and of the never treated;   e_it = y_it − α̂_i − λ̂_t − x_it'γ̂
    everywhere

With ω the weights (0 where a cell is missing), z the columns (period dummies, covariates) and bars for a unit's own
mean over its untreated cells, everything follows from sums over the units of a cohort, by cluster where clusters are
listed:

    A = Σ ω z̃ z̃',  b = Σ ω z̃ ỹ (untreated);   per cell (g,t): Ω = Σ ω,  Y = Σ ω ỹ,  M = Σ ω z̃   ⇒   mean of e = (Y −
    M'A⁺b)/Ω

so that leaving a cluster out is subtracting its sums. No array over units is kept but the panel's own. A covariate that
is constant within units gets a slope by period; others enter as they are. Units without an untreated cell tell nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import Design, Moments, Panel
from .cohort_time import Laid
from .fit import observed_cells
from .linalg import pseudo_inverse
from .moments import cohort_moments
from .reader import Reader, row_sums, segment_products


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """Some units of one cohort. cluster (n,); omega, untreated weights omega0, y and z centred at the unit's untreated
    mean
    (n, T), (n, T, p) — z is None without covariates; share (n, T) omega0 / its sum.
    """

    cohort: int
    cluster: np.ndarray
    omega: np.ndarray
    omega0: np.ndarray
    share: np.ndarray
    y: np.ndarray
    z: np.ndarray | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """Sums over units; a leading axis for clusters × cohorts (J) or cohorts (C).

    gram (·, p, p) A;  moment (·, p) b;  size (·, T) Ω;  total (·, T) Y;  slope (·, T, p) M;  seen (·, T) units;
    n (·,) units;  square (·,) Σ of squared unit weights
    """

    gram: np.ndarray
    moment: np.ndarray
    size: np.ndarray
    total: np.ndarray
    slope: np.ndarray
    seen: np.ndarray
    n: np.ndarray
    square: np.ndarray


class FirstStage(Reader):
    """One outcome's data, read cohort by cohort, and the first stage solved.

    complete: no cell is missing; plain: neither weights nor covariates besides; untreated (C, T) cells before notice
    """

    def __init__(self, panel: Panel, design: Design, laid: Laid, outcome: str) -> None:
        self.outcome, self.covariates, self.cohort = outcome, design.covariates, laid.plan.cohort
        self.weighted = panel.weight is not None
        times = laid.plan.times
        observed = observed_cells(panel, outcome, design)
        self.complete = bool(observed[:, times].all())
        self._observed = None if self.complete else observed
        keep = laid.plan.keep if self.complete else laid.plan.keep & observed[:, times].any(axis=1)
        super().__init__(panel, self.cohort, keep, times)
        notice = np.where(np.isin(self.labels, laid.cohort), self.labels - design.anticipation, panel.n_periods)
        self.untreated = self.times[None, :] < notice[:, None]
        self.plain = self.complete and not self.weighted and not self.covariates
        self.slopes = [name for name in design.covariates if self._constant(name)]

    def _constant(self, name: str) -> bool:
        x = self.panel.covariates[name]
        first = self.order[: 1 << 14], self.order
        return all(bool((x[at][:, self.times] == x[at][:, self.times[:1]]).all()) for at in first)

    @property
    def some_without_baseline(self) -> bool:
        """True where a unit is seen under treatment only, and so tells nothing."""
        if self._observed is None:
            return False
        seen = (self.take(self._observed, self.order[a:b]) for a, b in zip(self.starts, self.ends))
        return any((~s[:, free].any(axis=1)).any() for s, free in zip(seen, self.untreated))

    @property
    def width(self) -> int:
        """p: periods and covariate columns."""
        t = len(self.times)
        return t + sum(t if name in self.slopes else 1 for name in self.covariates)

    def read(self, cohort: int) -> Iterator[Block]:
        """The units of the cohort at this position, ordered by cluster."""
        size = max(64, 400_000 // self.n_periods // self.width) if self.covariates else None
        return (self._block(cohort, self.order[at]) for at in self.blocks(cohort, size))

    def _block(self, cohort: int, units: np.ndarray) -> Block:
        y = self.take(self.panel.matrix(self.outcome), units)
        omega = np.ones(y.shape) if self.panel.weight is None else self.take(self.panel.weight, units)
        if self._observed is not None:
            seen = self.take(self._observed, units)
            omega, y = np.where(seen, omega, 0.0), np.where(seen, y, 0.0)
        omega0 = omega * self.untreated[cohort]
        base = row_sums(omega0)
        known = base > 0
        share = np.divide(omega0, base, out=np.zeros_like(omega0), where=known)
        y = y - np.einsum("it,it->i", share, y)[:, None]
        if not known.all():
            omega = np.where(known, omega, 0.0)
        z = self._columns(units, share) if self.covariates else None
        return Block(
            cohort=cohort, cluster=self.cluster[units], omega=omega, omega0=omega0, share=share, y=y, z=z
        )  # fmt: skip

    def _columns(self, units: np.ndarray, share: np.ndarray) -> np.ndarray:
        """(n, T, p) period dummies and covariates, centred."""
        t = self.n_periods
        out = np.zeros((len(units), t, self.width))
        out[:, np.arange(t), np.arange(t)] = 1.0
        at = t
        for name in self.covariates:
            x = np.nan_to_num(self.take(self.panel.covariates[name], units))
            if name in self.slopes:
                out[:, np.arange(t), at + np.arange(t)] = x
                at += t
            else:
                out[:, :, at] = x
                at += 1
        return out - np.einsum("it,itp->ip", share, out)[:, None, :]

    @cached_property
    def moments(self) -> Moments:
        """One pass over a balanced panel; cohorts in the order of `labels`, cells in that of `cells`."""
        y = (
            self.take(self.panel.matrix(self.outcome), np.sort(self.order))
            if self._partial
            else self.panel.matrix(self.outcome)
        )
        units = np.sort(self.order) if self._partial else slice(None)
        cohort, cluster = self.cohort[units], self.cluster[units]
        return cohort_moments(y, cohort, cluster, self.n_clusters)

    @property
    def _partial(self) -> bool:
        return len(self.order) < self.panel.n_units or self.n_periods < self.panel.n_periods

    @cached_property
    def sums(self) -> Sums:
        """Sums by cell (J)."""
        return self._plain_sums() if self.plain else self._read_sums()

    def _plain_sums(self) -> Sums:
        m, (_, cohort) = self.moments, self.cells
        n = (m.cell_n if self.listed and m.cell_n is not None else m.n).astype(float)
        first = self.untreated.astype(float)
        share = first / first.sum(axis=1, keepdims=True)
        total = m.mean[cohort] * n[:, None]
        total = total + (m.cell_sum if self.listed and m.cell_sum is not None else 0.0)
        total = total - np.einsum("jt,jt->j", share[cohort], total)[:, None]
        t = self.n_periods
        centre = np.eye(t)[None] - share[:, None, :]
        size = np.repeat(n[:, None], t, axis=1)
        return Sums(
            gram=n[:, None, None] * (first[:, :, None] * centre)[cohort],
            moment=first[cohort] * total,
            size=size,
            total=total,
            slope=n[:, None, None] * centre[cohort],
            seen=size,
            n=n,
            square=n,
        )

    def _read_sums(self) -> Sums:
        j, t, p = len(self.cells[0]), self.n_periods, self.width
        out = Sums(
            gram=np.zeros((j, p, p)),
            moment=np.zeros((j, p)),
            size=np.zeros((j, t)),
            total=np.zeros((j, t)),
            slope=np.zeros((j, t, p)),
            seen=np.zeros((j, t)),
            n=np.zeros(j),
            square=np.zeros(j),
        )
        for cohort in range(len(self.labels)):
            for block in self.read(cohort):
                self._add(out, block)
        return out

    def _add(self, out: Sums, block: Block) -> None:
        starts, at = self.place(block.cohort, block.cluster)
        weight = block.omega.mean(axis=1)
        own = {
            "size": block.omega,
            "total": block.omega * block.y,
            "seen": (block.omega > 0).astype(float),
            "n": (weight > 0).astype(float),
            "square": weight**2,
        }
        for name, value in own.items():
            getattr(out, name)[at] += np.add.reduceat(value, starts, axis=0)
        if block.z is not None:
            weighted = block.z * block.omega0[:, :, None]
            out.moment[at] += np.add.reduceat(np.einsum("itp,it->ip", weighted, block.y), starts, axis=0)
            out.slope[at] += np.add.reduceat(block.z * block.omega[:, :, None], starts, axis=0)
            ends = np.r_[starts[1:], len(block.y)]
            for cell, low, high in zip(at, starts, ends):
                out.gram[cell] += np.einsum("itp,itq->pq", weighted[low:high], block.z[low:high], optimize=True)
            return
        out.moment[at] += np.add.reduceat(block.omega0 * block.y, starts, axis=0)
        diagonal = np.arange(self.n_periods)
        out.gram[at] -= segment_products(block.omega0, block.share, starts)
        out.slope[at] -= segment_products(block.omega, block.share, starts)
        rows = at[:, None]
        out.gram[rows, diagonal, diagonal] += np.add.reduceat(block.omega0, starts, axis=0)
        out.slope[rows, diagonal, diagonal] += np.add.reduceat(block.omega, starts, axis=0)

    def by_cohort(self, name: str) -> np.ndarray:
        """(C, ...) sums by cohort."""
        values = getattr(self.sums, name)
        out = np.zeros((len(self.labels), *values.shape[1:]))
        np.add.at(out, self.cells[1], values)
        return out

    @cached_property
    def bread(self) -> np.ndarray:
        """(p, p) A⁺, columns scaled first."""
        return scaled_inverse(self.sums.gram.sum(axis=0))

    @cached_property
    def coefficient(self) -> np.ndarray:
        """(p,) λ̂ and γ̂."""
        return np.asarray(self.bread @ self.sums.moment.sum(axis=0))

    def residual(self, block: Block) -> np.ndarray:
        """(n, T) e."""
        if block.z is not None:
            return block.y - block.z @ self.coefficient
        return block.y - (self.coefficient[None, :] - (block.share @ self.coefficient)[:, None])


def scaled_inverse(gram: np.ndarray) -> np.ndarray:
    """A⁺ of (..., p, p) grams, columns scaled to unit norm first."""
    scale = np.sqrt(np.clip(np.einsum("...pp->...p", gram), 0, None))
    scale = np.where(scale > 1e-9 * scale.max(axis=-1, keepdims=True), scale, np.inf)
    return pseudo_inverse(gram / scale[..., :, None] / scale[..., None, :]) / scale[..., :, None] / scale[..., None, :]
