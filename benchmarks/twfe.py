"""Two-way fixed effects and event study beside pyfixest: unit and period effects, clustered by unit, 20 periods.

    python benchmarks/twfe.py --peer V/bin/python --units 100000 1000000 --repeats 3

The peer in an environment of its own: python -m venv V && V/bin/pip install pyfixest==0.60.0. It takes the long
frame; event-time regressors are made outside its clock. Our ingest is timed apart. Both standard errors are CR1.
"""

from __future__ import annotations

from race import extra, middle, options, race, script, write

WORKLOADS = {"twfe": 0, "event_study": 0, "covariates": 2}
OURS = """
import evalkit
from evalkit import did
"""
OURS_WORK = """
names = tuple(f"x{{j}}" for j in range({k}))
columns = dict(unit="unit", time="time", outcome="y", cohort="cohort", covariates=names)
panel = clock("ingest", lambda: evalkit.panel(frame, **columns))
design = evalkit.Design(covariates=names, rule="cr1")
path = clock("fit", lambda: did.{method}(panel, design))
out = {{t.term: [float(e), float(s)] for t, e, s in zip(path.terms, path.estimate, path.std_error)}}
"""
PEER = """
import pyfixest as pf
frame["att"] = (frame["time"] >= frame["cohort"]).astype(float)
event = (frame["time"] - frame["cohort"]).to_numpy()
frame["event"] = np.where(np.isnan(event), -1, event).astype(int)
"""
PEER_WORK = """
x = "".join(f" + x{{j}}" for j in range({k}))
rhs = "i(event, ref=-1)" if "{method}" == "event_study" else "att"
fit = clock("fit", lambda: pf.feols(f"y ~ {{rhs}}{{x}} | unit + time", frame, vcov={{"CRV1": "unit"}}))
names = list(fit.coef().index)
label = lambda c: c if c == "att" else "event_time=" + str(c).split("::")[-1]
out = {{label(c): [float(fit.coef()[c]), float(fit.se()[c])] for c in names}}
"""


def gap(a: dict[str, list[float]], b: dict[str, list[float]]) -> float:
    """Largest difference of estimates and standard errors of rows that both have, relative to the error."""
    shared = [e for e in a if e in b and a[e][1] > 0]
    return max((max(abs(x - y) for x, y in zip(a[e], b[e])) / a[e][1] for e in shared), default=float("nan"))


def main() -> None:
    args = options(__doc__, "twfe.csv").parse_args()
    rows = []
    for n in args.units:
        for name in args.only or WORKLOADS:
            k = WORKLOADS[name]
            method = "twfe" if name == "covariates" else name
            codes = [
                script(setup, work.format(k=k, method=method)) for setup, work in ((OURS, OURS_WORK), (PEER, PEER_WORK))
            ]
            data = {"n": n, "covariates": k, "moving": True}
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
