"""Counts with exposure: Poisson pseudo-maximum likelihood with unit and period effects.

    E[y_it] = exposure_it · completeness_it · exp(α_i + λ_t + Σ_e β_e 1{cell in effect e} + x_it'γ)

Multiplicative parallel trends. The row of an effect carries `observed` = Σ y and `mu0` = Σ fitted untreated count over
its cells; the first-order condition of each effect's dummy makes θ = log(Σ observed / Σ μ0) equal to its coefficient.
Averted cases are Σ μ0 − Σ observed (`EffectPath.averted`), never a ratio applied to something else.

Several outcomes (`Design.outcomes`) are fitted side by side and share one joint cluster covariance. Inference uses the
weighted least-squares system of the last step (working response z, weights μ): the cluster jackknife is the one-step
one. Santos Silva & Tenreyro 2006 (REStat 88:641); Correia, Guimarães & Zylkin 2020 (Stata J. 20:95) for separation;
Wooldridge 2023 (Econometrics J. 26:C31).

Not for: exposure that the programme itself moves; outcomes that are not counts or amounts ≥ 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core import Design, Dropped, Panel, UserError
from .cells import Cells, Row, contrast_rows, design_columns, effect_terms, memberships, within
from .fit import Fit, Layout, Piece, assemble, event_layout, observed_cells, outcomes_of, static_layout
from .linalg import Regression
from .poisson import PoissonFit, Separation, fit_poisson, separation

SOURCES = ("santos_silva_tenreyro_2006", "correia_guimaraes_zylkin_2020", "wooldridge_2023")

DIVERGED = 15.0
"""A log rate ratio beyond this is a separated fit on its way to infinity, not an estimate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """One outcome solved. y, mu0 (n,) on all selected cells; x, fit and kept on those that entered estimation."""

    cells: Cells
    rows: list[Row]
    y: np.ndarray
    mu0: np.ndarray
    kept: Cells
    x: np.ndarray
    live: list[Row]
    fit: PoissonFit
    split: Separation


def ppml_fit(panel: Panel, design: Design) -> Fit:
    """Static Poisson effect of each outcome; term "att", measure "log_rate_ratio"."""
    return _count_fit("ppml", static_layout, panel, design)


def ppml_event_study_fit(panel: Panel, design: Design) -> Fit:
    """Poisson event study of each outcome; terms "event_time=k"."""
    return _count_fit("ppml_event_study", event_layout, panel, design)


def counterfactual(panel: Panel, design: Design | None = None) -> np.ndarray:
    """(N, T) fitted untreated counts μ0 of the primary outcome from the static model, in cases; NaN outside the sample.

    At a cell's own exposure and completeness. Zero for units without any case. Raises as `did.ppml`. Not an
    observation: in treated cells it rests on multiplicative parallel trends.
    """
    design = design or Design()
    solved = _solve(panel, design, outcomes_of(panel, design)[0], static_layout)
    out = np.full((panel.n_units, panel.n_periods), np.nan)
    if solved is not None:
        out[solved.cells.index] = solved.mu0
    return out


def separated(panel: Panel, design: Design | None = None, outcome: str | None = None) -> tuple[Dropped, ...]:
    """Units without a case of the outcome in the static sample: they carry no information on a ratio.

    outcome   the design's first without it
    Returns one `Dropped` per unit with reason "separation"; their exposure stays in every denominator.
    Raises as `did.ppml`. Source: Correia, Guimarães and Zylkin (2020).
    """
    design = design or Design()
    outcome = outcome or outcomes_of(panel, design)[0]
    cells, _ = static_layout(panel, design, _observed(panel, outcome, design))
    cases = np.bincount(cells.unit, panel.matrix(outcome)[cells.index], minlength=panel.n_units)
    silent = np.unique(cells.unit[cases[cells.unit] == 0])
    return tuple(Dropped(unit=panel.units[i], reason="separation", detail=outcome) for i in silent)


