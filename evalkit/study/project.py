"""One funded project: did injuries fall because of it, and was it worth the money."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .. import data, did
from ..core import Column, Design, Effect, EffectPath, Gate, Panel, Section, to_plain
from . import economics as money
from .build import column, facts, figure, message, prose, section, table
from .case import Case
from .effects import ESTIMATE_COLUMNS, event_study_figure, inference_card, ratio, ratio_interval, ratio_row
from .verdict import diagnostics, evidence_level, verdict, verdict_message

PRIMARY = "avertable"
CONTROL_OUTCOME = "commute"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """Everything estimated for one project, computed once and read by all its sections."""

    row: dict[str, Any]
    panel: Panel
    design: Design
    path: EffectPath
    events: EffectPath | None
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
    path = did.ppml(panel, design)
    single = replace(design, outcomes=(PRIMARY,))
    span = event_span(panel)
    events = did.ppml_event_study(*coarser(panel, single, span)) if span else None
    alternatives = alternative_effects(panel, single)
    gates = diagnostics(
        path.effects()[0],
        alternatives.get("ungraded"),
        alternatives.get("graded"),
        alternatives.get(CONTROL_OUTCOME),
        pre_periods(panel, design),
    )
    return Evaluation(
        row=row,
        panel=panel,
        design=design,
        path=path,
        events=events,
        span=span,
        alternatives=alternatives,
        money=money.project_money(case, path, row, expected_injuries(panel, path), grade_mix(case), follow_up(panel)),
        level=evidence_level(panel, path.effects()[0]),
        gates=gates,
    )


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
    """Quarters per point of the event study: the fewest (1, 2, 4) with at least 5 treated cases at every point; 0 = none."""
    for span in (1, 2, 4):
        wide, _ = coarser(panel, Design(), span)
        if wide.outcomes[PRIMARY][wide.ever_treated].sum(axis=0).min() >= 5:
            return span
    return 0


def coarser(panel: Panel, design: Design, span: int) -> tuple[Panel, Design]:
    """Periods summed in blocks of `span` that begin at the start of treatment; incomplete blocks at the ends are left out.

    For designs with one start date. Blocks are labelled by their first period; the selection window becomes the blocks
    it touches.
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
    return wide, replace(design, selection_window=(wide.times[max(low, 0)], wide.times[high]))


def follow_up(panel: Panel) -> float:
    """Years from the start to the middle of the observed post-period."""
    first = int(panel.cohort[panel.ever_treated].min())
    per_year = {"year": 1, "quarter": 4, "month": 12}[panel.frequency]
    return (panel.n_periods - first) / per_year / 2


def project_row(case: Case) -> dict[str, Any]:
    """The project's row of the register."""
    frame = case.tables["project"]
    return frame.loc[frame.project_id == case.project].iloc[0].where(lambda s: s.notna(), None).to_dict()


def testable_outcomes(panel: Panel) -> tuple[str, ...]:
    """The primary outcome and those severity strata with cases enough for a joint estimate."""
    post = panel.treated

    def enough(name: str) -> bool:
        cases = panel.outcomes[name]
        untreated_share = np.nansum(cases[~post]) / max(np.nansum(panel.exposure[~post]), 1e-9)
        return untreated_share * np.nansum(panel.exposure[post]) >= 10 and np.nansum(cases[post]) >= 3

    return (PRIMARY, *(n for n in panel.outcomes if n.startswith(PRIMARY + ".") and enough(n)))


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


def alternative_effects(panel: Panel, design: Design) -> dict[str, Effect]:
    """Other outcomes and estimators beside the headline, by name; those that cannot be estimated are left out."""
    graded = [n for n in panel.outcomes if n.startswith(PRIMARY + ".") and not n.endswith(".ungraded")]
    views = {
        "ungraded": (panel, f"{PRIMARY}.ungraded"),
        "graded": (with_outcome(panel, "graded", *graded), "graded"),
        CONTROL_OUTCOME: (panel, CONTROL_OUTCOME),
        "no_selection_window": (panel, PRIMARY),
    }
    out: dict[str, Effect] = {}
    for name, (view, outcome) in views.items():
        if np.nansum(view.outcomes[outcome][view.treated]) < 3:
            continue
        window = None if name == "no_selection_window" else design.selection_window
        out[name] = did.ppml(view, replace(design, outcomes=(outcome,), selection_window=window)).effects()[0]
    batches = batch_panel(panel)
    out["log_rate"] = did.twfe(did.log_rate(batches), replace(design, outcomes=())).effects()[0]
    return out


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


