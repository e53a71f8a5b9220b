"""What a table says about itself: every contradiction with its place, all at once (between tables: `cross.py`).

Hard contradictions are Problems and stop the work; counts and shares that only need an eye are gates (`gates.py`).
A value that already is a problem never causes a second one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from ..core import Problem, Where
from .clean import Cleaned, more_rows
from .schema import TableSpec

_FOLD = 20
"""Problems of one kind between the same two sheets are told one by one up to this number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All sheets of one canonical table on top of each other.

    frame    canonical columns, source_file, source_row;  part: (n,) index into `parts`
    flawed   (n,) rows that carry a problem;  clean: no sheet of the table has one
    """

    table: TableSpec
    frame: pd.DataFrame
    part: np.ndarray
    parts: tuple[Cleaned, ...]
    flawed: np.ndarray
    clean: bool

    def where(self, i: int, column: str | None = None) -> Where:
        """Place of row i of the frame."""
        return self.parts[self.part[i]].raw.where(self.frame["source_row"].iat[i], column)

    def header(self, i: int, column: str) -> str:
        return str(self.where(i, column).column)


def stack(table: TableSpec, parts: Sequence[Cleaned], *, clean: bool) -> Stack:
    """Put the sheets of a table on top of each other, in file order; `clean` = every file of it could be read."""
    flawed = [np.isin(part.raw.rows, list(part.flaws)) for part in parts]
    return Stack(
        table=table,
        frame=pd.concat([part.frame for part in parts], ignore_index=True),
        part=np.repeat(np.arange(len(parts)), [len(part.frame) for part in parts]),
        parts=tuple(parts),
        flawed=np.concatenate(flawed),
        clean=clean and not any(part.problems for part in parts),
    )


def group_codes(frame: pd.DataFrame, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Integer code of the combination of columns in every row, and where one of them is missing."""
    codes, absent = np.zeros(len(frame), dtype=np.int64), np.zeros(len(frame), dtype=bool)
    for name in columns:
        own, distinct = pd.factorize(frame[name])
        absent |= own < 0
        codes, _ = pd.factorize(codes * (len(distinct) + 1) + own + 1)
    return codes, absent


def flagged(item: Stack, problems: Sequence[Problem]) -> Stack:
    """The table with the rows of these problems marked, so that checks across tables leave them out.

    A problem that stands for many rows marks its whole sheet.
    """
    rows = {(p.where.file, p.where.sheet, p.where.row) for p in problems if not p.values.get("more")}
    sheets = {(p.where.file, p.where.sheet) for p in problems if p.values.get("more")}
    marked = [
        np.array([own in sheets or (*own, row) in rows for row in part.raw.rows.tolist()], dtype=bool)
        for part in item.parts
        for own in [(part.raw.file, part.raw.sheet)]
    ]
    flawed = item.flawed | np.concatenate(marked)
    return replace(item, flawed=flawed, clean=item.clean and not (flawed & ~item.flawed).any())


def table_problems(tables: Mapping[str, Stack], as_of: str) -> list[Problem]:
    """Contradictions inside single tables: duplicate keys, dates out of order or after the cut-off, parts > wholes."""
    problems: list[Problem] = []
    for item in tables.values():
        problems += duplicate_keys(item)
        problems += [p for chain in item.table.order for p in _backwards(item, chain)]
        problems += [p for column in item.table.dated for p in _after(item, column, as_of)]
        problems += [p for chain in item.table.at_most for p in _exceeding(item, chain)]
    return problems


def duplicate_keys(item: Stack) -> list[Problem]:
    """Rows whose key stands in an earlier row of the same table, in this file or another."""
    key = [name for name in item.table.key if name in item.frame]
    codes, _ = group_codes(item.frame, key)
    absent = item.frame[[name for name in key if item.table.column(name).required]].isna().any(axis=1).to_numpy()
    first = np.full(codes.max(initial=-1) + 1, len(codes))
    np.minimum.at(first, codes, np.arange(len(codes)))
    again = np.flatnonzero((first[codes] < np.arange(len(codes))) & ~absent & ~item.flawed)
    pairs = pd.Series(again).groupby([item.part[again], item.part[first[codes[again]]]], sort=False)
    problems = []
    for _, rows in pairs:
        told = rows if len(rows) <= _FOLD else rows.iloc[:1]
        problems += [
            _duplicate(item, int(i), int(first[codes[i]]), len(rows) if len(rows) > _FOLD else 1, key) for i in told
        ]
    return problems


