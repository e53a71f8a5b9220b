"""The same decision under other assumptions, each named: what a reader may want to change."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..core import Decision, EffectPath, Flow, Parameter
from ..sources import parameter
from .benefits import Schedule
from .bridge import averted_draws
from .checks import within
from .decision import decide
from .discounting import Rate
from .unit_costs import grade_groups, unit_costs

_COLUMNS = (
    "perspective", "programme_cost", "averted_cases", "averted_cost", "npv", "npv_low", "npv_high", "bcr", "bcr_low",
    "bcr_high", "icer", "dominance", "confidence", "refused",
)  # fmt: skip


def fade(window: float, months: float) -> list[tuple[float, float]]:
    """Timing of an effect that, after the observed `window` (years), falls linearly to nothing over `months`.

    Returns (share, years) pairs for `decide`: the window's own effect at its middle and the tail at its centre of
    gravity, a third of the way. The tail adds (months/12) / (2 window) of the observed effect, assuming that it was
    even over the window: a named scenario, never the base case.
    """
    window, tail = within("window", window, np.finfo(float).tiny), within("months", months, 0.0) / 12
    return [(1.0, window / 2), (tail / (2 * window), window + tail / 3)]


def scenarios(
    path: EffectPath,
    benefits: Schedule,
    programme_cost: float | Parameter | Sequence[Flow],
    *,
    window: float,
    perspective: str = "fund",
    n: int = 2_000,
    seed: int = 1,
    expected: Mapping[str, float] | None = None,
    mix: Mapping[str, float] | None = None,
) -> dict[str, Decision]:
    """The base case and its variants by name ("base", "discount_low", ..., words: `cea.scenario.<name>`).

    Parameters
        path, programme_cost, expected, mix  as in `averted_draws`, `decide`, `unit_costs`
        benefits  a `Schedule` (its `overrides` hold in every scenario)
        window  observed years after the start: the effect falls at its middle
    Scenarios: discount rate at the low end, 3 % and the high end of its parameter; no real pension growth; small
    severity strata pooled; the effect fading over 24 months and over 3 years after the window.
    Returns decisions, all of one perspective, from the same seed. Raises as `averted_draws`, `unit_costs` and `decide`.
    Not a distribution: a scenario has no probability.
    """
    rate = parameter("discount_rate")
    still = _with(benefits, "pension_growth", 0.0)
    middle = window / 2

    def run(
        schedule: Schedule = benefits, discount: Rate = rate.value, small: Any = "zero", delay: Any = middle
    ) -> Decision:
        draws = averted_draws(path, n, seed, small=small, expected=expected)
        priced = {g: s for g, s in grade_groups().items() if s in draws.names}
        costs = unit_costs(schedule, n=n, seed=seed, discount=discount, mix=mix, severity=priced or None)
        return decide(draws, costs, programme_cost, perspective=perspective, delay=delay, seed=seed)[0]

    variants: dict[str, Callable[[], Decision]] = {
        "base": run,
        "discount_low": lambda: run(discount=float(rate.low or 0.0)),
        "discount_3": lambda: run(discount=0.03),
        "discount_high": lambda: run(discount=float(rate.high or rate.value)),
        "no_growth": lambda: run(schedule=still),
        "small_pooled": lambda: run(small="pooled"),
        "fade_24_months": lambda: run(delay=fade(window, 24)),
        "fade_36_months": lambda: run(delay=fade(window, 36)),
    }
    if all(term.outcome != "avertable" for term in path.terms):
        del variants["small_pooled"]
    return {name: variant() for name, variant in variants.items()}


def decision_table(decisions: Mapping[str, Decision] | Sequence[Decision]) -> pd.DataFrame:
    """Decisions side by side, one row each: by name, or by perspective where a sequence is given.

    Columns name, perspective, programme_cost, averted_cost, npv (yuan), averted_cases, bcr, icer, their intervals,
    dominance, confidence, refused; None where a design carries no mean.
    """
    named = decisions if isinstance(decisions, Mapping) else {d.perspective: d for d in decisions}
    rows = [{"name": name, **{c: getattr(d, c) for c in _COLUMNS}} for name, d in named.items()]
    return pd.DataFrame(rows, columns=["name", *_COLUMNS])


def _with(benefits: Schedule, name: str, value: float) -> Schedule:
    changed = replace(benefits.parameters[name], value=value, low=None, high=None, distribution="fixed")
    return replace(benefits, parameters={**benefits.parameters, name: changed})
