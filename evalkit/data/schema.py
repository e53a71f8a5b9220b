"""What every office file becomes: the canonical tables of `tables.toml`, and the words of `layout.toml`.

A new file layout, an alias of a header or another missing-value sign is a line in those two files, never code.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ..core import UserError

Kind = Literal["text", "int", "number", "money", "date", "month", "quarter", "year", "place", "enum", "bool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plausible:
    """Range of the median amount in yuan, divided by the column `per` if that is named.

    The range is narrower than 10⁴, so an amount in the wrong unit (元 for 万元) falls outside it.
    """

    low: float
    high: float
    per: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """One canonical column: its type, the headers office files give it, and the values it may take.

    headers   first the one our own templates carry, then aliases
    values    enum: canonical value → words in files
    personal  "drop" never gets past the door, "hash" is replaced by a keyed hash
    codes     "industries": words of the plan become its codes
    """

    name: str
    type: Kind
    headers: tuple[str, ...]
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    default: str | None = None
    personal: Literal["", "drop", "hash"] = ""
    codes: str = ""
    plausible: Plausible | None = None

    @property
    def header(self) -> str:
        """The header our own files carry."""
        return self.headers[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSpec:
    """One canonical table: columns in order, the key that identifies a row, and rules between columns.

    dated           columns that cannot lie after the data cut-off
    order           chains of dates that must not run backwards; sequence: breaches are only counted
    at_most         chains of amounts, smaller first; usually_at_most: breaches are only counted
    suspect         True: rows equal in everything but the key are counted as suspected duplicates
    due             a city that stands in one of these tables owes this one too; "*": in any, if most send it
    regular         True: every series has a row in every period
    references      column → table in which its values must stand
    """

    name: str
    zh: str
    key: tuple[str, ...]
    columns: tuple[ColumnSpec, ...]
    dated: tuple[str, ...] = ()
    order: tuple[tuple[str, ...], ...] = ()
    sequence: tuple[tuple[str, ...], ...] = ()
    at_most: tuple[tuple[str, ...], ...] = ()
    usually_at_most: tuple[tuple[str, ...], ...] = ()
    suspect: bool = False
    due: tuple[str, ...] = ()
    regular: bool = False
    references: dict[str, str] = field(default_factory=dict)

    def column(self, name: str) -> ColumnSpec:
        """The column of that canonical name. Raises KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"table {self.name} has no column {name}")

    @property
    def names(self) -> tuple[str, ...]:
        """Canonical names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def kept(self) -> tuple[ColumnSpec, ...]:
        """Columns that may be stored: all but direct identifiers."""
        return tuple(column for column in self.columns if column.personal != "drop")

    def of_type(self, *kinds: Kind) -> tuple[ColumnSpec, ...]:
        """Columns of the given types."""
        return tuple(column for column in self.columns if column.type in kinds)


@cache
def tables() -> dict[str, TableSpec]:
    """All canonical tables by name, in the order of `tables.toml`."""
    raw = tomllib.loads((files(__package__) / "tables.toml").read_text("utf-8"))
    return {name: _table(name, entry, raw) for name, entry in raw.items()}


def table(name: str) -> TableSpec:
    """One canonical table by name, with its columns, key and rules.

    Raises UserError("unknown_table") naming the known ones.
    """
    known = tables()
    if name not in known:
        raise UserError("unknown_table", table=name, known=list(known))
    return known[name]


@cache
def layout() -> dict[str, Any]:
    """Words and limits of `layout.toml`."""
    return tomllib.loads((files(__package__) / "layout.toml").read_text("utf-8"))


def _table(name: str, entry: dict[str, Any], raw: dict[str, Any]) -> TableSpec:
    chains = {
        rule: tuple(tuple(chain) for chain in entry.get(rule, ()))
        for rule in ("order", "sequence", "at_most", "usually_at_most")
    }
    return TableSpec(
        name=name,
        zh=entry["zh"],
        key=tuple(entry["key"]),
        dated=tuple(entry.get("dated", ())),
        suspect=entry.get("suspect", False),
        due=tuple(entry.get("due", ())),
        regular=entry.get("regular", False),
        references=dict(entry.get("references", {})),
        **chains,
        columns=tuple(_column(column, spec, raw) for column, spec in entry["columns"].items()),
    )


def _column(name: str, spec: dict[str, Any], raw: dict[str, Any]) -> ColumnSpec:
    values = spec.get("values", {})
    if "same_as" in spec:
        other_table, other_column = spec["same_as"].split(".")
        values = raw[other_table]["columns"][other_column]["values"]
    plausible = Plausible(**spec["plausible"]) if "plausible" in spec else None
    return ColumnSpec(
        name=name,
        type=spec["type"],
        headers=tuple(spec["header"]),
        required=spec.get("required", False),
        minimum=spec.get("min"),
        maximum=spec.get("max"),
        default=spec.get("default"),
        values={code: tuple(words) for code, words in values.items()},
        personal=spec.get("personal", ""),
        codes=spec.get("codes", ""),
        plausible=plausible,
    )
