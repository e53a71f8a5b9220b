"""The fund's choice over all evaluated projects: shrunken effects, the choice under the cap, the path of spending."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .. import cea
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
