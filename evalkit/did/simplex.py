"""Weights on the simplex: min over x ≥ 0, Σx = 1 of |A x − b|²/n + ζ²|x|² (ridge ζ), two ways.

- `path_weights`: Frank-Wolfe from equal weights, 100 steps, small weights set to zero, then up to 10,000 steps: the
  path of R synthdid (Arkhangelsky et al. 2021), which stops close to the minimum, not at it. It is followed step by
  step, since published numbers rest on it.
- `minimum`: the minimum itself, many problems at once, by the active-set method of Lawson & Hanson (1974, Solving
  Least Squares Problems, chapter 23) with the adding-up constraint. For replications, where thousands of small steps a
  problem would cost far more for the same number to three digits.
"""

from __future__ import annotations

import numpy as np

FIRST, LIMIT = 100, 10_000
"""Steps before and after small weights are set to zero."""
FLOOR = 1e-10
"""Ridge of `minimum` relative to the largest diagonal: a problem short of full rank has no single minimum."""
SMALL = 1e-9
"""Scale at which a descent is brought back to 1."""
SLACK = 1e-12
"""Slope, relative to the largest diagonal, below which `minimum` takes a column for settled."""
BLOCK = 4_000_000
"""Numbers of the systems of `minimum` that are held at once."""


def path_weights(a: np.ndarray, b: np.ndarray, ridge: float, tolerance: float, *, intercept: bool) -> np.ndarray:
    """(m,) weights of the columns of a (n, m) that bring them to b (n,).

    ridge ζ and tolerance (least decrease √ of the objective a step) in the unit of the outcome; intercept: levels of
    the columns do not matter. Equal to R's path but for rounding: a period's mean over columns, which no step depends
    on, is taken out first.
    """
    gram, linear = normal_equations(a, b, intercept=intercept)
    eta = len(a) * ridge**2
    x = _descend(gram, linear, eta, np.full(a.shape[1], 1 / a.shape[1]), len(a) * tolerance**2, FIRST)
    return _descend(gram, linear, eta, sparsified(x), len(a) * tolerance**2, LIMIT)


def normal_equations(a: np.ndarray, b: np.ndarray, *, intercept: bool) -> tuple[np.ndarray, np.ndarray]:
    """A'A (m, m) and A'b (m,) after centring rows (free, since Σx = 1) and, with an intercept, columns."""
    middle = a.mean(axis=1)
    a, b = a - middle[:, None], b - middle
    if intercept:
        a, b = a - a.mean(axis=0), b - b.mean()
    return a.T @ a, a.T @ b


def sparsified(x: np.ndarray) -> np.ndarray:
    """Weights with those up to a quarter of the largest set to zero, adding up to 1 again."""
    kept = np.where(x <= x.max() / 4, 0.0, x)
    return kept / kept.sum()


def _descend(
    gram: np.ndarray, linear: np.ndarray, eta: float, start: np.ndarray, least: float, limit: int
) -> np.ndarray:
    """Frank-Wolfe steps with exact line search until the n-fold objective falls by no more than `least`.

    Half the gradient, h = Gx − c + ηx, and x shrink by 1 − s before vertex i is added: both are kept as scale · array,
    so that a step is one search and one addition.
    """
    from scipy.linalg.blas import daxpy

    v, z, scale = start.copy(), gram @ start - linear + eta * start, 1.0
    columns = gram - linear + eta * np.eye(len(v))
    diagonal, c = np.diag(gram).tolist(), linear.tolist()
    quadratic, square, product = float(start @ gram @ start), float(start @ start), float(linear @ start)
    for step in range(limit):
        i = int(z.argmin())
        half, weight = scale * float(z[i]), scale * float(v[i])
        fitted = half + c[i] - eta * weight
        slope = quadratic - product + eta * square - half
        curve = diagonal[i] - 2 * fitted + quadratic + eta * (1 - 2 * weight + square)
        if not (curve > 0 and slope > 0):
            break
        s = min(1.0, slope / curve)
        r = 1 - s
        quadratic = r * r * quadratic + 2 * s * r * fitted + s * s * diagonal[i]
        square = r * r * square + 2 * s * r * weight + s * s
        product = r * product + s * c[i]
        if r * scale < SMALL:
            v, z, scale = v * scale * r, z * scale * r, 1.0
        else:
            scale *= r
        v[i] += s / scale
        z = daxpy(columns[i], z, a=s / scale)
        if step and s * (2 * slope - s * curve) <= least:
            break
    return v * scale


