"""A place's own series in a policy panel, beside the others, and the effect over all places."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..core import Section, to_plain
from . import programme
from .build import column, facts, figure, section
from .case import Case
from .effects import ratio


def everyone(case: Case) -> Case:
    """The case with the policy panel of all places, which a city's own tables do not hold."""
    tables = {**case.tables, "policy_panel": case.peers["policy_panel"]}
    return replace(case, canonical=replace(case.canonical, tables=tables))


def series(case: Case) -> Section:
    """This place against the treated and untreated places, and what all of them together show."""
    spec = case.plan.settings["programmes"][0]
    frame = case.peers["policy_panel"]
    wide = frame[frame.outcome == spec["outcome"]].pivot(index="period", columns="place", values="value")
    own = wide[case.place]
    dose = frame[frame.place == case.place].set_index("period").treated
    start = dose[dose > 0].index.min() if (dose > 0).any() else None
    payload = {
        "y_label": case.plan.settings["outcomes"][spec["outcome"]]["name"],
        "events": [] if start is None else [{"time": int(start), "label": "series.start"}],
        "series": [
            {"label": case.plan.place_name(case.place), "time": list(wide.index), "value": own.tolist()},
            {"label": "series.median", "time": list(wide.index), "value": wide.median(axis=1).tolist()},
        ],
    }
    ev = programme.evaluate(everyone(case))
    influence = leave_out(case, ev)
    items = [
        (column("start_year"), None if start is None else str(start)),
        (column("own_first", "number", 0), float(own.iloc[0])),
        (column("own_last", "number", 0), float(own.iloc[-1])),
        (column("own_change", "percent", 1), float(own.iloc[-1] / own.iloc[0] - 1)),
        (column("median_change", "percent", 1), float((wide.iloc[-1] / wide.iloc[0] - 1).median())),
        (column("effect_all", "number", 3), ratio(ev.effect)),
        (column("effect_without", "number", 3), influence),
    ]
    exhibits = [
        figure(
            case,
            "series_figure",
            "trend",
            to_plain(payload),
            source="extract",
            alt={"first": float(own.iloc[0]), "last": float(own.iloc[-1])},
        ),
        facts(case, "series_facts", items, source="model"),
        programme.differences_table(case, ev),
    ]
    values: dict[str, Any] = {
        "own_change": float(own.iloc[-1] / own.iloc[0] - 1),
        "start": start,
        "rate_ratio": ratio(ev.effect),
    }
    if ev.differences is not None:
        values["first_difference"] = float(ev.differences.estimate[0])
    effects = {} if ev.differences is None else {"first_difference": to_plain(ev.differences)}
    return section("series", exhibits, values=to_plain(values), effects=effects)


def leave_out(case: Case, ev: programme.Programme) -> float | None:
    """The effect over all places but this one."""
    frame = programme.left_out(ev).set_index("cluster")
    value = frame.estimate.get(case.place, np.nan)
    return None if pd.isna(value) else float(np.exp(value))
