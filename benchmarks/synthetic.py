"""Synthetic difference-in-differences with placebo, jackknife and bootstrap standard error, beside diff-diff.

    python benchmarks/synthetic.py --peer V/bin/python --repeats 3

The peer in an environment of its own: python -m venv V && V/bin/pip install diff-diff==3.13.0 (its compiled part must
load). One cohort, a quarter of the units, treated over the last quarter of the periods; levels, two factors, noise.
Both sides start at the long frame, and the clock holds panel, weights, estimate and standard error with the same number
of replications; our parts are also given one by one. We enumerate no placebos here, and the router is left out: the
public call also finds degrees of freedom and takes 500 draws.

gap: difference of the estimates;  se_ratio: ours / the peer's (draws differ, save for the jackknife; our replications
refit at the exact minimum, the peer's stop above it)
unit_objective, time_objective   |A x − b|²/n + ζ²|x|² at our weights, the peer's less ours beside it, and how far ours
is above the minimum. Both sides follow R synthdid's Frank-Wolfe path, which stops above the minimum.
"""

from __future__ import annotations

from typing import Any

from race import extra, middle, options, race, script, write

SIZES = ((21, 20), (50, 30), (100, 40), (200, 60))
RULES = ("placebo", "jackknife", "bootstrap")
DATA = """
def factors(n, t, seed=1):
    rng = np.random.default_rng(seed)
    treated, start = n // 4, t - t // 4
    y = rng.normal(0, 2, (n, 1)) + rng.normal(0, 1, (n, 2)) @ rng.normal(0, 0.7, (2, t)).cumsum(axis=1)
    y += rng.normal(0, 1, (n, t))
    y[:treated, start:] += 1.0
    return y, treated, start
given_n, given_t = {n}, {t}
y, treated, start = factors(given_n, given_t)
frame = pd.DataFrame(dict(unit=np.repeat(np.arange(given_n), given_t), time=np.tile(np.arange(given_t), given_n)))
frame["y"] = y.reshape(-1)
frame["on"] = (frame["unit"] < treated).astype(int)
frame["cohort"] = np.where(frame["on"] == 1, float(start), np.nan)
past, later = y[treated:, :start], y[treated:, start:].mean(axis=1)
sigma = np.diff(past, axis=1).std(ddof=1)
def objective(a, b, x, ridge):
    left = (a - a.mean(axis=0)) @ x - (b - b.mean())
    return float(left @ left / len(a) + ridge**2 * (x @ x))
def objectives(unit, time):
    ridge = sigma * (treated * (given_t - start)) ** 0.25
    mean = y[:treated, :start].mean(axis=0)
    return [objective(past.T, mean, unit, ridge), objective(past, later, time, 1e-6 * sigma)]
"""
OURS = """
import evalkit
from evalkit import Design
from evalkit.did import synthetic_draws
from evalkit.did.simplex import minimum, normal_equations
from evalkit.did.synthetic import synthetic_did_fit
def lowest(a, b, start, ridge):
    gram, linear = normal_equations(a, b, intercept=True)
    return minimum(gram, linear[None], np.full((1, len(linear)), len(a) * ridge**2), start)[0]
"""
OURS_WORK = """
panel = clock("ingest", lambda: evalkit.panel(frame, unit="unit", time="time", outcome="y", cohort="cohort"))
fit = clock("weights", lambda: synthetic_did_fit(panel, Design()))
part = fit.sources[0]
w = part.cohorts[0]
row = np.zeros(part.width)
row[w.block.after] = 1 / len(w.block.after)
def error():
    if "{rule}" == "jackknife":
        values = part.without @ row
        return float(np.sqrt((len(values) - 1) * values.var()))
    if "{rule}" == "placebo":
        found = synthetic_draws.placebo(part.cohorts, None, 1, {draws})
    else:
        found = synthetic_draws.bootstrap(part.cohorts, part.codes[1], part.n_clusters, 1, {draws})
    return float((found.effects @ row).std())
se = clock("error", error)
told = objectives(w.unit, w.time[w.block.before])
best = objectives(
    lowest(past.T, y[:treated, :start].mean(axis=0), w.unit, w.unit_ridge),
    lowest(past, later, w.time[w.block.before], w.time_ridge),
)
out = {{"tau": float(w.effects()[w.block.after].mean()), "se": se, "objectives": told, "best": best}}
"""
PEER = """
from diff_diff import HAS_RUST_BACKEND, SyntheticDiD
assert HAS_RUST_BACKEND
"""
PEER_WORK = """
def work():
    model = SyntheticDiD(variance_method="{rule}", n_bootstrap={draws}, seed=1)
    return model.fit(
        frame, outcome="y", treatment="on", unit="unit", time="time", post_periods=list(range(start, given_t))
    )
r = clock("fit", work)
unit = np.array([r.unit_weights[i] for i in range(treated, given_n)])
time_ = np.array([r.time_weights[s] for s in range(start)])
out = {{"tau": float(r.att), "se": float(r.se), "objectives": objectives(unit, time_)}}
"""
PARTS = ("ingest", "weights", "error")


def main() -> None:
    parser = options(__doc__, "synthetic.csv")
    parser.add_argument("--draws", type=int, default=200)
    args = parser.parse_args()
    rows = []
    for n, t in SIZES:
        for rule in RULES:
            if args.only and rule not in args.only:
                continue
            told = {"n": n, "t": t, "rule": rule, "draws": args.draws}
            codes = [
                script(DATA.format(**told) + setup, work.format(**told))
                for setup, work in ((OURS, OURS_WORK), (PEER, PEER_WORK))
            ]
            mine, other = race(codes[0], codes[1], args.peer, {"n": 1}, args.repeats, 2, args.limit, args.cap)
            cpu = middle(mine, *PARTS)
            rows.append(
                {
                    "units": n,
                    "periods": t,
                    "error": rule,
                    "draws": 0 if rule == "jackknife" else args.draws,
                    "cpu": cpu,
                    **{f"cpu_{name}": middle(mine, name) for name in PARTS},
                    "wall": middle(mine, *PARTS, which=1),
                    "extra_mb": extra(mine),
                    "peer_cpu": middle(other, "fit"),
                    "peer_wall": middle(other, "fit", which=1),
                    "peer_extra_mb": extra(other),
                    "ratio": middle(other, "fit") / cpu,
                    **_agreement(mine, other),
                }
            )
            write(rows, args.out, args.note)


def _agreement(mine: list[dict[str, Any]], other: list[dict[str, Any]]) -> dict[str, float]:
    if not mine or not other:
        return {}
    a, b = mine[-1]["out"], other[-1]["out"]
    out = {"estimate": a["tau"], "gap": b["tau"] - a["tau"], "se": a["se"], "se_ratio": a["se"] / b["se"]}
    for name, own, its, best in zip(("unit", "time"), a["objectives"], b["objectives"], a["best"]):
        out |= {f"{name}_objective": own, f"{name}_peer_less_ours": its - own, f"{name}_above_minimum": own - best}
    return out


if __name__ == "__main__":
    main()
