"""The panels of the evaluation: firms of one project, cities of one programme, places of a policy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..core import Dropped, Panel, UserError
from ..plans import Plan
from .canonical import Canonical
from .check import period_start, quarter_of, recognised
from .layout import label, ordinal
from .panel import panel

PRIMARY = "avertable"
CONTROL = "commute"


def outcome_names(plan: Plan) -> tuple[str, ...]:
    """Names of the outcomes of firm and city panels, in order: "avertable", "avertable.<severity group>", "commute".

    Avertable cases are those of the plan's avertable situations; commuting is the negative control.
    """
    return (PRIMARY, *(f"{PRIMARY}.{group}" for group in plan.settings["severity"]), CONTROL)


def last_mature_quarter(plan: Plan, as_of: str) -> str:
    """The latest quarter ("2025Q2") whose cases are final at `as_of` (ISO date).

    It ended `maturity_months` of the plan or more before `as_of`.
    """
    latest = pd.Timestamp(as_of) + pd.Timedelta(days=1) - pd.DateOffset(months=int(plan.settings["maturity_months"]))
    return label(latest.year * 4 + latest.quarter - 2, "quarter")


def firm_panel(canonical: Canonical, plan: Plan, project_id: str) -> Panel:
    """Firms of one project by quarter: enrolled and eligible, not enrolled.

    Outcomes are recognised cases by quarter of injury: "avertable" (situations the plan says training averts),
    "avertable.<severity group>", "commute" (negative control). Exposure is person-years: mean insured of the quarter
    × 0.25. Cohort is the quarter of enrolment; cluster the batch in which firms were recruited together, the unit of
    assignment. Mature quarters only (`last_mature_quarter`). Units stand in the order of the enrolment file; firms
    without insured workers in some quarter leave with the reason.

    Raises UserError: unknown_project, table_absent, empty_panel. Not for projects without a register of firms.
    """
    enrolled = _needed(canonical, "enrolment")
    enrolled = enrolled[enrolled["project_id"] == project_id]
    if not len(enrolled):
        known = sorted(canonical.tables["enrolment"]["project_id"].unique())
        raise UserError("unknown_project", project=project_id, known=known[:20])
    exposure = _needed(canonical, "exposure")
    exposure = exposure[exposure["unit_id"].isin(enrolled["unit_id"])]
    exposure = exposure[exposure["quarter"] <= last_mature_quarter(plan, canonical.as_of)]
    units, quarters = list(enrolled["unit_id"]), _span(exposure["quarter"])
    frame = _grid("unit", units, quarters)
    frame["exposure"] = _summed(exposure, "unit_id", "quarter", exposure["insured"], units, quarters) * 0.25
    claims = _needed(canonical, "claim")
    claims = claims[recognised(claims)]
    when = quarter_of(claims["injury_date"])
    for name, rows in _cases(claims, plan).items():
        ones = pd.Series(rows.astype(float), index=claims.index)
        counts = _summed(claims.assign(when=when), "unit_id", "when", ones, units, quarters)
        frame[name] = np.where(np.isnan(frame["exposure"]), np.nan, np.nan_to_num(counts))
    for column, source in (("cohort", "enrolled_from"), ("cluster", "batch")):
        frame[column] = np.repeat(enrolled[source].to_numpy(object), len(quarters))
    return _built(frame, plan, canonical, outcome_names(plan))


def city_panel(canonical: Canonical, plan: Plan, programme: str) -> Panel:
    """Cities by quarter in the industry of one programme; cities without a project of it are never treated.

    Outcomes as in `firm_panel`, from the official case table; exposure is person-years from mean monthly insured
    (mean of the three months × 0.25, all types of insurance); cohort is the quarter in which the first project of
    the programme started in the city; cluster is the city. Mature quarters only.

    Raises UserError: unknown_programme, programme_industry (its projects name no or several industries),
    table_absent. The comparator is usual prevention activity, not its absence: every city runs other projects.
    """
    projects = _needed(canonical, "project")
    own = projects[projects["programme"] == programme]
    if not len(own):
        raise UserError(
            "unknown_programme", programme=programme, known=sorted(set(projects["programme"].dropna())) or ["–"]
        )
    industry = _industry(own, plan, programme)
    started = own.assign(quarter=quarter_of(own["started"])).dropna(subset="quarter").groupby("place")["quarter"].min()
    insured = _needed(canonical, "exposure_summary")
    insured = insured[insured["industry"] == industry]
    insured = insured.assign(quarter=quarter_of(period_start(insured["month"])))
    insured = insured[insured["quarter"] <= last_mature_quarter(plan, canonical.as_of)]
    present = set(insured["place"].unique())
    cities = [c for c in plan.cities if c in present]
    quarters = _span(insured["quarter"])
    frame = _grid("unit", cities, quarters)
    heads = _summed(insured, "place", "quarter", insured["insured"].astype(float), cities, quarters)
    whole = _months(insured, cities, quarters) == 3
    frame["exposure"] = np.where(whole, heads / 3 * 0.25, np.nan)
    cases = _needed(canonical, "case_summary")
    cases = cases[cases["industry"] == industry]
    cases = cases.assign(quarter=quarter_of(period_start(cases["month"])))
    for name, rows in _cases(cases, plan).items():
        counts = _summed(cases, "place", "quarter", cases["cases"] * rows, cities, quarters)
        frame[name] = np.where(whole, np.nan_to_num(counts), np.nan)
    frame["cohort"] = np.repeat(pd.Series(cities).map(started).to_numpy(object), len(quarters))
    return _built(frame.assign(cluster=frame["unit"]), plan, canonical, outcome_names(plan))


def policy_panel(canonical: Canonical, plan: Plan, outcome: str) -> Panel:
    """Places by year from the policy table: cohort is the first period in which `treated` is above 0.

    A first period treated only in part (0 < treated < 1) still is the cohort; the shares as they stand in the file
    are the covariate "treated" (N, T), for regressions on the share itself. Exposure is taken where it is given.

    Raises UserError: unknown_outcome, table_absent, treated_stops (treated falls back to 0), and whatever `panel`
    raises. Not for policies that come and go.
    """
    table = _needed(canonical, "policy_panel")
    frame = table[table["outcome"] == outcome].copy()
    if not len(frame):
        raise UserError("unknown_outcome", outcome=outcome, known=sorted(set(table["outcome"])))
    frame["treated"] = frame["treated"].fillna(0.0)
    on = frame[frame["treated"] > 0]
    start = frame["place"].map(on.groupby("place")["period"].min())
    stopped = frame[(frame["period"] > start) & (frame["treated"] == 0)]
    if len(stopped):
        raise UserError(
            "treated_stops", place=plan.place_name(stopped["place"].iat[0]), period=int(stopped["period"].iat[0])
        )
    present = set(frame["place"].unique())
    order = [c for c in plan.cities if c in present]
    frame = frame.assign(cohort=start, place=pd.Categorical(frame["place"], order))
    return panel(
        frame[frame["place"].notna()],
        unit="place",
        time="period",
        outcome="value",
        cohort="cohort",
        covariates=("treated",),
        exposure="exposure" if frame["exposure"].notna().any() else None,
        origins=_origins(canonical),
        synthetic=canonical.synthetic,
    )


def _needed(canonical: Canonical, name: str) -> pd.DataFrame:
    if name not in canonical.tables:
        raise UserError("table_absent", table={"key": f"table.{name}"}, known=list(canonical.tables))
    return canonical.tables[name]


def _industry(projects: pd.DataFrame, plan: Plan, programme: str) -> str:
    """The one industry of a programme: as the plan says, else as its projects say."""
    said = [p["industry"] for p in plan.settings.get("programmes", ()) if p["code"] == programme and "industry" in p]
    found = said or sorted(set(projects["target_industry"].dropna()))
    if len(found) != 1:
        raise UserError("programme_industry", programme=programme, found=found or ["–"])
    return str(found[0])


def _cases(rows: pd.DataFrame, plan: Plan) -> dict[str, np.ndarray]:
    """Outcome name → (n,) True for the rows it counts."""
    avertable = rows["situation"].isin(plan.settings["avertable_situations"]).to_numpy()
    out = {PRIMARY: avertable}
    for group, grades in plan.settings["severity"].items():
        out[f"{PRIMARY}.{group}"] = avertable & rows["grade"].isin(grades).to_numpy()
    out[CONTROL] = rows["situation"].isin(plan.settings["negative_control_situations"]).to_numpy()
    return out


def _span(quarters: pd.Series) -> list[str]:
    """Every quarter from the first to the last."""
    numbers = [n for q in quarters.dropna().unique() if (n := ordinal(q, "quarter")) is not None]
    if not numbers:
        raise UserError("empty_panel", n=0, reasons="–")
    return [label(i, "quarter") for i in range(min(numbers), max(numbers) + 1)]


def _grid(name: str, units: list[str], times: list[str]) -> pd.DataFrame:
    return pd.DataFrame({name: np.repeat(np.array(units, dtype=object), len(times)), "time": times * len(units)})


def _summed(
    frame: pd.DataFrame, unit: str, time: str, values: pd.Series, units: list[str], times: list[str]
) -> np.ndarray:
    """Sums of `values` by unit × time, flat in the order of `_grid`; NaN where no row stands."""
    u = pd.Index(units).get_indexer(frame[unit])
    t = pd.Index(times).get_indexer(frame[time])
    inside = (u >= 0) & (t >= 0)
    cell = u[inside] * len(times) + t[inside]
    size = len(units) * len(times)
    total = np.bincount(cell, values.to_numpy(float)[inside], size)
    return np.where(np.bincount(cell, minlength=size) > 0, total, np.nan)


def _months(insured: pd.DataFrame, cities: list[str], quarters: list[str]) -> np.ndarray:
    """Number of different months by city × quarter."""
    months = insured.drop_duplicates(["place", "month"])
    return _summed(months, "place", "quarter", pd.Series(1.0, index=months.index), cities, quarters)


def _origins(canonical: Canonical) -> tuple[str, ...]:
    return (canonical.origin,) if canonical.origin else ()


def _built(
    frame: pd.DataFrame,
    plan: Plan,
    canonical: Canonical,
    outcomes: tuple[str, ...],
    dropped: tuple[Dropped, ...] = (),
    **options: Any,
) -> Panel:
    return panel(
        frame,
        unit="unit",
        time="time",
        outcome=outcomes,
        cohort="cohort",
        exposure="exposure",
        cluster="cluster",
        frequency="quarter",
        exposure_unit="person_years",
        outcome_unit="cases",
        origins=_origins(canonical),
        synthetic=canonical.synthetic,
        dropped=dropped,
        **options,
    )
