"""The index page of a run: status, gates, headline values and reports of every place, and why one has no report.

Whole without script; with it (`templates/index.js`, allowed by its digest) the tables can be sorted and filtered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..core import Problem, from_plain
from ..show.spoken import marked
from ..text import LANGUAGES, local, number, problem_row, t
from .pages import (
    MARKS,
    OTHER,
    as_of,
    editions,
    gate_summary,
    gate_words,
    headline,
    headline_names,
    imprint,
    index_file,
    order,
    reason,
    script,
    style,
    words,
)
from .results import read_results, write_text
from .stages import FOLDERS, KINDS

_WORDS = (
    *("skip", "index", "index_colophon", "data_gates", "languages", "filter", "by_name", "all", "reset", "details"),
    *("withheld", "problems"),
)
_SAID = ("shown", "none", "ascending", "descending", "original")
_PROBLEM = ("file", "sheet", "row", "column", "expected", "found", "next")
COLUMNS = 6


def write_site(folder: Path, run: Mapping[str, Any], languages: Sequence[str]) -> tuple[Path, ...]:
    """Write index.html (the default language) and index.<lang>.html into a run's folder; returns their paths."""
    results = {_name(task): _results(folder, task) for task in run["tasks"]}
    return tuple(
        write_text(folder / index_file(lang), _template(lang).render(_context(run, results, lang, languages)))
        for lang in languages
    )


def _template(lang: str) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(loader=PackageLoader("evalkit.pipeline"), autoescape=True, undefined=StrictUndefined)
    environment.filters["marked"] = lambda text: Markup(marked(text, lang))
    return environment.get_template("site.html.j2")


def _context(
    run: Mapping[str, Any], results: Mapping[str, dict[str, Any]], lang: str, languages: Sequence[str]
) -> dict[str, Any]:
    w = run["workspace"]
    facts = {
        "period": t("page.year", lang, year=w["period"]),
        "as_of": as_of(w["as_of"], lang),
        "version": run["evalkit"],
        "edition": _edition(run, lang),
        "seconds": t("run.seconds", lang, seconds=number(run["seconds"], lang, 1)),
    }
    concerns = [g for g in run["gates"] if g["passed"] is not True]
    own, policy = script()
    return {
        "lang": lang,
        "csp": policy,
        "script": own,
        "style": style(),
        "words": words(_WORDS, lang),
        "synthetic": run["synthetic"],
        "title": local(w["title"], lang),
        "imprint": imprint(facts, lang),
        "editions": editions(languages, index_file),
        "choices": _choices(run, lang),
        "said": _said(lang),
        "tables": [table for kind in reversed(KINDS) if (table := _table(run, results, kind, lang, languages))],
        "withheld": [_withheld(task, results[_name(task)], lang) for task in run["tasks"] if task["status"] != "ok"],
        "problem_head": [t(f"cli.problems.{part}", lang) for part in _PROBLEM],
        "gates": [gate_words(g, lang) for g in concerns],
    }


def _edition(run: Mapping[str, Any], lang: str) -> str:
    edition = str(run["peers_edition"])
    return t("page.peers_behind", lang, edition=edition) if run.get("peers_behind") else edition


