"""Sections of a city's report that the province shares: scope, situation, summary."""

from __future__ import annotations

from typing import Any

import pandas as pd

from .. import assess
from ..assess.frames import rows_of, year_of
from ..core import Exhibit, Section, to_plain
from . import computed
from .build import column, facts, figure, message, prose, section, table
from .case import Case
from .disclosure import counts_hidden, masked, threshold, two_way
from .indicators import scorecard, worded

RATE_CODES = ("I01", "I02", "I03", "I04", "I05")
SUMMARISED = ("profile", "target", "measures", "training", "fund", "projects", "activities")
"""Sections whose values the summary of a city repeats."""


def scope(case: Case) -> Section:
    """What the report rests on: plan, period, data date, sources with their row counts, definitions."""
    settings = case.plan.settings
    items = [
        (column("plan_title", "message"), message("name.plain", name=settings["title"])),
        (column("plan_document"), settings.get("document")),
        (column("period"), str(case.period)),
        (column("as_of", "period"), case.as_of),
        (column("maturity_months", "int"), settings.get("maturity_months")),
        (column("peers_edition"), case.peers_edition or None),
        (column("seed"), str(case.seed)),
    ]
    return section(
        "scope",
        [facts(case, "scope_facts", [i for i in items if i[1] is not None]), data_matrix(case), definitions(case)],
    )


def data_matrix(case: Case) -> Exhibit:
    """One row per canonical table that has rows: how many, from how many files."""
    rows = []
    for name, frame in case.tables.items():
        if len(frame):
            files = sum(i.table == name for i in case.canonical.inputs)
            rows.append([message(f"table.{name}"), len(frame), files])
    columns = (column("table", "message"), column("rows", "int"), column("files", "int"))
    return table(case, "scope_data", columns, rows)


def definitions(case: Case) -> Exhibit | None:
    """Names and formulas of the indicators that this edition computes."""
    shown = [i for i in case.plan.indicators if i.options.get("computed", True)]
    if not shown:
        return None
    columns = (
        column("code"),
        column("indicator", "message"),
        column("definition", "message"),
        column("unit", "message"),
    )
    words = ((i, message(f"indicator.{i.code}.name"), message(f"indicator.{i.code}.definition")) for i in shown)
    rows = [[i.code, name, definition, message(f"unit_word.{i.unit}")] for i, name, definition in words]
    return table(case, "scope_definitions", columns, rows)


def place_of(case: Case) -> str:
    return case.place or case.plan.province


def profile(case: Case) -> Section:
    """Insured, injuries by year, severity and situation, key industries."""
    place = place_of(case)
    yearly = assess.rates(case.canonical, case.plan, RATE_CODES, place=place)
    exhibits = [
        trend(case, yearly),
        rates_table(case, yearly),
        industry_table(case, place),
        industries_figure(case, place),
        severity_table(case, place),
    ]
    now = yearly[(yearly.indicator == "I01") & (yearly.year == case.period)]
    values = {
        "I01": None if now.empty else float(now.value.iloc[0]),
        "I01_interval": None if now.empty else [float(now.conf_low.iloc[0]), float(now.conf_high.iloc[0])],
        "cases": None if now.empty else float(now.numerator.iloc[0]),
    }
    return section("profile", exhibits, values=to_plain(values))


def series_of(frame: pd.DataFrame, label: Any = None) -> dict[str, Any]:
    """A tidy rate table as one line of a figure."""
    out = {
        "time": frame.year.tolist(),
        "value": frame.value.tolist(),
        "conf_low": frame.conf_low.tolist(),
        "conf_high": frame.conf_high.tolist(),
        "provisional": frame.provisional.tolist(),
    }
    return {**out, "label": label} if label is not None else out


def trend(case: Case, yearly: pd.DataFrame) -> Exhibit:
    """I01 over the years."""
    own = yearly[yearly.indicator == "I01"]
    payload = {"series": [series_of(own)], "y_label": "indicator.I01.name", "unit": "‰"}
    return figure(
        case,
        "profile_trend",
        "trend",
        payload,
        source="official",
        alt={
            "first_year": int(own.year.iloc[0]),
            "first": float(own.value.iloc[0]),
            "last_year": int(own.year.iloc[-1]),
            "last": float(own.value.iloc[-1]),
        },
    )


def rates_table(case: Case, yearly: pd.DataFrame) -> Exhibit:
    """Every rate of the period and the year before, with counts and intervals; rates on few cases are hidden."""
    recent = yearly[yearly.year.isin([case.period, case.period - 1])]
    columns = (column("indicator", "message"), column("year", "text"), column("numerator", "int"),
               column("denominator", "int"), column("value", "message"), column("interval", "message"),
               column("provisional", "flag"))  # fmt: skip
    hidden = counts_hidden(case, recent.numerator.tolist(), total_known=False)
    rows = [masked(rate_row(case, r), hide, (2, 4, 5)) for r, hide in zip(recent.itertuples(), hidden)]
    notes = [message("note.provisional"), message("note.suppressed", threshold=threshold(case))]
    return table(case, "profile_rates", columns, rows, source="official", notes=notes)


