"""Propensity scores by blocked Newton steps: logit and inverse probability tilting (calibration).

Odds p/(1−p) = exp(x'γ). Logit solves Σ w (D − p) x = 0; tilting solves Σ w D x = Σ w (1−D) exp(x'γ) x, so that
the reweighted controls have exactly the treated units' means of x (Graham, Pinto & Egel 2012, REStud 79:1053; used by
Sant'Anna & Zhao 2020). Refused, as a typed reason and not a number: no convergence or a score above `OVERLAP` (treated
and controls do not overlap), columns that are collinear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

BLOCK = 8_192
OVERLAP = 0.999
"""A fitted score above it: some treated unit has no comparable control (the rule of R did)."""
TRIM = 0.995
"""Controls with a score from here on get no weight (the rule of R DRDID)."""
CAP = 1 - 1e-6
Derivatives = Callable[[np.ndarray, bool, np.ndarray, bool], tuple[float, np.ndarray, np.ndarray]]
TRUSTED = 1e-2
"""A Newton step whose decrement per unit is below it is taken without looking at the loss."""


class NotEstimable(ValueError):
    """A cell without an estimate; `reason` is "overlap", "collinear", "no_control" or "no_treated"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def blocks(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Slices of at most `size` rows."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse of a cross product. Raises NotEstimable("collinear"): scaled reciprocal condition below 1e-12."""
    scale = np.sqrt(np.diag(matrix))
    if not np.isfinite(scale).all() or (scale <= 0).any():
        raise NotEstimable("collinear")
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    if values[0] <= 1e-12 * values[-1]:
        raise NotEstimable("collinear")
    return (vectors / values) @ vectors.T / np.outer(scale, scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """Units of one group with covariates x (n, p), the first column ones, and weights (n,)."""

    treated: bool
    x: np.ndarray
    weight: np.ndarray


def pieces_of(x: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> list[Covered]:
    """The treated and the others of arrays over all units."""
    return [Covered(treated=group, x=x[treated == group], weight=weight[treated == group]) for group in (True, False)]


def scores_of(x: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """(n,) propensity scores, at most `CAP`."""
    with np.errstate(over="ignore"):
        return np.asarray(np.minimum(1 / (1 + np.exp(-(x @ gamma))), CAP))


def logit(pieces: Sequence[Covered], start: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(p,) coefficients of a weighted logit of being treated, and (p, p) their inverse information.

    Of many units some are fitted first, for a start. Raises NotEstimable, also where the highest score is above
    `OVERLAP`.
    """
    n = sum(len(piece.x) for piece in pieces)
    if start is None and n > 8 * BLOCK:
        step = n // BLOCK
        some = [Covered(treated=q.treated, x=q.x[::step], weight=q.weight[::step]) for q in pieces]
        try:
            start = _newton(_logit_step, some, None)[0]
        except NotEstimable:
            start = None
    gamma, hessian, highest = _newton(_logit_step, pieces, start)
    if highest > np.log(OVERLAP / (1 - OVERLAP)):
        raise NotEstimable("overlap")
    return gamma, inverse(hessian)


def tilting(pieces: Sequence[Covered]) -> np.ndarray:
    """(p,) coefficients whose odds balance the columns of x exactly. Raises NotEstimable."""
    return _newton(_tilting_step, pieces, _newton(_logit_step, pieces, None)[0])[0]


def _newton(
    derivatives: Derivatives, pieces: Sequence[Covered], start: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float]:
    """Newton on a convex loss with step halving: coefficients, Hessian at them, highest score.

    Stops after a step whose decrement was so small that the next, quadratically smaller one is lost in rounding.
    """
    plain = sum((q.x[at].T * q.weight[at]) @ q.x[at] for q in pieces for at in blocks(len(q.x)))
    inverse(plain)
    mass = float(plain[0, 0])
    gamma = np.zeros(len(plain)) if start is None else start.copy()
    if start is None:
        share = sum(float(q.weight.sum()) for q in pieces if q.treated) / mass
        gamma[0] = np.log(share / (1 - share))
    loss, gradient, hessian, highest = _total(derivatives, pieces, gamma)
    for _ in range(60):
        step = _bread(hessian) @ gradient
        decrement, size = float(gradient @ step), 1.0
        while True:
            trial = gamma - size * step
            trusted = decrement < TRUSTED * mass
            new = _total(derivatives, pieces, trial, told=not trusted)
            if decrement < 1e-11 * mass:
                return trial, new[2], new[3]
            if trusted or (np.isfinite(new[0]) and new[0] <= loss + 1e-12 * abs(loss)):
                break
            size /= 2
            if size < 1e-6:
                _no_overlap()
        gamma, (loss, gradient, hessian, highest) = trial, new
        if highest > 40:
            _no_overlap()
    raise NotEstimable("overlap")


def _bread(hessian: np.ndarray) -> np.ndarray:
    """Columns that are independent by themselves lose their rank only where scores run to 0 or 1."""
    try:
        return inverse(hessian)
    except NotEstimable:
        raise NotEstimable("overlap") from None


def _no_overlap() -> None:
    raise NotEstimable("overlap")


def _total(
    derivatives: Derivatives, pieces: Sequence[Covered], gamma: np.ndarray, told: bool = True
) -> tuple[float, np.ndarray, np.ndarray, float]:
    p = len(gamma)
    loss, gradient, hessian, highest = 0.0, np.zeros(p), np.zeros((p, p)), -np.inf
    with np.errstate(over="ignore"):
        for q in pieces:
            for at in blocks(len(q.x), 2 * BLOCK):
                x = q.x[at]
                score = x @ gamma
                value, first, second = derivatives(score, q.treated, q.weight[at], told)
                loss += value
                gradient += first @ x
                hessian += (x.T * second) @ x
                highest = max(highest, float(score.max()))
    return loss, gradient, hessian, highest


def _logit_step(
    score: np.ndarray, treated: bool, weight: np.ndarray, told: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    """Loss −log(probability of the group), its first and second derivative in the score, weighted."""
    other = 1 / (1 + np.exp(score if treated else -score))  # the probability of the other group
    value = -float(weight @ np.log(np.maximum(1 - other, 1e-300))) if told else 0.0
    first = weight * other
    return value, -first if treated else first, first * (1 - other)


def _tilting_step(
    score: np.ndarray, treated: bool, weight: np.ndarray, told: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    if treated:
        return -float(weight @ score), -weight, np.zeros(len(score))
    odds = weight * np.exp(np.minimum(score, 700))
    return float(odds.sum()), odds, odds
