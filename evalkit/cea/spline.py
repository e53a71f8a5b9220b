"""Cubic B-splines on draws, one parameter or the product of two, by the cells between their knots.

Inside a cell a spline is a cubic in the position. Draws grouped by cell give every inner product from sums of powers of
their positions, one small product a cell: no n × p matrix and no list of column numbers is ever held.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

PLACED = 1 << 13
"""Draws, spread over all, whose quantiles place the knots."""
GOLDEN = 0.6180339887498949


@dataclass(frozen=True, slots=True, kw_only=True)
class Spline:
    """A spline with `size` p columns over the cells between `edges` (cells + 1,), k of them in every cell.

    piece (cells, k, k)  powers of the position in a cell, −1 to 1 → its k columns: those numbered from the cell's on
    penalty (p, p)       ∫ B''B'' over the range, scaled to a range of one
    """

    edges: np.ndarray
    piece: np.ndarray
    penalty: np.ndarray

    @property
    def size(self) -> int:
        return len(self.penalty)


CONSTANT = Spline(edges=np.zeros(2), piece=np.ones((1, 1, 1)), penalty=np.zeros((1, 1)))
"""The other factor where there is one parameter only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of the product of two splines at n points, grouped by cell; its columns run along the second first.

    order (n,)        points in the order of the groups, which `sort` gives to other values
    position          (n,) place of each in its cell, −1 to 1, by spline that is not constant
    cells             first row, row after the last and cells (i, j) of the two splines, where there are points
    """

    first: Spline
    second: Spline
    order: np.ndarray
    position: tuple[np.ndarray, ...]
    cells: tuple[tuple[int, int, int, int], ...]

    def sort(self, y: np.ndarray) -> np.ndarray:
        """(q, n) values y (n, q) in the order of the groups."""
        found = np.empty((y.shape[1], len(y)))
        for column, out in zip(y.T, found):
            column.take(self.order, out=out, mode="clip")
        return found

    def gram(self) -> np.ndarray:
        """(p, p) inner products of the columns: of two cubics from the sums of powers 0 to 6."""
        found = np.zeros((self.first.size * self.second.size,) * 2)
        for start, stop, i, j in self.cells:
            columns, turn, (ka, kb) = self._own(i, j)
            a, b = self._powers(slice(start, stop), 2 * ka - 1, 2 * kb - 1)
            at, to = np.add.outer(range(ka), range(ka)), np.add.outer(range(kb), range(kb))
            own = (a @ b.T)[at[:, None, :, None], to[None, :, None, :]].reshape(ka * kb, ka * kb)
            found[np.ix_(columns, columns)] += turn.T @ own @ turn
        return found

    def moment(self, y: np.ndarray) -> np.ndarray:
        """(p, q) inner products of the columns with y (q, n), sorted."""
        found = np.zeros((self.first.size * self.second.size, len(y)))
        for start, stop, i, j in self.cells:
            columns, turn, (ka, kb) = self._own(i, j)
            a, b = self._powers(slice(start, stop), ka, kb)
            sums = (y[:, None, start:stop] * b).reshape(-1, stop - start) @ a.T
            found[columns] += turn.T @ sums.reshape(len(y), kb, ka).transpose(2, 1, 0).reshape(ka * kb, len(y))
        return found

    def times(self, coefficients: np.ndarray) -> np.ndarray:
        """(n, q) rows times coefficients (p, q), point by point as they came."""
        q = coefficients.shape[1]
        found = np.empty((q, len(self.order)))
        for start, stop, i, j in self.cells:
            columns, turn, (ka, kb) = self._own(i, j)
            a, b = self._powers(slice(start, stop), ka, kb)
            own = (turn @ coefficients[columns]).reshape(ka, kb, q).transpose(1, 2, 0).reshape(kb * q, ka)
            parts = (own @ a).reshape(kb, q, stop - start)
            for power in range(1, kb):
                parts[power] *= b[power]
                parts[0] += parts[power]
            where = self.order[start:stop]
            for column, values in zip(found, parts[0]):
                column[where] = values
        return found.T

    def _own(self, i: int, j: int) -> tuple[np.ndarray, np.ndarray, tuple[int, int]]:
        """Columns of a cell, what turns products of powers into them, and the numbers of powers."""
        a, b = self.first.piece[i], self.second.piece[j]
        columns = np.add.outer((i + np.arange(len(a))) * self.second.size, j + np.arange(len(b))).ravel()
        turn = (a[:, None, :, None] * b[None, :, None, :]).reshape(len(columns), -1)
        return columns, turn, (len(a), len(b))

    def _powers(self, part: slice, first: int, second: int) -> tuple[np.ndarray, np.ndarray]:
        """(k, points of the part) powers 0 to k − 1 of the positions, by spline."""
        a = powers(self.position[0][part], first)
        return a, powers(self.position[1][part], second) if second > 1 else a[:1]


def rows(first: Spline, second: Spline, points: np.ndarray) -> Rows:
    """Rows at points (n, 2), or (n, 1) where the second spline is `CONSTANT`, which lie in the splines' ranges."""
    splines, inner = (first, second)[: points.shape[1]], len(second.piece)
    cell = _cell(first, points[:, 0]) * np.int16(inner)
    if inner > 1:
        cell += _cell(second, points[:, 1])
    order = np.argsort(cell, kind="stable")
    stops = np.concatenate([[0], np.cumsum(np.bincount(cell))]).tolist()
    cells = tuple((a, b, *divmod(c, inner)) for c, (a, b) in enumerate(pairwise(stops)) if b > a)
    position = tuple(points[:, d].take(order) for d in range(len(splines)))
    for start, stop, *which in cells:
        for x, s, i in zip(position, splines, which):
            low, high = s.edges[i : i + 2]
            x[start:stop] -= (low + high) / 2
            x[start:stop] *= 2 / (high - low)
    return Rows(first=first, second=second, order=order, position=position, cells=cells)


