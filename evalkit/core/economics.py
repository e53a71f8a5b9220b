"""Nouns of cost-effectiveness. Δ is always programme − comparator; effect = injuries averted, positive is good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Party = Literal["fund", "employer", "worker", "society", "provider"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A dated cash flow in yuan of `price_year`, from `payer` to `payee`.

    year      calendar year in which it is paid (may be fractional: 2023.5 = mid-2023)
    amount    yuan ≥ 0 in prices of `price_year` (real)
    category  "programme", "medical", "grant", "pension", "nursing", "death", "wage", "output", "admin", ...
    transfer  True where it moves money without using resources (nets to zero for society)
    averted   True where the flow is a cost that the programme avoids (enters with the opposite sign)
    """

    year: float
    amount: float
    item: str
    payer: Party
    payee: Party
    category: str
    transfer: bool = False
    averted: bool = False
    price_year: int
    currency: str = "CNY"
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Psa:
    """Draws of cost and effect by strategy, drawn together: row d of every array is the same draw.

    cost, effect (n, s); parameters (n, p) named by `parameter_names`; money in `currency` at `price_year`.
    Discount rates per year, real; None where the caller did not say, or where the rate is a schedule.
    """

    strategies: tuple[str, ...]
    cost: np.ndarray
    effect: np.ndarray
    comparator: str
    parameters: np.ndarray | None = None
    parameter_names: tuple[str, ...] = ()
    currency: str = "CNY"
    price_year: int | None = None
    effect_unit: str = "injuries averted"
    perspective: str = "fund"
    horizon: str = ""
    discount_cost: float | None = None
    discount_effect: float | None = None
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n, s = self.cost.shape
        if self.effect.shape != (n, s) or s != len(self.strategies):
            raise ValueError(
                f"cost {self.cost.shape}, effect {self.effect.shape} and "
                f"{len(self.strategies)} strategies do not fit together"
            )
        if self.parameters is not None and self.parameters.shape != (n, len(self.parameter_names)):
            raise ValueError(
                f"parameters {self.parameters.shape} do not fit {n} draws and {len(self.parameter_names)} names"
            )
        if self.comparator not in self.strategies:
            raise ValueError(f"comparator {self.comparator!r} is not one of {self.strategies}")

    @property
    def n(self) -> int:
        return self.cost.shape[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierRow:
    """One strategy on or off the frontier: mean cost and effect, increments over the row above or None."""

    strategy: str
    cost: float
    effect: float
    inc_cost: float | None
    inc_effect: float | None
    icer: float | None
    status: Literal["on_frontier", "dominated", "extended_dominated"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A function of the threshold, one line per strategy or set of parameters, with its Monte Carlo error.

    floor  what a line without meaning would get, where that is not nil (EVPPI)
    """

    name: str
    threshold: np.ndarray
    values: dict[str, np.ndarray]
    mc_error: dict[str, np.ndarray] = field(default_factory=dict)
    floor: dict[str, np.ndarray] = field(default_factory=dict)
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swing:
    """One bar of a tornado: outcome at the low and high value of a parameter."""

    parameter: str
    low: float
    high: float
    outcome_low: float
    outcome_high: float
    base: float
    flips_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Summary of one programme against its comparator, from one set of draws.

    npv = net present saving (averted cost − programme cost), yuan; bcr = averted cost ÷ programme cost;
    icer = net cost per injury averted, printed as a number only where `quadrant` allows it.
    dominance  "dominant", "dominated", "cost_more_effect_more", "cost_less_effect_less"
    confidence P over draws that npv > 0 (净节省的置信度), None where df < 3 or the design is not testable
    icer_set   {"type": "interval"|"complement"|"whole_line", "low":…, "high":…}
    """

    strategy: str
    comparator: str
    perspective: str
    currency: str
    price_year: int
    programme_cost: float
    averted_cost: float | None
    averted_cases: float | None
    npv: float | None
    npv_low: float | None = None
    npv_high: float | None = None
    npv_mc_error: float | None = None
    bcr: float | None = None
    bcr_low: float | None = None
    bcr_high: float | None = None
    icer: float | None = None
    icer_set: dict[str, Any] = field(default_factory=dict)
    dominance: str = ""
    confidence: float | None = None
    confidence_mc_error: float | None = None
    breakeven: dict[str, float | None] = field(default_factory=dict)
    n_draws: int = 0
    level: float = 0.95
    refused: str | None = None
    notes: tuple[str, ...] = ()
