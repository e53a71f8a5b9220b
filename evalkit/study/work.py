"""Sections on the work itself: measures, training, activities, money, project management."""

from __future__ import annotations

import pandas as pd

from .. import assess
from ..core import Exhibit, Section, to_plain
from .build import column, figure, message, section, table
from .case import Case
from .city import industry, place_of


def years(case: Case) -> tuple[int, int]:
    """First and last year of the plan."""
    period = case.plan.settings["period"]
    return int(period["first"]), int(period["last"])


def fund(case: Case) -> Section:
    """Budget execution, spending per insured, and the reference share of the city's own levy (no verdict on it)."""
    place = place_of(case)
    execution = assess.execution(case.canonical, case.plan, place=place)
    frame = (
        execution.rename(columns={"ratio": "execution"})
        .merge(
            assess.reference_ratio(case.canonical, case.plan, place=place)[["year", "levy_previous", "ratio"]],
            on="year",
        )
        .merge(assess.spend_per_insured(case.canonical, case.plan, place=place)[["year", "value"]], on="year")
    )
    frame = frame[frame.year.between(*years(case))]
    columns = (
        column("year", "text"),
        column("prevention_budget", "money"),
        column("prevention", "money"),
        column("execution", "percent", 1),
        column("status", "status"),
        column("per_insured", "number", 2),
        column("reference_ratio", "percent", 2),
    )
    rows = [
        [str(r.year), r.prevention_budget, r.prevention, r.execution, r.status, r.value, r.ratio]
        for r in frame.itertuples()
    ]
    now = frame[frame.year == case.period]
    values = (
        {} if now.empty else {"execution": float(now.execution.iloc[0]), "prevention": float(now.prevention.iloc[0])}
    )
    return section(
        "fund",
        [table(case, "fund_table", columns, rows, source="ledger", notes=[message("note.reference_ratio")])],
        values=to_plain(values),
    )


def measures(case: Case) -> Section:
    """The plan's measures for this place: due day, status after the dates were looked at."""
    frame = assess.measures(case.canonical, case.plan, place=place_of(case), period=case.period)
    counts = assess.measure_counts(frame)
    columns = (
        column("measure_no", "int"),
        column("measure", "message"),
        column("role_of_place", "message"),
        column("due_date", "period"),
        column("status", "status"),
        column("reported", "message"),
        column("done_date", "period"),
        column("doc_no"),
    )
    rows = [
        [
            r.measure_no,
            measure_name(case, r.measure_no),
            message(f"measure_role.{r.role}"),
            r.due_date,
            r.status,
            message(f"show.status.{r.reported}") if r.reported else None,
            blank(r.done_date),
            blank(r.doc_no),
        ]
        for r in frame.itertuples()
    ]
    done = counts["done"] / counts["applicable"] if counts["applicable"] else None
    return section(
        "measures",
        [table(case, "measures_table", columns, rows, source="measures", notes=[message("note.measures")])],
        values=to_plain({"measures_done": done, "measures_overdue": counts["overdue"]}),
    )


def blank(value: object) -> str | None:
    """Text of a cell, None for what is missing."""
    return (
        None
        if value is None or pd.isna(value) or value == ""
        else str(value)[:10]
        if hasattr(value, "year")
        else str(value)
    )


def measure_name(case: Case, number: int) -> object:
    return message(f"measure.{case.plan.id}.{number}")


def training(case: Case) -> Section:
    """Coverage of key posts by role and industry, what trainees learned, what an hour cost."""
    place = place_of(case)
    cells = assess.training_coverage(case.canonical, case.plan, place=place, period=case.period)
    pooled = assess.training_coverage(case.canonical, case.plan, place=place, period=case.period, by=())
    roles = assess.training_coverage(case.canonical, case.plan, place=place, period=case.period, by=("role",))
    columns = (
        column("role", "message"),
        column("industry", "message"),
        column("roster", "int"),
        column("passed", "int"),
        column("gap", "int"),
        column("coverage", "percent", 1),
        column("interval", "interval", 1, "%"),
        column("status", "status"),
    )
    rows = [
        [
            message(f"role.{r.role}"),
            industry(case, r.industry),
            r.roster,
            r.passed,
            r.gap,
            r.coverage,
            [r.conf_low, r.conf_high],
            r.status,
        ]
        for r in cells.itertuples()
    ]
    bars = {
        "rows": [
            {"label": f"role.{r.role}", "value": r.coverage, "numerator": r.passed, "denominator": r.roster}
            for r in roles.itertuples()
        ],
        "target": case.plan.settings["targets"]["training_coverage"]["value"],
    }
    overall = float(pooled.coverage.iloc[0])
    exhibits = [
        figure(case, "training_figure", "coverage_bar", bars, source="training", alt={"overall": 100 * overall}),
        table(case, "training_table", columns, rows, source="training", notes=[message("note.coverage")]),
        results_table(case, place),
    ]
    return section("training", exhibits, values={"coverage": overall, "coverage_status": str(pooled.status.iloc[0])})


