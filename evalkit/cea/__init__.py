"""Cost-effectiveness: (effect, unit costs, programme cost) → Decision and Psa; (Psa, thresholds) → Curve.

The way through: `averted_draws(path)` and `unit_costs(schedule(date))` → `decide(...)` → `ceac`, `evpi`, ... The ledger
functions work on `core.Flow`.
"""

from __future__ import annotations

from .benefits import Schedule, benefit_flows, schedule
from .bridge import Draws, averted_draws
from .curves import ceac, ceaf, evpi, expected_loss, inmb, nmb, psa_from_arrays
from .decision import decide
from .discounting import annuity, discount_factor, life_annuity, survival
from .distributions import draw, draw_all
from .frontier import frontier, frontier_of_means, icer_table
from .intervals import RatioSet, dominance, fieller, icer
from .ledger import PERSPECTIVES, accounts, by_payer, in_prices, net, present_value, programme_flows
from .prices import convert, inflate, price_years
from .scenarios import decision_table, fade, scenarios
from .unit_costs import UnitCosts, grade_groups, unit_costs

__all__ = [
    "PERSPECTIVES",
    "Draws",
    "RatioSet",
    "Schedule",
    "UnitCosts",
    "accounts",
    "annuity",
    "averted_draws",
    "benefit_flows",
    "by_payer",
    "ceac",
    "ceaf",
    "convert",
    "decide",
    "decision_table",
    "discount_factor",
    "dominance",
    "draw",
    "draw_all",
    "evpi",
    "expected_loss",
    "fade",
    "fieller",
    "frontier",
    "frontier_of_means",
    "grade_groups",
    "icer",
    "icer_table",
    "in_prices",
    "inflate",
    "inmb",
    "life_annuity",
    "net",
    "nmb",
    "present_value",
    "price_years",
    "programme_flows",
    "psa_from_arrays",
    "scenarios",
    "schedule",
    "survival",
    "unit_costs",
]
