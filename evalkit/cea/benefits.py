"""What one injury costs, and whom: the benefit schedule as dated rules, expanded to flows or to a present value.

The rules are data (`sources/tables/benefits.csv`): grade × item, an amount in months of a base, a timing, the chance
that it falls due, payer and payee. Both readings, dated flows and draws of the present value, go through the same
function `entries`, so they agree.

Timings, in years after the injury: "once" 0; "leave" paid leave; "at_termination" when the contract ends;
"to_contract_end" from the end of leave to the end of the contract or retirement; "to_retirement", "top_up" (from
retirement, only what exceeds the basic pension), "for_life", "work_life" (earnings lost to retirement),
"dependants.<who>" for the years of eligibility; "friction" until the post is filled again. Running amounts grow by
`pension_growth` and, where the injured person must be alive to receive them, are weighted with survival.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd

from ..core import Flow, Parameter, UserError
from ..sources import day_of, default, parameter, parameters, table
from . import prices
from .checks import numbers
from .discounting import paid_share, survival
from .distributions import draw_all, possible

GRADES: tuple[str, ...] = ("ungraded", "10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "death")
HORIZON = 75
"""Years over which running benefits are followed: past the age of 110 for anybody of working age."""
_FAMILIES = ("medical_cost", "leave_months", "frailty_years", "p_nursing", "dependants", "dependant_years")
_SINGLE = (
    "admin_cost", "own_wage", "pension_growth", "p_termination", "years_to_termination", "p_no_suitable_work",
    "age_at_injury", "age_at_death", "retirement_age", "basic_pension_ratio", "gompertz_mode", "gompertz_scale",
    "wage_floor_share", "wage_cap_share", "friction_months", "mix_prior_weight",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The benefit rules of one date with every parameter they need, in prices of `price_year`.

    rules       frame of `sources.table("benefits")`, the rows in force
    parameters  by name; amounts of money already in prices of `price_year`
    unverified  names of parameters and "grade/item" of rules that nobody has compared with the primary source
    """

    date: str
    area: str
    price_year: int
    rules: pd.DataFrame
    parameters: dict[str, Parameter]
    unverified: tuple[str, ...] = ()


def schedule(
    date: str | int,
    *,
    area: str | None = None,
    price_year: int | None = None,
    production: Literal["human_capital", "friction"] = "human_capital",
    overrides: Mapping[str, float | Parameter] | None = None,
) -> Schedule:
    """Benefit schedule in force on `date`.

    Parameters
        date        ISO day, or a year (its 31 December)
        area        pool area whose wage counts (`sources.table("pool_wage")`); the default of `sources` without one
        price_year  prices of the amounts; the year of `date` by default
        production  how lost output is valued (employer, worker, society): earnings to retirement, or only until the
                    post is filled again
        overrides   parameters of the user by name: a number (then fixed) or a Parameter. Money without a price year
                    is taken to be in prices of `price_year`; plain numbers stay marked as unverified
    Returns the rules in force with every parameter they need. Raises UserError("unknown_production"),
    UserError("unknown_parameter"/"no_parameter_for_date") outside the dated rows,
    UserError("not_a_number"), ("probability_outside") or ("negative_money") for an override,
    UserError("no_rules_for_date") outside the schedule and UserError("year_outside_prices") outside the price index.
    Source: Regulation on Work Injury Insurance (2010) articles 30-39 and 64; Guangdong regulation for the grants that
    fall due when the contract ends.
    """
    area = area or default("wage_area")
    day = day_of(date)
    year = int(day[:4])
    prices_of = year if price_year is None else price_year
    rules = table("benefits")
    rules = rules[(rules.valid_from <= day) & ((rules.valid_to == "") | (rules.valid_to >= day))]
    if rules.empty:
        raise UserError("no_rules_for_date", date=day)
    found = {n: parameter(n, day) for n in _SINGLE}
    for family in _FAMILIES:
        found.update(parameters(family, day))
    found["pool_wage"] = replace(parameter(f"pool_wage.{area}", day), name="pool_wage", price_year=year)
    income = parameter("disposable_income_urban", year - 1)
    found["disposable_income"] = replace(income, name="disposable_income", price_year=year)
    found.update(_overridden(found, overrides or {}))
    rules = _production(rules.reset_index(drop=True), production)
    return Schedule(
        date=day,
        area=area,
        price_year=prices_of,
        rules=rules,
        parameters={n: _in_prices(p, prices_of) for n, p in found.items()},
        unverified=_unverified(rules, found),
    )


