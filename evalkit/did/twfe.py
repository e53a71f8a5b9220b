"""Two-way fixed effects and event study: unit effects absorbed, period effects explicit.

    y_it = α_i + λ_t + Σ_e β_e 1{t − cohort_i = e} + x_it'γ + u_it

Static: one β for all treated cells. Event study: a β for every event time but each treated unit's own base period,
the last one before `cohort − anticipation` outside the selection window. All leads and lags are estimated in one
regression (one joint covariance); nothing is binned, `Design.window` only chooses what is shown.

Not for: staggered starts with effects that change over time, where the static β mixes cohorts with negative weights
(Goodman-Bacon 2021, J. Econometrics 225:254); show it there as a benchmark only.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..core import Design, Panel, UserError
from .cells import Cells, Row, design_columns, effect_terms, within
from .demeaned import part_of_effects, rectangular, solve, wide_of
from .fit import (
    Fit,
    Layout,
    Piece,
    assemble,
    build_regression,
    event_layout,
    observed_cells,
    outcomes_of,
    static_layout,
)
from .grouped import cohort_panel, cohort_regression, grouped, terms_of_units
from .linalg import Regression, least_squares, pseudo_inverse
from .moments import cluster_codes, cohort_codes, cohort_moments, types_of_units
from .parts import Part

SOURCES = ("goodman_bacon_2021", "pustejovsky_tipton_2018")
STAGGERED = "path.note.staggered_static"
LOG_RATE = "log_rate"
"""`Panel.outcome_unit` of a panel made by `log_rate`."""
GROUPED = 2_000
"""Above so many units a panel that cohort sums describe is solved from them (`grouped`); below it stays a regression,
which the router knows more about (wild bootstrap, studentised randomisation, simulated size)."""


def twfe_fit(panel: Panel, design: Design) -> Fit:
    """Static two-way fixed effects of each outcome; term "att"."""
    return _linear_fit("twfe", static_layout, panel, design)


def event_study_fit(panel: Panel, design: Design) -> Fit:
    """Event study of each outcome; terms "event_time=k", the reference period with estimate 0."""
    return _linear_fit("event_study", event_layout, panel, design)


def _linear_fit(method: str, layout: Layout, panel: Panel, design: Design) -> Fit:
    outcomes = outcomes_of(panel, design)
    plain = panel.n_units <= GROUPED or all(structured(panel, design, outcome) for outcome in outcomes)
    if not plain and (fit := _wide_fit(method, panel, design)) is not None:
        return fit
    pieces = [_piece(panel, design, outcome, layout) for outcome in outcomes]
    return assemble(method, panel, design, pieces, SOURCES)


def _wide_fit(method: str, panel: Panel, design: Design) -> Fit | None:
    """With missing cells or weights, from sums over blocks of units; None where a regression written out costs little
    (`wide_fit.Sketch.narrow`), or with covariates.
    """
    from . import wide_fit

    sketch = wide_fit.sketch_pooled(panel, design, events=method == "event_study")
    staggered = method == "twfe" and sketch.rows[0].any(axis=1).sum() > 1
    return wide_fit.linear(method, panel, design, sketch, SOURCES, (STAGGERED,) if staggered else ())


def _piece(panel: Panel, design: Design, outcome: str, layout: Layout) -> Piece:
    if structured(panel, design, outcome):
        make = _demeaned_piece if design.covariates else grouped_piece
        if (piece := make(panel, design, outcome, layout)) is not None:
            return piece
    cells, rows = layout(panel, design, observed_cells(panel, outcome, design))
    y = panel.matrix(outcome)[cells.index]
    x = design_columns(panel, cells, rows, design.covariates)
    weight = None if panel.weight is None else panel.weight[cells.index]
    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    regression = build_regression(
        cells,
        rows,
        within(x, cells.unit, weight) * root[:, None],
        within(y, cells.unit, weight) * root,
        root,
        n_params=x.shape[1] + 1,
    )
    beta = least_squares(regression.x, regression.y)
    if design.covariates:
        first = sum(row.live for row in rows)
        check_covariates(x, regression.x, slice(first, first + len(design.covariates)))
    return Piece(
        terms=effect_terms(panel, cells, rows, outcome, measure_of(panel), weight),
        estimate=regression.contrast @ beta,
        regression=regression,
        notes=(*cells.notes, *_staggered(panel, cells, rows)),
    )


def structured(panel: Panel, design: Design, outcome: str) -> bool:
    """True for more than `GROUPED` units, all observed, without weights: unit means and cohorts say all."""
    if panel.n_units <= GROUPED or panel.weight is not None:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.isfinite(panel.matrix(name).sum()) for name in (outcome, *design.covariates))


def grouped_piece(panel: Panel, design: Design, outcome: str, layout: Layout) -> Piece:
    """The piece of a `structured` panel, from cohort sums."""
    cohort = np.minimum(panel.cohort, panel.n_periods)
    moments = cohort_moments(panel.matrix(outcome), cohort, *cluster_codes(panel))
    part, terms, cells, rows = grouped(panel, design, outcome, layout, moments, measure_of(panel))
    estimate = part.regression.contrast @ (part.system.beta / part.system.scale)
    return Piece(
        terms=terms,
        estimate=estimate,
        regression=part.regression,
        notes=(*cells.notes, *_staggered_rows(cells, rows, moments.cohorts)),
        source=lambda regression: replace(part, regression=regression),
    )


def _demeaned_piece(panel: Panel, design: Design, outcome: str, layout: Layout) -> Piece | None:
    """With covariates, in blocks; None where some cohort misses periods that others have."""
    cohort = np.minimum(panel.cohort, panel.n_periods)
    labels, member = cohort_codes(cohort)
    n, clusters = np.bincount(member, minlength=len(labels)), cluster_codes(panel)
    small = cohort_panel(panel, outcome, labels, np.zeros((len(labels), panel.n_periods)))
    plain = replace(design, covariates=())
    cells, rows = layout(small, plain, np.ones(small.matrix(outcome).shape, dtype=bool))
    if not rectangular(cells):
        return None
    values = tuple(panel.covariates[name] for name in design.covariates)
    beta, answers = solve(wide_of(panel.matrix(outcome), values, cohort, clusters, labels, cells, rows))
    frame = cohort_regression(cells, rows, design_columns(small, cells, rows, ()), np.zeros(len(cells.unit)), n)
    first = len(beta) - len(values)

    def picks(regression: Regression) -> np.ndarray:
        return np.column_stack([regression.contrast[:, :first], np.zeros((len(regression.contrast), len(values)))])

    def source(regression: Regression) -> Part:
        rows_of = picks(regression)
        return part_of_effects(rows_of @ beta, answers, rows_of, regression.treated, regression.control)

    types = types_of_units(member, clusters[0], clusters[1], n)
    return Piece(
        terms=terms_of_units(small, cells, rows, outcome, measure_of(panel), n, types),
        estimate=picks(frame) @ beta,
        regression=frame,
        notes=(*cells.notes, *_staggered_rows(cells, rows, labels)),
        source=source,
    )


def measure_of(panel: Panel) -> Any:
    """Measure of a linear effect on this panel's outcome."""
    return "log_rate" if panel.outcome_unit == LOG_RATE else "level"