def _count_fit(method: str, layout: Layout, panel: Panel, design: Design) -> Fit:
    if panel.weight is not None:
        raise UserError("weights_on_counts")
    pieces = [_piece(panel, design, outcome, layout) for outcome in outcomes_of(panel, design)]
    return assemble(method, panel, design, pieces, SOURCES)


def _observed(panel: Panel, outcome: str, design: Design) -> np.ndarray:
    """(N, T) usable cells. Raises UserError did_negative_count, did_count_without_exposure."""
    ok = observed_cells(panel, outcome, design)
    y = panel.matrix(outcome)
    if (y[ok] < 0).any():
        raise UserError("did_negative_count", outcome=outcome, cells=int((y[ok] < 0).sum()))
    exposure = _exposure(panel)
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


def _exposure(panel: Panel) -> np.ndarray:
    exposure = np.ones((panel.n_units, panel.n_periods)) if panel.exposure is None else panel.exposure
    return np.nan_to_num(exposure if panel.completeness is None else exposure * panel.completeness)


def _solve(panel: Panel, design: Design, outcome: str, layout: Layout) -> Solved | None:
    cells, rows = layout(panel, design, _observed(panel, outcome, design))
    y = panel.matrix(outcome)[cells.index]
    split = separation(cells, rows, y)
    if not split.keep.any():
        return None
    kept = cells.keep(split.keep)
    live = [
        replace(row, cells=row.cells[split.keep])
        for r, row in enumerate(rows)
        if row.live and r not in split.zero and r not in split.lost
    ]
    x = design_columns(panel, kept, live, design.covariates)
    log_exposure = np.log(_exposure(panel)[cells.index])
    fit = fit_poisson(y[split.keep], log_exposure[split.keep], x, kept.unit)
    return Solved(
        cells=cells,
        rows=rows,
        y=y,
        mu0=np.exp(log_exposure + _untreated(panel, design, cells, kept, fit, len(live))),
        kept=kept,
        x=x,
        live=live,
        fit=fit,
        split=split,
    )


def _untreated(panel: Panel, design: Design, cells: Cells, kept: Cells, fit: PoissonFit, n_effects: int) -> np.ndarray:
    """(n,) α_i + λ_t + x'γ on all cells; −∞ for units and periods without a case."""
    by_unit = np.full(panel.n_units, -np.inf)
    by_unit[np.unique(kept.unit)] = fit.log_unit
    periods = np.unique(kept.time)
    by_time = np.full(panel.n_periods, -np.inf)
    by_time[periods[0]] = 0.0
    by_time[periods[1:]] = fit.beta[len(fit.beta) - len(periods) + 1 :]
    out = by_unit[cells.unit] + by_time[cells.time]
    for j, name in enumerate(design.covariates):
        out = out + fit.beta[n_effects + j] * panel.covariates[name][cells.index]
    return out


