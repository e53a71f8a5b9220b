"""Sections of the overview: all places side by side, the cap, the roll-up of measures, projects and money together."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from .. import assess
from ..core import Exhibit, Message, Section, to_plain
from . import computed, outcomes
from .build import column, facts, figure, message, prose, section, table
from .case import Case
from .funding import budget_figure, impact_table, portfolio_exhibits
from .indicators import scorecard
from .work import measure_name, years


def summary(case: Case) -> Section:
    """Headline figures of the overview."""
    name = case.plan.place_name(case.plan.province)
    if case.shows("overview"):
        part, money = computed(case, "target"), cap_rows(case)
        now = money[money.year == case.period]
        items = [
            (column("decline", "percent", 1), part.values["decline"]),
            (column("decline_interval", "interval", 1, "%"), part.values["decline_interval"]),
            (column("target_status", "status"), part.values["target_status"]),
            (column("cap_ratio", "percent", 2), None if now.empty else float(now.ratio.iloc[0])),
            (column("cap_status", "status"), None if now.empty else str(now.status.iloc[0])),
            (column("cities_reported", "int"), len(case.cities)),
            (column("evaluated", "int"), len(case.projects)),
        ]
        exhibits = [
            prose(
                case,
                "summary_words",
                [
                    message(
                        "summary.province",
                        name=name,
                        period=case.period,
                        cities=len(case.plan.cities),
                        evaluated=len(case.projects),
                    )
                ]
                + _withheld(case)
                + ([message("common.synthetic_note")] if case.synthetic else []),
            ),
            facts(case, "summary_facts", items),
        ]
        values = {
            "decline": part.values["decline"],
            "target_status": part.values["target_status"],
            "cap_ratio": None if now.empty else float(now.ratio.iloc[0]),
        }
        card, scores = scorecard(case, case.plan.province)
        return section("summary", [*exhibits, card], scores=scores, values=to_plain(values))
    words = [message("summary.policy", name=name), *_withheld(case)]
    return section("summary", [prose(case, "summary_words", words)])


def _withheld(case: Case) -> list[Message]:
    """Which cities are missing because their office files have problems."""
    places = [case.plan.place_name(place) for place in case.canonical.withheld]
    return [message("summary.withheld", places=places)] if places else []


def overview(case: Case) -> Section:
    """Every city in administrative order: rate with interval, change, coverage, execution. Not a ranking."""
    rates = assess.rates(
        case.canonical,
        case.plan,
        ("I01",),
        place=case.plan.province,
        by=("place", "year"),
        years=(case.period, case.period),
    ).set_index("place")
    order = [c for c in case.plan.cities if c in rates.index]
    whole = assess.rates(
        case.canonical, case.plan, ("I01",), place=case.plan.province, years=(case.period, case.period)
    ).value.iloc[0]
    payload = {
        "rows": [
            {
                "label": case.plan.place_name(c),
                "value": float(rates.value[c]),
                "conf_low": float(rates.conf_low[c]),
                "conf_high": float(rates.conf_high[c]),
                "provisional": bool(rates.provisional[c]),
            }
            for c in order
        ],
        "x_label": "indicator.I01.name",
        "unit": "‰",
        "reference": {"value": float(whole), "label": case.plan.place_name(case.plan.province)},
    }
    exhibits = [
        figure(case, "overview_rates", "dot_rank", payload, source="official", n=len(order), alt={"n": len(order)}),
        overview_table(case, rates, order),
    ]
    return section("overview", exhibits)


def overview_table(case: Case, rates: pd.DataFrame, order: list[str]) -> Exhibit:
    """One row per city with the headline values of its own report."""
    columns = (
        column("city", "message"),
        column("cases", "int"),
        column("value", "number", unit="‰"),
        column("interval", "interval"),
        column("decline", "percent", 1),
        column("target_status", "status"),
        column("measures_done", "percent", 0),
        column("coverage", "percent", 1),
        column("execution", "percent", 1),
    )
    rows = []
    for c in order:
        head = case.cities.get(c, {}).get("values", {})
        rows.append(
            [
                message("name.plain", name=case.plan.place_name(c)),
                float(rates.numerator[c]),
                float(rates.value[c]),
                [float(rates.conf_low[c]), float(rates.conf_high[c])],
                *(head.get(k) for k in ("decline", "target_status", "measures_done", "coverage", "execution")),
            ]
        )
    return table(case, "overview_table", columns, rows, source="official", notes=[message("note.not_ranking")])


def cap_rows(case: Case) -> pd.DataFrame:
    """The 3 % test by year of the plan."""
    frame = assess.fund_ratio(case.canonical, case.plan, place=case.plan.province)
    return frame[frame.year.between(*years(case))]


def cap(case: Case) -> Section:
    """Prevention spending against 3 % of the previous year's levy: one test, for the province."""
    frame = cap_rows(case)
    columns = (
        column("year", "text"),
        column("prevention", "money"),
        column("levy_previous", "money"),
        column("cap_ratio", "percent", 2),
        column("cap", "percent", 0),
        column("room", "money"),
        column("status", "status"),
    )
    rows = [[str(r.year), r.prevention, r.levy_previous, r.ratio, r.cap, r.room, r.status] for r in frame.itertuples()]
    shown = table(case, "cap_table", columns, rows, source="ledger", notes=[message("note.cap")])
    return section("cap", [shown, budget_figure(case, frame)])


def economics(case: Case) -> Section:
    """What the evaluated projects cost and saved, and which of them the room under the cap would fund."""
    found = outcomes.economics(case)
    if not case.projects:
        return found
    frame = cap_rows(case)
    now = frame.query("year == @case.period")
    room = None if now.empty or pd.isna(now.room.iloc[0]) else float(now.room.iloc[0])
    impact = impact_table(case, frame)
    added = [*([] if impact is None else [impact]), *portfolio_exhibits(case, room)]
    return replace(found, exhibits=(*found.exhibits, *added))


def measures(case: Case) -> Section:
    """Measures × cities, and how many cities stand where."""
    roll = assess.measure_roll_up(case.canonical, case.plan, period=case.period)
    wide = roll.pivot(index="place", columns="measure_no", values="status").reindex(case.plan.cities)
    payload = {
        "rows": [case.plan.place_name(c) for c in wide.index],
        "columns": [str(n) for n in wide.columns],
        "cells": wide.where(wide.notna(), None).to_numpy().tolist(),
        "scale": "status",
    }
    totals = assess.measure_totals(case.canonical, case.plan, period=case.period)
    columns = (
        column("measure_no", "int"),
        column("measure", "message"),
        column("cities", "int"),
        column("done", "int"),
        column("done_late", "int"),
        column("overdue", "int"),
        column("no_data", "int"),
    )
    rows = [
        [r.measure_no, measure_name(case, r.measure_no), r.cities, r.done, r.done_late, r.overdue, r.no_data]
        for r in totals.itertuples()
    ]
    return section(
        "measures",
        [
            figure(case, "measures_heat", "heat", payload, source="measures", alt={"n": len(wide)}),
            table(case, "measures_totals", columns, rows, source="measures", notes=[message("note.measures")]),
        ],
    )
