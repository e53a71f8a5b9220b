"""The best strategy of every draw at every threshold at once, by its upper envelope.

Net benefit threshold × effect − cost is a line in the threshold; of s lines the best is their upper envelope, at most s
pieces a draw. Walking from piece to piece costs s² a draw whatever the number of thresholds, and sums over draws change
only where a piece ends: they are kept as differences on the grid of thresholds and added up once.

Draws in which lines coincide or cross exactly on a threshold are counted one threshold at a time, so that ties are
split equally. Costs and effects are taken relative to the comparator's line in the draw: it changes neither the best
nor a loss, and keeps small differences between large totals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Lines = tuple[np.ndarray, np.ndarray]
Change = tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray]
"""Draws, the position on the grid from which it holds, the old best strategy (None: the first) and the new."""

BLOCK = 1 << 14
"""Draws walked at a time: the working arrays then stay in the processor's cache."""
SPREAD = 8
"""Blocks, evenly spaced, from which the variance of the losses is taken where there are more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Means over n draws by threshold (m) and strategy (s), and variances over draws.

    share, share_variance   part of each draw that goes to a strategy
    loss, loss_variance     best net benefit of the draw minus the strategy's; the variance over at most `SPREAD` blocks
    mean                    (m, s) mean net benefit relative to the comparator's
    """

    n: int
    share: np.ndarray
    share_variance: np.ndarray
    loss: np.ndarray
    loss_variance: np.ndarray
    mean: np.ndarray


def sums(cost: np.ndarray, effect: np.ndarray, comparator: int, grid: np.ndarray) -> Sums:
    """Shares and losses over draws; cost, effect (n, s), grid (m,) of finite thresholds ≥ 0 in any order."""

    def block(start: int) -> Lines:
        c, e = (np.ascontiguousarray(a[start : start + BLOCK].T) for a in (cost, effect))
        return c - c[comparator], e - e[comparator]

    return summed(block, cost.shape, comparator, grid)


