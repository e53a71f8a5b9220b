"""What one programme cost, what it saved, for whom, and how sure that is, from one set of draws.

The draw of averted injuries feeds both sides, so cost and effect are strongly negatively correlated, as they must be.
Confidence of a net saving (净节省的置信度) is the share of draws with NPV > 0 under a flat prior; P(BCR > 1) is the
same number and is not printed twice. With df < 3, or a design that carries no test, there is no mean, no confidence
and no Psa: an interval, where there is one, and the break-even.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import Decision, Flow, Parameter, Psa, UserError
from .bridge import Draws
from .checks import level_of, numbers, within
from .curves import psa_from_arrays
from .discounting import discount_factor, when
from .distributions import draw
from .intervals import dominance, fieller, icer
from .ledger import present_value
from .unit_costs import UnitCosts

COMPARATOR, PROGRAMME = "usual", "programme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both sides of the account, per draw and on average, at the valuation date; `draws` over the whole horizon."""

    draws: Draws
    cost: float
    averted_cost: np.ndarray
    averted: np.ndarray
    programme: np.ndarray
    unit: np.ndarray
    factor: float

    @property
    def npv(self) -> np.ndarray:
        return self.averted_cost - self.programme


def decide(
    draws: Draws,
    costs: UnitCosts,
    programme_cost: float | Parameter | Sequence[Flow],
    *,
    perspective: str = "fund",
    delay: float | Sequence[tuple[float, float]] = 0.0,
    level: float = 0.95,
    seed: int = 1,
) -> tuple[Decision, Psa | None]:
    """Net present saving, BCR, cost per injury averted and break-even of a programme for one perspective.

    Parameters
        draws           averted injuries by severity (`averted_draws`)
        costs           unit costs with as many draws (`unit_costs`); their price year and discount rate hold throughout
        programme_cost  flows of the programme (`programme_flows`): their present value at the first of them, for this
                        perspective; or that value itself, in yuan of the same price year; a Parameter with a
                        distribution is drawn. The fund's outlay is no cost of employers: with several perspectives
                        give flows
        delay           years from the programme's start to the averted injuries (half the follow-up as a rule): unit
                        costs and, for the ICER, effects are discounted over it; `averted_cases` stays a plain count.
                        Pairs (share, years) spread the effect and, with shares above 1 in all, let it outlast the
                        observed window: [(1, 1.25), (0.4, 3.2)]
        perspective     "fund" (benefits only, the headline), "employer", "worker" or "society"
    Returns (Decision, Psa); Psa is None where `Decision.refused` is set.
    NPV = Σ averted × unit cost − programme cost; BCR = averted cost ÷ programme cost (None at cost 0); the ICER is a
    number only where the programme costs more and averts more, else `dominance` says what holds.
    Raises UserError("unequal_draws"), ("no_unit_cost"), ("unknown_perspective"), ("mixed_prices"),
    ("negative_programme_cost"), ("not_a_number"), ("value_outside") for a delay below zero, ("level_outside").
    Not for one total over severities: each severity has its own effect and its own unit cost.
    """
    level_of(level)
    sides = sides_of(draws, costs, programme_cost, perspective=perspective, delay=delay, seed=seed)
    decision = _decision(sides.draws, costs, sides, sides.cost, perspective, level, _pairs(delay))
    return decision, None if draws.refused else _psa(sides.draws, costs, sides, perspective, seed)


def sides_of(
    draws: Draws,
    costs: UnitCosts,
    programme_cost: float | Parameter | Sequence[Flow],
    *,
    perspective: str,
    delay: float | Sequence[tuple[float, float]],
    seed: int,
) -> Sides:
    """The account behind a decision; parameters and errors as in `decide`."""
    cost = _programme(programme_cost, costs, perspective, seed)
    if draws.n not in (0, costs.n):
        raise UserError("unequal_draws", found=f"effect {draws.n}, cost {costs.n}", n=costs.n)
    draws, factor = _spread(draws, _pairs(delay), costs)
    unit, averted = costs.of(perspective, draws.names), draws.values
    return Sides(
        draws=draws,
        cost=float(cost.mean()),
        averted_cost=factor * (averted * unit[: len(averted)]).sum(axis=1),
        averted=averted.sum(axis=1),
        programme=cost[: len(averted)],
        unit=unit,
        factor=factor,
    )


