"""Restricted wild cluster bootstrap of one contrast, on cluster sums alone.

Null imposed; statistic = CR1 t; weights ±1 by cluster (Rademacher, all 2^G of them where 2^G ≤ 2^14, else drawn) or
Webb's six points where G ≤ 12, for which 2^G values are too few. With u_h(r) = X_h'ũ_h(r) the restricted scores at the
null value r, a draw v gives the numerator Σ_h v_h c'M u_h and cluster scores v_g c'M u_g − c'M A_g M Σ_h v_h u_h, so
a draw costs G². The p-value is the share of draws with |t*| ≥ |t| (the identity draw is one of the enumerated
ones); the interval inverts it. Type "fnw11" of R fwildclusterboot. For a Poisson fit this is the score bootstrap of
its last weighted least-squares step (Kline & Santos 2012).

Appendix only (`methods.md` 1): with few or unequal treated clusters its size reaches 21 %.
Cameron, Gelbach & Miller 2008 (REStat 90:414); Webb 2023 (CJE 56:839); Roodman et al. 2019 (Stata J. 19:4).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .linalg import System, cr1_influence

ENUMERATE = 2**14
WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


@dataclass(frozen=True, slots=True, kw_only=True)
class WildResult:
    """p_attainable: smallest p that the draws can give; conf_low, conf_high may be infinite."""

    statistic: float
    p_value: float
    conf_low: float
    conf_high: float
    draws: int
    weights: str
    p_attainable: float


def bootstrap(
    system: System,
    contrast: np.ndarray,
    *,
    level: float = 0.95,
    seed: int = 1,
    weights: Literal["auto", "rademacher", "webb"] = "auto",
    n: int = 9_999,
    null: float = 0.0,
) -> WildResult:
    """Wild cluster bootstrap of contrast'β = null.

    system, contrast (p,) in units of the unscaled columns; n draws where they are not enumerated. "auto": Webb for
    G ≤ 12, else Rademacher. Returns statistic, p and the interval {r: p(r) > 1 − level}.
    """
    present = system.present
    signs, kind = draws(int(present.sum()), weights, n, seed)
    p_at = _p_function(system, contrast / system.scale, present, signs)
    estimate = float(contrast / system.scale @ system.beta)
    se = float(np.linalg.norm(cr1_influence(system) @ (contrast / system.scale)))
    alpha = 1 - level
    return WildResult(
        statistic=(estimate - null) / se,
        p_value=p_at(null),
        conf_low=_invert(p_at, estimate, -se, alpha),
        conf_high=_invert(p_at, estimate, se, alpha),
        draws=len(signs),
        weights=kind,
        p_attainable=(2.0 if kind == "rademacher" else 1.0) / len(signs),
    )


def draws(g: int, weights: str, n: int, seed: int) -> tuple[np.ndarray, str]:
    """(draws, g) cluster weights, the identity draw first, and their name."""
    kind = ("webb" if g <= 12 else "rademacher") if weights == "auto" else weights
    if kind == "rademacher" and 2**g <= ENUMERATE:
        bits = (np.arange(2**g)[:, None] >> np.arange(g)[None, :]) & 1
        return 1.0 - 2.0 * bits, kind
    rng = np.random.default_rng(seed)
    out = rng.choice(WEBB if kind == "webb" else np.array([-1.0, 1.0]), size=(n + 1, g))
    out[0] = 1.0
    return out, kind


def _p_function(system: System, c: np.ndarray, present: np.ndarray, signs: np.ndarray) -> Callable[[float], float]:
    """p(r): restricted scores are linear in the null value, so everything but the final sum is done once."""
    gram, score = system.gram[present], system.score[present]
    m = system.bread @ c
    lever = (gram @ m) / float(c @ m)  # (G, p): change of the restricted scores with (estimate − r)
    tangent = gram @ system.bread @ c  # A_g M c, so that c'M A_g M = its transform by M

    def pieces(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        own = u @ m
        cross = tangent @ system.bread @ u.T
        return signs @ own, signs * own[None, :] - signs @ cross.T

    top0, rest0 = pieces(score)
    top1, rest1 = pieces(lever)
    estimate = float(c @ system.beta)

    def p_at(null: float) -> float:
        gap = estimate - null
        numerator = top0 + gap * top1
        variance = ((rest0 + gap * rest1) ** 2).sum(axis=1)
        t = np.abs(numerator) / np.sqrt(np.maximum(variance, 1e-300))
        observed = abs(gap) / np.sqrt(((score @ m) ** 2).sum())
        return float((t >= observed * (1 - 1e-9)).mean())

    return p_at


def _invert(p_at: Callable[[float], float], estimate: float, step: float, alpha: float) -> float:
    """The end of the interval on the side of `step`, by doubling out and bisection; infinite where p never falls."""
    near, far = estimate, estimate + step
    for _ in range(14):
        if p_at(far) <= alpha:
            break
        near, far = far, estimate + 2 * (far - estimate)
    else:
        return float(np.inf * np.sign(step))
    for _ in range(50):
        middle = (near + far) / 2
        near, far = (middle, far) if p_at(middle) > alpha else (near, middle)
        if abs(far - near) < 1e-7 * abs(step):
            break
    return float((near + far) / 2)
