"""The index page of a run: status, gates, headline values and reports of every place, without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..text import local, number, t
from .pages import (
    CSP,
    MARKS,
    as_of,
    gate_summary,
    gate_words,
    headline,
    headline_names,
    imprint,
    index_file,
    reason,
    style,
    words,
)
from .results import read_results, write_text
from .stages import FOLDERS, KINDS

_WORDS = ("skip", "index", "colophon", "data_gates")
COLUMNS = 6


def write_site(folder: Path, run: Mapping[str, Any], languages: Sequence[str]) -> tuple[Path, ...]:
    """Write index.html (the default language) and index.<lang>.html into a run's folder; returns their paths."""
    results = {_name(task): _results(folder, task) for task in run["tasks"]}
    template = _environment().get_template("site.html.j2")
    return tuple(
        write_text(folder / index_file(lang), template.render(_context(run, results, lang, languages)))
        for lang in languages
    )


def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(loader=PackageLoader("evalkit.pipeline"), autoescape=True, undefined=StrictUndefined)


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
    others = [{"lang": x, "file": index_file(x), "name": t("common.language_name", x)} for x in languages if x != lang]
    concerns = [g for g in run["gates"] if g["passed"] is not True]
    return {
        "lang": lang,
        "csp": CSP,
        "style": style(),
        "words": words(_WORDS, lang),
        "synthetic": run["synthetic"],
        "title": local(w["title"], lang),
        "imprint": imprint(facts, lang),
        "others": others,
        "tables": [table for kind in reversed(KINDS) if (table := _table(run, results, kind, lang, languages))],
        "gates": [gate_words(g, lang) for g in concerns],
    }


def _edition(run: Mapping[str, Any], lang: str) -> str:
    edition = str(run["peers_edition"])
    return t("page.peers_behind", lang, edition=edition) if run.get("peers_behind") else edition


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
    return {
        "kind": kind,
        "title": t(f"page.kind.{kind}", lang),
        "head": [*fixed, *(t(f"headline.{n}", lang) for n in shown), t("page.reports", lang)],
        "rows": [_row(task, results[_name(task)], shown, lang, languages) for task in tasks],
    }


def _row(
    task: Mapping[str, Any], results: Mapping[str, Any], shown: Sequence[str], lang: str, languages: Sequence[str]
) -> dict[str, Any]:
    gates = results.get("gates", task["gates"])
    path = f"{FOLDERS[task['kind']]}/{task['id']}"
    links = [{"lang": x, "name": t("common.language_name", x), "href": f"{path}/report.{x}.html"} for x in languages]
    return {
        "anchor": f"{task['kind']}-{task['id']}",
        "name": _title(task, results, lang),
        "status": task["status"],
        "mark": MARKS[task["status"]],
        "word": t(f"run.status.{task['status']}", lang),
        "reason": reason(task, lang),
        "gates": gate_summary(gates, lang),
        "concerns": [gate_words(g, lang) for g in gates if g["passed"] is not True],
        "cells": [headline(n, results.get("values", {}), lang) for n in shown],
        "links": links if task["status"] == "ok" else [],
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
