"""Poisson with exposure beside pyfixest: unit and period effects, clustered by unit, 20 periods, 5 start dates.

    python benchmarks/ppml.py --peer V/bin/python --units 100000 --repeats 3

The peer in an environment of its own: python -m venv V && V/bin/pip install pyfixest==0.60.0. "ppml" has one effect of
treatment, "etwfe" one per cohort and period without leads; the peer's regressors are made outside its clock and it
takes the long frame, while our ingest is timed apart. Both standard errors are CR1. "fit" of ours ends with the counts
(observed, expected) of every row, which the peer does not give; "auto" adds the jackknife and its degrees of freedom.
"""

from __future__ import annotations

from race import extra, middle, options, race, script, write

WORKLOADS = {"ppml": "sparse", "etwfe": "sparse", "ppml_dense": "dense", "etwfe_dense": "dense"}
COUNTS = """
rng = np.random.default_rng(7)
n = given["data"]["n"]
t = len(frame) // n
size = np.repeat(np.exp(rng.normal(3, 1, n)), t)
frame["exposure"] = size * np.exp(rng.normal(0, 0.05, n * t))
on = frame["time"].to_numpy() >= frame["cohort"].fillna(10**6).to_numpy()
frame["cases"] = rng.poisson(frame["exposure"] * {rate} * np.where(on, 0.85, 1)).astype(float)
frame = frame[["unit", "time", "cohort", "exposure", "cases"]]
"""
OURS = """
import evalkit
from evalkit import did
"""
OURS_WORK = """
columns = dict(unit="unit", time="time", outcome="cases", cohort="cohort", exposure="exposure")
panel = clock("ingest", lambda: evalkit.panel(frame, **columns))
def fit(rule):
    design = evalkit.Design(rule=rule)
    return did.ppml(panel, design) if "{method}" == "ppml" else did.etwfe(panel, design, family="poisson")
path = clock("fit", lambda: fit("cr1"))
clock("auto", lambda: fit("auto"))
out = {{t.term: [float(e), float(s)] for t, e, s in zip(path.terms, path.estimate, path.std_error)}}
"""
PEER = """
import pyfixest as pf
frame["att"] = on.astype(float)
frame["log_exposure"] = np.log(frame["exposure"])
names = []
if "{method}" == "etwfe":
    for g in sorted(frame["cohort"].dropna().unique()):
        for s in sorted(frame["time"][frame["time"] >= g].unique()):
            names.append(f"g{{int(g)}}t{{int(s)}}")
            frame[names[-1]] = ((frame["cohort"] == g) & (frame["time"] == s)).astype(float)
"""
PEER_WORK = """
rhs = " + ".join(names) or "att"
formula = f"cases ~ {{rhs}} | unit + time"
fit = clock("fit", lambda: pf.fepois(formula, frame, vcov={{"CRV1": "unit"}}, offset="log_exposure"))
label = lambda c: c if c == "att" else "cohort=" + c[1:5] + ".0,time=" + c[6:]
out = {{label(c): [float(fit.coef()[c]), float(fit.se()[c])] for c in fit.coef().index}}
"""


def plain(term: str) -> str:
    """A row's name without the form of its numbers."""
    return term.replace(".0", "")


def gap(a: dict[str, list[float]], b: dict[str, list[float]]) -> float:
    """Largest difference of estimates of rows that both have, relative to the error."""
    theirs = {plain(k): v for k, v in b.items()}
    shared = [(v, theirs[plain(k)]) for k, v in a.items() if plain(k) in theirs and v[1] > 0]
    return max((abs(x[0] - y[0]) / x[1] for x, y in shared), default=float("nan"))


def main() -> None:
    args = options(__doc__, "ppml.csv").parse_args()
    rows = []
    for n in args.units:
        for name in args.only or WORKLOADS:
            method, rate = name.partition("_")[0], {"sparse": 0.003, "dense": 0.05}[WORKLOADS[name]]
            ours = script(COUNTS.format(rate=rate) + OURS, OURS_WORK.format(method=method))
            peer = script(COUNTS.format(rate=rate) + PEER.format(method=method), PEER_WORK.format(method=method))
            mine, other = race(ours, peer, args.peer, {"n": n}, args.repeats)
            fit, both, theirs = middle(mine, "fit"), middle(mine, "ingest", "fit"), middle(other, "fit")
            rows.append(
                {
                    "workload": name,
                    "units": n,
                    "cpu_ingest": middle(mine, "ingest"),
                    "cpu_fit": fit,
                    "cpu_auto": middle(mine, "auto"),
                    "extra_mb": extra(mine),
                    "peer_cpu": theirs,
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
