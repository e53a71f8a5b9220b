"""What the fund paid for every claim of the extracts: the benefit schedule, dated from the injury, as far as paid."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from ...sources import parameter, parameters
from ...sources import table as source
from .calibrate import settings, stream
from .extract import claim_ids
from .firms import Firms
from .office import plan_table
from .official import wage_path
from .timeline import months
from .world import World

MONTH = 30.4
"""Days of a month of waiting."""
ITEMS = {"pension": "disability_pension"}
"""Items of the schedule that a payment table calls by another name."""


def benefit(world: World) -> pd.DataFrame:
    """Payments of the fund by claim, item and month, known at as_of; yuan of the day.

    Columns claim_id, person_name, place, item, period (month it is for), amount, paid_date, payer. What falls due
    after as_of is not there; a few payments have no date.
    """
    return pd.concat([_of(world.seed, f, c) for f, c in zip(world.firms, world.claims)], ignore_index=True)


def _of(seed: int, firms: Firms, claims: pd.DataFrame) -> pd.DataFrame:
    spec, s = firms.spec, settings()["payment"]
    rng = stream(seed, f"{spec.project_id}/payments")
    rows = payments(rng, claims, spec.place)
    rows = rows[rows["paid"] <= np.datetime64(settings()["time"]["as_of"])]
    rows = rows.sort_values(["row", "item", "period"], kind="stable", ignore_index=True)
    paid = rows["paid"].dt.strftime("%Y-%m-%d").mask(rng.random(len(rows)) < s["undated_share"], "")
    serial = rows["row"].to_numpy() + 1
    return pd.DataFrame({
        "claim_id": claim_ids(firms, len(claims))[rows["row"]],
        "person_name": [settings("office")["names"]["person"].format(n=n) for n in serial],
        "place": spec.place, "item": rows["item"], "period": rows["period"].dt.strftime("%Y-%m"),
        "amount": rows["amount"].round(2), "paid_date": paid, "payer": "fund",
    })  # fmt: skip


def payments(rng: np.random.Generator, claims: pd.DataFrame, place: str) -> pd.DataFrame:
    """Payments of `claims` (as `draw_claims`) whenever they fall due: row (of the claim), item, period, amount, paid.

    Amounts follow the rules of the fund in `sources`; running benefits are followed to the end of the world.
    """
    rules = source("benefits")
    rules = rules[(rules.payer == "fund") & ~rules.item.isin(["admin", "pension_top_up"])]
    people = _people(rng, claims, place)
    parts = [_due(rng, rule, people[_entitled(rule, people)]) for rule in rules.to_dict("records")]
    rows = pd.concat([p for p in parts if len(p)], ignore_index=True)
    rows["item"] = rows["item"].replace(ITEMS)
    first = rows.groupby(["row", "item", "period"], as_index=False, sort=False)
    return first.agg(amount=("amount", "sum"), paid=("paid", "max"))


def _people(rng: np.random.Generator, claims: pd.DataFrame, place: str) -> pd.DataFrame:
    """Bases and dates of every claim: yuan of a month's or year's unit, days on which things are settled."""
    s, n = settings()["payment"], len(claims)
    month, year = claims["month"].to_numpy(), claims["injury_date"].dt.year.to_numpy()
    pool = _pool_wage(place) * wage_path()[month] / settings()["money"]["wage"]
    own = wage_path()[month] * np.exp(s["wage_sd"] * rng.standard_normal(n) - s["wage_sd"] ** 2 / 2)
    floor, cap = (parameter(k).value for k in ("wage_floor_share", "wage_cap_share"))
    income = {y: parameter("disposable_income_urban", int(y) - 1).value for y in np.unique(year)}
    decided = claims["decision_date"].to_numpy("datetime64[D]")
    graded = decided + (MONTH * rng.uniform(s["grading_months"][0], s["grading_months"][1], n)).astype(int)
    ends = (
        rng.gamma(s["termination_shape"], 365.25 / s["termination_shape"], n) * parameter("years_to_termination").value
    )
    injured = claims["injury_date"].to_numpy("datetime64[D]")
    bill = rng.gamma(s["medical_shape"], 1 / s["medical_shape"], n)
    return pd.DataFrame({
        "row": np.arange(n), "grade": claims["grade"].to_numpy(), "own_wage": np.clip(own, floor * pool, cap * pool),
        "pool_wage": pool, "disposable_income": pd.Series(year).map(income).to_numpy(),
        "medical_cost": pd.Series(year).map(_prices()).to_numpy() * bill,
        "injured": injured, "decided": decided, "graded": graded,
        "terminated": np.maximum(graded, injured + ends.astype(int)), "chance": rng.random(n),
    })  # fmt: skip


def _entitled(rule: Mapping[Any, Any], people: pd.DataFrame) -> np.ndarray:
    """(n,) True for those of the rule's grade, injured while it was in force."""
    first, last = (np.datetime64(rule[k] or "9999-12-31") for k in ("valid_from", "valid_to"))
    return ((people["grade"] == rule["grade"]) & people["injured"].between(first, last)).to_numpy()


