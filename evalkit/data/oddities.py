"""Cells and columns that are odd beside their like: an amount in another unit, a digit too many, a column left out.

No contradiction, so no mistake for certain: gates that name the cell for a person to look at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..core import Gate
from .check import Stack, group_codes
from .schema import ColumnSpec, layout
from .words import nearest

NOTHING = {"key": "common.none"}
"""Items of a gate that found nothing."""
_TIMES = ("date", "month", "quarter", "year")


def odd_amounts(tables: Mapping[str, Stack]) -> Gate:
    """Numbers far from the other periods of the same series: ten times as large, an amount in another unit.

    A series is the rows that agree in the key but for time. A number is odd where its distance from the series'
    median exceeds `limits.odd_factor` times and `limits.odd_spread` times the series' own spread (90 % quantile of the
    distances), both in logs; amounts are taken per person where the table says so. Series of fewer than
    `limits.odd_rows` positive numbers are not judged, nor are counts below `limits.odd_count`. A count of zero beside
    an amount per person is odd too.
    """
    checked, found = 0, []
    for item in tables.values():
        for column in item.table.of_type("int", "number", "money"):
            rows, odd = _odd(item, column)
            checked += rows
            found += [{"key": "gate.odd_amounts.item", "values": _cell(item, i, column.name)} for i in odd]
            if column.plausible and column.plausible.per and column.name in item.frame:
                none = (item.frame[column.name] > 0) & (item.frame[column.plausible.per] == 0)
                values = [_cell(item, int(i), column.plausible.per) for i in np.flatnonzero(none)]
                found += [c for v in values if (c := {"key": "gate.odd_amounts.item", "values": v}) not in found]
    return Gate(
        name="odd_amounts",
        passed=None if not checked else not found,
        detail={"rows": checked, "n": len(found), "items": found[:5] or NOTHING},
    )


def _odd(item: Stack, column: ColumnSpec) -> tuple[int, list[int]]:
    key = [name for name in item.table.key if item.table.column(name).type not in _TIMES]
    if len(key) == len(item.table.key) or column.name not in item.frame:
        return 0, []
    limits = layout()["limits"]
    values = item.frame[column.name].to_numpy(float)
    enough = values > 0 if column.type != "int" else values >= limits["odd_count"]
    if column.plausible and column.plausible.per:
        per = item.frame[column.plausible.per].to_numpy(float)
        values, enough = values / np.where(per > 0, per, np.nan), enough & (per > 0)
    use = np.flatnonzero(enough & np.isfinite(values) & ~item.flawed)
    series = group_codes(item.frame.iloc[use], key)[0]
    logs = pd.Series(np.log(values[use]))
    by = logs.groupby(series)
    distance = (logs - by.transform("median")).abs()
    spread = distance.groupby(series).quantile(0.9).reindex(series).to_numpy()
    odd = (
        (distance > np.log(limits["odd_factor"]))
        & (distance > limits["odd_spread"] * spread)
        & (by.transform("size") >= limits["odd_rows"])
    )
    return len(use), [int(i) for i in use[odd.to_numpy()]]


def gaps(tables: Mapping[str, Stack]) -> Gate:
    """Periods that a series lacks between its first and its last, where the table is regular and the series nearly is.

    A series is the rows that agree in the key but for time; its periods are those in which its place has any row. It
    is nearly regular with at least five rows and eight in ten of the periods from its first to its last.
    """
    checked, found = 0, []
    for item in (i for i in tables.values() if i.table.regular):
        rows, lacking = _gaps(item)
        checked += rows
        found += lacking
    return Gate(
        name="gaps",
        passed=None if not checked else not found,
        detail={"rows": checked, "n": len(found), "items": found[:5] or NOTHING},
    )


def _gaps(item: Stack) -> tuple[int, list[dict[str, Any]]]:
    time = next(name for name in item.table.key if item.table.column(name).type in _TIMES)
    key = [name for name in item.table.key if name != time]
    rows = item.frame[list(dict.fromkeys(["place", *key, time]))].assign(at=np.arange(len(item.frame))).dropna()
    rows["series"] = group_codes(rows, key)[0]
    rows["period"] = rows.groupby("place")[time].rank("dense").astype(int)
    rows = rows.drop_duplicates(["place", "series", "period"])
    by = rows.groupby(["place", "series"])["period"].agg(["min", "max", "size"])
    span = by["max"] - by["min"] + 1
    nearly = by[(by["size"] < span) & (by["size"] >= np.maximum(5, 0.8 * span))]
    names = rows.drop_duplicates(["place", "period"]).set_index(["place", "period"])[time]
    found = []
    for (place, series), row in nearly.iterrows():
        own = rows[(rows["series"] == series) & (rows["place"] == place)]
        for period in sorted(set(range(row["min"], row["max"] + 1)) - set(own["period"])):
            where = item.where(int(own["at"].iloc[-1]))
            words = "+".join(str(own[n].iloc[0]) for n in key if not item.table.column(n).personal)
            values = {"file": where.file, "column": words, "when": _said(names[place, period])}
            found.append({"key": "gate.gaps.item", "values": values})
    return len(rows), found


def _said(period: Any) -> str:
    if isinstance(period, pd.Timestamp):
        return period.date().isoformat()
    return period if isinstance(period, str) else f"{period:.0f}"


def odd_columns(tables: Mapping[str, Stack]) -> Gate:
    """Optional columns that a sheet lacks although the other sheets have it, or a header nearly says it."""
    items = [item for stack in tables.values() for item in _absent_columns(stack)]
    return Gate(name="odd_columns", passed=not items, detail={"n": len(items), "items": items[:5] or NOTHING})


def _absent_columns(item: Stack) -> Iterator[dict[str, Any]]:
    raws = [part.raw for part in item.parts]
    for column in item.table.columns:
        lacking = [raw for raw in raws if column.name not in raw.headers and not column.required]
        usual = len(raws) - len(lacking) >= max(2, 0.6 * len(raws))
        for raw in lacking:
            near = nearest(column.header, raw.ignored, cutoff=0.7)
            if near or usual:
                values = {"file": raw.file, "column": column.header, "near": near or "–", "row": raw.header_row}
                yield {"key": "gate.odd_columns.item", "values": values}


def places_of(item: Stack, rows: np.ndarray, column: str, most: int = 5) -> list[dict[str, Any]]:
    """The first rows of a finding as items of a gate."""
    return [{"key": "gate.cell", "values": _cell(item, int(i), column)} for i in rows[:most]]


def _cell(item: Stack, i: int, column: str) -> dict[str, Any]:
    where = item.where(i, column)
    return {"file": where.file, "row": where.row, "column": where.column, "value": _shown(item, i, column)}


def _shown(item: Stack, i: int, column: str) -> str | float:
    """The value as a reader may see it: hashes of identifiers are no help to anybody."""
    value = item.frame[column].iat[i]
    if item.table.column(column).personal:
        return "–"
    if isinstance(value, pd.Timestamp):
        return value.date().isoformat()
    return float(value) if isinstance(value, (int, float, np.number)) else str(value)
