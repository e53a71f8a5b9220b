"""What reports and the index page share: security policy, style, headline values, statuses, gates in words."""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from ..show.words import written
from ..text import DEFAULT, date, has, local, problem_text, t

CSP = Markup(
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'"
)
MARKS = {"ok": "✓", "stopped": "■", "withheld": "□", "failed": "✗"}
"""Mark of each status; a status without one of its own gets `OTHER`."""
OTHER = "◇"
OUTCOMES = {True: "passed", False: "failed", None: "unknown"}
GATE_MARKS = {True: "●", False: "■", None: "◇"}


@lru_cache(maxsize=1)
def style() -> Markup:
    """Both style sheets, ready to stand inside <style>."""
    own = (files(__package__) / "templates" / "report.css").read_text("utf-8")
    shown = files("evalkit.show") / "style.css"
    text = (shown.read_text("utf-8") if shown.is_file() else "") + own
    if "</" in text:
        raise ValueError("a style sheet holds '</', which would end the style element")
    return Markup(text)


@lru_cache(maxsize=1)
def script() -> tuple[Markup, Markup]:
    """The one script of the index page, and the security policy that allows it and nothing else."""
    text = (files(__package__) / "templates" / "index.js").read_text("utf-8")
    if "</" in text or "<!--" in text:
        raise ValueError("the script holds '</' or '<!--', which would end or hide the script element")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return Markup(text), CSP + Markup(f"; script-src 'sha256-{digest}'")


@lru_cache(maxsize=1)
def formats() -> dict[str, dict[str, Any]]:
    """How each headline value is written: kind and digits by name (`headlines.toml`)."""
    return tomllib.loads((files(__package__) / "headlines.toml").read_text("utf-8"))


def headline_names(values: Mapping[str, Any], chosen: Sequence[str] = ()) -> list[str]:
    """The headline values to show, in the order chosen by the plan, else in that of `headlines.toml`."""
    known = [name for name in (chosen or formats()) if name in formats()]
    return [name for name in known if values.get(name) is not None]


def headline(name: str, values: Mapping[str, Any], lang: str) -> str:
    """A headline value as words; a dash where this place has none."""
    form = formats()[name]
    value = values.get(name)
    if value is None or (isinstance(value, list) and None in value):
        return t("common.missing", lang)
    return written(value, form["kind"], lang, form.get("digits", 2), form.get("unit", ""))


def order(name: str, values: Mapping[str, Any]) -> str:
    """What a headline value is sorted by: its number, the first of several, else its word; empty for none."""
    value = values.get(name)
    first = (value[0] if value else None) if isinstance(value, list) else value
    return "" if first is None else str(first)


def subject(row: Mapping[str, Any], lang: str) -> str:
    """Name of what a report is about: the project's title, else the place."""
    names = row["names"]
    return names["project"] if row["kind"] == "project" else local(names["place"], lang)


def gate_words(gate: Mapping[str, Any], lang: str) -> str:
    """A gate as a line: mark, title, outcome, detail (`gate.<name>.title` and `.detail` of the texts)."""
    key = f"gate.{gate['name']}"
    outcome = t(f"page.gate.{OUTCOMES[gate['passed']]}", lang)
    title = t(f"{key}.title", lang) if has(f"{key}.title", lang) else gate["name"]
    detail = t(f"{key}.detail", lang, **gate.get("detail", {})) if has(f"{key}.detail", lang) else ""
    return t(
        "page.gate.line", lang, mark=GATE_MARKS[gate["passed"]], name=title, outcome=outcome, detail=detail
    ).strip()


def gate_summary(gates: Sequence[Mapping[str, Any]], lang: str) -> str:
    """How many gates stand and how many do not."""
    if not gates:
        return t("common.missing", lang)
    failed = sum(g["passed"] is False for g in gates)
    return t("page.gate.summary", lang, passed=sum(g["passed"] is True for g in gates), failed=failed, total=len(gates))


def reason(row: Mapping[str, Any], lang: str) -> str:
    """Why a task has no report, in plain words: kind of failure, cell, section, problems of the files."""
    if row["status"] == "ok":
        return ""
    if row["problems"]:
        return " ".join(problem_text(_problem(p), lang) for p in row["problems"][:3])
    if row["status"] == "stopped":
        return t("page.reason.stopped", lang, gates=[gate_words(g, lang) for g in row["gates"]])
    where = ""
    if row["cell"]:
        section = t(row["heading"], lang) if has(row["heading"], lang) else ""
        where = t("page.reason.where" if section else "page.reason.where_bare", lang, cell=row["cell"], section=section)
    return t(f"page.reason.{row['failure']}", lang) + where


def imprint(facts: Mapping[str, str], lang: str) -> list[tuple[str, str]]:
    """Label and value pairs for a cover, labels from `page.imprint.<name>`."""
    return [(t(f"page.imprint.{name}", lang), value) for name, value in facts.items() if value]


def as_of(value: str, lang: str) -> str:
    return date(value, lang)


def editions(languages: Sequence[str], file: Callable[[str], str]) -> list[dict[str, str]]:
    """The languages that a page can be read in, each with its own name and file."""
    return [{"lang": x, "name": t("common.language_name", x), "file": file(x)} for x in languages]


def words(names: Sequence[str], lang: str) -> dict[str, str]:
    """The fixed words of a page by short name (`page.<name>`), with the synthetic mark."""
    fixed = {name: t(f"page.{name}", lang) for name in names}
    return {**fixed, "synthetic": t("common.synthetic", lang), "synthetic_note": t("common.synthetic_note", lang)}


def index_file(lang: str) -> str:
    """File name of the index page in a language; the default language is what a browser opens first."""
    return "index.html" if lang == DEFAULT else f"index.{lang}.html"


def _problem(plain: Mapping[str, Any]) -> Any:
    from ..core import Problem, from_plain

    return from_plain(Problem, plain)
