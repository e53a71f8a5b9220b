"""Effects of many places or projects together: partial pooling, with the uncertainty of how alike they are.

y_i ~ N(θ_i, s_i²), θ_i ~ N(m, τ²), m ~ N(prior), τ ~ half-normal; τ is integrated on a grid, never plugged in
(`methods.md` 3), everything else is conjugate. For screening and for choosing between projects, beside the unpooled
estimates, never in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core import UserError, frozen_array
from .checks import level_of, numbers, whole, within
from .distributions import stream

TAUS = 201
TINY = 1e-12
"""Least standard deviation that is taken for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pooled:
    """Pooled effects, all (k,) in the order given.

    raw, std_error   as given;  mean, sd, low, high  posterior
    rank, rank_low, rank_high   posterior expected rank (1 = smallest effect) with its central interval
    centre, spread   posterior means of m and τ;  draws (n, k) of the posterior
    """

    names: tuple[str, ...]
    raw: np.ndarray
    std_error: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray
    rank: np.ndarray
    rank_low: np.ndarray
    rank_high: np.ndarray
    centre: float
    spread: float
    draws: np.ndarray


def pool(
    names: Sequence[str],
    estimate: Sequence[float],
    std_error: Sequence[float],
    *,
    prior: tuple[float, float] = (-0.05, 0.15),
    scale: float = 0.15,
    n: int = 10_000,
    seed: int = 1,
    level: float = 0.95,
) -> Pooled:
    """Shrink log rate ratios of several places towards their common mean.

    names, estimate, std_error (k,) on the log scale, std_error > 0, independent of one another
    prior  mean and sd of the common mean (default `methods.md` 6);  scale  of τ's half-normal prior
    Raises UserError("pool_outside"), ("not_a_number"), ("value_outside"), ("level_outside"). Not for effects that share
    comparison places: their errors are correlated.
    """
    y, s = (np.atleast_1d(numbers(name, v)) for name, v in (("estimate", estimate), ("std_error", std_error)))
    if len(y) < 2 or len(y) != len(s) or len(y) != len(names) or len(set(names)) < len(y) or not (s > TINY).all():
        raise UserError("pool_outside", n=len(y), found=float(s.min()) if len(s) else 0.0)
    numbers("prior", [*prior, scale])
    within("prior", prior[1], TINY)
    within("scale", scale, TINY)
    n = whole("n", n, 1)
    level_of(level)
    taus = np.linspace(0.0, 4 * scale, TAUS)
    total = s**2 + taus[:, None] ** 2
    precision = 1 / prior[1] ** 2 + (1 / total).sum(axis=1)
    centre = (prior[0] / prior[1] ** 2 + (y / total).sum(axis=1)) / precision
    log_weight = (
        -0.5 * (taus / scale) ** 2
        - 0.5 * np.log(total).sum(axis=1)
        - 0.5 * np.log(precision)
        - 0.5 * ((y**2 / total).sum(axis=1) - precision * centre**2)
    )
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    rng = stream(seed, "pool")
    pick = rng.choice(TAUS, size=n, p=weight)
    m = centre[pick] + rng.standard_normal(n) / np.sqrt(precision[pick])
    tau2 = taus[pick, None] ** 2
    share = tau2 / (tau2 + s**2)
    draws = m[:, None] + share * (y - m[:, None]) + np.sqrt(share) * s * rng.standard_normal((n, len(y)))
    ranks = draws.argsort(axis=1).argsort(axis=1) + 1
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(draws, tails, axis=0)
    rank_low, rank_high = np.quantile(ranks, tails, axis=0)
    return Pooled(
        names=tuple(names),
        raw=frozen_array(y),
        std_error=frozen_array(s),
        mean=frozen_array(draws.mean(axis=0)),
        sd=frozen_array(draws.std(axis=0)),
        low=frozen_array(low),
        high=frozen_array(high),
        rank=frozen_array(ranks.mean(axis=0)),
        rank_low=frozen_array(rank_low),
        rank_high=frozen_array(rank_high),
        centre=float(weight @ centre),
        spread=float(weight @ taus),
        draws=frozen_array(draws),
    )