def rate_row(case: Case, row: Any) -> list[Any]:
    """One rate with its unit in words."""
    indicator = case.plan.indicator(row.indicator)
    low, high = worded(indicator, row.conf_low), worded(indicator, row.conf_high)
    interval = message("amount.interval", low=low, high=high)
    head = [message(f"indicator.{row.indicator}.name"), str(row.year), row.numerator, row.denominator]
    return [*head, worded(indicator, row.value), interval, bool(row.provisional)]


def industry_table(case: Case, place: str) -> Exhibit:
    """Insured, cases and rate of each industry in the period."""
    frame = assess.rates(
        case.canonical, case.plan, ("I01",), place=place, by=("year", "industry"), years=(case.period, case.period)
    )
    columns = (
        column("industry", "message"),
        column("denominator", "int"),
        column("numerator", "int"),
        column("value", "number", unit="‰"),
        column("interval", "interval"),
    )
    order = {code: i for i, code in enumerate(case.plan.industries["industry"])}
    frame = frame.sort_values("industry", key=lambda codes: codes.map(order), kind="stable")
    hidden = counts_hidden(case, frame.numerator.tolist())
    rows = [
        masked([industry(case, r.industry), r.denominator, r.numerator, r.value, bounds(r)], hide, (2, 3, 4))
        for r, hide in zip(frame.itertuples(), hidden)
    ]
    return table(
        case,
        "profile_industries",
        columns,
        rows,
        source="official",
        period=case.period,
        notes=[message("note.project_insured")],
    )


def bounds(row: Any) -> list[float] | None:
    """Interval of a row, None where there is none."""
    return None if pd.isna(row.conf_low) else [row.conf_low, row.conf_high]


def industry(case: Case, code: str) -> Any:
    return message("name.plain", name=case.plan.industry_name(code))


def industries_figure(case: Case, place: str) -> Exhibit:
    """Six panels: I01 of the key industries over the years."""
    frame = assess.rates(case.canonical, case.plan, ("I01",), place=place, by=("year", "industry"))
    panels = []
    for code in case.plan.key_industries:
        own = frame[frame.industry == code]
        small = counts_hidden(case, own.numerator.tolist(), total_known=False)
        own = own.assign(**{c: own[c].mask(small) for c in ("value", "conf_low", "conf_high")})
        if own.value.notna().any():
            panels.append(series_of(own, case.plan.industry_name(code)))
    payload = {"panels": panels, "y_label": "indicator.I01.name", "unit": "‰", "scale": "free"}
    return figure(case, "profile_key_industries", "small_multiples", payload, source="official", alt={"n": len(panels)})


def severity_table(case: Case, place: str) -> Exhibit:
    """Cases of the period by situation and severity group, small cells hidden with what would give them back."""
    groups = case.plan.settings["severity"]
    frame = rows_of(case.canonical, "case_summary", case.plan, place)
    frame = frame[year_of(frame.month) == case.period]
    group = {grade: name for name, grades in groups.items() for grade in grades}
    counts = frame.assign(group=frame.grade.astype(str).map(group)).pivot_table(
        index="situation", columns="group", values="cases", aggfunc="sum", fill_value=0, observed=True
    )
    released = two_way(case, counts.reindex(columns=list(groups), fill_value=0))
    columns = [
        column("situation", "message"),
        *(column(f"severity_{g}", "int") for g in groups),
        column("total", "int"),
    ]
    rows = [
        [message("col.total" if s == assess.TOTAL else f"situation.{s}"), *released.loc[s, [*groups, assess.TOTAL]]]
        for s in released.index
    ]
    notes = [message("note.counts_may_rise"), message("note.suppressed", threshold=threshold(case))]
    return table(case, "profile_severity", columns, rows, source="official", period=case.period, notes=notes)


def summary(case: Case) -> Section:
    """Ten headline figures of a city, each with where it stands."""
    if case.shows("series"):
        return section(
            "summary",
            [prose(case, "summary_words", [message("summary.policy", name=case.plan.place_name(case.place))])],
        )
    parts = {key: computed(case, key) for key in SUMMARISED}
    v = {k: val for part in parts.values() for k, val in part.values.items()}
    items = [
        (column("I01", "number", unit="‰"), v.get("I01")),
        (column("I01_interval", "interval"), v.get("I01_interval")),
        (column("cases", "int"), v.get("cases")),
        (column("decline", "percent", 1), v.get("decline")),
        (column("decline_interval", "interval", 1, "%"), v.get("decline_interval")),
        (column("target_status", "status"), v.get("target_status")),
        (column("measures_done", "percent", 0), v.get("measures_done")),
        (column("coverage", "percent", 1), v.get("coverage")),
        (column("execution", "percent", 1), v.get("execution")),
        (column("accepted_on_time", "percent", 0), v.get("accepted_on_time")),
        (column("meetings_status", "status"), v.get("meetings_status")),
    ]
    words = [
        message(
            "summary.city",
            name=case.plan.place_name(place_of(case)),
            period=case.period,
            projects=v.get("projects", 0),
            evaluated=len(case.projects),
        )
    ]
    if case.synthetic:
        words.append(message("common.synthetic_note"))
    card, scores = scorecard(case, place_of(case))
    return section(
        "summary",
        [prose(case, "summary_words", words), facts(case, "summary_facts", items), card],
        scores=scores,
        values={k: v.get(k) for k in ("I01", "decline", "target_status", "measures_done", "coverage", "execution")},
    )
