"""Synthetic difference-in-differences and synthetic control, cohort by cohort.

Of one cohort with N₁ treated and N₀ comparison units, T₀ periods before and T₁ after (Arkhangelsky, Athey, Hirshberg,
Imbens & Wager 2021, American Economic Review 111:4088):

    gap_t   = mean of the treated − Σ ω_i y_it                         treated minus synthetic path
    effect_t = gap_t − Σ_{s before} λ_s gap_s                          tau = mean over periods under treatment

- `synthetic_did`: ω on the path before up to a constant, ridge ζ = (N₁T₁)^¼ σ; λ brings the comparison units' past to
  their mean after, up to a constant, ridge 1e-6 σ; σ = standard deviation of their first differences before
- `synthetic_control`: ω on the path itself, ridge 1e-6 σ, λ = 0 (Abadie, Diamond & Hainmueller 2010)
- ω and λ equal: two-way fixed effects (`synthetic_block.Weighted` takes any)

Rows are cohort × period, leads included, which are gaps of the path that ω was fitted to, not tests of anything.
`combine` weighs a cohort's periods by its exposure per period, units where the panel has none: "overall" is then the
sum of cohorts' tau by treated exposure (Clarke, Pailañir, Athey & Imbens 2023). Covariates are taken out first, with
coefficients of a two-way model on untreated cells (Kranz 2022), which standard errors take as known.

What leaves an estimate alone: a line in time common to all units, and for `synthetic_did` a constant per unit. Any
other movement common to all units cancels from gaps and from the weights' problems, but not from σ, which R synthdid
and the published numbers take with common movements in it: through the ridge, a fraction of σ, it moves the weights a
little. R's numbers win over full invariance to period effects.

Not for outcomes whose treated path lies outside the comparison units' (synthetic control), nor for fewer than two
periods before the start; such cohorts are refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import Design, EffectPath, Panel, Refused, Term, UserError, frozen_array
from .cells import UNTREATED, Cells, design_columns, select, within
from .fit import Fit, observed_cells, outcomes_of
from .group_time import label_of
from .linalg import least_squares
from .synthetic_block import SCHEMES, Block, Scheme, Weighted, weighted
from .synthetic_part import SyntheticPart
from .twfe import measure_of

SOURCES = {
    "synthetic_did": ("arkhangelsky_2021", "clarke_2023"),
    "synthetic_control": ("abadie_2010",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticWeights:
    """Weights and paths of one cohort and outcome (`did.synthetic_weights`).

    cohort, outcome   labels;  units, unit_weights (N₀,) comparison units and ω;  times (T,) labels in the sample
    before (T,) True where λ may lie;  time_weights λ (T,), zero elsewhere;  start: label of the first treated period
    treated, synthetic (T,) mean of the treated and Σ ω y, in the outcome's unit (covariates taken out)
    unit_ridge, time_ridge   ζ in the outcome's unit;  noise   σ, to which both are tied, in the outcome's unit
    """

    cohort: object
    outcome: str
    units: tuple[str, ...]
    unit_weights: np.ndarray
    times: tuple[object, ...]
    before: np.ndarray
    time_weights: np.ndarray
    start: object
    treated: np.ndarray
    synthetic: np.ndarray
    unit_ridge: float
    time_ridge: float
    noise: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Sample:
    """One outcome's rectangle: units (U,) and times (T,) of the panel, y (U, T), cohort (U,), −1 for comparison."""

    units: np.ndarray
    times: np.ndarray
    y: np.ndarray
    cohort: np.ndarray
    notes: tuple[str, ...]

    def blocks(self, anticipation: int) -> tuple[list[Block], list[int]]:
        """One block per cohort, and the cohorts with fewer than two periods before."""
        found, short = [], []
        for cohort in (int(c) for c in np.unique(self.cohort[self.cohort >= 0])):
            before = np.flatnonzero(self.times < cohort - anticipation)
            after = np.flatnonzero(self.times >= cohort)
            if len(before) < 2:
                short.append(cohort)
            elif len(after):
                found.append(
                    Block(
                        cohort=cohort,
                        y=self.y,
                        control=np.flatnonzero(self.cohort < 0),
                        treated=np.flatnonzero(self.cohort == cohort),
                        before=before,
                        after=after,
                    )
                )
        return found, short


