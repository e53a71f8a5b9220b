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

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..core import Design, Dropped, Panel, UserError
from .cells import effect_terms, memberships
from .cohort_time import cohort_layout, lay
from .count_model import CountModel, Solved, countable, effects_of, exposure_of, solve, working_regression
from .etwfe import with_refusals
from .fit import Fit, Piece, assemble, event_layout, outcomes_of, static_layout
from .group_time import label_of
from .linalg import Regression

if TYPE_CHECKING:
    from .wide_fit import Sketch

SOURCES = ("santos_silva_tenreyro_2006", "correia_guimaraes_zylkin_2020", "wooldridge_2023")

STATIC = CountModel(method="ppml", layout=static_layout)
EVENTS = CountModel(method="ppml_event_study", layout=event_layout)
COHORTS = CountModel(method="etwfe_poisson", layout=cohort_layout, saturated=True)
DUMMIES = CountModel(method="etwfe_poisson_cohort", layout=cohort_layout, saturated=True, units=False)


def ppml_fit(panel: Panel, design: Design) -> Fit:
    """Static Poisson effect of each outcome; term "att", measure "log_rate_ratio"."""
    from . import wide_fit

    return _count_fit(STATIC, panel, design, wide_fit.sketch_pooled(panel, design, events=False))


def ppml_event_study_fit(panel: Panel, design: Design) -> Fit:
    """Poisson event study of each outcome; terms "event_time=k"."""
    from . import wide_fit

    return _count_fit(EVENTS, panel, design, wide_fit.sketch_pooled(panel, design, events=True))


def etwfe_poisson_fit(panel: Panel, design: Design) -> Fit:
    """Poisson effects by cohort and period with unit effects; terms "cohort=g,time=t"."""
    from . import wide_fit

    sketch = wide_fit.sketch_saturated(panel, lay(panel, design))
    return with_refusals(_count_fit(COHORTS, panel, design, sketch), panel, design, None)


def etwfe_poisson_cohort_fit(panel: Panel, design: Design) -> Fit:
    """The same with cohort dummies instead of unit effects: the check where exposure paths differ."""
    return with_refusals(_count_fit(DUMMIES, panel, design), panel, design, None)


def counterfactual(panel: Panel, design: Design | None = None) -> np.ndarray:
    """(N, T) fitted untreated counts μ0 of the primary outcome from the static model, in cases; NaN outside the sample.

    At a cell's own exposure and completeness. Zero for units without any case. Raises as `did.ppml`. Not an
    observation: in treated cells it rests on multiplicative parallel trends.
    """
    design = design or Design()
    solved = solve(panel, design, outcomes_of(panel, design)[0], STATIC)
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
    cells, _ = static_layout(panel, design, countable(panel, outcome, design))
    cases = np.bincount(cells.unit, panel.matrix(outcome)[cells.index], minlength=panel.n_units)
    silent = np.unique(cells.unit[cases[cells.unit] == 0])
    return tuple(Dropped(unit=panel.units[i], reason="separation", detail=outcome) for i in silent)


def informative(panel: Panel, design: Design | None = None, outcome: str | None = None) -> pd.DataFrame:
    """Who carries a ratio: by cohort (last row never treated), units, those with a case, and exposure of both kinds.

    outcome   the design's first without it
    Columns cohort (label, None = never), units, informative (with a case), cases, exposure (times completeness),
    exposure_silent (that of units without a case: they say nothing about a ratio and stay in every rate).
    Raises as `did.ppml`.
    """
    design = design or Design()
    outcome = outcome or outcomes_of(panel, design)[0]
    usable = countable(panel, outcome, design)
    y, exposure = np.where(usable, panel.matrix(outcome), 0.0), np.where(usable, exposure_of(panel), 0.0)
    cohort = np.minimum(panel.cohort, panel.n_periods)
    some, rows = y.any(axis=1), []
    for g in np.unique(cohort):
        own = (cohort == g) & usable.any(axis=1)
        rows.append(
            {
                "cohort": None if g == panel.n_periods else label_of(panel, int(g)),
                "units": int(own.sum()),
                "informative": int((own & some).sum()),
                "cases": float(y[own].sum()),
                "exposure": float(exposure[own].sum()),
                "exposure_silent": float(exposure[own & ~some].sum()),
            }
        )
    return pd.DataFrame(rows)


def _count_fit(model: CountModel, panel: Panel, design: Design, sketch: Sketch | None = None) -> Fit:
    if panel.weight is not None:
        raise UserError("weights_on_counts")
    from . import wide_fit

    large = None if sketch is None else wide_fit.counts(model.method, panel, design, sketch, SOURCES)
    if large is not None:
        return large
    pieces = [_piece(panel, design, outcome, model) for outcome in outcomes_of(panel, design)]
    return assemble(model.method, panel, design, pieces, SOURCES)


def _piece(panel: Panel, design: Design, outcome: str, model: CountModel) -> Piece:
    solved = solve(panel, design, outcome, model)
    if solved is None:
        return _silent_piece(panel, design, outcome, model)
    from .wide_fit import DIVERGED

    rows = [row for r, row in enumerate(solved.rows) if r not in solved.split.lost]
    estimate, observed, mu0, exposure = effects_of(solved, rows)
    estimate = np.where(np.isfinite(estimate) & (np.abs(estimate) > DIVERGED), np.nan, estimate)
    regression = working_regression(solved, rows, panel, design)
    return Piece(
        terms=effect_terms(panel, solved.cells, rows, outcome, "log_rate_ratio"),
        estimate=estimate,
        regression=replace(regression, contrast=np.where(np.isnan(estimate)[:, None], 0.0, regression.contrast)),
        notes=(*solved.cells.notes, *_notes(solved)),
        observed=observed,
        mu0=mu0,
        exposure=exposure if panel.exposure is not None else None,
    )


def _notes(solved: Solved) -> tuple[str, ...]:
    split = solved.split
    found = {
        "separation": not split.keep.all(),
        "zero_observed": bool(split.zero),
        "no_baseline_case": bool(split.unbounded),
        "unidentified_rows": bool(split.lost),
    }
    return tuple(f"path.note.{name}" for name, there in found.items() if there)


def _silent_piece(panel: Panel, design: Design, outcome: str, model: CountModel) -> Piece:
    """An outcome without a case, or without one in the treated units' baseline: no estimate, refused by the router."""
    cells, rows = model.layout(panel, design, countable(panel, outcome, design))
    y = panel.matrix(outcome)[cells.index]
    observed = np.array([y[row.cells].sum() for row in rows])
    exposure = np.array([exposure_of(panel)[cells.index][row.cells].sum() for row in rows])
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
        exposure=exposure if panel.exposure is not None else None,
    )