def minimum(gram: np.ndarray, linear: np.ndarray, ridge: np.ndarray, start: np.ndarray) -> np.ndarray:
    """(R, m) weights that minimise x'Gx − 2c'x + Σ ridge x², R problems at once.

    gram    (m, m) shared, or (R, m, m);  linear c (R, m)
    ridge   (R, m) ≥ 0; inf bars a column.   start (m,) or (R, m) weights ≥ 0 to begin with, the nearer the faster
    """
    count, m = linear.shape
    size = max(1, BLOCK // m**2)
    parts = [slice(i, i + size) for i in range(0, count, size)]
    start = np.broadcast_to(start, linear.shape)
    return np.concatenate([_minimum(gram if gram.ndim == 2 else gram[p], linear[p], ridge[p], start[p]) for p in parts])


def _minimum(gram: np.ndarray, linear: np.ndarray, ridge: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Active set: solve with the free columns only; step towards it as far as signs allow and drop the column that
    stops there, or arrive and free the column with the steepest descent, until there is none.
    """
    barred = np.isinf(ridge)
    largest = np.broadcast_to(np.einsum("...ii->...i", gram).max(axis=-1), len(linear))[:, None]
    ridge = np.where(barred, 1.0, ridge) + np.where(largest > 0, FLOOR * largest, 1.0)
    x = np.where(barred, 0.0, start)
    lost = ~x.any(axis=1)
    x[lost, np.where(barred, -np.inf, linear)[lost].argmax(axis=1)] = 1.0
    x /= x.sum(axis=1, keepdims=True)
    free, left = x > 0, np.arange(len(linear))
    for _ in range(10 * linear.shape[1] + 100):
        own = gram if gram.ndim == 2 else gram[left]
        goal, price = _solved(own, linear[left], ridge[left], free[left])
        at = x[left]
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(free[left] & (goal < 0), at / (at - goal), np.inf)
        stop = reach.argmin(axis=1)
        step = np.minimum(reach.min(axis=1), 1.0)
        moved = at + step[:, None] * (goal - at)
        short = step < 1
        moved[short, stop[short]] = 0.0
        free[left[short], stop[short]] = False
        x[left] = moved
        pulled = moved @ own if own.ndim == 2 else np.matmul(own, moved[:, :, None])[:, :, 0]
        gradient = pulled + ridge[left] * moved - linear[left] - price[:, None]
        gradient[free[left] | barred[left]] = 0.0
        steepest = gradient.argmin(axis=1)
        open_ = ~short & (gradient.min(axis=1) < -SLACK * largest[left, 0])
        free[left[open_], steepest[open_]] = True
        left = left[short | open_]
        if not len(left):
            break
    return x


def _solved(gram: np.ndarray, linear: np.ndarray, ridge: np.ndarray, free: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Minimum (R, m) with only the free columns in, signs aside, and the multiplier (R,) of adding up to 1."""
    size = int(free.sum(axis=1).max())
    place = np.argsort(~free, axis=1, kind="stable")[:, :size]
    real = np.take_along_axis(free, place, axis=1)
    at = np.arange(len(free))[:, None]
    rows, columns = place[:, :, None], place[:, None, :]
    inner = gram[rows, columns] if gram.ndim == 2 else gram[at[:, :, None], rows, columns]
    inner = inner * (real[:, :, None] & real[:, None, :])
    inner[:, np.arange(size), np.arange(size)] += np.where(real, ridge[at, place], 1.0)
    sides = np.stack([linear[at, place] * real, real.astype(float)], axis=2)
    solved = np.linalg.solve(inner, sides)
    price = (1 - solved[:, :, 0].sum(axis=1)) / solved[:, :, 1].sum(axis=1)
    x = np.zeros(linear.shape)
    x[at, place] = np.where(real, solved[:, :, 0] + price[:, None] * solved[:, :, 1], 0.0)
    return x, price
