"""Dates as offices write them: 2021年3月, 2021.3, 202103, 2021-3-5, Excel serials, 2021年一季度, 2023Q1."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from .schema import layout
from .words import compact, plain

_CLOCK = re.compile(r"[Tt\s]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?Z?$")
_DIGITS = re.compile(r"^\d+(\.0+)?$")
_EPOCH = dt.date(1899, 12, 30)
_FIRST_YEAR, _LAST_YEAR = 1949, 2100


@dataclass(frozen=True, slots=True)
class When:
    """A point in time and how finely it was said."""

    grain: Literal["day", "month", "quarter", "year"]
    year: int
    month: int = 1
    day: int = 1

    @property
    def quarter(self) -> int:
        return (self.month + 2) // 3


def parse(value: Any) -> When | None:
    """A cell as a point in time; None if it cannot be read as one.

    The number 2021.1 is refused: a spreadsheet shows October 2021 typed as 2021.10 the same way. The text
    "2021.1" is January. Serial day numbers of Excel are taken between 20000 (1954) and 80000 (2119).
    """
    if isinstance(value, dt.datetime):
        value = value.date()
    if isinstance(value, dt.date):
        return When("day", value.year, value.month, value.day)
    if isinstance(value, float) and not value.is_integer():
        return _fraction(value)
    text = compact(_CLOCK.sub("", plain(value)))
    if _DIGITS.match(text):
        return _digits(int(float(text)))
    return _words(text)


def _fraction(value: float) -> When | None:
    """2021.3 → March 2021; a serial day with a time of day."""
    if 20000 <= value <= 80000:
        return _serial(int(value))
    text = f"{value:.2f}"
    month = int(text[-2:].rstrip("0") or 0)
    return None if month in (0, 1) or not _plausible(int(value)) else _made("month", int(value), month)


def _plausible(year: int) -> bool:
    return _FIRST_YEAR <= year <= _LAST_YEAR


def _digits(number: int) -> When | None:
    if 10**7 <= number < 10**8:
        return _made("day", number // 10000, number // 100 % 100, number % 100)
    if 190000 <= number < 210100:
        return _made("month", number // 100, number % 100)
    if 20000 <= number <= 80000:
        return _serial(number)
    return When("year", number) if _plausible(number) else None


def _serial(number: int) -> When:
    day = _EPOCH + dt.timedelta(days=number)
    return When("day", day.year, day.month, day.day)


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {grain: re.compile(layout()["dates"][grain]) for grain in ("day", "month", "quarter", "year")}


def _words(text: str) -> When | None:
    for grain, pattern in _patterns().items():
        if found := pattern.match(text):
            if grain == "quarter":
                said = found[2] or found[3]
                quarter = layout()["dates"]["numerals"].get(said) or int(said)
                return _made(grain, int(found[1]), 3 * quarter - 2)
            return _made(grain, *map(int, found.groups()))
    return None


def _made(grain: Any, year: int, month: int = 1, day: int = 1) -> When | None:
    try:
        dt.date(year, month, day)
    except ValueError:
        return None
    return When(grain, year, month, day) if _plausible(year) else None


def as_kind(when: When | None, kind: str) -> Any:
    """A point in time as a canonical value of type date, month, quarter or year; None if too coarse.

    A month in a date column is its first day; a day or month in a quarter column its quarter.
    """
    if when is None:
        return None
    if kind == "year":
        return when.year if when.grain == "year" else None
    if kind == "quarter":
        return f"{when.year}Q{when.quarter}" if when.grain != "year" else None
    if when.grain in ("quarter", "year"):
        return None
    return f"{when.year:04d}-{when.month:02d}" + (f"-{when.day:02d}" if kind == "date" else "")