def _piece(panel: Panel, design: Design, outcome: str, layout: Layout) -> Piece:
    solved = _solve(panel, design, outcome, layout)
    if solved is None:
        return _silent_piece(panel, design, outcome, layout)
    rows = [row for r, row in enumerate(solved.rows) if r not in solved.split.lost]
    observed = np.array([solved.y[row.cells].sum() for row in rows])
    mu0 = np.array([solved.mu0[row.cells].sum() for row in rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.where([row.live for row in rows], np.log(observed / mu0), 0.0)
    estimate = np.where(np.isfinite(estimate) & (np.abs(estimate) > DIVERGED), np.nan, estimate)
    regression = _regression(solved, rows)
    return Piece(
        terms=effect_terms(panel, solved.cells, rows, outcome, "log_rate_ratio"),
        estimate=estimate,
        regression=replace(regression, contrast=np.where(np.isnan(estimate)[:, None], 0.0, regression.contrast)),
        notes=(*solved.cells.notes, *_notes(solved)),
        observed=observed,
        mu0=mu0,
    )


def _notes(solved: Solved) -> tuple[str, ...]:
    notes = []
    if not solved.split.keep.all():
        notes.append("path.note.separation")
    if solved.split.zero:
        notes.append("path.note.zero_observed")
    if solved.split.lost:
        notes.append("path.note.unidentified_rows")
    return tuple(notes)


def _regression(solved: Solved, rows: list[Row]) -> Regression:
    """The weighted least-squares system at the solution, response z = xβ + (y − μ)/μ."""
    mu, kept, x = solved.fit.mu, solved.kept, solved.x
    root = np.sqrt(mu)
    z = x @ solved.fit.beta + (solved.y[solved.split.keep] - mu) / mu
    treated, control = memberships(solved.cells, rows)
    present = np.isin(np.arange(kept.n_clusters), kept.cluster)
    return Regression(
        x=within(x, kept.unit, mu) * root[:, None],
        y=within(z, kept.unit, mu) * root,
        root=root,
        unit=kept.unit,
        cluster=kept.cluster,
        time=kept.time,
        n_clusters=kept.n_clusters,
        contrast=_contrast(solved, rows),
        treated=treated & present,
        control=control & present,
        n_params=x.shape[1] + 1,
        family="poisson",
    )


def _contrast(solved: Solved, rows: list[Row]) -> np.ndarray:
    """(k, p) own column of a live row; zero for a reference; −∂ log μ0/∂β for a row without a case."""
    names = {row.term for row in solved.live}
    out = contrast_rows([replace(row, live=row.term in names) for row in rows], solved.x.shape[1])
    for r, row in enumerate(rows):
        if row.live and row.term not in names:
            out[r] = -_log_mu0_slope(solved, row)
    return out


def _log_mu0_slope(solved: Solved, row: Row) -> np.ndarray:
    """(p,) derivative of log Σ μ0 over the row's cells, unit effects following the coefficients."""
    kept, x, mu = solved.kept, solved.x, solved.fit.mu
    units, n_periods = np.unique(kept.unit), len(np.unique(kept.time))
    mean = (within(x, kept.unit, mu) - x)[np.searchsorted(kept.unit, units)]
    share = np.where(row.cells, solved.mu0, 0.0)
    if share.sum() == 0:
        return np.zeros(x.shape[1])
    at = np.flatnonzero(share)
    own = np.zeros((len(at), x.shape[1]))
    periods = np.unique(kept.time)
    column = x.shape[1] - n_periods + np.searchsorted(periods, solved.cells.time[at])
    later = solved.cells.time[at] != periods[0]
    own[np.flatnonzero(later), column[later]] = 1.0
    own += mean[np.searchsorted(units, solved.cells.unit[at])]
    return (share[at] / share.sum()) @ own


def _silent_piece(panel: Panel, design: Design, outcome: str, layout: Layout) -> Piece:
    """An outcome without a case, or without one in the treated units' baseline: no estimate, refused by the router."""
    cells, rows = layout(panel, design, _observed(panel, outcome, design))
    y = panel.matrix(outcome)[cells.index]
    observed = np.array([y[row.cells].sum() for row in rows])
    treated, control = memberships(cells, rows)
    x = np.zeros((len(cells.unit), 1))
    return Piece(
        terms=effect_terms(panel, cells, rows, outcome, "log_rate_ratio"),
        estimate=np.full(len(rows), np.nan),
        regression=Regression(
            x=x,
            y=x[:, 0],
            root=np.ones(len(x)),
            unit=cells.unit,
            cluster=cells.cluster,
            time=cells.time,
            n_clusters=cells.n_clusters,
            contrast=np.zeros((len(rows), 1)),
            treated=treated,
            control=control,
            n_params=1,
            family="poisson",
        ),
        notes=(*cells.notes, "path.note.separation"),
        observed=observed,
        mu0=np.full(len(rows), np.nan if y.any() else 0.0),
    )
