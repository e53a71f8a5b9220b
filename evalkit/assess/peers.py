"""Province-wide reference tables that a city is read beside: computed once per edition, frozen, digested."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from ..plans import Plan
from .frames import Tables, has
from .fund import spend_per_insured
from .rates import rates
from .targets import key_industry_target
from .training import project_costs, training_coverage

QUANTILES = {"p10": 0.10, "p25": 0.25, "median": 0.50, "p75": 0.75, "p90": 0.90}


def peers(canonical: Tables, plan: Plan, period: int) -> dict[str, pd.DataFrame]:
    """Reference tables of all cities and the province, those whose source tables exist.

    rates           indicator I01-I05 × place (province included) × year
    rates_industry  I01, I02 × place × industry × year
    target          pooled verdict rows of every place (targets.key_industry_target) after `place`
    unit_cost       fiscal_year, mode, projects, p10 … p90 (yuan per passed hour)
    coverage        training coverage of every place by role, and pooled (role "")
    spend           prevention spending per insured of every place in `period`
    policy_panel    the policy panel as it is
    In-house: cells are not suppressed. Not a league table: intervals come along and order is administrative.
    """
    makers = {
        "rates": (("case_summary", "exposure_summary"), _rates),
        "rates_industry": (("case_summary", "exposure_summary"), _rates_industry),
        "target": (("case_summary", "exposure_summary"), _target),
        "unit_cost": (("project", "training_summary"), _unit_cost),
        "coverage": (("roster_summary",), _coverage),
        "spend": (("ledger", "exposure_summary"), _spend),
        "policy_panel": (("policy_panel",), _policy_panel),
    }
    return {
        name: make(canonical, plan, period) for name, (need, make) in makers.items() if _ready(canonical, plan, need)
    }


def _ready(canonical: Tables, plan: Plan, need: tuple[str, ...]) -> bool:
    return has(canonical, *need) and ("policy_panel" in need or bool(plan.indicators))


def _rates(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    cities = rates(canonical, plan, place=plan.province, by=("place", "year"))
    province = rates(canonical, plan, place=plan.province, by=("year",)).assign(place=plan.province)
    return pd.concat([cities, province[cities.columns]], ignore_index=True)


def _rates_industry(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    codes = ("I01", "I02")
    cities = rates(canonical, plan, codes, place=plan.province, by=("place", "industry", "year"))
    province = rates(canonical, plan, codes, place=plan.province, by=("industry", "year")).assign(place=plan.province)
    return pd.concat([cities, province[cities.columns]], ignore_index=True)


def _target(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    return _every(plan, lambda place: key_industry_target(canonical, plan, place=place))


def _unit_cost(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    frame = project_costs(canonical, plan, plan.province)
    frame = frame.assign(value=frame["cost"] / frame["hours"])
    group = frame.groupby(["fiscal_year", "mode"])["value"]
    table = group.quantile(list(QUANTILES.values())).unstack().set_axis(list(QUANTILES), axis=1)
    return table.assign(projects=group.size()).reset_index()[["fiscal_year", "mode", "projects", *QUANTILES]]


def _coverage(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    by_role = _every(plan, lambda p: training_coverage(canonical, plan, place=p, period=period, by=("role",)))
    pooled = _every(plan, lambda p: training_coverage(canonical, plan, place=p, period=period, by=())).assign(role="")
    return pd.concat([by_role, pooled[by_role.columns]], ignore_index=True)


def _spend(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    frame = _every(plan, lambda place: spend_per_insured(canonical, plan, place=place))
    return frame.loc[frame["year"] == period].reset_index(drop=True)


def _policy_panel(canonical: Tables, plan: Plan, period: int) -> pd.DataFrame:
    return canonical.tables["policy_panel"].reset_index(drop=True)


def _every(plan: Plan, make: Callable[[str], pd.DataFrame]) -> pd.DataFrame:
    """One table for all places, the province last, with `place` in front."""
    parts = [make(place).assign(place=place) for place in (*plan.cities, plan.province)]
    out = pd.concat([p for p in parts if len(p)], ignore_index=True)
    return out[["place", *(c for c in out.columns if c != "place")]]
