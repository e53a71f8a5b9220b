"""Two-way fixed effects and event study: unit effects absorbed, period effects explicit.

    y_it = α_i + λ_t + Σ_e β_e 1{t − cohort_i = e} + x_it'γ + u_it

Static: one β for all treated cells. Event study: a β for every event time but each treated unit's own base period,
the last one before `cohort − anticipation` outside the selection window. All leads and lags are estimated in one
regression (one joint covariance); nothing is binned, `Design.window` only chooses what is shown.

Not for: staggered starts with effects that change over time, where the static β mixes cohorts with negative weights
(Goodman-Bacon 2021, J. Econometrics 225:254); show it there as a benchmark only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Design, Panel, UserError
from .cells import Cells, Row, design_columns, effect_terms, within
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
from .linalg import least_squares

LOG_RATE = "log_rate"
"""`Panel.outcome_unit` of a panel made by `log_rate`."""


def twfe_fit(panel: Panel, design: Design) -> Fit:
    """Static two-way fixed effects of each outcome; term "att"."""
    return _linear_fit("twfe", static_layout, panel, design)


def event_study_fit(panel: Panel, design: Design) -> Fit:
    """Event study of each outcome; terms "event_time=k", the reference period with estimate 0."""
    return _linear_fit("event_study", event_layout, panel, design)


def _linear_fit(method: str, layout: Layout, panel: Panel, design: Design) -> Fit:
    pieces = [_piece(panel, design, outcome, layout) for outcome in outcomes_of(panel, design)]
    return assemble(method, panel, design, pieces, ("goodman_bacon_2021", "pustejovsky_tipton_2018"))


def _piece(panel: Panel, design: Design, outcome: str, layout: Layout) -> Piece:
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
    if design.covariates:
        beta = panel_ols(cells, x, y, weight)
    else:
        beta = least_squares(regression.x, regression.y)
    return Piece(
        terms=effect_terms(panel, cells, rows, outcome, measure_of(panel), weight),
        estimate=regression.contrast @ beta,
        regression=regression,
        notes=(*cells.notes, *_staggered(panel, cells, rows)),
    )


def measure_of(panel: Panel) -> Any:
    """Measure of a linear effect on this panel's outcome."""
    return "log_rate" if panel.outcome_unit == LOG_RATE else "level"


def _staggered(panel: Panel, cells: Cells, rows: list[Row]) -> tuple[str, ...]:
    starts = np.unique(panel.cohort[cells.unit[cells.post]])
    return ("path.note.staggered_static",) if len(starts) > 1 and rows[0].event_time is None else ()


def panel_ols(cells: Cells, x: np.ndarray, y: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(p,) coefficients by linearmodels PanelOLS with unit effects absorbed; x (n, p) carries the period dummies.

    Used for general time-varying covariates, and as the oracle of the within algebra (agreement 1e-10). Fitted with
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
