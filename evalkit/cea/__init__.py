"""Cost-effectiveness: (effect, unit costs, programme cost) → Decision and Psa; (Psa, thresholds) → Curve.

The way through: `averted_draws(path)` and `unit_costs(schedule(date))` → `decide(...)` → `ceac`, `evpi`, ... A model of
one's own: `psa(strategies, parameters, effects)`. The ledger functions work on `core.Flow`.
"""

from __future__ import annotations

from .benefits import Schedule, benefit_flows, schedule
from .bridge import Draws, averted_draws
from .budget import budget_impact
from .curves import ceac, ceaf, evpi, expected_loss, inmb, nmb, psa_from_arrays, threshold_curves
from .daly import daly, years_lost
from .decision import decide
from .discounting import annuity, discount_factor, life_annuity, survival
from .distributions import draw, draw_all
from .evppi import evppi, evppi_variance
from .evsi import enbs, evsi
from .exchange import read_psa, write_psa
from .frontier import frontier, frontier_of_means, icer_table
from .groups import by_group
from .intervals import RatioSet, dominance, fieller, icer
from .inventory import impact_inventory
from .ledger import PERSPECTIVES, accounts, by_payer, in_prices, net, present_value, programme_flows
from .mixture import mixture
from .model import psa
from .pooling import Pooled, pool
from .portfolio import Portfolio, portfolio
from .precision import mc_errors
from .prices import convert, inflate, price_years
from .ratio import icer_bootstrap, icer_set
from .returns import Returns, payback, returns
from .robust import breakdown_mbar, robust_decision
from .routes import RouteGap, cash_in_window, compare_routes
from .scenarios import decision_table, fade, scenarios
from .screening import morris, sobol
from .sensitivity import breakeven, one_way, tornado, two_way
from .unit_costs import UnitCosts, grade_groups, unit_costs
from .utility import RiskAverse, risk_averse

__all__ = [
    "PERSPECTIVES",
    "Draws",
    "Pooled",
    "Portfolio",
    "RatioSet",
    "Returns",
    "RiskAverse",
    "RouteGap",
    "Schedule",
    "UnitCosts",
    "accounts",
    "annuity",
    "averted_draws",
    "benefit_flows",
    "breakdown_mbar",
    "breakeven",
    "budget_impact",
    "by_group",
    "by_payer",
    "cash_in_window",
    "ceac",
    "ceaf",
    "compare_routes",
    "convert",
    "daly",
    "decide",
    "decision_table",
    "discount_factor",
    "dominance",
    "draw",
    "draw_all",
    "enbs",
    "evpi",
    "evppi",
    "evppi_variance",
    "evsi",
    "expected_loss",
    "fade",
    "fieller",
    "frontier",
    "frontier_of_means",
    "grade_groups",
    "icer",
    "icer_bootstrap",
    "icer_set",
    "icer_table",
    "impact_inventory",
    "in_prices",
    "inflate",
    "inmb",
    "life_annuity",
    "mc_errors",
    "mixture",
    "morris",
    "net",
    "nmb",
    "one_way",
    "payback",
    "pool",
    "portfolio",
    "present_value",
    "price_years",
    "programme_flows",
    "psa",
    "psa_from_arrays",
    "read_psa",
    "returns",
    "risk_averse",
    "robust_decision",
    "scenarios",
    "schedule",
    "sobol",
    "survival",
    "threshold_curves",
    "tornado",
    "two_way",
    "unit_costs",
    "write_psa",
    "years_lost",
]
