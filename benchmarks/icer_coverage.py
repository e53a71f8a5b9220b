"""Coverage of sets for the ICER: Fieller, BCa and percentile, when the effect is weak.

    python benchmarks/icer_coverage.py --seeds 2000 --jobs 1   → benchmarks/icer_coverage.csv

"estimate": a normal estimate (ΔC, ΔE) with known covariance, correlation −0.7, and 2,000 draws around it, as `icer_set`
gets them from an effect. "trial": two arms of 50 with lognormal cost and normal effect, the set from the arms' moments
(Fieller, t with 98 df) or from 1,000 bootstrap samples of individuals (`icer_bootstrap`). Signal = true ΔE ÷ its
standard error. Counted: sets that hold the true ratio (nominal 95 %), and how many are no interval. "ratio_percentile"
are plain quantiles of the ratios, which treat +∞ and −∞ as far apart.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from common import options, record, replicate, share

SIGNALS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)
METHODS = ("fieller", "bca", "percentile", "ratio_percentile")
RATIO = 2.0
ARM, DRAWS, SAMPLES = 50, 2_000, 1_000


def one(seed: int, what: str, signal: float) -> dict[str, Any]:
    """By method: does the set hold the true ratio, and is it an interval?"""
    from evalkit import cea

    rng = np.random.default_rng([seed, int(10 * signal), what == "trial"])
    if what == "estimate":
        cov = np.array([[4.0, -1.4], [-1.4, 1.0]])
        truth = np.array([RATIO * signal, signal])
        drawn = rng.multivariate_normal(rng.multivariate_normal(truth, cov), cov, DRAWS)
        zero = np.zeros(DRAWS)
        psa = cea.psa_from_arrays(np.c_[zero, drawn[:, 0]], np.c_[zero, drawn[:, 1]], "ab", comparator="a")
        sets = {m: cea.icer_set(psa, m) for m in METHODS[:3]}
        ratios = drawn[:, 0] / drawn[:, 1]
    else:
        treated = np.repeat([True, False], ARM)
        gain = signal * np.sqrt(2 / ARM)
        z = rng.standard_normal((2, 2 * ARM))
        effect = z[0] + gain * treated
        cost = np.exp(0.7 * (-0.5 * z[0] + np.sqrt(0.75) * z[1])) + RATIO * gain * treated
        sets = {m: cea.icer_bootstrap(cost, effect, treated, method=m, n=SAMPLES, seed=seed) for m in METHODS[1:3]}
        sets["fieller"] = of_moments(cost, effect, treated)
        rows = [rng.integers(ARM, size=(SAMPLES, ARM)) + ARM * arm for arm in range(2)]
        gaps = [a[rows[0]].mean(axis=1) - a[rows[1]].mean(axis=1) for a in (cost, effect)]
        ratios = gaps[0] / gaps[1]
    low, high = np.quantile(ratios, [0.025, 0.975])
    sets["ratio_percentile"] = cea.RatioSet(type="interval", low=low, high=high, level=0.95)
    return {m: (sets[m].contains(RATIO), sets[m].type != "interval") for m in METHODS}


def of_moments(cost: np.ndarray, effect: np.ndarray, treated: np.ndarray) -> Any:
    """Fieller's set from the two arms' means and covariances."""
    from evalkit import cea

    arms = [np.cov(cost[a], effect[a]) / a.sum() for a in (treated, ~treated)]
    v = arms[0] + arms[1]
    gap = [a[treated].mean() - a[~treated].mean() for a in (cost, effect)]
    return cea.fieller(gap[0], gap[1], v[0, 0], v[1, 1], v[0, 1], df=len(cost) - 2)


def main() -> None:
    args = options(__doc__, seeds=2000, jobs=1, out="icer_coverage.csv").parse_args()
    args.out.unlink(missing_ok=True)
    for what in ("estimate", "trial"):
        for signal in SIGNALS:
            rows = replicate(partial(one, what=what, signal=signal), args)
            for method in METHODS:
                covers, error = share(r[method][0] for r in rows)
                record(
                    {
                        "data": what, "signal": signal, "method": method, "replications": len(rows), "covers": covers,
                        "mc_error": error, "no_interval": share(r[method][1] for r in rows)[0],
                    },
                    args.out,
                )  # fmt: skip


if __name__ == "__main__":
    main()
