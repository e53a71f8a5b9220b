"""Penalised least-squares smoothing of draws on one, two or more parameters.

One parameter: cubic B-splines with knots at quantiles, the integrated squared second derivative as penalty. Two: their
tensor product, penalised along both. More: one spline each and the pairwise products, additive. A straight line (a
plane) costs no penalty. The weight of the penalty minimises generalised cross-validation with γ = 1.4, separately for
every response, after one simultaneous diagonalisation (Wood 2017, Generalized Additive Models, chapters 4-6).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

KNOTS = {1: 16, 2: 6}
KNOTS_EACH = 8
"""Inner knots with one parameter, with two (each), and with more (each)."""
GAMMA = 1.4
WEIGHTS = 10.0 ** np.arange(-8, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Smooth:
    """Fitted values (n, q) of responses on d parameters.

    sigma (q,) residual standard deviation;  size  directions p of the fit
    at(x (m, d))        values at other points, held at the edge outside the range of the draws
    refit(y (n, q))     fitted values of other responses, smoothing kept
    wiggle(z (p, q))    fitted values of the coefficients' error, z standard normal
    """

    fitted: np.ndarray
    sigma: np.ndarray
    size: int
    at: Callable[[np.ndarray], np.ndarray]
    refit: Callable[[np.ndarray], np.ndarray]
    wiggle: Callable[[np.ndarray], np.ndarray]


def smooth(x: np.ndarray, y: np.ndarray) -> Smooth:
    """Smooth y (n, q) on the parameters x (n, d); parameters that do not vary are left out."""
    moving = np.ptp(x, axis=0) > 0
    x_moving = x[:, moving]
    build, penalty = _design(x_moving)
    design = build(x_moving)
    gram = _gram(design)
    values, vectors = np.linalg.eigh(gram)
    keep = values > values.max() * 1e-12
    half = vectors[:, keep] / np.sqrt(values[keep])
    rough, turn = np.linalg.eigh(half.T @ penalty @ half)
    basis = half @ turn
    rough = np.clip(rough, 0.0, None)
    rough = rough / max(rough.max(), 1e-300)
    shrink = _shrinkage(np.asarray(design.T @ y), (y * y).sum(axis=0), basis, rough, len(y))

    def refit(response: np.ndarray) -> np.ndarray:
        return np.asarray(design @ (basis @ (shrink * (basis.T @ (design.T @ response)))))

    def wiggle(z: np.ndarray) -> np.ndarray:
        return np.asarray(design @ (basis @ (np.sqrt(shrink) * z)))

    def at(points: np.ndarray) -> np.ndarray:
        inside = np.clip(points, x.min(axis=0), x.max(axis=0))[:, moving]
        return np.asarray(build(inside) @ (basis @ (shrink * (basis.T @ (design.T @ y)))))

    fitted = refit(y)
    spare = np.maximum(len(y) - shrink.sum(axis=0), 1.0)
    sigma = np.sqrt(((y - fitted) ** 2).sum(axis=0) / spare)
    return Smooth(fitted=fitted, sigma=sigma, size=basis.shape[1], at=at, refit=refit, wiggle=wiggle)


def _shrinkage(moment: np.ndarray, square: np.ndarray, basis: np.ndarray, rough: np.ndarray, n: int) -> np.ndarray:
    """(p, q) factor on every direction for each response, by generalised cross-validation over `WEIGHTS`."""
    loading = basis.T @ moment
    factors = 1.0 / (1.0 + WEIGHTS[:, None] * rough)
    used = factors.sum(axis=1)
    explained = np.einsum("wp,pq->wq", 2 * factors - factors**2, loading**2)
    rest = np.maximum(square - explained, 1e-12 * np.maximum(square, 1e-300))
    score = rest / np.maximum(n - GAMMA * used, 1.0)[:, None] ** 2
    return factors[score.argmin(axis=0)].T


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)


def _gram(design: Any) -> np.ndarray:
    """(p, p) inner products of the columns.

    Rows of a local basis that lie between the same knots have the same columns: sorted by the first of them, each group
    is one small dense product.
    """
    if not hasattr(design, "toarray"):
        return np.asarray(design.T @ design)
    n, p = design.shape
    columns, values = design.indices.reshape(n, -1), design.data.reshape(n, -1)
    order = np.argsort(columns[:, 0].astype(np.int16 if p < 2**15 else np.int64), kind="stable")
    columns, values = columns[order], values[order]
    edges = np.flatnonzero(np.diff(columns[:, 0])) + 1
    found = np.zeros((p, p))
    for start, stop in zip([0, *edges], [*edges, n]):
        part = values[start:stop]
        found[np.ix_(columns[start], columns[start])] += part.T @ part
    return found


Build = Callable[[np.ndarray], Any]
"""From points (m, d) to their design (m, p), sparse where the basis is local."""


def _design(x: np.ndarray) -> tuple[Build, np.ndarray]:
    """How points become rows of the design, and the penalty (p, p)."""
    n, d = x.shape
    if d == 0:
        return lambda points: np.ones((len(points), 1)), np.zeros((1, 1))
    if d == 1:
        build, penalty = _spline(x[:, 0], KNOTS[1])
        return lambda points: build(points[:, 0]), penalty
    if d == 2:
        (first, pa), (second, pb) = (_spline(x[:, j], KNOTS[2]) for j in range(2))
        own = first(x[:, 0]), second(x[:, 1])
        ga, gb = (_gram(b) / n for b in own)
        penalty = np.kron(pa / np.trace(pa), gb) + np.kron(ga, pb / np.trace(pb))
        return lambda p: _rowwise(*(own if p is x else (first(p[:, 0]), second(p[:, 1])))), penalty
    return _additive(x)


def _additive(x: np.ndarray) -> tuple[Build, np.ndarray]:
    centre, scale = x.mean(axis=0), x.std(axis=0)
    splines = [_spline(column, KNOTS_EACH) for column in ((x - centre) / scale).T]
    pairs = list(combinations(range(x.shape[1]), 2))

    def build(points: np.ndarray) -> np.ndarray:
        z = (points - centre) / scale
        own = (_dense(spline(z[:, j])) for j, (spline, _) in enumerate(splines))
        return np.column_stack([*own, *(z[:, i] * z[:, j] for i, j in pairs)])

    sizes = np.cumsum([0, *(len(penalty) for _, penalty in splines)])
    whole = np.zeros((sizes[-1] + len(pairs),) * 2)
    for start, stop, (_, penalty) in zip(sizes, sizes[1:], splines):
        whole[start:stop, start:stop] = penalty / np.trace(penalty)
    return build, whole


def _spline(x: np.ndarray, inner: int) -> tuple[Build, np.ndarray]:
    """Cubic B-splines over the range of x (n,) with knots at quantiles, and ∫ B''B'' over it."""
    from scipy.interpolate import BSpline

    low, width = x.min(), np.ptp(x)
    middle = np.unique(np.quantile((x - low) / width, np.linspace(0, 1, inner + 2)[1:-1]))
    middle = middle[(middle > 0) & (middle < 1)]
    knots = np.concatenate([np.zeros(4), middle, np.ones(4)])
    at, weight = _gauss(np.concatenate([[0.0], middle, [1.0]]))
    second = BSpline(knots, np.eye(len(knots) - 4), 3).derivative(2)(at)
    penalty = (second * weight[:, None]).T @ second
    return lambda points: BSpline.design_matrix((points - low) / width, knots, 3), penalty


def _gauss(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two Gauss points a piece: exact for the square of a piecewise linear function."""
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    offset = half / np.sqrt(3.0)
    return np.concatenate([middle - offset, middle + offset]), np.concatenate([half, half])


def _rowwise(a: Any, b: Any) -> Any:
    """Sparse row-wise Kronecker product of two cubic spline designs with four entries a row."""
    from scipy.sparse import csr_array

    n, pa, pb = a.shape[0], a.shape[1], b.shape[1]
    value = (a.data.reshape(n, 4, 1) * b.data.reshape(n, 1, 4)).ravel()
    column = (a.indices.reshape(n, 4, 1) * pb + b.indices.reshape(n, 1, 4)).ravel()
    return csr_array((value, column, np.arange(n + 1) * 16), shape=(n, pa * pb))


def names_of(parameters: str | Sequence[str]) -> tuple[str, ...]:
    """One name or several as a tuple."""
    return (parameters,) if isinstance(parameters, str) else tuple(parameters)
