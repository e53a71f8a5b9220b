"""Joint meetings, campaigns and the six venues of 六进, by place and year."""

from __future__ import annotations

import pandas as pd

from ..plans import Plan
from .frames import Tables, dates, entries_of


def activity_rows(canonical: Tables, plan: Plan, *, place: str) -> pd.DataFrame:
    """Log of activities with `year`; the province's is that of its cities and its own."""
    frame = entries_of(canonical, "activity", plan, place)
    day = dates(frame["date"])
    return frame.assign(date=day, year=day.dt.year)


def joint_meetings(canonical: Tables, plan: Plan, *, period: int, place: str | None = None) -> pd.DataFrame:
    """Joint meetings in `period` of every city, or of `place`: place, meetings, first (day), target, status.

    status is "met" or "not_met": a city without an entry held none.

    Source: plan 二(二), at least one a year in every city.
    """
    rule = plan.settings["targets"]["meetings"]
    cities = plan.cities if place in (None, plan.province) else (place,)
    frame = activity_rows(canonical, plan, place=plan.province)
    frame = frame.loc[(frame["year"] == period) & (frame["kind"] == "joint_meeting")]
    found = frame.groupby("place").agg(meetings=("activity_id", "nunique"), first=("date", "min"))
    out = found.reindex(pd.Index(cities, name="place")).reset_index()
    out["meetings"] = out["meetings"].fillna(0).astype(int)
    met = out["meetings"] >= rule["value"]
    return out.assign(target=rule["value"], status=met.map({True: "met", False: "not_met"}))


def activity_summary(canonical: Tables, plan: Plan, *, place: str, period: int) -> pd.DataFrame:
    """Events by kind in `period`: kind, events, persons (人次), firms, cost (yuan), held; 0 for kinds not held.

    One row per kind that the plan knows, in its order; a kind outside the plan is left out. The province counts its
    cities' events and its own. Persons may repeat: never divide them by the insured.
    """
    frame = activity_rows(canonical, plan, place=place)
    frame = frame.loc[frame["year"] == period]
    kinds = ["joint_meeting", *plan.settings["activities"]["campaigns"], "six_enters", "inspection", "exchange"]
    return _counted(frame, "kind", kinds)


def six_enters(canonical: Tables, plan: Plan, *, place: str, period: int) -> pd.DataFrame:
    """六进 by venue in `period`: venue, events, persons, firms, cost (yuan), held. Every event with a venue counts.

    One row per venue of the plan, in its order. Source: plan 二(二).
    """
    frame = activity_rows(canonical, plan, place=place)
    frame = frame.loc[frame["year"] == period]
    return _counted(frame, "venue", plan.settings["activities"]["six_enters"])


def _counted(frame: pd.DataFrame, column: str, wanted: list[str]) -> pd.DataFrame:
    found = frame.groupby(column).agg(
        events=("activity_id", "nunique"), persons=("persons", "sum"), firms=("firms", "sum"), cost=("cost", "sum")
    )
    out = found.reindex(pd.Index(wanted, name=column), fill_value=0).reset_index()
    return out.assign(held=out["events"] > 0)
