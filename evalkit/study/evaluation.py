"""Everything estimated for one project, computed once: effects, alternatives, money, evidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .. import data, did
from ..core import Design, Effect, EffectPath, Gate, Panel, UserError
from . import economics as money
from .before import placebo_start, selection_peak
from .case import Case
from .trends import Trends, trends_of
from .verdict import diagnostics, evidence_level

PRIMARY = "avertable"
MINOR = "avertable.ungraded"
CONTROL_OUTCOME = "commute"
SPANS = (1, 2, 4)
"""Quarters that a point of an event study may span."""
PER_YEAR = {"year": 1, "quarter": 4, "month": 12}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Everything estimated for one project, computed once and read by all its sections."""

    row: dict[str, Any]
    panel: Panel
    design: Design
    path: EffectPath
    averted: EffectPath
    events: EffectPath | None
    trends: Trends
    span: int
    alternatives: dict[str, Effect]
    money: money.Money
    level: str
    gates: tuple[Gate, ...]

    @property
    def effect(self) -> Effect:
        """The headline: the primary outcome's row of the joint path."""
        return self.path.effects()[0]


@lru_cache(maxsize=4)
def evaluate(case: Case) -> Evaluation:
    """Estimate the project of `case`: joint Poisson path, event study, alternatives, money."""
    row = project_row(case)
    panel = data.firm_panel(case.canonical, case.plan, case.project)
    window = (row["selection_from"], row["selection_to"]) if row.get("selection_from") else None
    design = Design(selection_window=window, seed=case.seed, outcomes=testable_outcomes(panel))
    path = headline(panel, design)
    single = replace(design, outcomes=(PRIMARY,))
    span = event_span(panel)
    blocks = coarser(panel, single, span) if span else None
    events = did.ppml_event_study(*blocks) if blocks else None
    trends = examined(panel, single, span, events)
    alternatives = alternative_effects(panel, single)
    gates = examine(panel, design, path, alternatives, int(case.plan.settings["min_pre_periods"]))
    return Evaluation(
        row=row,
        panel=panel,
        design=design,
        path=path,
        averted=did.inference(path.averted(), panel),
        events=events,
        trends=trends,
        span=span,
        alternatives=alternatives,
        money=money.project_money(case, path, row, expected_injuries(panel, path), grade_mix(case), follow_up(panel)),
        level=evidence_level(panel, path.effects()[0], trends_passed=trends.passed, gates=gates),
        gates=gates,
    )


def examine(
    panel: Panel, design: Design, path: EffectPath, found: dict[str, Effect], min_pre_periods: int
) -> tuple[Gate, ...]:
    """The named diagnostics of a firm design; `found` as `other_outcomes`."""
    usable = (pre_periods(panel, design), min_pre_periods)
    reporting = reporting_gap(panel, design) if {"ungraded", "graded"} <= set(found) else None
    gates = diagnostics(path.effects()[0], reporting, found.get(CONTROL_OUTCOME), usable)
    return (*gates, placebo_start(panel, design, PRIMARY), selection_peak(panel, design, PRIMARY, CONTROL_OUTCOME))


def headline(panel: Panel, design: Design) -> EffectPath:
    """One row per outcome: Poisson with exposure; with several start dates the extended model, added up on counts.

    With one start date both are the same comparison, and the static model needs no cell of its own.
    """
    if len(np.unique(panel.cohort[panel.ever_treated])) == 1:
        return did.ppml(panel, design)
    return did.inference(did.etwfe(panel, design, family="poisson").combine("overall"), panel)


def expected_injuries(panel: Panel, path: EffectPath) -> dict[str, float]:
    """Injuries expected by severity without the project, where a stratum has too few cases for a row of its own.

    The primary outcome's expected count, split by the shares of all untreated cells.
    """
    strata = [n for n in panel.outcomes if n.startswith(PRIMARY + ".")]
    untreated = {n: float(np.nansum(panel.outcomes[n][~panel.treated])) for n in strata}
    total = sum(untreated.values()) or 1.0
    assert path.mu0 is not None
    return {n.removeprefix(PRIMARY + "."): float(path.mu0[0]) * c / total for n, c in untreated.items()}


