"""Size, coverage and detectable effect of the automatic inference over a grid of city designs and error processes.

    python benchmarks/size_grid.py                 # cells of the table are not run again
    python benchmarks/size_grid.py --summary       # how many cells meet the limits

20 quarters, one start date (quarter 11), G clusters of one unit each, G1 of them treated: the largest or the smallest
(equal sizes: any). Sizes are equal or follow the insured counts of the 21 cities (other G: quantiles of their log
sizes); exposure is constant over time. Log-rate shocks of cities have standard deviation 0.1, alike in all cities,
falling (size^-0.35) or rising (size^0.25), or twice as large in treated ones. None of the processes is one that the
rule was chosen on (`GENERATORS`):

    nb_common       negative binomial cells (CV 0.3) around common quarter shocks (t3, sd 0.15) and AR(0.5) city shocks
    t5_season       AR(0.8) with t5 steps, and a seasonal profile of each city's own (sd 0.1)
    moving_average  four-quarter moving averages
    spatial         AR(0.8), correlation 0.5^distance along a ring drawn once a G: some treated sets are neighbours
    zero_inflated   2-3 cases a quarter in the smallest city, one cell in 20 empty whatever its rate, AR(0.5)
    spatial_size    as spatial, but the next on the ring is the next in size: treated cities are neighbours
    spatial_lot     as spatial, but the ring is drawn anew for every data set: where the treated lie is an accident

In the three spatial ones clusters are not independent, which no rule here claims to survive: they are counted apart.

    log_rate            unweighted two-way fixed effects of log((cases + ½)/exposure), the headline
    log_rate_weighted   the same weighted by exposure
    ppml                Poisson with exposure as offset

With one start date and constant exposure every number of the rule follows from each city's mean log rate before and
after (Poisson: its cases), so replications are done at once (`_batch`); in every cell the first two data sets also go
through the public call with method "auto", and estimate, interval, degrees of freedom and, asked for, the CR2 standard
error must agree to 1e-6, or the run stops.

size_cr2: the same test with the CR2 standard error, for comparison. money_refused: share of data sets with df below the
limit for money means. mde: log rate ratio found in 80 % of data sets (effect added to the estimate). covers, power:
interval and test at a true rate ratio of 0.88. attainable_p: smallest placebo p where nothing is tested.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
from common import Row, options, record, share
from scipy.optimize import brentq
from scipy.special import stdtrit
from scipy.stats import binom

T, START, EFFECT, SD = 20, 10, np.log(0.88), 0.1
INSURED = np.array(
    [730, 42, 1250, 125, 75, 350, 110, 60, 50, 60, 200, 40, 26, 40, 30, 52, 560, 165, 28, 38, 27], dtype=float
)
POST = np.arange(T) >= START
KEYS = ("estimator", "generator", "clusters", "treated", "which", "sizes", "sd")
SPREAD = {"equal": 0.0, "falling": -0.35, "rising": 0.25}
LIMIT, WORST, CHECKED = 0.055, 0.075, 2


def _sizes(clusters: int, sizes: str) -> np.ndarray:
    """(G,) insured in ten thousands, ascending."""
    logs = np.sort(np.log(INSURED))
    if sizes == "equal":
        return np.full(clusters, np.exp(logs.mean()))
    at = (np.arange(clusters) + 0.5) / clusters
    return np.exp(np.interp(at, (np.arange(len(logs)) + 0.5) / len(logs), logs))


def _ar(steps: np.ndarray, rho: float) -> np.ndarray:
    out = steps.copy()
    for t in range(1, T):
        out[..., t] = rho * out[..., t - 1] + np.sqrt(1 - rho**2) * out[..., t]
    return out


def _nb_common(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    common = 0.15 / np.sqrt(3) * rng.standard_t(3, (n, 1, T))
    return _ar(rng.standard_normal((n, g, T)), 0.5), common + np.log(rng.gamma(1 / 0.09, 0.09, (n, g, T)))


def _t5_season(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    season = 0.1 * rng.standard_normal((n, g, 4))
    return _ar(rng.standard_t(5, (n, g, T)) / np.sqrt(5 / 3), 0.8), season[:, :, np.arange(T) % 4]


def _moving_average(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    steps = rng.standard_normal((n, g, T + 3))
    return (steps[..., 3:] + steps[..., 2:-1] + steps[..., 1:-2] + steps[..., :-3]) / 2, np.zeros((1, 1, 1))


def _ring(rng: np.random.Generator, n: int, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gap = np.abs(place[:, None] - place[None])
    root = np.linalg.cholesky(0.5 ** np.minimum(gap, len(place) - gap))
    return _ar(np.einsum("gh,nht->ngt", root, rng.standard_normal((n, len(place), T))), 0.8), np.zeros((1, 1, 1))


def _spatial(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    return _ring(rng, n, np.random.default_rng(g).permutation(g))


def _spatial_lot(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    shock, rest = _ring(rng, n, np.arange(g))
    place = rng.permuted(np.tile(np.arange(g), (n, 1)), axis=1)
    return np.take_along_axis(shock, place[:, :, None], axis=1), rest


def _spatial_size(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    return _ring(rng, n, np.arange(g))


def _zero_inflated(rng: np.random.Generator, n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    return _ar(rng.standard_normal((n, g, T)), 0.5), np.where(rng.random((n, g, T)) < 0.05, -np.inf, 0.0)


Data = tuple[np.ndarray, np.ndarray]
"""(n, G, T) cases, and (n, G) mean log rate after less before."""
Generator = Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray]]
GENERATORS: dict[str, tuple[Generator, float]] = {
    "nb_common": (_nb_common, 0.8),
    "t5_season": (_t5_season, 8.0),
    "moving_average": (_moving_average, 0.8),
    "spatial": (_spatial, 0.8),
    "zero_inflated": (_zero_inflated, 0.1),
    "spatial_size": (_spatial_size, 0.8),
    "spatial_lot": (_spatial_lot, 0.8),
}
"""Name → (city shocks of unit variance, whatever else moves the log rate), and cases per ten thousand and quarter."""


@lru_cache(maxsize=1)
def _cases(generator: str, clusters: int, sizes: str, power: float, n: int) -> dict[tuple[float, bool], Data]:
    """Data by (multiple of the shocks' sd, whether all cities have the effect): shocks are shared."""
    make, rate = GENERATORS[generator]
    size = _sizes(clusters, sizes)
    key = [list(GENERATORS).index(generator), clusters, len(sizes), int(100 * (power + 1))]
    rng = np.random.default_rng(key)
    shock, rest = make(rng, n, clusters)
    spread = SD * (size / np.exp(np.log(size).mean()))[:, None] ** power
    out = {}
    for multiple in (1.0, 2.0) if power == 0 else (1.0,):
        mean = np.exp(np.log(rate * size)[:, None] + multiple * spread * shock + rest)
        for moved in (False, True):
            cases = rng.poisson(mean * np.where(POST, np.exp(EFFECT), 1.0) if moved else mean)
            logs = np.log((cases + 0.5) / size[:, None])
            out[multiple, moved] = cases, logs[:, :, POST].mean(axis=2) - logs[:, :, ~POST].mean(axis=2)
    return out


def grid() -> Iterator[Row]:
    """Designs and error processes, data set by data set."""
    for clusters, generator in product((21, 10, 50), GENERATORS):
        for sizes, sd in [("insured", s) for s in SPREAD] + [("equal", "equal")]:
            for own in (sd, "treated_x2") if sd == "equal" else (sd,):
                for treated in (k for k in (1, 2, 3, 6, 10) if k < clusters - 1):
                    for which in ("largest", "smallest") if sizes == "insured" else ("any",):
                        yield dict(zip(KEYS[1:], (generator, clusters, treated, which, sizes, own), strict=True))


def _draw(cell: Row, n: int) -> tuple[Data, Data, np.ndarray]:
    """Data without effect, data with it in the treated, and (G,) who is treated."""
    g, k = cell["clusters"], cell["treated"]
    treated = np.arange(g) < k if cell["which"] == "smallest" else np.arange(g) >= g - k
    found = _cases(cell["generator"], g, cell["sizes"], SPREAD.get(cell["sd"], 0.0), n)
    own = 2.0 if cell["sd"] == "treated_x2" else 1.0

    def mixed(moved: bool) -> Data:
        (cases, change), (others, other_change) = found[own, moved], found[1.0, False]
        return np.where(treated[:, None], cases, others), np.where(treated, change, other_change)

    return mixed(False), mixed(True), treated


def _batch(estimator: str, data: Data, size: np.ndarray, treated: np.ndarray) -> tuple[np.ndarray, ...]:
    """(n,) estimate, CR3 and CR2 standard error, and degrees of freedom, by arms.

    Least squares: d_g = mean after less before, arm means weighted by w; Poisson: log of the arms' cross ratio. Score
    of a city S_g − h_g S_arm with h its share of the arm's information; left out, over (1 − h); CR2, over √(1 − h).
    Their covariance under the identity on the response is that of `evalkit.did.linalg.score_covariance`.
    """
    (cases, change), g = data, len(size)
    estimate, cr3, cr2 = np.zeros((3, len(cases)))
    trace, square = np.zeros((2, len(cases)))
    for arm in (True, False):
        sign, on = 1.0 if arm else -1.0, treated == arm
        if estimator == "ppml":
            y = cases[:, on].astype(float)
            total = y.sum(axis=2)
            p = y[:, :, POST].sum(axis=(1, 2)) / total.sum(axis=1)
            info = total * (p * (1 - p))[:, None]
            score = y[:, :, POST].sum(axis=2) - total * p[:, None]
            estimate += sign * np.log(p / (1 - p))
            profile = y.sum(axis=1)  # fitted counts share the periods' pattern of both arms within before and after
            whole = cases.sum(axis=1).astype(float)
            for part in (POST, ~POST):
                profile[:, part] = whole[:, part] * (profile[:, part].sum(axis=1) / whole[:, part].sum(axis=1))[:, None]
            profile /= profile.sum(axis=1, keepdims=True)
            noise = total**2 * ((profile * (POST - p[:, None])) ** 2).sum(axis=1)[:, None]
        else:
            d = change[:, on]
            info = (size[on] if estimator == "log_rate_weighted" else np.ones(on.sum()))[None]
            mean = (info * d).sum(axis=1) / info.sum(axis=1)
            estimate += sign * mean
            score, noise = info * (d - mean[:, None]), info**2
        whole_info = info.sum(axis=1, keepdims=True)
        h = info / whole_info
        with np.errstate(divide="ignore", invalid="ignore"):
            k = (1 - h) ** -0.5 / whole_info
            cr3 += (g - 1) / g * ((score / (1 - h) / whole_info) ** 2).sum(axis=1)
            cr2 += ((k * score) ** 2).sum(axis=1)
        total_noise, weight = noise.sum(axis=1, keepdims=True), k**2
        across = total_noise * h**2 - 2 * h * noise
        trace += (weight * (noise + across)).sum(axis=1)
        hh, nn, hn = ((weight * v).sum(axis=1) for v in (h**2, noise**2, h * noise))
        whole_noise = total_noise[:, 0]
        square += 2 * hh * nn + (whole_noise * hh) ** 2 + 2 * hn**2 - 4 * whole_noise * hh * hn
        square += (weight**2 * noise * (noise + 2 * across)).sum(axis=1)
    return estimate, np.sqrt(cr3), np.sqrt(cr2), trace**2 / square


def _public(estimator: str, cases: np.ndarray, size: np.ndarray, treated: np.ndarray) -> tuple[Any, float | None]:
    """The effect by the public call, and its CR2 standard error."""
    from evalkit import did
    from evalkit.core import NEVER, Design, Panel

    names = tuple(f"u{i:02d}" for i in range(len(size)))
    panel = Panel(
        units=names, times=tuple(range(T)), outcomes={"cases": cases.astype(float)},
        exposure=np.repeat(size[:, None], T, axis=1), cohort=np.where(treated, START, NEVER),
        cluster=np.arange(len(size)), cluster_names=names,
    )  # fmt: skip
    if estimator == "ppml":
        path = did.ppml(panel, Design(rule="cr3"))
    else:
        weighted = estimator == "log_rate_weighted"
        panel = did.log_rate(panel)
        panel = replace(panel, weight=panel.exposure) if weighted else panel
        path = did.twfe(panel, Design(rule="cr3"))
    cr2 = did.inference(path, panel, method="cr2").effects()[0].std_error
    return did.inference(path, panel, method="auto").effects()[0], cr2


def _check(cell: Row, at_once: tuple[np.ndarray, ...], told: list[Any]) -> None:
    for i, (effect, cr2) in enumerate(told):
        ours = tuple(float(v[i]) for v in at_once)
        theirs = (effect.estimate, effect.conf_low, effect.conf_high, effect.df, cr2)
        if not np.allclose(ours, theirs, rtol=1e-6, atol=1e-8):
            raise AssertionError(f"{cell}, data set {i}: at once {ours}, by the public call {theirs}")


def _mde(estimate: np.ndarray, reach: np.ndarray) -> float:
    """Log rate ratio at which 80 % of intervals exclude zero."""

    def short(effect: float) -> float:
        return float((np.abs(estimate - effect) > reach).mean()) - 0.8

    return float(brentq(short, 0.0, 1e6, xtol=1e-4)) if short(1e6) > 0 else float("nan")


def run(cell: Row, n: int) -> Row:
    """One cell of the table."""
    from evalkit.core import MONEY_DF

    estimator, size = cell["estimator"], _sizes(cell["clusters"], cell["sizes"])
    null, moved, treated = _draw(cell, n)
    told = [_public(estimator, null[0][i], size, treated) for i in range(CHECKED)]
    blank = dict.fromkeys(
        ("size", "size_mc_error", "size_cr2", "median_df", "mde", "covers", "covers_mc_error", "power"), float("nan")
    )
    attainable = told[0][0].inference.p_attainable
    if told[0][0].conf_low is None:
        if any(e.conf_low is not None for e, _ in told) or treated.sum() > 1:
            raise AssertionError(f"{cell}: refused, but not as a design with one treated cluster")
        return {"replications": n, "refused": 1.0, "money_refused": 1.0, **blank, "attainable_p": attainable}
    estimate, se, se2, df = _batch(estimator, null, size, treated)
    df = np.broadcast_to(df, estimate.shape)
    reach = stdtrit(df, 0.975) * se
    _check(cell, (estimate, estimate - reach, estimate + reach, df, se2), told)
    other, other_se, _, other_df = _batch(estimator, moved, size, treated)
    other_reach = stdtrit(other_df, 0.975) * other_se
    rejects, error = share(np.abs(estimate) > reach)
    covers, covers_error = share(np.abs(other - EFFECT) <= other_reach)
    return {
        "replications": n,
        "refused": 0.0,
        "money_refused": float((df < MONEY_DF).mean()),
        "size": rejects,
        "size_mc_error": error,
        "size_cr2": share(np.abs(estimate) > stdtrit(df, 0.975) * se2)[0],
        "median_df": float(np.median(df)),
        "mde": _mde(estimate, reach),
        "covers": covers,
        "covers_mc_error": covers_error,
        "power": share(np.abs(other) > other_reach)[0],
        "attainable_p": float("nan"),
    }


def summary(rows: list[dict[str, str]]) -> None:
    """Cells tested, cells above the limits, by estimator and by error process: independent clusters, or which not."""
    tested = [r for r in rows if float(r["refused"]) < 1]
    sys.stdout.write(f"{len(rows)} cells, {len(rows) - len(tested)} refused (one treated cluster)\n")
    groups: dict[tuple[str, str], list[dict[str, str]]] = {}
    for r in tested:
        kind = r["generator"] if r["generator"].startswith("spatial") else "independent"
        groups.setdefault((kind, r["estimator"]), []).append(r)
    for (kind, estimator), some in sorted(groups.items()):
        size, n, cr2, covers = (
            np.array([float(r[k]) for r in some]) for k in ("size", "replications", "size_cr2", "covers")
        )
        above = [binom.sf(np.rint(v * n) - 1, n, LIMIT) < 0.05 / len(tested) for v in (size, cr2)]
        named = " ".join(some[int(size.argmax())][k] for k in KEYS[1:])
        sys.stdout.write(
            f"{kind:12} {estimator:18} cells {len(some):4d}  significantly above {LIMIT:.1%} {above[0].sum():3d}  "
            f"estimated above {WORST:.1%} {(size > WORST).sum():3d}  mean {size.mean():.2%}  worst {size.max():.2%} "
            f"({named})  least coverage {covers.min():.1%}  CR2: {above[1].sum()}, worst {cr2.max():.2%}\n"
        )


def main() -> None:
    parser = options(__doc__, seeds=2000, jobs=1, out="size_grid.csv")
    parser.add_argument("--summary", action="store_true")
    args = parser.parse_args()
    rows: list[dict[str, str]] = []
    if args.out.exists():
        with args.out.open(encoding="utf-8") as handle:
            rows = list(csv.DictReader(handle))
    if args.summary:
        return summary(rows)
    done = {tuple(r[k] for k in KEYS) for r in rows}
    for cell in grid():
        for estimator in ("log_rate", "log_rate_weighted", "ppml"):
            own = {"estimator": estimator, **cell}
            alike = estimator == "log_rate_weighted" and cell["sizes"] == "equal"
            if not alike and tuple(str(v) for v in own.values()) not in done:
                record({**own, **run(own, args.seeds)}, args.out)


if __name__ == "__main__":
    main()
