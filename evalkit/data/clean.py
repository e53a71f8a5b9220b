"""Sheets → canonical columns. Every distinct value is interpreted once; whatever cannot be is a problem with its place.

A value that is wrong in many rows is told once, with its first row and the number of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..core import Message, Problem
from ..plans import Plan
from .locate import RawTable
from .privacy import derive_person
from .read import FileSpec
from .schema import ColumnSpec
from .units import resolve_unit
from .values import Bad, parser, text_of
from .words import nearest

_FOLD = 20
"""Missing cells of a column told one by one up to this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """One sheet in canonical columns (plus `source_file`, `source_row`), its problems and its soft findings.

    flaws     source rows that carry a problem: checks across tables leave them out
    notes     counts behind gates: rows, unknown_industry (and the first of them, unknown_items), undeclared (headers of
              money columns without a unit)
    """

    raw: RawTable
    frame: pd.DataFrame
    problems: tuple[Problem, ...]
    flaws: frozenset[int]
    notes: dict[str, Any]


def clean(raw: RawTable, spec: FileSpec, plan: Plan) -> Cleaned:
    """Interpret every cell of a sheet.

    Columns that the file does not have become missing, or their default. Money becomes yuan by the unit declared
    in the workspace and the unit the file states (`units.resolve_unit`). Direct identifiers (`personal = "drop"`)
    are not interpreted and not returned.

    Never raises for a wrong value: it becomes missing and a Problem.
    """
    problems: list[Problem] = []
    data: dict[str, np.ndarray] = {}
    notes: dict[str, Any] = {"rows": len(raw.rows), "unknown_industry": 0}
    notes |= {"unknown_items": [], "undeclared": [], "implausible": []}
    for column in raw.table.kept:
        cells = raw.columns.get(column.name)
        if cells is None:
            data[column.name] = np.full(len(raw.rows), column.default, dtype=object)
            continue
        data[column.name] = _column(raw, column, cells, plan, spec, problems)
        if column.codes and not plan.industries.empty:
            _industries(raw, column, data[column.name], plan, problems, notes)
    _money(raw, spec, data, problems, notes)
    _persons(raw, data, problems)
    frame = pd.DataFrame({name: _typed(raw.table.column(name), values) for name, values in data.items()})
    frame["source_file"] = pd.array([raw.file] * len(raw.rows), dtype="str")
    frame["source_row"] = raw.rows.astype("int64")
    return Cleaned(
        raw=raw,
        frame=frame,
        problems=tuple(problems),
        notes=notes,
        flaws=frozenset(p.where.row for p in problems if p.where.row is not None),
    )


def _industries(
    raw: RawTable, column: ColumnSpec, values: np.ndarray, plan: Plan, problems: list[Problem], notes: dict[str, Any]
) -> None:
    """Industries outside the plan's list: counted; a few in a required column of a sheet that uses the list are told.

    A sheet with a list of its own is the matter of a gate, not of hundreds of problems.
    """
    known = plan.industries["industry"]
    odd = np.flatnonzero([v is not None for v in values] & ~pd.Series(values).isin(set(known)).to_numpy())
    notes["unknown_industry"] += len(odd)
    header = raw.headers[column.name]
    cells = [(int(raw.rows[i]), str(values[i])) for i in odd]
    notes["unknown_items"] += [{"file": raw.file, "row": r, "column": header, "value": v} for r, v in cells[:5]]
    if column.required and len(odd) <= 0.1 * len(values):
        first: dict[str, list[int]] = {}
        for row, value in cells:
            first.setdefault(value, []).append(row)
        names = list(plan.industries["zh_hans"])
        problems += [
            Problem(
                key="unknown_value",
                where=raw.where(rows[0], column.name),
                values={
                    "value": value,
                    "near": nearest(value, [*names, *known]) or "–",
                    "known": names,
                    "more": more_rows(len(rows)),
                },
            )
            for value, rows in first.items()
        ]


def _column(
    raw: RawTable, column: ColumnSpec, cells: np.ndarray, plan: Plan, spec: FileSpec, problems: list[Problem]
) -> np.ndarray:
    """Values of one column; missing ones are None (NaN in numbers). Adds its problems."""
    numeric = column.type in ("int", "number", "money")
    values = _fast_numbers(cells, column) if numeric else None
    if values is None:
        codes, distinct = pd.factorize(cells, use_na_sentinel=False)
        parsed = np.empty(len(distinct), dtype=object)
        parse = parser(column, plan, resolve_unit(column, spec, raw).word if column.type == "money" else "")
        for i, cell in enumerate(distinct):
            parsed[i] = parse(cell)
        problems += _bad_values(raw, column, codes, parsed, distinct)
        wrong = np.array([isinstance(value, Bad) for value in parsed], dtype=bool)
        absent = np.array([value is None for value in parsed], dtype=bool)[codes]
        parsed = parsed.copy()
        parsed[wrong] = None
        values = parsed[codes]
        if column.default is not None:
            values = np.where(absent, column.default, values)
        elif column.required:
            problems += _missing_values(raw, column, np.flatnonzero(absent))
    return values