def sample_of(panel: Panel, design: Design, outcome: str) -> Sample:
    """The balanced rectangle that the design compares. Raises UserError as `cells.select`, and needs_no_weights,
    needs_rectangle.
    """
    if panel.weight is not None:
        raise UserError("needs_no_weights")
    cells = select(panel, design, observed_cells(panel, outcome, design))
    units, times = np.unique(cells.unit), np.unique(cells.time)
    if len(cells.unit) != len(units) * len(times):
        seen = np.bincount(cells.unit, minlength=panel.n_units)[units]
        short = units[seen < len(times)]
        raise UserError("needs_rectangle", outcome=outcome, n=len(short), units=[panel.units[u] for u in short[:5]])
    start = (cells.time - cells.event_time).reshape(len(units), -1)[:, 0]
    on = cells.event_time.reshape(len(units), -1)[:, 0] != UNTREATED
    y = panel.matrix(outcome)[cells.index]
    if design.covariates:
        y = y - _explained(panel, design, cells, y)
    return Sample(
        units=units,
        times=times,
        y=y.reshape(len(units), -1),
        cohort=np.where(on, start, -1),
        notes=cells.notes,
    )


def _explained(panel: Panel, design: Design, cells: Cells, y: np.ndarray) -> np.ndarray:
    """(n,) x'γ with γ from unit and period effects on cells without treatment or notice."""
    x = np.column_stack([panel.covariates[name][cells.index] for name in design.covariates])
    clean = (cells.event_time < -design.anticipation) | (cells.event_time == UNTREATED)
    kept = cells.keep(clean)
    columns = design_columns(panel, kept, [], design.covariates)
    beta = least_squares(within(columns, kept.unit), within(y[clean], kept.unit))
    return np.asarray(x @ beta[: x.shape[1]])


def synthetic_did_fit(panel: Panel, design: Design) -> Fit:
    """Synthetic difference-in-differences of each outcome; rows "cohort=g,time=t"."""
    return _fit("synthetic_did", panel, design)


def synthetic_control_fit(panel: Panel, design: Design) -> Fit:
    """Synthetic control of each outcome; rows "cohort=g,time=t"."""
    return _fit("synthetic_control", panel, design)


def solve(panel: Panel, design: Design, outcome: str, scheme: Scheme) -> tuple[Sample, list[Weighted], list[int]]:
    """The sample, every cohort's weights, and the cohorts that are refused.

    Raises UserError("synthetic_few_periods") where no cohort has two periods before its start.
    """
    sample = sample_of(panel, design, outcome)
    blocks, short = sample.blocks(design.anticipation)
    if not blocks:
        raise UserError("synthetic_few_periods", outcome=outcome, periods=len(sample.times))
    return sample, [weighted(block, scheme) for block in blocks], short


def _fit(method: str, panel: Panel, design: Design) -> Fit:
    outcomes = outcomes_of(panel, design)
    found = [solve(panel, design, outcome, SCHEMES[method]) for outcome in outcomes]
    terms: list[Term] = []
    refused: list[Refused] = []
    notes: list[str] = []
    for outcome, (sample, cohorts, short) in zip(outcomes, found):
        terms += [t for w in cohorts for t in _terms(panel, sample, w, outcome)]
        refused += [
            Refused(
                outcome=outcome, cohort=label_of(panel, g), time=label_of(panel, int(t)), reason="refused.few_before"
            )
            for g in short
            for t in sample.times
        ]
        notes += [*sample.notes, *(["path.note.cells_refused"] if short else [])]
        notes += ["path.note.covariates_taken_out"] if design.covariates else []
    path = EffectPath(
        method=method,
        terms=tuple(terms),
        estimate=frozen_array(np.concatenate([w.effects() for _, cohorts, _ in found for w in cohorts])),
        refused=tuple(refused),
        design=design,
        unit=panel.outcome_unit,
        notes=tuple(dict.fromkeys(notes)),
        sources=SOURCES[method],
    )
    sources = tuple(_part(panel, sample, cohorts, design) for sample, cohorts, _ in found)
    return Fit(path=_windowed(path, design), sources=sources)


