"""Supervision of projects from application to payment: acceptance in time (I18), papers (I19), exceptions."""

from __future__ import annotations

import re

import pandas as pd

from ..plans import Plan
from .frames import Tables, dates, entries_of

STEPS = ("applied", "reviewed", "approved", "contracted", "started", "ended", "accepted", "paid_final")
PASSED = ("passed", "passed_after_rework")


def projects_of(canonical: Tables, plan: Plan, *, place: str, period: int | None = None) -> pd.DataFrame:
    """Register of projects of a place with its days as datetimes (NaT = not yet).

    period   keeps one budget year, all without it. The province has its cities' projects and its own.
    """
    frame = entries_of(canonical, "project", plan, place)
    if period is not None:
        frame = frame.loc[frame["fiscal_year"] == period]
    return frame.assign(**{step: dates(frame[step]) for step in STEPS if step in frame})


def acceptance(canonical: Tables, plan: Plan, *, place: str, period: int | None = None) -> pd.DataFrame:
    """I18 by project: was it accepted within the days allowed after its end?

    Returns project_id, place, fiscal_year, title, type, ended, accepted, days (end to acceptance), acceptance, due
    (True once the days are over at as_of or the acceptance is there), on_time (True, False, missing while not due).
    A project that failed acceptance is not on time. Source: plan 二(八); the days allowed are a default of the toolkit.
    """
    frame, rule = projects_of(canonical, plan, place=place, period=period), plan.settings["targets"]["acceptance"]
    limit = frame["ended"] + pd.Timedelta(days=rule["value"])
    settled = frame["accepted"].notna() & frame["acceptance"].isin(PASSED)
    due = frame["ended"].notna() & ((limit < pd.Timestamp(canonical.as_of)) | frame["accepted"].notna())
    on_time = (settled & (frame["accepted"] <= limit)).astype("boolean").mask(~due)
    frame = frame.assign(days=(frame["accepted"] - frame["ended"]).dt.days, due=due, on_time=on_time)
    columns = ("project_id", "place", "fiscal_year", "title", "type", "ended", "accepted", "days", "acceptance")
    return frame[[*columns, "due", "on_time"]].reset_index(drop=True)


def artefacts(canonical: Tables, plan: Plan, *, place: str, period: int | None = None) -> pd.DataFrame:
    """I19 by finished project and paper: is it on file?

    Returns project_id, place, artefact (code of the plan), present (bool), one row per finished project × required
    paper. Words on file are matched whole with the plan's list of names; separators 、 ; , | and blanks all count.
    """
    frame = projects_of(canonical, plan, place=place, period=period)
    frame = frame.loc[frame["ended"].notna() & (frame["ended"] <= pd.Timestamp(canonical.as_of))]
    words = {w: code for code, names in plan.settings["artefacts"]["required"].items() for w in (*names, code)}
    filed = frame[["project_id"]].assign(artefact=frame["artefacts"].fillna("").astype(str).str.split(_SEPARATOR))
    filed = filed.explode("artefact").replace({"artefact": words}).drop_duplicates().assign(present=True)
    wanted = frame[["project_id", "place"]].merge(
        pd.DataFrame({"artefact": list(plan.settings["artefacts"]["required"])}), how="cross"
    )
    found = wanted.merge(filed, on=["project_id", "artefact"], how="left")
    return found.assign(present=found["present"].notna())


_SEPARATOR = re.compile(r"[、；;，,|/\s]+")


def exceptions(canonical: Tables, plan: Plan, *, place: str, period: int | None = None) -> pd.DataFrame:
    """What a supervisor must look at: one row per project and finding (text `exception.<finding>`).

    Findings: date_order (a step before the one ahead of it), not_accepted (days allowed are over), late_acceptance,
    paid_before_acceptance, failed_but_paid, over_contract, over_budget, outside_use (neither publicity nor training).
    Returns project_id, place, title, finding. A finding is a question, not a charge.
    """
    frame = projects_of(canonical, plan, place=place, period=period)
    judged = acceptance(canonical, plan, place=place, period=period)
    late = judged["due"].to_numpy() & ~judged["on_time"].fillna(False).to_numpy(bool)
    found = {
        "date_order": _disordered(frame),
        "not_accepted": late & frame["accepted"].isna().to_numpy(),
        "late_acceptance": late & frame["accepted"].notna().to_numpy() & frame["acceptance"].isin(PASSED).to_numpy(),
        "paid_before_acceptance": frame["paid_final"].notna()
        & (frame["accepted"].isna() | (frame["paid_final"] < frame["accepted"])),
        "failed_but_paid": (frame["acceptance"] == "failed") & frame["paid_final"].notna(),
        "over_contract": frame["actual_cost"] > frame["contract_sum"],
        "over_budget": frame["contract_sum"] > frame["budget"],
        "outside_use": frame["type"] == "other",
    }
    columns = ["project_id", "place", "title"]
    parts = [frame.loc[pd.Series(mask, index=frame.index).fillna(False).astype(bool), columns].assign(finding=name)
             for name, mask in found.items()]  # fmt: skip
    return pd.concat(parts, ignore_index=True).sort_values(["project_id", "finding"], ignore_index=True)


def _disordered(frame: pd.DataFrame) -> pd.Series:
    """True where a known day lies before the latest known day of an earlier step."""
    days = frame[[s for s in STEPS if s in frame]]
    numbers = days.apply(lambda c: c.astype("datetime64[ns]").astype("int64").where(c.notna()))
    before = numbers.cummax(axis=1).ffill(axis=1).shift(1, axis=1)
    return (numbers < before).any(axis=1)
