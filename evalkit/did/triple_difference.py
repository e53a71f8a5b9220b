"""Triple difference with staggered starts (Ortiz-Villavicencio & Sant'Anna 2025, arXiv 2505.09942; R triplediff).

A group (state, park) starts the programme in its cohort's period, but it reaches only the eligible among its units.
With Q = 1 for these, and δ(A, B) the doubly robust, weighting or regression difference-in-differences of A against B
(`two_by_two`), all from the base period to t,

    ATT(g,t) = δ(g Q=1, g Q=0) + δ(g Q=1, c Q=1) − δ(g Q=1, c Q=0)

so that the gap between eligible and ineligible units need not move in parallel to zero, only as in group c, given
covariates. Every δ is on the covariates of the cohort's own eligible units: with covariates this is not the difference
of two doubly robust estimates. Several control cohorts c under "not_yet" are not pooled, which would be biased; their
estimates are averaged with the weights Ω⁻¹1/1'Ω⁻¹1 of least variance, Ω from unit influences, taken as known.

The three δ are quantities of the ATT(g,t) machinery on groups split by eligibility (`att_gt_panel`), and a row of the
path is a linear map of them: all inference of the house follows. `EffectPath.combine` weighs cohorts by all their
units, eligible or not, as R does; where the eligible share differs much between cohorts look at the cohorts' effects.
(Two errors of R triplediff 0.2.4 are too small: of the average over cohorts, whose weights' influence reads the first
cohort for every one, and of cells with several control cohorts that leave others out, by the share they leave.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..core import Design, EffectPath, Panel, Refused, Shares, Term, UserError, frozen_array
from . import att_gt_panel
from .att_gt_sample import Sample, Solved
from .fit import Fit, observed_cells, outcomes_of
from .group_time import Cell, Plan, label_of, plan
from .influence_part import InfluencePart
from .moments import cluster_codes
from .parts import Part
from .propensity import NotEstimable
from .twfe import measure_of

SOURCES = ("ortiz_santanna_2025",)
NOTHING = 1e-20
"""Variance relative to that of the outcome below which estimates are taken for exact, and weighted alike."""


def triple_difference_fit(panel: Panel, design: Design) -> Fit:
    """Triple difference of each outcome; rows "cohort=g,time=t", the base period with estimate 0."""
    eligible = eligible_units(panel, design)
    laid = plan(panel, design)
    found = [_outcome(panel, design, laid, eligible, outcome) for outcome in outcomes_of(panel, design)]
    refused = tuple(r for f in found for r in (*laid.refusals(panel, f.outcome), *f.refused))
    width = [f.part.width for f in found]
    sizes = [len(f.sample.shared) for f in found]
    starts, shared = np.cumsum([0, *width]), np.cumsum([0, *sizes])
    transform = [np.pad(f.rows, ((0, 0), (a, starts[-1] - a - w))) for f, a, w in zip(found, starts, width)]
    loading = [np.pad(f.loading, ((0, 0), (a, shared[-1] - a - s))) for f, a, s in zip(found, shared, sizes)]
    path = EffectPath(
        method="triple_difference",
        terms=tuple(t for f in found for t in _terms(panel, f)),
        estimate=frozen_array(np.concatenate([f.rows @ f.part.estimate for f in found])),
        transform=frozen_array(np.concatenate(transform)),
        shares=Shares(
            values=frozen_array(np.concatenate([f.sample.sizes for f in found])),
            columns=frozen_array(
                np.concatenate([np.arange(a + w - s, a + w) for a, w, s in zip(starts, width, sizes)]), np.int64
            ),
            loading=frozen_array(np.concatenate(loading)),
        ),
        refused=refused,
        design=design,
        unit=panel.outcome_unit,
        notes=(*laid.notes, *(["path.note.cells_refused"] if refused else [])),
        sources=SOURCES,
    )
    if design.window is not None:
        low, high = design.window
        path = path.select(lambda t: t.event_time is not None and low <= t.event_time <= high)
        path = replace(path, transform=frozen_array(path.transform))
    return Fit(path=path, sources=tuple(f.part for f in found))


def eligible_units(panel: Panel, design: Design) -> np.ndarray:
    """(N,) True where a unit is eligible: the covariate that `design.eligible` names.

    Raises UserError: did_needs_eligibility, did_unknown_covariate, eligibility_not_constant, needs_followed_units.
    """
    if design.eligible is None:
        raise UserError("did_needs_eligibility", known=list(panel.covariates))
    if design.eligible not in panel.covariates:
        raise UserError("did_unknown_covariate", covariate=[design.eligible], known=list(panel.covariates))
    if design.sampling != "panel":
        raise UserError("needs_followed_units", sampling=design.sampling)
    values = panel.covariates[design.eligible]
    if not np.isin(values, (0, 1)).all() or (values != values[:, :1]).any():
        raise UserError("eligibility_not_constant", column=design.eligible)
    return np.asarray(values[:, 0] == 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Split(Sample):
    """A sample whose cohorts are halves of groups: the size of a cohort, which weighs aggregates, is that of both."""

    @cached_property
    def shared(self) -> list[int]:  # type: ignore[override]
        starts = dict.fromkeys(cell.cohort // 2 for cell in self.cells)
        return [_code(g, eligible) for g in starts for eligible in (0, 1)]


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """One outcome: rows (k, width) of the part's quantities, loading (k, s) on cohort sizes, cells of the rows."""

    outcome: str
    sample: Sample
    part: InfluencePart
    cells: tuple[Cell, ...]
    rows: np.ndarray
    loading: np.ndarray
    refused: tuple[Refused, ...]