def _duplicate(item: Stack, i: int, earlier: int, n: int, key: list[str]) -> Problem:
    headers = "+".join(item.header(i, name) for name in key if name in item.parts[item.part[i]].raw.headers)
    here, there = item.where(i), item.where(earlier)
    return Problem(
        key="duplicate_key",
        where=Where(file=here.file, sheet=here.sheet, row=here.row, column=headers),
        values={"file": there.file, "row": there.row, "columns": headers, "more": more_rows(n)},
    )


def _pairs(chain: Sequence[str], item: Stack) -> Iterator[tuple[str, str]]:
    return ((a, b) for a, b in combinations(chain, 2) if a in item.frame and b in item.frame)


def _backwards(item: Stack, chain: Sequence[str]) -> list[Problem]:
    told: set[int] = set()
    problems = []
    for earlier, later in _pairs(chain, item):
        wrong = np.flatnonzero((item.frame[later] < item.frame[earlier]).to_numpy(bool) & ~item.flawed)
        for i in (int(i) for i in wrong if int(i) not in told):
            told.add(i)
            problems.append(
                Problem(
                    key="date_order",
                    where=item.where(i, later),
                    values={
                        "earlier": item.header(i, earlier),
                        "later": item.header(i, later),
                        "earlier_date": _day(item.frame[earlier].iat[i]),
                        "later_date": _day(item.frame[later].iat[i]),
                    },
                )
            )
    return problems


def _day(value: pd.Timestamp) -> str:
    return value.date().isoformat()


def period_start(values: pd.Series) -> pd.Series:
    """First day of canonical dates, years (2021), months ("2021-03") or quarters ("2021Q1") as datetime64."""
    if values.dtype.kind == "M":
        return values
    if values.dtype.kind in "fi":
        return pd.to_datetime(values.map(lambda year: f"{year:.0f}-01-01", na_action="ignore"), format="%Y-%m-%d")
    distinct = values.dropna().unique()
    days = {v: f"{v[:4]}-{3 * int(v[-1]) - 2:02d}-01" if "Q" in v else f"{v}-01" for v in distinct}
    return pd.to_datetime(values.map(days), format="%Y-%m-%d")


def _after(item: Stack, column: str, as_of: str) -> list[Problem]:
    if column not in item.frame:
        return []
    late = np.flatnonzero((period_start(item.frame[column]) > pd.Timestamp(as_of)).to_numpy(bool) & ~item.flawed)
    parts = pd.Series(late).groupby(item.part[late], sort=False)
    told = [(int(i), len(rows)) for _, rows in parts for i in (rows if len(rows) <= _FOLD else rows.iloc[:1])]
    return [
        Problem(
            key="after_as_of",
            where=item.where(i, column),
            values={
                "as_of": as_of,
                "value": _shown(item.frame[column].iat[i]),
                "more": more_rows(n if n > _FOLD else 1),
            },
        )
        for i, n in told
    ]


def _shown(value: str | float | pd.Timestamp) -> str:
    if isinstance(value, pd.Timestamp):
        return _day(value)
    return value if isinstance(value, str) else f"{value:.0f}"


def _exceeding(item: Stack, chain: Sequence[str]) -> list[Problem]:
    problems = []
    for part, whole in pairwise(chain):
        wrong = np.flatnonzero((item.frame[part] > item.frame[whole]).to_numpy(bool) & ~item.flawed)
        problems += [
            Problem(
                key="part_exceeds_whole",
                where=item.where(int(i), part),
                values={
                    "part": item.header(int(i), part),
                    "whole": item.header(int(i), whole),
                    "part_value": float(item.frame[part].iat[i]),
                    "whole_value": float(item.frame[whole].iat[i]),
                },
            )
            for i in wrong
        ]
    return problems


def quarter_of(days: pd.Series) -> pd.Series:
    """Quarter labels ("2023Q1") of dates."""
    label = days.dt.year.astype("Int64").astype("str") + "Q" + days.dt.quarter.astype("Int64").astype("str")
    return label.where(days.notna())


def recognised(claims: pd.DataFrame) -> np.ndarray:
    """(n,) True for claims that were not refused."""
    return (claims["decision"].fillna("recognised") != "refused").to_numpy(bool)
