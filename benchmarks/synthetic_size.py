"""Size of synthetic difference-in-differences and synthetic control on null panels of several kinds.

    python benchmarks/synthetic_size.py --seeds 500

The router's own inference of the overall effect (placebo variance scaled up by a + b/exposure, t(comparison units − 1))
at a true zero, and with the scaling left out for comparison. That it is never scaled down was chosen on seeds from
10,001, where scaling both ways rejected 10.6 ± 1.4 % with the largest treated; here seeds begin at 20,001. 21 cities,
log rates of Poisson counts, insured counts of the cities unless said, treatment from quarter 13 of 20, AR(0.8) city
shocks of standard deviation 0.1:

    sample       the sample's city programme (8 of 21 cities, its own generator)
    equal        every city of one size, 8 treated at random
    largest      the 6 largest treated
    smallest     the 6 smallest treated
    factor       two common AR(0.8) factors (sd 0.1 each) with loadings N(0, 1) of each city, 8 treated at random
    staggered    4 + 4 treated at random from quarters 11 and 14
    treated_x2   shocks of the treated twice as large, 6 at random: placebos know nothing of it

se_ratio: root mean square of the standard error over the standard deviation of the estimate; 1 is right.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from common import Row, options, record, replicate, share
from scipy.special import stdtrit
from size_grid import INSURED

T, FIRST = 20, 20_001
KINDS = ("sample", "equal", "largest", "smallest", "factor", "staggered", "treated_x2")
ESTIMATORS = ("synthetic_did", "synthetic_control")


def _ar(steps: np.ndarray) -> np.ndarray:
    out = steps.copy()
    for t in range(1, T):
        out[:, t] = 0.8 * out[:, t - 1] + 0.6 * out[:, t]
    return out


def draw(seed: int, kind: str) -> Any:
    """A null panel of counts."""
    from evalkit.core import NEVER, Panel
    from evalkit.data.sample import simulate_city

    if kind == "sample":
        return simulate_city(seed, "null")[0]
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    g, order = len(INSURED), np.argsort(INSURED)
    size = np.full(g, np.exp(np.log(INSURED).mean())) if kind == "equal" else INSURED
    treated = 6 if kind == "treated_x2" else 8
    some = {"largest": order[-6:], "smallest": order[:6]}.get(kind, rng.permutation(g)[:treated])
    cohort = np.full(g, NEVER)
    cohort[some] = 12
    if kind == "staggered":
        cohort[some[:4]], cohort[some[4:]] = 10, 13
    noisy = (kind == "treated_x2") & (cohort < T)
    shock = np.where(noisy, 0.2, 0.1)[:, None] * _ar(rng.standard_normal((g, T)))
    log_rate = 0.3 * rng.standard_normal((g, 1)) + shock
    if kind == "factor":
        log_rate = log_rate + 0.1 * rng.standard_normal((g, 2)) @ _ar(rng.standard_normal((2, T)))
    names = tuple(f"u{i:02d}" for i in range(g))
    return Panel(
        units=names, times=tuple(range(T)), outcomes={"cases": rng.poisson(2 * size[:, None] * np.exp(log_rate)) * 1.0},
        exposure=np.repeat(size[:, None], T, axis=1), cohort=cohort, cluster=np.arange(g), cluster_names=names,
    )  # fmt: skip


def one(seed: int, kind: str) -> Row:
    """Estimates, standard errors and degrees of freedom of both estimators; and without the scaling by exposure."""
    from evalkit import did
    from evalkit.core import Design
    from evalkit.did.inference import attach
    from evalkit.did.registry import fit_of

    panel, out = did.log_rate(draw(seed, kind)), {}
    for name in ESTIMATORS:
        for scaled in (True, False):
            own = panel if scaled else replace(panel, exposure=None)
            fit = fit_of(name, own, Design())
            effect = attach(fit.path.combine("overall"), fit, own, "auto").effects()[0]
            rule = None if effect.inference is None else effect.inference.rule
            out[name, scaled] = (effect.estimate, effect.std_error, effect.df, effect.conf_low, effect.conf_high, rule)
    return out  # type: ignore[return-value]


def summarise(rows: list[Any], name: str) -> Row:
    """Shares over seeds of one estimator."""
    told, plain = ([r[name, scaled] for r in rows if r[name, scaled][1] is not None] for scaled in (True, False))
    estimate, se, df, low, high = (np.array([t[i] for t in told], dtype=float) for i in range(5))
    size, error = share((low > 0) | (high < 0))
    bare = [abs(e) > stdtrit(f, 0.975) * s for e, s, f, *_ in plain]
    return {
        "replications": len(rows),
        "refused": 1 - len(told) / len(rows),
        "rule": "+".join(sorted({t[5] for t in told})),
        "size": size,
        "size_mc_error": error,
        "size_unscaled": share(bare)[0],
        "mean_estimate": float(estimate.mean()),
        "sd_estimate": float(estimate.std()),
        "se_ratio": float(np.sqrt((se**2).mean()) / estimate.std()),
        "median_df": float(np.median(df)),
    }


def main() -> None:
    parser = options(__doc__, seeds=500, jobs=1, out="synthetic_size.csv")
    parser.set_defaults(first=FIRST)
    args = parser.parse_args()
    done: set[str] = set()
    if args.out.exists():
        with args.out.open(encoding="utf-8") as handle:
            done = {row["kind"] for row in csv.DictReader(handle)}
    for kind in KINDS:
        if kind in done:
            continue
        rows = replicate(partial(one, kind=kind), args)
        for name in ESTIMATORS:
            record({"kind": kind, "estimator": name, **summarise(rows, name)}, args.out)


if __name__ == "__main__":
    main()