def _production(rules: pd.DataFrame, production: str) -> pd.DataFrame:
    """The rules under a way of valuing lost output. Raises UserError("unknown_production")."""
    if production == "human_capital":
        return rules
    if production != "friction":
        raise UserError("unknown_production", found=production, known="human_capital, friction")
    kept = rules[rules.item != "output_loss"].reset_index(drop=True)
    return kept.assign(timing=kept.timing.where(kept.item != "output_leave", "friction"))


def _unverified(rules: pd.DataFrame, found: Mapping[str, Parameter]) -> tuple[str, ...]:
    names = sorted(n for n, p in found.items() if not p.verified)
    marked = rules[~rules.verified & ~rules.item.isin(["care", "output_leave", "output_loss"])]
    return (*names, *sorted(f"{g}/{i}" for g, i in zip(marked.grade, marked.item)))


def _overridden(found: Mapping[str, Parameter], overrides: Mapping[str, float | Parameter]) -> dict[str, Parameter]:
    out = {}
    for row, (name, value) in enumerate(overrides.items(), 1):
        if name not in found:
            raise UserError("unknown_parameter", name=name, known=", ".join(sorted(found)))
        if isinstance(value, Parameter):
            out[name] = replace(value, name=name)
        else:
            plain = replace(found[name], value=float(numbers(name, value)), low=None, high=None)
            out[name] = replace(plain, distribution="fixed", price_year=None, source="user")
        if not out[name].unit.startswith("share"):  # those of the pool wage may pass one
            possible(out[name], np.array([out[name].value], dtype=float), row)
    return out


def _in_prices(p: Parameter, price_year: int) -> Parameter:
    if p.currency is None or p.price_year in (None, price_year):
        return p if p.currency is None else replace(p, price_year=price_year)
    factor = prices.inflate(1.0, p.price_year, price_year)
    low, high = (None if v is None else v * factor for v in (p.low, p.high))
    return replace(p, value=p.value * factor, low=low, high=high, price_year=price_year)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One rule at work: what is paid when. time (T,) or (n, 1) years after the injury, weight (n, T) units paid then,
    scale (n,) yuan per unit: the amounts are scale × weight."""

    grade: str
    item: str
    payer: str
    payee: str
    category: str
    transfer: bool
    verified: bool
    time: np.ndarray
    weight: np.ndarray
    scale: np.ndarray


def entries(rules: pd.DataFrame, values: Mapping[str, np.ndarray]) -> list[Entry]:
    """Every rule expanded over time for (n,) draws of the parameters; expected per case (chance of falling due in it).

    `values` by parameter name, as `distributions.draw_all` gives them.
    """
    clock = _Clock(values)
    out = []
    for rule in rules.to_dict("records"):
        time, weight = clock.of(rule["timing"], rule["grade"])
        base = _base(rule["base"], values)
        if rule["timing"] == "top_up":
            rate = np.clip(rule["value"] - values["basic_pension_ratio"], 0, None)
        else:
            rate = np.full(len(base), rule["value"])
        chance = values[rule["probability"]] if rule["probability"] else 1.0
        names = ("grade", "item", "payer", "payee", "category", "transfer", "verified")
        out.append(Entry(time=time, weight=weight, scale=rate * base * chance, **{k: rule[k] for k in names}))
    return out


def _base(name: str, values: Mapping[str, np.ndarray]) -> np.ndarray:
    """Amount of one unit of a rule's base. Own wage is kept within 60-300 % of the pool wage (article 64)."""
    if name != "own_wage":
        return values[name]
    pool = values["pool_wage"]
    return np.clip(values["own_wage"], values["wage_floor_share"] * pool, values["wage_cap_share"] * pool)