def _part(panel: Panel, sample: Sample, cohorts: list[Weighted], design: Design) -> SyntheticPart:
    exposure = None if panel.exposure is None else panel.exposure[np.ix_(sample.units, sample.times)].mean(axis=1)
    _, cluster = np.unique(panel.cluster, return_inverse=True)
    return SyntheticPart(
        cohorts=tuple(cohorts),
        cluster=cluster[sample.units],
        n_all=int(cluster.max()) + 1,
        exposure=exposure,
        seed=design.seed,
    )


def _terms(panel: Panel, sample: Sample, w: Weighted, outcome: str) -> list[Term]:
    """Labels and counts of a cohort's rows; the weight of a row is the cohort's exposure per period."""
    block = w.block
    clusters = panel.cluster[sample.units]
    members = np.concatenate([block.treated, block.control])
    weight = float(len(block.treated))
    if panel.exposure is not None:
        weight = float(
            panel.exposure[np.ix_(sample.units[block.treated], sample.times[block.after])].sum() / len(block.after)
        )
    cohort = label_of(panel, block.cohort)
    return [
        Term(
            term=f"cohort={cohort},time={label_of(panel, int(t))}",
            outcome=outcome,
            measure=measure_of(panel),
            cohort=cohort,
            time=label_of(panel, int(t)),
            event_time=int(t) - block.cohort,
            weight=weight,
            n_obs=len(members),
            n_units=len(sample.units),
            n_treated=len(block.treated),
            n_clusters=len(np.unique(clusters)),
            n_treated_clusters=len(np.unique(clusters[block.treated])),
        )
        for t in sample.times
    ]


def _windowed(path: EffectPath, design: Design) -> EffectPath:
    if design.window is None:
        return path
    low, high = design.window
    return path.select(lambda t: t.event_time is not None and low <= t.event_time <= high)


def synthetic_weights(
    panel: Panel, design: Design | None = None, estimator: str = "synthetic_did"
) -> tuple[SyntheticWeights, ...]:
    """Weights and paths behind a synthetic estimate, one entry per outcome and cohort.

    estimator   "synthetic_did" or "synthetic_control". Panel, design and errors as for the estimator; raises
                UserError("did_unknown_method") for another one. Unit weights add up to 1, so do time weights (all zero
                for synthetic control).
    """
    design = design or Design()
    if estimator not in SCHEMES:
        raise UserError("did_unknown_method", method=estimator, known=sorted(SCHEMES))
    out = []
    for outcome in outcomes_of(panel, design):
        sample, cohorts, _ = solve(panel, design, outcome, SCHEMES[estimator])
        out += [_shown(panel, sample, w, outcome) for w in cohorts]
    return tuple(out)


def _shown(panel: Panel, sample: Sample, w: Weighted, outcome: str) -> SyntheticWeights:
    block = w.block
    before = np.zeros(len(sample.times), dtype=bool)
    before[block.before] = True
    return SyntheticWeights(
        cohort=label_of(panel, block.cohort),
        outcome=outcome,
        units=tuple(panel.units[u] for u in sample.units[block.control]),
        unit_weights=frozen_array(w.unit),
        times=tuple(label_of(panel, int(t)) for t in sample.times),
        before=frozen_array(before, bool),
        time_weights=frozen_array(w.time),
        start=label_of(panel, block.cohort),
        treated=frozen_array(block.y[block.treated].mean(axis=0)),
        synthetic=frozen_array(w.unit @ block.y[block.control]),
        unit_ridge=w.unit_ridge,
        time_ridge=w.time_ridge,
        noise=block.noise,
    )
