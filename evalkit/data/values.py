"""One cell → one value: numbers, dates, words of a list, texts. What cannot be read is `Bad`, with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..plans import Plan
from . import when
from .schema import ColumnSpec, layout
from .words import compact, missing_words, nearest, plain, word_set

_NUMBER = re.compile(r"^([+-]?(?:\d[\d,]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?)(.*)$")
_SCIENTIFIC = re.compile(r"^[+-]?\d(\.\d+)?e\+?\d+$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Bad:
    """A value that could not be interpreted: the problem's key and what fills its text."""

    key: str
    values: dict[str, Any] = field(default_factory=dict)


def parser(column: ColumnSpec, plan: Plan, unit: str = "") -> Callable[[Any], Any]:
    """What turns one cell of the column into a value, None (missing) or Bad; `unit` is the file's word for money."""
    if column.type in ("int", "number", "money"):
        return lambda cell: _number(cell, column, unit)
    if column.type in ("date", "month", "quarter", "year"):
        return lambda cell: _time(cell, column)
    if column.type == "enum":
        words = {compact(word): code for code, said in column.values.items() for word in (code, *said)}
        return lambda cell: _word(
            cell, words, "unknown_value", [said[0] if said else code for code, said in column.values.items()]
        )
    if column.type == "place":
        words = place_words(plan)
        names = list(plan.places.loc[plan.places["level"] != "", "zh_hans"])
        return lambda cell: _word(cell, words, "unknown_place", names)
    if column.type == "bool":
        truth: dict[str, Any] = dict.fromkeys(word_set("no") - {""}, False) | dict.fromkeys(word_set("yes"), True)
        said = [layout()["yes"][0], layout()["no"][0]]
        return lambda cell: _word(cell, truth, "unknown_value", said)
    industries = _industry_words(plan) if column.codes == "industries" else {}
    return lambda cell: text_of(cell, column, industries)


def place_words(plan: Plan) -> dict[str, str]:
    """Every way the plan knows to write a place, in compact form → its code."""
    words: dict[str, str] = {}
    for row in plan.places.itertuples():
        for word in (row.place, row.zh_hans, row.zh_hant, row.en, *str(row.aliases).split("|")):
            if compact(word):
                words.setdefault(compact(word), row.place)
    return words


def _industry_words(plan: Plan) -> dict[str, str]:
    if plan.industries.empty:
        return {}
    return {
        compact(word): row.industry
        for row in plan.industries.itertuples()
        for word in (row.industry, row.zh_hans, row.zh_hant, row.en)
    }


def _number(cell: Any, column: ColumnSpec, unit: str) -> Any:
    """A number without its separators and counting word; amounts stay in the unit of the file."""
    text = compact(cell).replace("−", "-")
    if (isinstance(cell, str) and text in missing_words()) or text == "":
        return None
    for sign in layout()["currency"]:
        text = text.removeprefix(sign)
    found = _NUMBER.match(text)
    if found is None or (found[2] not in ("", *layout()["suffixes"]) and not _is_percent(found[2], column)):
        return Bad("bad_number", {"value": plain(cell)})
    suffix = found[2]
    value = float(found[1].replace(",", "")) / (100 if suffix == "%" else 1)
    if column.type == "money" and suffix in layout()["units"] and suffix != unit:
        return Bad("cell_unit_differs", {"value": plain(cell), "unit": unit})
    return _bounded(value, cell, column)


def _is_percent(suffix: str, column: ColumnSpec) -> bool:
    return suffix == "%" and column.type == "number"


def _bounded(value: float, cell: Any, column: ColumnSpec) -> Any:
    if not np.isfinite(value):
        return Bad("bad_number", {"value": plain(cell)})
    if column.minimum is not None and value < column.minimum:
        key = "negative" if column.minimum == 0 else "below_minimum"
        return Bad(key, {"value": plain(cell), "minimum": column.minimum})
    if column.maximum is not None and value > column.maximum:
        return Bad("above_maximum", {"value": plain(cell), "maximum": column.maximum})
    if column.type == "int" and value != round(value):
        return Bad("not_whole", {"value": plain(cell)})
    return value


def _time(cell: Any, column: ColumnSpec) -> Any:
    if (isinstance(cell, str) and compact(cell) in missing_words()) or cell is None:
        return None
    value = when.as_kind(when.parse(cell), column.type)
    return Bad(f"bad_{column.type}", {"value": plain(cell)}) if value is None else value


def _word(cell: Any, words: dict[str, Any], key: str, names: list[str]) -> Any:
    word = compact(cell)
    if word in words:
        return words[word]
    if word in missing_words():
        return None
    near = nearest(plain(cell), names) or "–"
    return Bad(key, {"value": plain(cell), "near": near, "known": names})


def text_of(cell: Any, column: ColumnSpec, names: dict[str, str]) -> Any:
    """A text, or the code that `names` has for it; an identifier that a spreadsheet made a power of ten is Bad."""
    text = plain(cell)
    identifies = column.name.endswith("_id") or bool(column.personal)
    if identifies and (_SCIENTIFIC.match(text) or (isinstance(cell, float) and abs(cell) >= 1e15)):
        return Bad("scientific_id", {"value": f"{cell:.8E}" if isinstance(cell, float) else text})
    if compact(text) in missing_words():
        return None
    return names.get(compact(text), text) if names else text
