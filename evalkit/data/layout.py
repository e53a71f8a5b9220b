"""Where every row of a long frame stands among units × periods, without sorting it.

Rows that already come unit by unit with the same periods are recognised and only reshaped; others are scattered by
their cell. Integer labels are looked up, runs of one unit are coded by their first row, the rest is hashed. Values that
are constant within a unit are read from one row and compared with all, never grouped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..core import UserError

Frequency = Literal["year", "quarter", "month"]
Gaps = Literal["refuse", "keep"]
BLOCK = 4_096
"""Units looked at together: their rows stay in cache."""
SPAN = 100_000
"""Whole numbers within this range are looked up in a table."""
_DIGITS, _YEAR = re.compile(r"\d+"), re.compile(r"\s*\d{4}(?!\d)")


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """units (N,) labels in order of first appearance; times labels ascending; cell (rows,) unit · T + period, or None
    where the rows are the N × T cells in order.
    """

    units: np.ndarray
    times: tuple[Any, ...]
    cell: np.ndarray | None

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.units), len(self.times)

    def wide(self, values: np.ndarray) -> np.ndarray:
        """(N, T) a copy of the values (rows,) at their cells; NaN where there is no row."""
        if self.cell is None:
            return np.array(values, dtype=float).reshape(self.shape)
        out = np.full(self.shape, np.nan)
        out.reshape(-1)[self.cell] = values
        return out

    def constant(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,) the value of every unit, and (N,) True where a unit has two; NaN equals NaN."""
        if self.cell is None:
            wide = values.reshape(self.shape)
            own, differ = wide[:, 0].copy(), np.zeros(len(wide), dtype=bool)
            for start in range(0, len(wide), BLOCK):
                at = slice(start, start + BLOCK)
                other = wide[at] != own[at, None]
                if other.any():
                    other &= (wide[at] == wide[at]) | (own[at] == own[at])[:, None]
                    differ[at] = other.any(axis=1)
            return own, differ
        unit = self.cell // len(self.times)
        own = np.empty(len(self.units), dtype=values.dtype)
        own[unit] = values
        other = own[unit]
        differ_row = (values != other) & ((values == values) | (other == other))
        differ = np.zeros(len(self.units), dtype=bool)
        differ[unit[differ_row]] = True
        return own, differ


def layout(unit: pd.Series, time: pd.Series, frequency: Frequency, gaps: Gaps = "refuse") -> Layout:
    """The layout of rows with these unit and period labels (`panel` says which).

    Raises UserError: missing_label, duplicate_cell, time_gap, time_unordered.
    """
    codes, units, run = _units(unit)
    if run and len(unit) == len(units) * run:
        first = time.iloc[:run]
        at, times = _periods(first, frequency, gaps)
        if len(times) == run and bool((at == np.arange(run)).all()) and _repeats(time, first, len(units)):
            return Layout(units=units, times=tuple(times), cell=None)
    at, times = _periods(time, frequency, gaps)
    cell = codes.astype(np.int64) if run == 0 else np.repeat(np.arange(len(units)), run)
    cell *= len(times)
    cell += at
    _unique(cell, units, times)
    return Layout(units=units, times=tuple(times), cell=cell)


def _units(column: pd.Series) -> tuple[np.ndarray, np.ndarray, int]:
    """Codes of the rows (empty where runs say all), the units, and the length of the runs of one unit (0: other)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = column.cat.remove_unused_categories()
        codes, units = present.cat.codes.to_numpy(), present.cat.categories.to_numpy()
    else:
        values = column.to_numpy() if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu" else None
        if values is not None and len(values):
            if run := _ascending_runs(values):
                return np.zeros(0, dtype=np.int64), values[::run].copy(), run
            heads = np.r_[0, np.flatnonzero(values[1:] != values[:-1]) + 1]
            if 2 * len(heads) <= len(values):
                lengths = np.diff(np.r_[heads, len(values)])
                own, units = pd.factorize(values[heads])
                if len(units) == len(heads) and bool((lengths == lengths[0]).all()):
                    return np.zeros(0, dtype=np.int64), np.asarray(units), int(lengths[0])
                return np.repeat(own, lengths), np.asarray(units), 0
        codes, units = pd.factorize(column)
    if len(codes) and codes.min() < 0:
        raise UserError("missing_label", column=str(column.name), n=int((codes < 0).sum()))
    run = len(codes) // max(len(units), 1)
    same = len(codes) == run * len(units) and bool((codes.reshape(-1, run) == np.arange(len(units))[:, None]).all())
    return codes, np.asarray(units, dtype=object), run if same else 0


def _ascending_runs(values: np.ndarray) -> int:
    """Length of the runs of one unit where all are as long and units ascend; 0 otherwise. Read some at a time."""
    other = values[:SPAN] != values[0]
    run = int(np.argmax(other)) if other.any() else len(values)
    if run < 2 or len(values) % run:
        return 0
    wide = values.reshape(-1, run)
    first = wide[:, 0]
    return run if bool((first[1:] > first[:-1]).all()) and _same(wide, first[:, None]) else 0


def _same(wide: np.ndarray, other: np.ndarray) -> bool:
    """True where wide (n, T) is equal to other, (T,) or (n, 1), in every cell."""
    starts = range(0, len(wide), BLOCK)
    return all(
        bool((wide[s : s + BLOCK] == (other[s : s + BLOCK] if other.ndim == 2 else other)).all()) for s in starts
    )


def _repeats(time: pd.Series, first: pd.Series, n: int) -> bool:
    """True where the periods of the first unit are those of all, in order."""
    if isinstance(time.dtype, np.dtype) and time.dtype.kind in "iuf":
        return _same(time.to_numpy().reshape(n, -1), first.to_numpy())
    codes = pd.factorize(time)[0]
    return bool((codes.reshape(n, -1) == codes[: len(first)]).all())


def _periods(column: pd.Series, frequency: Frequency, gaps: Gaps) -> tuple[np.ndarray, list[Any]]:
    """Index of every row's period and the ordered labels."""
    codes, labels = _codes(column)
    if len(codes) and codes.min() < 0:
        raise UserError("missing_label", column=str(column.name), n=int((codes < 0).sum()))
    plain: list[Any] = [v.item() if isinstance(v, np.generic) else v for v in labels]
    if all(isinstance(v, float) and v.is_integer() for v in plain):
        plain = [int(v) for v in plain]
    numbers = [n for v in plain if (n := ordinal(v, frequency)) is not None]
    known = len(numbers) == len(plain)
    keys = numbers if known else _keys(column, plain)
    order = sorted(range(len(plain)), key=keys.__getitem__)
    if known and gaps == "refuse":
        _contiguous(numbers, frequency)
    rank = np.empty(len(plain), dtype=np.int64)
    rank[order] = np.arange(len(plain))
    return (codes if bool((rank == np.arange(len(rank))).all()) else rank[codes]), [plain[i] for i in order]


