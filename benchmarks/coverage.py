"""Size, coverage and power of the automatic inference on the sample's own generator, with known truth.

    python benchmarks/coverage.py --what project --scenario null --seeds 2000 --out benchmarks/coverage_project_null.csv

For every seed the fast path of the sample (no files) gives a panel and its realised truth; the estimator with
automatic inference gives an interval. Counted: rejections of no effect at 5 %, intervals that hold the realised
effect, refusals, mean estimate. Monte Carlo standard errors are printed beside each share.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np


def one(seed: int, what: str, scenario: str) -> dict[str, Any]:
    """One replication: estimate, interval and realised truth on the log scale."""
    from evalkit import did
    from evalkit.core import Design
    from evalkit.data import sample

    design = Design(seed=seed, rule="cr3")
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
    reject, cover = ((low > 0) | (high < 0)).mean(), ((low <= truth) & (truth <= high)).mean()
    n = len(told)
    return {
        "replications": len(rows),
        "refused": len(rows) - n,
        "rejects_no_effect": reject,
        "rejects_mc_error": math.sqrt(reject * (1 - reject) / n),
        "covers_truth": cover,
        "covers_mc_error": math.sqrt(cover * (1 - cover) / n),
        "mean_estimate": estimate.mean(),
        "mean_truth": truth.mean(),
        "bias": (estimate - truth).mean(),
        "sd_estimate": estimate.std(),
        "median_df": float(np.median([r["df"] for r in told])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", choices=["project", "city", "city_weighted"], default="project")
    parser.add_argument("--scenario", default="null")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "coverage.csv")
    args = parser.parse_args()
    seeds = range(args.first, args.first + args.seeds)
    with ProcessPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(partial(one, what=args.what, scenario=args.scenario), seeds, chunksize=20))
    row = {"what": args.what, "scenario": args.scenario, **summarise(rows)}
    new = not args.out.exists()
    with args.out.open("a", newline="") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    for key, value in row.items():
        sys.stdout.write(f"{key:>20}  {value:.4g}\n" if isinstance(value, float) else f"{key:>20}  {value}\n")


if __name__ == "__main__":
    main()