def summary(case: Case) -> Section:
    """What the project was, and the three sentences that matter."""
    ev = evaluate(case)
    row = ev.row
    items: list[tuple[Column, Any]] = [
        (column("project_id"), row["project_id"]),
        (column("title"), row["title"]),
        (column("place", "message"), message("name.plain", name=case.plan.place_name(row["place"]))),
        (column("started", "text"), row.get("started")),
        (column("ended", "text"), row.get("ended")),
        (column("actual_cost", "money"), row.get("actual_cost")),
        (column("enrolled_firms", "int"), int(ev.panel.ever_treated.sum())),
        (column("comparison_firms", "int"), int((~ev.panel.ever_treated).sum())),
        (column("evidence_level"), ev.level),
    ]
    effect = ev.effect
    values = {
        "rate_ratio": ratio(effect),
        "rate_ratio_interval": ratio_interval(effect),
        "verdict": verdict(effect),
        "evidence_level": ev.level,
        "npv": ev.money.fund.npv,
        "title": row["title"],
        "place": row["place"],
        "actual_cost": row.get("actual_cost"),
        "p_value": effect.p_value,
        "averted": float(ev.path.mu0[0] - ev.path.observed[0]),
    }
    words = [verdict_message(effect, ev.level, ev.gates), money.decision_message(ev.money.fund)]
    return section(
        "summary",
        [facts(case, "project_facts", items, source="project"), prose(case, "project_findings", words)],
        values=to_plain(values),
    )


def design(case: Case) -> Section:
    """The question, the comparator, and whether the two groups looked alike before."""
    ev = evaluate(case)
    panel, window = ev.panel, ev.design.selection_window
    first = panel.times[int(panel.cohort[panel.ever_treated].min())]
    clusters, treated, control = panel.cluster_counts()
    items = [
        (column("design_question", "message"), message("design.question.project")),
        (column("design_comparator", "message"), message("design.comparator.eligible")),
        (column("design_cluster", "message"), message("design.cluster.batch", n=clusters, treated=treated)),
        (column("design_outcome", "message"), message("design.outcome.avertable")),
        (column("design_form", "message"), message("design.form.multiplicative")),
        (column("design_start"), first),
        (column("design_period"), f"{panel.times[0]}–{panel.times[-1]}"),
        (column("design_selection"), f"{window[0]}–{window[1]}" if window else None),
    ]
    columns = (
        column("group", "message"),
        column("firms", "int"),
        column("n_clusters", "int"),
        column("exposure_pre", "number", 0),
        column("cases_pre", "int"),
        column("rate_pre", "number", 2),
        column("cases_post", "int"),
        column("rate_post", "number", 2),
    )
    rows = [
        group_row(panel, panel.ever_treated, "group.enrolled"),
        group_row(panel, ~panel.ever_treated, "group.comparison"),
    ]
    return section(
        "design",
        [
            facts(case, "design_choices", items),
            table(case, "design_balance", columns, rows, source="extract", n=panel.n_units),
            paths_figure(case, panel),
        ],
    )


def group_row(panel: Panel, members: np.ndarray, label: str) -> list[Any]:
    """Counts and rates (per 1,000 person-years) of a group before and after the first start."""
    first = int(panel.cohort[panel.ever_treated].min())
    cases, exposure = panel.outcomes[PRIMARY][members], panel.exposure[members]  # type: ignore[index]
    before, after = np.nansum(cases[:, :first]), np.nansum(cases[:, first:])
    person = np.nansum(exposure[:, :first]), np.nansum(exposure[:, first:])
    return [
        message(label),
        int(members.sum()),
        len(np.unique(panel.cluster[members])),
        float(person[0]),
        int(before),
        1000 * before / person[0],
        int(after),
        1000 * after / person[1],
    ]


def paths_figure(case: Case, panel: Panel, name: str = "design_paths") -> Any:
    """Rates of both groups by quarter."""
    first = int(panel.cohort[panel.ever_treated].min())

    def rate(members: np.ndarray) -> list[float]:
        cases, exposure = panel.outcomes[panel.primary][members], panel.exposure[members]  # type: ignore[index]
        return (1000 * np.nansum(cases, axis=0) / np.nansum(exposure, axis=0)).tolist()

    payload = {
        "time": list(panel.times),
        "start": panel.times[first],
        "y_label": "axis.rate_per_1000",
        "series": [
            {"label": "group.treated", "value": rate(panel.ever_treated)},
            {"label": "group.untreated", "value": rate(~panel.ever_treated)},
        ],
    }
    return figure(case, name, "paths", payload, source="extract", n=panel.n_units, alt={"start": panel.times[first]})


