"""Wild cluster bootstrap, null imposed, Rademacher weights, beside wildboottest, pyfixest and diff-diff.

    python benchmarks/wild.py --peer V/bin/python --units 1000 --repeats 3

The peers in an environment of their own: python -m venv V && V/bin/pip install wildboottest==0.3.2
pyfixest==0.60.0 diff-diff==3.13.0. Least squares of 20 periods × units rows on treatment (a small effect, so that p is
no extreme), seven moving covariates and a constant; the clock starts at the arrays (pyfixest: at its fit) and holds
everything after that, on our side also the cluster sums.
"p" has no interval (the first two peers give none); "interval" is p and its inversion at 95 %. Up to 21 clusters we try
all signs, "exact", where peers draw; diff-diff enumerates where its draws reach 2^G: there p and interval agree up to
ties ("interval", 12 clusters). Intervals are timed in the first run of a process, the peer takes a minute.
gap_p: difference of p;  gap_ends: of the interval's ends, in standard errors.
"""

from __future__ import annotations

from typing import Any

from race import extra, middle, options, race, script, write

WORKLOADS = (
    ("p", 21, 99_999, "wildboottest"),
    ("p", 21, 99_999, "pyfixest"),
    ("p", 200, 99_999, "wildboottest"),
    ("p", 200, 99_999, "pyfixest"),
    ("interval", 12, 4_096, "diff-diff"),
    ("interval", 21, 99_999, "diff-diff"),
    ("interval", 200, 99_999, "diff-diff"),
    ("interval", 21, 2**21, None),
)
ARRAYS = """
names = [f"x{{j}}" for j in range(7)]
frame["d"] = (frame["time"] >= frame["cohort"]).astype(float)
frame["y"] -= 0.97 * frame["d"] + 0.1 * (frame["time"] - 2000)
frame["cluster"] = frame["unit"] % {g}
x = np.column_stack([frame["d"], *(frame[n] for n in names), np.ones(len(frame))])
y, cluster = frame["y"].to_numpy(), frame["cluster"].to_numpy()
"""
OURS = """
from evalkit.did import wild
from evalkit.did.linalg import Regression, cluster_system
"""
OURS_WORK = """
def work():
    one = np.ones(len(y))
    r = Regression(
        x=x, y=y, root=one, unit=np.arange(len(y)), cluster=cluster, time=frame["time"].to_numpy(), n_clusters={g},
        contrast=np.eye(9)[:1], treated=np.ones((1, {g}), bool), control=np.ones((1, {g}), bool), n_params=9,
    )
    level = 0.95 if "{kind}" == "interval" else None
    return wild.bootstrap(cluster_system(r), np.eye(9)[0], level=level, weights="rademacher", n={draws})
found = clock("fit", work)
se = abs(found.conf_high - found.conf_low) / 4
out = {{"p": found.p_value, "ends": [found.conf_low, found.conf_high], "se": se, "draws": found.draws}}
"""
PEERS = {
    "wildboottest": (
        "from wildboottest.wildboottest import WildboottestCL",
        """
def work():
    r = np.eye(9)[0]
    boot = WildboottestCL(X=x, Y=y, cluster=cluster, R=r, B={draws}, seed=1, parallel=False)
    boot.get_scores(bootstrap_type="11", impose_null=True, adj=True, cluster_adj=True)
    boot.get_weights(weights_type="rademacher")
    boot.get_numer()
    boot.get_denom()
    boot.get_tboot()
    boot.get_vcov()
    boot.get_tstat()
    boot.get_pvalue(pval_type="two-tailed")
    return boot.pvalue
out = {{"p": float(clock("fit", work))}}
""",
    ),
    "pyfixest": (
        """
import pyfixest
fitted = pyfixest.feols("y ~ d + " + " + ".join(names), data=frame, vcov={{"CRV1": "cluster"}})
""",
        """
found = clock("fit", lambda: fitted.wildboottest(param="d", reps={draws}, seed=1, cluster="cluster"))
out = {{"p": float(found["Pr(>|t|)"])}}
""",
    ),
    "diff-diff": (
        "from diff_diff.utils import wild_bootstrap_se",
        """
found = clock("fit", lambda: wild_bootstrap_se(x, y, y, cluster, 0, n_bootstrap={draws}, seed=1))
out = {{"p": found.p_value, "ends": [found.ci_lower, found.ci_upper], "draws": found.n_bootstrap}}
""",
    ),
}


def main() -> None:
    args = options(__doc__, "wild.csv").parse_args()
    rows = []
    for n in args.units:
        for kind, g, draws, peer in WORKLOADS:
            if args.only and kind not in args.only:
                continue
            told = {"g": g, "draws": draws, "kind": kind}
            setup, work = PEERS[peer] if peer else ("", "")
            codes = [
                script((ARRAYS + s).format(**told), w.format(**told)) for s, w in ((OURS, OURS_WORK), (setup, work))
            ]
            theirs = args.peer if peer else None
            data, runs = {"n": n, "covariates": 7, "moving": True}, 1 if kind == "interval" else 2
            mine, other = race(codes[0], codes[1], theirs, data, args.repeats, runs)
            rows.append(
                {
                    "output": kind,
                    "rows": 20 * n,
                    "clusters": g,
                    "draws": mine[-1]["out"]["draws"] if mine else 0,
                    "cpu": middle(mine, "fit"),
                    "wall": middle(mine, "fit", which=1),
                    "extra_mb": extra(mine),
                    "peer": peer or "none",
                    "peer_draws": draws if peer else 0,
                    "peer_cpu": middle(other, "fit"),
                    "peer_extra_mb": extra(other),
                    "ratio": middle(other, "fit") / middle(mine, "fit"),
                    "memory_ratio": extra(other) / max(extra(mine), 0.1),
                    **_gaps(mine, other),
                }
            )
            write(rows, args.out, args.note)


def _gaps(mine: list[dict[str, Any]], other: list[dict[str, Any]]) -> dict[str, float]:
    if not mine or not other:
        return {"gap_p": float("nan"), "gap_ends": float("nan")}
    a, b = mine[-1]["out"], other[-1]["out"]
    ends = [abs(x - y) / a["se"] for x, y in zip(a["ends"], b["ends"])] if "ends" in b else [float("nan")]
    return {"gap_p": abs(a["p"] - b["p"]), "gap_ends": max(ends)}


if __name__ == "__main__":
    main()
