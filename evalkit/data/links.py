"""How tables hang together: what a city owes, codes that must stand in another table, and places that must agree.

Which table owes what to which is said in `tables.toml` (`due`, `references`). Of two tables that differ, the one in
the minority is told: an enrolment row with another city than the 28 quarters of the same firm is wrong, not the
quarters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
import pandas as pd

from ..core import Message, Problem, Where
from ..plans import Plan
from .check import Stack
from .clean import more_rows
from .words import nearest

_LINKED = {"project_id": ("project", "enrolment", "training_summary"), "unit_id": ("enrolment", "exposure", "claim")}
"""Columns that tie rows of several tables to one city."""


def strays(tables: Mapping[str, Stack], plan: Plan) -> list[Problem]:
    """Rows of another city in a file that is one city's: told by sheet and city, at the first row.

    A file is one city's where at least five rows and nine in ten are. What the province sends may speak of any city.
    """
    problems = []
    for item in tables.values():
        rows = _guests(item)
        rows = rows[rows["usual"] != plan.province]
        for _, other in rows.groupby(["part", "place"], sort=False):
            problems.append(_wrong_place(item, other, plan, "stray_place"))
    return problems


def _guests(item: Stack) -> pd.DataFrame:
    """Rows (place, part, row) of another place than the one their file is of (usual)."""
    if "place" not in item.frame:
        return pd.DataFrame({name: [] for name in ("place", "part", "row", "usual")})
    rows = item.frame[["place"]].assign(part=item.part, row=np.arange(len(item.frame)))[~item.flawed].dropna()
    counts = rows.groupby(["part", "place"], sort=False).size().rename("n").reset_index()
    whole = counts.groupby("part")["n"].transform("sum")
    hosts = counts[counts["n"] >= np.maximum(5, 0.9 * whole)].rename(columns={"place": "usual"})
    rows = rows.merge(hosts[["part", "usual"]], on="part")
    return rows[rows["place"] != rows["usual"]]


def absent_places(tables: Mapping[str, Stack], plan: Plan) -> list[Problem]:
    """Cities that sent some tables but not one they owe; told at the folder of the files they sent.

    What is owed whatever else was sent ("*") is what more than half of the cities do send: a table of a pilot is not.
    Not told where a file of the folder holds rows whose place could not be read: they may be those of the city.
    """
    sent = {n: set(item.frame["place"].dropna().unique()) for n, item in tables.items() if "place" in item.frame}
    own = {n: _hosts(tables[n]) for n in sent}
    problems = []
    for name, item in tables.items():
        owing = set().union(*(own[n] for n in _creditors(item, own, plan))) - sent.get(name, set())
        for place in (p for p in plan.cities if p in owing):
            folder = _home(tables.values(), place)
            if not _unplaced(item, folder):
                known = plan.place_name(place)
                values = {"place": known, "table": Message(key=f"table.{name}"), "like": _like(item)}
                where = Where(file=folder, place=place)
                problems.append(Problem(key="place_absent", where=where, values=values))
    return problems


def without_echoes(problems: Sequence[Problem], lost: Sequence[tuple[str, str]]) -> list[Problem]:
    """Problems without those that only follow from another one.

    lost   (table, file) that could not be read: a city whose file is there but broken does not owe it
    Of a pattern that no file meets and cities that owe the table, one is told: the cities where each may have had a
    pattern of its own, else the pattern.
    """
    broken = {(f"table.{table}", PurePosixPath(file).parent.as_posix()) for table, file in lost}
    owed = [p for p in problems if p.key == "place_absent" and (p.values["table"].key, p.where.file) not in broken]
    absent = Counter(p.values["table"].key for p in owed)
    unmet = Counter(f"table.{p.values['table']}" for p in problems if p.key == "missing_file")

    def echo(problem: Problem) -> bool:
        if problem.key == "place_absent":
            table = problem.values["table"].key
            return problem not in owed or 0 < unmet[table] < absent[table]
        table = f"table.{problem.values['table']}" if problem.key == "missing_file" else ""
        return unmet[table] > 0 and absent[table] in range(1, unmet[table] + 1)

    return [p for p in problems if not echo(p)]


def _hosts(item: Stack) -> set[str]:
    """Places that sent rows of their own, not just a row in the file of another."""
    left = np.ones(len(item.frame), dtype=bool) & ~item.flawed
    left[_guests(item)["row"].to_numpy(int)] = False
    return set(item.frame["place"][left].dropna().unique())


def _creditors(item: Stack, sent: Mapping[str, set[str]], plan: Plan) -> list[str]:
    """Tables whose cities owe this one too."""
    due, name = item.table.due, item.table.name
    cities = set().union(*sent.values()) & set(plan.cities)
    usual = "*" in due and 2 * len(sent.get(name, set()) & cities) > len(cities)
    return [n for n in sent if n != name and (usual or n in due)]


def _home(items: Iterable[Stack], place: str) -> str:
    """The folder that holds most files with rows of a place."""
    files = [f for s in items if "place" in s.frame for f in s.frame["source_file"][s.frame["place"] == place].unique()]
    folders = [PurePosixPath(f).parent.as_posix() for f in files]
    return max(sorted(set(folders)), key=folders.count)


def _unplaced(item: Stack, folder: str) -> bool:
    lost = item.frame["source_file"][item.frame["place"].isna()].unique()
    return any(PurePosixPath(f).parent.as_posix() == folder for f in lost)


def _like(item: Stack) -> str:
    """Name of a file of the same table, as an example."""
    return PurePosixPath(item.parts[0].raw.file).name


def wrong_places(tables: Mapping[str, Stack], plan: Plan) -> list[Problem]:
    """Rows of a project or a firm whose city is not the one that most rows of the same project or firm have."""
    problems = []
    for key, names in _LINKED.items():
        rows = pd.concat([_placed(tables, name, key) for name in names if name in tables] or [pd.DataFrame()])
        if rows.empty:
            continue
        rows = rows[rows["place"] != plan.province]
        counts = rows.groupby([key, "place"], sort=False).size()
        usual = counts[counts.groupby(level=0).transform("max") == counts].reset_index().drop_duplicates(key)
        rows = rows.merge(usual[[key, "place"]].rename(columns={"place": "usual"}), on=key)
        wrong = rows[rows["place"] != rows["usual"]]
        for (name, _, _), own in wrong.groupby(["table", "part", "usual"], sort=False):
            problems.append(_wrong_place(tables[str(name)], own, plan, "place_differs"))
    return problems


def _placed(tables: Mapping[str, Stack], name: str, key: str) -> pd.DataFrame:
    item = tables[name]
    keep = item.frame[[key, "place"]].notna().all(axis=1) & ~item.flawed
    rows = item.frame.loc[keep, [key, "place"]]
    return rows.assign(table=name, part=item.part[keep], row=np.flatnonzero(keep))


def _wrong_place(item: Stack, rows: pd.DataFrame, plan: Plan, key: str) -> Problem:
    i, both = int(rows["row"].iloc[0]), (rows["place"].iloc[0], rows["usual"].iloc[0])
    values = {
        "found": plan.place_name(both[0]),
        "usual": plan.place_name(both[1]),
        "more": more_rows(len(rows)),
        "places": [str(place) for place in both],
    }
    return Problem(key=key, where=item.where(i, "place"), values=values)


def dangling(tables: Mapping[str, Stack]) -> list[Problem]:
    """Codes that do not stand in the table they refer to: one problem a code, at its first row.

    Where a code of that table is near and nothing refers to it while several rows agree on the other one, the code
    of the table itself is told.
    """
    links = [
        (item, column, tables[target])
        for item in tables.values()
        for column, target in item.table.references.items()
        if target in tables and column in item.frame
    ]
    problems: list[Problem] = []
    for column, target in {(c, t.table.name) for _, c, t in links}:
        asking = [item for item, c, t in links if (c, t.table.name) == (column, target)]
        problems += _dangling(asking, column, tables[target])
    return problems


def _dangling(asking: Sequence[Stack], column: str, target: Stack) -> list[Problem]:
    known = set(target.frame[column].dropna())
    readable = set(target.frame["place"][target.frame[column].notna()].dropna())
    lost = {PurePosixPath(f).parent for f in target.frame["source_file"][target.frame[column].isna()].unique()}
    found: dict[str, list[tuple[Stack, int]]] = {}
    asked: set[str] = set()
    for item in asking:
        codes = item.frame[column]
        asked |= set(codes.dropna())
        open_rows = codes.notna() & ~codes.isin(known) & item.frame["place"].isin(readable) & ~item.flawed
        for i in np.flatnonzero(open_rows):
            if PurePosixPath(item.frame["source_file"].iat[i]).parent not in lost:
                found.setdefault(str(codes.iat[i]), []).append((item, int(i)))
    return [_unknown_code(code, rows, column, target, known - asked) for code, rows in found.items()]


def _unknown_code(code: str, rows: list[tuple[Stack, int]], column: str, target: Stack, idle: set[str]) -> Problem:
    near = nearest(code, sorted(idle), cutoff=0.8)
    item, i = rows[0]
    values = {"value": code, "near": near or "–", "table": Message(key=f"table.{target.table.name}")}
    if near and len(rows) > 1:
        at = int(np.flatnonzero((target.frame[column] == near).to_numpy())[0])
        values |= {"value": near, "near": code}
        return Problem(key="code_not_asked", where=target.where(at, column), values={**values, "n": len(rows)})
    return Problem(key="unknown_code", where=item.where(i, column), values={**values, "more": more_rows(len(rows))})
