"""Training: coverage of key staff (I13), reach (I14), pass rate and gain (I15), cost of a passed hour (I17)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..plans import Plan
from .frames import Tables, dates, divide, entries_of, rows_of, total, year_of
from .intervals import wilson
from .rates import mean_insured


def training_coverage(
    canonical: Tables,
    plan: Plan,
    *,
    place: str,
    period: int,
    by: Sequence[str] = ("role", "industry"),
    level: float = 0.95,
) -> pd.DataFrame:
    """I13: people of key posts with a valid pass ÷ people on the roster, key industries, at the end of `period`.

    by   any of "place", "role", "industry"; () pools all.
    Each cell is taken at its last count not after 31 December of `period`. Returns `by` columns, date (of the latest
    count), roster, passed, gap (persons), coverage (fraction), conf_low, conf_high (Wilson), target, status: "met" at
    full coverage, "near" from 95 %, "not_met", "no_data" where the roster is empty; before the plan's date the
    status is "provisional" unless met.
    Not for people trained (人次): a person counts once, where the roster says so. Source: plan 二(三).
    """
    rule = plan.settings["targets"]["training_coverage"]
    latest = _latest(canonical, plan, place, period)
    by = list(by)
    keys = by or ["all"]
    frame = latest.assign(all="").groupby(keys, as_index=False)[["roster", "passed"]].sum()
    frame = frame.drop(columns="all", errors="ignore")
    low, high = wilson(frame["passed"], frame["roster"], level)
    coverage = divide(frame["passed"], frame["roster"])
    frame = frame.assign(
        date=latest["date"].max(), gap=frame["roster"] - frame["passed"], coverage=coverage, conf_low=low,
        conf_high=high, target=rule["value"],
    )  # fmt: skip
    return frame.assign(status=_status(coverage, rule, period))


def _latest(canonical: Tables, plan: Plan, place: str, period: int) -> pd.DataFrame:
    frame = rows_of(canonical, "roster_summary", plan, place)
    frame = frame.loc[frame["industry"].isin(plan.key_industries)].assign(date=dates(frame["date"]))
    frame = frame.loc[frame["date"] <= pd.Timestamp(period, 12, 31)].sort_values("date", kind="stable")
    return frame.drop_duplicates(["place", "role", "industry"], keep="last")


def _status(coverage: np.ndarray, rule: dict, period: int) -> np.ndarray:
    due = period >= int(rule["due"][:4])
    open_word = np.where(coverage >= rule["near"] - 1e-9, "near", "not_met") if due else "provisional"
    return np.where(np.isnan(coverage), "no_data", np.where(coverage >= rule["value"] - 1e-9, "met", open_word))


def training_reach(canonical: Tables, plan: Plan, *, place: str) -> pd.DataFrame:
    """I14: persons trained ÷ mean monthly insured, by year.

    Returns year, persons, person_times, insured, value (fraction; a person trained by two projects counts twice, so
    it is an upper bound of the unique reach). The province adds its own projects to those of its cities.
    """
    frame = _trainings(canonical, plan, place)
    people = rows_of(canonical, "exposure_summary", plan, place)
    people = mean_insured(people.assign(year=year_of(people["month"])), ["year"])
    out = frame.groupby("year", as_index=False)[["persons", "person_times"]].sum().merge(people, on="year", how="left")
    return out.assign(value=divide(out["persons"], out["insured"]))


def training_results(
    canonical: Tables, plan: Plan, *, place: str, by: Sequence[str] = ("year",), level: float = 0.95
) -> pd.DataFrame:
    """I15: pass rate and gain in knowledge.

    by   "year" and, if wanted, "mode". Returns `by`, persons, sat, passed, value (passed ÷ sat), conf_low, conf_high
    (Wilson), gain (points, mean of post − pre weighted by people who sat), satisfaction (1-5, weighted by persons).
    """
    frame = _trainings(canonical, plan, place)
    weighted = frame.assign(
        gained=(frame["post_mean"] - frame["pre_mean"]) * frame["sat"],
        tested=frame["sat"].where(frame["post_mean"].notna() & frame["pre_mean"].notna()),
        content=frame["satisfaction"] * frame["persons"], asked=frame["persons"].where(frame["satisfaction"].notna()),
    )  # fmt: skip
    names = ["persons", "sat", "passed", "gained", "tested", "content", "asked"]
    out = weighted.groupby(list(by), as_index=False)[names].sum()
    low, high = wilson(out["passed"], out["sat"], level)
    out = out.assign(
        value=divide(out["passed"], out["sat"]), conf_low=low, conf_high=high,
        gain=divide(out["gained"], out["tested"]),
        satisfaction=divide(out["content"], out["asked"]),
    )  # fmt: skip
    return out[[*by, "persons", "sat", "passed", "value", "conf_low", "conf_high", "gain", "satisfaction"]]


def unit_cost(
    canonical: Tables, plan: Plan, *, place: str, by: Sequence[str] = ("fiscal_year", "mode")
) -> pd.DataFrame:
    """I17: actual cost ÷ hours of people who passed, of training projects with both.

    by   any of "fiscal_year", "mode", "place", "project_id", "target_industry".
    Returns `by`, projects, cost (yuan of the year), hours (hours × persons passed), value (yuan per passed hour).
    Publicity has no passed hours and is left out. Projects whose cost or hours are missing are left out.
    """
    frame = project_costs(canonical, plan, place)
    out = frame.groupby(list(by), as_index=False).agg(
        projects=("project_id", "nunique"), cost=("cost", "sum"), hours=("hours", "sum")
    )
    return out.assign(value=divide(out["cost"], out["hours"]))


def project_costs(canonical: Tables, plan: Plan, place: str) -> pd.DataFrame:
    """One row per training project with its actual cost (yuan of the year) and passed hours (hours × persons passed).

    Columns of the register with `actual_cost` as cost, and hours. Projects without cost or passed hours are left out.
    """
    done = _trainings(canonical, plan, place)
    hours = total(done.assign(hours=done["hours"] * done["passed"]), "hours", ["project_id"])
    projects = entries_of(canonical, "project", plan, place)
    frame = projects.loc[projects["type"] == "training"].rename(columns={"actual_cost": "cost"})
    frame = frame.merge(hours, on="project_id", how="inner")
    return frame.loc[(frame["cost"] > 0) & (frame["hours"] > 0)]


def _trainings(canonical: Tables, plan: Plan, place: str) -> pd.DataFrame:
    return entries_of(canonical, "training_summary", plan, place)
