"""Route B on the sample's own generator: the effect on yuan against the cash that was truly averted in the window.

    python benchmarks/routes.py --scenario null effect heterogeneous --seeds 150

Every seed gives the panel of a project and the injuries truly averted by severity. Each avertable injury is paid a
gamma amount (shape 2) around the scheduled cash of its severity in the first fifteen months. True cash averted = true
averted injuries × scheduled cash. Route B is the Poisson effect on yuan, with no cap; route A prices the averted
injuries of the strata that carry an estimate.

    covers_truth      intervals of route B that hold the true cash;  bias  mean of (B − truth), yuan
    sd_b, sd_a        spread of both routes' estimates;  cases_ratio  (sd_b / sd_a)²: how many times the cases B needs
    within            runs in which B's interval holds what A, strata and amounts make of it
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
from common import Row, options, record, replicate, share
from npv_coverage import WINDOW, revision

from evalkit import cea, did
from evalkit.core import Design
from evalkit.data import sample
from evalkit.study import evaluation

YEARS, SHAPE = 1.25, 2.0
DRAWS = 500


@cache
def prices() -> tuple[dict[str, float], cea.UnitCosts]:
    """Scheduled cash in the window and lifetime unit costs, once a process."""
    year = cea.price_years()[1]
    plan = cea.schedule(year, price_year=year)
    return cea.cash_in_window(plan, YEARS), cea.unit_costs(plan, n=DRAWS, seed=1)


def one(seed: int, scenario: str) -> Row:
    """One replication: both routes and the truth in yuan."""
    panel, truth = sample.simulate_project(seed, scenario)
    cash, costs = prices()
    design = Design(seed=seed, selection_window=WINDOW, outcomes=evaluation.testable_outcomes(panel))
    path = did.ppml(panel, design)
    expected = evaluation.expected_injuries(panel, path)
    draws = cea.averted_draws(path, DRAWS, seed, expected=expected)
    rng = np.random.default_rng(seed)
    yuan = sum(rng.gamma(SHAPE * panel.outcomes[f"avertable.{s}"] + 1e-12) / SHAPE * m for s, m in cash.items())
    paying = replace(panel, outcomes={"paid": yuan}, outcome_unit="yuan")
    paid = did.inference(did.ppml(paying, replace(design, outcomes=("paid",))).averted(), paying)
    share_averted = 1 - float(np.exp(path.estimate[0]))
    gap = cea.compare_routes(paid, draws, costs, cash, pooled={k: v * share_averted for k, v in expected.items()})
    true = sum(row["averted"] * cash[s] for s, row in truth["by_severity"].items())
    return {"b": gap.paid, "a": gap.window, "low": gap.conf_low, "high": gap.conf_high, "truth": true,
            "within": gap.within}  # fmt: skip


def main() -> None:
    parser = options(__doc__, seeds=150, jobs=1, out="routes.csv")
    parser.add_argument("--scenario", nargs="+", default=["null", "effect", "heterogeneous"])
    args = parser.parse_args()
    commit = revision()
    for scenario in args.scenario:
        rows = replicate(partial(one, scenario=scenario), args)
        told = [r for r in rows if r["low"] is not None]
        b, a, truth = (np.array([r[k] for r in told]) for k in ("b", "a", "truth"))
        covers, error = share(r["low"] <= r["truth"] <= r["high"] for r in told)
        bias = b - truth
        found = {
            "covers_truth": covers, "covers_mc_error": error, "mean_truth": float(truth.mean()),
            "mean_b": float(b.mean()), "mean_a": float(a.mean()), "bias": float(bias.mean()),
            "bias_mc_error": float(bias.std() / np.sqrt(len(told))), "sd_b": float(b.std()), "sd_a": float(a.std()),
            "cases_ratio": float(b.var() / a.var()), "within": share(r["within"] for r in told)[0],
        }  # fmt: skip
        record({"scenario": scenario, "commit": commit, "replications": len(rows), **found}, args.out)


if __name__ == "__main__":
    main()