def _choices(run: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    """What can be filtered by: the kinds and statuses that this run has."""
    kinds = [kind for kind in reversed(KINDS) if any(task["kind"] == kind for task in run["tasks"])]
    options = {
        "kind": [(kind, t(f"page.kind.{kind}", lang)) for kind in kinds],
        "status": [(status, t(f"run.status.{status}", lang)) for status in _statuses(run)],
    }
    return [{"name": name, "label": t(f"page.by_{name}", lang), "options": known} for name, known in options.items()]


def _statuses(run: Mapping[str, Any]) -> list[str]:
    """The statuses of this run, "ok" first."""
    return sorted({task["status"] for task in run["tasks"]}, key=lambda status: (status != "ok", status))


def _said(lang: str) -> dict[str, str]:
    """What the script says of a choice, its gaps still open."""
    gaps = {name: f"{{{name}}}" for name in ("shown", "total", "column")}
    return {name: t(f"page.said.{name}", lang, **gaps) for name in _SAID}


def _table(
    run: Mapping[str, Any], results: Mapping[str, dict[str, Any]], kind: str, lang: str, languages: Sequence[str]
) -> dict[str, Any] | None:
    tasks = [task for task in run["tasks"] if task["kind"] == kind]
    if not tasks:
        return None
    known: dict[str, Any] = {}
    for task in tasks:
        known |= {k: v for k, v in results[_name(task)].get("values", {}).items() if v is not None}
    shown = headline_names(known, run["headlines"].get(kind, ()))[:COLUMNS]
    fixed = [t(f"run.column.{c}", lang) for c in ("place", "state")] + [t("page.gates", lang)]
    sortable = [(label, len(tasks) > 1) for label in [*fixed, *(t(f"headline.{n}", lang) for n in shown)]]
    statuses, title = _statuses(run), t(f"page.kind.{kind}", lang)
    return {
        "kind": kind,
        "title": title,
        "scroll": t("show.scroll", lang, title=title),
        "head": [*sortable, (t("page.reports", lang), False)],
        "rows": [
            _row(task, run, results[_name(task)], shown, lang, languages) | {"rank": statuses.index(task["status"])}
            for task in tasks
        ],
    }


def _row(
    task: Mapping[str, Any],
    run: Mapping[str, Any],
    results: Mapping[str, Any],
    shown: Sequence[str],
    lang: str,
    languages: Sequence[str],
) -> dict[str, Any]:
    gates, values = results.get("gates", task["gates"]), results.get("values", {})
    path = f"{FOLDERS[task['kind']]}/{task['id']}"
    links = [
        {**edition, "href": edition["file"]} for edition in editions(languages, lambda x: f"{path}/report.{x}.html")
    ]
    concerns = [gate_words(g, lang) for g in gates if g["passed"] is not True]
    return {
        **_head(task, results, lang),
        "names": " ".join(dict.fromkeys([task["id"], task["place"], *(_title(task, results, x) for x in LANGUAGES)])),
        "reason": _brief(task, lang),
        "note": _absent(run, lang) if task["kind"] == "province" and task["status"] == "ok" else "",
        "gates": gate_summary(gates, lang),
        "concerns": concerns,
        "open": len(concerns) if gates else "",
        "cells": [(headline(n, values, lang), order(n, values)) for n in shown],
        "links": links if task["status"] == "ok" else [],
    }


def _head(task: Mapping[str, Any], results: Mapping[str, Any], lang: str) -> dict[str, str]:
    return {
        "anchor": f"{task['kind']}-{task['id']}",
        "name": _title(task, results, lang),
        "status": task["status"],
        "mark": MARKS.get(task["status"], OTHER),
        "word": t(f"run.status.{task['status']}", lang),
    }


def _absent(run: Mapping[str, Any], lang: str) -> str:
    """The withheld cities, of which the figures of the province hold nothing."""
    own = [task for task in run["tasks"] if task["kind"] == "city" and task["status"] == "withheld"]
    places = [local(task["title"], lang) for task in own]
    return t("page.reason.incomplete", lang, places=places) if places else ""


def _brief(task: Mapping[str, Any], lang: str) -> str:
    """Why there is no report, in one sentence; the whole reason stands further down."""
    if task["problems"]:
        return t("page.reason.problems", lang, n=len(task["problems"]))
    return t("page.reason.gate_stopped", lang) if task["status"] == "stopped" else reason(task, lang)


def _withheld(task: Mapping[str, Any], results: Mapping[str, Any], lang: str) -> dict[str, Any]:
    """Why a task has no report: sentence, gates that stopped it, problems with their place in the office files."""
    problems = [problem_row(from_plain(Problem, problem), lang) for problem in task["problems"]]
    return {
        **_head(task, results, lang),
        "reason": _brief(task, lang),
        "stops": [gate_words(g, lang) for g in task["gates"] if g["passed"] is not True],
        "problems": [["" if row[part] is None else row[part] for part in _PROBLEM] for row in problems],
    }


def _title(task: Mapping[str, Any], results: Mapping[str, Any], lang: str) -> str:
    title = local(task["title"], lang)
    place = results.get("names", {}).get("place")
    if task["kind"] != "project" or not place:
        return title
    return t("page.project_name", lang, place=local(place, lang), title=title)


def _results(folder: Path, task: Mapping[str, Any]) -> dict[str, Any]:
    if not task["digest"]:
        return {}
    return read_results(folder / "internal" / FOLDERS[task["kind"]] / task["id"])


def _name(task: Mapping[str, Any]) -> str:
    return f"{task['kind']}/{task['id']}"
