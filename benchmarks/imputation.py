"""Imputation and its event study beside diff-diff: 20 periods, 5 start dates, clustered by unit.

    python benchmarks/imputation.py --peer V/bin/python --units 100000 --repeats 3

The peer in an environment of its own: python -m venv V && V/bin/pip install diff-diff==3.13.0. Both give effects by
event time with the authors' conservative standard errors. Its fit takes the long frame; our ingest is timed apart.
"holes": a tenth of the units with missing cells.
"""

from __future__ import annotations

from race import extra, middle, options, race, script, write

WORKLOADS = {"balanced": {}, "holes": {"holes": 0.1}, "shuffled": {"order": "shuffled"}}
OURS = """
import evalkit
from evalkit import did
"""
OURS_WORK = """
columns = dict(unit="unit", time="time", outcome="y", cohort="cohort", missing="keep")
panel = clock("ingest", lambda: evalkit.panel(frame, **columns))
design = evalkit.Design(rule="analytic")
path = clock("fit", lambda: did.imputation(panel, design).combine("event_time"))
out = {str(t.event_time): [float(e), float(s)] for t, e, s in zip(path.terms, path.estimate, path.std_error)}
"""
PEER = """
from diff_diff import ImputationDiD
frame["cohort"] = frame["cohort"].fillna(0).astype(int)
"""
PEER_WORK = """
columns = dict(outcome="y", unit="unit", time="time", first_treat="cohort")
result = clock("fit", lambda: ImputationDiD().fit(frame, **columns, aggregate="event_study"))
effects = result.event_study_effects.items()
out = {str(e): [float(v["effect"]), float(v["se"])] for e, v in effects if v["se"] == v["se"]}
"""


def gap(a: dict[str, list[float]], b: dict[str, list[float]]) -> float:
    """Largest difference of estimates and standard errors at event times that both have, relative to the error."""
    shared = [e for e in a if e in b and b[e][1] > 0]
    return max((max(abs(x - y) for x, y in zip(a[e], b[e])) / a[e][1] for e in shared), default=float("nan"))


def main() -> None:
    args = options(__doc__, "imputation.csv").parse_args()
    rows = []
    for n in args.units:
        for name in args.only or WORKLOADS:
            codes, data = [script(OURS, OURS_WORK), script(PEER, PEER_WORK)], {"n": n, **WORKLOADS[name]}
            mine, other = race(*codes, args.peer, data, args.repeats, limit=args.limit, cap=args.cap)
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
