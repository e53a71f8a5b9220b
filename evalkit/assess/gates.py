"""Gates that the indicators themselves can judge. Wording: `gate.<name>.title` and `.detail`."""

from __future__ import annotations

import pandas as pd

from ..core import Gate, Score
from ..plans import Plan
from .frames import MONTHS, Tables, has, last_mature_month, rows_of, year_of
from .rates import case_rows, exposure_rows
from .scores import scores


def gates(canonical: Tables, plan: Plan, *, place: str, period: int) -> tuple[Gate, ...]:
    """Every gate of the plan that the tables allow, in the plan's order.

    A gate is judged only where the plan lists it under [gates]; `passed` None = the tables do not tell. `detail` fills
    the text. Source: checklist for sign-off (denominators, unknown industry, provisional flag, province-only 3 % test).
    """
    listed = plan.settings.get("gates", {})
    return tuple(_JUDGES[name](canonical, plan, place, period) for name in listed if name in _JUDGES)


def cap_province_only(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """The 3 % test stands for the province alone: no other place carries a value, a target or a status for it."""
    found = scores(canonical, plan, place=place, period=period, codes=("I10",)) if has(canonical, "ledger") else ()
    return cap_gate(plan, place, found)


def cap_gate(plan: Plan, place: str, found: tuple[Score, ...]) -> Gate:
    """Gate "cap_province_only" over scores that were already made: used by whoever assembles a report.

    Passed where no score of I10 (prevention ÷ levy) of a place other than the province carries a target or a verdict.
    """
    judged = [
        s for s in found if s.indicator == "I10" and (s.target is not None or s.status in ("met", "near", "not_met"))
    ]
    wrong = [s for s in judged if s.place != plan.province]
    return _gate(plan, "cap_province_only", not wrong, place, {"n": len(wrong)})


def denominator_months(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """Every city × industry that has insured people in the period has them in all twelve months."""
    if not has(canonical, "exposure_summary"):
        return _gate(plan, "denominator_months", None, place, {"missing": 0, "cells": 0, "period": period})
    frame = exposure_rows(canonical, plan, place)
    frame = frame.loc[frame["year"] == period]
    months = frame.groupby(["place", "industry"])["month"].nunique()
    cells = len(months)
    missing = int((MONTHS - months).clip(lower=0).sum())
    return _gate(plan, "denominator_months", cells > 0 and missing == 0, place,
                 {"missing": missing, "cells": cells, "period": period})  # fmt: skip


def unknown_industry(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """The share of cases whose industry is not one of the plan's stays below the limit."""
    most = plan.settings["gates"]["unknown_industry"]["most"]
    if not has(canonical, "case_summary"):
        return _gate(plan, "unknown_industry", None, place, {"share": 0.0, "most": most})
    frame = case_rows(canonical, plan, place)
    frame = frame.loc[frame["year"] == period]
    total = float(frame["cases"].sum())
    unknown = float(frame.loc[~frame["industry"].isin(plan.industries["industry"]), "cases"].sum())
    share = unknown / total if total else 0.0
    return _gate(plan, "unknown_industry", share <= most if total else None, place, {"share": share, "most": most})


def provisional_counts(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """All months of the period are final: as old at as_of as the plan's maturity rule asks."""
    mature = last_mature_month(canonical, plan)
    passed = None if not mature else mature >= f"{period}-12"
    detail = {"mature": mature, "months": int(plan.settings.get("maturity_months", 0)), "as_of": canonical.as_of[:10]}
    return _gate(plan, "provisional_counts", passed, place, detail)


def submission_date(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """The data end no later than the day on which the yearly report is due; a later edition is a restatement."""
    due = f"{period}-{plan.settings['due_day']}"
    passed = True if canonical.as_of[:10] <= due else None
    return _gate(plan, "submission_date", passed, place, {"due": due, "as_of": canonical.as_of[:10]})


def project_insured_apart(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """Nobody insured by project stands in an industry whose rate is computed."""
    if not has(canonical, "exposure_summary") or "insured_type" not in canonical.tables["exposure_summary"]:
        return _gate(plan, "project_insured_apart", None, place, {"insured": 0, "industries": {"key": "common.none"}})
    frame = rows_of(canonical, "exposure_summary", plan, place)
    frame = frame.loc[(frame["insured_type"] == "project") & (year_of(frame["month"]) == period)]
    apart = list(plan.settings.get("exclude_from_rates", ()))
    inside = frame.loc[~frame["industry"].isin(apart)]
    names = [plan.industry_name(i) for i in apart]
    return _gate(plan, "project_insured_apart", inside.empty, place,
                 {"insured": int(inside["insured"].sum() / MONTHS), "industries": names})  # fmt: skip


def base_year_sensitivity(canonical: Tables, plan: Plan, place: str, period: int) -> Gate:
    """The verdict on the target is the same for every base year; if not, no single word may stand for it."""
    found = scores(canonical, plan, place=place, period=period, codes=("I06",)) if _can_judge(canonical) else ()
    bases = plan.settings["targets"]["decline"]["bases"]
    words = {s.group or next(iter(bases)): s.status for s in found if s.group in ("", *bases)}
    distinct = set(words.values()) - {"no_data"}
    return _gate(plan, "base_year_sensitivity", None if not distinct else len(distinct) == 1, place,
                 {"bases": list(words), "n": len(distinct)})  # fmt: skip


def _can_judge(canonical: Tables) -> bool:
    return has(canonical, "case_summary", "exposure_summary")


def _gate(plan: Plan, name: str, passed: bool | None, place: str, detail: dict) -> Gate:
    severity = plan.settings["gates"][name].get("severity", "warn")
    passed = None if passed is None or pd.isna(passed) else bool(passed)
    return Gate(name=name, passed=passed, severity=severity, detail=detail, where=place)


_JUDGES = {
    f.__name__: f
    for f in (
        cap_province_only, denominator_months, unknown_industry, provisional_counts, submission_date,
        project_insured_apart, base_year_sensitivity,
    )
}  # fmt: skip
