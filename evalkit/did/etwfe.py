"""Extended two-way fixed effects (Wooldridge 2021/2025; Poisson 2023) and Sun-Abraham (2021): one effect per cohort ×
time.

    y_it = α_i + λ_t + Σ_(g,t) θ_gt 1{i in cohort g, period t} [1 + (x_it − x̄_gt)'κ_gt] + x-slopes by cohort and period

Covariates are interacted as Wooldridge and R etwfe do: centred at the mean of the effect's own cells, so that θ_gt is
the average effect there, with slopes by period and, where a covariate changes within units, by cohort. Sun-Abraham
takes them as plain regressors and always has all leads. Unit effects by default; cohort dummies (`effects="cohort"`)
are the check: equal on a balanced panel without weights, covariates or exposure, different where those paths differ
between units.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from ..core import Design, Panel, Refused
from .cells import Cells, Row, design_columns, effect_terms, within
from .cohort_time import cohort_layout, lay
from .fit import Fit, Piece, assemble, build_regression, observed_cells, outcomes_of
from .group_time import label_of
from .linalg import least_squares, pseudo_inverse
from .twfe import grouped_piece, measure_of, structured

SOURCES = ("wooldridge_2021",)
Columns = Callable[[Panel, Cells, list[Row], tuple[str, ...]], np.ndarray]


def etwfe_fit(panel: Panel, design: Design) -> Fit:
    """Linear effects by cohort and period, unit effects."""
    return _linear("etwfe", interacted_columns, panel, design)


def etwfe_cohort_fit(panel: Panel, design: Design) -> Fit:
    """Linear effects by cohort and period, cohort dummies instead of unit effects."""
    return _linear("etwfe_cohort", interacted_columns, panel, design, units=False)


def sunab_fit(panel: Panel, design: Design) -> Fit:
    """Sun-Abraham: all leads, covariates as plain regressors."""
    return _linear("sunab", design_columns, panel, design, leads=True, sources=("sun_abraham_2021",))


def _linear(
    method: str,
    columns: Columns,
    panel: Panel,
    design: Design,
    *,
    leads: bool | None = None,
    units: bool = True,
    sources: tuple[str, ...] = SOURCES,
) -> Fit:
    layout = partial(cohort_layout, leads=leads)
    outcomes = outcomes_of(panel, design)
    if units:
        from . import wide_fit

        sketch = wide_fit.sketch_saturated(panel, lay(panel, design, leads=leads))
        if not design.covariates and all(structured(panel, design, outcome) for outcome in outcomes):
            pieces = [grouped_piece(panel, design, outcome, layout) for outcome in outcomes]
            return with_refusals(assemble(method, panel, design, pieces, sources), panel, design, leads)
        fit = wide_fit.linear(method, panel, design, sketch, sources)
        if fit is not None:
            return with_refusals(fit, panel, design, leads)
    pieces = [_piece(panel, design, outcome, layout, columns, units) for outcome in outcomes]
    return with_refusals(assemble(method, panel, design, pieces, sources), panel, design, leads)


def with_refusals(fit: Fit, panel: Panel, design: Design, leads: bool | None) -> Fit:
    """The fit with the cells that the design cannot compare, and those that the sample does not tell."""
    laid, path = lay(panel, design, leads=leads), fit.path
    reason = "refused.no_comparison_case" if path.is_count else "refused.not_identified"
    there: set[tuple[str, str]] = {(t.outcome, t.term) for t in path.terms}
    refused: list[Refused] = []
    low, high = design.window or (-np.inf, np.inf)
    for outcome in outcomes_of(panel, design):
        refused += laid.refusals(panel, outcome)
        refused += [
            Refused(outcome=outcome, cohort=label_of(panel, int(g)), time=label_of(panel, int(t)), reason=reason)
            for name, g, t in zip(laid.names(panel), laid.cohort, laid.time)
            if (outcome, name) not in there and low <= t - g <= high
        ]
    notes = (*path.notes, "path.note.cells_refused") if refused else path.notes
    return replace(fit, path=replace(path, refused=tuple(refused), notes=tuple(dict.fromkeys(notes))))


def _piece(
    panel: Panel,
    design: Design,
    outcome: str,
    layout: Callable[[Panel, Design, np.ndarray], tuple[Cells, list[Row]]],
    columns: Columns,
    units: bool,
) -> Piece:
    cells, rows = layout(panel, design, observed_cells(panel, outcome, design))
    y = panel.matrix(outcome)[cells.index]
    x = columns(panel, cells, rows, design.covariates)
    weight = None if panel.weight is None else panel.weight[cells.index]
    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    if units:
        x, y = within_columns(x, cells.unit, weight), within(y, cells.unit, weight)
    else:
        x = np.column_stack([x, cohort_columns(panel, cells, design.covariates)])
    x, y = x * root[:, None], y * root
    regression = build_regression(cells, rows, x, y, root, n_params=rank_of(x) + int(units))
    return Piece(
        terms=effect_terms(panel, cells, rows, outcome, measure_of(panel), weight),
        estimate=regression.contrast @ least_squares(x, y),
        regression=regression,
        notes=cells.notes,
    )


def interacted_columns(panel: Panel, cells: Cells, rows: list[Row], covariates: tuple[str, ...]) -> np.ndarray:
    """(n, p) live effects; each × every covariate centred at its mean over the effect's cells; slopes of every
    covariate
    by period and, where it changes within units, by cohort; period dummies but the first.
    """
    effects = [row.cells for row in rows if row.live]
    periods = np.unique(cells.time)
    dummies = [cells.time == t for t in periods[1:]]
    weight = np.ones(len(cells.time)) if panel.weight is None else panel.weight[cells.index]
    cohort, extra = panel.cohort[cells.unit], []
    for name in covariates:
        x = panel.covariates[name][cells.index]
        extra += [on * (x - np.average(x[on], weights=weight[on])) for on in effects if on.any()]
        extra += [on * x for on in dummies]
        if _changes(x, cells.unit):
            extra += [(cohort == g) * x for g in np.unique(cohort)]
    return np.column_stack([*effects, *extra, *dummies]).astype(float)


def cohort_columns(panel: Panel, cells: Cells, covariates: tuple[str, ...]) -> np.ndarray:
    """(n, q) dummies of cohorts, and slopes by cohort of covariates that `interacted_columns` leaves to the units."""
    cohort = panel.cohort[cells.unit]
    own = [cohort == g for g in np.unique(cohort)]
    xs = [panel.covariates[name][cells.index] for name in covariates]
    return np.column_stack([*own, *(on * x for x in xs if not _changes(x, cells.unit) for on in own)]).astype(float)


def _changes(x: np.ndarray, unit: np.ndarray) -> bool:
    same = unit[1:] == unit[:-1]
    return bool((x[1:] != x[:-1])[same].any())


def within_columns(x: np.ndarray, unit: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Columns minus their unit means; what is left of a column constant within units is zero, not rounding."""
    out = within(x, unit, weight)
    gone = np.abs(out).max(axis=0) <= 1e-12 * np.maximum(np.abs(x).max(axis=0), 1e-300)
    out[:, gone] = 0.0
    return out


def rank_of(x: np.ndarray) -> int:
    """Rank of x (n, p), columns scaled to unit norm."""
    norm = np.sqrt((x**2).sum(axis=0))
    scaled = x / np.where(norm > 0, norm, 1.0)
    gram = scaled.T @ scaled
    return round(float(np.trace(pseudo_inverse(gram) @ gram)))
