"""Propensity scores by blocked Newton steps: logit and inverse probability tilting (calibration).

Odds p/(1−p) = exp(x'γ). Logit solves Σ w (D − p) x = 0; tilting solves Σ w D x = Σ w (1−D) exp(x'γ) x, so that
the reweighted controls have exactly the treated units' means of x (Graham, Pinto & Egel 2012, REStud 79:1053; used by
Sant'Anna & Zhao 2020). Refused, as a typed reason and not a number: no convergence or a score above `OVERLAP` (treated
and controls do not overlap), columns that are collinear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

BLOCK = 16_384
OVERLAP = 0.999
"""A fitted score above it: some treated unit has no comparable control (the rule of R did)."""
TRIM = 0.995
"""Controls with a score from here on get no weight (the rule of R DRDID)."""
CAP = 1 - 1e-6
Derivatives = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray, np.ndarray]]


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


def logit(x: np.ndarray, treated: np.ndarray, weight: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
    """(p,) coefficients of a weighted logit of treated (n,) bool on x (n, p). Raises NotEstimable."""
    if start is None and len(x) > 4 * BLOCK:
        some = slice(None, None, len(x) // BLOCK)
        try:
            start = _newton(_logit_step, x[some], treated[some], weight[some], None)
        except NotEstimable:
            start = None
    return _newton(_logit_step, x, treated, weight, start)


def tilting(x: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(p,) coefficients whose odds balance the columns of x (n, p) exactly. Raises NotEstimable."""
    return _newton(_tilting_step, x, treated, weight, logit(x, treated, weight))


def _newton(
    derivatives: Derivatives, x: np.ndarray, treated: np.ndarray, weight: np.ndarray, start: np.ndarray | None
) -> np.ndarray:
    """Newton on a convex loss with step halving, columns centred on their mean and scaled."""
    gamma = np.zeros(x.shape[1]) if start is None else start.copy()
    if start is None:
        share = float(weight[treated].sum() / weight.sum())
        constant = np.flatnonzero((x == x[0]).all(axis=0) & (x[0] != 0))
        if len(constant):
            gamma[constant[0]] = np.log(share / (1 - share)) / x[0, constant[0]]
    loss, gradient, hessian = _total(derivatives, x, treated, weight, gamma)
    inverse(sum((x[at] * weight[at, None]).T @ x[at] for at in blocks(len(x))))
    for _ in range(60):
        step = _bread(hessian) @ gradient
        decrement, size = float(gradient @ step), 1.0
        if decrement < 1e-24 * max(weight.sum(), 1.0):
            return gamma
        while True:
            trial = gamma - size * step
            new = _total(derivatives, x, treated, weight, trial)
            if np.isfinite(new[0]) and new[0] <= loss + 1e-12 * abs(loss):
                break
            size /= 2
            if size < 1e-6:
                return gamma if decrement < 1e-12 * abs(loss) else _no_overlap()
        gamma, (loss, gradient, hessian) = trial, new
        if np.abs(gamma * np.sqrt(np.diag(hessian) / weight.sum())).max() > 1e3:
            _no_overlap()
    return _no_overlap()


def _bread(hessian: np.ndarray) -> np.ndarray:
    """Columns that are independent by themselves lose their rank only where scores run to 0 or 1."""
    try:
        return inverse(hessian)
    except NotEstimable:
        return _no_overlap()


def _no_overlap() -> np.ndarray:
    raise NotEstimable("overlap")


def _total(
    derivatives: Derivatives, x: np.ndarray, treated: np.ndarray, weight: np.ndarray, gamma: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    p = x.shape[1]
    loss, gradient, hessian = 0.0, np.zeros(p), np.zeros((p, p))
    for at in blocks(len(x)):
        score = x[at] @ gamma
        value, first, second = derivatives(score, treated[at], weight[at])
        loss += value
        gradient += first @ x[at]
        hessian += (x[at] * second[:, None]).T @ x[at]
    return loss, gradient, hessian


def _logit_step(score: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    small = np.exp(-np.abs(score))
    p = np.where(score >= 0, 1.0, small) / (1 + small)
    value = float(weight @ (np.maximum(score, 0) + np.log1p(small) - score * treated))
    return value, weight * (p - treated), weight * p * (1 - p)


def _tilting_step(score: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    with np.errstate(over="ignore"):
        odds = np.where(treated, 0.0, np.exp(np.minimum(score, 700)))
    value = float(weight @ (odds - score * treated))
    return value, weight * (odds - treated), weight * odds
