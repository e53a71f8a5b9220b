"""The impact inventory: what a programme cost and saved, by kind of cost and by who bears it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from ..core import Flow
from ..sources import table
from .bridge import Draws
from .decision import sides_of
from .discounting import when
from .ledger import PERSPECTIVES, present_value, weight
from .unit_costs import UnitCosts


def impact_inventory(
    draws: Draws, costs: UnitCosts, flows: Sequence[Flow], *, delay: Any = 0.0, seed: int = 1
) -> pd.DataFrame:
    """Present yuan by kind of cost and perspective at the estimate: cost positive, saving negative.

    draws, costs, flows, delay, seed  as in `decide`; flows of the programme
    Returns one row per kind: loss_class ("prevention", "direct", "indirect" of GB/T 6721, "other"), category, transfer
    (moves money, uses nothing) and a column per perspective. Transfers come to nil for society. At the point estimate
    and mean unit costs, so that columns add up to the negative of the deterministic net saving.
    Raises as `decide`.
    """
    sides = sides_of(draws, costs, flows, perspective="fund", delay=delay, seed=seed)
    averted = dict(zip(draws.names, sides.draws.estimate))
    detail = costs.detail[costs.detail.severity.isin(list(averted))].copy()
    detail["amount"] = -sides.factor * detail.severity.map(averted) * detail.share * detail.value
    rows = [
        {
            "category": r.category,
            "transfer": bool(r.transfer),
            **{p: r.amount * weight(r.payer, r.payee, bool(r.transfer), p) for p in PERSPECTIVES},
        }
        for r in detail.itertuples()
    ]
    start = min((float(when(f.year)) for f in flows), default=0.0)
    for flow in flows:
        worth = {p: present_value([flow], p, base=start, rate=costs.discount) for p in PERSPECTIVES}
        rows.append({"category": flow.category, "transfer": flow.transfer, **worth})
    classes = dict(zip(*(table("loss_classes")[c] for c in ("category", "loss_class"))))
    frame = pd.DataFrame(rows).groupby(["category", "transfer"], sort=False)[list(PERSPECTIVES)].sum().reset_index()
    own = [
        "prevention" if kind == "wage" and not moves else classes.get(kind, "other")
        for kind, moves in zip(frame.category, frame.transfer)
    ]
    frame.insert(0, "loss_class", own)
    order = {name: i for i, name in enumerate(("prevention", "direct", "indirect", "other"))}
    return frame.sort_values("loss_class", key=lambda s: s.map(order), kind="stable").reset_index(drop=True)
