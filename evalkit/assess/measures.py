"""The plan's measures against their days: what was reported, what the dates say, what is overdue (I20)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..plans import Plan
from .frames import Tables, dates

DONE = ("done", "done_late")


def measures(canonical: Tables, plan: Plan, *, place: str, period: int) -> pd.DataFrame:
    """One row per measure of the plan for a place, as at 31 December of `period` or at as_of, whichever is earlier.

    Returns measure_no, due_date (of this period for yearly duties), recurring, provincial, role ("issue" for the
    provincial level, "adopt" for a city and a provincial measure, "carry_out" else), reported (status as reported),
    status (after the dates were looked at), done_date, doc_no, applicable, due (day has come), on_time, corrected (the
    status differs from the reported one).
    Rules: done after the day = "done_late"; not done and the day has passed = "overdue"; a once-only measure keeps
    its latest report, a yearly duty needs one in `period`; no report = "no_data". Days written as a year alone are
    read as its last day. A city reports adoption of provincial measures, never authorship.
    Source: plan, list of main measures.
    """
    frame = _with_reports(canonical, plan, place, period)
    frame = frame.assign(due_date=_due_dates(frame, period), reported=frame["status"].fillna("no_data"))
    late = frame["reported"].isin(DONE) & (
        (frame["done_date"] > frame["due_date"]) | (frame["reported"] == "done_late")
    )
    done = frame["reported"].isin(DONE)
    past = (frame["due_date"] <= pd.Timestamp(period, 12, 31)) & (frame["due_date"] < pd.Timestamp(canonical.as_of))
    status = np.select(
        [done & late, done, frame["reported"].isin(("not_applicable", "no_data")), past],
        ["done_late", "done", frame["reported"], "overdue"],
        default=frame["reported"].replace("overdue", "in_progress"),
    )
    frame = frame.assign(
        status=status, applicable=frame["reported"] != "not_applicable", due=past, on_time=done & ~late,
        role=_role(frame["provincial"] == 1, place == plan.province),
    )  # fmt: skip
    frame["corrected"] = frame["status"] != frame["reported"]
    return frame[list(_COLUMNS)].reset_index(drop=True)


_COLUMNS = (
    "measure_no", "due_date", "recurring", "provincial", "role", "reported", "status", "done_date", "doc_no",
    "applicable", "due", "on_time", "corrected",
)  # fmt: skip


def measure_counts(frame: pd.DataFrame) -> dict[str, int]:
    """Counts behind I20: applicable, done, due (applicable and day come), done_on_time (of the due), overdue.

    frame   rows of `measures`. Two shares follow: done ÷ applicable, done_on_time ÷ due; neither weighs measures.
    """
    applicable = frame.loc[frame["applicable"]]
    due = applicable.loc[applicable["due"]]
    return {
        "applicable": len(applicable),
        "done": int(applicable["status"].isin(DONE).sum()),
        "due": len(due),
        "done_on_time": int(due["on_time"].sum()),
        "overdue": int((applicable["status"] == "overdue").sum()),
    }


def measure_roll_up(canonical: Tables, plan: Plan, *, period: int) -> pd.DataFrame:
    """Status of every measure in every city, long: place, measure_no, status; `pivot` makes the 21 × 18 table.

    Rules and words as in `measures`; the provincial level itself is left out.
    """
    parts = [
        measures(canonical, plan, place=city, period=period)[["measure_no", "status"]].assign(place=city)
        for city in plan.cities
    ]
    return pd.concat(parts, ignore_index=True)[["place", "measure_no", "status"]]


def measure_totals(canonical: Tables, plan: Plan, *, period: int) -> pd.DataFrame:
    """Per measure, how many cities stand where: measure_no, cities (to which it applies) and a column per status.

    Columns done, done_late, in_progress, not_started, overdue, no_data, not_applicable count cities, all of them.
    """
    long = measure_roll_up(canonical, plan, period=period)
    table = pd.crosstab(long["measure_no"], long["status"])
    words = ["done", "done_late", "in_progress", "not_started", "overdue", "no_data", "not_applicable"]
    table = table.reindex(columns=words, fill_value=0)
    cities = table.sum(axis=1) - table["not_applicable"]
    return table.assign(cities=cities).rename_axis(columns=None).reset_index()


def _with_reports(canonical: Tables, plan: Plan, place: str, period: int) -> pd.DataFrame:
    """The plan's measures with the latest report of the place that counts for `period`."""
    known = canonical.tables["measure_status"]
    known = known.loc[(known["place"] == place) & (known["year"] <= period)].sort_values("year", kind="stable")
    known = known.drop_duplicates("measure_no", keep="last")[["measure_no", "year", "status", "done_date", "doc_no"]]
    wanted = plan.measures[["no", "due_date", "recurring", "provincial"]].rename(columns={"no": "measure_no"})
    frame = wanted.merge(known, on="measure_no", how="left")
    stale = (frame["recurring"] == 1) & (frame["year"] != period)
    frame["done_date"] = dates(frame["done_date"])
    frame.loc[stale, "status"] = None
    frame.loc[stale, "done_date"] = pd.NaT
    return frame


def _due_dates(frame: pd.DataFrame, period: int) -> pd.Series:
    """The measure's own day; for a yearly duty without one, the last day of the period."""
    own = dates(frame["due_date"])
    return own.mask(own.isna() & (frame["recurring"] == 1), pd.Timestamp(period, 12, 31))


def _role(provincial: pd.Series, is_province: bool) -> np.ndarray:
    own = "issue" if is_province else "adopt"
    return np.where(provincial, own, "carry_out")