def summed(
    block: Callable[[int], Lines], shape: tuple[int, ...], comparator: int, grid: np.ndarray, spread: int = SPREAD
) -> Sums:
    """`sums` of lines made where they are needed.

    block   first draw → costs and effects (s, b) of `BLOCK` draws relative to the comparator's;  shape  (n, s)
    spread  blocks from which the variance of the losses is taken at most
    """
    (n, s), order = shape, np.argsort(grid, kind="stable")
    walk = _Walk(grid[order], s, comparator)
    every = -(-n // (BLOCK * spread))
    for i, start in enumerate(range(0, n, BLOCK)):
        walk.add(*block(start), spread=i % every == 0)
    back = np.argsort(order, kind="stable")
    share, share_square, loss, loss_variance = (a[back] for a in walk.totals())
    inc_effect, inc_cost = walk.whole / n
    share = share / n
    return Sums(
        n=n,
        share=share,
        share_variance=np.maximum(share_square / n - share**2, 0.0),
        loss=np.maximum(loss / n, 0.0),
        loss_variance=loss_variance,
        mean=grid[:, None] * inc_effect - inc_cost,
    )


class _Walk:
    """Changes of the sums along the grid, collected block by block. c, e (s, b): a strategy's draws lie together.

    At every change of the best line from `old` to `new` the sums of the best line's slope e and intercept c and, in the
    blocks that give the variance, of their squares and their products with every strategy's own; added up along the
    grid they give means and variances of the losses.
    """

    def __init__(self, grid: np.ndarray, s: int, comparator: int) -> None:
        self.grid, self.s = grid, s
        self.moving = [j for j in range(s) if j != comparator]
        m = len(grid)
        self.counts, self.lines = np.zeros((m, s)), np.zeros((2, m))
        self.whole, self.own, self.tied = np.zeros((2, s)), np.zeros((2, s)), np.zeros((3, m, s))
        self.n_spread, self.moments = 0, np.zeros((5 + 3 * len(self.moving), m))
        self.own_spread, self.tied_spread = np.zeros((5, s)), np.zeros((2, m, s))
        step = np.diff(grid)
        even = m > 2 and step[0] > 0 and np.allclose(step, step[0], rtol=1e-6)
        self.per_step = 1.0 / step[0] if even else None

    def add(self, c: np.ndarray, e: np.ndarray, spread: bool) -> None:
        """Walk a block; draws with ties are counted one threshold at a time."""
        self.n_spread += c.shape[1] if spread else 0
        changes, tied = self._changes(c, e)
        own = np.array([e.sum(axis=1), c.sum(axis=1)])
        self.whole += own
        if tied.any():
            share, share_square, loss, square = _one_by_one(c[:, tied].T, e[:, tied].T, self.grid)
            self.tied += share, share_square, loss
            if spread:
                self.tied_spread += loss, square
            c, e = c[:, ~tied], e[:, ~tied]
            changes, _ = self._changes(c, e)
            own = np.array([e.sum(axis=1), c.sum(axis=1)])
        self.own += own
        if spread:
            squares = (np.einsum("sb,sb->s", a, b) for a, b in ((e, e), (c, c), (e, c)))
            self.own_spread += np.array([*own, *squares])
        for draw, position, old, new in changes:
            self._record(c, e, draw, position, old, new, spread)

    def _changes(self, c: np.ndarray, e: np.ndarray) -> tuple[list[Change], np.ndarray]:
        now, equal = _cheapest(c, e)
        tied = equal if self.grid[0] == 0.0 else np.zeros(len(now), dtype=bool)
        tied |= _twins(c, e)
        draw = np.arange(c.shape[1])
        out: list[Change] = [(draw, np.zeros(len(draw), dtype=np.intp), None, now)]
        while len(draw):
            new, ahead = _overtaken(c, e, draw, now)
            inside = np.flatnonzero(ahead <= self.grid[-1])
            draw, old, new, ahead = (a.take(inside) for a in (draw, now, new, ahead))
            position = self._position(ahead)
            on_grid = self.grid.take(position) == ahead
            if on_grid.any():
                tied[draw[on_grid]] = True
            if len(draw):
                out.append((draw, position, old, new))
            now = new
        return out, tied

    def _position(self, ahead: np.ndarray) -> np.ndarray:
        """The first threshold at or after each value; on an even grid guessed, then put right by one."""
        if self.per_step is None:
            return np.searchsorted(self.grid, ahead)
        last = len(self.grid) - 1
        guess = np.clip((ahead - self.grid[0]) * self.per_step + 0.5, 0, last).astype(np.intp)
        guess += self.grid.take(guess) < ahead
        return np.asarray(guess - ((guess > 0) & (self.grid.take(np.maximum(guess - 1, 0)) >= ahead)))

    def _record(
        self, c: np.ndarray, e: np.ndarray, draw: np.ndarray, position: np.ndarray, old: np.ndarray | None,
        new: np.ndarray, spread: bool,
    ) -> None:  # fmt: skip
        m, s = self.counts.shape
        e1, c1 = _pick(e, new, draw), _pick(c, new, draw)
        if old is None:
            self.counts[0] += np.bincount(new, minlength=s)
            self.lines[:, 0] += e1.sum(), c1.sum()
        else:
            e0, c0 = _pick(e, old, draw), _pick(c, old, draw)
            at = position * s
            self.counts += np.bincount(at + new, minlength=m * s).reshape(m, s)
            self.counts -= np.bincount(at + old, minlength=m * s).reshape(m, s)
            self.lines[0] += np.bincount(position, e1 - e0, minlength=m)
            self.lines[1] += np.bincount(position, c1 - c0, minlength=m)
        if spread:
            e0, c0 = (np.zeros(len(draw)),) * 2 if old is None else (e0, c0)
            de, dc = e1 - e0, c1 - c0
            values = [de, dc, e1 * e1 - e0 * e0, c1 * c1 - c0 * c0, e1 * c1 - e0 * c0]
            for j in self.moving:
                ej, cj = e[j].take(draw), c[j].take(draw)
                values += [de * ej, dc * cj, de * cj + dc * ej]
            for row, value in enumerate(values):
                self.moments[row] += np.bincount(position, value, minlength=m)

    def totals(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(m, s) shares, squared shares and losses over draws, and the variance of the losses."""
        k = self.grid[:, None]
        counts = np.cumsum(self.counts, axis=0)
        e, c = np.cumsum(self.lines, axis=1)[:, :, None]
        loss = k * (e - self.own[0]) - (c - self.own[1])
        moments = np.cumsum(self.moments, axis=1)
        e, c, ee, cc, ec = moments[:5, :, None]
        eej, ccj, ecj = np.zeros((3, len(k), self.s))
        for i, j in enumerate(self.moving):
            eej[:, j], ccj[:, j], ecj[:, j] = moments[5 + 3 * i : 8 + 3 * i]
        own_e, own_c, own_ee, own_cc, own_ec = self.own_spread
        some = k * (e - own_e) - (c - own_c) + self.tied_spread[0]
        square = k**2 * (ee - 2 * eej + own_ee) - 2 * k * (ec - ecj + own_ec) + (cc - 2 * ccj + own_cc)
        variance = (square + self.tied_spread[1]) / self.n_spread - (some / self.n_spread) ** 2
        tied = self.tied
        return counts + tied[0], counts + tied[1], loss + tied[2], np.maximum(variance, 0.0)


def _pick(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    return values.ravel().take(row * values.shape[1] + column)


def _cheapest(c: np.ndarray, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best line just above threshold 0: least cost, then most effect; and where two have the least cost."""
    now, low = np.zeros(c.shape[1], dtype=np.intp), c[0].copy()
    for j in range(1, len(c)):
        np.copyto(now, j, where=c[j] < low)
        np.minimum(low, c[j], out=low)
    equal = (c == low).sum(axis=0) > 1
    if equal.any():
        now[equal] = np.where(c[:, equal] == low[equal], e[:, equal], -np.inf).argmax(axis=0)
    return now, equal


def _twins(c: np.ndarray, e: np.ndarray) -> np.ndarray:
    """(b,) True where two lines of a draw are one and the same."""
    found = np.zeros(c.shape[1], dtype=bool)
    for i in range(len(c)):
        for j in range(i):
            same = e[i] == e[j]
            if same.any():
                found |= same & (c[i] == c[j])
    return found


def _overtaken(c: np.ndarray, e: np.ndarray, draw: np.ndarray, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The line that overtakes `now` next, and the threshold at which it does (infinite: never).

    Of several that do so at once it may be any: the steepest then overtakes at the same threshold in the next step.
    """
    base_e, base_c = _pick(e, now, draw), _pick(c, now, draw)
    whole = len(draw) == c.shape[1]
    new, ahead = np.zeros(len(draw), dtype=np.intp), np.full(len(draw), np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        for j in range(len(c)):
            de = (e[j] if whole else e[j].take(draw)) - base_e
            at = (c[j] if whole else c[j].take(draw)) - base_c
            at /= de
            np.copyto(at, np.inf, where=~(de > 0))
            np.copyto(new, j, where=at < ahead)
            np.minimum(ahead, at, out=ahead)
    return new, ahead


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