def powers(x: np.ndarray, count: int) -> np.ndarray:
    """(count, n) powers 0, 1, ... of x (n,)."""
    found = np.ones((count, len(x)))
    for k in range(1, count):
        np.multiply(found[k - 1], x, out=found[k])
    return found


def _cell(s: Spline, x: np.ndarray) -> np.ndarray:
    found = np.zeros(len(x), dtype=np.int8)
    for knot in s.edges[1:-1]:
        found += (x >= knot).view(np.int8)
    return found.astype(np.int16)


def spline(x: np.ndarray, inner: int) -> Spline:
    """Cubic B-splines over the range of x (n,), which varies, with up to `inner` inner knots at quantiles of x."""
    from scipy.interpolate import BSpline

    low, width = x.min(), np.ptp(x)
    middle = np.unique(np.quantile((spread(x, PLACED) - low) / width, np.linspace(0, 1, inner + 2)[1:-1]))
    middle = middle[(middle > 0) & (middle < 1)]
    edges = np.concatenate([[0.0], middle, [1.0]])
    knots = np.concatenate([np.zeros(3), edges, np.ones(3)])
    basis = BSpline(knots, np.eye(len(knots) - 4), 3)
    at, weight = _gauss(edges)
    second = basis.derivative(2)(at)
    cell = np.arange(len(edges) - 1)
    where = np.array([-0.9, -0.3, 0.3, 0.9])
    half, centre = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    values = basis(centre[:, None] + half[:, None] * where)
    own = values[cell[:, None, None], np.arange(4)[:, None], cell[:, None, None] + np.arange(4)]
    piece = np.linalg.solve(powers(where, 4).T, own)
    return Spline(edges=low + width * edges, piece=piece, penalty=(second * weight[:, None]).T @ second)


def spread(x: np.ndarray, most: int) -> np.ndarray:
    """At most so many rows of x, spread over all: multiples of the golden ratio meet no period that draws may have."""
    if len(x) <= most:
        return x
    return np.asarray(x[(np.arange(most) * GOLDEN % 1.0 * len(x)).astype(np.intp)])


def _gauss(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two Gauss points a piece: exact for the square of a piecewise linear function."""
    half, middle = np.diff(edges) / 2, (edges[1:] + edges[:-1]) / 2
    offset = half / np.sqrt(3.0)
    return np.concatenate([middle - offset, middle + offset]), np.concatenate([half, half])