def grade_mix(case: Case) -> Any:
    """Avertable recognised injuries of the project's firms by grade."""
    firms = case.tables["enrolment"].query("project_id == @case.project").unit_id
    claims = case.tables["claim"]
    own = claims[claims.unit_id.isin(firms) & claims.situation.isin(case.plan.settings["avertable_situations"])]
    return own.grade.astype(str).value_counts()


def event_span(panel: Panel) -> int:
    """Quarters per point of the event study: the fewest (1, 2, 4) with 5 treated cases at every point; 0 = none."""
    for span in SPANS:
        wide, _ = coarser(panel, Design(), span)
        if wide.outcomes[PRIMARY][wide.ever_treated].sum(axis=0).min() >= 5:
            return span
    return 0


def coarser(panel: Panel, design: Design, span: int) -> tuple[Panel, Design]:
    """Periods summed in blocks of `span` that begin at the start of treatment; incomplete end blocks are left out.

    For designs with one start date. Blocks are labelled by their first period; the selection window becomes the blocks
    it touches, none where it lies before the first.
    """
    first = int(panel.cohort[panel.ever_treated].min())
    head = first % span
    blocks = (panel.n_periods - head) // span
    keep = slice(head, head + blocks * span)

    def summed(values: np.ndarray) -> np.ndarray:
        return values[:, keep].reshape(panel.n_units, blocks, span).sum(axis=2)

    assert panel.exposure is not None
    wide = replace(
        panel,
        times=panel.times[keep][::span],
        outcomes={name: summed(values) for name, values in panel.outcomes.items()},
        exposure=summed(panel.exposure),
        completeness=None,
        covariates={},
        cohort=np.where(panel.ever_treated, (first - head) // span, panel.cohort),
    )
    if design.selection_window is None:
        return wide, design
    low, high = ((panel.times.index(w) - head) // span for w in design.selection_window)
    inside = None if high < 0 else (wide.times[max(low, 0)], wide.times[high])
    return wide, replace(design, selection_window=inside)


def examined(panel: Panel, design: Design, span: int, events: EffectPath | None) -> Trends:
    """Sensitivity of parallel trends at the finest spacing, from that of the event study on, whose coefficients are few
    enough for the clusters to carry their joint covariance."""
    trends = trends_of(None, panel)
    for quarters in (s for s in SPANS if 0 < span <= s):
        wide, own = coarser(panel, design, quarters)
        path = events if quarters == span else did.ppml_event_study(wide, own)
        trends = trends_of(path, wide, per_year=PER_YEAR[panel.frequency] / quarters)
        if not trends.refused:
            break
    return trends


def follow_up(panel: Panel) -> float:
    """Years from the start to the middle of the observed post-period."""
    first = int(panel.cohort[panel.ever_treated].min())
    return (panel.n_periods - first) / PER_YEAR[panel.frequency] / 2


def project_row(case: Case) -> dict[str, Any]:
    """The project's row of the register."""
    frame = case.tables["project"]
    return frame.loc[frame.project_id == case.project].iloc[0].where(lambda s: s.notna(), None).to_dict()


def testable_outcomes(panel: Panel) -> tuple[str, ...]:
    """The primary outcome and the severity strata with at least 10 injuries expected without the project.

    Expected from the rate of all untreated cells and the treated exposure: never from the treated cells' own cases,
    which would select strata on the outcome.
    """
    post, exposure = panel.treated, panel.exposure
    assert exposure is not None
    treated_exposure, untreated_exposure = np.nansum(exposure[post]), max(np.nansum(exposure[~post]), 1e-9)

    def expected(name: str) -> float:
        return float(np.nansum(panel.outcomes[name][~post]) / untreated_exposure * treated_exposure)

    strata = (n for n in panel.outcomes if n.startswith(PRIMARY + "."))
    return (PRIMARY, *(n for n in strata if expected(n) >= 10))


def pre_periods(panel: Panel, design: Design) -> int:
    """Usable quarters before the first start, the selection window left out."""
    first = int(panel.cohort[panel.ever_treated].min())
    if design.selection_window is None:
        return first
    low, high = (panel.times.index(w) for w in design.selection_window)
    return first - sum(low <= t <= high for t in range(first))


def with_outcome(panel: Panel, name: str, *parts: str) -> Panel:
    """The panel whose primary outcome is the sum of `parts`."""
    total = np.sum([panel.outcomes[p] for p in parts], axis=0)
    return replace(panel, outcomes={name: total})


def graded_names(panel: Panel) -> list[str]:
    """Avertable injuries that were graded, deaths included."""
    return [n for n in panel.outcomes if n.startswith(PRIMARY + ".") and n != MINOR]


def other_outcomes(panel: Panel, design: Design) -> dict[str, Effect]:
    """Other outcomes and windows beside the headline, by name; those that cannot be estimated are left out."""
    views = {
        "ungraded": (panel, MINOR),
        "graded": (with_outcome(panel, "graded", *graded_names(panel)), "graded"),
        CONTROL_OUTCOME: (panel, CONTROL_OUTCOME),
        "no_selection_window": (panel, PRIMARY),
    }
    out: dict[str, Effect] = {}
    for name, (view, outcome) in views.items():
        if np.nansum(view.outcomes[outcome][view.treated]) < 3:
            continue
        window = None if name == "no_selection_window" else design.selection_window
        out[name] = did.ppml(view, replace(design, outcomes=(outcome,), selection_window=window)).effects()[0]
    return out


def reporting_gap(panel: Panel, design: Design) -> Effect:
    """Log rate ratio of ungraded cases minus that of graded ones, under one joint covariance: their errors go together,
    so that the gap is seen long before two intervals part."""
    graded = np.sum([panel.outcomes[n] for n in graded_names(panel)], axis=0)
    both = replace(panel, outcomes={MINOR: panel.outcomes[MINOR], "graded": graded})
    path = did.ppml(both, replace(design, outcomes=tuple(both.outcomes)))
    first, second = (path.select(lambda t, name=name: t.outcome == name) for name in both.outcomes)  # type: ignore[misc]
    return did.gap(first, second)


def alternative_effects(panel: Panel, design: Design) -> dict[str, Effect]:
    """Other outcomes, windows and estimators beside the headline; those that cannot be estimated are left out."""
    out = other_outcomes(panel, design)
    logs, plain = did.log_rate(batch_panel(panel)), replace(design, outcomes=())
    out["log_rate"] = did.twfe(logs, plain).effects()[0]
    for name in ("att_gt", "imputation"):
        if (found := overall(name, logs, plain)) is not None:
            out[name] = found
    return out


def overall(estimator: str, panel: Panel, design: Design) -> Effect | None:
    """The average effect over treated cells by a cohort-by-period estimator; None where it cannot be had."""
    try:
        path = getattr(did, estimator)(panel, design)
        return did.inference(path.combine("overall"), panel).effects()[0]
    except (UserError, ValueError):
        return None


def batch_panel(panel: Panel) -> Panel:
    """Firms summed to their batch of assignment: one row a cluster, for the unweighted log-rate view."""
    codes, first = np.unique(panel.cluster, return_index=True)
    code = np.searchsorted(codes, panel.cluster)

    def total(values: np.ndarray) -> np.ndarray:
        out = np.zeros((len(codes), panel.n_periods))
        np.add.at(out, code, np.nan_to_num(values))
        return out

    assert panel.exposure is not None
    return replace(
        panel,
        units=tuple(panel.cluster_names[c] for c in codes),
        outcomes={PRIMARY: total(panel.outcomes[PRIMARY])},
        exposure=total(panel.exposure),
        cohort=panel.cohort[first],
        cluster=np.arange(len(codes)),
        cluster_names=tuple(panel.cluster_names[c] for c in codes),
        covariates={},
        weight=None,
        strata=None,
        dose=None,
        completeness=None,
    )