class _Clock:
    """When a timing pays, and how much of a unit, for draws of the parameters. Shared parts are kept."""

    def __init__(self, values: Mapping[str, np.ndarray]) -> None:
        self.v = values
        self.years = np.arange(HORIZON)
        self.growth = np.exp(np.log1p(values["pension_growth"])[:, None] * self.years)
        self.alive: dict[str, np.ndarray] = {}
        self.known: dict[tuple[str, str], tuple[np.ndarray, np.ndarray]] = {}

    def of(self, timing: str, grade: str) -> tuple[np.ndarray, np.ndarray]:
        """(time, weight): years after the injury and units paid then; running timings pay 12 months a year."""
        if (timing, grade) not in self.known:
            self.known[timing, grade] = self._stream(timing, grade)
        return self.known[timing, grade]

    def _stream(self, timing: str, grade: str) -> tuple[np.ndarray, np.ndarray]:
        n = len(self.growth)
        if timing in ("once", "leave"):
            weight = self.v[f"leave_months.{grade}"] if timing == "leave" else np.ones(n)
            return np.zeros(1), weight[:, None]
        if timing == "friction":
            away = np.inf if grade in (*"1234", "death") else self.v[f"leave_months.{grade}"]
            return np.zeros(1), np.minimum(self.v["friction_months"], away)[:, None]
        if timing == "at_termination":
            return self.v["years_to_termination"][:, None], np.ones((n, 1))
        carried = 12 * self.growth if timing.startswith("dependants.") else self._carried(grade)
        return self.years + 0.5, carried * self._paid(timing, grade)

    def _paid(self, timing: str, grade: str) -> np.ndarray:
        """(n, T) part of each year in which the timing pays."""
        v = self.v
        if timing.startswith("dependants."):
            return paid_share(0.0, v[f"dependant_years.{timing.split('.')[1]}"], HORIZON)
        start = v[f"leave_months.{grade}"] / 12
        retired = np.maximum(v["retirement_age"] - self._age(grade), start)
        if timing in ("to_retirement", "work_life"):
            return paid_share(start, retired, HORIZON)
        if timing == "top_up":
            return paid_share(retired, HORIZON, HORIZON)
        if timing == "for_life":
            return paid_share(start, HORIZON, HORIZON)
        if timing == "to_contract_end":
            ends = np.maximum(np.minimum(v["years_to_termination"], retired), start)
            p = v["p_termination"][:, None]
            return (1 - p) * paid_share(start, retired, HORIZON) + p * paid_share(start, ends, HORIZON)
        raise UserError("unknown_timing", found=timing, grade=grade)

    def _age(self, grade: str) -> np.ndarray:
        return self.v["age_at_death" if grade == "death" else "age_at_injury"]

    def _carried(self, grade: str) -> np.ndarray:
        """(n, T) 12 × growth × survival in mid-year; grades 1-4 live as somebody `frailty_years` older."""
        key = f"frailty_years.{grade}"
        group = key if key in self.v else ("death" if grade == "death" else "")
        if group not in self.alive:
            age = self._age(grade) + self.v.get(key, 0.0)
            mode, scale = self.v["gompertz_mode"][:, None], self.v["gompertz_scale"][:, None]
            self.alive[group] = 12 * self.growth * survival(self.years + 0.5, age[:, None], mode, scale)
        return self.alive[group]


def benefit_flows(benefits: Schedule, grade: str, year: float, *, cases: float = 1.0) -> tuple[Flow, ...]:
    """Dated flows of `cases` injuries of `grade` that happen at `year`, at the schedule's central values.

    Yuan of the schedule's price year, real, expected (chance of falling due and of being alive included), marked
    `averted` since they enter as costs avoided. Dates are exact: discount them with timing "start".
    Raises UserError("unknown_grade").
    """
    if grade not in GRADES:
        raise UserError("unknown_grade", found=grade, known=", ".join(GRADES))
    rules = benefits.rules[benefits.rules.grade == grade]
    central = {n: np.array([p.value]) for n, p in benefits.parameters.items()}
    out = []
    for e in entries(rules, central):
        for time, amount in zip(np.ravel(e.time), e.scale[0] * e.weight[0]):
            if amount > 0:
                out.append(
                    Flow(
                        year=float(year + time),
                        amount=float(amount * cases),
                        item=e.item,
                        payer=e.payer,  # type: ignore[arg-type]
                        payee=e.payee,  # type: ignore[arg-type]
                        category=e.category,
                        transfer=e.transfer,
                        averted=True,
                        price_year=benefits.price_year,
                    )
                )
    return tuple(out)


def draws_of(benefits: Schedule, n: int, seed: int) -> dict[str, np.ndarray]:
    """(n,) draws of every parameter of the schedule, by name."""
    return draw_all(benefits.parameters, n, seed)
