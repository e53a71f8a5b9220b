"""Which unit an amount is in: declared in the workspace, stated in the file, and plausible. Two must not contradict."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..core import Problem, Where
from .locate import RawTable
from .read import FileSpec
from .schema import ColumnSpec, layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """The unit of one money column of one sheet.

    factor     yuan in one unit;  stated: declared or in the file;  confirmed: both, and they agree
    problems   contradictions (unit_disagrees);  unknown: declared in a word that is no unit, which is told elsewhere
    """

    column: ColumnSpec
    raw: RawTable
    unit: str
    stated: bool
    confirmed: bool
    problems: tuple[Problem, ...] = ()
    unknown: bool = False

    @property
    def factor(self) -> float:
        return float(layout()["units"][self.word])

    @property
    def word(self) -> str:
        """The unit's word; the base unit where none is stated."""
        return self.unit or str(layout()["base_unit"])

    def implausible(self, yuan: np.ndarray, per: np.ndarray | None) -> Problem | None:
        """A problem if the median amount lies outside the range the column can have.

        Formula: median over positive rows of amount, or of amount / `per`; range from `tables.toml`, narrower than
        10⁴ so that 元 read as 万元 (or the reverse) falls outside. None if there is no range or no positive row.
        """
        rule = self.column.plausible
        if rule is None or (rule.per and per is None):
            return None
        base = np.ones_like(yuan) if per is None else per
        use = (yuan > 0) & (base > 0)
        if not use.any():
            return None
        median = float(np.median(yuan[use] / base[use]))
        if rule.low <= median <= rule.high:
            return None
        return Problem(
            key="unit_implausible",
            where=self.raw.where(self.raw.header_row, self.column.name),
            values={
                "unit": self.word,
                "median": median,
                "low": rule.low,
                "high": rule.high,
                "fits": _fitting(median / self.factor, rule.low, rule.high),
            },
        )


def resolve_unit(column: ColumnSpec, spec: FileSpec, raw: RawTable) -> Unit:
    """The unit of a money column: that of its header, else of the unit line, else the declared one, else yuan.

    A declared unit that differs from the file's is a problem (unit_disagrees); the file's is used meanwhile.
    """
    declared = spec.units.get(column.name, "")
    found = raw.column_units.get(column.name) or raw.unit
    known = layout()["units"]
    problems: tuple[Problem, ...] = ()
    if declared in known and found and known[declared] != known[found]:
        row = raw.header_row if column.name in raw.column_units else raw.unit_row
        problems = (
            Problem(
                key="unit_disagrees",
                where=raw.where(row, column.name),
                values={"declared": declared, "found": found, "column": column.name},
            ),
        )
    return Unit(
        column=column,
        raw=raw,
        unit=found or (declared if declared in known else ""),
        stated=bool(found or declared in known),
        problems=problems,
        confirmed=bool(found and declared in known and not problems),
        unknown=bool(declared and declared not in known and not found),
    )


def _fitting(amount: float, low: float, high: float) -> str:
    """The unit that brings a median amount nearest to the middle of its range (in logs); "–" if none brings it in."""
    inside = {word: amount * factor for word, factor in layout()["units"].items() if low <= amount * factor <= high}
    middle = math.sqrt(low * high)
    return min(inside, key=lambda word: abs(math.log(inside[word] / middle)), default="–")


def unit_problems(spec: FileSpec, columns: tuple[ColumnSpec, ...]) -> list[Problem]:
    """Declarations of a workspace that no file can meet: an unknown unit, or a unit for a column without money."""
    names, here = [column.name for column in columns], Where(file="evalkit.toml")
    problems = []
    for name, unit in spec.units.items():
        values = {"path": spec.path, "column": name}
        if name not in names:
            problems.append(Problem(key="unit_column_unknown", where=here, values={**values, "known": names}))
        elif unit not in layout()["units"]:
            known = list(layout()["units"])
            problems.append(Problem(key="unit_unknown", where=here, values={**values, "unit": unit, "known": known}))
    return problems
