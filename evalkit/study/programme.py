"""A programme that some places run and others do not: the effect over places, few clusters done right.

The headline test is the unweighted log-rate two-way fixed-effects estimate of `methods.md` 1; the exposure-weighted
Poisson effect stands beside it as its own estimand and is what averted cases use. A plan may instead name a
`policy_panel` outcome (any place × period series), evaluated the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from .. import data, did
from ..core import Design, Effect, EffectPath, Gate, Panel, Section, to_plain
from ..did.twfe import LOG_RATE
from .build import figure, message, prose, section, table
from .case import Case
from .effects import (
    ESTIMATE_COLUMNS,
    LEVEL_COLUMNS,
    estimates_table,
    event_study_figure,
    inference_card,
    level_row,
    ratio,
    ratio_interval,
    ratio_row,
)
from .evaluation import CONTROL_OUTCOME, MINOR, graded_names, overall, pre_periods, with_outcome
from .project import averted_table, paths_figure
from .synthetic import synthetic_exhibits, synthetic_of
from .trends import Trends, trend_exhibits, trends_of
from .verdict import diagnostics, evidence_level, verdict, verdict_message

BESIDE = ("att_gt", "imputation")
"""Estimators of cohort-by-period effects beside the headline, on the same log rates."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Programme:
    """Everything estimated for one programme over places."""

    code: str
    panel: Panel
    design: Design
    headline: EffectPath
    weighted: EffectPath
    logs: Panel
    events: EffectPath
    trends: Trends
    beside: dict[str, Effect]
    differences: EffectPath | None
    level: str
    gates: tuple[Gate, ...]

    @property
    def effect(self) -> Effect:
        return self.headline.effects()[0]


@lru_cache(maxsize=4)
def evaluate(case: Case) -> Programme:
    """Estimate the plan's first programme on all places."""
    spec = case.plan.settings["programmes"][0]
    if "outcome" in spec:
        panel = data.policy_panel(case.canonical, case.plan, spec["outcome"])
        panel = replace(panel, outcomes={spec["outcome"]: panel.matrix()})
    else:
        panel = data.city_panel(case.canonical, case.plan, spec["code"])
    design = Design(
        control=spec.get("control", "auto"), seed=case.seed, window=tuple(spec["window"]) if "window" in spec else None
    )
    logs = log_scale(panel)
    weighted, headline = did.ppml(panel, design), did.twfe(logs, design)
    events = did.event_study(logs, design)
    trends, gates = trends_of(events, logs), warnings(case, panel, design, headline.effects()[0])
    found = {name: overall(name, logs, design) for name in BESIDE}
    return Programme(
        code=spec["code"],
        panel=panel,
        design=design,
        headline=headline,
        weighted=weighted,
        logs=logs,
        events=events,
        trends=trends,
        beside={name: e for name, e in found.items() if e is not None},
        differences=did.first_difference(logs, design) if spec.get("first_difference") else None,
        level=evidence_level(panel, headline.effects()[0], trends_passed=trends.passed, gates=gates),
        gates=gates,
    )


def warnings(case: Case, panel: Panel, design: Design, headline: Effect) -> tuple[Gate, ...]:
    """Diagnostics on the headline scale, for panels that carry severities and a negative control."""
    if CONTROL_OUTCOME not in panel.outcomes:
        return ()

    def path(name: str, *parts: str) -> EffectPath:
        return did.twfe(did.log_rate(with_outcome(panel, name, *parts)), design)

    usable = (pre_periods(panel, design), int(case.plan.settings["min_pre_periods"]))
    reporting = did.gap(path(MINOR, MINOR), path("graded", *graded_names(panel)))
    return diagnostics(headline, reporting, path(CONTROL_OUTCOME, CONTROL_OUTCOME).effects()[0], usable)


def log_scale(panel: Panel) -> Panel:
    """Log rates where there is a denominator; else logs of the outcome itself, which must be positive throughout."""
    if panel.exposure is not None:
        return did.log_rate(panel)
    values = {panel.primary: np.log(panel.matrix())}
    return replace(panel, outcomes=values, outcome_unit=LOG_RATE)


