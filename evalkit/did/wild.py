"""Wild cluster bootstrap of one contrast, on cluster sums (`wild_forms`): p exact or drawn, interval by inversion.

Kinds, as R fwildclusterboot and MacKinnon, Nielsen & Webb 2023 (J. Appl. Econometrics 38:671): first digit the scores
that the weights multiply, second the variance in the statistic; 1 as they are (cr1), 3 by the jackknife: scores
X_g'(y_g − X_gβ₍₋g₎), variance of the leave-one-cluster-out estimates. "11" (= fnw11) is the classic one.

Weights: Rademacher ±1, all 2^G of them up to G = 21 (2^20 by symmetry, exactly: no Monte Carlo error), drawn above;
Webb's six points for G ≤ 9, where all signs leave at most 256 statistics, or on request; standard normal on
request. The p-value is the share of draws with |t*| ≥ |t|, the identity draw included: with enumeration it cannot fall
below 2/2^G. For a Poisson fit this is the score bootstrap of its last weighted least-squares step (Kline & Santos 2012,
J. Econometric Methods 1:23), restricted along the linearisation.

Who is served through `did.inference(..., method="wild")`: rows of one regression by this module (linear models, event
studies, Poisson); rows of an estimator that is none (ATT(g,t), imputation, two-stage) and rows over several outcomes by
`cluster_draws` of their scores. Refused: one treated or one comparison cluster, and panels whose cluster scores are not
held (every unit its own cluster beyond `reader.LISTED`). p and interval of 21 clusters, all signs, take a tenth of a
second; each further cluster would double that, so beyond it 9,999 draws stand in.

Appendix only (`methods.md` 1): with few or unequal treated clusters its size reaches 21 %.
Cameron, Gelbach & Miller 2008 (REStat 90:414); Webb 2023 (CJE 56:839); Roodman et al. 2019 (Stata J. 19:4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from .linalg import System
from .wild_forms import Forms, drawn, enumerated_share, forms

ENUMERATE = 21
"""Clusters up to which all signs are tried."""
FEW = 9

Kind = Literal["11", "13", "31", "33"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WildResult:
    """p_attainable: smallest p that the draws can give; conf_low, conf_high may be infinite, NaN if not asked for.

    statistic without small-sample factor in the jackknife kinds, with the CR1 factor in "11" and "31"; p needs neither.
    """

    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    draws: int
    weights: str
    p_attainable: float
    enumerated: bool

    @property
    def tails(self) -> tuple[float, float]:
        """p against smaller and against larger values; by the symmetry of enumerated signs half of p, or 1 − half."""
        if not self.enumerated:
            raise ValueError("one-sided p-values need enumerated weights")
        half = self.p_value / 2
        return (1 - half, half) if self.statistic > 0 else (half, 1 - half)


def bootstrap(
    system: System,
    contrast: np.ndarray,
    *,
    kind: Kind = "11",
    null_imposed: bool = True,
    level: float | None = 0.95,
    seed: int = 1,
    weights: Literal["auto", "rademacher", "webb", "normal"] = "auto",
    n: int = 9_999,
    null: float = 0.0,
) -> WildResult:
    """Wild cluster bootstrap of contrast'β = null.

    system, contrast (p,) in units of the unscaled columns; n draws where signs are not enumerated; null_imposed False:
    scores of the unrestricted fit, t* centred at the estimate. level None: no interval. The interval is
    {r: p(r) > 1 − level} around the estimate, its ends to 1e-6 standard errors.
    """
    f = forms(system, contrast / system.scale, kind, null_imposed)
    se = float(np.sqrt(f.variance) * _factor(system, kind))
    return of_forms(f, se, level=level, seed=seed, weights=weights, n=n, null=null)


def of_forms(f: Forms, se: float, *, level: float | None, seed: int, weights: str, n: int, null: float) -> WildResult:
    """The bootstrap of any statistic that is a ratio of quadratic forms; se scales the statistic and the search."""
    g = f.numerator.shape[1]
    name = ("webb" if g <= FEW else "rademacher") if weights == "auto" else weights
    exact = name == "rademacher" and g <= ENUMERATE
    share = partial(enumerated_share, f) if exact else drawn(f, name, n, seed).share
    count = 2**g if exact else n + 1
    low, high = (np.nan, np.nan) if level is None else interval(share, f.estimate, se, 1 - level)
    return WildResult(
        statistic=(f.estimate - null) / se,
        p_value=share(f.estimate - null),
        conf_low=low,
        conf_high=high,
        draws=count,
        weights=name,
        p_attainable=(2.0 if exact else 1.0) / count,
        enumerated=exact,
    )


def _factor(system: System, kind: str) -> float:
    g, n, k = system.n_clusters, system.n_obs, system.n_params
    return float(np.sqrt(g / (g - 1) * (n - 1) / (n - k)) if kind[1] == "1" else np.sqrt((g - 1) / g))


def interval(share: Callable[[float], float], estimate: float, se: float, alpha: float) -> tuple[float, float]:
    """Values r around the estimate with share(estimate − r) above alpha; infinite ends where it never falls."""
    low, high = (_end(share, side * se, alpha) for side in (1.0, -1.0))
    return estimate - low, estimate - high


def _end(share: Callable[[float], float], step: float, alpha: float) -> float:
    """Gap at which p falls to alpha on the side of `step`, by doubling and bisection; infinite where it never does."""
    near, far = 0.0, step
    for _ in range(14):
        if share(far) <= alpha:
            break
        near, far = far, 2 * far
    else:
        return float(np.inf * np.sign(step))
    while abs(far - near) > 1e-6 * abs(step):
        middle = (near + far) / 2
        near, far = (middle, far) if share(middle) > alpha else (near, middle)
    return (near + far) / 2
