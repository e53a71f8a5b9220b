"""Poisson pseudo-maximum likelihood with one effect per unit concentrated out exactly, and its separation check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core import UserError
from .cells import UNTREATED, Cells, Row, unit_starts, within
from .linalg import pseudo_inverse
from .separation import components

MAX_STEPS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class PoissonFit:
    """Coefficients (p,), log unit effects (one per unit present, in order), fitted counts (n,)."""

    beta: np.ndarray
    log_unit: np.ndarray
    mu: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """keep (n,) cells that enter estimation; zero, lost: positions of rows with no case, or without a comparison;
    unbounded: of rows with cases whose cohort has none before the start (ratio ∞, expected count 0).
    """

    keep: np.ndarray
    zero: tuple[int, ...]
    lost: tuple[int, ...]
    unbounded: tuple[int, ...] = ()

    @property
    def silent(self) -> tuple[int, ...]:
        """Rows without a coefficient of their own."""
        return (*self.zero, *self.lost, *self.unbounded)


def fit_poisson(y: np.ndarray, offset: np.ndarray, x: np.ndarray, unit: np.ndarray) -> PoissonFit:
    """Maximise Σ y log μ − μ with μ_it = exp(α_i + offset_it + x_it'β); α_i solved exactly at every step.

    y, offset (n,), x (n, p), cells ordered by unit, every unit with at least one case. Newton on the concentrated
    likelihood, whose Hessian is X̃'diag(μ)X̃ with X̃ the μ-weighted unit-demeaned design (the same matrix as
    iteratively
    re-weighted least squares at convergence), halving a step that does not rise. Quadratic: it stops one step after
    the decrement passes 1e-10. Raises UserError("poisson_not_converged").
    """
    starts = unit_starts(unit)
    lengths = np.diff(np.r_[starts, len(unit)])
    scale = np.sqrt((x**2).sum(axis=0))
    scaled = x / np.where(scale > 0, scale, 1.0)
    cases = np.add.reduceat(y, starts)
    beta = np.zeros(x.shape[1])
    value, log_unit, mu = _concentrate(beta, y, offset, scaled, starts, lengths, cases)
    for done in range(1, MAX_STEPS + 1):
        centred = within(scaled, unit, mu)
        step = _bread(centred, mu) @ (centred.T @ (y - mu))
        decrement = float(step @ (centred.T @ (y - mu)))
        new = _concentrate(beta + step, y, offset, scaled, starts, lengths, cases)
        while not new[0] >= value - 1e-9 * (1 + abs(value)) and np.abs(step).max() > 1e-12:
            step = step / 2
            new = _concentrate(beta + step, y, offset, scaled, starts, lengths, cases)
        if not np.isfinite(new[0]):
            raise UserError("poisson_not_converged", steps=done)
        beta = beta + step
        value, log_unit, mu = new
        if decrement < 1e-10:
            return PoissonFit(beta=beta / np.where(scale > 0, scale, 1.0), log_unit=log_unit, mu=mu)
    raise UserError("poisson_not_converged", steps=MAX_STEPS)


def _bread(centred: np.ndarray, mu: np.ndarray) -> np.ndarray:
    gram = (centred * mu[:, None]).T @ centred
    norms = np.sqrt(np.clip(np.diag(gram), 0, None))
    both = np.outer(*[np.where(norms > 0, norms, 1.0)] * 2)
    return pseudo_inverse(gram / both) / both


def _concentrate(
    beta: np.ndarray,
    y: np.ndarray,
    offset: np.ndarray,
    x: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    cases: np.ndarray,
) -> tuple[float, np.ndarray, np.ndarray]:
    eta = offset + x @ beta
    top = np.maximum.reduceat(eta, starts)
    size = np.exp(eta - np.repeat(top, lengths))
    total = np.add.reduceat(size, starts)
    log_unit = np.log(cases / total) - top
    mu = np.repeat(cases / total, lengths) * size
    return float(y @ eta - cases @ (np.log(total) + top)), log_unit, mu


def separation(cells: Cells, rows: Sequence[Row], y: np.ndarray) -> Separation:
    """Cells whose fitted count would be driven to zero or whose effect to infinity, found before estimation.

    Left out, until nothing changes: cells of an effect without any case (its estimate is −∞, its μ0 is still defined);
    units and periods without a case; in an event study, periods without a case among comparison cells (the period
    effect and the event-time effect cannot be told apart). Nothing is kept where the treated units have no case in
    their baseline: every effect would be infinite.
    """
    keep = np.ones(len(y), dtype=bool)
    in_effect = np.any([row.cells for row in rows if row.live], axis=0)
    if not y[(cells.event_time != UNTREATED) & ~in_effect].any():
        return Separation(keep=~keep, zero=(), lost=())
    zero = tuple(r for r, row in enumerate(rows) if row.live and not y[row.cells].any())
    for r in zero:
        keep &= ~rows[r].cells
    free = ~in_effect if rows[0].event_time is not None else np.ones(len(y), dtype=bool)
    while True:
        unit_cases = np.bincount(cells.unit[keep], y[keep], minlength=cells.unit.max() + 1)
        at = keep & free
        time_cases = np.bincount(cells.time[at], y[at], minlength=cells.time.max() + 1)
        new = keep & (unit_cases[cells.unit] > 0) & (time_cases[cells.time] > 0)
        if (new == keep).all():
            break
        keep = new
    lost = tuple(r for r, row in enumerate(rows) if row.live and r not in zero and not (row.cells & keep).any())
    return Separation(keep=keep, zero=zero, lost=lost)


def saturated_separation(cells: Cells, rows: Sequence[Row], y: np.ndarray) -> Separation:
    """The same for rows that are each one cohort in one period: exact, by the components of `separation.components`.

    Row (g,t) is estimated where its node and period t's are comparable. Without a case it is zero where its cohort has
    cases elsewhere to tell its expected count; with cases but none in the cohort's baseline it is unbounded; otherwise
    lost. Left out are exactly the cells that some direction drives to zero.
    """
    n_times = int(cells.time.max()) + 1
    kinds, cohort = np.unique(
        np.where(cells.event_time == UNTREATED, n_times, cells.time - cells.event_time), return_inverse=True
    )
    units, unit = np.unique(cells.unit, return_inverse=True)
    of_unit = np.zeros(len(units), dtype=np.int64)
    of_unit[unit] = cohort
    live = [r for r, row in enumerate(rows) if row.live]
    node = np.tile(np.arange(n_times), (len(kinds), 1))
    for place, r in enumerate(live):
        node[cohort[rows[r].cells], cells.time[rows[r].cells]] = n_times + place
    present = np.zeros((len(units), n_times), dtype=bool)
    positive = np.zeros_like(present)
    present[unit, cells.time] = True
    positive[unit[y > 0], cells.time[y > 0]] = True
    found = components(of_unit, node, present, positive)
    some = np.asarray(positive.any(axis=1))
    at = node[cohort, cells.time]
    keep = (found.unit[unit] == found.node[at]) & some[unit]
    split: dict[str, list[int]] = {"zero": [], "lost": [], "unbounded": []}
    for place, r in enumerate(live):
        own = np.unique(unit[rows[r].cells])
        before = np.asarray(node[of_unit[own[0]]] < n_times)
        here, there = found.node[n_times + place], found.node[int(cells.time[rows[r].cells][0])]
        told = there >= 0 and bool((found.unit[own] == there).any())
        if here >= 0 and here == there:
            continue
        baseline = positive[own][:, before].any()
        split["zero" if here < 0 and told else "unbounded" if here >= 0 and not baseline else "lost"].append(r)
        keep &= ~rows[r].cells
    keep &= np.bincount(unit[keep], y[keep], minlength=len(units))[unit] > 0
    return Separation(keep=keep, **{name: tuple(found) for name, found in split.items()})
