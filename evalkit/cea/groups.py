"""For whom a programme averts injuries and saves money: results by group, small groups hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..core import UserError, hide_small
from .checks import level_of, numbers


def by_group(
    groups: Sequence[str],
    averted: np.ndarray,
    saving: Any,
    programme_cost: Sequence[float],
    observed: Sequence[float],
    *,
    min_cases: float,
    level: float = 0.95,
) -> pd.DataFrame:
    """Averted injuries and net saving by firm size, risk class, migrant status or any other division.

    Parameters
        groups          names (g,);  averted  (n, g) draws of averted injuries, drawn together
        saving          money per averted injury: one number, (n,) draws or (n, g)
        programme_cost  money spent on each group (g,), same prices;  observed  injuries of each group (g,)
        min_cases       groups with fewer observed injuries, none included, are hidden: the privacy threshold of the
                        workspace. So are the next smallest where the total would give the hidden ones away
                        (`core.hide_small`)
    Returns a frame in the order given: group, observed, averted, averted_low, averted_high, net_saving, net_low,
    net_high, hidden (bool); numbers of hidden groups are NaN. Sums over groups are those of the draws: no equity
    weights are applied. Raises UserError("groups_outside"), ("not_a_number"), ("level_outside").
    """
    count, cost = numbers("observed", observed), numbers("programme_cost", programme_cost)
    g = len(groups)
    unit, averted = numbers("saving", saving), numbers("averted", averted)
    fits = averted.ndim == 2 and len(averted) and averted.shape[1] == g == len(count) == len(cost)
    if not fits or unit.shape not in ((), averted.shape[:1], averted.shape) or len(set(groups)) < g:
        raise UserError("groups_outside", found=f"{g}; {averted.shape}; {unit.shape}; {len(count)}; {len(cost)}")
    level_of(level)
    net = averted * (unit[:, None] if unit.ndim == 1 else unit) - cost
    tails = [(1 - level) / 2, (1 + level) / 2]
    (low, high), (net_low, net_high) = np.quantile(averted, tails, axis=0), np.quantile(net, tails, axis=0)
    frame = pd.DataFrame(
        {
            "group": list(groups), "observed": count, "averted": averted.mean(axis=0), "averted_low": low,
            "averted_high": high, "net_saving": net.mean(axis=0), "net_low": net_low, "net_high": net_high,
        }
    )  # fmt: skip
    hidden = hide_small(count, min_cases)
    frame.loc[hidden, frame.columns[1:]] = np.nan
    return frame.assign(hidden=hidden)
