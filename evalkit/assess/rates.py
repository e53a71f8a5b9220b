"""Rates I01-I05: cases by date of injury over mean monthly insured, with intervals and the provisional flag."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from ..core import Indicator
from ..plans import Plan
from .frames import MONTHS, Tables, divide, month_of, provisional_years, rows_of, select, total, year_of
from .intervals import exact_poisson

COLUMNS = ("numerator", "denominator", "value", "conf_low", "conf_high", "interval_method", "unit", "provisional")


def mean_insured(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Sum of the insured of all months ÷ 12: the mean of a full year, person-years of a part of one."""
    return total(frame, "insured", by).assign(insured=lambda f: f["insured"] / MONTHS)


def year_end_insured(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Insured of December, the variant `_ye` of the dictionary."""
    return total(frame.loc[month_of(frame["month"]) == MONTHS], "insured", by)


def mean_employees(frame: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean insured without people insured singly (特定人员): the series that the 2021 extension cannot move.

    The numerator cannot be split by type of insured, so the rate over this denominator is an upper bound.
    """
    return mean_insured(frame.loc[frame["insured_type"] == "employee"], by)


DENOMINATORS: dict[str, Callable[[pd.DataFrame, Sequence[str]], pd.DataFrame]] = {
    "mean": mean_insured,
    "year_end": year_end_insured,
    "employee": mean_employees,
}


def exposure_rows(canonical: Tables, plan: Plan, place: str) -> pd.DataFrame:
    """Insured with a headcount, with `year`: industries insured by project and rows of that type are left out."""
    frame = rows_of(canonical, "exposure_summary", plan, place)
    frame = frame.loc[~frame["industry"].isin(plan.settings.get("exclude_from_rates", ()))]
    if "insured_type" in frame:
        frame = frame.loc[frame["insured_type"] != "project"]
    return frame.assign(year=year_of(frame["month"]))


def case_rows(canonical: Tables, plan: Plan, place: str) -> pd.DataFrame:
    """Recognised cases with `year` of injury, all industries."""
    frame = rows_of(canonical, "case_summary", plan, place)
    return frame.assign(year=year_of(frame["month"]))


def rates(
    canonical: Tables,
    plan: Plan,
    codes: Sequence[str] = ("I01", "I02", "I03", "I04", "I05"),
    *,
    place: str,
    by: Sequence[str] = ("year",),
    denominator: str = "mean",
    years: tuple[int, int] | None = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Rates of a place as a tidy table.

    codes        indicators of kind "rate";  place: a city, or the province = the sum over its cities
    by           any of "place", "year", "industry", "situation", "grade"; ("place", "year") gives one row per city
    denominator  "mean" (mean monthly insured, the default), "year_end", "employee"; persons
    years        first and last year, all by default
    Returns one row per indicator × `by`: numerator (cases), denominator (persons), value (numerator ÷ denominator ×
    scale of the indicator), conf_low, conf_high (exact Poisson at `level`), interval_method, unit, provisional (the
    year is younger than the plan's maturity rule). Industries insured by project have no headcount: they are in no
    pooled rate, and by industry they show cases without a rate. KeyError for an unknown denominator or selection.
    Not for comparing cities without their intervals, nor years across a change of who is insured (use "employee").
    Source: indicator dictionary I01-I05; intervals Garwood (1936).
    """
    exposure, cases = exposure_rows(canonical, plan, place), case_rows(canonical, plan, place)
    if years is not None:
        exposure, cases = (f.loc[f["year"].between(*years)] for f in (exposure, cases))
    shown = ["year", *(b for b in by if b != "year")]
    insured = DENOMINATORS[denominator](exposure, [b for b in shown if b in ("place", "year", "industry")])
    parts = [_one(plan, plan.indicator(c), cases, insured, shown, level) for c in codes]
    out = pd.concat(parts, ignore_index=True)
    out["provisional"] = provisional_years(canonical, plan, out["year"])
    return out[["indicator", *shown, *COLUMNS]]


def selection(plan: Plan, cases: pd.DataFrame, name: str) -> pd.DataFrame:
    """Cases that a named selection of the plan counts."""
    return select(cases, plan.settings["selections"][name])


def countable(plan: Plan, cases: pd.DataFrame) -> pd.DataFrame:
    """Cases of industries with a headcount: the only ones a rate may hold."""
    return cases.loc[~cases["industry"].isin(plan.settings.get("exclude_from_rates", ()))]


def _one(
    plan: Plan, indicator: Indicator, cases: pd.DataFrame, insured: pd.DataFrame, shown: list[str], level: float
) -> pd.DataFrame:
    counted = selection(plan, cases, indicator.numerator)
    if "industry" not in shown:
        counted = countable(plan, counted)
    on = [b for b in shown if b in insured]
    found = total(counted, "cases", shown)
    frame = found.merge(insured, on=on, how="outer" if set(shown) == set(on) else "left", sort=True)
    frame["cases"] = frame["cases"].fillna(0)
    low, high = exact_poisson(frame["cases"], level)
    per = divide(indicator.scale, frame["insured"])
    return frame.rename(columns={"cases": "numerator", "insured": "denominator"}).assign(
        indicator=indicator.code, value=frame["cases"] * per, conf_low=low * per, conf_high=high * per,
        interval_method=np.where(np.isnan(per), "", "exact_poisson"), unit=indicator.unit,
    )  # fmt: skip


def person_years(exposure: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Insured person-years by any columns: each month of an insured person is 1/12."""
    return mean_insured(exposure, by)


def up_to_month(frame: pd.DataFrame, month: int) -> pd.DataFrame:
    """Rows of the first `month` calendar months of every year, so that years of unequal age compare like with like."""
    return frame.loc[month_of(frame["month"]) <= month]
