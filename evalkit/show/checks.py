"""Before anything is written: does every exhibit have its words, in every language?"""

from __future__ import annotations

import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .. import text
from ..core import Exhibit, Section
from .display import listed
from .figures import FIGURES
from .words import MARKS, WRITERS, is_key, plain


class MissingWords(Exception):
    """Exhibits that cannot be shown; `problems` lists every one, with exhibit and language."""

    def __init__(self, problems: list[str]):
        self.problems = tuple(problems)
        super().__init__(f"{len(problems)} problem(s) in exhibits:\n" + "\n".join(problems))


def check_exhibits(shown: Section | Exhibit | Mapping[str, Any] | Iterable[Exhibit | Mapping[str, Any]]) -> None:
    """Every message of the exhibits exists in all of `text.LANGUAGES` and can be said with its values.

    Also: figures are registered and have a text alternative, column kinds and statuses are known, rows are as long as
    the header, ids are unique. Raises MissingWords with all problems at once.
    """
    problems: list[str] = []
    seen: set[str] = set()
    for exhibit in listed(shown):
        data = plain(exhibit)
        found = [*_shape(data), *_words(data)]
        if data["id"] in seen:
            found.append("id stands twice")
        seen.add(data["id"])
        problems += [f"{data['id']}: {problem}" for problem in dict.fromkeys(found)]
    if problems:
        raise MissingWords(problems)


def _words(data: Mapping[str, Any]) -> Iterator[str]:
    for message in messages(data):
        for lang in text.LANGUAGES:
            if problem := unsayable(message, lang):
                yield f"{lang}: {problem}"


def messages(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every message in plain exhibit data: dicts with a key, and strings that have the form of one.

    Verbatim table cells are data, so a file name such as "a.csv" in a text column is not taken for a message.
    """
    if isinstance(value, str) and is_key(value):
        yield {"key": value, "values": {}}
    elif isinstance(value, Mapping) and "columns" in value and "rows" in value and "figure" not in value:
        yield from messages(value["columns"])
        for row in value["rows"]:
            for column, cell in zip(value["columns"], row):
                if isinstance(cell, Mapping) or column.get("kind") in ("message", "status"):
                    yield from messages(cell)
    elif isinstance(value, Mapping) and isinstance(value.get("key"), str):
        yield {"key": value["key"], "values": value.get("values") or {}}
        yield from (m for v in inner_values(value) if isinstance(v, Mapping) for m in messages(v))
    elif isinstance(value, Mapping):
        verbatim = {"id", "as_of", "name", "figure"} | ({"value"} if value.get("kind", "text") == "text" else set())
        yield from (
            m for name, v in value.items() if name not in verbatim or not isinstance(v, str) for m in messages(v)
        )
    elif isinstance(value, list):
        yield from (m for v in value for m in messages(v))


def inner_values(message: Mapping[str, Any]) -> Iterator[Any]:
    """Values of a message, those in lists one by one: a Message among them is said too, a string is verbatim."""
    for value in (message.get("values") or {}).values():
        yield from value if isinstance(value, list) else (value,)


def unsayable(message: Mapping[str, Any], lang: str) -> str | None:
    """Why a message cannot be said in a language, or None."""
    if not text.has(message["key"], lang):
        return f"message {message['key']!r} is missing"
    wanted = {
        name.split(".")[0].split("[")[0]
        for _, name, _, _ in string.Formatter().parse(text.t(message["key"], lang))
        if name
    }
    if lacking := wanted - set(message["values"]):
        return f"message {message['key']!r} lacks the values {sorted(lacking)}"
    try:
        text.say(message, lang)
    except (KeyError, ValueError, TypeError) as error:
        return f"message {message['key']!r} cannot be said: {error}"
    return None


def _shape(data: Mapping[str, Any]) -> Iterator[str]:
    content = data["data"]
    if data["kind"] == "figure":
        if content.get("figure") not in FIGURES:
            yield f"unknown figure {content.get('figure')!r}; there are: {', '.join(FIGURES)}"
        if not data.get("alt"):
            yield "figure without text alternative"
    if data["kind"] == "table":
        yield from _table_shape(content["columns"], content["rows"])
    if data["kind"] == "facts":
        yield from (f"unknown kind {i['kind']!r}" for i in content["items"] if i.get("kind", "text") not in WRITERS)


def _table_shape(columns: list[Mapping[str, Any]], rows: list[list[Any]]) -> Iterator[str]:
    for column in columns:
        if column.get("kind", "text") not in WRITERS:
            yield f"column {column['name']!r} has the unknown kind {column['kind']!r}"
    for row in rows:
        if len(row) != len(columns):
            yield f"a row has {len(row)} cells for {len(columns)} columns"
        for column, value in zip(columns, row):
            if column.get("kind") == "status" and isinstance(value, str) and value not in MARKS and not is_key(value):
                yield f"column {column['name']!r} has the unknown status {value!r}"
