"""ATT(g,t) after Callaway and Sant'Anna (2021, J. Econometrics 225:200): every cohort in every period on its own.

    ATT(g,t) = E[Y_t − Y_b | cohort g] − E[Y_t − Y_b | controls],  b = the last period before g − anticipation

with covariates by the doubly robust, the weighting or the outcome-regression estimator (`two_by_two`, `cross_section`).
Cells are quantities of one fit with one joint covariance; the sizes of cohorts, which weigh aggregates, are further
quantities of it, so that `EffectPath.combine` carries the error of estimated weights. Solved by the structure of the
data, the numbers being the same wherever two ways apply:
- balanced, no covariates or weights: cohort means and cross products (`att_gt_means`), closed form throughout;
- balanced, covariates or weights: one model per cohort and control set (`att_gt_panel`);
- repeated cross-sections, unbalanced: sums of the rows seen (`att_gt_seen`), with covariates the rows themselves
  (`att_gt_sections`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import Design, EffectPath, Panel, Refused, Shares, Term, UserError, frozen_array
from . import att_gt_means
from .att_gt_sample import Sample, Solved
from .fit import Fit, observed_cells, outcomes_of
from .group_time import Plan, label_of, plan
from .moments import cluster_codes
from .propensity import NotEstimable
from .twfe import measure_of

SOURCES = ("callaway_santanna_2021", "santanna_zhao_2020")


def att_gt_fit(panel: Panel, design: Design) -> Fit:
    """ATT(g,t) of each outcome; rows "cohort=g,time=t", the base period with estimate 0 (universal base)."""
    laid = plan(panel, design)
    outcomes = outcomes_of(panel, design)
    found = [_outcome(panel, design, laid, outcome) for outcome in outcomes]
    terms, refused, notes = [], [], list(laid.notes)
    for outcome, (sample, solved) in zip(outcomes, found):
        terms.append(_terms(panel, sample, solved, outcome))
        refused += [*laid.refusals(panel, outcome), *_refusals(panel, sample, solved, outcome)]
        notes += ["path.note.rows_not_units"] if _sectional(design, sample) and design.sampling == "panel" else []
    notes += ["path.note.cells_refused"] if refused else []
    widths = [len(solved.estimate) + len(sample.shared) for sample, solved in found]
    path = EffectPath(
        method="att_gt",
        terms=tuple(t for group in terms for t in group),
        estimate=frozen_array(np.concatenate([solved.estimate for _, solved in found])),
        transform=frozen_array(_transform(found, widths)),
        shares=_shares(found, widths),
        refused=tuple(refused),
        design=design,
        unit=panel.outcome_unit,
        notes=tuple(dict.fromkeys(notes)),
        sources=SOURCES,
    )
    return Fit(path=_windowed(path, design), sources=tuple(solved.part for _, solved in found))


def _outcome(panel: Panel, design: Design, laid: Plan, outcome: str) -> tuple[Sample, Solved]:
    """Raises UserError("effect_not_identified") where no comparison can be estimated."""
    sample = _sample(panel, design, laid, outcome)
    try:
        return sample, _solve(sample, design)
    except NotEstimable as error:
        raise UserError("effect_not_identified", outcome=[outcome], reason=error.reason) from None


def _solve(sample: Sample, design: Design) -> Solved:
    if _sectional(design, sample):
        from . import att_gt_sections, att_gt_seen

        return att_gt_sections.solve(sample, design.adjustment) if sample.covariates else att_gt_seen.solve(sample)
    if sample.covariates or sample.weight is not None:
        from . import att_gt_panel

        return att_gt_panel.solve(sample, design.adjustment)
    return att_gt_means.solve(sample)


def _sample(panel: Panel, design: Design, laid: Plan, outcome: str) -> Sample:
    y, keep, complete = panel.matrix(outcome), laid.keep, _complete(panel, outcome, design)
    if not complete:
        observed = observed_cells(panel, outcome, design)
        y = np.where(observed, y, np.nan) if design.covariates or panel.weight is not None else y
        keep = keep & observed[:, laid.times].any(axis=1)
        complete = bool(observed[np.ix_(keep, laid.times)].all())
    every = bool(keep.all())

    def take(values: np.ndarray) -> np.ndarray:
        return values if every else values[keep]

    cluster, n_clusters = cluster_codes(panel)
    return Sample(
        y=take(y),
        cohort=take(laid.cohort),
        cluster=take(cluster),
        n_clusters=n_clusters,
        weight=None if panel.weight is None else take(panel.weight),
        covariates=tuple(take(panel.covariates[name]) for name in design.covariates),
        cells=laid.cells,
        times=laid.times,
        complete=complete,
    )


def _complete(panel: Panel, outcome: str, design: Design) -> bool:
    """True where outcome, covariates and weights are all there, told from sums without an array of flags."""
    arrays = [panel.matrix(outcome), *(panel.covariates[name] for name in design.covariates)]
    with np.errstate(over="ignore", invalid="ignore"):
        there = all(np.isfinite(a.sum()) for a in arrays)
    return there and (panel.weight is None or bool((panel.weight > 0).all()))


def _sectional(design: Design, sample: Sample) -> bool:
    return design.sampling == "cross_section" or not sample.complete


def _kept(sample: Sample, solved: Solved) -> list:
    return [sample.cells[i] for i in solved.kept]


def _refusals(panel: Panel, sample: Sample, solved: Solved, outcome: str) -> list[Refused]:
    cells = [(sample.cells[i], reason) for i, reason in solved.refused]
    return [
        Refused(
            outcome=outcome,
            cohort=label_of(panel, cell.cohort),
            time=label_of(panel, cell.time),
            reason=f"refused.{reason}",
        )
        for cell, reason in cells
    ]


def _terms(panel: Panel, sample: Sample, solved: Solved, outcome: str) -> tuple[Term, ...]:
    """Labels and counts; the weight of a row is its cohort's share of all units."""
    units = np.bincount(sample.cohort, minlength=panel.n_periods + 1)
    share = dict(zip(sample.shared, sample.sizes))
    treated = {g: sample.clusters_of(g) for g in sample.shared}
    clusters = int(np.count_nonzero(np.bincount(sample.cluster)))
    out = []
    for cell in _kept(sample, solved):
        cohort, time = label_of(panel, cell.cohort), label_of(panel, cell.time)
        out.append(
            Term(
                term=f"cohort={cohort},time={time}",
                outcome=outcome,
                measure=measure_of(panel),
                cohort=cohort,
                time=time,
                event_time=cell.event_time,
                weight=float(share[cell.cohort]),
                n_obs=int(units[cell.cohort]),
                n_units=len(sample.y),
                n_treated=int(units[cell.cohort]),
                n_clusters=clusters,
                n_treated_clusters=treated[cell.cohort],
            )
        )
    return tuple(out)


