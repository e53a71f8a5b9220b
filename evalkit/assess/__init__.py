"""Indicators, targets, fund, training, projects, measures, gates, peers and disclosure control.

Everything takes `canonical` (any object with `tables` and `as_of`) and a `Plan`; rows, formulas and limits are data of
the plan. Functions return tidy frames or `core.Score` / `core.Gate`.
"""

from .activities import activity_summary, joint_meetings, six_enters
from .disclosure import TOTAL, hide, protect, publish, suppression, with_margins
from .effects import economic_scores, effect_score
from .frames import Tables, last_mature_month, rows_of
from .fund import execution, fund_ratio, reference_ratio, spend_per_insured, yearly_ledger
from .gates import cap_gate, gates
from .intervals import byar, exact_poisson, rate_ratio, wilson
from .measures import measure_counts, measure_roll_up, measure_totals, measures
from .peers import peers
from .projects import acceptance, artefacts, exceptions, projects_of
from .rates import rates
from .scores import scores
from .targets import industry_targets, key_industry_target, path_value, target_path, verdict
from .training import project_costs, training_coverage, training_reach, training_results, unit_cost

__all__ = [
    "TOTAL",
    "Tables",
    "acceptance",
    "activity_summary",
    "artefacts",
    "byar",
    "cap_gate",
    "economic_scores",
    "effect_score",
    "exact_poisson",
    "exceptions",
    "execution",
    "fund_ratio",
    "gates",
    "hide",
    "industry_targets",
    "joint_meetings",
    "key_industry_target",
    "last_mature_month",
    "measure_counts",
    "measure_roll_up",
    "measure_totals",
    "measures",
    "path_value",
    "peers",
    "project_costs",
    "projects_of",
    "protect",
    "publish",
    "rate_ratio",
    "rates",
    "reference_ratio",
    "rows_of",
    "scores",
    "six_enters",
    "spend_per_insured",
    "suppression",
    "target_path",
    "training_coverage",
    "training_reach",
    "training_results",
    "unit_cost",
    "verdict",
    "wilson",
    "with_margins",
    "yearly_ledger",
]
