"""The best strategy of every draw at every threshold at once, by its upper envelope.

Net benefit threshold × effect − cost is a line in the threshold; of s lines the best is their upper envelope, at most s
pieces a draw. Walking from piece to piece costs s² a draw whatever the number of thresholds, and sums over draws change
only where a piece ends: they are kept as differences on the grid of thresholds and added up once.

Draws in which lines coincide or cross exactly on a threshold are counted one threshold at a time, so that ties are
split equally. Costs and effects are taken relative to the comparator's line in the draw: it changes neither the best
nor a loss, and keeps small differences between large totals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Change = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]
"""Draws, the position on the grid from which it holds, the old best strategy (None: the first) and the new."""

BLOCK = 1 << 14
"""Draws walked at a time: the working arrays then stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Sums over n draws by threshold (m) and strategy (s).

    share, share_square   part of each draw that goes to a strategy, and its square
    loss, loss_square     best net benefit of the draw minus the strategy's
    mean                  (m, s) mean net benefit relative to the comparator's
    """

    n: int
    share: np.ndarray
    share_square: np.ndarray
    loss: np.ndarray
    loss_square: np.ndarray
    mean: np.ndarray


def sums(cost: np.ndarray, effect: np.ndarray, comparator: int, grid: np.ndarray) -> Sums:
    """Sums of shares and losses over draws; cost, effect (n, s), grid (m,) of finite thresholds ≥ 0 in any order."""
    order = np.argsort(grid, kind="stable")
    walk = _Walk(grid[order], cost.shape[1], comparator)
    total = np.zeros((4, len(grid), cost.shape[1]))
    for start in range(0, len(cost), BLOCK):
        c, e = (np.ascontiguousarray(a[start : start + BLOCK].T) for a in (cost, effect))
        tied = walk.add(c - c[comparator], e - e[comparator])
        if tied.any():
            total += _one_by_one(c[:, tied].T, e[:, tied].T, grid[order])
    counts, loss, square = walk.totals()
    total += np.stack([counts, counts, loss, square])
    back = np.argsort(order, kind="stable")
    share, share_square, loss, square = np.maximum(total, 0.0)[:, back]
    inc_cost, inc_effect = cost.mean(axis=0), effect.mean(axis=0)
    return Sums(
        n=len(cost),
        share=share,
        share_square=share_square,
        loss=loss,
        loss_square=square,
        mean=grid[:, None] * (inc_effect - inc_effect[comparator]) - (inc_cost - inc_cost[comparator]),
    )


class _Walk:
    """Changes of the sums along the grid, collected block by block. c, e (s, b): a strategy's draws lie together.

    At every change of the best line from `old` to `new` the sums of the best line's slope e and intercept c, of their
    squares, and of their products with every strategy's own change; added up along the grid they give means and
    variances of the losses.
    """

    def __init__(self, grid: np.ndarray, s: int, comparator: int) -> None:
        self.grid, self.s = grid, s
        self.moving = [j for j in range(s) if j != comparator]
        self.counts = np.zeros((len(grid), s))
        self.moments = np.zeros((len(grid), 5 + 3 * len(self.moving)))
        self.own = np.zeros((5, s))

    def add(self, c: np.ndarray, e: np.ndarray) -> np.ndarray:
        """Walk a block; returns (b,) True for draws left to be counted one threshold at a time."""
        changes, tied = self._changes(c, e)
        if tied.any():
            c, e = c[:, ~tied], e[:, ~tied]
            changes, _ = self._changes(c, e)
        self.own += e.sum(axis=1), c.sum(axis=1), (e * e).sum(axis=1), (c * c).sum(axis=1), (e * c).sum(axis=1)
        for draw, position, old, new in changes:
            self._record(c, e, draw, position, old, new)
        return tied

    def _changes(self, c: np.ndarray, e: np.ndarray) -> tuple[list[Change], np.ndarray]:
        top = c.min(axis=0)
        cheapest = c == top
        now = np.where(cheapest, e, -np.inf).argmax(axis=0)
        tied = (cheapest.sum(axis=0) > 1) & (self.grid[0] == 0.0)
        draw = np.arange(c.shape[1])
        out: list[Change] = [(draw, np.zeros(len(draw), dtype=np.intp), None, now)]
        while len(draw):
            new, ahead, twin = _overtaken(c, e, draw, now)
            tied[draw[twin]] = True
            inside = ahead <= self.grid[-1]
            draw, old, new, ahead = draw[inside], now[inside], new[inside], ahead[inside]
            position = np.searchsorted(self.grid, ahead)
            tied[draw[self.grid[position] == ahead]] = True
            if len(draw):
                out.append((draw, position, old, new))
            now = new
        return out, tied

    def _record(
        self, c: np.ndarray, e: np.ndarray, draw: np.ndarray, position: np.ndarray, old: np.ndarray | None,
        new: np.ndarray,
    ) -> None:  # fmt: skip
        m, s = self.counts.shape
        e1, c1 = _pick(e, new, draw), _pick(c, new, draw)
        self.counts += np.bincount(position * s + new, minlength=m * s).reshape(m, s)
        if old is None:
            e0 = c0 = np.zeros(len(draw))
        else:
            e0, c0 = _pick(e, old, draw), _pick(c, old, draw)
            self.counts -= np.bincount(position * s + old, minlength=m * s).reshape(m, s)
        de, dc = e1 - e0, c1 - c0
        values = np.empty((self.moments.shape[1], len(draw)))
        values[:5] = de, dc, e1 * e1 - e0 * e0, c1 * c1 - c0 * c0, e1 * c1 - e0 * c0
        for i, j in enumerate(self.moving):
            ej, cj = (e[j], c[j]) if old is None else (e[j].take(draw), c[j].take(draw))
            values[5 + 3 * i : 8 + 3 * i] = de * ej, dc * cj, de * cj + dc * ej
        if old is None:
            self.moments[0] += values.sum(axis=1)
        else:
            for row, value in enumerate(values):
                self.moments[:, row] += np.bincount(position, value, minlength=m)

    def totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(m, s) counts, losses, squared losses over the walked draws."""
        k = self.grid[:, None]
        moments = np.cumsum(self.moments, axis=0)
        e, c, ee, cc, ec = moments[:, :5].T[:, :, None]
        eej, ccj, ecj = np.zeros((3, len(k), self.s))
        for i, j in enumerate(self.moving):
            eej[:, j], ccj[:, j], ecj[:, j] = moments[:, 5 + 3 * i : 8 + 3 * i].T
        own_e, own_c, own_ee, own_cc, own_ec = self.own
        loss = k * (e - own_e) - (c - own_c)
        square = k**2 * (ee - 2 * eej + own_ee) - 2 * k * (ec - ecj + own_ec) + (cc - 2 * ccj + own_cc)
        return np.cumsum(self.counts, axis=0), loss, square


