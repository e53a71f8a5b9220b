"""Exhibits in a notebook: one mimebundle each, with HTML for the person and the data for the publisher."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from ..core import Exhibit, Section
from .tables import below, render
from .words import canonical, label, plain, status, written

MIME = "application/vnd.evalkit.exhibit+json"


def display(shown: Section | Exhibit | Mapping[str, Any] | Iterable[Exhibit | Mapping[str, Any]], lang: str) -> None:
    """Publish exhibits from a notebook cell, in order, one output each.

    Every output carries text/html in `lang`, text/plain, and `MIME`: {"exhibit": plain data, "sha256": digest of its
    canonical JSON}. The first one brings the style sheet along for JupyterLab.
    """
    from IPython.display import publish_display_data

    for i, exhibit in enumerate(listed(shown)):
        publish_display_data(bundle(exhibit, lang, styled=i == 0))


def listed(
    shown: Section | Exhibit | Mapping[str, Any] | Iterable[Exhibit | Mapping[str, Any]],
) -> list[Exhibit | Mapping[str, Any]]:
    """The exhibits of a section, of a list, or the one given."""
    if isinstance(shown, Section):
        return list(shown.exhibits)
    if isinstance(shown, (Exhibit, Mapping)):
        return [shown]
    return list(shown)


def bundle(exhibit: Exhibit | Mapping[str, Any], lang: str, styled: bool = False) -> dict[str, Any]:
    """The mimebundle of one exhibit; `styled` puts the style sheet before the HTML."""
    data = plain(exhibit)
    style = f"<style>\n{stylesheet()}</style>\n" if styled else ""
    return {
        "text/html": style + render(data, lang),
        "text/plain": as_text(data, lang),
        MIME: {"exhibit": data, "sha256": digest(data)},
    }


def digest(exhibit: Exhibit | Mapping[str, Any]) -> str:
    """sha256 of the exhibit's canonical JSON (sorted keys, no spaces, UTF-8)."""
    return hashlib.sha256(canonical(plain(exhibit)).encode("utf-8")).hexdigest()


@lru_cache(maxsize=1)
def stylesheet() -> str:
    """The style sheet of exhibits and report pages."""
    return (files(__package__) / "style.css").read_text("utf-8")


def as_text(exhibit: Exhibit | Mapping[str, Any], lang: str) -> str:
    """An exhibit as short plain text: title, then words, facts, rows separated by " | ", or the alternative text."""
    data = plain(exhibit)
    body = {"prose": _prose, "facts": _facts, "table": _rows, "figure": lambda d, la: [label(d["alt"], la)]}
    notes, facts = below(data, lang)
    return "\n".join([label(data["title"], lang), *body[data["kind"]](data, lang), *notes, " ".join(facts)]).strip()


def _prose(data: Mapping[str, Any], lang: str) -> list[str]:
    return [label(p, lang) for p in data["data"]["paragraphs"]]


def _facts(data: Mapping[str, Any], lang: str) -> list[str]:
    return [f"{label(i['label'], lang)}: {_word(i.get('value'), i, lang)}" for i in data["data"]["items"]]


def _rows(data: Mapping[str, Any], lang: str) -> list[str]:
    columns = data["data"]["columns"]
    head = " | ".join(label(c["label"], lang) for c in columns)
    return [head, *(" | ".join(_word(v, c, lang) for v, c in zip(row, columns)) for row in data["data"]["rows"])]


def _word(value: Any, column: Mapping[str, Any], lang: str) -> str:
    kind = column.get("kind", "text")
    if kind == "status":
        return status(value, lang)[1]
    return written(value, kind, lang, column.get("digits", 2), column.get("unit", ""))