def _transform(found: list[tuple[Sample, Solved]], widths: list[int]) -> np.ndarray:
    """(k, k0) the rows are the cells of every outcome; sizes of cohorts are further quantities of the fit."""
    out = np.zeros((sum(len(solved.estimate) for _, solved in found), sum(widths)))
    row = column = 0
    for (_, solved), width in zip(found, widths):
        k = len(solved.estimate)
        out[row : row + k, column : column + k] = np.eye(k)
        row, column = row + k, column + width
    return out


def _shares(found: list[tuple[Sample, Solved]], widths: list[int]) -> Shares:
    columns, loading, start, done = [], [], 0, 0
    total = sum(len(sample.shared) for sample, _ in found)
    for (sample, solved), width in zip(found, widths):
        columns += list(range(start + len(solved.estimate), start + width))
        for cell in _kept(sample, solved):
            row = np.zeros(total)
            row[done + sample.shared.index(cell.cohort)] = 1.0
            loading.append(row)
        start, done = start + width, done + len(sample.shared)
    return Shares(
        values=frozen_array(np.concatenate([sample.sizes for sample, _ in found])),
        columns=frozen_array(columns, np.int64),
        loading=frozen_array(loading),
    )


def _windowed(path: EffectPath, design: Design) -> EffectPath:
    """Rows inside `design.window` only."""
    if design.window is None:
        return path
    low, high = design.window
    kept = path.select(lambda t: t.event_time is not None and low <= t.event_time <= high)
    return replace(kept, transform=frozen_array(kept.transform))
