"""One outcome of a Poisson model with exposure, solved: fitted counts, untreated counts μ0, and its least-squares
system.

    E[y_it] = exposure_it · completeness_it · exp(α_i + λ_t + effects + covariates)

The row of an effect has `observed` = Σ y and `mu0` = Σ fitted untreated count over its cells, at the cells' own
exposure and completeness; θ = log(observed / mu0). Its influence follows from ∂θ/∂β with observed = Σ fitted (a
first-order condition) and the unit effects following the coefficients, α_i(β) = log Σ_t y_it − log Σ_t offset ·
exp(x_it'β).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core import Design, Panel, UserError
from .cells import Cells, Row, contrast_rows, design_columns, memberships, within
from .etwfe import cohort_columns, interacted_columns, rank_of, within_columns
from .fit import Layout, observed_cells
from .linalg import Regression
from .poisson import PoissonFit, Separation, fit_poisson, saturated_separation, separation


@dataclass(frozen=True, slots=True, kw_only=True)
class CountModel:
    """A layout of effects; saturated: each row one cohort in one period, covariates interacted; units: unit effects,
    otherwise cohort dummies.
    """

    method: str
    layout: Layout
    saturated: bool = False
    units: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """One outcome solved. y, mu0, offset (n,), x0 (n, p) untreated design on all selected cells, ordered by `group`
    (unit, or cohort); x, fit and kept on those that entered estimation; live: rows with a coefficient.
    """

    cells: Cells
    rows: list[Row]
    y: np.ndarray
    mu0: np.ndarray
    offset: np.ndarray
    x0: np.ndarray
    kept: Cells
    x: np.ndarray
    live: list[Row]
    fit: PoissonFit
    split: Separation
    group: np.ndarray
    model: CountModel


def countable(panel: Panel, outcome: str, design: Design) -> np.ndarray:
    """(N, T) usable cells. Raises UserError did_negative_count, did_count_without_exposure."""
    ok = observed_cells(panel, outcome, design)
    y = panel.matrix(outcome)
    if (y[ok] < 0).any():
        raise UserError("did_negative_count", outcome=outcome, cells=int((y[ok] < 0).sum()))
    exposure = exposure_of(panel)
    bad = ok & (y > 0) & ~(exposure > 0)
    if bad.any():
        first = np.argwhere(bad)[0]
        raise UserError(
            "did_count_without_exposure",
            outcome=outcome,
            cells=int(bad.sum()),
            unit=panel.units[first[0]],
            time=panel.times[first[1]],
        )
    return ok & (exposure > 0)


def exposure_of(panel: Panel) -> np.ndarray:
    """(N, T) exposure · completeness, 0 where missing; 1 where the panel has neither."""
    exposure = np.ones((panel.n_units, panel.n_periods)) if panel.exposure is None else panel.exposure
    return np.nan_to_num(exposure if panel.completeness is None else exposure * panel.completeness)


def solve(panel: Panel, design: Design, outcome: str, model: CountModel) -> Solved | None:
    """The outcome solved; None where nothing can be estimated."""
    cells, rows = model.layout(panel, design, countable(panel, outcome, design))
    if not model.units:
        order = np.argsort(panel.cohort[cells.unit], kind="stable")
        cells, rows = cells.keep(order), [replace(row, cells=row.cells[order]) for row in rows]
    group = cells.unit if model.units else np.unique(panel.cohort[cells.unit], return_inverse=True)[1]
    y = panel.matrix(outcome)[cells.index]
    if model.saturated:
        split = saturated_separation(replace(cells, unit=group), rows, y)
    else:
        split = separation(cells, rows, y)
    if not split.keep.any():
        return None
    kept = cells.keep(split.keep)
    alive = [row for r, row in enumerate(rows) if row.live and r not in split.silent]
    x, own = _columns(panel, cells, alive, design, model)
    offset = np.log(exposure_of(panel)[cells.index])
    fit = fit_poisson(y[split.keep], offset[split.keep], x[split.keep], group[split.keep])
    x0 = x.copy()
    x0[:, :own] = 0.0
    x = x[split.keep]
    return Solved(
        cells=cells,
        rows=rows,
        y=y,
        mu0=np.exp(offset + _untreated(x0 @ fit.beta, cells, kept, group, group[split.keep], fit)),
        offset=offset,
        x0=x0,
        kept=kept,
        x=x,
        live=[replace(row, cells=row.cells[split.keep]) for row in alive],
        fit=fit,
        split=split,
        group=group,
        model=model,
    )


def _columns(panel: Panel, cells: Cells, rows: list[Row], design: Design, model: CountModel) -> tuple[np.ndarray, int]:
    """(n, p) columns of the live rows, covariates and periods, and how many of them are the effects'."""
    if not model.saturated:
        return design_columns(panel, cells, rows, design.covariates), len(rows)
    x = interacted_columns(panel, cells, rows, design.covariates)
    if not model.units:
        slopes = cohort_columns(panel, cells, design.covariates)[:, len(np.unique(panel.cohort[cells.unit])) :]
        x = np.column_stack([x, slopes])
    return x, len(rows) * (1 + len(design.covariates))


