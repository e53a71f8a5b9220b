"""One funded project: did injuries fall because of it, and was it worth the money."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .. import assess, did
from ..core import Column, Design, EffectPath, Message, Panel, Score, Section, to_plain
from . import economics as money
from .assumptions import scenario_table
from .build import column, facts, figure, message, prose, section, table
from .case import Case
from .cheers import cheers_table
from .disclosure import counts_hidden, masked, parts_hidden, threshold
from .effects import (
    ESTIMATE_COLUMNS,
    estimates_table,
    event_study_figure,
    inference_card,
    interval,
    outcome_label,
    ratio,
    ratio_interval,
    ratio_row,
)
from .evaluation import PRIMARY, Evaluation, coarser, evaluate
from .groups import group_table
from .paid import routes_exhibit
from .quality import gates_table
from .robustness import balance_table
from .trends import robust_figure, trend_exhibits
from .verdict import verdict, verdict_message


def summary(case: Case) -> Section:
    """What the project was, and the three sentences that matter."""
    ev = evaluate(case)
    row = ev.row
    items: list[tuple[Column, Any]] = [
        (column("project_id"), row["project_id"]),
        (column("title"), row["title"]),
        (column("place", "message"), message("name.plain", name=case.plan.place_name(row["place"]))),
        (column("started", "period"), row.get("started")),
        (column("ended", "period"), row.get("ended")),
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
        "averted": float(ev.averted.estimate[0]),
    }
    words = [
        verdict_message(effect, ev.level, ev.gates),
        money.decision_message(ev.money.fund, ev.gates, verdict(ev.effect)),
    ]
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
    clusters, treated, _control = panel.cluster_counts()
    items = [
        (column("design_question", "message"), message("design.question.project")),
        (column("design_comparator", "message"), message("design.comparator.eligible")),
        (column("design_cluster", "message"), message("design.cluster.batch", n=clusters, treated=treated)),
        (column("design_outcome", "message"), message("design.outcome.avertable")),
        (column("design_form", "message"), message("design.form.multiplicative")),
        (column("design_start", "period"), first),
        (column("design_period", "message"), _span(panel.times[0], panel.times[-1])),
        (column("design_selection", "message"), _span(*window) if window else None),
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
            balance_table(case, panel, ev.design),
            paths_figure(case, panel),
        ],
    )


def _span(first: Any, last: Any) -> Message:
    return message("show.interval", low=first, high=last)


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


def paths_figure(case: Case, panel: Panel, name: str = "design_paths", source: str = "extract") -> Any:
    """Rates of both groups over time, at a spacing at which no point rests on a count that may not be printed."""
    panel = printable(case, panel)
    start = panel.times[int(panel.cohort[panel.ever_treated].min())]

    def rate(members: np.ndarray) -> list[float | None]:
        cases, exposure = panel.outcomes[panel.primary][members], panel.exposure[members]  # type: ignore[index]
        counts, person_years = np.nansum(cases, axis=0), np.nansum(exposure, axis=0)
        return [1000 * c / e if c >= threshold(case) else None for c, e in zip(counts, person_years)]

    payload = {
        "time": list(panel.times),
        "start": start,
        "y_label": "axis.rate_per_1000",
        "series": [
            {"label": "group.treated", "value": rate(panel.ever_treated)},
            {"label": "group.untreated", "value": rate(~panel.ever_treated)},
        ],
    }
    return figure(case, name, "paths", payload, source=source, n=panel.n_units, alt={"start": start})


def printable(case: Case, panel: Panel) -> Panel:
    """The panel in the shortest blocks (1, 2 or 4 periods) whose group counts all reach the public threshold."""
    for span in (1, 2, 4):
        wide, _ = coarser(panel, Design(), span)
        cases, treated = wide.outcomes[wide.primary], wide.ever_treated
        if min(cases[treated].sum(axis=0).min(), cases[~treated].sum(axis=0).min()) >= threshold(case):
            break
    return wide


BESIDE = ("log_rate", "att_gt", "imputation")
"""Alternatives that stand beside the headline; the others are in the robustness section."""


def effect(case: Case) -> Section:
    """The estimate, its severity ladder, its path over time, and by which rule it was tested."""
    ev = evaluate(case)
    staggered = ev.path.method == "etwfe_poisson"
    head = [ratio_row("estimator.etwfe_poisson" if staggered else "estimator.ppml", ev.effect)]
    beside = ("log_rate_batch", "log_rate"), ("att_gt", "att_gt"), ("imputation", "imputation")
    head += [ratio_row(f"estimator.{key}", ev.alternatives[name]) for key, name in beside if name in ev.alternatives]
    exhibits = [
        estimates_table(case, "effect_estimates", head, ev.panel.n_units),
        events_figure(case, ev),
        averted_table(case, ev.path, ev.averted),
        inference_card(case, "effect_inference", ev.effect),
    ]
    effects = {"ppml": to_plain(ev.path)} | ({"events": to_plain(ev.events)} if ev.events is not None else {})
    return section("effect", exhibits, effects=effects, scores=(averted_score(case, ev),), sources=ev.path.sources)


def averted_score(case: Case, ev: Evaluation) -> Score:
    """Injuries averted by the project, for the indicator dictionary (I21)."""
    a = ev.averted.effects()[0]
    rule = a.inference.rule if a.inference else ""
    return assess.effect_score(
        place=case.place, period=str(case.period), averted=a.estimate, conf_low=a.conf_low, conf_high=a.conf_high,
        method=rule, group=case.project, as_of=case.as_of,
    )  # fmt: skip


def events_figure(case: Case, ev: Evaluation) -> Any:
    """The event study, at the finest spacing that its cases carry."""
    if ev.events is None:
        return None
    panel, _ = coarser(ev.panel, ev.design, ev.span)
    return event_study_figure(case, "effect_events", ev.events, panel, span=ev.span)


def averted_table(case: Case, path: EffectPath, averted: EffectPath, name: str = "effect_averted") -> Any:
    """Observed, expected without the programme and averted cases by severity, with the interval of the count scale."""
    columns = (
        column("severity", "message"),
        column("observed", "number", 0),
        column("mu0", "number", 1),
        column("averted", "number", 1),
        column("interval", "interval", 1),
        column("rate_ratio", "number", 3),
    )
    assert path.observed is not None
    assert path.mu0 is not None
    whole, *parts = path.observed.tolist()
    hidden = [*counts_hidden(case, [whole]), *parts_hidden(case, whole, parts)]
    rows = []
    for i, (e, a) in enumerate(zip(path.effects(), averted.effects())):
        row = [
            outcome_label(case, e.outcome),
            float(path.observed[i]),
            float(path.mu0[i]),
            a.estimate,
            interval(a),
            ratio(e),
        ]
        rows.append(masked(row, hidden[i], (1, 2, 3, 4, 5)))
    notes = [message("note.averted_reading")]
    if any(hidden):
        notes.append(message("note.suppressed", threshold=threshold(case)))
    return table(case, name, columns, rows, source="model", notes=notes)


def robustness(case: Case) -> Section:
    """Other outcomes, other windows, other estimators, and the answer without each batch in turn."""
    ev = evaluate(case)
    rows = [ratio_row("estimator.ppml", ev.effect)]
    rows += [ratio_row(f"estimator.alt_{name}", e) for name, e in ev.alternatives.items() if name not in BESIDE]
    single = replace(ev.design, outcomes=(PRIMARY,))
    frame = did.leave_one_out(ev.panel, single, "ppml")
    span = [float(np.exp(frame.estimate.min())), float(np.exp(frame.estimate.max()))]
    items = [(column("loo_range", "interval", 3), span), (column("loo_clusters", "int"), len(frame))]
    exhibits = [
        table(
            case, "robustness_table", ESTIMATE_COLUMNS, rows, source="model", notes=[message("note.negative_control")]
        ),
        *trend_exhibits(case, ev.trends),
        facts(case, "robustness_loo", items, source="model"),
        gates_table(case, ev.gates, "robustness_gates", note="note.diagnostics"),
    ]
    return section("robustness", exhibits, gates=ev.gates, values={"loo_range": span})


def economics(case: Case) -> Section:
    """What it cost, what it saved, for whom, and how sure that is."""
    ev = evaluate(case)
    d = ev.money.fund
    scores = assess.economic_scores(
        place=case.place, period=str(case.period), programme_cost=d.programme_cost, averted_cost=d.averted_cost,
        averted=d.averted_cases, bcr=d.bcr, bcr_low=d.bcr_low, bcr_high=d.bcr_high, dominance=d.dominance,
        group=case.project, as_of=case.as_of,
    )  # fmt: skip
    found = money.decision_section(case, ev.money, ev.gates, verdict(ev.effect))
    more = (
        scenario_table(case, ev),
        routes_exhibit(case, ev),
        group_table(case, ev),
        robust_figure(case, ev.money, ev.trends),
        cheers_table(case, ev),
    )
    exhibits = (*found.exhibits, *(e for e in more if e is not None))
    return replace(found, exhibits=exhibits, scores=scores)


def conclusion(case: Case) -> Section:
    """Evidence level by rule and what may be said."""
    ev = evaluate(case)
    words = [
        verdict_message(ev.effect, ev.level, ev.gates),
        message(f"evidence.{ev.level}"),
        money.decision_message(ev.money.fund, ev.gates, verdict(ev.effect)),
    ]
    return section("verdict", [prose(case, "verdict_words", words)])
