"""The fund's choice over all evaluated projects: shrunken effects, the choice under the cap, the path of spending."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import cea
from ..assess.frames import rows_of
from ..core import Column, Exhibit
from .build import column, facts, figure, message, table
from .case import Case


def budget_figure(case: Case, frame: pd.DataFrame) -> Exhibit | None:
    """Spending by year against the cap of the year before; `frame` as `assess.fund_ratio`."""
    known = frame.dropna(subset=["prevention", "levy_previous"])
    if known.empty:
        return None
    rows = [{"year": int(r.year), "spending": r.prevention, "cap": r.cap * r.levy_previous} for r in known.itertuples()]
    told = {"first": rows[0]["year"], "last": rows[-1]["year"], "cap": 100 * float(known.cap.iloc[0])}
    notes = [message("note.budget")]
    return figure(case, "budget_path", "budget_path", {"rows": rows}, source="ledger", notes=notes, alt=told)


def impact_table(case: Case, frame: pd.DataFrame) -> Exhibit | None:
    """Cash of the evaluated projects by year beside all spending under its cap, and the levy rate it is worth.

    `frame` as `assess.fund_ratio`, the years to show. Amounts in money of their year as far as the price index goes,
    from then on in that of its last year; the last row adds up what is saved after the years shown.
    """
    found = [r["economics"]["cash"] for r in case.projects.values() if r["economics"].get("cash")]
    found = [f for f in found if f["saved"] is not None]
    known = frame[frame.levy_previous > 0]
    if not found or known.empty:
        return None
    year = max(int(r["economics"]["decision"]["price_year"]) for r in case.projects.values())
    spent, saved = (_nominal([f[side] for f in found], year) for side in ("spent", "saved"))
    shown = [int(y) for y in known.year]
    insured = rows_of(case.canonical, "exposure_summary", case.plan, case.plan.province)
    payroll = insured.payroll.groupby(insured.month.astype(str).str[:4].astype(int)).sum()
    path = cea.budget_impact(
        {y: spent.get(y, 0.0) for y in shown}, {y: saved.get(y, 0.0) for y in shown},
        {int(r.year) - 1: r.levy_previous for r in known.itertuples()}, cap=float(known.cap.iloc[-1]),
        payroll={int(y): float(v) for y, v in payroll.items() if v > 0},
    )  # fmt: skip
    columns = (
        column("year", "message"),
        column("cap_ratio", "percent", 2),
        column("project_spending", "money"),
        column("cash_saved", "money"),
        column("cash_net", "money"),
        column("cash_balance", "money"),
        column("rate_equivalent", "number", 2),
    )
    rows: list[list[Any]] = [
        [message("name.plain", name=str(r.year)), ratio, r.spending, r.saving, r.net, r.balance, _million(r)]
        for r, ratio in zip(path.itertuples(), known.ratio)
    ]
    later = sum(v for y, v in saved.items() if y > shown[-1])
    balance = float(path.balance.iloc[-1]) + later
    rows.append([message("impact.later", last=shown[-1]), None, None, later, later, balance, None])
    notes = [
        message(
            "note.impact",
            n=len(found),
            of=len(case.projects),
            price_year=str(year),
            cap=100 * float(known.cap.iloc[-1]),
        ),
        message("note.rate"),
    ]
    return table(case, "budget_table", columns, rows, source="economics", n=len(found), notes=notes)


def _million(row: Any) -> float | None:
    """The levy-rate equivalent in yuan per million yuan of payroll."""
    return None if row.rate_equivalent is None or pd.isna(row.rate_equivalent) else 1e6 * row.rate_equivalent


def _nominal(paths: list[dict[str, float]], price_year: int) -> dict[int, float]:
    """Sum of paths in yuan of `price_year`, each year's in its own money where the price index knows it."""
    first, last = cea.price_years()
    total = pd.DataFrame(paths).sum()
    return {int(y): float(cea.inflate(v, price_year, min(max(int(y), first), last))) for y, v in total.items()}


def portfolio_exhibits(case: Case, room: float | None) -> list[Exhibit]:
    """Projects by shrunken effect, and which of them the room under the cap would fund; none with fewer than two.

    room  yuan left under the cap in the reporting year
    """
    found = testable(case)
    if len(found) < 2:
        return []
    names = [f["code"] for f in found]
    pooled = cea.pool(names, [f["estimate"] for f in found], [f["std_error"] for f in found], seed=case.seed)
    gain = np.array([f["unit_cost"] * f["observed"] for f in found]) * np.expm1(-pooled.draws)
    saving = gain - np.array([f["cost"] for f in found])
    cost = [f["cost"] for f in found]
    chosen = cea.portfolio(names, saving[:2_000], cost, room if room and room > 0 else sum(cost))
    return [portfolio_table(case, found, pooled, saving, chosen), portfolio_facts(case, chosen)]


def testable(case: Case) -> list[dict[str, Any]]:
    """Projects with a standard error and a mean cost per averted injury, from their own results."""
    out = []
    for code, results in case.projects.items():
        path, money = results["effects"].get("ppml"), results["economics"].get("decision")
        if not path or not money or money.get("refused") or not path["inference"]:
            continue
        std_error = path["inference"][0].get("std_error")
        averted = money.get("averted_cases")
        if not std_error or not averted or not isinstance(std_error, float):
            continue
        out.append(
            {
                "code": code,
                "title": results["values"].get("title"),
                "estimate": float(path["estimate"][0]),
                "std_error": std_error,
                "observed": float(path["observed"][0]),
                "unit_cost": float(money["averted_cost"]) / float(averted),
                "cost": float(money["programme_cost"]),
            }
        )
    return out


def portfolio_table(case: Case, found: list[dict[str, Any]], pooled: Any, saving: np.ndarray, chosen: Any) -> Exhibit:
    """One row per project: raw and shrunken ratio, rank with its interval, cost, expected net saving, choice."""
    columns = (
        column("project_id"),
        column("rate_ratio", "number", 3),
        column("rate_ratio_shrunk", "number", 3),
        column("interval", "interval", 3),
        column("rank", "number", 1),
        column("rank_interval", "interval", 0),
        column("programme_cost", "money"),
        column("npv", "money"),
        column("chosen", "flag"),
        column("chosen_share", "percent", 0),
    )
    rows = [
        [
            f["code"],
            float(np.exp(f["estimate"])),
            float(np.exp(pooled.mean[i])),
            [float(np.exp(pooled.low[i])), float(np.exp(pooled.high[i]))],
            float(pooled.rank[i]),
            [float(pooled.rank_low[i]), float(pooled.rank_high[i])],
            f["cost"],
            float(saving[:, i].mean()),
            chosen.chosen[i],
            float(chosen.chosen_share[i]),
        ]
        for i, f in enumerate(found)
    ]
    rows.sort(key=lambda row: row[4])
    notes = [message("note.portfolio")]
    return table(case, "portfolio_table", columns, rows, source="economics", n=len(rows), notes=notes)


def portfolio_facts(case: Case, chosen: Any) -> Exhibit:
    """The choice in four numbers."""
    items: list[tuple[Column, Any]] = [
        (column("portfolio_budget", "money"), chosen.budget),
        (column("portfolio_spent", "money"), chosen.spent),
        (column("portfolio_value", "money"), chosen.value),
        (column("expected_loss", "money"), chosen.expected_loss),
    ]
    return facts(case, "portfolio_facts", items, source="economics")
