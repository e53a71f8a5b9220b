"""Effect by dose, after Callaway, Goodman-Bacon & Sant'Anna (2024, NBER 32117; R contdid): bins, or B-splines.

Of cohort g with doses D, Δ the mean over its periods under treatment of the change since its base period, and the same
change of undosed units (never treated, or not yet treated in a period):

    ATT(d)  = E[Δ | g, D = d] − E[Δ | undosed]        E[Δ | g, D] by least squares on a basis of the dose
    ACRT(d) = its derivative, the average causal response; overall: means over the doses of treated units

and over cohorts by their treated units. ATT(d) is the effect of dose d on units that got d. A slope compares units
that chose different doses: it is causal only if they would have responded alike (strong parallel trends), which no data
show; without it ACRT and differences between doses mix response and selection. Without any undosed unit not even ATT(d)
is identified, only such differences: refused.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..core import Design, DoseCurve, EffectPath, Panel, Refused, Term, UserError, frozen_array
from .att_gt_panel import REFIT_ROWS
from .dose_curve import Basis, Sample, Solved, full_rank, solve
from .fit import Fit, observed_cells, outcomes_of
from .group_time import Plan, label_of, plan
from .influence_part import REFIT, CellCarriers, InfluencePart
from .moments import cluster_codes
from .twfe import measure_of

SOURCES = ("callaway_goodman_bacon_santanna_2024",)
BLOCK = 20_000
"""Units whose cross products are held at once."""
NO_COMPARISON = ("no_never_treated", "no_not_yet_treated", "no_comparison_unit")


def dose_response_fit(panel: Panel, design: Design) -> Fit:
    """Effects of each outcome by dose; rows "att", "att,dose=…", and for a curve "acrt", "acrt,dose=…"."""
    dose = doses_of(panel, design)
    try:
        laid = plan(panel, design)
    except UserError as error:
        if error.problems[0].key in NO_COMPARISON:
            raise UserError("dose_no_untreated", treated=int(panel.ever_treated.sum())) from None
        raise
    basis = _basis(design.dose, dose[laid.keep & (laid.cohort < panel.n_periods)])
    at = _shown(design.dose, dose[laid.keep & (laid.cohort < panel.n_periods)])
    outcomes = outcomes_of(panel, design)
    found = [_outcome(panel, design, laid, dose, basis, at, outcome) for outcome in outcomes]
    refused = tuple(r for _, _, missing in found for r in missing)
    path = EffectPath(
        method="dose_response",
        terms=tuple(t for _, terms, _ in found for t in terms),
        estimate=frozen_array(np.concatenate([part.estimate for part, _, _ in found])),
        refused=refused,
        design=design,
        unit=panel.outcome_unit,
        notes=(*laid.notes, "path.note.dose_slopes", *(["path.note.cells_refused"] if refused else [])),
        sources=SOURCES,
    )
    return Fit(path=path, sources=tuple(part for part, _, _ in found))


def doses_of(panel: Panel, design: Design) -> np.ndarray:
    """(N,) doses. Raises UserError: dose_missing, dose_not_positive, dose_shape, needs_followed_units,
    needs_no_weights, dose_no_covariates.
    """
    if panel.dose is None:
        raise UserError("dose_missing")
    if design.sampling != "panel":
        raise UserError("needs_followed_units", sampling=design.sampling)
    if panel.weight is not None:
        raise UserError("needs_no_weights")
    if design.covariates:
        raise UserError("dose_no_covariates", covariates=list(design.covariates))
    own, spec = panel.dose[panel.ever_treated], design.dose
    bad = ~(np.nan_to_num(own) > 0)
    if bad.any():
        names = [u for u, on in zip(panel.units, panel.ever_treated) if on]
        raise UserError("dose_not_positive", n=int(bad.sum()), units=[u for u, b in zip(names, bad) if b][:5])
    edges = np.array(spec.cuts)
    outside = len(edges) > 0 and (own.min() < edges[0] or own.max() > edges[-1])
    if spec.degree < 1 or spec.knots < 0 or len(edges) == 1 or (np.diff(edges) <= 0).any() or outside:
        raise UserError("dose_shape", low=float(own.min()), high=float(own.max()))
    return np.asarray(panel.dose, dtype=float)


def _basis(spec: DoseCurve, dose: np.ndarray) -> Basis:
    inner = np.quantile(dose, np.linspace(0, 1, spec.knots + 2)[1:-1])
    return Basis(spec=spec, knots=inner, low=float(dose.min()), high=float(dose.max()))


def _shown(spec: DoseCurve, dose: np.ndarray) -> np.ndarray:
    """(m,) doses of the rows; of bins their lower edges."""
    if spec.cuts:
        return np.array(spec.cuts[:-1])
    return np.array(spec.at) if spec.at else np.quantile(dose, np.arange(1, 10) / 10)


def _outcome(
    panel: Panel, design: Design, laid: Plan, dose: np.ndarray, basis: Basis, at: np.ndarray, outcome: str
) -> tuple[InfluencePart, list[Term], list[Refused]]:
    observed = observed_cells(panel, outcome, design)[np.ix_(laid.keep, laid.times)]
    if not observed.all():
        short = [u for u, whole in zip(np.array(panel.units)[laid.keep], observed.all(axis=1)) if not whole]
        raise UserError("needs_rectangle", outcome=outcome, n=len(short), units=short[:5])
    cells: dict[int, list[tuple[int, int, tuple[int, ...]]]] = {}
    for cell in laid.cells:
        if cell.time >= cell.cohort:
            cells.setdefault(cell.cohort, []).append((cell.time, cell.base, cell.controls))
    clusters, n_clusters = cluster_codes(panel)
    sample = Sample(
        y=panel.matrix(outcome)[laid.keep],
        cohort=laid.cohort[laid.keep],
        cluster=clusters[laid.keep],
        dose=dose[laid.keep],
        basis=basis,
        at=at,
        cells=cells,
    )
    few = [g for g in cells if not full_rank(sample, sample.dose[sample.cohort == g])]
    for g in few:
        del cells[g]
    if not cells:
        raise UserError("dose_few", needed=basis.values(at[:1]).shape[1], cohorts=[label_of(panel, g) for g in few])
    refused = [
        Refused(outcome=outcome, cohort=label_of(panel, g), time=label_of(panel, g), reason="refused.few_doses")
        for g in few
    ]
    part = _part(sample, solve(sample), n_clusters)
    return part, _terms(panel, sample, outcome), refused


def _part(sample: Sample, solved: Solved, n_clusters: int) -> InfluencePart:
    k = len(solved.estimate)
    influence = np.zeros((n_clusters, k))
    np.add.at(influence, sample.cluster, solved.influence)
    labels, side = np.unique(sample.cohort, return_inverse=True)
    pairs, place = np.unique(sample.cluster * len(labels) + side, return_inverse=True)
    gram = _gram(sample, solved, labels, side, place, len(pairs))
    treated = np.tile([int(c) in sample.cells for c in labels], (k, 1))
    used = {h for cells in sample.cells.values() for _, _, controls in cells for h in controls}
    present = np.unique(sample.cluster)
    many = len(present) > REFIT or len(present) * len(sample.y) > REFIT_ROWS
    without = None if many else np.tile(solved.estimate, (n_clusters, 1))
    if without is not None:
        for g in present:
            without[g] = solve(sample, sample.cluster != g).estimate
    return InfluencePart(
        estimate=solved.estimate,
        carriers=CellCarriers(cluster=pairs // len(labels), side=pairs % len(labels), n_sides=len(labels), gram=gram),
        treated=treated,
        control=np.tile([int(c) in used for c in labels], (k, 1)),
        n_obs=sample.y.size,
        n_params=len(labels) * (sample.y.shape[1] - 1) + sample.basis.values(sample.at[:1]).shape[1],
        influence=influence,
        without=without,
        one_step=influence if many else None,
    )


def _gram(
    sample: Sample, solved: Solved, labels: np.ndarray, side: np.ndarray, place: np.ndarray, n: int
) -> np.ndarray:
    """(J, k, k) cross products over units and periods of response weights, by cluster × cohort.

    A unit's weights are its pull times its cohort's change over time, and what its cohort is taken for as a control.
    """
    k, periods = len(solved.estimate), sample.y.shape[1]
    paths = [sample.change(int(c)) if int(c) in sample.cells else np.zeros(periods) for c in labels]
    taken = [solved.control.get(int(c), np.zeros((k, periods))) for c in labels]
    length = np.array([p @ p for p in paths])
    meet = np.array([t @ p for t, p in zip(taken, paths)])
    alone = np.array([t @ t.T for t in taken])
    out = np.zeros((n, k, k))
    for start in range(0, len(place), BLOCK):
        at = slice(start, start + BLOCK)
        own, of = solved.pull[at], side[at]
        crossed = own[:, :, None] * meet[of][:, None, :]
        each = own[:, :, None] * own[:, None, :] * length[of][:, None, None]
        np.add.at(out, place[at], each + crossed + crossed.transpose(0, 2, 1) + alone[of])
    return out


def _terms(panel: Panel, sample: Sample, outcome: str) -> list[Term]:
    on = np.isin(sample.cohort, list(sample.cells))
    cuts = sample.basis.spec.cuts
    if cuts:
        names = ["att", *(f"att,dose={a:g}-{b:g}" for a, b in pairwise(cuts))]
        inside = np.searchsorted(cuts[1:-1], sample.dose[on], side="right")
        counts = [int(on.sum()), *np.bincount(inside, minlength=len(cuts) - 1).tolist()]
    else:
        names = [f"{kind}{place}" for kind in ("att", "acrt") for place in ("", *(f",dose={d:.6g}" for d in sample.at))]
        counts = [int(on.sum())] * len(names)
    return [
        Term(
            term=name,
            outcome=outcome,
            measure=measure_of(panel),
            n_obs=n,
            n_units=len(sample.y),
            n_treated=n,
            n_clusters=len(np.unique(sample.cluster)),
            n_treated_clusters=len(np.unique(sample.cluster[on])),
        )
        for name, n in zip(names, counts)
    ]
