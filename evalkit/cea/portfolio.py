"""Which projects to fund under a cap, and how much the choice may be wrong.

The choice maximises the expected net saving of the chosen projects within the budget: a 0/1 knapsack, exact for up to
`EXACT` projects, beyond that on costs rounded up to `GRID` parts of the budget. Its expected loss is the mean over
draws of what the best choice of that draw would have saved more. Use shrunk effects (`pool`): raw ones favour the
luckiest small places (`methods.md` 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import UserError, frozen_array
from .checks import numbers, within

EXACT = 14
GRID = 500
BLOCK = 1_000
"""Draws looked at together where every choice is weighed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Portfolio:
    """The chosen projects, in the order given.

    value           expected net saving of the choice, yuan;  spent  its cost;  budget
    expected_loss   mean over draws of the best choice's saving minus this one's, with `loss_mc_error`
    chosen_share    (s,) share of draws in which the best choice holds each project
    """

    names: tuple[str, ...]
    chosen: tuple[bool, ...]
    value: float
    spent: float
    budget: float
    expected_loss: float
    loss_mc_error: float
    chosen_share: np.ndarray


def portfolio(names: Sequence[str], saving: Any, cost: Sequence[float], budget: float) -> Portfolio:
    """Choose projects within a budget by expected net saving.

    names (s,); saving (n, s) draws of the net saving of each project (yuan, programme cost already taken off), n ≥ 1;
    cost (s,) yuan ≥ 0 that each takes of the `budget` > 0.
    Raises UserError("portfolio_outside") where names, shapes, costs or the budget do not fit, ("not_a_number").
    """
    price, worth = numbers("cost", cost), numbers("saving", saving)
    if worth.ndim != 2 or not len(worth) or not worth.shape[1] == len(names) == len(price) == len(set(names)):
        raise UserError("portfolio_outside", found=f"{worth.shape}; {price.shape}; {', '.join(map(str, names))}")
    if not (within("budget", budget, 0.0) > 0 and (price >= 0).all()):
        raise UserError("portfolio_outside", found=f"{budget}; {price.min(initial=0.0)}")
    best_of = _weighed if len(names) <= EXACT else _rounded
    chosen = best_of(worth.mean(axis=0)[None], price / budget)[0]
    best = best_of(worth, price / budget)
    loss = (worth * best).sum(axis=1) - worth @ chosen
    return Portfolio(
        names=tuple(names),
        chosen=tuple(bool(c) for c in chosen),
        value=float(worth.mean(axis=0) @ chosen),
        spent=float(price @ chosen),
        budget=float(budget),
        expected_loss=float(loss.mean()),
        loss_mc_error=float(loss.std() / np.sqrt(len(loss))),
        chosen_share=frozen_array(best.mean(axis=0)),
    )


def _weighed(value: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(n, s) True for the projects of the best choice in every row of value (n, s), by weighing all that fit.

    size (s,) parts of the budget. Only choices that no other project fits into are weighed, each without the projects
    that save nothing in the row.
    """
    s = len(size)
    sets = (np.arange(2**s)[:, None] >> np.arange(s)) & 1 > 0
    spent = sets @ size
    sets, spent = sets[spent <= 1 + 1e-12], spent[spent <= 1 + 1e-12]
    full = (sets | (spent[:, None] + size > 1 + 1e-12)).all(axis=1)
    sets = sets[full]
    gain = np.maximum(value, 0.0)
    blocks = [gain[start : start + BLOCK] @ sets.T.astype(float) for start in range(0, len(gain), BLOCK)]
    best = np.concatenate([b.argmax(axis=1) for b in blocks])
    return np.asarray(sets[best] & (value > 0))


def _rounded(value: np.ndarray, size: np.ndarray) -> np.ndarray:
    """As `_weighed`, by dynamic programming on sizes rounded up to `GRID` parts of the budget."""
    parts = np.ceil(size * GRID - 1e-9).astype(int)
    n, s = value.shape
    best = np.zeros((n, GRID + 1))
    taken = np.zeros((s, n, GRID + 1), dtype=bool)
    for j in range(s):
        if parts[j] > GRID:
            continue
        with_it = best[:, : GRID + 1 - parts[j]] + value[:, [j]]
        better = with_it > best[:, parts[j] :]
        taken[j, :, parts[j] :] = better
        best[:, parts[j] :] = np.where(better, with_it, best[:, parts[j] :])
    out, room, row = np.zeros((n, s), dtype=bool), np.full(n, GRID), np.arange(n)
    for j in reversed(range(s)):
        out[:, j] = taken[j, row, room]
        room = room - parts[j] * out[:, j]
    return out
