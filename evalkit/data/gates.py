"""Findings about the data that need an eye, not a stop: shares and counts with a limit from `layout.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..core import Gate, Problem
from ..plans import Plan
from .check import Stack, group_codes, period_start, quarter_of
from .locate import RawTable
from .oddities import NOTHING, gaps, odd_amounts, odd_columns, places_of
from .privacy import identifier_gate
from .schema import layout
from .words import plain


def data_gates(
    tables: Mapping[str, Stack], plan: Plan, *, cities: Sequence[str] | None = None, until: float | None = None
) -> tuple[Gate, ...]:
    """All gates of the data, in the order of a quality checklist; `passed` None where there is nothing to judge.

    cities  that must be there (default: all of the plan);  until: month up to which (`last_month`; default: the last)
    """
    return (
        identifier_gate({name: item.frame for name, item in tables.items()}),
        rows_reconcile(tables),
        totals_tie(tables),
        units_declared(tables),
        amounts_plausible(tables),
        places_complete(tables, plan, plan.cities if cities is None else cities),
        months_complete(tables, plan, last_month(tables) if until is None else until),
        industry_known(tables),
        unit_code_linkage(tables),
        date_order_share(tables),
        amount_order(tables),
        duplicates(tables),
        exposure_jumps(tables),
        odd_amounts(tables),
        odd_columns(tables),
        gaps(tables),
    )


def _limit(name: str) -> float:
    return float(layout()["limits"][name])


def _at_most(name: str, wrong: int, rows: int, limit: float, items: Sequence[Any] = ()) -> Gate:
    """A gate on the share of wrong rows; not judged without rows."""
    share = wrong / rows if rows else 0.0
    detail = {"n": wrong, "rows": rows, "share": share, "limit": limit, "items": list(items[:5]) or NOTHING}
    return Gate(name=name, passed=share <= limit if rows else None, detail=detail)


def _at_least(name: str, wrong: int, rows: int, limit: float, items: Sequence[Any] = ()) -> Gate:
    """A gate on the share of right rows; not judged without rows."""
    share = (rows - wrong) / rows if rows else 1.0
    detail = {"n": wrong, "rows": rows, "share": share, "limit": limit, "items": list(items[:5]) or NOTHING}
    return Gate(name=name, passed=share >= limit if rows else None, detail=detail)


def _raws(tables: Mapping[str, Stack]) -> list[RawTable]:
    return [part.raw for item in tables.values() for part in item.parts]


def rows_reconcile(tables: Mapping[str, Stack]) -> Gate:
    """Rows below the headers = rows kept + totals + footers + blank + repeated headers, over all files."""
    counts: dict[str, int] = {}
    for raw in _raws(tables):
        for fate, n in raw.counts.items():
            counts[fate] = counts.get(fate, 0) + n
    stored = sum(len(item.frame) for item in tables.values())
    kept = counts.get("kept", 0)
    return Gate(
        name="rows_reconcile",
        passed=kept == stored,
        severity="stop",
        detail={
            "files": len({raw.file for raw in _raws(tables)}),
            "read": sum(counts.values()),
            "kept": stored,
            "totals": counts.get("total", 0),
            "left_out": sum(counts.values()) - kept - counts.get("total", 0),
        },
    )


def totals_tie(tables: Mapping[str, Stack]) -> Gate:
    """Printed grand totals = sums of the rows above them, within the rounding of the file."""
    checked, wrong = 0, []
    for raw in _raws(tables):
        if len(raw.totals) != 1:
            continue
        row, cells = raw.totals[0]
        for column in raw.table.of_type("int", "money"):
            if column.name in cells and (told := _plain_number(cells[column.name])) is not None:
                checked += 1
                total = float(np.nansum([_plain_number(v) or 0.0 for v in raw.columns[column.name]]))
                slack = 0.5 if column.type == "int" else 0.005 * (len(raw.rows) + 1) + 1e-9 * abs(told)
                if abs(total - told) > slack:
                    wrong.append(
                        {"file": raw.file, "row": row, "column": raw.headers[column.name], "stated": told, "sum": total}
                    )
    first = [{"key": "gate.totals_tie.item", "values": item} for item in wrong[:5]]
    return Gate(
        name="totals_tie",
        passed=None if not checked else not wrong,
        detail={"checked": checked, "n": len(wrong), "items": first or NOTHING},
    )


def _plain_number(cell: object) -> float | None:
    if isinstance(cell, (int, float)):
        return float(cell)
    try:
        return float(plain(cell).replace(",", ""))
    except ValueError:
        return None


def units_declared(tables: Mapping[str, Stack]) -> Gate:
    """Money columns whose unit neither the file nor the workspace states; they were read as yuan."""
    found = sorted(
        {
            f"{part.raw.file}: {header}"
            for item in tables.values()
            for part in item.parts
            for header in part.notes["undeclared"]
        }
    )
    return Gate(name="units_declared", passed=not found, detail={"n": len(found), "items": found[:5] or NOTHING})


def amounts_plausible(tables: Mapping[str, Stack]) -> Gate:
    """Amounts outside their usual range although file and workspace agree on the unit."""
    found = [p for item in tables.values() for part in item.parts for p in part.notes["implausible"]]
    return Gate(
        name="amounts_plausible",
        passed=not found,
        detail={"n": len(found), "items": [_amount_item(p) for p in found[:5]] or NOTHING},
    )


def _amount_item(problem: Problem) -> dict[str, Any]:
    where = problem.where
    values = {"file": where.file, "row": where.row, "column": where.column, "median": problem.values["median"]}
    return {"key": "gate.amounts_plausible.item", "values": values}


def places_complete(tables: Mapping[str, Stack], plan: Plan, cities: Sequence[str]) -> Gate:
    """Every one of these cities stands in every yearly or monthly official table that is there, and in the tables that
    two thirds of all cities send, if it sent any."""
    present = {n: set(item.frame["place"].unique()) for n, item in tables.items() if "place" in item.frame}
    names = [n for n in ("exposure_summary", "case_summary", "ledger", "policy_panel") if n in present]
    sent = [p for p in plan.cities if any(p in places for places in present.values())]
    usual = [n for n in present if n not in names and 3 * len(present[n] & set(sent)) >= 2 * len(sent)]
    absent = [(name, place) for name in usual for place in cities if place in sent and place not in present[name]]
    absent += [(name, place) for name in names for place in cities if place not in present[name]]
    items = [
        {
            "key": "gate.places_complete.item",
            "values": {"table": {"key": f"table.{name}"}, "place": plan.place_name(place)},
        }
        for name, place in absent[:5]
    ]
    return Gate(
        name="places_complete",
        passed=not absent if present else None,
        detail={"n": len(absent), "items": items or NOTHING},
    )


def last_month(tables: Mapping[str, Stack]) -> float:
    """Last month with insured counts, counted from the year 0 (12 a year); 0 where there are none."""
    if "exposure_summary" not in tables:
        return 0.0
    return float(np.nanmax(_months(tables["exposure_summary"].frame), initial=0))


def _months(frame: pd.DataFrame) -> np.ndarray:
    starts = period_start(frame["month"])
    return (starts.dt.year * 12 + starts.dt.month).to_numpy(float)


def months_complete(tables: Mapping[str, Stack], plan: Plan, until: float) -> Gate:
    """Every place × industry has insured counts for every month from its first to `until`."""
    if "exposure_summary" not in tables:
        return Gate(name="months_complete", passed=None, detail={"n": 0, "cells": 0, "items": NOTHING})
    frame = tables["exposure_summary"].frame
    cell = frame.assign(m=_months(frame)).dropna(subset=["m"]).drop_duplicates(["place", "industry", "m"])
    by = cell.groupby(["place", "industry"], sort=False)["m"].agg(["min", "size"])
    lacking = until - by["min"] + 1 - by["size"]
    gap = int(lacking.sum())
    items = [_gap_item(plan, place, industry, int(n)) for (place, industry), n in lacking[lacking > 0].head(5).items()]
    detail = {"n": gap, "cells": int(by["size"].sum()) + gap, "items": items or NOTHING}
    return Gate(name="months_complete", passed=gap == 0, detail=detail)


def _gap_item(plan: Plan, place: str, industry: str, n: int) -> dict[str, Any]:
    known = not plan.industries.empty and industry in set(plan.industries["industry"])
    name = plan.industry_name(industry) if known else industry
    return {"key": "gate.months_complete.item", "values": {"place": plan.place_name(place), "industry": name, "n": n}}


def industry_known(tables: Mapping[str, Stack]) -> Gate:
    """Share of rows whose industry is not in the plan's list."""
    notes = [
        part.notes
        for item in tables.values()
        for part in item.parts
        if any(column.codes for column in item.table.columns)
    ]
    unknown, rows = sum(n["unknown_industry"] for n in notes), sum(n["rows"] for n in notes)
    items = [{"key": "gate.cell", "values": values} for n in notes for values in n["unknown_items"]]
    return _at_most("industry_known", unknown, rows, _limit("unknown_industry"), items)


