"""Two ways from an effect to yuan, compared in the same window (`methods.md` 5).

Route A prices averted injuries with the benefit schedule over a lifetime. Route B estimates the effect on the benefits
that were paid, which the data show only for a window after the injury. B is compared with A's cash in that window and
the gap is split; the two are never averaged and never added. Amounts vary more than counts: on payments by claim of the
synthetic sample B needs 1.8 times the cases of A when single injuries are capped at percentile 99 and the tail follows
the counts, 4.3 times without a cap (`benchmarks/routes.csv`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..core import EffectPath, UserError
from .benefits import HORIZON, Schedule, draws_of, entries
from .bridge import Draws
from .ledger import weight
from .unit_costs import UnitCosts, grade_groups, grade_shares


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteGap:
    """Route B beside route A, yuan of one price year, averted = positive.

    lifetime   A: averted injuries × lifetime unit cost, valued at the injury
    timing     A's cash in the window − A's lifetime value (what is paid later, and discounting)
    mix        strata without an estimate at the effect of all strata together, instead of none
    amounts    what was paid for comparable injuries − what the schedule says, at the same averted injuries
    noise      what is left: chance in who was hurt and in amounts, and an effect on amounts of its own
    paid       B = lifetime + timing + mix + amounts + noise, with its interval conf_low, conf_high (None: not testable)
    tail       part of `paid` above the cap on a single injury, at the effect on the number of injuries
    """

    lifetime: float
    timing: float
    mix: float
    amounts: float
    noise: float
    paid: float
    conf_low: float | None
    conf_high: float | None
    tail: float = 0.0

    @property
    def window(self) -> float:
        """A's cash in the window."""
        return self.lifetime + self.timing

    @property
    def within(self) -> bool | None:
        """Whether B's interval holds what A, with strata and amounts as observed, makes of it."""
        if self.conf_low is None or self.conf_high is None:
            return None
        return self.conf_low <= self.paid - self.noise <= self.conf_high


def cash_in_window(
    benefits: Schedule,
    years: float,
    *,
    n: int = 2_000,
    seed: int = 1,
    mix: Mapping[str, float] | None = None,
    severity: Mapping[str, str] | None = None,
    perspective: str = "fund",
) -> dict[str, float]:
    """Expected cash of one injury by severity group in the first `years` after it: yuan of the schedule's price year.

    mix, severity, n, seed  as in `unit_costs`. Not discounted. Running benefits count the part of each year that lies
    in the window, lump sums where they fall due in it; over a lifetime it is the unit cost at a discount rate of nil.
    Raises UserError("negative_years"), ("unknown_grade") and ("unknown_perspective").
    """
    if not years >= 0:
        raise UserError("negative_years", found=years)
    grouping = dict(severity) if severity is not None else grade_groups()
    known = set(benefits.rules.grade)
    if unknown := sorted(set(grouping) - known):
        raise UserError("unknown_grade", found=", ".join(unknown), known=", ".join(sorted(known)))
    values = draws_of(benefits, n, seed)
    by_grade = {grade: np.zeros(n) for grade in grouping}
    for e in entries(benefits.rules[benefits.rules.grade.isin(list(grouping))], values):
        inside = _inside(e.time, years)
        worth = e.scale * (e.weight @ inside if inside.ndim == 1 else (e.weight * inside).sum(axis=1))
        by_grade[e.grade] += worth * weight(e.payer, e.payee, e.transfer, perspective)
    out = {}
    for group in dict.fromkeys(grouping.values()):
        members = [g for g in grouping if grouping[g] == group]
        share = grade_shares(benefits, members, mix, n, seed, group)
        out[group] = float(np.mean(sum(share[:, i] * by_grade[g] for i, g in enumerate(members))))
    return out


def _inside(time: np.ndarray, years: float) -> np.ndarray:
    """Part of each entry that is paid by `years`: years of a running benefit (named by their middle), or a lump sum."""
    if time.shape == (HORIZON,):
        return np.clip(years - (time - 0.5), 0.0, 1.0)
    return (time < years).astype(float)


def compare_routes(
    paid: EffectPath,
    draws: Draws,
    costs: UnitCosts,
    cash: Mapping[str, float],
    *,
    observed: Mapping[str, float] | None = None,
    pooled: Mapping[str, float] | None = None,
    tail: float = 0.0,
    perspective: str = "fund",
) -> RouteGap:
    """Route B against route A, its gap split so that the parts add up.

    Parameters
        paid      path with one row of averted yuan and its inference (`path.averted()` of an amount, in the prices of
                  `costs`), amounts above a cap left out
        draws     averted injuries of route A;  costs  its lifetime unit costs
        cash      A's cash per injury by severity in the window of `paid` (`cash_in_window`)
        observed  yuan paid per comparable injury by severity in that window, caps not applied; `cash` where missing
        pooled    averted injuries of the strata that carry no estimate, at the effect of all strata together
        tail      yuan above the cap, averted at the effect on the number of injuries
    Raises UserError("one_row_needed"), ("no_unit_cost"). Not for means where `Draws.refused` is set: show the interval
    of `paid` alone.
    """
    if len(paid) != 1:
        raise UserError("one_row_needed", n=len(paid))
    base = dict(zip(draws.names, draws.estimate.tolist()))
    whole = base | {k: v for k, v in (pooled or {}).items() if k in draws.zeroed}
    life = dict(zip(draws.names, costs.of(perspective, draws.names).mean(axis=0).tolist()))
    seen = {k: (observed or {}).get(k, cash[k]) for k in base}
    lifetime, window = (sum(a * price[k] for k, a in base.items()) for price in (life, cash))
    mixed, expected = (sum(a * price[k] for k, a in whole.items()) for price in (cash, seen))
    row = paid.effects()[0]
    total = row.estimate + tail
    return RouteGap(
        lifetime=lifetime,
        timing=window - lifetime,
        mix=mixed - window,
        amounts=expected - mixed,
        noise=total - expected,
        paid=total,
        conf_low=None if row.conf_low is None else row.conf_low + tail,
        conf_high=None if row.conf_high is None else row.conf_high + tail,
        tail=tail,
    )
