"""First differences with period effects: Δy_it = λ_t + β ΔD_it + Δx_it'γ + Δu_it
(Wooldridge, Introductory Econometrics, ch. 13).

Efficient when the level errors are a random walk. Rule "usual" is the textbook standard error under independent
differences, σ²(X'X)⁻¹ with σ² = SSR/(N − K) and t(N − K); the router's cluster-robust interval is beside it and is
the one to report.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import Design, Panel
from .cells import Cells, design_columns, effect_terms
from .fit import Fit, Piece, assemble, build_regression, observed_cells, outcomes_of, static_layout
from .linalg import least_squares
from .twfe import measure_of


def first_difference_fit(panel: Panel, design: Design) -> Fit:
    """First-difference estimate of each outcome; term "att"; n_obs counts the differences.

    A difference is taken between a unit's consecutive observed periods only. Analytic weights are those of the later
    period.
    """
    pieces = [_piece(panel, design, outcome) for outcome in outcomes_of(panel, design)]
    return assemble("first_difference", panel, design, pieces, ("wooldridge_2020",))


def _piece(panel: Panel, design: Design, outcome: str) -> Piece:
    cells, rows = static_layout(panel, design, observed_cells(panel, outcome, design))
    later = np.flatnonzero(_follows(cells))
    y = panel.matrix(outcome)[cells.index]
    x = design_columns(panel, cells, rows, design.covariates)
    n_effects = len(rows) + len(design.covariates)
    kept = cells.keep(_follows(cells))
    diff_rows = [replace(row, cells=row.cells[later]) for row in rows]
    dummies = kept.time[:, None] == np.unique(kept.time)[None, :]
    dx = np.column_stack([(x[later] - x[later - 1])[:, :n_effects], dummies]).astype(float)
    weight = None if panel.weight is None else panel.weight[kept.index]
    root = np.ones(len(later)) if weight is None else np.sqrt(weight)
    regression = build_regression(
        kept, diff_rows, dx * root[:, None], (y[later] - y[later - 1]) * root, root, n_params=dx.shape[1]
    )
    return Piece(
        terms=effect_terms(panel, kept, diff_rows, outcome, measure_of(panel), weight),
        estimate=regression.contrast @ least_squares(regression.x, regression.y),
        regression=regression,
        notes=kept.notes,
    )


def _follows(cells: Cells) -> np.ndarray:
    same = np.r_[False, cells.unit[1:] == cells.unit[:-1]]
    return same & np.r_[False, cells.time[1:] == cells.time[:-1] + 1]
