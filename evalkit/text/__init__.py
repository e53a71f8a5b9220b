"""Words. Every sentence a reader sees is a message in `text/<lang>/*.toml`, looked up by key.

`t("gate.no_identifiers", "en")` gives the words; placeholders use format specifications
(`{rate:.2f}`), so the number of digits is a property of the sentence. A language is a folder; keys must be
the same in all of them (tested). Fallback never happens silently: a missing key is a bug and raises.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date as Date
from functools import cache
from importlib.resources import files
from typing import Any
from unicodedata import category

from ..core import Message, Problem, UserErrors

LANGUAGES: tuple[str, ...] = ("zh-Hans", "zh-Hant", "en")
"""Languages that are complete: a folder with every key filled. zh-Hant follows the usage of Hong Kong and Macao."""

DEFAULT = "zh-Hans"

QUARTER = re.compile(r"(\d{4})-?Q([1-4])")
MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@cache
def catalogue(lang: str) -> dict[str, str]:
    """All messages of a language, flat: "section.name" → text. Raises KeyError naming the known languages."""
    folder = files(__package__) / lang
    if not folder.is_dir():
        raise KeyError(f"no texts for language {lang!r}; known: {', '.join(LANGUAGES)}")
    merged: dict[str, str] = {}
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".toml"):
            for key, text in _flatten(tomllib.loads(entry.read_text("utf-8"))):
                if key in merged:
                    raise KeyError(f"message {key!r} stands twice in {lang}")
                merged[key] = text
    return merged


def _flatten(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        out += _flatten(value, key + ".") if isinstance(value, Mapping) else [(key, str(value))]
    return out


def has(key: str, lang: str = DEFAULT) -> bool:
    return key in catalogue(lang)


def t(key: str, lang: str, /, **values: Any) -> str:
    """The message `key` in `lang` with its placeholders filled. Nested Messages are translated first.

    Days, months and quarters among the values are written as the language writes them; in problems they stay as they
    stand in the office files.
    """
    messages = catalogue(lang)
    if key not in messages:
        raise KeyError(f"message {key!r} is missing in {lang}")
    template = messages[key]
    if not values:
        return template
    said = _said if key.startswith("problem.") else _told
    return template.format_map({k: said(v, lang) for k, v in values.items()})


def say(message: Message | Mapping[str, Any], lang: str) -> str:
    """Translate a Message, or the plain dict it becomes in results.json."""
    if isinstance(message, Message):
        return t(message.key, lang, **message.values)
    return t(message["key"], lang, **message.get("values", {}))


def _said(value: Any, lang: str) -> Any:
    if isinstance(value, Message) or (isinstance(value, Mapping) and "key" in value):
        return say(value, lang)
    if isinstance(value, Mapping) and "yuan" in value:
        return money(value["yuan"], lang)
    if is_names(value):
        return local(value, lang)
    if isinstance(value, (list, tuple)):
        return t("common.list_separator", lang).join(f"{_said(v, lang)}" for v in value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _Number(value)
    return value


def _told(value: Any, lang: str) -> Any:
    if isinstance(value, str):
        return timed(value, lang)
    if isinstance(value, (list, tuple)):
        return _said([_told(v, lang) for v in value], lang)
    return _said(value, lang)


class _Number(float):
    """A number that writes its sign as a minus, not a hyphen, whatever the format specification."""

    def __format__(self, spec: str) -> str:
        whole = int(self) if self.is_integer() and (not spec or spec[-1] in "d,") else float(self)
        return format(whole, spec).replace("-", "−")


def is_names(value: Any) -> bool:
    """Whether a value is a name in several languages: {"zh-Hans": ..., "en": ...}."""
    return isinstance(value, Mapping) and bool(value) and set(value) <= set(LANGUAGES)


def local(names: Mapping[str, str] | str, lang: str) -> str:
    """A name given in several languages; Simplified Chinese stands in for Traditional, English for the rest."""
    if isinstance(names, str):
        return names
    for choice in (lang, "zh-Hans" if lang.startswith("zh") else "en", "en", "zh-Hans"):
        if choice in names:
            return names[choice]
    return next(iter(names.values()))


def number(value: float | int | None, lang: str, digits: int = 0) -> str:
    """A number with thousands separators and a true minus sign; a dash for None or NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return t("common.missing", lang)
    if isinstance(value, float) and math.isinf(value):
        return ("−" if value < 0 else "") + "∞"
    text = f"{abs(value):,.{digits}f}"
    return ("−" if value < 0 and any(c in "123456789" for c in text) else "") + text