def _keys(column: pd.Series, labels: list[Any]) -> list[Any]:
    """What puts labels in order that are no periods of the frequency.

    Ordered categories by their order; numbers (also as text) and dates by their value; text by the numbers in it where
    they all have one form that begins with a year ("2003H1"), or that counts on ("wave 1"). Raises time_unordered.
    """
    if isinstance(column.dtype, pd.CategoricalDtype) and column.cat.ordered:
        return [column.cat.categories.get_loc(v) for v in labels]
    if not any(isinstance(v, str) for v in labels):
        if len({isinstance(v, (int, float)) for v in labels}) == 1:
            return labels
    elif all(isinstance(v, str) for v in labels):
        forms = {_DIGITS.sub("#", v.strip()) for v in labels}
        found = [tuple(int(d) for d in _DIGITS.findall(v)) for v in labels]
        if forms == {"#"} or forms == {"#.#"}:
            return [float(v) for v in labels]
        dated = all(_YEAR.match(v) for v in labels)
        counted = all(len(f) == 1 for f in found) and max(found)[0] - min(found)[0] == len(found) - 1
        if len(forms) == 1 and (dated or counted):
            return found
    raise UserError("time_unordered", column=str(column.name), found=[str(v) for v in labels[:4]])


def _codes(column: pd.Series) -> tuple[np.ndarray, Any]:
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iu" and len(column):
        values = column.to_numpy()
        low, high = int(values.min()), int(values.max())
        if high - low < SPAN:
            shifted = values - low if low else values
            present = np.bincount(shifted, minlength=high - low + 1) > 0
            labels = np.flatnonzero(present) + low
            return (shifted if present.all() else (np.cumsum(present) - 1)[shifted]), labels
    return pd.factorize(column)


def _contiguous(numbers: list[int], frequency: Frequency) -> None:
    first, last = min(numbers), max(numbers)
    absent = sorted(set(range(first, last + 1)) - set(numbers))
    if absent:
        raise UserError(
            "time_gap",
            first=label(first, frequency),
            last=label(last, frequency),
            n=len(absent),
            absent=[label(i, frequency) for i in absent[:8]],
        )


def ordinal(value: Any, frequency: Frequency) -> int | None:
    """A period label as a running number of years, quarters or months; None for another kind of label."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if frequency == "year":
        return int(text) if text.isdigit() and len(text) == 4 else None
    mark, per = ("Q", 4) if frequency == "quarter" else ("-", 12)
    year, _, part = text.partition(mark)
    if not (year.isdigit() and part.isdigit() and 1 <= int(part) <= per):
        return None
    return int(year) * per + int(part) - 1


def label(number: int, frequency: Frequency) -> Any:
    """The inverse of `ordinal`."""
    if frequency == "year":
        return number
    per = 4 if frequency == "quarter" else 12
    year, part = divmod(number, per)
    return f"{year}Q{part + 1}" if frequency == "quarter" else f"{year}-{part + 1:02d}"


def _unique(cell: np.ndarray, units: np.ndarray, times: list[Any]) -> None:
    """Raise duplicate_cell where two rows fall into one cell."""
    count = np.zeros(len(units) * len(times), dtype=bool)
    count[cell] = True
    if int(np.count_nonzero(count)) == len(cell):
        return
    many = np.bincount(cell, minlength=len(count))
    first = int(np.argmax(many > 1))
    raise UserError(
        "duplicate_cell",
        unit=str(units[first // len(times)]),
        time=times[first % len(times)],
        n=int((many > 1).sum()),
    )
