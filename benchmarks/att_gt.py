"""ATT(g,t) and its event study beside diff-diff: 20 periods, 5 start dates, not-yet-treated controls, varying base.

    python benchmarks/att_gt.py --peer V/bin/python --units 100000 1000000 --repeats 3

The peer in an environment of its own: python -m venv V && V/bin/pip install diff-diff==3.13.0. Its fit takes the long
frame, so "fit" holds its reshaping; ours is timed apart as "ingest". Two ratios: peer's fit over our fit, and over our
ingest + fit. Without covariates all agree to 1e-10; with covariates its "dr" divides by n where Callaway and Sant'Anna
divide by the sum of weights, so that agreement is told for "reg".
"""

from __future__ import annotations

from race import extra, middle, options, race, script, write

WORKLOADS = {"none": (0, "dr"), "dr2": (2, "dr"), "reg2": (2, "reg")}
OURS = """
import evalkit
from evalkit import did
"""
OURS_WORK = """
names = tuple(f"x{{j}}" for j in range({k}))
columns = dict(unit="unit", time="time", outcome="y", cohort="cohort", covariates=names)
panel = clock("ingest", lambda: evalkit.panel(frame, **columns))
design = evalkit.Design(control="not_yet", base="varying", covariates=names, adjustment="{method}", rule="analytic")
path = clock("fit", lambda: did.att_gt(panel, design).combine("event_time"))
out = {{str(t.event_time): [float(e), float(s)] for t, e, s in zip(path.terms, path.estimate, path.std_error)}}
"""
PEER = """
from diff_diff import CallawaySantAnna
frame["cohort"] = frame["cohort"].fillna(0).astype(int)
"""
PEER_WORK = """
names = [f"x{{j}}" for j in range({k})] or None
model = CallawaySantAnna(control_group="not_yet_treated", estimation_method="{method}")
columns = dict(outcome="y", unit="unit", time="time", first_treat="cohort", covariates=names)
result = clock("fit", lambda: model.fit(frame, **columns, aggregate="event_study"))
out = {{str(e): [float(v["effect"]), float(v["se"])] for e, v in result.event_study_effects.items()}}
"""


def gap(a: dict[str, list[float]], b: dict[str, list[float]]) -> float:
    """Largest difference of estimates and standard errors at event times that both have, relative to the error."""
    shared = [e for e in a if e in b]
    return max((max(abs(x - y) for x, y in zip(a[e], b[e])) / a[e][1] for e in shared), default=float("nan"))


def main() -> None:
    args = options(__doc__, "att_gt.csv").parse_args()
    rows = []
    for n in args.units:
        for name in args.only or WORKLOADS:
            k, method = WORKLOADS[name]
            codes = [
                script(setup, work.format(k=k, method=method)) for setup, work in ((OURS, OURS_WORK), (PEER, PEER_WORK))
            ]
            mine, other = race(*codes, args.peer, {"n": n, "covariates": k}, args.repeats)
            fit, both, theirs = middle(mine, "fit"), middle(mine, "ingest", "fit"), middle(other, "fit")
            rows.append(
                {
                    "workload": name,
                    "units": n,
                    "cpu_ingest": middle(mine, "ingest"),
                    "cpu_fit": fit,
                    "wall_both": middle(mine, "ingest", "fit", which=1),
                    "extra_mb": extra(mine),
                    "peer_cpu": theirs,
                    "peer_wall": middle(other, "fit", which=1),
                    "peer_extra_mb": extra(other),
                    "ratio_fit": theirs / fit,
                    "ratio_with_ingest": theirs / both,
                    "memory_ratio": extra(other) / extra(mine) if extra(mine) > 0 else float("inf"),
                    "largest_gap_in_se": gap(mine[-1]["out"], other[-1]["out"]) if mine and other else float("nan"),
                }
            )
            write(rows, args.out, args.note)


if __name__ == "__main__":
    main()
