"""Effects as exhibits: estimates, event studies, the card that says by which rule and why. Shared by all reports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..core import Column, Effect, EffectPath, Exhibit, Inference, Message, Panel
from .build import column, facts, figure, message, table
from .case import Case

ESTIMATE_COLUMNS = (
    column("estimator", "message"),
    column("rate_ratio", "number", 3),
    column("interval", "interval", 3),
    column("p_value", "number", 3),
    column("df", "number", 1),
    column("n_clusters", "int"),
    column("n_treated_clusters", "int"),
    column("rule", "message"),
)
LEVEL_COLUMNS = (
    column("estimator", "message"),
    column("estimate", "number", 4),
    column("std_error", "number", 4),
    *ESTIMATE_COLUMNS[2:],
    column("n_obs", "int"),
)


def ratio(effect: Effect) -> float:
    """Rate ratio of a row on the log scale."""
    return math.exp(effect.estimate)


def ratio_interval(effect: Effect) -> list[float] | None:
    """Interval of the rate ratio, None where the design carries none."""
    if effect.conf_low is None or effect.conf_high is None:
        return None
    return [math.exp(effect.conf_low), math.exp(min(effect.conf_high, 700.0))]


def interval(effect: Effect) -> list[float] | None:
    return None if effect.conf_low is None or effect.conf_high is None else [effect.conf_low, effect.conf_high]


def rule_message(effect: Effect) -> Message:
    return message(f"inference.rule.{effect.inference.rule if effect.inference else 'none'}")


def ratio_row(label: str, effect: Effect, **values: Any) -> list[Any]:
    """A row of `ESTIMATE_COLUMNS` for an effect on the log scale; `label` is a message key."""
    return [
        message(label, **values),
        ratio(effect),
        ratio_interval(effect),
        effect.p_value,
        effect.df,
        effect.n_clusters,
        effect.n_treated_clusters,
        rule_message(effect),
    ]


def level_row(label: str, effect: Effect, **values: Any) -> list[Any]:
    """A row of `LEVEL_COLUMNS` for an effect on the outcome's own scale."""
    head = [message(label, **values), effect.estimate, effect.std_error, interval(effect), effect.p_value]
    tail = [effect.df, effect.n_clusters, effect.n_treated_clusters, rule_message(effect), effect.n_obs]
    return head + tail


def outcome_label(case: Case, outcome: str) -> Message:
    """Name of an outcome: the plan's own where it gives one, ours otherwise."""
    named = case.plan.settings.get("outcomes", {}).get(outcome)
    return message("name.plain", name=named["name"]) if named else message(f"outcome.{outcome}")


def estimates_table(case: Case, name: str, rows: Sequence[Sequence[Any]], n: int) -> Exhibit:
    """The estimates of one effect side by side, with how to read them; n units."""
    notes = [message("note.ratio_reading"), message("note.two_estimands")]
    return table(case, name, ESTIMATE_COLUMNS, rows, notes=notes, source="model", n=n)


def inference_card(case: Case, name: str, effect: Effect) -> Exhibit:
    """By which rule the headline was tested and why, with what the design can and cannot show."""
    inf = effect.inference or Inference(rule="none")
    items: list[tuple[Any, Any]] = [
        (column("rule", "message"), message(f"inference.rule.{inf.rule}")),
        (column("reason", "message"), message(inf.reason) if inf.reason else None),
        (column("n_clusters", "int"), effect.n_clusters),
        (column("n_treated_clusters", "int"), effect.n_treated_clusters),
        (column("effective_treated", "number", 1), inf.effective_treated),
        (column("effective_control", "number", 1), inf.effective_control),
        (column("df", "number", 1), inf.df),
        (column("p_value", "number", 3), inf.p_value),
        (column("p_attainable", "number", 3), inf.p_attainable),
    ]
    for scenario, size in inf.size.items():
        words = message("col.size", scenario=message(f"inference.scenario.{scenario}"))
        items.append((Column(name=scenario, label=words, kind="percent", digits=1), size))
    for extra, value in inf.extra.items():
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            items.append((Column(name=extra, label=f"inference.extra.{extra}", kind="number", digits=3), value))
    keys = [inf.refused, *(inf.extra.get(k) for k in ("working", "studentised_note", "money"))]
    notes = [message(k) for k in keys if isinstance(k, str) and "." in k]
    return facts(case, name, [(c, v) for c, v in items if v is not None], notes=notes, source="model")


def event_study_figure(case: Case, name: str, path: EffectPath, panel: Panel, **title: Any) -> Exhibit:
    """Leads and lags with pointwise intervals and treated units under each point; a band only where it is valid."""
    order = sorted(range(len(path)), key=lambda i: path.terms[i].event_time or 0)
    terms = [path.terms[i] for i in order]
    inferences = [path.inference[i] if path.inference else None for i in order]
    measure = "log_rate_ratio" if terms[0].measure in ("log_rate", "log_rate_ratio") else "difference"
    data: dict[str, Any] = {
        "event_time": [t.event_time for t in terms],
        "estimate": [float(path.estimate[i]) for i in order],
        "conf_low": [inf.conf_low if inf else None for inf in inferences],
        "conf_high": [inf.conf_high if inf else None for inf in inferences],
        "n_treated": [t.n_treated for t in terms],
        "base": [t.event_time for t, inf in zip(terms, inferences) if inf and inf.rule == "reference"],
        "selection": selection_event_times(panel, path),
        "measure": measure,
        "level": path.design.level,
        "testable": any(inf is not None and inf.conf_low is not None for inf in inferences),
    }
    if path.inference and (band := path.band()).kind == "simultaneous":
        data["band_low"], data["band_high"] = [float(band.low[i]) for i in order], [float(band.high[i]) for i in order]
    after = [float(path.estimate[i]) for i in order if (path.terms[i].event_time or 0) >= 0]
    mean = sum(after) / max(len(after), 1)
    told = {"periods": len(terms), "mean_post": math.exp(mean) if measure == "log_rate_ratio" else mean}
    return figure(case, name, "event_study", data, source="model", alt={**told, **title}, **title)


def selection_event_times(panel: Panel, path: EffectPath) -> list[int] | None:
    """The selection window on the event-time axis, for designs with one start date."""
    window = path.design.selection_window
    starts = set(panel.cohort[panel.ever_treated].tolist())
    if window is None or len(starts) != 1:
        return None
    start = starts.pop()
    return [panel.times.index(window[0]) - start, panel.times.index(window[1]) - start]