def _due(rng: np.random.Generator, rule: Mapping[Any, Any], people: pd.DataFrame) -> pd.DataFrame:
    """Rows of one rule: lump sums once, running benefits by the month."""
    timing, base = str(rule["timing"]), str(rule["base"])
    if rule["item"] == "dependants":
        times = rng.poisson(parameter(str(rule["probability"])).value, len(people))
    elif rule["probability"]:
        times = (people["chance"] < parameter(str(rule["probability"])).value).to_numpy().astype(int)
    else:
        times = np.ones(len(people), dtype=int)
    people, times = people[times > 0], times[times > 0]
    unit = people["medical_cost"] * parameter(base).value if base.startswith("medical_cost") else people[base]
    amount = float(rule["value"]) * times * unit.to_numpy()
    row = people["row"].to_numpy()
    if timing in ("once", "at_termination"):
        when = "terminated" if timing == "at_termination" else "graded" if base == "own_wage" else "decided"
        day, row_of = people[when].to_numpy("datetime64[D]"), np.arange(len(people))
    else:
        row_of, day = _monthly(people, str(rule["grade"]))
    settled = people["decided" if rule["grade"] == "death" else "graded"].to_numpy("datetime64[D]")
    known = day if timing in ("once", "at_termination") else np.maximum(day, settled[row_of])
    low, high = settings()["payment"]["pay_days"]
    wait = rng.integers(low, high, len(row_of))
    return pd.DataFrame({
        "row": row[row_of], "item": rule["item"], "period": day.astype("datetime64[M]"), "amount": amount[row_of],
        "paid": known + wait,
    })  # fmt: skip


def _monthly(people: pd.DataFrame, grade: str) -> tuple[np.ndarray, np.ndarray]:
    """(index of the person, last day of the month) for every month of a running benefit, from the end of leave on."""
    leave = 0.0 if grade == "death" else parameters("leave_months")[f"leave_months.{grade}"].value
    first = (people["injured"].to_numpy("datetime64[D]") + int(MONTH * leave)).astype("datetime64[M]") + 1
    last = np.datetime64(settings()["time"]["as_of"], "M")
    length = np.maximum((last - first).astype(int) + 1, 0)
    row_of = np.repeat(np.arange(len(people)), length)
    step = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    month = first[row_of] + step
    return row_of, (month + 1).astype("datetime64[D]") - 1


def _pool_wage(place: str) -> float:
    """Pool-area mean wage of the reference month."""
    area = plan_table("places").set_index("place").wage_area[place]
    return parameter(f"pool_wage.{area}", settings()["time"]["reference_month"] + "-01").value


@cache
def _prices() -> dict[int, float]:
    """Consumer prices of every year relative to the price year of the medical costs; flat beyond the index."""
    index = source("cpi")
    year = index.valid_from.str[:4].astype(int).to_numpy()
    level = np.cumprod(index.value.to_numpy() / 100)
    base = parameter("medical_cost.ungraded").price_year
    assert base is not None
    years = range(int(months()[0][:4]), int(months()[-1][:4]) + 1)
    at = np.interp([*years, base], year, level)
    return dict(zip(years, at[:-1] / at[-1]))
