"""Pre-trends beside imputation: a regression of its own on untreated cells, never the residuals of the imputation.

    y_it = α_i + λ_t + Σ_{l=1..L} β_l 1{t − cohort_i = −l} + x_it'γ   on untreated cells (Borusyak, Jaravel & Spiess
    2024)

L is the first event time of `Design.window`; earlier periods and the never treated are the reference.
"""

from __future__ import annotations

import numpy as np

from ..core import Design, Panel
from .cells import UNTREATED, Cells, Row, effect_terms, within
from .cohort_time import lay
from .etwfe import interacted_columns, rank_of, within_columns
from .fit import Piece, build_regression, observed_cells, shown
from .linalg import least_squares
from .moments import cluster_codes
from .twfe import measure_of


def lead_piece(panel: Panel, design: Design, outcome: str) -> Piece | None:
    """Rows "event_time=−l" of the outcome; None where the window asks for none or the sample tells none."""
    first = 0 if design.window is None else design.window[0]
    if first >= -design.anticipation:
        return None
    cells, rows = _sample(panel, design, outcome, first)
    if not rows:
        return None
    y = panel.matrix(outcome)[cells.index]
    weight = None if panel.weight is None else panel.weight[cells.index]
    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    x = np.column_stack([np.column_stack([row.cells for row in rows]), _first_stage_columns(panel, cells, design)])
    x = within_columns(x, cells.unit, weight) * root[:, None]
    y = within(y, cells.unit, weight) * root
    regression = build_regression(cells, rows, x, y, root, n_params=rank_of(x) + 1)
    piece = Piece(
        terms=effect_terms(panel, cells, rows, outcome, measure_of(panel), weight),
        estimate=regression.contrast @ least_squares(x, y),
        regression=regression,
    )
    piece = shown(piece, design)
    return piece if len(piece.terms) else None


def _first_stage_columns(panel: Panel, cells: Cells, design: Design) -> np.ndarray:
    """(n, q) covariates as the first stage takes them, and period dummies."""
    moving = tuple(n for n in design.covariates if _moves(panel.covariates[n]))
    still = tuple(n for n in design.covariates if n not in moving)
    plain = [panel.covariates[n][cells.index] for n in moving]
    return np.column_stack([*plain, interacted_columns(panel, cells, [], still)]).astype(float)


def _moves(x: np.ndarray) -> bool:
    return bool((x != x[:, :1]).any())


def _sample(panel: Panel, design: Design, outcome: str, first: int) -> tuple[Cells, list[Row]]:
    laid = lay(panel, design, leads=False)
    cohort = laid.plan.cohort
    treated = np.isin(cohort, laid.cohort)
    time = np.arange(panel.n_periods)
    untreated = ~treated[:, None] | (time[None] < cohort[:, None] - design.anticipation)
    sampled = np.isin(time, laid.plan.times)
    keep = observed_cells(panel, outcome, design) & untreated & sampled & laid.plan.keep[:, None]
    unit, at = np.nonzero(keep)
    cluster, n_clusters = cluster_codes(panel)
    event = np.where(treated[unit], at - cohort[unit], UNTREATED)
    leads = range(first, -design.anticipation)
    inside = (event >= first) & (event < 0)
    cells = Cells(
        unit=unit,
        time=at,
        cluster=cluster[unit],
        event_time=event,
        base=np.zeros(len(unit), dtype=bool),
        n_clusters=n_clusters,
        free=~inside,
    )
    rows = [Row(term=f"event_time={e}", cells=event == e, event_time=e) for e in leads]
    return cells, [row for row in rows if row.cells.any()]
