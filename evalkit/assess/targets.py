"""I06, the target of the plan: key-industry rates fall by about a fifth, judged on every base year side by side.

The verdict is arithmetic on counts: decline = 1 − rate(last)/rate(base). Its interval holds Poisson noise of both
ends and how far a whole year strays from its trend, learnt from the years before the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..plans import Plan
from .frames import Tables, last_mature_month, provisional_years, total
from .intervals import log_interval, rate_ratio
from .rates import case_rows, countable, exposure_rows, mean_insured, selection, up_to_month


def key_industry_target(canonical: Tables, plan: Plan, *, place: str, level: float = 0.95) -> pd.DataFrame:
    """The pooled verdict and its sensitivity rows.

    Returns one row per base (headline first), then per base the same on mature months only where the last year is not
    final, then the directly standardised second line: base (label), variant ("pooled", "mature_months",
    "standardised"), numerator, denominator, base_numerator, base_denominator (cases, person-years), rate, base_rate
    (‰), rate_ratio, ratio_low, ratio_high, decline (1 − rate ratio, a fraction), conf_low, conf_high of the decline,
    year_variance, year_df, attainment (decline ÷ target), status, secure (the interval does not hold the target),
    provisional.
    status "met" decline ≥ target, "near" within the band of 左右, "not_met", "no_data". It is the point's, on counts
    known at as_of: `provisional` says that the last year is not final. Industries insured by project have no headcount
    and are outside. Not an effect of the plan: nothing here says what would have happened without it.
    Source: plan 一(二); base years, band and interval are conventions of this toolkit (the plan names none).
    """
    series = industry_series(canonical, plan, place)
    rule, spread = plan.settings["targets"]["decline"], year_variance(plan, pooled(series))
    bases = {label: tuple(years) for label, years in rule["bases"].items()}
    rows = [_row(plan, pooled(series), label, years, "pooled", spread, level) for label, years in bases.items()]
    month = _mature_month(canonical, plan)
    if 0 < month < 12:
        part = pooled(industry_series(canonical, plan, place, months=month))
        rows += [_row(plan, part, label, years, "mature_months", spread, level) for label, years in bases.items()]
    rows += [_standardised(plan, series, label, years, spread, level) for label, years in bases.items()]
    frame = pd.DataFrame(rows)
    late = bool(provisional_years(canonical, plan, pd.Series([rule["last"]])).iloc[0])
    return frame.assign(provisional=late & (frame["variant"] != "mature_months"))


def industry_targets(canonical: Tables, plan: Plan, *, place: str, level: float = 0.95) -> pd.DataFrame:
    """The same arithmetic for each key industry and base: columns of `key_industry_target` after `industry`.

    An industry insured by project gets a row with its counts, no rate, and status "no_data". Small industries have wide
    intervals: read them with the interval, never as a ranking.
    """
    series, rule = (
        industry_series(canonical, plan, place, codes=plan.key_industries),
        plan.settings["targets"]["decline"],
    )
    rows = [
        {"industry": i, **_row(plan, part, label, tuple(years), "industry", year_variance(plan, part), level)}
        for i in plan.key_industries
        for part in [series.loc[series["industry"] == i]]
        for label, years in rule["bases"].items()
    ]
    late = bool(provisional_years(canonical, plan, pd.Series([rule["last"]])).iloc[0])
    return pd.DataFrame(rows).assign(provisional=late)


def target_path(canonical: Tables, plan: Plan, *, place: str, level: float = 0.95) -> pd.DataFrame:
    """Observed pooled rate relative to each base beside the path that meets the target.

    Returns base, year, ratio (rate ÷ base rate), conf_low, conf_high, path (1 at the last base year, 1 − target in the
    last year of the plan, geometric between; NaN before), band (the same path to the lower edge of 左右), provisional.
    The path ends at the same point whatever the base: a longer way is walked in smaller steps.
    """
    series = pooled(industry_series(canonical, plan, place))
    rule, spread = plan.settings["targets"]["decline"], year_variance(plan, series)
    parts = [_path(series, rule, label, tuple(years), spread, level) for label, years in rule["bases"].items()]
    out = pd.concat(parts, ignore_index=True)
    return out.assign(provisional=provisional_years(canonical, plan, out["year"]))


def path_value(year: Any, base_years: Sequence[int], last: int, decline: float) -> np.ndarray:
    """Target path (1 − decline)^((year − b)/(last − b)) with b the last base year; NaN before b and after `last`.

    decline   fraction asked for by `last`. Returns rate ÷ base rate, shape of `year`. A convention: the plan
    names the end of the path, not its shape.
    """
    year, start = np.asarray(year, float), max(base_years)
    path = (1 - decline) ** ((year - start) / (last - start))
    return np.where((year >= start) & (year <= last), path, np.nan)


def industry_series(
    canonical: Tables, plan: Plan, place: str, *, months: int = 12, codes: Sequence[str] | None = None
) -> pd.DataFrame:
    """Cases of I06 and person-years by key industry and year, over the first `months` months of every year.

    Without `codes`: key industries with a headcount. Returns industry, year, cases, insured (NaN = no headcount).
    """
    cases = selection(plan, case_rows(canonical, plan, place), plan.indicator("I06").numerator)
    wanted = codes if codes is not None else tuple(countable(plan, plan.industries[["industry"]])["industry"])
    wanted = [i for i in wanted if i in plan.key_industries]
    by = ["industry", "year"]
    found, exposed = (
        up_to_month(f.loc[f["industry"].isin(wanted)], months) for f in (cases, exposure_rows(canonical, plan, place))
    )
    frame = total(found, "cases", by).merge(mean_insured(exposed, by), on=by, how="outer", sort=True)
    return frame.assign(cases=frame["cases"].fillna(0))


def pooled(series: pd.DataFrame) -> pd.DataFrame:
    """All industries of `industry_series` together, by year."""
    return series.groupby("year", as_index=False)[["cases", "insured"]].sum()


def year_variance(plan: Plan, series: pd.DataFrame) -> tuple[float, float]:
    """Variance of a year's log rate beyond Poisson, and its degrees of freedom.

    Log-linear trend through the years of `pre_period`; residual variance (n − 2 df) less the mean of 1/cases, at least
    0. Fewer than four years with cases: (0, ∞), the interval is then Poisson only.
    """
    first, last = plan.settings["targets"]["decline"]["pre_period"]
    pre = series.loc[series["year"].between(first, last) & (series["cases"] > 0) & (series["insured"] > 0)]
    if len(pre) < 4:
        return 0.0, np.inf
    x = pre["year"].to_numpy(float) - first
    design = np.column_stack([np.ones_like(x), x])
    y = np.log(pre["cases"].to_numpy(float) / pre["insured"].to_numpy(float))
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    df = len(pre) - 2
    return max(float(residual @ residual) / df - float((1 / pre["cases"]).mean()), 0.0), float(df)


def verdict(decline: float | None, target: float, band: float) -> str:
    """Word for a decline: "met" ≥ target, "near" ≥ band, "not_met" below, "no_data" for None or NaN.

    Rounding noise of 1e-9 is forgiven, nothing more: 19.99 % is near, not met.
    """
    if decline is None or np.isnan(decline):
        return "no_data"
    return "met" if decline >= target - 1e-9 else ("near" if decline >= band - 1e-9 else "not_met")


def _sums(series: pd.DataFrame, years: Sequence[int]) -> tuple[float, float]:
    rows = series.loc[series["year"].isin(years)]
    if set(rows["year"]) < set(years):
        return np.nan, np.nan
    return float(rows["cases"].sum()), float(rows["insured"].sum(min_count=len(rows)))


def _row(
    plan: Plan, series: pd.DataFrame, label: str, years: tuple[int, ...], variant: str, spread: tuple[float, float],
    level: float,
) -> dict[str, Any]:  # fmt: skip
    cases, insured = _sums(series, [plan.settings["targets"]["decline"]["last"]])
    base_cases, base_insured = _sums(series, years)
    found = rate_ratio(
        cases, insured, base_cases, base_insured, level=level, year_variance=spread[0] * (1 + 1 / len(years)),
        year_df=spread[1],
    )  # fmt: skip
    with np.errstate(divide="ignore", invalid="ignore"):
        rate, base_rate = np.float64(cases) / insured * 1000, np.float64(base_cases) / base_insured * 1000
    counts = _counts(cases, insured, base_cases, base_insured)
    head = {"base": label, "variant": variant, **counts, "rate": rate, "base_rate": base_rate}
    return head | _verdict(plan, found, spread)


def _standardised(
    plan: Plan, series: pd.DataFrame, label: str, years: tuple[int, ...], spread: tuple[float, float], level: float
) -> dict[str, Any]:
    """Rates of both ends weighted by the industry mix of the base: Σ w r(last) / Σ w r(base), w = insured at base.

    var log of each Σ w r = Σ w² cases/insured² / (Σ w r)².
    """
    last = series.loc[series["year"] == plan.settings["targets"]["decline"]["last"]].set_index("industry")
    base = series.loc[series["year"].isin(years)].groupby("industry")[["cases", "insured"]].sum()
    both = base.join(last[["cases", "insured"]].add_suffix("_last"), how="inner")
    if both.empty:
        return _row(plan, series, label, years, "standardised", spread, level)
    w = (both["insured"] / both["insured"].sum()).to_numpy()
    ends = [_weighted(w, both[f"cases{s}"], both[f"insured{s}"]) for s in ("_last", "")]
    (rate, v1), (base_rate, v0) = ends
    ratio = rate / base_rate
    extra = spread[0] * (1 + 1 / len(years))
    low, high = log_interval(ratio, v1 + v0, level=level, year_variance=extra, year_df=spread[1])
    counts = _counts(*both[["cases_last", "insured_last", "cases", "insured"]].sum())
    head = {"base": label, "variant": "standardised", **counts, "rate": 1000 * rate, "base_rate": 1000 * base_rate}
    return head | _verdict(plan, (ratio, low, high), spread)


def _counts(*values: float) -> dict[str, float]:
    names = ("numerator", "denominator", "base_numerator", "base_denominator")
    return {name: float(value) for name, value in zip(names, values)}


def _weighted(weight: np.ndarray, cases: pd.Series, insured: pd.Series) -> tuple[float, float]:
    rate = float((weight * cases / insured).sum())
    return rate, float((weight**2 * cases / insured**2).sum()) / rate**2


def _verdict(plan: Plan, found: tuple[Any, Any, Any], spread: tuple[float, float]) -> dict[str, Any]:
    ratio, low, high = (float(v) for v in found)
    rule = plan.settings["targets"]["decline"]
    return {
        "rate_ratio": ratio, "ratio_low": low, "ratio_high": high,
        "decline": 1 - ratio, "conf_low": 1 - high, "conf_high": 1 - low,
        "year_variance": spread[0], "year_df": spread[1], "attainment": (1 - ratio) / rule["value"],
        "status": verdict(1 - ratio, rule["value"], rule["band"]),
        "secure": bool(1 - high >= rule["value"] or 1 - low < rule["value"]),
    }  # fmt: skip


def _path(
    series: pd.DataFrame, rule: dict[str, Any], label: str, years: tuple[int, ...], spread: tuple[float, float],
    level: float,
) -> pd.DataFrame:  # fmt: skip
    base_cases, base_insured = _sums(series, years)
    extra = spread[0] * (1 + 1 / len(years))
    ratio, low, high = rate_ratio(
        series["cases"], series["insured"], base_cases, base_insured, level=level, year_variance=extra,
        year_df=spread[1],
    )  # fmt: skip
    own = series["year"].isin(years) if len(years) == 1 else series["year"] < 0
    paths = {
        n: path_value(series["year"], years, rule["last"], rule[k]) for n, k in (("path", "value"), ("band", "band"))
    }
    return pd.DataFrame({
        "base": label, "year": series["year"], "ratio": ratio, "conf_low": np.where(own, np.nan, low),
        "conf_high": np.where(own, np.nan, high), **paths,
    })  # fmt: skip


def _mature_month(canonical: Tables, plan: Plan) -> int:
    """Number of months of the plan's last year that are final at as_of."""
    last, mature = plan.settings["targets"]["decline"]["last"], last_mature_month(canonical, plan)
    if not mature or mature >= f"{last}-12":
        return 12
    return int(mature[5:7]) if mature[:4] == str(last) else 0
