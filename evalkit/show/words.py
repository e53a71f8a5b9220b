"""Exhibit data into words: labels, cells by column kind, periods; shared by tables, figures and plain text."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import text
from ..core import Exhibit, Message, to_plain

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[A-Za-z0-9_()\-]+)+")
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

MARKS = {
    "met": "●", "passed": "●", "done": "●", "ok": "●", "final": "●",
    "near": "▲", "warn": "▲", "done_late": "▲", "delayed": "▲",
    "in_progress": "△", "on_track": "△", "partial": "△",
    "not_met": "■", "failed": "■", "stop": "■", "not_done": "■", "overdue": "■",
    "provisional": "◇", "not_testable": "◇", "unknown": "◇", "refused": "◇",
    "no_target": "○", "info": "○", "not_started": "○", "not_applicable": "·", "no_data": "—", "suppressed": "—",
}  # fmt: skip
"""Mark of each status word: a shape, so that the status survives grey print and colour blindness."""


def plain(exhibit: Exhibit | Mapping[str, Any]) -> dict[str, Any]:
    """An exhibit as JSON data, whether it is still a noun or was read from results.json."""
    return to_plain(exhibit)


def canonical(data: Mapping[str, Any]) -> str:
    """The one JSON text of plain data that digests and caches are made from."""
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def label(value: Any, lang: str) -> str:
    """Words for a label: a Message or its dict, a message key, a name in several languages, or data verbatim.

    A string that has the form of a message key but is none raises KeyError: a raw key is never shown.
    """
    if value is None:
        return ""
    if isinstance(value, Message) or (isinstance(value, Mapping) and "key" in value):
        return text.say(value, lang)
    if isinstance(value, Mapping):
        return text.local(value, lang)
    word = str(value)
    return text.t(word, lang) if is_key(word) else word


def is_key(word: str) -> bool:
    return KEY.fullmatch(word) is not None


def real(value: Any) -> float | None:
    """A number of plain data; "NaN" and "Infinity" read back; None stays None."""
    if value is None:
        return None
    return NON_FINITE[value] if isinstance(value, str) else float(value)


def reals(values: Sequence[Any] | None, length: int = 0) -> list[float]:
    """A list of numbers with NaN for None; `length` NaNs when there is no list."""
    if values is None:
        return [math.nan] * length
    return [math.nan if v is None else float(real(v)) for v in values]  # type: ignore[arg-type]


def period(value: Any, lang: str) -> str:
    """A year, quarter "2023Q1", month "2023-01" or ISO day as the language writes it; anything else verbatim."""
    word = str(value)
    return text.t("show.year", lang, year=word) if re.fullmatch(r"\d{4}", word) else text.timed(word, lang)


def instant(value: Any) -> float:
    """Position of a period on a time axis, in years: 2023 → 2023.0, "2023Q2" → 2023.25, "2023-07" → 2023.5."""
    word = str(value)
    if match := text.QUARTER.fullmatch(word):
        return int(match[1]) + (int(match[2]) - 1) / 4
    if match := text.MONTH.fullmatch(word):
        return int(match[1]) + (int(match[2]) - 1) / 12
    return float(word)


def written(value: Any, kind: str, lang: str, digits: int = 2, unit: str = "") -> str:
    """A cell as words, by the kinds of `core.Column` (and "period").

    A Message in any kind is said in its place (a suppressed count, for example); unknown kinds raise KeyError.
    An "interval" with unit "%" holds fractions, like the kind "percent".
    """
    writer = WRITERS[kind]
    if value is None and kind not in ("flag", "status"):
        return text.t("common.missing", lang)
    if isinstance(value, (Mapping, Message)):
        return label(value, lang)
    if kind in NUMERIC and isinstance(value, str) and value not in NON_FINITE:
        return label(value, lang)
    return writer(value, lang, digits, unit)


def status(value: Any, lang: str) -> tuple[str, str]:
    """Mark and word of a status. An unknown status is shown as the label it is, without a mark."""
    if value is None:
        value = "no_data"
    if isinstance(value, str) and value in MARKS:
        return MARKS[value], text.t(f"show.status.{value}", lang)
    return "", label(value, lang)


def _status(value: Any, lang: str, digits: int, unit: str) -> str:
    mark, word = status(value, lang)
    return f"{mark} {word}".strip()


def _flag(value: Any, lang: str, digits: int, unit: str) -> str:
    return text.t("show.flag.unknown" if value is None else "show.flag.yes" if value else "show.flag.no", lang)


def _interval(value: Any, lang: str, digits: int, unit: str) -> str:
    end = (lambda x: text.percent(x, lang, digits)) if unit == "%" else (lambda x: text.number(x, lang, digits))
    low, high = (end(real(v)) for v in value)
    return text.t("show.interval", lang, low=low, high=high)


def _as_is(value: Any, lang: str, digits: int, unit: str) -> str:
    return str(value)


WRITERS: dict[str, Callable[[Any, str, int, str], str]] = {
    "text": _as_is,
    "message": lambda value, lang, digits, unit: label(value, lang),
    "period": lambda value, lang, digits, unit: period(value, lang),
    "int": lambda value, lang, digits, unit: text.number(real(value), lang, 0),
    "number": lambda value, lang, digits, unit: text.number(real(value), lang, digits),
    "percent": lambda value, lang, digits, unit: text.percent(real(value), lang, digits),
    "money": lambda value, lang, digits, unit: text.money(real(value), lang),
    "interval": _interval,
    "status": _status,
    "flag": _flag,
}
NUMERIC = frozenset({"int", "number", "percent", "money", "interval"})


def width(words: str) -> int:
    """Width in half-width characters: a Han character counts two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in words)


def wrap(words: str, limit: int) -> str:
    """Break a label into lines of at most `limit` half-width characters: at spaces, between Han characters."""
    return "\n".join(line for part in words.split("\n") for line in _lines(part, limit))


def _lines(words: str, limit: int) -> list[str]:
    lines = [""]
    for piece in re.findall(r"（[^（）]{1,6}）|[^\s\u2e80-\uffef]+|\s+|[\u2e80-\uffef]", words):
        no_start = piece in "，。；：、）》”％‰" or piece.isspace()
        if width(lines[-1] + piece) > limit and lines[-1] and not no_start:
            lines.append("")
        lines[-1] += piece
    return [line.strip() for line in lines]
