"""Size, coverage and power of the automatic inference on the sample's own generator, with known truth.

    python benchmarks/coverage.py --what project --scenario null --seeds 2000 --out benchmarks/coverage_project_null.csv

For every seed the fast path of the sample (no files) gives a panel and its realised truth; the estimator with
automatic inference gives an interval. Counted: rejections of no effect at 5 %, intervals that hold the realised
effect, refusals, mean estimate. Monte Carlo standard errors are printed beside each share.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from common import options, record, replicate, share


def one(seed: int, what: str, scenario: str) -> dict[str, Any]:
    """One replication: estimate, interval and realised truth on the log scale."""
    from evalkit import did
    from evalkit.core import Design
    from evalkit.data import sample

    design = Design(seed=seed)
    if what == "project":
        panel, truth = sample.simulate_project(seed, scenario)
        path = did.ppml(panel, design)
    elif what == "city":
        panel, truth = sample.simulate_city(seed, scenario)
        path = did.twfe(did.log_rate(panel), design)
    else:
        panel, truth = sample.simulate_city(seed, scenario)
        path = did.ppml(panel, design)
    e = path.effects()[0]
    return {
        "seed": seed,
        "estimate": e.estimate,
        "low": e.conf_low,
        "high": e.conf_high,
        "df": e.df,
        "truth": truth["mean_log_rate_ratio"] if what == "city" else math.log(truth["rate_ratio"]),
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares over replications with their Monte Carlo standard errors."""
    told = [r for r in rows if r["low"] is not None]
    low, high = (np.array([r[k] for r in told]) for k in ("low", "high"))
    truth, estimate = (np.array([r[k] for r in told]) for k in ("truth", "estimate"))
    reject, reject_error = share((low > 0) | (high < 0))
    cover, cover_error = share((low <= truth) & (truth <= high))
    return {
        "replications": len(rows),
        "refused": len(rows) - len(told),
        "rejects_no_effect": reject,
        "rejects_mc_error": reject_error,
        "covers_truth": cover,
        "covers_mc_error": cover_error,
        "mean_estimate": float(estimate.mean()),
        "mean_truth": float(truth.mean()),
        "bias": float((estimate - truth).mean()),
        "sd_estimate": float(estimate.std()),
        "median_df": float(np.median([r["df"] for r in told])),
    }


def main() -> None:
    parser = options(__doc__, seeds=2000, jobs=2, out="coverage.csv")
    parser.add_argument("--what", choices=["project", "city", "city_weighted"], default="project")
    parser.add_argument("--scenario", default="null")
    args = parser.parse_args()
    rows = replicate(partial(one, what=args.what, scenario=args.scenario), args)
    record({"what": args.what, "scenario": args.scenario, **summarise(rows)}, args.out)


if __name__ == "__main__":
    main()
