"""Penalised least-squares smoothing of draws on one, two or more parameters.

One parameter: cubic B-splines with knots at quantiles, the integrated squared second derivative as penalty. Two: their
tensor product, penalised along both. More: one spline each and the pairwise products, additive. A straight line (a
plane) costs no penalty. The weight of the penalty minimises generalised cross-validation with γ = 1.4, separately for
every response, after one simultaneous diagonalisation (Wood 2017, Generalized Additive Models, chapters 4-6). What is
smoothed are deviations from the mean, which keeps small differences between large totals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from .spline import CONSTANT, Rows, rows, spline

KNOTS = {1: 16, 2: 6}
KNOTS_EACH = 8
"""Inner knots with one parameter, with two (each), and with more (each)."""
GAMMA = 1.4
WEIGHTS = 10.0 ** np.arange(-8, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """Fitted values (n, q) of responses on d parameters.

    size  directions p of the fit
    at(points (m, d))                    (m, q) values, held at the edge outside the range of the draws
    errors(points (m, d), z (r, p, q))   (r, m, q) error of those values for r draws z, standard normal, of the error of
                                         the coefficients: responses err together as their residuals do
    shuffled(points (m, d), orders)      (r, m, q) values of the fit to the responses in r other orders of the draws
    """

    fitted: np.ndarray
    size: int
    at: Callable[[np.ndarray], np.ndarray]
    errors: Callable[[np.ndarray, np.ndarray], np.ndarray]
    shuffled: Callable[[np.ndarray, Sequence[np.ndarray]], np.ndarray]


def smooth(x: np.ndarray, y: np.ndarray) -> Smooth:
    """Smooth y (n, q) on the parameters x (n, d); parameters that do not vary are left out."""
    n, columns = len(y), np.ascontiguousarray(x.T)
    low, high = columns.min(axis=1), columns.max(axis=1)
    moving = high > low
    build, penalty_of = _design(columns[moving].T)
    design = build(columns[moving].T)
    gram = design.gram()
    values, vectors = np.linalg.eigh(gram)
    keep = values > values.max() * 1e-12
    half = vectors[:, keep] / np.sqrt(values[keep])
    rough, turn = np.linalg.eigh(half.T @ penalty_of(gram / n) @ half)
    basis = half @ turn
    rough = np.clip(rough, 0.0, None)
    rough = rough / max(rough.max(), 1e-300)
    centred = design.sort(y)
    mean = centred.mean(axis=1)
    centred -= mean[:, None]
    loading, square = basis.T @ design.moment(centred), centred @ centred.T
    shrink = _shrinkage(loading, np.diag(square), rough, n)
    coefficients = basis @ (shrink * loading)

    def place(points: np.ndarray) -> Basis:
        return build(np.clip(points, low, high)[:, moving])

    def at(points: np.ndarray) -> np.ndarray:
        return np.asarray(mean + place(points).times(coefficients))

    def errors(points: np.ndarray, z: np.ndarray) -> np.ndarray:
        wiggle = basis @ (np.sqrt(shrink) * (z @ _residual_root(loading, square, shrink, n).T))
        return _each(place(points), wiggle)

    def shuffled(points: np.ndarray, orders: Sequence[np.ndarray]) -> np.ndarray:
        moments = np.array([design.moment(centred.take(order, axis=1)) for order in orders])
        return mean + _each(place(points), basis @ (shrink * (basis.T @ moments)))

    fitted = design.times(coefficients)
    fitted += mean
    return Smooth(fitted=fitted, size=basis.shape[1], at=at, errors=errors, shuffled=shuffled)


def _shrinkage(loading: np.ndarray, square: np.ndarray, rough: np.ndarray, n: int) -> np.ndarray:
    """(p, q) factor on every direction for each response, by generalised cross-validation over `WEIGHTS`."""
    factors = 1.0 / (1.0 + WEIGHTS[:, None] * rough)
    used = factors.sum(axis=1)
    explained = (2 * factors - factors**2) @ loading**2
    rest = np.maximum(square - explained, 1e-12 * np.maximum(square, 1e-300))
    score = rest / np.maximum(n - GAMMA * used, 1.0)[:, None] ** 2
    return factors[score.argmin(axis=0)].T


def _residual_root(loading: np.ndarray, square: np.ndarray, shrink: np.ndarray, n: int) -> np.ndarray:
    """(q, q) root of the residuals' covariance, from sums of squares alone."""
    fitted = shrink * loading
    rest = square - loading.T @ fitted - fitted.T @ loading + fitted.T @ fitted
    spare = np.sqrt(np.maximum(n - shrink.sum(axis=0), 1.0))
    values, vectors = np.linalg.eigh(rest / np.outer(spare, spare))
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))


