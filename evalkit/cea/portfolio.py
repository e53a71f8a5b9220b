"""Which projects to fund under a cap, and how much the choice may be wrong.

The choice maximises the expected net saving of the chosen projects within the budget (0/1 knapsack, exact on costs
rounded up to `GRID` parts of the budget). Its expected loss is the mean over draws of what the best choice of that draw
would have saved more. Use shrunk effects (`pool`): raw ones favour the luckiest small places (`methods.md` 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core import UserError, frozen_array

GRID = 500


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


def portfolio(names: Sequence[str], saving: np.ndarray, cost: Sequence[float], budget: float) -> Portfolio:
    """Choose projects within a budget by expected net saving.

    names (s,); saving (n, s) draws of the net saving of each project (yuan, programme cost already taken off);
    cost (s,) yuan ≥ 0 that each takes of the `budget` > 0.
    Raises UserError("portfolio_outside") where shapes, costs or the budget do not fit.
    """
    price = np.asarray(cost, dtype=float)
    if saving.ndim != 2 or saving.shape[1] != len(names) or len(price) != len(names):
        raise UserError("portfolio_outside", found=f"{saving.shape}; {len(price)}; {len(names)}")
    if not (budget > 0 and (price >= 0).all()):
        raise UserError("portfolio_outside", found=f"{budget}; {price.min()}")
    size = np.ceil(price / budget * GRID - 1e-9).astype(int)
    chosen = _best(saving.mean(axis=0)[None], size)[0]
    best = _best(saving, size)
    loss = (saving * best).sum(axis=1) - saving @ chosen
    return Portfolio(
        names=tuple(names),
        chosen=tuple(bool(c) for c in chosen),
        value=float(saving.mean(axis=0) @ chosen),
        spent=float(price @ chosen),
        budget=float(budget),
        expected_loss=float(loss.mean()),
        loss_mc_error=float(loss.std() / np.sqrt(len(loss))),
        chosen_share=frozen_array(best.mean(axis=0)),
    )


def _best(value: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(n, s) True for the projects of the best choice in every row of value (n, s), sizes in parts of the budget."""
    n, s = value.shape
    best = np.zeros((n, GRID + 1))
    taken = np.zeros((s, n, GRID + 1), dtype=bool)
    for j in range(s):
        if size[j] > GRID:
            continue
        with_it = best[:, : GRID + 1 - size[j]] + value[:, [j]]
        better = with_it > best[:, size[j] :]
        taken[j, :, size[j] :] = better
        best[:, size[j] :] = np.where(better, with_it, best[:, size[j] :])
    out, room, row = np.zeros((n, s), dtype=bool), np.full(n, GRID), np.arange(n)
    for j in reversed(range(s)):
        out[:, j] = taken[j, row, room]
        room = room - size[j] * out[:, j]
    return out
