"""Unit cost of one injury by severity group and perspective: present value at the injury, with its draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..core import Parameter, UserError
from ..sources import parameters, table
from .benefits import Schedule, draws_of, entries
from .checks import whole, within
from .discounting import Rate, base_rate, discount_factor
from .distributions import shares
from .ledger import PERSPECTIVES, weight


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCosts:
    """Net present cost of one injury, yuan of `price_year`, at the date of the injury.

    severities, perspectives   labels of the axes of `values` (n, severities, perspectives): draws
    detail        mean by grade, item, payer and payee, with the share of the grade in its severity group
    parameters    every parameter used;  draws  their draws by name;  unverified  names to be marked
    discount      rate used;  seed  of the draws
    """

    severities: tuple[str, ...]
    perspectives: tuple[str, ...]
    values: np.ndarray
    detail: pd.DataFrame
    parameters: dict[str, Parameter]
    draws: dict[str, np.ndarray]
    price_year: int
    date: str
    discount: Rate
    seed: int
    unverified: tuple[str, ...] = ()
    currency: str = "CNY"

    @property
    def n(self) -> int:
        return self.values.shape[0]

    def of(self, perspective: str, severities: tuple[str, ...]) -> np.ndarray:
        """(n, k) draws for one perspective in the order of `severities`.

        Raises UserError("unknown_perspective") and UserError("no_unit_cost") naming the severity.
        """
        if perspective not in self.perspectives:
            raise UserError("unknown_perspective", found=perspective, known=", ".join(self.perspectives))
        missing = [s for s in severities if s not in self.severities]
        if missing:
            raise UserError("no_unit_cost", severity=", ".join(missing), known=", ".join(self.severities))
        columns = [self.severities.index(s) for s in severities]
        return self.values[:, columns, self.perspectives.index(perspective)]

    def parameter(self, severity: str, perspective: str, level: float = 0.95) -> Parameter:
        """One cell as a Parameter: mean of the draws and their central interval."""
        cell = self.of(perspective, (severity,))[:, 0]
        low, high = np.quantile(cell, [(1 - level) / 2, (1 + level) / 2])
        return Parameter(
            name=f"unit_cost.{severity}.{perspective}",
            value=float(cell.mean()),
            low=float(low),
            high=float(high),
            distribution="draws",
            unit="CNY per case",
            price_year=self.price_year,
            currency=self.currency,
            valid_from=self.date,
            source="reg_work_injury_2010",
            verified=not self.unverified,
        )

    def table(self, level: float = 0.95) -> pd.DataFrame:
        """Tidy: severity, perspective, value, low, high, price_year, verified."""
        cells = [(s, p, self.parameter(s, p, level)) for s in self.severities for p in self.perspectives]
        return pd.DataFrame(
            [
                {"severity": s, "perspective": p, "value": c.value, "low": c.low, "high": c.high,
                 "price_year": c.price_year, "verified": c.verified}
                for s, p, c in cells
            ]
        )  # fmt: skip


def unit_costs(
    benefits: Schedule,
    *,
    n: int = 10_000,
    seed: int = 1,
    discount: Rate | None = None,
    mix: Mapping[str, float] | None = None,
    severity: Mapping[str, str] | None = None,
) -> UnitCosts:
    """Lifetime cost of an avertable injury by severity group and perspective.

    Parameters
        benefits  the rules in force with their parameters (`schedule`)
        n, seed   number of draws and their seed
        discount  real rate or schedule by years since the injury; `discount_rate` of the sources without it
        mix       observed avertable cases by grade ("ungraded", "10", ..., "1", "death"). Shares inside a group are
                  drawn from a Dirichlet with concentration = cases + mix_prior_weight × share of the grade in the
                  group (parameters of the schedule and of the sources): a group with one or two cases stays near
                  the given shares, a group with hundreds follows its own. Without it the given shares stand as
                  they are
        severity  grade → group, only those are priced; the grouping of `sources.table("severity")` without it
    Returns UnitCosts with draws (n, severities, perspectives).
    Raises UserError("unknown_grade") for a grade in `mix` or `severity` that has no rule, ("value_outside") for cases
    below zero.
    PV per rule = Σ_t amount_t (1 + r)^−t, expected over contract end, nursing need and eligibility, survival included.
    Means of a group must only be applied to cases of that group: never to a total over severities.
    """
    grouping = dict(severity) if severity is not None else grade_groups()
    priced = set(benefits.rules.grade)
    unknown = sorted((set(mix or {}) | set(grouping)) - priced)
    if unknown or not grouping:
        raise UserError("unknown_grade", found=", ".join(unknown) or "–", known=", ".join(sorted(priced)))
    for grade, cases in (mix or {}).items():
        within(f"mix {grade}", cases, 0.0)
    rate = base_rate() if discount is None else discount
    n = whole("n", n, 1)
    values = draws_of(benefits, n, seed)
    by_grade, detail = _by_grade(benefits.rules[benefits.rules.grade.isin(list(grouping))], values, rate)
    groups = list(dict.fromkeys(grouping.values()))
    stacked: list[np.ndarray] = []
    parts: dict[str, float] = {}
    for group in groups:
        members = [g for g in grouping if grouping[g] == group]
        share = grade_shares(benefits, members, mix, n, seed, group)
        stacked.append(np.einsum("ng,ngp->np", share, np.stack([by_grade[g] for g in members], axis=1)))
        parts.update(zip(members, share.mean(axis=0)))
    detail["severity"] = detail.grade.map(grouping)
    detail["share"] = detail.grade.map(parts)
    return UnitCosts(
        severities=tuple(groups),
        perspectives=PERSPECTIVES,
        values=np.stack(stacked, axis=1),
        detail=detail,
        parameters=benefits.parameters,
        draws=values,
        price_year=benefits.price_year,
        date=benefits.date,
        discount=rate,
        seed=seed,
        unverified=benefits.unverified,
    )


def _by_grade(
    rules: pd.DataFrame, values: Mapping[str, np.ndarray], discount: Rate
) -> tuple[dict[str, np.ndarray], pd.DataFrame]:
    """Present value by grade, (n, perspectives) each, and its means by item."""
    n = len(next(iter(values.values())))
    out = {str(g): np.zeros((n, len(PERSPECTIVES))) for g in rules.grade.unique()}
    rows = []
    for e in entries(rules, values):
        value = e.scale * _discounted(e.time, e.weight, discount)
        signs = np.array([weight(e.payer, e.payee, e.transfer, p) for p in PERSPECTIVES])
        out[e.grade] += value[:, None] * signs
        names = ("grade", "item", "payer", "payee", "category", "transfer", "verified")
        rows.append({**{k: getattr(e, k) for k in names}, "value": float(value.mean())})
    return out, pd.DataFrame(rows)


def _discounted(time: np.ndarray, weight: np.ndarray, discount: Rate) -> np.ndarray:
    """(n,) Σ_t weight × discount factor; `time` shared (T,) or by draw (n, 1)."""
    factor = discount_factor(time, 0.0, discount, timing="start")
    return weight @ factor if factor.ndim == 1 else (weight * factor).sum(axis=1)


def grade_groups() -> dict[str, str]:
    """Severity group of every grade, mildest first: {"ungraded": "ungraded", "10": "g7_10", ..., "death": "death"}."""
    frame = table("severity")
    return dict(zip(frame.grade, frame.severity))


def grade_shares(
    benefits: Schedule, members: list[str], mix: Mapping[str, float] | None, n: int, seed: int, group: str
) -> np.ndarray:
    """(n, members) shares of the grades inside one group: those of the sources, or drawn around them and the cases."""
    given = parameters("grade_share", benefits.date)
    prior = np.array([given[f"grade_share.{g}"].value for g in members])
    prior = prior / prior.sum()
    counts = np.array([float((mix or {}).get(g, 0.0)) for g in members])
    if not counts.sum() > 0:
        return np.broadcast_to(prior, (n, len(members)))
    concentration = counts + benefits.parameters["mix_prior_weight"].value * prior
    return shares(dict(zip(members, concentration)), n, seed, f"mix.{group}")