def _each(design: Basis, coefficients: np.ndarray) -> np.ndarray:
    """(r, m, q) design times coefficients (r, p, q), all r in one product."""
    r, p, q = coefficients.shape
    return (
        design.times(coefficients.transpose(1, 0, 2).reshape(p, r * q))
        .T.reshape(r, q, -1 if r * q else 0)
        .transpose(0, 2, 1)
    )


@dataclass(frozen=True, slots=True)
class Dense:
    """Rows (n, p) of a basis that is not local."""

    matrix: np.ndarray

    def sort(self, y: np.ndarray) -> np.ndarray:
        return np.array(y.T)

    def gram(self) -> np.ndarray:
        return np.asarray(self.matrix.T @ self.matrix)

    def moment(self, y: np.ndarray) -> np.ndarray:
        return np.asarray((y @ self.matrix).T)

    def times(self, coefficients: np.ndarray) -> np.ndarray:
        return np.asarray(self.matrix @ coefficients)


Basis = Rows | Dense
Build = Callable[[np.ndarray], Basis]
"""From points (m, d) to the rows of the design there."""
Penalty = Callable[[np.ndarray], np.ndarray]
"""From the design's mean inner products (p, p) to the penalty (p, p)."""


def _design(x: np.ndarray) -> tuple[Build, Penalty]:
    d = x.shape[1]
    if d == 0:
        return lambda points: Dense(np.ones((len(points), 1))), np.zeros_like
    if d > len(KNOTS):
        return _additive(x)
    a, b = (spline(x[:, j], KNOTS[d]) if j < d else CONSTANT for j in range(2))

    def penalty(gram: np.ndarray) -> np.ndarray:
        if d == 1:
            return a.penalty
        whole = gram.reshape(a.size, b.size, a.size, b.size)
        own_a, own_b = whole.sum(axis=(1, 3)), whole.sum(axis=(0, 2))  # a spline's columns sum to one
        return np.kron(a.penalty / np.trace(a.penalty), own_b) + np.kron(own_a, b.penalty / np.trace(b.penalty))

    return lambda points: rows(a, b, points), penalty


def _additive(x: np.ndarray) -> tuple[Build, Penalty]:
    centre, scale = x.mean(axis=0), x.std(axis=0)
    splines = [spline(column, KNOTS_EACH) for column in x.T]
    pairs = list(combinations(range(x.shape[1]), 2))

    def build(points: np.ndarray) -> Dense:
        z = (points - centre) / scale
        own = (rows(s, CONSTANT, points[:, [j]]).times(np.eye(s.size)) for j, s in enumerate(splines))
        return Dense(np.column_stack([*own, *(z[:, i] * z[:, j] for i, j in pairs)]))

    sizes = np.cumsum([0, *(s.size for s in splines)])
    whole = np.zeros((sizes[-1] + len(pairs),) * 2)
    for start, stop, s in zip(sizes, sizes[1:], splines):
        whole[start:stop, start:stop] = s.penalty / np.trace(s.penalty)
    return build, lambda gram: whole


def names_of(parameters: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several as a tuple."""
    return (parameters,) if isinstance(parameters, str) else tuple(parameters)
