"""Money of the fund: the 3 % cap (province only), budget execution, spending per insured. Amounts are yuan."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core import UserError
from ..plans import Plan
from .frames import Tables, divide, entries_of, number, rows_of, total, year_of
from .rates import mean_insured


def yearly_ledger(canonical: Tables, plan: Plan, *, place: str) -> pd.DataFrame:
    """Ledger of a place by year: levy, prevention, prevention_budget (yuan), levy_previous (of the year before).

    For the province every unit counts, the provincial level's own account included. Levy is 征缴收入 alone: interest
    and subsidies are outside. A year without rows is NaN, never zero.
    """
    pool = entries_of(canonical, "ledger", plan, place)
    pool = pool.assign(year=year_of(pool["month"]))
    wide = total(pool, "amount", ["year", "account"]).pivot(index="year", columns="account", values="amount")
    years = range(int(pool["year"].min()), int(pool["year"].max()) + 1) if len(pool) else []
    wide = wide.reindex(index=years, columns=["levy", "prevention"])
    wide["prevention_budget"] = _budget(pool)
    wide["levy_previous"] = wide["levy"].shift(1)
    return wide.rename_axis(index="year", columns=None).reset_index()


def fund_ratio(canonical: Tables, plan: Plan, *, place: str | None = None) -> pd.DataFrame:
    """I10: prevention spending of a year ÷ levy of the year before, against the cap. The province only.

    Returns year, prevention, levy_previous (yuan), ratio, cap (fractions), room (yuan left under the cap), status "met"
    (ratio ≤ cap), "not_met" or "no_data". Raises UserError("cap_is_provincial") for any other place: the plan
    limits the pooled fund, so no city can be over the cap; `reference_ratio` describes a city without a verdict.
    Source: plan 三(二); 人社部规〔2017〕13号.
    """
    place = place or plan.province
    if place != plan.province:
        raise UserError("cap_is_provincial", place=plan.place_name(place))
    cap = plan.settings["targets"]["cap"]["value"]
    frame = _with_ratio(yearly_ledger(canonical, plan, place=place))
    room = cap * frame["levy_previous"] - frame["prevention"]
    status = np.select([frame["ratio"].isna(), frame["ratio"] > cap], ["no_data", "not_met"], default="met")
    return frame[["year", "prevention", "levy_previous", "ratio"]].assign(cap=cap, room=room, status=status)


def reference_ratio(canonical: Tables, plan: Plan, *, place: str) -> pd.DataFrame:
    """A city's prevention spending ÷ its own levy of the year before: a description, with neither target nor status.

    Returns year, prevention, levy_previous (yuan), ratio (fraction). Never to be read against 3 %.
    """
    frame = _with_ratio(yearly_ledger(canonical, plan, place=place))
    return frame[["year", "prevention", "levy_previous", "ratio"]]


def execution(canonical: Tables, plan: Plan, *, place: str) -> pd.DataFrame:
    """I11: paid ÷ approved budget by year.

    Returns year, prevention, prevention_budget (yuan), ratio (fraction), status against the band of the plan ("met"
    inside, "near" above it, "not_met" below, "no_data" without a budget). Paid is cash of the year, not contracts.
    """
    band = plan.settings["targets"]["execution"]
    frame = yearly_ledger(canonical, plan, place=place)
    ratio = divide(frame["prevention"], frame["prevention_budget"])
    cases = [np.isnan(ratio), ratio > band["high"] + 1e-9, ratio < band["low"]]
    status = np.select(cases, ["no_data", "near", "not_met"], default="met")
    return frame[["year", "prevention", "prevention_budget"]].assign(ratio=ratio, status=status)


def spend_per_insured(canonical: Tables, plan: Plan, *, place: str) -> pd.DataFrame:
    """I12: prevention spending ÷ mean monthly insured, yuan of the year (nominal), every insured person included.

    Returns year, prevention (yuan), insured (persons), value (yuan per person), growth (share over the year before).
    Nominal: comparing years needs a price index.
    """
    money = yearly_ledger(canonical, plan, place=place)[["year", "prevention"]]
    people = rows_of(canonical, "exposure_summary", plan, place)
    people = mean_insured(people.assign(year=year_of(people["month"])), ["year"])
    frame = money.merge(people, on="year", how="left")
    value = divide(frame["prevention"], frame["insured"])
    return frame.assign(value=value, growth=divide(frame["prevention"], frame["prevention"].shift(1)) - 1)


def at_year(frame: pd.DataFrame, year: int, column: str) -> float | None:
    """One number of a yearly table, None where the year or the number is missing."""
    rows = frame.loc[frame["year"] == year, column]
    return number(rows.iloc[0]) if len(rows) else None


def _with_ratio(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(ratio=divide(frame["prevention"], frame["levy_previous"]))


def _budget(pool: pd.DataFrame) -> pd.Series:
    """Approved prevention budget by year: a place states it once or repeats it monthly, so the largest counts."""
    rows = pool.loc[pool["account"] == "prevention"]
    return rows.groupby(["place", "year"])["budget"].max().groupby("year").sum(min_count=1)
