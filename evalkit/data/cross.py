"""What tables say about each other: cases need insured persons, and an extract cannot exceed the totals it is part of.

Checks that need a missing row to mean something run only where every file of the table could be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..core import Message, Problem
from ..plans import Plan
from .check import Stack, flagged, group_codes, period_start, quarter_of, recognised
from .clean import more_rows
from .links import absent_places, dangling, strays, wrong_places
from .schema import layout


def cross_problems(tables: Mapping[str, Stack], plan: Plan) -> list[Problem]:
    """Contradictions between tables: what a city owes, codes and places that do not meet, cases without exposure, and
    an extract larger than the totals it is part of."""
    problems = strays(tables, plan)
    tables = {name: flagged(item, problems) for name, item in tables.items()}
    problems += wrong_places(tables, plan) + dangling(tables)
    tables = {name: flagged(item, problems) for name, item in tables.items()}
    problems += absent_places(tables, plan)
    if "case_summary" in tables and "exposure_summary" in tables:
        problems += _cases_without_exposure(tables["case_summary"], tables["exposure_summary"], plan)
    if "claim" in tables and "exposure" in tables:
        problems += _claims_without_exposure(tables["claim"], tables["exposure"])
    if {"claim", "enrolment", "case_summary"} <= set(tables):
        problems += _extract_above_totals(tables["claim"], tables["enrolment"], tables["case_summary"])
    if {"exposure", "enrolment", "exposure_summary"} <= set(tables):
        problems += _insured_above_totals(tables["exposure"], tables["enrolment"], tables["exposure_summary"])
    return problems


def _project_insured(plan: Plan) -> list[str]:
    """Industries insured by project: they have no headcount, so no denominator is asked for."""
    if "rate_unit" not in plan.industries:
        return []
    return list(plan.industries.loc[plan.industries["rate_unit"] == "project", "industry"])


def _cases_without_exposure(cases: Stack, exposure: Stack, plan: Plan) -> list[Problem]:
    cell = ["place", "industry", "month"]
    insured = exposure.frame.groupby(cell, sort=False)["insured"].sum(min_count=1).rename("insured").reset_index()
    found = cases.frame[[*cell, "cases"]].merge(insured, on=cell, how="left")
    wanted = ((found["cases"] > 0) & ~found["industry"].isin(_project_insured(plan))).to_numpy() & ~cases.flawed
    covered = found["place"].isin(exposure.frame["place"].unique()).to_numpy()
    empty = found["insured"].isna().to_numpy() & (exposure.clean & covered)
    zero = np.flatnonzero(wanted & ((found["insured"] == 0).to_numpy() | empty))
    return _zero_exposure(cases, zero, "cases", exposure, cell)


def _zero_exposure(
    item: Stack, rows: np.ndarray, column: str, exposure: Stack, cell: list[str], frame: pd.DataFrame | None = None
) -> list[Problem]:
    """One problem for all rows of a cell (place, industry, month; firm, quarter), with the row of its exposure."""
    cells = (item.frame if frame is None else frame)[cell].iloc[rows].reset_index(drop=True)
    codes, _ = group_codes(cells, cell)
    problems = []
    for code in pd.unique(codes):
        own = rows[codes == code]
        n = float(item.frame[column].to_numpy()[own].sum()) if column == "cases" else len(own)
        at = _row_of(exposure, cells[codes == code].iloc[0])
        values = {
            "n": n,
            "more": more_rows(len(own)),
            "at": Message(key="problem.at_row", values=at) if at else "",
            **at,
        }
        problems.append(Problem(key="zero_exposure", where=item.where(int(own[0]), column), values=values))
    return problems


def _row_of(item: Stack, cell: pd.Series) -> dict[str, Any]:
    """File and row of the first row of a table that has these values; {} if there is none."""
    found = np.flatnonzero(
        np.logical_and.reduce([(item.frame[name] == value).to_numpy() for name, value in cell.items()])
    )
    where = item.where(int(found[0])) if len(found) else None
    return {"file": where.file, "row": where.row} if where else {}


def _claims_without_exposure(claims: Stack, exposure: Stack) -> list[Problem]:
    cells = pd.DataFrame({"unit_id": claims.frame["unit_id"], "quarter": quarter_of(claims.frame["injury_date"])})
    found = cells.merge(
        exposure.frame[["unit_id", "quarter", "insured"]].drop_duplicates(["unit_id", "quarter"]),
        on=["unit_id", "quarter"],
        how="left",
    )
    zero = np.flatnonzero((found["insured"] == 0).to_numpy() & ~claims.flawed)
    return _zero_exposure(claims, zero, "unit_id", exposure, ["unit_id", "quarter"], cells)


def _industry_of_units(frame: pd.DataFrame, enrolment: pd.DataFrame) -> pd.Series:
    industry = enrolment.drop_duplicates("unit_id").set_index("unit_id")["industry"]
    return frame["unit_id"].map(industry)


def _extract_above_totals(claims: Stack, enrolment: Stack, cases: Stack) -> list[Problem]:
    cell = ["place", "industry", "month", "situation", "grade"]
    rows = claims.frame[["place", "unit_id", "injury_date", "situation", "grade"]].copy()
    rows["industry"] = _industry_of_units(rows, enrolment.frame)
    rows["month"] = rows["injury_date"].dt.strftime("%Y-%m")
    rows["first"] = np.arange(len(rows))
    rows = rows[recognised(claims.frame) & ~claims.flawed].dropna(subset=cell)
    counts = rows.groupby(cell, sort=False).agg(n=("first", "size"), first=("first", "min")).reset_index()
    totals = cases.frame[[*cell, "cases"]].assign(row=np.arange(len(cases.frame))).drop_duplicates(cell)
    found = counts.merge(totals, on=cell, how="left")
    over = found[found["n"] > found["cases"].fillna(0 if cases.clean else np.inf)]
    return [
        Problem(
            key="extract_exceeds_total",
            where=claims.where(int(row.first), "claim_id") if np.isnan(row.row) else cases.where(int(row.row), "cases"),
            values={"extract": int(row.n), "total": 0 if np.isnan(row.row) else float(row.cases)},
        )
        for row in over.itertuples()
        if np.isnan(row.row) or not cases.flawed[int(row.row)]
    ]


def _insured_above_totals(exposure: Stack, enrolment: Stack, summary: Stack) -> list[Problem]:
    rows = exposure.frame[["place", "unit_id", "quarter", "insured"]].copy()
    rows["industry"] = _industry_of_units(rows, enrolment.frame)
    rows["first"] = np.arange(len(rows))
    cell = ["place", "industry", "quarter"]
    extract = rows.dropna(subset=cell).groupby(cell, sort=False).agg(n=("insured", "sum"), first=("first", "min"))
    totals = summary.frame[["place", "industry", "month", "insured"]].copy()
    months = totals.groupby(["place", "industry", "month"], sort=False)["insured"].sum().reset_index()
    months["quarter"] = quarter_of(period_start(months["month"]))
    mean = months.groupby(cell, sort=False)["insured"].mean().rename("total")
    found = extract.join(mean, how="inner")
    limit = found["total"] * (1 + layout()["limits"]["extract_tolerance"]) + 1
    if not (exposure.clean and summary.clean):
        return []
    return [
        Problem(
            key="extract_exposure_exceeds",
            where=exposure.where(int(row.first), "insured"),
            values={"extract": float(row.n), "total": float(row.total)},
        )
        for row in found[found["n"] > limit].itertuples()
    ]