def programme(case: Case) -> Section:
    """Effect of the programme over all places: estimates, paths, event study, inference card."""
    ev = evaluate(case)
    rows = [ratio_row("estimator.log_rate", ev.effect)]
    rows.append(ratio_row("estimator.ppml_weighted", ev.weighted.effects()[0]))
    rows += [ratio_row(f"estimator.{name}_city", e) for name, e in ev.beside.items()]
    clusters, treated, control = ev.panel.cluster_counts()
    exhibits = [
        prose(
            case,
            "programme_words",
            [
                message(
                    "programme.design",
                    clusters=clusters,
                    treated=treated,
                    control=control,
                    first=str(ev.panel.times[0]),
                    last=str(ev.panel.times[-1]),
                ),
                verdict_message(ev.effect, ev.level, ev.gates),
            ],
        ),
        estimates_table(case, "programme_estimates", rows, ev.panel.n_units),
        differences_table(case, ev),
        mean_paths(case, ev) if ev.panel.exposure is None else rate_paths(case, ev),
        event_study_figure(case, "programme_events", ev.events, ev.panel),
        averted_table(case, ev.weighted, did.inference(ev.weighted.averted(), ev.panel), "programme_averted"),
        inference_card(case, "programme_inference", ev.effect),
    ]
    values = {
        "rate_ratio": ratio(ev.effect),
        "rate_ratio_interval": ratio_interval(ev.effect),
        "p_value": ev.effect.p_value,
        "verdict": verdict(ev.effect),
        "evidence_level": ev.level,
    }
    if ev.differences is not None:
        usual = ev.differences.effects()[0]
        values |= {"first_difference": usual.estimate}
    effects = {"headline": to_plain(ev.headline), "events": to_plain(ev.events)}
    effects["weighted"] = to_plain(ev.weighted)
    if ev.differences is not None:
        effects["first_difference"] = to_plain(ev.differences)
    return section(
        "programme", exhibits, gates=ev.gates, values=to_plain(values), effects=effects, sources=ev.headline.sources
    )


def differences_table(case: Case, ev: Programme) -> Any:
    """First differences with the usual standard error, as published, and the router's answer beside it."""
    if ev.differences is None:
        return None
    usual = did.inference(ev.differences, ev.logs, method="usual").effects()[0]
    routed = did.inference(ev.differences, ev.logs, method="auto").effects()[0]
    levels = [
        level_row("estimator.first_difference_usual", usual),
        level_row("estimator.first_difference_router", routed),
        level_row("estimator.twfe_log", ev.effect),
    ]
    return table(
        case,
        "programme_differences",
        LEVEL_COLUMNS,
        levels,
        source="model",
        n=usual.n_obs,
        notes=[message("note.usual_error")],
    )


def rate_paths(case: Case, ev: Programme) -> Any:
    """Rates of places with and without the programme."""
    return paths_figure(case, ev.panel, "programme_paths", "official")


def mean_paths(case: Case, ev: Programme) -> Any:
    """Mean logs of treated and untreated places where there is no denominator."""
    logs = np.log(ev.panel.matrix())
    first = int(ev.panel.cohort[ev.panel.ever_treated].min())
    payload = {
        "time": list(ev.panel.times),
        "start": ev.panel.times[first],
        "y_label": "axis.mean_log",
        "series": [
            {"label": "group.treated", "value": np.nanmean(logs[ev.panel.ever_treated], axis=0)},
            {"label": "group.untreated", "value": np.nanmean(logs[~ev.panel.ever_treated], axis=0)},
        ],
    }
    return figure(
        case,
        "programme_paths",
        "paths",
        payload,
        source="official",
        n=ev.panel.n_units,
        alt={"start": ev.panel.times[first]},
    )


def robustness(case: Case) -> Section:
    """The answer without each place in turn, against a synthetic path, if trends part, and by other inference rules."""
    ev = evaluate(case)
    logs, synthetic = ev.logs, synthetic_of(ev.logs, ev.design)
    label = "axis.mean_log" if ev.panel.exposure is None else "show.axis.log_rate"
    frame = left_out(ev)
    payload = {
        "rows": [
            {"label": case.plan.place_name(c), "value": float(np.exp(e))} for c, e in zip(frame.cluster, frame.estimate)
        ],
        "x_label": "axis.rate_ratio_without",
        "digits": 3,
        "reference": {"value": ratio(ev.effect), "label": "series.all"},
    }
    rows = []
    for method in ("cr3", "cr2", "cr1", "wild", "permutation"):
        e = did.inference(ev.headline, logs, method=method).effects()[0]
        rows.append(ratio_row(f"inference.rule.{method}", e)[:-1])
    exhibits = [
        figure(
            case,
            "robustness_loo_figure",
            "dot_rank",
            payload,
            source="model",
            n=len(frame),
            alt={"low": float(np.exp(frame.estimate.min())), "high": float(np.exp(frame.estimate.max()))},
        ),
        *synthetic_exhibits(case, ev.effect, synthetic, label),
        *trend_exhibits(case, ev.trends),
        rules_table(case, rows),
    ]
    effects = {} if synthetic.path is None else {"synthetic_did": to_plain(synthetic.path)}
    sources = () if synthetic.path is None else synthetic.path.sources
    return section("robustness", exhibits, effects=effects, sources=sources)


def rules_table(case: Case, rows: list[list[Any]]) -> Any:
    """The same estimate under other inference rules, for the record."""
    notes = [message("note.rules_appendix")]
    return table(case, "robustness_rules", ESTIMATE_COLUMNS[:-1], rows, source="model", notes=notes)


def left_out(ev: Programme) -> Any:
    """Estimates without each cluster in turn, as a frame (cluster, estimate)."""
    return did.leave_one_out(ev.logs, ev.design, "twfe")
