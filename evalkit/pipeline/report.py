"""The words and tables around the exhibits of one report: cover, contents, headlines, provenance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from .. import __version__
from ..sources import works
from ..text import has, local, number, t, timed
from .engine import HEADING
from .pages import CSP, as_of, headline, headline_names, imprint, style, subject, words
from .results import file_digest

EXHIBIT = "application/vnd.evalkit.exhibit+json"
_WORDS = ("skip", "toc", "headlines", "provenance", "colophon", "languages", "index", "to_index")


def exhibit_of(output: Mapping[str, Any]) -> dict[str, Any] | None:
    """The exhibit in the payload of a notebook output, or None."""
    payload = output.get("data", {}).get(EXHIBIT)
    if payload is None:
        return None
    return _plain(payload.get("exhibit", {k: v for k, v in payload.items() if k != "sha256"}))


def report_context(notebook: Any, results: Mapping[str, Any] | None, lang: str, edition: str) -> dict[str, Any]:
    """Everything the template says besides the exhibits.

    results  content of results.json; None for a notebook that never called `finish` (no cover facts then)
    edition  "public" leaves internal exhibits out, "internal" shows all
    """
    title, toc, headings = _headings(notebook, lang, edition)
    context: dict[str, Any] = {
        "lang": lang,
        "csp": CSP,
        "style": style(),
        "version": __version__,
        "words": words(_WORDS, lang),
        "heading": title,
        "toc": toc,
        "headings": headings,
        "rendered": [],
        **dict.fromkeys(("subject", "workspace"), ""),
        **{"synthetic": False, "imprint": [], "headlines": [], "provenance": []},
    }
    return context if results is None else {**context, **_facts(results, lang)}


def sanitised(markdown: str) -> str:
    """Markdown as HTML that holds nothing active: no script, no style, no image, no handler, no odd address."""
    import mistune
    import nh3

    allowed = nh3.ALLOWED_TAGS - {"img", "style"}
    made = str(mistune.html(markdown))
    return nh3.clean(made, tags=allowed, url_schemes={"https", "mailto"}, link_rel="noopener noreferrer")


def _headings(notebook: Any, lang: str, edition: str) -> tuple[str, list[dict[str, str]], dict[str, Markup]]:
    """Title, table of contents, and the HTML that replaces each heading cell (by cell id)."""
    found = [(i, m[1]) for i, c in enumerate(notebook.cells) if (m := _marker(c))]
    title = t(found[0][1], lang) if found else t("page.report", lang)
    toc: list[dict[str, str]] = []
    made: dict[str, Markup] = {}
    ends = [i for i, _ in found[1:]] + [len(notebook.cells)]
    for (start, key), end in list(zip(found, ends))[1:]:
        if not any(_shown(c, edition) for c in notebook.cells[start + 1 : end]):
            continue
        anchor = "s-" + re.sub(r"[^A-Za-z0-9]+", "-", key) + (f"-{start}" if key in [e["key"] for e in toc] else "")
        text = t(key, lang)
        opening = Markup('{}<section aria-labelledby="{}"><h2 id="{}">{}</h2>')
        made[notebook.cells[start]["id"]] = opening.format(Markup("</section>" if toc else ""), anchor, anchor, text)
        toc.append({"key": key, "anchor": anchor, "text": text})
    return title, toc, made


def _marker(cell: Any) -> re.Match[str] | None:
    return HEADING.search(cell.source) if cell.cell_type == "markdown" else None


def _shown(cell: Any, edition: str) -> bool:
    exhibits = [exhibit_of(output) for output in cell.get("outputs", ())]
    return any(e is not None and (edition == "internal" or e["release"] == "public") for e in exhibits)


def _facts(results: Mapping[str, Any], lang: str) -> dict[str, Any]:
    named = subject(results, lang)
    values = results["values"]
    cover = {
        "place": local(results["names"]["place"], lang) if results["kind"] == "project" else "",
        "period": t("page.year", lang, year=results["period"]),
        "as_of": as_of(results["as_of"], lang),
        "version": results["evalkit"],
        "edition": results["peers_edition"],
        "digest": file_digest(results)[:16],
    }
    return {
        "subject": named,
        "workspace": local(results["names"]["title"], lang) if results["names"]["title"] else results["workspace"],
        "synthetic": results["synthetic"],
        "imprint": imprint(cover, lang),
        "headlines": [(t(f"headline.{n}", lang), headline(n, values, lang)) for n in headline_names(values)],
        "provenance": _provenance(results, lang),
    }


def _provenance(results: Mapping[str, Any], lang: str) -> list[dict[str, Any]]:
    used = [[i["path"], _table(i["table"], lang), number(i["rows"], lang), i["sha256"][:16]] for i in results["inputs"]]
    settings = {**results["parameters"], "kind": t(f"page.kind.{results['kind']}", lang)}
    if "draws" in settings:
        settings["draws"] = number(settings["draws"], lang)
    parameters = [
        [t(f"page.parameter.{k}", lang), timed(str(v), lang)] for k, v in settings.items() if v not in ("", None)
    ]
    versions = [[name, version] for name, version in {"evalkit": results["evalkit"], **results["versions"]}.items()]
    known = works()
    sources = [[key, known[key].citation or known[key].title if key in known else ""] for key in results["sources"]]
    tables = {"parameters": parameters, "inputs": used, "versions": versions, "sources": sources}
    heads = {
        "parameters": ("name", "value"),
        "inputs": ("file", "table", "rows", "sha256"),
        "versions": ("name", "version"),
        "sources": ("key", "citation"),
    }
    return [
        {
            "caption": t(f"page.table.{name}", lang),
            "head": [t(f"page.head.{h}", lang) for h in heads[name]],
            "rows": rows,
        }
        for name, rows in tables.items()
        if rows
    ]


def _table(name: str, lang: str) -> str:
    return t(f"table.{name}", lang) if has(f"table.{name}", lang) else name


def _plain(value: Any) -> Any:
    """NotebookNode → plain data, so that exhibits compare equal to those of results.json."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, (list, tuple)) else value