def _staggered(panel: Panel, cells: Cells, rows: list[Row]) -> tuple[str, ...]:
    return _staggered_rows(cells, rows, panel.cohort)


def _staggered_rows(cells: Cells, rows: list[Row], cohort: np.ndarray) -> tuple[str, ...]:
    starts = np.unique(cohort[cells.unit[cells.post]])
    return (STAGGERED,) if len(starts) > 1 and rows[0].event_time is None else ()


def check_covariates(raw: np.ndarray, x: np.ndarray, own: slice) -> None:
    """Raise UserError("collinear_covariates") where a covariate has no variation of its own.

    raw, x (n, p) before and after unit means are taken out, `own` the covariates' columns: constant within units, or
    following from effects, periods and other covariates.
    """
    norms = np.sqrt(np.einsum("ij,ij->j", x, x))
    scaled = x / np.where(norms > 0, norms, 1.0)
    gram = scaled.T @ scaled
    rest = (np.eye(len(gram)) - pseudo_inverse(gram) @ gram)[own]
    before = np.sqrt(np.einsum("ij,ij->j", raw[:, own], raw[:, own]))
    if (np.linalg.norm(rest, axis=1) > 1e-6).any() or (norms[own] <= 1e-10 * before).any():
        raise UserError("collinear_covariates", columns=x.shape[1])


def panel_ols(cells: Cells, x: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(p,) coefficients by linearmodels PanelOLS with unit effects absorbed; x (n, p) carries the period dummies.

    The oracle of the within algebra (agreement 1e-10, a test); no estimator calls it: on 100,000 × 20 cells it costs
    about six times the least squares on demeaned columns, and gigabytes. Fitted with
    clustered covariance under group_debias=True, count_effects=False: its defaults count unit effects that are nested
    in the clusters. Raises UserError("collinear_covariates") where PanelOLS finds x short of full rank.
    """
    import pandas as pd
    from linearmodels.panel import PanelOLS
    from linearmodels.panel.utility import AbsorbingEffectError

    index = pd.MultiIndex.from_arrays([cells.unit, cells.time], names=["unit", "time"])
    exog = pd.DataFrame(x, index=index, columns=[f"x{j}" for j in range(x.shape[1])])
    weights = None if weight is None else pd.Series(weight, index=index)
    try:
        result = PanelOLS(pd.Series(y, index=index, name="y"), exog, entity_effects=True, weights=weights).fit(
            cov_type="clustered",
            clusters=pd.Series(cells.cluster, index=index),
            group_debias=True,
            count_effects=False,
        )
    except (AbsorbingEffectError, ValueError) as error:
        raise UserError("collinear_covariates", columns=x.shape[1]) from error
    return result.params.to_numpy()
