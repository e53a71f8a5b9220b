"""Short ways to say an exhibit: its words are `exhibit.<name>.title`, `.alt`; its columns `col.<name>`."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from ..core import Column, Exhibit, Message, Section, to_plain
from .case import Case


def message(key: str, **values: Any) -> Message:
    return Message(key=key, values=to_plain(values))


def column(name: str, kind: str = "text", digits: int = 2, unit: str = "") -> Column:
    return Column(name=name, label=f"col.{name}", kind=kind, digits=digits, unit=unit)


def table(
    case: Case,
    name: str,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Any]] | pd.DataFrame,
    *,
    notes: Sequence[Message] = (),
    source: str = "",
    unit: str = "",
    n: int | None = None,
    release: str = "public",
    **title: Any,
) -> Exhibit:
    """A table exhibit; a frame gives its columns by name."""
    if isinstance(rows, pd.DataFrame):
        rows = rows[[c.name for c in columns]].itertuples(index=False, name=None)
    return _exhibit(
        case,
        name,
        "table",
        {"columns": list(columns), "rows": [[_cell(v) for v in r] for r in rows]},
        title,
        notes,
        source,
        unit,
        n,
        release,
    )


def facts(
    case: Case,
    name: str,
    items: Sequence[tuple[Column, Any]],
    *,
    notes: Sequence[Message] = (),
    source: str = "",
    **title: Any,
) -> Exhibit:
    """A list of labelled values."""
    data = {
        "items": [
            {"label": c.label, "value": _cell(v), "kind": c.kind, "digits": c.digits, "unit": c.unit} for c, v in items
        ]
    }
    return _exhibit(case, name, "facts", data, title, notes, source, "", None, "public")


def prose(case: Case, name: str, paragraphs: Sequence[Message], **title: Any) -> Exhibit:
    return _exhibit(case, name, "prose", {"paragraphs": list(paragraphs)}, title, (), "", "", None, "public")


def figure(
    case: Case,
    name: str,
    kind: str,
    data: dict[str, Any],
    *,
    notes: Sequence[Message] = (),
    source: str = "",
    unit: str = "",
    n: int | None = None,
    alt: dict[str, Any] | None = None,
    **title: Any,
) -> Exhibit:
    """A figure exhibit drawn by `show`'s function `kind`; `alt` gives the values of its text alternative."""
    return _exhibit(
        case,
        name,
        "figure",
        {"figure": kind, **data},
        title,
        notes,
        source,
        unit,
        n,
        "public",
        alt=message(f"exhibit.{name}.alt", **(alt or title)),
    )


def _exhibit(
    case: Case,
    name: str,
    kind: Any,
    data: dict[str, Any],
    title: dict[str, Any],
    notes: Sequence[Message],
    source: str,
    unit: str,
    n: int | None,
    release: Any,
    alt: Message | None = None,
) -> Exhibit:
    return Exhibit(
        id=name,
        kind=kind,
        title=message(f"exhibit.{name}.title", **title),
        data=to_plain(data),
        alt=alt,
        notes=tuple(notes),
        source=message(f"data_source.{source}") if source else None,
        unit=unit,
        as_of=case.as_of,
        n=n,
        synthetic=case.synthetic,
        release=release,
    )


def _cell(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return to_plain(value)


def section(key: str, exhibits: Sequence[Exhibit | None], **parts: Any) -> Section:
    """A section of the exhibits that exist."""
    return Section(key=key, exhibits=tuple(e for e in exhibits if e is not None), **parts)
