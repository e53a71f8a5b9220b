"""What the evaluated projects of a place did and cost, read from their own results."""

from __future__ import annotations

from typing import Any

from ..core import Exhibit, Section
from .build import column, figure, message, prose, section, table
from .case import Case
from .roll_up import money_exhibits


def project_values(results: dict[str, Any], key: str) -> Any:
    """A headline value of a finished project evaluation."""
    return results["values"].get(key)


def effects(case: Case) -> Section:
    """Every evaluated project: rate ratio with its interval, averted cases, level of evidence."""
    if not case.projects:
        return section("effects", [prose(case, "effects_none", [message("effects.none")])])
    return section("effects", [effects_figure(case), effects_table(case)])


def effects_figure(case: Case) -> Exhibit:
    """Forest of the projects' rate ratios, not pooled."""
    rows = []
    for code, results in case.projects.items():
        low_high = project_values(results, "rate_ratio_interval")
        place = case.plan.place_name(project_values(results, "place"))
        row = {
            "label": message("project.label", place=place, code=code),
            "estimate": project_values(results, "rate_ratio"),
            "conf_low": None,
            "conf_high": None,
        }
        row |= (
            {"refused": "verdict_word.not_testable"}
            if low_high is None
            else dict(zip(("conf_low", "conf_high"), low_high))
        )
        rows.append(row)
    return figure(
        case,
        "effects_forest",
        "forest",
        {"rows": rows, "measure": "rate_ratio"},
        source="model",
        n=len(rows),
        notes=[message("note.no_pooling")],
        alt={"n": len(rows)},
    )


def effects_table(case: Case) -> Exhibit:
    columns = (
        column("project_id"),
        column("title"),
        column("rate_ratio", "number", 3),
        column("interval", "interval", 3),
        column("averted", "number", 1),
        column("verdict", "message"),
        column("evidence_level"),
    )
    rows = []
    for code, results in case.projects.items():
        get = {
            k: project_values(results, k)
            for k in ("title", "rate_ratio", "rate_ratio_interval", "averted", "verdict", "evidence_level")
        }
        rows.append(
            [
                code,
                get["title"],
                get["rate_ratio"],
                get["rate_ratio_interval"],
                get["averted"],
                message(f"verdict_word.{get['verdict']}"),
                get["evidence_level"],
            ]
        )
    return table(
        case,
        "effects_table",
        columns,
        rows,
        source="model",
        n=len(rows),
        notes=[message("note.ratio_reading"), message("note.averted_reading")],
    )


def economics(case: Case) -> Section:
    """What the evaluated projects of this place cost and saved the fund."""
    if not case.projects:
        return section("economics", [prose(case, "economics_none", [message("effects.none")])])
    return section("economics", money_exhibits(case))
