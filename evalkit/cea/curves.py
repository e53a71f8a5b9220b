"""Functions of the threshold from draws: acceptability, expected loss, value of perfect information.

The best strategy of a draw is the exact argmax of its net benefit; strategies that tie share the draw equally. Every
curve carries its Monte Carlo error. A strategy's net monetary benefit is threshold × effect − cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core import Curve, Psa, UserError, frozen_array
from .checks import numbers
from .envelope import sums


def psa_from_arrays(
    cost: Any,
    effect: Any,
    strategies: Sequence[str],
    *,
    comparator: str,
    parameters: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Psa:
    """Draws made elsewhere as a Psa.

    Parameters
        cost, effect  (n, s) arrays, columns in the order of `strategies`, or frames, whose columns named after the
                      strategies are taken by name; n ≥ 1; row d of both is the same draw
        parameters    (n,) draws by name
        facts         currency, price_year, perspective, effect_unit, ... of `core.Psa`
    Raises UserError("unequal_draws"), ("not_finite"), ("not_a_number"), ("unknown_strategy").
    """
    c, e = (frozen_array(_by_strategy(name, a, strategies)) for name, a in (("cost", cost), ("effect", effect)))
    drawn = {k: numbers(k, v) for k, v in (parameters or {}).items()}
    sizes = {"cost": c.shape, "effect": e.shape, **{k: (*v.shape, len(strategies)) for k, v in drawn.items()}}
    odd = {k: v for k, v in sizes.items() if len(v) != 2 or v != (c.shape[0], len(strategies))}
    if odd or not len(c):
        raise UserError("unequal_draws", found="; ".join(f"{k} {v}" for k, v in odd.items()), n=c.shape[0])
    odd_cells = ~(np.isfinite(c) & np.isfinite(e))
    if odd_cells.any():
        row, column = np.argwhere(odd_cells)[0]
        count = int(odd_cells.any(axis=1).sum())
        raise UserError("not_finite", rows=count, strategy=strategies[column], row=int(row) + 1)
    if comparator not in strategies or len(set(strategies)) < len(strategies):
        raise UserError("unknown_strategy", found=comparator, known=", ".join(strategies))
    matrix = frozen_array(np.column_stack(list(drawn.values()))) if drawn else None
    return Psa(
        strategies=tuple(strategies),
        cost=c,
        effect=e,
        comparator=comparator,
        parameters=matrix,
        parameter_names=tuple(drawn),
        **facts,
    )


def _by_strategy(name: str, values: Any, strategies: Sequence[str]) -> np.ndarray:
    """Numbers (n, s); columns of a frame by name where it has names of its own."""
    labels = list(getattr(values, "columns", ()))
    if any(isinstance(label, str) for label in labels):
        if set(labels) != set(strategies) or len(labels) != len(strategies):
            raise UserError(
                "unknown_strategy", found=f"{name}: {', '.join(map(str, labels))}", known=", ".join(strategies)
            )
        values = values[list(strategies)]
    return numbers(name, values, finite=False)


def nmb(psa: Psa, threshold: float) -> np.ndarray:
    """(n, s) net monetary benefit by draw and strategy, money: threshold × effect − cost.

    threshold  yuan per unit of effect, ≥ 0. Raises UserError("threshold_outside").
    """
    return float(grid_of(threshold)[0]) * psa.effect - psa.cost


def inmb(psa: Psa, threshold: float) -> np.ndarray:
    """(n, s) net monetary benefit of each strategy minus the comparator's, money; the comparator's column is zero."""
    benefit = nmb(psa, threshold)
    return benefit - benefit[:, [psa.strategies.index(psa.comparator)]]


def against(psa: Psa, strategy: str | None) -> int:
    """Column of `strategy`, or of the only one beside the comparator; else UserError("unknown_strategy")."""
    others = [s for s in psa.strategies if s != psa.comparator]
    name = strategy or next(iter(others), "")
    if name not in others or (strategy is None and len(others) > 1):
        raise UserError("unknown_strategy", found=str(strategy), known=", ".join(others))
    return psa.strategies.index(name)


def grid_of(thresholds: Any) -> np.ndarray:
    """Thresholds as an array (m,), m ≥ 1. Raises UserError("threshold_outside") where one is negative or no number."""
    grid = frozen_array(np.atleast_1d(numbers("threshold", thresholds, finite=False)))
    outside = ~(np.isfinite(grid) & (grid >= 0))
    if outside.any() or grid.ndim > 1 or not grid.size:
        raise UserError("threshold_outside", found=", ".join(str(v) for v in grid[outside][:3]) or f"{grid.shape}")
    return grid


def threshold_curves(psa: Psa, thresholds: Any) -> dict[str, Curve]:
    """All curves of the threshold in one pass: "ceac", "ceaf", "expected_loss", "evpi".

    `thresholds` (m,) yuan per unit of effect, ≥ 0. The time does not depend on how many there are (`envelope`).
    Monte Carlo errors of losses and EVPI are sd/√n, the sd of more than 131,072 draws taken from as many of them.
    Raises UserError("threshold_outside").
    """
    grid = grid_of(thresholds)
    found = sums(psa.cost, psa.effect, psa.strategies.index(psa.comparator), grid)
    share, loss = found.share, found.loss
    share_error, loss_error = (np.sqrt(v / psa.n) for v in (found.share_variance, found.loss_variance))
    row, best = np.arange(len(grid)), found.mean.argmax(axis=1)
    chosen = np.full(share.shape, np.nan)
    chosen[row, best] = 1.0
    least = loss.argmin(axis=1)

    def curve(name: str, values: np.ndarray, errors: np.ndarray, unit: str) -> Curve:
        names = ("evpi",) if name == "evpi" else psa.strategies
        return Curve(
            name=name,
            threshold=grid,
            values={s: frozen_array(values[:, j]) for j, s in enumerate(names)},
            mc_error={s: frozen_array(errors[:, j]) for j, s in enumerate(names)},
            unit=unit,
        )

    return {
        "ceac": curve("ceac", share, share_error, "share"),
        "ceaf": curve("ceaf", share * chosen, share_error * chosen, "share"),
        "expected_loss": curve("expected_loss", loss, loss_error, psa.currency),
        "evpi": curve("evpi", loss[row, least][:, None], loss_error[row, least][:, None], psa.currency),
    }


def ceac(psa: Psa, thresholds: Any) -> Curve:
    """Cost-effectiveness acceptability: share of draws in which each strategy is the best. Sums to one.

    `thresholds` (m,) yuan per unit of effect. Monte Carlo error: sd of the shares / √n. A share of draws, called
    confidence (净节省的置信度 at threshold 0), is no posterior probability unless a prior was stated.
    Source: Fenwick, Claxton, Sculpher (2001).
    """
    return threshold_curves(psa, thresholds)["ceac"]


def ceaf(psa: Psa, thresholds: Any) -> Curve:
    """Acceptability of the strategy with the highest mean net benefit, under that strategy's name; NaN elsewhere.

    `thresholds` (m,) yuan per unit of effect, ≥ 0. Returns a Curve of shares with Monte Carlo error. Where several
    share the highest mean, the first in the order of the Psa stands for them. Raises UserError("threshold_outside").
    Source: Fenwick, Claxton, Sculpher (2001).
    """
    return threshold_curves(psa, thresholds)["ceaf"]


def expected_loss(psa: Psa, thresholds: Any) -> Curve:
    """Mean loss of choosing a strategy, by threshold: E[max over strategies of NMB − its NMB], money.

    `thresholds` (m,) yuan per unit of effect, ≥ 0. Returns a Curve with Monte Carlo error; its minimum is the EVPI.
    Raises UserError("threshold_outside"). Source: Alarid-Escudero et al. (2019).
    """
    return threshold_curves(psa, thresholds)["expected_loss"]


def evpi(psa: Psa, thresholds: Any) -> Curve:
    """Value of perfect information: E[max NMB] − max E[NMB] = smallest expected loss ≥ 0, money, under the key "evpi".

    `thresholds` (m,) yuan per unit of effect, ≥ 0. Raises UserError("threshold_outside"). Per programme as drawn: times
    the number of programmes that the decision concerns for a population. Not defined where the mean is not (df < 3):
    `decide` gives no Psa there.
    """
    return threshold_curves(psa, thresholds)["evpi"]