def _code(cohort: Any, eligible: Any) -> Any:
    """Label of the eligible (1) or ineligible (0) units of a cohort, as a cohort of its own; also of arrays."""
    return 2 * cohort + eligible


def _outcome(panel: Panel, design: Design, laid: Plan, eligible: np.ndarray, outcome: str) -> Found:
    sample, where, refused = _sample(panel, design, laid, eligible, outcome)
    if not sample.cells:
        raise UserError("effect_not_identified", outcome=[outcome])
    try:
        solved = att_gt_panel.solve(sample, design.adjustment)
    except NotEstimable as error:
        raise UserError("effect_not_identified", outcome=[outcome], reason=error.reason) from None
    assert isinstance(solved.part, InfluencePart)
    several = any(len(places) > 3 for places in where.values())
    units = _by_units(sample, design.adjustment) if several and not sample.each_alone else solved.part
    kept, lost = _rows(laid, sample, solved, where, units)
    gone = {**refused, **{(c.cohort, c.time): reason for c, reason in lost}}
    cells = tuple(c for c in laid.cells if (c.cohort, c.time) not in gone)
    rows = np.array([kept[c.cohort, c.time] for c in cells])
    loading = np.array([[s // 2 == c.cohort for s in sample.shared] for c in cells], dtype=float)
    return Found(
        outcome=outcome,
        sample=sample,
        part=_sided(sample, solved),
        cells=cells,
        rows=rows,
        loading=loading,
        refused=tuple(
            Refused(outcome=outcome, cohort=label_of(panel, g), time=label_of(panel, t), reason=f"refused.{why}")
            for (g, t), why in gone.items()
        ),
    )


def _sample(
    panel: Panel, design: Design, laid: Plan, eligible: np.ndarray, outcome: str
) -> tuple[Sample, dict[tuple[int, int], list[int]], dict[tuple[int, int], str]]:
    """The split groups with three comparisons a control cohort; where each cell's comparisons begin; cells refused."""
    observed = observed_cells(panel, outcome, design)[np.ix_(laid.keep, laid.times)]
    if not observed.all():
        units = [u for u, k in zip(panel.units, laid.keep) if k]
        short = [u for u, whole in zip(units, observed.all(axis=1)) if not whole]
        raise UserError("needs_rectangle", outcome=outcome, n=len(short), units=short[:5])
    cohort = _code(laid.cohort[laid.keep], eligible[laid.keep])
    there = set(np.unique(cohort).tolist())
    cells: list[Cell] = []
    where: dict[tuple[int, int], list[int]] = {}
    refused: dict[tuple[int, int], str] = {}
    for cell in laid.cells:
        own, key = _code(cell.cohort, 1), (cell.cohort, cell.time)
        controls = [c for c in cell.controls if {_code(c, 0), _code(c, 1)} <= there]
        if own not in there or _code(cell.cohort, 0) not in there:
            refused[key] = "no_treated" if own not in there else "no_ineligible"
        elif cell.live and not controls:
            refused[key] = "no_control"
        elif cell.live:
            where[key] = []
            for against in (_code(cell.cohort, 0), *(code for c in controls for code in (_code(c, 1), _code(c, 0)))):
                where[key].append(len(cells))
                cells.append(Cell(cohort=own, time=cell.time, base=cell.base, controls=(against,)))
    clusters, n_clusters = cluster_codes(panel)
    sample = Split(
        y=panel.matrix(outcome)[laid.keep],
        cohort=cohort,
        cluster=clusters[laid.keep],
        n_clusters=n_clusters,
        weight=None if panel.weight is None else panel.weight[laid.keep],
        covariates=tuple(panel.covariates[name][laid.keep] for name in design.covariates),
        cells=tuple(cells),
        times=laid.times,
    )
    return sample, where, refused


def _by_units(sample: Sample, method: str) -> Part:
    """The part with every unit a cluster of its own, for the weights of control cohorts."""
    n = len(sample.y)
    return att_gt_panel.solve(replace(sample, cluster=np.arange(n), n_clusters=n), method).part


def _rows(
    laid: Plan, sample: Sample, solved: Solved, where: dict[tuple[int, int], list[int]], units: Part
) -> tuple[dict[tuple[int, int], np.ndarray], list[tuple[Cell, str]]]:
    """Each cell as a row (width,) of the part's quantities, zero for the base period; and the cells without one. units:
    the same part with every unit its own cluster.
    """
    column, reason = {i: k for k, i in enumerate(solved.kept)}, dict(solved.refused)
    rows: dict[tuple[int, int], np.ndarray] = {}
    lost: list[tuple[Cell, str]] = []
    for cell in laid.cells:
        key = (cell.cohort, cell.time)
        places = where.get(key, [])
        if not cell.live:
            rows[key] = np.zeros(solved.part.width)
            continue
        if not places:
            continue
        within, pairs = places[0], [(places[i], places[i + 1]) for i in range(1, len(places), 2)]
        pairs = [p for p in pairs if p[0] in column and p[1] in column]
        if within not in column or not pairs:
            lost.append((cell, next(reason[i] for i in places if i in reason)))
            continue
        each = np.zeros((len(pairs), solved.part.width))
        each[:, column[within]] = 1
        for k, (eligible, ineligible) in enumerate(pairs):
            each[k, column[eligible]], each[k, column[ineligible]] = 1, -1
        rows[key] = _least_variance(each, units.vcov("cr0", each), float(np.var(sample.y))) @ each
    return rows, lost


def _least_variance(each: np.ndarray, omega: np.ndarray, variance: float) -> np.ndarray:
    """(c,) weights of the control cohorts' estimates that add up to 1."""
    if len(each) == 1 or omega.diagonal().max() <= NOTHING * variance:
        return np.full(len(each), 1 / len(each))
    pulled = np.linalg.pinv(omega, hermitian=True).sum(axis=1)
    return np.asarray(pulled / pulled.sum())


def _sided(sample: Sample, solved: Solved) -> InfluencePart:
    """The part with other cohorts' groups alone as comparison: ineligible units of a treated group are no cluster."""
    part = solved.part
    assert isinstance(part, InfluencePart)
    control = part.control.copy()
    for k, i in enumerate(solved.kept):
        cell = sample.cells[i]
        if cell.controls[0] // 2 == cell.cohort // 2:
            control[k] = False
    return replace(part, control=control)


def _terms(panel: Panel, found: Found) -> list[Term]:
    """Labels and counts; the weight of a row is its cohort's share of all units."""
    sample = found.sample
    share = dict(zip(sample.shared, sample.sizes))
    clusters, out = int(np.count_nonzero(np.bincount(sample.cluster))), []
    for cell in found.cells:
        code = _code(cell.cohort, 1)
        cohort, time, n = label_of(panel, cell.cohort), label_of(panel, cell.time), int((sample.cohort == code).sum())
        out.append(
            Term(
                term=f"cohort={cohort},time={time}",
                outcome=found.outcome,
                measure=measure_of(panel),
                cohort=cohort,
                time=time,
                event_time=cell.event_time,
                weight=float(share[code] + share[_code(cell.cohort, 0)]),
                n_obs=n,
                n_units=len(sample.y),
                n_treated=n,
                n_clusters=clusters,
                n_treated_clusters=sample.clusters_of(code),
            )
        )
    return out
