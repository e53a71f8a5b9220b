"""Whose mistake is it: problems by place, and the tables without the places that have some.

One bad city must stop that city only. A problem belongs to

1. the place that the check names (`Where.place`), or the places (its value `places`), else
2. the place of the row it stands in, else
3. the places that have rows in the sheet or file, where it is about the sheet, or about several rows told as one, else
4. the cities that the path of the file names ("raw/440700_江门市/…"), else
5. no place (""): settings, a file for all that is missing. Rows of the province itself count as no place too: every
   city is compared with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ..core import Problem, Where
from ..plans import Plan
from .clean import Cleaned
from .schema import layout
from .words import plain

Parts = Mapping[str, Sequence[Cleaned]]


def by_place(problems: Iterable[Problem], parts: Parts, plan: Plan) -> dict[str, tuple[Problem, ...]]:
    """The problems by code of the city they concern, "" for those of no city, each in the order of files and rows.

    parts  the sheets that could be read, by table. A problem that concerns several cities stands under each.
    """
    sheets = [part for own in parts.values() for part in own]
    names = _city_names(plan)
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        concerned = _places(problem, sheets, names)
        outside = not concerned or not concerned <= set(plan.cities)
        for place in [""] if outside else concerned:
            found.setdefault(place, []).append(problem)
    order = ("", *plan.cities)
    return {place: tuple(ordered(found[place])) for place in order if place in found}


def without(part: Cleaned, places: set[str]) -> Cleaned | None:
    """A sheet without the rows of these places and without its problems; None where nothing is left.

    Rows whose place could not be read go too.
    """
    own = part.frame["place"]
    left = _rows(part, (own.notna() & ~own.isin(places)).to_numpy(bool))
    return None if left is None else replace(left, problems=(), flaws=frozenset())


def only(part: Cleaned, place: str) -> Cleaned | None:
    """The rows of one place of a sheet; None where it has none."""
    return _rows(part, (part.frame["place"] == place).to_numpy(bool))


def _rows(part: Cleaned, keep: np.ndarray) -> Cleaned | None:
    """Some rows of a sheet. Grand totals of a sheet that lost rows can tie no more."""
    if keep.all() or not keep.any():
        return part if keep.any() else None
    raw = replace(
        part.raw,
        rows=part.raw.rows[keep],
        columns={name: cells[keep] for name, cells in part.raw.columns.items()},
        totals=(),
        counts={**part.raw.counts, "kept": int(keep.sum())},
    )
    frame = part.frame[keep].reset_index(drop=True)
    return replace(part, raw=raw, frame=frame, notes={**part.notes, "rows": int(keep.sum())})


def ordered(problems: Iterable[Problem]) -> list[Problem]:
    """Without repetitions, in the order of files and rows."""
    return sorted({_order(p): p for p in problems}.values(), key=_order)


def capped(problems: Iterable[Problem]) -> list[Problem]:
    """`ordered`, at most the number of `layout.toml`, then one that counts the rest."""
    most = int(layout()["limits"]["problems"])
    told = ordered(problems)
    rest = len(told) - most
    more = [Problem(key="more_problems", where=Where(), values={"n": rest, "told": most})] if rest > 0 else []
    return told[:most] + more


def _order(problem: Problem) -> tuple[str, str, int, str, str, str]:
    where = problem.where
    place = (where.file or "", where.sheet or "", where.row or 0, where.column or "")
    return (*place, problem.key, repr(problem.values))


def _places(problem: Problem, sheets: Sequence[Cleaned], names: Mapping[str, re.Pattern[str]]) -> set[str]:
    where = problem.where
    if where.place is not None:
        return {where.place}
    if "places" in problem.values:
        return set(problem.values["places"])
    own = [p for p in sheets if p.raw.file == where.file and where.sheet in (None, p.raw.sheet)]
    if where.row is not None and not problem.values.get("more"):
        at = [p.frame["place"][p.raw.rows == where.row] for p in own]
        if rows := {str(x) for found in at for x in found.dropna()}:
            return rows
    inside = {str(x) for part in own for x in part.frame["place"].dropna().unique()}
    path = plain(where.file).lower()
    return inside or {city for city, pattern in names.items() if pattern.search(path)}


def _city_names(plan: Plan) -> dict[str, re.Pattern[str]]:
    """By city, what finds its code or a name of it in a path; in Latin letters or digits only as a whole word."""
    rows = plan.places[plan.places["level"] == "city"]
    found = {}
    for row in rows.itertuples():
        aliases = [a for a in str(row.aliases).split("|") if len(a) > 1 and not a.isdigit()]
        words = {plain(w).lower() for w in (row.place, row.zh_hans, row.zh_hant, row.en, *aliases) if w}
        ends = {w: (r"(?<![a-z0-9])", r"(?![a-z0-9])") if w.isascii() else ("", "") for w in words}
        found[str(row.place)] = re.compile("|".join(a + re.escape(w) + b for w, (a, b) in sorted(ends.items())))
    return found