def unit_code_linkage(tables: Mapping[str, Stack]) -> Gate:
    """Share of claims whose unit has insured workers in the quarter of injury: the codes of two systems meet."""
    if not {"claim", "exposure"} <= set(tables):
        return _at_least("unit_code_linkage", 0, 0, _limit("unit_code_linkage"))
    claims, exposure = tables["claim"].frame, tables["exposure"].frame
    known = pd.MultiIndex.from_frame(exposure[["unit_id", "quarter"]]).drop_duplicates()
    wanted = pd.MultiIndex.from_arrays([claims["unit_id"], quarter_of(claims["injury_date"])])
    loose = np.flatnonzero(known.get_indexer(wanted) < 0)
    items = places_of(tables["claim"], loose, "unit_id")
    return _at_least("unit_code_linkage", len(loose), len(claims), _limit("unit_code_linkage"), items)


def date_order_share(tables: Mapping[str, Stack]) -> Gate:
    """Share of pairs of dates in the order their table expects, over all chains of all tables."""
    pairs, wrong, items = 0, 0, []
    for item in tables.values():
        for chain in (*item.table.order, *item.table.sequence):
            for a, b in combinations([c for c in chain if c in item.frame], 2):
                both = (item.frame[a].notna() & item.frame[b].notna()).to_numpy()
                turned = np.flatnonzero((item.frame[b] < item.frame[a]).to_numpy() & both)
                pairs, wrong = pairs + int(both.sum()), wrong + len(turned)
                items += [place for place in places_of(item, turned, b) if place not in items]
    return _at_least("date_order_share", wrong, pairs, _limit("date_order_share"), items)


