"""Exhibits as HTML: tables, label-value lists, prose and figures, each a fragment that stands alone.

Everything that comes from data or texts is escaped; the only markup is ours. Class names begin with `ek-` and are
styled by `style.css`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

from .. import text
from ..core import Exhibit
from . import words
from .figures import figure_png
from .glyphs import gaps
from .spoken import marked
from .words import NUMERIC, label, plain, written

PNG_SIZE = slice(16, 24)
SHORT, LONG, MANY = 18, 28, 8
"""A column of words never breaks up to `SHORT` half-width characters and gets room from `LONG` on; a table of `MANY`
columns is set closer."""


def render(exhibit: Exhibit | Mapping[str, Any], lang: str) -> str:
    """One exhibit as an HTML fragment in `lang`.

    A <figure> (table and figure) or <section> (prose and facts) with the exhibit's id as anchor, `lang`, a caption,
    notes, unit, data date, sample size and source; figures are PNG data URIs with their text alternative.

    exhibit  `Exhibit`, or its plain dict as in results.json
    lang     a language of `text.LANGUAGES`

    Raises KeyError for a message key that is missing, ValueError for a figure without text alternative.
    """
    data = plain(exhibit)
    body = {"table": _table, "figure": _figure, "facts": _facts, "prose": _prose}[data["kind"]](data, lang)
    tag = "figure" if data["kind"] in ("table", "figure") else "section"
    classes = f"ek-exhibit ek-{data['kind']}" + (" ek-synthetic" if data.get("synthetic") else "")
    if data.get("release") == "internal":
        classes += " ek-internal"
    name = escape(data["id"])
    return (
        f'<{tag} class="{classes}" id="{name}" lang="{escape(lang)}" aria-labelledby="{name}-title">\n{body}</{tag}>\n'
    )


def anchor(data: Mapping[str, Any]) -> str:
    return f'id="{escape(data["id"])}-title"'


def _title(data: Mapping[str, Any], lang: str) -> str:
    """Caption words with the marks that must not be missed."""
    marks = ""
    if data.get("synthetic"):
        marks += f' <span class="ek-mark">{escape(text.t("common.synthetic", lang))}</span>'
    if data.get("release") == "internal":
        marks += f' <span class="ek-mark">{escape(text.t("show.internal", lang))}</span>'
    return f'<span class="ek-words">{marked(label(data["title"], lang), lang)}</span>{marks}'


def _figure(data: Mapping[str, Any], lang: str) -> str:
    if not data.get("alt"):
        raise ValueError(f"figure exhibit {data['id']!r} has no text alternative")
    png = figure_png(data, lang)
    width, height = (int.from_bytes(png[i : i + 4], "big") for i in range(PNG_SIZE.start, PNG_SIZE.stop, 4))
    source = "data:image/png;base64," + base64.b64encode(png).decode("ascii")
    caption = f'<figcaption class="ek-caption" {anchor(data)}>{_numbered("figure", data, lang)}</figcaption>\n'
    return (
        f'<img class="ek-image" src="{source}" alt="{escape(label(data["alt"], lang))}" width="{width}" '
        f'height="{height}">\n{caption}{_below(data, lang)}'
    )


def _numbered(kind: str, data: Mapping[str, Any], lang: str) -> str:
    """The caption; the style sheet puts its `data-word` and the running number before it."""
    return f'<span class="ek-numbered" data-word="{escape(text.t(f"show.{kind}", lang))}">{_title(data, lang)}</span>'


def _table(data: Mapping[str, Any], lang: str) -> str:
    columns = _sized(data["data"]["columns"], data["data"]["rows"], lang)
    head = "".join(_head_cell(c, lang) for c in columns)
    rows = "".join(f"<tr>{_row(columns, row, lang)}</tr>\n" for row in data["data"]["rows"])
    many = ' class="ek-many"' if len(columns) >= MANY else ""
    described = escape(text.t("show.scroll", lang, title=label(data["title"], lang)))
    return (
        f'<div class="ek-scroll" role="region" tabindex="0" aria-label="{described}">\n<table{many}>\n'
        f'<caption class="ek-caption" {anchor(data)}>{_numbered("table", data, lang)}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</div>\n"
        f"{_below(data, lang)}"
    )


def _head_cell(column: Mapping[str, Any], lang: str) -> str:
    words_ = label(column["label"], lang)
    if column.get("unit") and not (column.get("kind") == "interval" and column["unit"] == "%"):
        words_ = text.t("show.unit", lang, label=words_, unit=label(column["unit"], lang))
    return f'<th scope="col"{_align(column)}>{marked(words_, lang)}</th>'


def _sized(columns: list[Mapping[str, Any]], rows: list[list[Any]], lang: str) -> list[Mapping[str, Any]]:
    """The columns, those of words with a `size`: "short" where no cell should break, "long" where one needs room,
    "parts" where cells break at their spaces only, as an interval of two amounts does.

    English breaks between words by itself; only codes are kept whole."""

    def size(at: int, kind: str) -> str:
        said = [written(row[at], kind, lang) for row in rows if at < len(row) and row[at] is not None]
        widest = max(map(words.width, said), default=0)
        breakable = lang == "en" and any(" " in word for word in said)
        if widest >= LONG:
            return "long"
        if widest <= SHORT:
            return "" if breakable else "short"
        return "parts" if all(" " in word for word in said if words.width(word) > SHORT) else ""

    worded = {i: c.get("kind", "text") for i, c in enumerate(columns) if c.get("kind", "text") in ("text", "message")}
    return [{**c, "size": size(i, worded[i])} if i in worded else c for i, c in enumerate(columns)]


def _align(column: Mapping[str, Any]) -> str:
    kind = column.get("kind", "text")
    named = "number" if kind in NUMERIC else "period" if kind == "period" else column.get("size")
    return f' class="ek-{named}"' if named else ""


def _row(columns: list[Mapping[str, Any]], row: list[Any], lang: str) -> str:
    if len(row) != len(columns):
        raise ValueError(f"a row has {len(row)} cells for {len(columns)} columns: {row!r}")
    cells = []
    for i, (column, value) in enumerate(zip(columns, row)):
        kind = column.get("kind", "text")
        inner = cell(value, kind, lang, column.get("digits", 2), column.get("unit", ""))
        heads = i == 0 and kind not in NUMERIC and kind not in ("status", "flag")
        cells.append(f'<th scope="row"{_align(column)}>{inner}</th>' if heads else f"<td{_align(column)}>{inner}</td>")
    return "".join(cells)


def cell(value: Any, kind: str, lang: str, digits: int = 2, unit: str = "") -> str:
    """A cell or fact as escaped HTML; a status carries its mark, hidden from screen readers, before its word."""
    if kind != "status":
        return marked(written(value, kind, lang, digits, unit), lang)
    mark, word = words.status(value, lang)
    known = f" ek-status-{value}" if isinstance(value, str) and value in words.MARKS else ""
    shown = f'<span class="ek-status-mark" aria-hidden="true">{mark}</span> ' if mark else ""
    return f'<span class="ek-status{known}">{shown}{marked(word, lang)}</span>'


def _facts(data: Mapping[str, Any], lang: str) -> str:
    items = "".join(_fact(item, lang) for item in data["data"]["items"])
    return f'<h3 class="ek-title" {anchor(data)}>{_title(data, lang)}</h3>\n<dl>\n{items}</dl>\n{_below(data, lang)}'


def _fact(item: Mapping[str, Any], lang: str) -> str:
    kind, unit = item.get("kind", "text"), item.get("unit", "")
    value = cell(item.get("value"), kind, lang, item.get("digits", 2), unit)
    after = "" if not unit or (kind == "interval" and unit == "%") else f" {marked(label(unit, lang), lang)}"
    return f"<div><dt>{marked(label(item['label'], lang), lang)}</dt><dd>{value}{after}</dd></div>\n"


def _prose(data: Mapping[str, Any], lang: str) -> str:
    paragraphs = "".join(f"<p>{marked(label(p, lang), lang)}</p>\n" for p in data["data"]["paragraphs"])
    return f'<h3 class="ek-title" {anchor(data)}>{_title(data, lang)}</h3>\n{paragraphs}{_below(data, lang)}'


def below(data: Mapping[str, Any], lang: str) -> tuple[list[str], list[str]]:
    """What stands under an exhibit: notes (with code points of missing glyphs); unit, date, n and source."""
    notes = [label(n, lang) for n in data.get("notes") or ()]
    if missing := gaps(data, lang):
        notes.append(text.t("show.glyph_gaps", lang, points=list(missing)))
    facts = []
    if data.get("unit"):
        facts.append(text.t("show.unit_line", lang, unit=label(data["unit"], lang)))
    if data.get("as_of"):
        facts.append(text.t("show.as_of", lang, date=text.date(data["as_of"], lang)))
    if data.get("n") is not None:
        facts.append(text.t("show.n", lang, n=text.number(data["n"], lang)))
    if data.get("source"):
        facts.append(text.t("show.source", lang, source=label(data["source"], lang)))
    return notes, facts


def _below(data: Mapping[str, Any], lang: str) -> str:
    notes, facts = below(data, lang)
    out = ""
    if notes:
        items = "".join(f"<li>{marked(n, lang)}</li>" for n in notes)
        out += f'<div class="ek-notes"><span>{escape(text.t("show.notes", lang))}</span><ol>{items}</ol></div>\n'
    if facts:
        out += '<p class="ek-origin">' + "".join(f"<span>{marked(f, lang)}</span> " for f in facts).strip() + "</p>\n"
    return out