def effect(case: Case) -> Section:
    """The estimate, its severity ladder, its path over time, and by which rule it was tested."""
    ev = evaluate(case)
    head = [ratio_row("estimator.ppml", ev.effect)]
    if "log_rate" in ev.alternatives:
        head.append(ratio_row("estimator.log_rate_batch", ev.alternatives["log_rate"]))
    exhibits = [
        table(
            case,
            "effect_estimates",
            ESTIMATE_COLUMNS,
            head,
            source="model",
            n=ev.panel.n_units,
            notes=[message("note.ratio_reading"), message("note.two_estimands")],
        ),
        events_figure(case, ev),
        averted_table(case, ev.path),
        inference_card(case, "effect_inference", ev.effect),
    ]
    effects = {"ppml": to_plain(ev.path)} | ({"events": to_plain(ev.events)} if ev.events is not None else {})
    return section("effect", exhibits, effects=effects, sources=ev.path.sources)


def events_figure(case: Case, ev: Evaluation) -> Any:
    """The event study, at the finest spacing that its cases carry."""
    if ev.events is None:
        return None
    panel, _ = coarser(ev.panel, ev.design, ev.span)
    return event_study_figure(case, "effect_events", ev.events, panel, span=ev.span)


def outcome_label(case: Case, outcome: str) -> Any:
    """Name of an outcome: the plan's own where it gives one, ours otherwise."""
    named = case.plan.settings.get("outcomes", {}).get(outcome)
    return message("name.plain", name=named["name"]) if named else message(f"outcome.{outcome}")


def averted_table(case: Case, path: EffectPath, name: str = "effect_averted") -> Any:
    """Observed, expected without the project and averted cases by severity, each with its interval."""
    columns = (
        column("severity", "message"),
        column("observed", "number", 0),
        column("mu0", "number", 1),
        column("averted", "number", 1),
        column("interval", "interval", 1),
        column("rate_ratio", "number", 3),
    )
    assert path.observed is not None and path.mu0 is not None
    rows = []
    for i, e in enumerate(path.effects()):
        low_high = ratio_interval(e)
        bounds = (
            None
            if low_high is None
            else [path.observed[i] * (1 / low_high[1] - 1), path.observed[i] * (1 / low_high[0] - 1)]
        )
        rows.append(
            [
                outcome_label(case, e.outcome),
                float(path.observed[i]),
                float(path.mu0[i]),
                float(path.mu0[i] - path.observed[i]),
                bounds,
                ratio(e),
            ]
        )
    return table(case, name, columns, rows, source="model", notes=[message("note.averted_reading")])


def robustness(case: Case) -> Section:
    """Other outcomes, other windows, other estimators, and the answer without each batch in turn."""
    ev = evaluate(case)
    rows = [ratio_row("estimator.ppml", ev.effect)]
    rows += [ratio_row(f"estimator.alt_{name}", e) for name, e in ev.alternatives.items() if name != "log_rate"]
    single = replace(ev.design, outcomes=(PRIMARY,))
    frame = did.leave_one_out(ev.panel, single, "ppml")
    span = [float(np.exp(frame.estimate.min())), float(np.exp(frame.estimate.max()))]
    items = [(column("loo_range", "interval", 3), span), (column("loo_clusters", "int"), len(frame))]
    exhibits = [
        table(
            case, "robustness_table", ESTIMATE_COLUMNS, rows, source="model", notes=[message("note.negative_control")]
        ),
        facts(case, "robustness_loo", items, source="model"),
    ]
    return section("robustness", exhibits, gates=ev.gates, values={"loo_range": span})


def economics(case: Case) -> Section:
    """What it cost, what it saved, for whom, and how sure that is."""
    ev = evaluate(case)
    return money.decision_section(case, ev.money)


def conclusion(case: Case) -> Section:
    """Evidence level by rule and what may be said."""
    ev = evaluate(case)
    words = [
        verdict_message(ev.effect, ev.level, ev.gates),
        message(f"evidence.{ev.level}"),
        money.decision_message(ev.money.fund),
    ]
    return section("verdict", [prose(case, "verdict_words", words)])
