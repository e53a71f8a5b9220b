"""Reading the data files of this folder."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date as Date
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import pandas as pd

from ..core import Origin, Parameter, UserError

_TEXT = ("name", "distribution", "unit", "currency", "valid_from", "valid_to", "source", "page")
_NUMBER = ("value", "low", "high", "price_year")


def day_of(date: str | int | Date) -> str:
    """An ISO day: a year (2024 or "2024") stands for its 31 December, a month ("2024-06") for its last day.

    Raises UserError("not_a_date").
    """
    text = date.isoformat() if isinstance(date, Date) else str(date)
    try:
        if len(text) == 4:
            return Date(int(text), 12, 31).isoformat()
        if len(text) == 7:
            return str(pd.Period(text, freq="M").end_time.date())
        return Date.fromisoformat(text).isoformat()
    except ValueError:
        raise UserError("not_a_date", found=text) from None


def parameter(name: str, date: str | int | Date | None = None) -> Parameter:
    """The parameter `name` as it stood on `date`; without a date the latest row.

    Parameters
        name  "discount_rate", "pool_wage.<area>", "fx.HKD", ... (`table` shows them all)
        date  ISO day, month or year (see `day_of`)
    Raises UserError("unknown_parameter") listing the names there are and UserError("no_parameter_for_date") listing
    the periods there are: a series is never extrapolated.
    """
    rows = _by_name().get(name)
    if rows is None:
        raise UserError("unknown_parameter", name=name, known=", ".join(_nearest(name)))
    if date is None:
        return max(rows, key=lambda p: p.valid_from)
    day = day_of(date)
    for row in rows:
        if (row.valid_from or "0000") <= day <= (row.valid_to or "9999"):
            return row
    periods = ", ".join(f"{p.valid_from or '…'}–{p.valid_to or '…'}" for p in rows)
    raise UserError("no_parameter_for_date", name=name, date=day, known=periods)


def parameters(prefix: str, date: str | int | Date | None = None) -> dict[str, Parameter]:
    """All parameters named `prefix` or `prefix.<member>`, by name, as they stood on `date`.

    Raises UserError("unknown_parameter") where there is none.
    """
    names = [n for n in _by_name() if n == prefix or n.startswith(prefix + ".")]
    if not names:
        raise UserError("unknown_parameter", name=prefix, known=", ".join(_nearest(prefix)))
    return {n: parameter(n, date) for n in names}


def tables() -> tuple[str, ...]:
    """Names of the data files, for `table`."""
    folder = files(__package__) / "tables"
    return tuple(sorted(e.name.removesuffix(".csv") for e in folder.iterdir() if e.name.endswith(".csv")))


def table(name: str) -> pd.DataFrame:
    """A data file as a frame: text columns as text ("" = empty), `verified` and `transfer` as bool.

    Raises UserError("unknown_source_table") listing the files there are.
    """
    return _table(name).copy()


def work(key: str) -> Origin:
    """Birth certificate of a work. Raises UserError("unknown_work") listing the keys there are."""
    known = works()
    if key not in known:
        raise UserError("unknown_work", work=key, known=", ".join(sorted(known)))
    return known[key]


def default(what: str) -> str:
    """Name of the series that stands in where a caller names none ("price_index", "wage_area").

    Raises UserError("unknown_parameter") listing the defaults there are.
    """
    known = tomllib.loads((files(__package__) / "defaults.toml").read_text("utf-8"))
    if what not in known:
        raise UserError("unknown_parameter", name=what, known=sorted(known))
    return str(known[what])


@cache
def works() -> Mapping[str, Origin]:
    """Every work of the bibliography by key."""
    raw = tomllib.loads((files(__package__) / "works.toml").read_text("utf-8"))
    return MappingProxyType({key: Origin(key=key, **row) for key, row in raw.items()})


@cache
def _table(name: str) -> pd.DataFrame:
    if name not in tables():
        raise UserError("unknown_source_table", name=name, known=", ".join(tables()))
    with (files(__package__) / "tables" / f"{name}.csv").open("rb") as handle:
        frame = pd.read_csv(handle, dtype=str, keep_default_na=False)
    for column in set(_NUMBER) & set(frame.columns):
        frame[column] = pd.to_numeric(frame[column])
    for column in {"verified", "transfer"} & set(frame.columns):
        frame[column] = frame[column] == "true"
    return frame


@cache
def _by_name() -> dict[str, list[Parameter]]:
    """Rows of every file that has the columns of a `Parameter`, by name, in order of validity."""
    wanted = {f.name for f in fields(Parameter)}
    found: dict[str, list[Parameter]] = {}
    for name in tables():
        frame = _table(name)
        if not wanted <= set(frame.columns):
            continue
        for row in frame.to_dict("records"):
            found.setdefault(row["name"], []).append(_parameter(row))
    return found


def _parameter(row: Mapping[Any, Any]) -> Parameter:
    given: dict[str, Any] = {k: row[k] for k in _TEXT}
    given |= {k: None if pd.isna(row[k]) else float(row[k]) for k in _NUMBER}
    given["currency"] = given["currency"] or None
    given["price_year"] = None if given["price_year"] is None else int(given["price_year"])
    return Parameter(**given, verified=bool(row["verified"]))


def _nearest(name: str) -> list[str]:
    """What a person may have meant: the members of the same family, else the families."""
    family = name.split(".")[0]
    members = [n for n in _by_name() if n.split(".")[0] == family]
    return sorted(members) or sorted({n.split(".")[0] for n in _by_name()})