def _pairs(delay: float | Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    pairs = list(delay) if isinstance(delay, Sequence) and not isinstance(delay, str) else [(1.0, delay)]
    found = [(within("delay", share, 0.0), within("delay", years, 0.0)) for share, years in pairs]
    if not sum(share for share, _ in found) > 0:
        raise UserError("value_outside", name="delay", found=str(found), low="0", high="∞")
    return found


def _spread(draws: Draws, spread: Sequence[tuple[float, float]], costs: UnitCosts) -> tuple[Draws, float]:
    """The draws over the whole horizon, and the mean discount factor of an averted injury."""
    share, years = np.array(spread, dtype=float).T
    total = float(share.sum())
    factor = float(share @ discount_factor(years, 0.0, costs.discount, timing="start")) / total
    scaled = {k: getattr(draws, k) * total for k in ("values", "estimate", "mu0")}
    return replace(draws, vcov=draws.vcov * total**2, **scaled), factor


def _programme(given: float | Parameter | Sequence[Flow], costs: UnitCosts, perspective: str, seed: int) -> np.ndarray:
    """(n,) programme cost; plain numbers and flows are certain."""
    if isinstance(given, Parameter):
        _same_prices(given.currency, given.price_year, costs)
        cost = draw(given, costs.n, seed)
    elif isinstance(given, str) or not isinstance(given, Sequence):
        cost = np.full(costs.n, float(numbers("programme_cost", given)))
    else:
        for flow in given:
            _same_prices(flow.currency, flow.price_year, costs)
        start = min((float(when(flow.year)) for flow in given), default=0.0)
        worth = present_value(given, perspective, base=start, rate=costs.discount)  # type: ignore[arg-type]
        cost = np.full(costs.n, worth)
    if not (cost >= 0).all():
        raise UserError("negative_programme_cost", found=float(cost.min()))
    return cost


def _same_prices(currency: str | None, price_year: int | None, costs: UnitCosts) -> None:
    if price_year not in (None, costs.price_year) or currency not in (None, costs.currency):
        raise UserError("mixed_prices", found=f"{currency} {price_year}; {costs.currency} {costs.price_year}")


def _decision(
    draws: Draws,
    costs: UnitCosts,
    sides: Sides,
    programme: float,
    perspective: str,
    level: float,
    spread: Sequence[tuple[float, float]],
) -> Decision:
    facts: dict[str, Any] = {
        "strategy": PROGRAMME,
        "comparator": COMPARATOR,
        "perspective": perspective,
        "currency": costs.currency,
        "price_year": costs.price_year,
        "programme_cost": programme,
        "n_draws": draws.n,
        "level": level,
        "refused": draws.refused,
        "notes": _notes(draws, costs, perspective, spread),
    }
    if draws.n:
        facts |= _intervals(sides, programme, level)
        facts["icer_set"] = _ratio_set(draws, sides, programme, level)
    means = dict.fromkeys(("averted_cost", "averted_cases", "npv")) if draws.refused else _means(sides, programme)
    known = means["averted_cost"], means["averted_cases"]
    return Decision(**facts, **means, breakeven=_breakeven(draws, sides, programme, *known))


def _intervals(sides: Sides, programme: float, level: float) -> dict[str, Any]:
    """Central intervals of NPV and BCR over the draws."""
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(sides.npv, tails)
    out: dict[str, Any] = {"npv_low": float(low), "npv_high": float(high)}
    if programme > 0 and (sides.programme > 0).all():
        low, high = np.quantile(sides.averted_cost / sides.programme, tails)
        out |= {"bcr_low": float(low), "bcr_high": float(high)}
    return out


def _means(sides: Sides, programme: float) -> dict[str, Any]:
    """Everything that needs a mean over draws, with its Monte Carlo error."""
    n = len(sides.npv)
    averted_cost, averted = float(sides.averted_cost.mean()), float(sides.averted.mean())
    npv = float(sides.npv.mean())
    confidence = float((sides.npv > 0).mean())
    effect = sides.factor * averted
    return {
        "averted_cost": averted_cost,
        "averted_cases": averted,
        "npv": npv,
        "npv_mc_error": float(sides.npv.std() / np.sqrt(n)),
        "bcr": averted_cost / programme if programme > 0 else None,
        "icer": icer(-npv, effect),
        "dominance": dominance(-npv, effect),
        "confidence": confidence,
        "confidence_mc_error": float(np.sqrt(confidence * (1 - confidence) / n)),
    }


def _ratio_set(draws: Draws, sides: Sides, programme: float, level: float) -> dict[str, Any]:
    """Fieller set of net cost per injury averted: exact moments of effect and unit costs, df of the effect.

    averted cost = a'c with independent a (estimate, scale V) and c (mean m, covariance W): variance
    m'Vm + a'Wa + tr(VW), covariance with the count 1'Vm.
    """
    a, v, f = draws.estimate, draws.vcov, sides.factor
    m = sides.unit.mean(axis=0)
    w = np.atleast_2d(np.cov(sides.unit, rowvar=False))
    var_saved = m @ v @ m + a @ w @ a + np.trace(v @ w)
    var_programme = float(np.var(sides.programme))
    return fieller(
        programme - f * float(a @ m),
        f * float(a.sum()),
        f**2 * float(var_saved) + var_programme,
        f**2 * float(v.sum()),
        -(f**2) * float(v.sum(axis=0) @ m),
        df=draws.df,
        level=level,
    ).plain()


def _breakeven(
    draws: Draws, sides: Sides, programme: float, averted_cost: float | None, averted: float | None
) -> dict[str, float | None]:
    """Where the net saving is nil; None where no such point exists or means are refused.

    averted_cases   injuries to avert, at the severity mix expected without the programme
    rate_ratio      the same as a uniform rate ratio of the strata that carry an effect
    programme_cost  dearest programme that this effect would still pay for
    effect_factor   factor on every averted count (the same factor on every unit cost)
    unit_cost       average saving per averted injury that would pay for the programme
    """
    live = np.array([draws.small == "pooled" or k not in draws.zeroed for k in draws.names], dtype=bool)
    mu0 = np.where(live, draws.mu0, 0.0)
    saved_by_all = sides.factor * float(mu0 @ sides.unit.mean(axis=0))
    share = programme / saved_by_all if saved_by_all > 0 else None
    out: dict[str, float | None] = {
        "averted_cases": None if share is None else share * float(mu0.sum()),
        "rate_ratio": None if share is None or share >= 1 else 1 - share,
        "programme_cost": None,
        "effect_factor": None,
        "unit_cost": None,
    }
    if averted_cost is not None and averted is not None:
        out["programme_cost"] = averted_cost if averted_cost > 0 else None
        out["effect_factor"] = programme / averted_cost if averted_cost > 0 else None
        out["unit_cost"] = programme / (sides.factor * averted) if averted > 0 else None
    return out


def _notes(draws: Draws, costs: UnitCosts, perspective: str, spread: Sequence[tuple[float, float]]) -> tuple[str, ...]:
    said = {
        "cea.note.benefits_only": perspective == "fund",
        "cea.note.zero_stratum": bool(draws.zeroed) and draws.small == "zero",
        "cea.note.pooled_stratum": bool(draws.zeroed) and draws.small == "pooled",
        "cea.note.unverified": bool(costs.unverified),
        "cea.note.effects_discounted": any(years > 0 for _, years in spread),
        "cea.note.persistence": sum(share for share, _ in spread) > 1,
        "cea.note.flat_prior": draws.refused is None,
    }
    return tuple(key for key, holds in said.items() if holds)


def _psa(draws: Draws, costs: UnitCosts, sides: Sides, perspective: str, seed: int) -> Psa:
    """Cost and effect of programme and usual prevention by draw; effects discounted like costs."""
    nothing = np.zeros(draws.n)
    drawn = {f"averted.{k}": draws.values[:, i] for i, k in enumerate(draws.names) if np.ptp(draws.values[:, i]) > 0}
    drawn |= {k: v for k, v in costs.draws.items() if np.ptp(v) > 0}
    if np.ptp(sides.programme) > 0:
        drawn["programme_cost"] = sides.programme
    rate = None if isinstance(costs.discount, Mapping) else float(costs.discount)
    return psa_from_arrays(
        np.column_stack([nothing, -sides.npv]),
        np.column_stack([nothing, sides.factor * sides.averted]),
        (COMPARATOR, PROGRAMME),
        comparator=COMPARATOR,
        parameters=drawn,
        currency=costs.currency,
        price_year=costs.price_year,
        perspective=perspective,
        discount_cost=rate,
        discount_effect=rate,
        seed=seed,
    )
