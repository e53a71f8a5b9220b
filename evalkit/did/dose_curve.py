"""The curve of one outcome by dose: its basis, every cohort's least squares on it, and what each unit does to it.

Every row is linear in outcomes, given doses. The influence adds what drawing doses and cohorts' sizes costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import DoseCurve


@dataclass(frozen=True, kw_only=True, eq=False)
class Basis:
    """Functions of the dose beside a constant: steps of bins, or B-splines without the first.

    knots inside; low, high ends between which the splines live; shown the rows' doses or bins
    """

    spec: DoseCurve
    knots: np.ndarray
    low: float
    high: float

    def values(self, dose: np.ndarray, order: int = 0, ends: tuple[float, float] | None = None) -> np.ndarray:
        """(n, p) the basis at doses, constant first, or its derivative of an order."""
        if self.spec.cuts:
            place = np.searchsorted(self.spec.cuts[1:-1], dose, side="right")
            return np.eye(len(self.spec.cuts) - 1)[place] * (order == 0)
        from scipy.interpolate import BSpline

        low, high = ends or (self.low, self.high)
        degree = self.spec.degree
        ladder = np.r_[[low] * (degree + 1), self.knots, [high] * (degree + 1)]
        splines = BSpline(ladder, np.eye(len(ladder) - degree - 1), degree, extrapolate=True)(dose, order)
        return np.column_stack([np.full(len(dose), float(order == 0)), splines[:, 1:]])


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """Arrays of one outcome: y (n, T), cohort (n,) capped at T, cluster (n,), dose (n,); cells by cohort."""

    y: np.ndarray
    cohort: np.ndarray
    cluster: np.ndarray
    dose: np.ndarray
    basis: Basis
    at: np.ndarray
    cells: dict[int, list[tuple[int, int, tuple[int, ...]]]]

    def rows(self, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Contrasts (k, p) of a cohort's coefficients, and 1 (k,) where a row subtracts the undosed."""
        ends = self.basis.spec.ends
        levels = [self.columns(own).mean(axis=0)[None], self.basis.values(self.at, 0, ends)]
        if self.basis.spec.cuts:
            return np.concatenate(levels), np.ones(1 + len(self.at))
        slopes = [self.columns(own, 1).mean(axis=0)[None], self.basis.values(self.at, 1, ends)]
        m = 1 + len(self.at)
        return np.concatenate([*levels, *slopes]), np.r_[np.ones(m), np.zeros(m)]

    def columns(self, own: np.ndarray, order: int = 0) -> np.ndarray:
        """(n, p) regressors of a cohort's units, or their derivative in the dose."""
        ends = None if self.basis.spec.ends is None else (float(own.min()), float(own.max()))
        return self.basis.values(own, order, ends)

    def change(self, cohort: int) -> np.ndarray:
        """(T,) the mean period under treatment less the base."""
        out = np.zeros(self.y.shape[1])
        for time, base, _ in self.cells[cohort]:
            out[time] += 1 / len(self.cells[cohort])
            out[base] -= 1 / len(self.cells[cohort])
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class Solved:
    """estimate (k,); pull (n, k) response weights on a treated unit's change; influence (n, k); control: cohort →
    (k, T) response weights of a comparison unit of it.
    """

    estimate: np.ndarray
    pull: np.ndarray
    influence: np.ndarray
    control: dict[int, np.ndarray]


def solve(sample: Sample, keep: np.ndarray | None = None) -> Solved:
    """Estimates and response weights of the units kept; NaN where a cohort's basis is short of rank."""
    keep = np.ones(len(sample.y), dtype=bool) if keep is None else keep
    k = (1 + len(sample.at)) * (1 if sample.basis.spec.cuts else 2)
    sizes = {g: int((keep & (sample.cohort == g)).sum()) for g in sample.cells}
    total = sum(sizes.values())
    estimate, pull, psi = np.zeros(k), np.zeros((len(sample.y), k)), np.zeros((len(sample.y), k))
    control: dict[int, np.ndarray] = {}
    for g, cells in sample.cells.items():
        own, share = np.flatnonzero(keep & (sample.cohort == g)), sizes[g] / total if total else 0.0
        if not full_rank(sample, sample.dose[own]):
            return Solved(estimate=np.full(k, np.nan), pull=pull, influence=psi, control=control)
        x, change = sample.columns(sample.dose[own]), sample.y[own] @ sample.change(g)
        rows, levels = sample.rows(sample.dose[own])
        weights = rows @ np.linalg.pinv(x)
        beta = np.linalg.lstsq(x, change, rcond=None)[0]
        part = rows @ beta
        pull[own] = share * weights.T
        psi[own] += share * weights.T * (change - x @ beta)[:, None]
        psi[own] += _drawn(sample, sample.dose[own], beta, part, k) * share / len(own)
        for time, base, controls in cells:
            off = np.flatnonzero(keep & np.isin(sample.cohort, controls))
            if not len(off):
                return Solved(estimate=np.full(k, np.nan), pull=pull, influence=psi, control=control)
            moved = sample.y[off, time] - sample.y[off, base]
            load = share * levels / len(cells) / len(off)
            part = part - levels * moved.mean() / len(cells)
            psi[off] -= load * (moved - moved.mean())[:, None]
            for h in controls:
                taken = control.setdefault(h, np.zeros((k, sample.y.shape[1])))
                taken[:, time] -= load
                taken[:, base] += load
        estimate += share * part
        psi[own] += part / total
    ever = np.flatnonzero(keep & np.isin(sample.cohort, list(sample.cells)))
    psi[ever] -= estimate / total
    return Solved(estimate=estimate, pull=pull, influence=psi, control=control)


def full_rank(sample: Sample, own: np.ndarray) -> bool:
    if not len(own):
        return False
    x = sample.columns(own)
    return int(np.linalg.matrix_rank(x)) == x.shape[1]


def _drawn(sample: Sample, own: np.ndarray, beta: np.ndarray, part: np.ndarray, k: int) -> np.ndarray:
    """(n, k) how far a unit's own dose is from the mean that the overall rows take."""
    out = np.zeros((len(own), k))
    out[:, 0] = sample.columns(own) @ beta - part[0]
    if not sample.basis.spec.cuts:
        m = 1 + len(sample.at)
        out[:, m] = sample.columns(own, 1) @ beta - part[m]
    return out
