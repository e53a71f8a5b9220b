"""The fund's decision under other assumptions: discount rate, pension growth, small strata, duration of the effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import cea
from ..core import Exhibit, to_plain
from .build import column, message, table
from .case import Case
from .economics import known_mix, money_cells, project_schedule
from .evaluation import expected_injuries, grade_mix

if TYPE_CHECKING:
    from .evaluation import Evaluation

DRAWS = 2_000
"""Enough for a comparison: all rows share their draws, so that the differences carry little Monte Carlo error."""


def scenario_table(case: Case, ev: Evaluation) -> Exhibit:
    """One row per named scenario, from the same draws; a scenario has no probability."""
    found = cea.scenarios(
        ev.path, project_schedule(case, ev.row), ev.money.flows, window=2 * ev.money.delay, n=min(DRAWS, case.draws),
        seed=case.seed, expected=expected_injuries(ev.panel, ev.path), mix=known_mix(case, grade_mix(case)),
    )  # fmt: skip
    columns = (
        column("scenario", "message"),
        column("averted_cost", "money"),
        column("npv", "money"),
        column("npv_interval", "message"),
        column("bcr", "number", 2),
        column("confidence", "percent", 0),
    )
    rows = []
    for name, decision in found.items():
        _, averted, npv, span, bcr, _, confidence = money_cells(to_plain(decision))
        rows.append([message(f"cea.scenario.{name}"), averted, npv, span, bcr, confidence])
    base = found["base"]
    notes = [
        message("note.money_basis", price_year=str(base.price_year), rate=_rate(ev), n=base.n_draws),
        message("note.scenarios"),
    ]
    return table(case, "economics_scenarios", columns, rows, source="economics", n=base.n_draws, notes=notes)


def _rate(ev: Evaluation) -> str:
    rate = ev.money.costs.discount
    return f"{100 * rate:g}" if isinstance(rate, (int, float)) else "–"
