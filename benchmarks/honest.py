"""Robust intervals under relative magnitudes: evalkit beside moderndid on the same estimates, A B A B in one run.

An event study of 5 + 5 periods (and the Medicaid study's 5 + 2 shape), 5 values of M̄, conditional / least-favourable
hybrid, 95 %. Each repetition is a process of its own that imports, computes once and reports CPU seconds of the
computation, wall seconds, peak memory above that before the computation, and the intervals, so that their agreement is
in the table. The peer inverts 1,000 grid points, ours a grid refined at its ends.

    python benchmarks/honest.py --peer /path/to/venv/bin/python --repeats 3
    python benchmarks/honest.py --coverage 1000

The peer lives in an environment of its own: python -m venv V && V/bin/pip install "moderndid[didhonest]==0.2.0".
Without --peer only evalkit runs. The last column holds the largest gap between the two answers. Where the peer is
narrower it has left out a step: moderndid 0.2.0 forms the union over all but one of the pre-period steps, R HonestDiD
over all, as we do.

--coverage: share of replications whose robust set holds the true effect, with the steps after the start exactly M̄
times the largest before it (the boundary), written to honest_coverage.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

OUT = Path(__file__).parent / "honest.csv"
SIZES = (0.0, 0.5, 1.0, 1.5, 2.0)
MEASURE = """
import json, resource, sys, time
import numpy as np
given = json.load(sys.stdin)
beta, vcov = np.array(given["beta"]), np.array(given["vcov"])
pre, post, target = given["pre"], given["post"], np.array(given["target"])
{setup}
before, wall, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
ends = {call}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
extra = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
print(json.dumps({{"cpu_s": cpu, "wall_s": wall, "extra_mb": extra, "ends": ends}}))
"""
OURS = MEASURE.format(
    setup="""
from evalkit.did.sensitivity.intervals import RobustStudy
from evalkit.did.sensitivity.restrictions import Restriction
def study():
    return RobustStudy(estimate=beta, vcov=vcov, restriction=Restriction(kind="relative_magnitude", pre=pre, post=post),
                       target=target, test="c_lf")
""",
    call="[list(s.interval(m)) for s in [study()] for m in given['sizes']]",
)
THEIRS = MEASURE.format(
    setup="from moderndid.didhonest import create_sensitivity_results_rm as rm",
    call="""[[r["lb"], r["ub"]] for r in rm(beta, vcov, pre, post, m_bar_vec=np.array(given["sizes"]),
              l_vec=target.reshape(-1, 1)).iter_rows(named=True)]""",
)


def event_study(pre: int, post: int, seed: int = 1) -> dict[str, Any]:
    """Estimates with an effect on the treated periods and the covariance of AR(1) paths measured from one reference."""
    rng = np.random.default_rng(seed)
    t = np.arange(pre + post + 1)
    path = 0.5 ** np.abs(t[:, None] - t)
    move = np.delete(np.eye(len(t)) - np.eye(len(t))[pre], pre, axis=0)
    vcov = 0.01 * move @ path @ move.T
    beta = rng.multivariate_normal(np.r_[np.zeros(pre), np.full(post, 0.4)], vcov)
    return {
        "beta": beta.tolist(),
        "vcov": vcov.tolist(),
        "pre": pre,
        "post": post,
        "target": np.eye(post)[0].tolist(),
        "sizes": SIZES,
    }


def coverage(pre: int, post: int, size: float, n: int, ratio: float, seed: int = 5) -> dict[str, Any]:
    """Coverage on the boundary; the largest step before the start is `ratio` standard errors of the first effect."""
    from evalkit.did.sensitivity.intervals import RobustStudy
    from evalkit.did.sensitivity.restrictions import Restriction

    vcov = np.array(event_study(pre, post)["vcov"])
    step = ratio * np.sqrt(vcov[pre, pre])
    delta = np.r_[-step * np.ones(pre - 1), 0.0, size * step * np.arange(1, post + 1)]
    rng, covered, plug_in = np.random.default_rng(seed), 0, 0
    restriction = Restriction(kind="relative_magnitude", pre=pre, post=post)
    draws = None
    for beta in rng.multivariate_normal(delta, vcov, size=n):
        study = RobustStudy(estimate=beta, vcov=vcov, restriction=restriction, target=np.eye(post)[0], test="c_lf")
        if draws is None:
            draws = study._draws[::4]  # a simulation needs no more
        study.__dict__["_draws"] = draws
        covered += any(t.accepts(np.zeros(1))[0] for t in study._tests(size))
        largest = np.abs(np.diff(np.r_[beta[:pre], 0.0])).max()
        plug_in += abs(beta[pre]) <= size * largest + 1.96 * study.std_error
    share = covered / n
    return {
        "design": f"{pre}+{post}",
        "mbar": size,
        "step_in_std_errors": ratio,
        "replications": n,
        "coverage": f"{share:.4f}",
        "mc_error": f"{np.sqrt(share * (1 - share) / n):.4f}",
        "coverage_of_the_plug_in": f"{plug_in / n:.4f}",
    }


def study_coverage(n: int) -> None:
    """Write the coverage table."""
    rows = [
        coverage(pre, post, size, n, ratio)
        for pre, post in ((5, 2), (5, 5))
        for ratio in (0.5, 2.0)
        for size in (0.5, 1.0, 2.0)
    ]
    with (OUT.parent / "honest_coverage.csv").open("w", newline="", encoding="utf-8") as handle:
        handle.write(f"# python benchmarks/honest.py --coverage {n}; nominal 0.95\n")
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def measured(python: str, code: str, given: dict[str, Any]) -> dict[str, Any]:
    """One repetition in a fresh process with one thread."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(
        [python, "-c", code], input=json.dumps(given), capture_output=True, text=True, check=True, env=env
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="python of the environment that holds moderndid")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--note", default="")
    parser.add_argument("--coverage", type=int, default=0, help="replications; nothing else runs")
    args = parser.parse_args()
    if args.coverage:
        return study_coverage(args.coverage)
    rows = []
    for pre, post in ((5, 2), (5, 5)):
        given = event_study(pre, post)
        step = 40 * np.sqrt(given["vcov"][pre][pre]) / 999
        runs: dict[str, list[dict[str, Any]]] = {"evalkit": [], "moderndid": []}
        for _ in range(args.repeats):
            runs["evalkit"].append(measured(sys.executable, OURS, given))
            if args.peer:
                runs["moderndid"].append(measured(args.peer, THEIRS, given))
        for tool, found in runs.items():
            if not found:
                continue
            median = {k: float(np.median([f[k] for f in found])) for k in ("cpu_s", "wall_s", "extra_mb")}
            gap = np.abs(np.array(found[0]["ends"]) - np.array(runs["evalkit"][0]["ends"])).max() / step
            base = np.median([f["cpu_s"] for f in runs["evalkit"]])
            rows.append(
                {
                    "workload": f"relative magnitudes {pre}+{post}, {len(SIZES)} values",
                    "tool": tool,
                    "repeats": len(found),
                    **{k: f"{v:.3g}" for k, v in median.items()},
                    "cpu_ratio": f"{median['cpu_s'] / base:.1f}",
                    "largest_gap_in_peer_grid_steps": f"{gap:.2f}",
                    "note": args.note,
                }
            )
            sys.stdout.write(f"{rows[-1]}\n")
    with OUT.open("w", newline="", encoding="utf-8") as handle:
        handle.write(
            f"# python benchmarks/honest.py --peer P --repeats {args.repeats}; {platform.machine()}, 1 thread\n"
        )
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return None


if __name__ == "__main__":
    main()