def _fast_numbers(cells: np.ndarray, column: ColumnSpec) -> np.ndarray | None:
    """The cells as floats if all of them are plain numbers within bounds; else None: look at each."""
    if not all(isinstance(cell, (int, float)) for cell in cells):
        return None
    values = cells.astype(float)
    low = -np.inf if column.minimum is None else column.minimum
    high = np.inf if column.maximum is None else column.maximum
    whole = column.type != "int" or bool(np.all(values == np.rint(values)))
    inside = bool(np.all((values >= low) & (values <= high)))
    return values if whole and inside and np.isfinite(values).all() else None


def _bad_values(
    raw: RawTable, column: ColumnSpec, codes: np.ndarray, parsed: np.ndarray, distinct: np.ndarray
) -> list[Problem]:
    bad = [i for i, value in enumerate(parsed) if isinstance(value, Bad)]
    if not bad:
        return []
    first = np.full(len(distinct), len(codes))
    np.minimum.at(first, codes, np.arange(len(codes)))
    count = np.bincount(codes, minlength=len(distinct))
    return [
        Problem(
            key=parsed[i].key,
            where=raw.where(raw.rows[first[i]], column.name),
            values={**parsed[i].values, "more": more_rows(int(count[i]))},
        )
        for i in sorted(bad, key=lambda i: first[i])
    ]


def more_rows(n: int) -> Message | str:
    """Words for "the same in n rows", or nothing for a single row."""
    return Message(key="problem.same_rows", values={"n": n}) if n > 1 else ""


def _missing_values(raw: RawTable, column: ColumnSpec, at: np.ndarray) -> list[Problem]:
    told = at if len(at) <= _FOLD else at[:1]
    return [
        Problem(
            key="missing_value",
            where=raw.where(raw.rows[i], column.name),
            values={"column": raw.headers[column.name], "more": more_rows(len(at) if len(at) > _FOLD else 1)},
        )
        for i in told
    ]


def _money(
    raw: RawTable, spec: FileSpec, data: dict[str, np.ndarray], problems: list[Problem], notes: dict[str, Any]
) -> None:
    """Turn the money columns of `data` into yuan, to the fen."""
    found: list[Problem] = []
    for column in raw.table.of_type("money"):
        if column.name not in raw.columns:
            continue
        unit = resolve_unit(column, spec, raw)
        amounts = np.round(np.array(data[column.name], dtype=float) * unit.factor, 2)
        data[column.name] = amounts
        per = data.get(column.plausible.per) if column.plausible else None
        found += unit.problems
        if not unit.problems and not unit.unknown:
            problem = unit.implausible(amounts, None if per is None else np.array(per, dtype=float))
            if problem is not None:
                (notes["implausible"] if unit.confirmed else found).append(problem)
        if not unit.stated:
            notes["undeclared"].append(raw.headers[column.name])
    problems += _one_unit(found)


def _one_unit(found: list[Problem]) -> list[Problem]:
    """Problems of several columns with one and the same unit are one mistake, told with all their headers."""
    same: dict[Any, list[Problem]] = {}
    for p in found:
        said = [p.values.get(name) for name in ("declared", "found", "unit", "fits")]
        same.setdefault((p.key, p.where.row, *said), []).append(p)
    told = []
    for first, *rest in same.values():
        columns = "+".join(str(p.where.column) for p in (first, *rest))
        values = {**first.values, "column": columns} if "column" in first.values else first.values
        told.append(replace(first, where=replace(first.where, column=columns), values=values))
    return told


def _persons(raw: RawTable, data: dict[str, np.ndarray], problems: list[Problem]) -> None:
    """Sex and birth year from resident ids where the file has no such columns; the ids themselves are not kept."""
    column = next((c for c in raw.table.columns if c.name == "person_id" and c.personal == "drop"), None)
    if column is None or column.name not in raw.columns:
        return
    codes, distinct = pd.factorize(raw.columns[column.name], use_na_sentinel=False)
    parsed = np.empty(len(distinct), dtype=object)
    for i, cell in enumerate(distinct):
        parsed[i] = text_of(cell, column, {})
    problems += _bad_values(raw, column, codes, parsed, distinct)
    for name, values in zip(("sex", "birth_year"), derive_person(parsed)):
        if name in data and name not in raw.columns:
            data[name] = values[codes]


def _typed(column: ColumnSpec, values: np.ndarray) -> Any:
    """The canonical dtype: str, float64, datetime64[ns] or boolean; required whole numbers become int64 later."""
    if column.type in ("int", "number", "money", "year"):
        return np.array(values, dtype=float)
    if column.type == "date":
        return pd.to_datetime(pd.Series(values, dtype=object), format="%Y-%m-%d").astype("datetime64[ns]")
    if column.type == "bool":
        return pd.array([None if v is None else bool(v) for v in values], dtype="boolean")
    return pd.array(values, dtype="str")
