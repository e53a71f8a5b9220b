"""Incremental analysis of any number of strategies: strong and extended dominance by the lower convex hull."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ..core import FrontierRow, Psa
from .checks import numbers


def frontier(psa: Psa) -> tuple[FrontierRow, ...]:
    """Strategies on mean cost and effect: first those on the frontier by rising cost, then the dominated ones.

    "dominated": another strategy costs no more and does no less, one of them strictly; "extended_dominated": a mixture
    of two others does. Increments run along the frontier; the ICER rises along it.
    """
    means = {s: (float(c), float(e)) for s, c, e in zip(psa.strategies, psa.cost.mean(0), psa.effect.mean(0))}
    return frontier_of_means(means)


def frontier_of_means(means: Mapping[str, tuple[float, float]]) -> tuple[FrontierRow, ...]:
    """`frontier` from (cost, effect) by strategy name: money and units of effect, any number of strategies.

    Raises UserError("not_a_number") naming the strategy.
    """
    means = {name: tuple(numbers(name, pair).tolist()) for name, pair in means.items()}
    order = sorted(means, key=lambda s: (means[s][0], -means[s][1]))
    undominated: list[str] = []
    for name in order:
        if not undominated or means[name][1] > means[undominated[-1]][1]:
            undominated.append(name)
    twins = [n for n in order if n not in undominated and any(means[n] == means[u] for u in undominated)]
    hull = _lower_hull(undominated, means)
    rows = [_row(name, hull[i - 1] if i else None, means) for i, name in enumerate(hull)]
    rows += [_plain(n, means, "extended_dominated") for n in undominated if n not in hull]
    rows += [
        _plain(n, means, "on_frontier" if any(means[n] == means[h] for h in hull) else "extended_dominated")
        for n in twins
    ]
    rows += [_plain(n, means, "dominated") for n in order if n not in undominated and n not in twins]
    return tuple(rows)


def icer_table(psa: Psa) -> pd.DataFrame:
    """The frontier as a frame: strategy, cost, effect, inc_cost, inc_effect, icer, status.

    NaN where there is no increment. Costs in the Psa's currency, effects in its unit, icer = inc_cost ÷ inc_effect
    against the row above.
    """
    fields = ("strategy", "cost", "effect", "inc_cost", "inc_effect", "icer", "status")
    return pd.DataFrame([{f: getattr(r, f) for f in fields} for r in frontier(psa)]).astype(
        dict.fromkeys(("inc_cost", "inc_effect", "icer"), float)
    )


def _lower_hull(names: list[str], means: Mapping[str, tuple[float, float]]) -> list[str]:
    """Points of the lower convex hull, effect rising: a point above or on the chord of its neighbours falls out only
    where it lies strictly above."""
    hull: list[str] = []
    for name in names:
        while len(hull) >= 2 and _above(means[hull[-2]], means[hull[-1]], means[name]):
            hull.pop()
        hull.append(name)
    return hull


def _above(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """True where b costs more than the mixture of a and c with b's effect."""
    return (b[0] - a[0]) * (c[1] - a[1]) > (c[0] - a[0]) * (b[1] - a[1])


def _row(name: str, before: str | None, means: Mapping[str, tuple[float, float]]) -> FrontierRow:
    cost, effect = means[name]
    if before is None:
        return _plain(name, means, "on_frontier")
    inc_cost, inc_effect = cost - means[before][0], effect - means[before][1]
    return FrontierRow(
        strategy=name,
        cost=cost,
        effect=effect,
        inc_cost=inc_cost,
        inc_effect=inc_effect,
        icer=inc_cost / inc_effect,
        status="on_frontier",
    )


def _plain(name: str, means: Mapping[str, tuple[float, float]], status: str) -> FrontierRow:
    cost, effect = means[name]
    empty = {"inc_cost": None, "inc_effect": None, "icer": None}
    return FrontierRow(strategy=name, cost=cost, effect=effect, status=status, **empty)  # type: ignore[arg-type]
