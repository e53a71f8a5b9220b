"""From parameters, an estimated effect and a model of each strategy to draws of cost and effect.

A strategy is a function of the drawn parameters. Each parameter keeps its draws whatever others are added (`points`);
correlation is a Gaussian copula, so that margins stay as given; an estimated effect comes with its joint covariance
and the degrees of freedom of its inference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from scipy.special import gammaincinv, ndtr, ndtri

from ..core import EffectPath, Parameter, Psa, UserError, Where
from .bridge import MAX_DRAWS, Draws, averted_draws
from .checks import whole
from .curves import psa_from_arrays
from .distributions import possible, quantile
from .points import Sampling, points
from .precision import precise

Model = Callable[[Mapping[str, np.ndarray]], tuple[Any, Any]]
START = 2_000
"""Draws with which the automatic number begins."""


def psa(
    strategies: Mapping[str, Model],
    parameters: Iterable[Parameter] = (),
    effects: Draws | EffectPath | None = None,
    *,
    comparator: str,
    n: int | Literal["auto"] = 10_000,
    seed: int = 1,
    sampling: Sampling = "random",
    correlation: Mapping[tuple[str, str], float] | None = None,
    threshold: float = 0.0,
    error: float = 0.01,
    **facts: Any,
) -> Psa:
    """Probabilistic analysis of any number of strategies.

    Parameters
        strategies   name → function of the draws by name, returning cost (money) and effect, each (n,) or one number
        parameters   with value, range and distribution; drawn by name. In money they are amounts ≥ 0 unless their unit
                     begins with "net"; where the unit begins with "probability" or "share" they lie in [0, 1]
        effects      averted injuries by severity, named "averted.<severity>" among the draws: `Draws` (drawn again
                     here around their estimate) or a count path with inference
        n            number of draws (2 to 200,000); "auto": doubled from 2,000 until the Monte Carlo errors of the mean
                     INMB and of the EVPI at `threshold` are at most `error` of what the worst choice would lose, or
                     the limit is reached (note "cea.note.draws_capped")
        sampling     "random", "lhs" or "sobol" (`points`)
        correlation  {(name, name): correlation of the normal scores}
        facts        currency, price_year, perspective, effect_unit, ... of `core.Psa`; the price year is the
                     parameters' own where it is not given
    Returns a Psa that holds every draw that varies, for `evppi`, `tornado` and the rest.
    Raises UserError("mixed_prices"), ("probability_outside"), ("negative_money") naming parameter, unit and row,
    ("repeated_parameter"), ("correlation_outside"), ("unknown_draw"), ("unknown_sampling"), ("too_many_draws"),
    ("value_outside"), ("not_a_pair"), ("distribution_outside"), ("parameter_range"), ("effect_without_covariance"),
    ("effect_without_means"), ("unknown_strategy"), ("unequal_draws"), ("not_finite").
    """
    given = tuple(parameters)
    facts = _prices(given, facts)
    joint = averted_draws(effects, START, seed) if isinstance(effects, EffectPath) else effects
    if joint is not None and joint.refused:
        raise UserError("effect_without_means", method=joint.method, df=joint.df)

    def run(size: int) -> Psa:
        if not 2 <= whole("n", size, -np.inf) <= MAX_DRAWS:
            raise UserError("too_many_draws", found=size, limit=MAX_DRAWS)
        size = int(size)
        drawn = _draw(given, joint, size, seed, sampling, correlation or {})
        cost, effect = (np.empty((size, len(strategies))) for _ in range(2))
        for j, (name, model) in enumerate(strategies.items()):
            for column, value in zip((cost, effect), _pair(name, model(drawn))):
                if np.ndim(value) and np.shape(value) != (size,):
                    raise UserError("unequal_draws", found=f"{name}: {np.shape(value)}", n=size)
                column[:, j] = value
        moving = {k: v for k, v in drawn.items() if np.ptp(v) > 0}
        return psa_from_arrays(
            cost, effect, tuple(strategies), comparator=comparator, parameters=moving, seed=seed, **facts
        )

    if n != "auto":
        return run(n)
    found = run(START)
    while not precise(found, threshold, error):
        if found.n == MAX_DRAWS:
            return replace(found, notes=(*found.notes, "cea.note.draws_capped"))
        found = run(min(2 * found.n, MAX_DRAWS))
    return found


def _pair(name: str, told: Any) -> tuple[Any, Any]:
    """What a model gives back: cost and effect, nothing else. Raises UserError("not_a_pair")."""
    if not isinstance(told, (tuple, list)) or len(told) != 2:
        raise UserError(
            "not_a_pair", strategy=name, found=type(told).__name__ if np.ndim(told) == 0 else str(len(told))
        )
    return told[0], told[1]


def _prices(parameters: tuple[Parameter, ...], facts: dict[str, Any]) -> dict[str, Any]:
    """The facts with the price year of the parameters; one currency and one price year throughout."""
    currency, year = facts.get("currency", "CNY"), facts.get("price_year")
    money = [(i, p) for i, p in enumerate(parameters, 1) if p.currency]
    year = year or next((p.price_year for _, p in money if p.price_year), None)
    for row, p in money:
        if p.currency != currency or p.price_year not in (None, year):
            found = f"{p.name} ({p.unit}, {row}): {p.currency} {p.price_year}; {currency} {year}"
            raise UserError("mixed_prices", found=found)
    return {**facts, "currency": currency, "price_year": year}


def _draw(
    parameters: tuple[Parameter, ...],
    effects: Draws | None,
    n: int,
    seed: int,
    sampling: Sampling,
    correlation: Mapping[tuple[str, str], float],
) -> dict[str, np.ndarray]:
    names = [p.name for p in parameters]
    scores = [f"averted.{k}" for k in effects.names] if effects else []
    extra = ["averted.df"] if effects and effects.df is not None and np.isfinite(effects.df) else []
    twice = sorted({k for k in (*names, *scores) if (names + scores).count(k) > 1})
    if twice:
        raise UserError("repeated_parameter", found=", ".join(twice))
    u = _correlated(points([*scores, *extra, *names], n, seed, sampling), names, correlation)
    drawn = {}
    if effects:
        values, vectors = np.linalg.eigh(effects.vcov)
        z = ndtri(np.column_stack([u[k] for k in scores])) @ (vectors * np.sqrt(np.clip(values, 0, None))).T
        if extra:
            half = effects.df / 2  # type: ignore[operator]
            z /= np.sqrt(gammaincinv(half, u["averted.df"]) / half)[:, None]
        drawn = dict(zip(scores, (effects.estimate + z).T))
    for row, p in enumerate(parameters, 1):
        try:
            drawn[p.name] = possible(p, quantile(p, u[p.name]), row)
        except UserError as error:
            (problem,) = error.problems
            raise UserError(problem.key, where=Where(row=row), **problem.values) from None
    return drawn


def _correlated(
    u: dict[str, np.ndarray], names: list[str], correlation: Mapping[tuple[str, str], float]
) -> dict[str, np.ndarray]:
    """Gaussian copula: normal scores of the correlated parameters times the root of their correlation matrix.

    The first keeps its points; the next ones follow in the order of the list.
    """
    tied = {k for pair in correlation for k in pair}
    unknown = sorted(tied - set(names))
    if unknown:
        raise UserError("unknown_draw", found=", ".join(unknown), known=", ".join(names))
    twice = [f"{a}, {b}: {v}, {w}" for (a, b), v in correlation.items() if (w := correlation.get((b, a), v)) != v]
    if twice:
        raise UserError("correlation_outside", found="; ".join(twice))
    if not tied:
        return u
    order = [k for k in names if k in tied]
    matrix = np.eye(len(order))
    for (a, b), value in correlation.items():
        i, j = order.index(a), order.index(b)
        matrix[i, j] = matrix[j, i] = value
    try:
        root = np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        root = np.full_like(matrix, np.nan)
    if not (np.isfinite(root).all() and np.allclose(np.diag(matrix), 1)):
        found = "; ".join(f"{a}, {b}: {v}" for (a, b), v in correlation.items())
        raise UserError("correlation_outside", found=found)
    z = ndtri(np.column_stack([u[k] for k in order])) @ root.T
    return u | dict(zip(order, ndtr(z).T))