def _untreated(
    line: np.ndarray, cells: Cells, kept: Cells, group: np.ndarray, kept_group: np.ndarray, fit: PoissonFit
) -> np.ndarray:
    """(n,) α_i + λ_t + x'γ on all cells; −∞ for groups and periods without a case."""
    by_group = np.full(int(group.max()) + 1, -np.inf)
    by_group[np.unique(kept_group)] = fit.log_unit
    by_time = np.full(int(cells.time.max()) + 1, -np.inf)
    by_time[kept.time] = 0.0
    return line + by_group[group] + by_time[cells.time]


def effects_of(solved: Solved, rows: list[Row]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(k,) estimate, observed, mu0 and exposure · completeness of the rows; a reference has estimate 0."""
    observed = np.array([solved.y[row.cells].sum() for row in rows])
    mu0 = np.array([solved.mu0[row.cells].sum() for row in rows])
    exposure = np.array([np.exp(solved.offset[row.cells]).sum() for row in rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.where([row.live for row in rows], np.log(observed / mu0), 0.0)
    return estimate, observed, mu0, exposure


def working_regression(solved: Solved, rows: list[Row], panel: Panel, design: Design) -> Regression:
    """The weighted least-squares system at the solution, response z = xβ + (y − μ)/μ."""
    mu, kept, x = solved.fit.mu, solved.kept, solved.x
    root = np.sqrt(mu)
    z = x @ solved.fit.beta + (solved.y[solved.split.keep] - mu) / mu
    treated, control = memberships(solved.cells, rows)
    present = np.isin(np.arange(kept.n_clusters), kept.cluster)
    contrast = contrasts(solved, rows, design)
    if solved.model.units:
        x, z = within_columns(x, kept.unit, mu), within(z, kept.unit, mu)
    else:
        own = solved.group[solved.split.keep][:, None] == np.arange(int(solved.group.max()) + 1)
        z = z + solved.fit.log_unit[np.searchsorted(np.unique(solved.group[solved.split.keep]), own.argmax(axis=1))]
        x = np.column_stack([x, own])
    x = x * root[:, None]
    return Regression(
        x=x,
        y=z * root,
        root=root,
        unit=kept.unit,
        cluster=kept.cluster,
        time=kept.time,
        n_clusters=kept.n_clusters,
        contrast=contrast,
        treated=treated & present,
        control=control & present,
        n_params=(rank_of(x) if solved.model.saturated else x.shape[1]) + int(solved.model.units),
        family="poisson",
    )


def contrasts(solved: Solved, rows: list[Row], design: Design | None = None) -> np.ndarray:
    """(k, p) ∂θ/∂β: own column of a live row without covariates; zero for a reference; −∂ log μ0/∂β without a case."""
    names = [row.term for row in solved.live]
    alive = [replace(row, live=row.term in names) for row in rows]
    out = contrast_rows(alive, solved.x.shape[1])
    bare = design is None or not design.covariates
    groups = 0 if solved.model.units else int(solved.group.max()) + 1
    out = np.column_stack([out, np.zeros((len(rows), groups))])
    for r, row in enumerate(rows):
        if not row.live:
            continue
        if row.term not in names:
            out[r] = -_slope(solved, row.cells, solved.mu0, solved.x0)
        elif solved.model.saturated and not bare:
            out[r] = _slope_fitted(solved, solved.live[names.index(row.term)].cells)
            out[r] -= _slope(solved, row.cells, solved.mu0, solved.x0)
    return out


def _slope(solved: Solved, on: np.ndarray, mu: np.ndarray, x: np.ndarray) -> np.ndarray:
    """∂ log Σ μ/∂β over cells (n,) of all those selected."""
    at = np.flatnonzero(np.where(on, mu, 0.0))
    if not len(at):
        return np.zeros(x.shape[1] + (0 if solved.model.units else int(solved.group.max()) + 1))
    share = mu[at] / mu[at].sum()
    return share @ _total(solved, x[at], solved.group[at])


def _slope_fitted(solved: Solved, on: np.ndarray) -> np.ndarray:
    """∂ log Σ μ/∂β over cells of those kept, at the fitted counts."""
    share = solved.fit.mu[on] / solved.fit.mu[on].sum()
    return share @ _total(solved, solved.x[on], solved.group[solved.split.keep][on])


def _total(solved: Solved, x: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Derivative of each cell's log fitted count: with unit effects following, or with its own group's dummy."""
    if not solved.model.units:
        return np.column_stack([x, group[:, None] == np.arange(int(solved.group.max()) + 1)])
    kept, mu = solved.kept, solved.fit.mu
    units = np.unique(kept.unit)
    first = np.searchsorted(kept.unit, units)
    mean = np.add.reduceat(solved.x * mu[:, None], first, axis=0) / np.add.reduceat(mu, first)[:, None]
    return x - mean[np.searchsorted(units, group)]
