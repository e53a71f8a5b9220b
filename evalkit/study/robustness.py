"""Results of sensitivity analysis, power and description of the design as exhibits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import did
from ..core import Design, EffectPath, Exhibit, Message, Panel
from ..did.power import MDE_LIMIT, PowerCurve
from ..did.sensitivity import Sensitivity
from .build import column, figure, message, table
from .case import Case
from .disclosure import counts_hidden
from .effects import outcome_label

PER = 1000
"""Rates are shown per so many person-years."""
LOG = ("log_rate", "log_rate_ratio")


def sensitivity_figure(case: Case, found: Sensitivity, *, measure: str = "log_rate_ratio", unit: str = "") -> Exhibit:
    """Robust intervals by size, or the reason why there are none in the notes. measure: of the path's rows."""
    notes = [message(key) for key in found.notes] + ([message(found.refused)] if found.refused else [])
    return figure(
        case,
        "sensitivity",
        "sensitivity",
        {
            "size": list(found.size),
            "conf_low": list(found.conf_low),
            "conf_high": list(found.conf_high),
            "original": list(found.original),
            "estimate": found.estimate,
            "breakdown": found.breakdown,
            "measure": _drawn(measure),
            "x_label": "show.axis.smooth" if found.restriction == "smoothness" else "show.axis.size",
            "level": found.level,
            "approximate": found.covariance == "control_paths",
            "unit": unit,
        },
        notes=notes,
        restriction=message(f"honest.restriction.{found.restriction}"),
    )


def leave_one_out_figure(case: Case, frame: pd.DataFrame, path: EffectPath, *, term: str = "att") -> Exhibit:
    """Estimates without each cluster (`did.leave_one_out`) beside row `term` of the path with all of them."""
    effect = path.effect(term)
    rows = frame[(frame.term == term) & (frame.outcome == effect.outcome)]
    data = {
        "rows": [
            {"label": r.cluster, "estimate": _number(r.estimate), "treated": bool(r.treated)} for r in rows.itertuples()
        ],
        "full": effect.estimate,
        "conf_low": effect.conf_low,
        "conf_high": effect.conf_high,
        "measure": _drawn(effect.measure),
        "level": effect.level,
    }
    return figure(case, "leave_one_out", "leave_one_out", data, n=len(rows))


def power_figure(case: Case, curves: dict[str, PowerCurve]) -> Exhibit:
    """Power curves by label (a message key or a name); designs that cannot be tested are left out and noted."""
    shown = {name: c for name, c in curves.items() if not c.refused}
    notes = [message(c.refused) for c in curves.values() if c.refused]
    notes += [message("power.note.insufficient")] if any(c.insufficient for c in shown.values()) else []
    series = [
        {
            "label": name if len(curves) > 1 else None,
            "share": c.share.tolist(),
            "power": c.power.tolist(),
            "mde": c.mde_share,
        }
        for name, c in shown.items()
    ]
    target = next((c.target for c in shown.values()), 0.8)
    data = {"series": series, "target": target, "limit": MDE_LIMIT}
    return figure(case, "power", "power_curve", data, notes=notes)


def rollout_figure(case: Case, panel: Panel, design: Design | None = None) -> Exhibit:
    """Which cluster (unit, where a cluster's units start apart) was treated from when on."""
    window = None if design is None else design.selection_window
    data = {"time": [str(t) for t in panel.times], "rows": _starts(panel)}
    return figure(
        case,
        "rollout",
        "rollout",
        data | ({"selection": [str(t) for t in window]} if window else {}),
        n=panel.n_units,
        treated=int(panel.ever_treated.sum()),
        units=panel.n_units,
    )


def cohort_figure(case: Case, path: EffectPath, *, unit: str = "") -> Exhibit:
    """Effects of a path by cohort and event time, one panel per cohort."""
    panels: dict[Any, list[Any]] = {}
    for e, t in zip(path.effects(), path.terms):
        if t.cohort is not None and t.event_time is not None:
            panels.setdefault(t.cohort, []).append((e, t))
    data = {
        "panels": [
            {
                "label": str(cohort),
                "event_time": [t.event_time for _, t in rows],
                "estimate": [_number(e.estimate) for e, _ in rows],
                "conf_low": [e.conf_low for e, _ in rows],
                "conf_high": [e.conf_high for e, _ in rows],
                "n_treated": max(t.n_treated for _, t in rows),
            }
            for cohort, rows in sorted(panels.items(), key=lambda item: str(item[0]))
        ],
        "measure": _drawn(path.terms[0].measure if path.terms else "level"),
        "unit": unit,
        "level": path.design.level,
    }
    return figure(case, "cohort_effects", "cohort_panels", data)


def balance_table(case: Case, panel: Panel, design: Design | None = None) -> Exhibit:
    """Means of participants and comparison units before the start (`did.balance`).

    Outcomes of a panel with exposure are rates per thousand; those with few cases in one of the groups are left out.
    """
    frame = did.balance(panel, design)
    notes = [message("balance.note")]
    if panel.exposure is not None:
        frame = frame[
            [kind == "covariate" or _shown(case, panel, name) for name, kind in frame[["variable", "kind"]].values]
        ]
        rate = frame.kind != "covariate"
        frame.loc[rate, ["treated_mean", "control_mean"]] *= PER
        notes.append(message("balance.rate"))
    frame = frame.assign(
        variable=[_variable(case, panel, name) for name in frame.variable],
        balance_kind=[f"balance.{kind}" for kind in frame.kind],
    )
    columns = [
        column("variable", "message"),
        column("balance_kind", "message"),
        column("treated_mean", "number", 3),
        column("control_mean", "number", 3),
        column("std_difference", "number", 2),
    ]
    return table(case, "balance", columns, frame, notes=notes)


def _variable(case: Case, panel: Panel, name: str) -> Message:
    if name == "exposure":
        return message("balance.exposure")
    return outcome_label(case, name) if name in panel.outcomes else message("name.plain", name=name)


def _shown(case: Case, panel: Panel, outcome: str) -> bool:
    """Whether both groups have as many cases as may be printed."""
    cases, treated = np.nansum(panel.outcomes[outcome], axis=1), panel.ever_treated
    return not any(counts_hidden(case, [cases[treated].sum(), cases[~treated].sum()], total_known=False))


def _starts(panel: Panel) -> list[dict[str, Any]]:
    """Rows of the roll-out map: one per cluster where its units start together, else one per unit."""
    cohort = np.minimum(panel.cohort, panel.n_periods)
    together = all(len(np.unique(cohort[panel.cluster == g])) == 1 for g in np.unique(panel.cluster))
    groups = np.unique(panel.cluster) if together else np.arange(panel.n_units)
    member = panel.cluster if together else groups
    names = panel.cluster_names if together else panel.units
    seen = np.isfinite(panel.matrix())
    rows = []
    for g in groups:
        own = member == g
        start = int(cohort[own][0])
        missing = [str(t) for t, any_seen in zip(panel.times, seen[own].any(axis=0)) if not any_seen]
        label = str(panel.times[start]) if start < panel.n_periods else None
        rows.append({"label": names[int(g)], "start": label, "missing": missing, "count": int(own.sum())})
    return rows


def _drawn(measure: str) -> str:
    return "log_rate_ratio" if measure in LOG else "difference"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