def amount_order(tables: Mapping[str, Stack]) -> Gate:
    """Rows in which an amount exceeds the one that bounds it: paid > contract, contract > budget."""
    rows, wrong, items = 0, 0, []
    for item in tables.values():
        for chain in item.table.usually_at_most:
            for a, b in pairwise(chain):
                both = item.frame[[a, b]].notna().all(axis=1)
                over = np.flatnonzero(((item.frame[a] > item.frame[b] + 0.005) & both).to_numpy())
                rows, wrong = rows + int(both.sum()), wrong + len(over)
                items += places_of(item, over, a)
    detail = {"n": wrong, "rows": rows, "items": items[:5] or NOTHING}
    return Gate(name="amount_order", passed=wrong == 0 if rows else None, detail=detail)


def duplicates(tables: Mapping[str, Stack]) -> Gate:
    """Rows that equal an earlier row in everything but their key: the same event entered twice?"""
    rows, wrong, items = 0, 0, []
    for item in tables.values():
        if not item.table.suspect:
            continue
        columns = [c.name for c in item.table.kept if c.name not in item.table.key and item.frame[c.name].notna().any()]
        codes, _ = group_codes(item.frame, columns)
        again = np.flatnonzero(pd.Series(codes).duplicated())
        rows, wrong = rows + len(codes), wrong + len(again)
        items += places_of(item, again, item.table.key[0])
    return _at_most("duplicates", wrong, rows, _limit("duplicates"), items)


def exposure_jumps(tables: Mapping[str, Stack]) -> Gate:
    """Share of month-to-month changes of insured counts beyond a factor, by place × industry, small cells left out."""
    if "exposure_summary" not in tables:
        return Gate(
            name="exposure_jumps",
            passed=None,
            detail={"n": 0, "rows": 0, "share": 0.0, "factor": _limit("exposure_jump")},
        )
    frame = tables["exposure_summary"].frame
    cells = frame.groupby(["place", "industry", "month"], sort=True)["insured"].sum().reset_index()
    same = (cells["place"].eq(cells["place"].shift()) & cells["industry"].eq(cells["industry"].shift())).to_numpy()
    now, before = cells["insured"].to_numpy(float), cells["insured"].shift().to_numpy(float)
    use = same & (np.maximum(now, before) >= _limit("exposure_jump_insured"))
    jump = np.abs(np.log(np.maximum(now, 1)[use] / np.maximum(before, 1)[use])) > np.log(_limit("exposure_jump"))
    share = float(jump.mean()) if use.any() else 0.0
    return Gate(
        name="exposure_jumps",
        passed=share <= _limit("exposure_jump_share"),
        detail={"n": int(jump.sum()), "rows": int(use.sum()), "share": share, "factor": _limit("exposure_jump")},
    )