def results_table(case: Case, place: str) -> Exhibit:
    """Pass rate, gain in knowledge, satisfaction and unit cost by year."""
    frame = assess.training_results(case.canonical, case.plan, place=place)
    cost = assess.unit_cost(case.canonical, case.plan, place=place, by=("fiscal_year",)).set_index("fiscal_year").value
    columns = (
        column("year", "text"),
        column("persons", "int"),
        column("sat", "int"),
        column("pass_rate", "percent", 1),
        column("interval", "interval", 1, "%"),
        column("gain", "number", 1),
        column("satisfaction", "number", 2),
        column("unit_cost", "number", 1),
    )
    rows = [
        [
            str(r.year),
            r.persons,
            r.sat,
            r.value,
            [r.conf_low, r.conf_high],
            r.gain,
            r.satisfaction,
            float(cost.get(r.year, float("nan"))),
        ]
        for r in frame.itertuples()
    ]
    return table(case, "training_results", columns, rows, source="training", notes=[message("note.gain")])


def activities(case: Case) -> Section:
    """Joint meetings, campaigns and the six kinds of venue."""
    place = place_of(case)
    kinds = assess.activity_summary(case.canonical, case.plan, place=place, period=case.period)
    venues = assess.six_enters(case.canonical, case.plan, place=place, period=case.period)
    columns = (
        column("kind", "message"),
        column("held", "flag"),
        column("events", "int"),
        column("person_times", "int"),
        column("firms", "int"),
        column("cost", "money"),
    )

    def rows(frame: pd.DataFrame, key: str) -> list[list[object]]:
        return [
            [message(f"{key}.{getattr(r, key)}"), bool(r.held), r.events, r.persons, r.firms, r.cost]
            for r in frame.itertuples()
        ]

    meetings = assess.joint_meetings(case.canonical, case.plan, period=case.period)
    own = meetings[meetings.place == place]
    held = None if own.empty else str(own.status.iloc[0])
    return section(
        "activities",
        [
            table(case, "activities_kinds", columns, rows(kinds, "kind"), source="activities"),
            table(
                case,
                "activities_venues",
                (column("venue", "message"), *columns[1:]),
                rows(venues, "venue"),
                source="activities",
                notes=[message("note.person_times")],
            ),
        ],
        values={"meetings_status": held},
    )


def projects(case: Case) -> Section:
    """Register of the plan's years, acceptance on time, papers on file, and what a supervisor must look at."""
    place = place_of(case)
    frame = assess.acceptance(case.canonical, case.plan, place=place, period=case.period)
    due = frame[frame.due.astype(bool)]
    papers = assess.artefacts(case.canonical, case.plan, place=place, period=case.period)
    complete = papers.groupby("project_id").present.mean() if len(papers) else pd.Series(dtype=float)
    columns = (
        column("project_id"),
        column("title"),
        column("type", "message"),
        column("ended", "period"),
        column("accepted", "period"),
        column("days", "int"),
        column("acceptance", "message"),
        column("on_time", "flag"),
        column("papers", "percent", 0),
    )
    rows = [
        [
            r.project_id,
            r.title,
            message(f"project_type.{r.type}"),
            blank(r.ended),
            blank(r.accepted),
            None if pd.isna(r.days) else int(r.days),
            message(f"acceptance.{r.acceptance}") if blank(r.acceptance) else None,
            None if pd.isna(r.on_time) else bool(r.on_time),
            complete.get(r.project_id),
        ]
        for r in frame.itertuples()
    ]
    found = assess.exceptions(case.canonical, case.plan, place=place)
    finding_columns = (column("project_id"), column("title"), column("finding", "message"))
    findings = [[r.project_id, r.title, message(f"exception.{r.finding}")] for r in found.itertuples()]
    on_time = float(due.on_time.fillna(False).astype(bool).mean()) if len(due) else None
    exhibits = [
        table(case, "projects_register", columns, rows, source="project", period=case.period, n=len(rows)),
        table(
            case,
            "projects_exceptions",
            finding_columns,
            findings,
            source="project",
            n=len(findings),
            notes=[message("note.exceptions")],
            release="internal",
        )
        if findings
        else None,
    ]
    values = {
        "accepted_on_time": on_time,
        "papers_complete": float(papers.present.mean()) if len(papers) else None,
        "projects": len(rows),
        "exceptions": len(findings),
    }
    return section("projects", exhibits, values=values)