def _pick(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return values.ravel().take(row * values.shape[1] + column)


def _overtaken(
    c: np.ndarray, e: np.ndarray, draw: np.ndarray, now: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The line that overtakes `now` next, the threshold at which it does (infinite: never), whether it has a twin."""
    base_e, base_c = _pick(e, now, draw), _pick(c, now, draw)
    whole = len(draw) == c.shape[1]
    new, ahead = np.zeros(len(draw), dtype=np.intp), np.full(len(draw), np.inf)
    gain, same = np.zeros(len(draw)), np.zeros(len(draw), dtype=np.int8)
    for j in range(len(c)):
        de = (e[j] if whole else e[j].take(draw)) - base_e
        dc = (c[j] if whole else c[j].take(draw)) - base_c
        same += (de == 0) & (dc == 0)
        at = np.divide(dc, de, out=np.full(len(draw), np.inf), where=de > 0)
        sooner = (at < ahead) | ((at == ahead) & (de > gain) & (de > 0))
        np.copyto(new, j, where=sooner)
        np.copyto(ahead, at, where=sooner)
        np.copyto(gain, de, where=sooner)
    return new, ahead, same > 1


def best_share(benefit: np.ndarray) -> np.ndarray:
    """(n, s) part of each draw that goes to each strategy: 1 to the best, split equally among exact ties."""
    top = benefit == benefit.max(axis=1, keepdims=True)
    return top / top.sum(axis=1, keepdims=True)


def _one_by_one(cost: np.ndarray, effect: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """(4, m, s) sums of shares, squared shares, losses, squared losses of draws (n, s), threshold by threshold."""
    out = np.empty((4, len(grid), cost.shape[1]))
    for row, threshold in enumerate(grid):
        benefit = threshold * effect - cost
        share, loss = best_share(benefit), benefit.max(axis=1, keepdims=True) - benefit
        out[:, row] = share.sum(axis=0), (share**2).sum(axis=0), loss.sum(axis=0), (loss**2).sum(axis=0)
    return out
