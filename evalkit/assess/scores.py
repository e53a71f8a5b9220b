"""Every computed indicator of a place and period as a `Score`: one small function per kind of indicator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from ..core import Indicator, Score
from ..plans import Plan
from . import fund, projects, training
from .frames import Tables, divide, has, number, select
from .intervals import exact_poisson, wilson
from .measures import measure_counts, measures
from .rates import case_rows, countable, rates
from .targets import industry_targets, key_industry_target


def scores(
    canonical: Tables, plan: Plan, *, place: str, period: int | str, codes: Sequence[str] | None = None
) -> tuple[Score, ...]:
    """Scores of the plan's computed indicators that have their tables, in the order of the dictionary.

    place   a city or the province;  period: year;  codes: the indicators wanted, all computed ones by default
    An indicator's headline has group ""; variants carry a group: a base, "standardised.<base>",
    "mature_months.<base>", an industry, a role, "year_end", "reference". I21 and I22 come from `effect_score` and
    `economic_scores`, since the estimate is made elsewhere. Indicators whose tables are missing are left out, never
    shown as zero.
    """
    found: list[Score] = []
    for indicator in plan.indicators:
        kind = KINDS.get(indicator.kind)
        wanted = indicator.options.get("computed", True) if codes is None else indicator.code in codes
        if kind is not None and wanted and has(canonical, *kind[0]):
            found += kind[1](canonical, plan, indicator, place, int(period))
    return tuple(found)


def _score(canonical: Tables, indicator: Indicator, place: str, period: int, value: Any, **more: Any) -> Score:
    numbers: dict[str, Any] = {k: number(v) for k, v in more.items() if k in _NUMBERS}
    value = number(value)
    words = {k: v for k, v in more.items() if k not in _NUMBERS}
    if value is None:
        words["status"] = "no_data"
    unit = words.pop("unit", indicator.unit)
    return Score(
        indicator=indicator.code, place=place, period=str(period), value=value, unit=unit,
        as_of=canonical.as_of[:10], **numbers, **words,
    )  # fmt: skip


_NUMBERS = ("numerator", "denominator", "conf_low", "conf_high", "target", "attainment")


def _rate(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    """Headline, the year-end and standard-employee variants, and parts named by the indicator."""
    out = []
    for group, denominator in (("", "mean"), ("year_end", "year_end"), ("employee", "employee")):
        frame = rates(canonical, plan, (indicator.code,), place=place, denominator=denominator, years=(period, period))
        out += [_score(canonical, indicator, place, period, r.value, group=group, numerator=r.numerator,
                       denominator=r.denominator, conf_low=r.conf_low, conf_high=r.conf_high,
                       interval_method=r.interval_method, provisional=bool(r.provisional))
                for r in frame.itertuples()]  # fmt: skip
    return out + [
        _part(canonical, plan, indicator, place, period, p, out[0]) for p in indicator.options.get("parts", ()) if out
    ]


def _part(
    canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int, part: str, whole: Score
) -> Score:
    """A named part of a rate over the same denominator (sudden illness among deaths, for instance)."""
    cases = countable(plan, case_rows(canonical, plan, place))
    count = float(select(cases.loc[cases["year"] == period], plan.settings["selections"][part])["cases"].sum())
    low, high = exact_poisson(count)
    per = indicator.scale / whole.denominator if whole.denominator else float("nan")
    return _score(canonical, indicator, place, period, count * per, group=part, numerator=count,
                  denominator=whole.denominator, conf_low=float(low) * per, conf_high=float(high) * per,
                  interval_method="exact_poisson", provisional=whole.provisional)  # fmt: skip


def _decline(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    if period != plan.settings["targets"]["decline"]["last"]:
        return []
    pooled, single = (f(canonical, plan, place=place) for f in (key_industry_target, industry_targets))
    bases = list(plan.settings["targets"]["decline"]["bases"])
    label = {"pooled": "{0}", "mature_months": "mature_months.{0}", "standardised": "standardised.{0}"}
    groups = [label[v].format(b) for v, b in zip(pooled["variant"], pooled["base"])]
    groups[0] = ""
    headline = single.loc[single["base"] == bases[0]]
    frame = pd.concat([pooled.assign(group=groups), headline.assign(group=headline["industry"])], ignore_index=True)
    return [_score(canonical, indicator, place, period, r.decline, group=r.group, numerator=r.numerator,
                   denominator=r.denominator, conf_low=r.conf_low, conf_high=r.conf_high,
                   interval_method="log_normal", target=indicator.target, attainment=r.attainment, status=r.status,
                   provisional=bool(r.provisional), note=_decline_note(r)) for r in frame.itertuples()]  # fmt: skip


def _decline_note(row: Any) -> str:
    if pd.isna(row.decline):
        return "score.project_insured" if pd.isna(row.denominator) else ""
    return "" if row.secure else "score.target_inside_interval"


def _fund_cap(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    """The province is judged against the cap; a city shows a reference share without target or status."""
    if place == plan.province:
        frame, target = fund.fund_ratio(canonical, plan), plan.settings["targets"]["cap"]["value"]
    else:
        frame, target = fund.reference_ratio(canonical, plan, place=place), None
    return [_score(canonical, indicator, place, period, r.ratio, numerator=r.prevention, denominator=r.levy_previous,
                   target=target, status=r.status if target is not None else "no_target",
                   attainment=r.ratio / target if target else None, group="" if target else "reference",
                   note="" if target else "score.reference_only")
            for r in frame.loc[frame["year"] == period].itertuples()]  # fmt: skip


def _execution(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = fund.execution(canonical, plan, place=place)
    return [_score(canonical, indicator, place, period, r.ratio, numerator=r.prevention,
                   denominator=r.prevention_budget, target=indicator.target_low, status=r.status)
            for r in frame.loc[frame["year"] == period].itertuples()]  # fmt: skip


def _spend(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = fund.spend_per_insured(canonical, plan, place=place)
    return [_score(canonical, indicator, place, period, r.value, numerator=r.prevention, denominator=r.insured)
            for r in frame.loc[frame["year"] == period].itertuples()]  # fmt: skip


def _coverage(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    out = []
    for by in ((), ("role",), ("industry",)):
        frame = training.training_coverage(canonical, plan, place=place, period=period, by=by)
        groups = frame[by[0]] if by else [""] * len(frame)
        out += [_score(canonical, indicator, place, period, r.coverage, group=g, numerator=r.passed,
                       denominator=r.roster, conf_low=r.conf_low, conf_high=r.conf_high,
                       interval_method="wilson", target=r.target, attainment=r.coverage / r.target, status=r.status)
                for g, r in zip(groups, frame.itertuples())]  # fmt: skip
    return out


def _reach(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = training.training_reach(canonical, plan, place=place)
    return [_score(canonical, indicator, place, period, r.value, numerator=r.persons, denominator=r.insured,
                   note="score.persons_may_repeat")
            for r in frame.loc[frame["year"] == period].itertuples()]  # fmt: skip


def _pass_rate(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = training.training_results(canonical, plan, place=place)
    out = []
    for r in frame.loc[frame["year"] == period].itertuples():
        out.append(_proportion(canonical, indicator, place, period, r.passed, r.sat))
        out.append(_score(canonical, indicator, place, period, r.gain, group="gain", denominator=r.sat, unit="points"))
    return out


def _unit_cost(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    out = []
    for by in (("fiscal_year",), ("fiscal_year", "mode")):
        frame = training.unit_cost(canonical, plan, place=place, by=by)
        frame = frame.loc[frame["fiscal_year"] == period]
        groups = frame["mode"] if "mode" in by else [""] * len(frame)
        out += [_score(canonical, indicator, place, period, r.value, group=g, numerator=r.cost, denominator=r.hours)
                for g, r in zip(groups, frame.itertuples())]  # fmt: skip
    return out


def _acceptance(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = projects.acceptance(canonical, plan, place=place, period=period)
    due = frame.loc[frame["due"]]
    return [_proportion(canonical, indicator, place, period, int(due["on_time"].sum()), len(due))]


def _artefacts(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = projects.artefacts(canonical, plan, place=place, period=period)
    return [_proportion(canonical, indicator, place, period, int(frame["present"].sum()), len(frame))]


def _measures(canonical: Tables, plan: Plan, indicator: Indicator, place: str, period: int) -> list[Score]:
    frame = measures(canonical, plan, place=place, period=period)
    n = measure_counts(frame.loc[frame["reported"] != "no_data"] if frame["reported"].eq("no_data").all() else frame)
    return [_proportion(canonical, indicator, place, period, n["done"], n["applicable"]),
            _proportion(canonical, indicator, place, period, n["done_on_time"], n["due"], group="on_time")]  # fmt: skip


def _proportion(
    canonical: Tables, indicator: Indicator, place: str, period: int, passed: float, n: float, group: str = ""
) -> Score:
    """A share with its Wilson interval, met at the indicator's target."""
    value, (low, high) = float(divide(passed, n)), wilson(passed, n)
    target = indicator.target
    status = "no_target" if target is None else ("met" if value >= target - 1e-9 else "not_met")
    return _score(canonical, indicator, place, period, value, group=group, numerator=passed, denominator=n,
                  conf_low=float(low), conf_high=float(high), interval_method="wilson", target=target, status=status,
                  attainment=value / target if target else None)  # fmt: skip


Kind = tuple[tuple[str, ...], Callable[[Tables, Plan, Indicator, str, int], list[Score]]]

KINDS: dict[str, Kind] = {
    "rate": (("case_summary", "exposure_summary"), _rate),
    "decline": (("case_summary", "exposure_summary"), _decline),
    "fund_cap": (("ledger",), _fund_cap),
    "execution": (("ledger",), _execution),
    "spend": (("ledger", "exposure_summary"), _spend),
    "coverage": (("roster_summary",), _coverage),
    "reach": (("training_summary", "exposure_summary"), _reach),
    "pass_rate": (("training_summary",), _pass_rate),
    "unit_cost": (("training_summary", "project"), _unit_cost),
    "acceptance": (("project",), _acceptance),
    "artefacts": (("project",), _artefacts),
    "measures": (("measure_status",), _measures),
}
"""kind of indicator → (tables it needs, function that makes its scores)."""