def percent(fraction: float | None, lang: str, digits: int = 1) -> str:
    """A fraction written in percent."""
    if fraction is None or (isinstance(fraction, float) and math.isnan(fraction)):
        return t("common.missing", lang)
    return number(100 * fraction, lang, digits) + "%"


def money(yuan: float | None, lang: str, digits: int | None = None) -> str:
    """An amount of yuan: in units of 10,000 from 100,000 up for Chinese, in full for English.

    zh-Hans says 元 alone; zh-Hant and English name the currency, as their readers have dollars and patacas at home.
    """
    if yuan is None or (isinstance(yuan, float) and math.isnan(yuan)):
        return t("common.missing", lang)
    if lang.startswith("zh") and abs(yuan) >= 1e5:
        return t("common.money_wan", lang, amount=number(yuan / 1e4, lang, 2 if digits is None else digits))
    return t("common.money", lang, amount=number(yuan, lang, 0 if digits is None else digits))


def date(value: str | Date, lang: str) -> str:
    """An ISO date as the language writes it."""
    day = value if isinstance(value, Date) else Date.fromisoformat(value)
    return t(
        "common.date",
        lang,
        year=day.year,
        month=day.month,
        day=day.day,
        month_name=t(f"common.month_{day.month}", lang),
    )


def timed(word: str, lang: str) -> str:
    """A quarter "2023Q1", a month "2023-01" or an ISO day as the language writes it; any other word as it is."""
    if match := QUARTER.fullmatch(word):
        return t("show.quarter", lang, year=match[1], quarter=t(f"show.quarter_{match[2]}", lang))
    if match := MONTH.fullmatch(word):
        return t("show.month", lang, year=match[1], month=t(f"common.month_{int(match[2])}", lang))
    return date(word, lang) if DAY.fullmatch(word) else word


def error_text(error: UserErrors, lang: str) -> str:
    """All problems of an error as lines a person can act on."""
    return "\n".join(problem_text(p, lang) for p in error.problems)


def problem_text(problem: Problem, lang: str) -> str:
    """One problem: place in the file, expected, found, next step."""
    return t("problem.line", lang, where=where_text(problem, lang), **_problem_parts(problem, lang))


def _problem_parts(problem: Problem, lang: str) -> dict[str, str]:
    return {part: t(f"problem.{problem.key}.{part}", lang, **problem.values) for part in ("expected", "found", "next")}


def problem_row(problem: Problem, lang: str) -> dict[str, Any]:
    """One problem as a table row: file, sheet, row, column, expected, found, next."""
    w = problem.where
    return {
        "file": w.file,
        "sheet": w.sheet,
        "row": w.row,
        "column": w.column,
        **_problem_parts(problem, lang),
    }


def visible(words: str) -> str:
    """Words with every character spelt out that a terminal or a sheet would obey instead of show: control characters,
    and those that turn the direction of writing."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return "".join(c.encode("unicode_escape").decode() if category(c) in hidden else c for c in words)


def where_text(problem: Problem, lang: str) -> str:
    w = problem.where
    parts = [
        t(f"problem.where.{name}", lang, value=value)
        for name, value in (("file", w.file), ("sheet", w.sheet), ("row", w.row), ("column", w.column))
        if value is not None
    ]
    return t("common.list_separator", lang).join(parts) if parts else t("problem.where.none", lang)
