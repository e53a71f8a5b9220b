"""Canonical frames in the words and habits of an office: headers, names, units, separators, full-width digits."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from .calibrate import settings

_FULLWIDTH = str.maketrans("0123456789", "０１２３４５６７８９")


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one office writes; see `office.toml`."""

    number: str
    file: str
    encoding: str
    unit: str
    place: str
    month: str
    industry: str
    habits: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A table as it stands in a file: rows above the header, header, cells by column, total row, rows below."""

    title: str
    unit_line: str
    header: tuple[str, ...]
    columns: tuple[list[Any], ...]
    total: tuple[Any, ...]
    footer: tuple[str, ...]
    merged: tuple[int, int] | None = None


@cache
def schema() -> dict[str, Any]:
    """The canonical tables with their headers and words."""
    return tomllib.loads((files("evalkit.data") / "tables.toml").read_text("utf-8"))


@cache
def plan_table(name: str) -> pd.DataFrame:
    """Places or industries of the plan the sample belongs to."""
    with (files("evalkit.plans") / "gd_2021_2025" / f"{name}.csv").open("rb") as handle:
        return pd.read_csv(handle, dtype={"place": str}, keep_default_na=False)


@cache
def key_industries() -> tuple[str, ...]:
    """Industries the plan puts first, in the plan's order."""
    industries = plan_table("industries")
    return tuple(industries.loc[industries.key_industry == 1, "industry"])


@cache
def style(number: str) -> Style:
    """A style of `office.toml`."""
    values = dict(settings("office")["styles"][number])
    return Style(number=number, habits=tuple(values.pop("habits")), **values)


@cache
def place_names(form: str) -> dict[str, str]:
    """Name of every place: "full" (广州市) or "short" (广州)."""
    places = plan_table("places")
    names = places.zh_hans if form == "full" else places.aliases.str.split("|").str[0]
    return dict(zip(places.place, names))


@cache
def industry_names() -> dict[str, str]:
    return dict(zip(plan_table("industries").industry, plan_table("industries").zh_hans))


def columns_of(table: str) -> dict[str, dict[str, Any]]:
    """Columns of a canonical table in file order."""
    return schema()[table]["columns"]


def money_columns(table: str, frame: pd.DataFrame) -> list[str]:
    return [c for c, spec in columns_of(table).items() if spec["type"] == "money" and c in frame]


def to_sheet(table: str, frame: pd.DataFrame, place: str, manner: Style) -> Sheet:
    """A place's part of a canonical frame as its office would write it."""
    words = settings("office")["names"]
    names = [c for c in columns_of(table) if c in frame]
    aliases = settings("office")["aliases"].get(manner.number, {}).get(table, {})
    money = money_columns(table, frame)
    cells = {c: _cells(table, c, frame[c], manner) for c in names}
    title = words["title"].format(
        place=place_names("full")[place],
        table=schema()[table]["zh"],
        **dict(zip(("first", "last"), years_of(frame))),
    )
    return Sheet(
        title=title,
        unit_line=words["unit_line"].format(unit=manner.unit) if money else "",
        header=tuple(aliases.get(c, columns_of(table)[c]["header"][0]) for c in names),
        columns=tuple(_with_habits(table, c, cells[c], manner) for c in names),
        total=_total(table, names, cells),
        footer=(words["footer"], words["checker"]),
        merged=_merged(table, names, manner),
    )


def years_of(frame: pd.DataFrame) -> tuple[str, str]:
    """First and last year a frame speaks of."""
    for name in ("month", "quarter", "year", "fiscal_year", "date", "injury_date", "period"):
        if name in frame:
            said = frame[name].astype(str).str[:4]
            return said.min(), said.max()
    start = settings()["time"]
    return start["project_first_quarter"][:4], start["last_month"][:4]


def _cells(table: str, name: str, values: pd.Series, manner: Style) -> list[Any]:
    spec = columns_of(table)[name]
    kind = spec["type"]
    if kind == "place":
        return values.map(place_names(manner.place)).tolist()
    if kind == "enum":
        return values.map(_enum_words(table, name)).tolist()
    if kind == "month":
        forms = {m: manner.month.format(year=m[:4], month=int(m[5:])) for m in values.unique()}
        return values.map(forms).tolist()
    if kind == "money":
        amount = (values / 1e4).round(6) if manner.unit != settings("office")["names"]["yuan"] else values.round(2)
        return [None if np.isnan(v) else v for v in amount.tolist()]
    if kind == "bool":
        return [settings("office")["names"]["yes" if v else "no"] for v in values]
    if kind == "date" and not pd.api.types.is_string_dtype(values):
        return [None if pd.isna(v) else v.strftime("%Y-%m-%d") for v in values]
    if name in ("industry", "target_industry") and manner.industry == "name":
        return values.map(industry_names()).tolist()
    return values.tolist()


@cache
def _enum_words(table: str, name: str) -> dict[str, str]:
    spec = columns_of(table)[name]
    if "same_as" in spec:
        return _enum_words(*spec["same_as"].split("."))
    return {code: words[0] for code, words in spec["values"].items()}


def _with_habits(table: str, name: str, cells: list[Any], manner: Style) -> list[Any]:
    """Separators, full-width digits and trailing blanks in tables that are short."""
    if table in (*settings("office")["long"]["tables"], "exposure_summary"):
        return cells
    kind = columns_of(table)[name]["type"]
    if "separator" in manner.habits and kind == "money":
        return [None if v is None else f"{v:,}" for v in cells]
    if "fullwidth" in manner.habits and kind == "int":
        return [str(v).translate(_FULLWIDTH) for v in cells]
    if "blanks" in manner.habits and kind == "place":
        return [f"{v}  " for v in cells]
    return cells


def _total(table: str, names: list[str], cells: dict[str, list[Any]]) -> tuple[Any, ...]:
    added = settings("office")["totals"].get(table)
    if not added:
        return ()
    row: list[Any] = [None] * len(names)
    row[0] = settings("office")["names"]["total"]
    for name in added:
        total = sum(v for v in cells[name] if v is not None)
        row[names.index(name)] = round(total, 6) if isinstance(total, float) else total
    return tuple(row)


def _merged(table: str, names: list[str], manner: Style) -> tuple[int, int] | None:
    """First and last column under a common header, where the office writes one."""
    if "merged" not in manner.habits or table != "exposure_summary":
        return None
    return names.index("payroll"), names.index("premium")
