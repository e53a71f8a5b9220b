"""Value of knowing some parameters: what the decision would gain if they were known, before anything is measured.

EVPPI(k) = E_φ max_s E[NMB_s | φ] − max_s E[NMB_s]. The conditional means are smoothed once, on **incremental** costs
and effects (one regression fewer, and differences between strategies are smoother than levels); every threshold then
follows by linearity through the upper envelope of the fitted lines.

Its error has two parts, both shown: the draws of the parameters (Monte Carlo), and the regression (draws of its
coefficients). A small EVPPI is noise until it clears the floor, the mean EVPPI of parameters whose draws were shuffled.
Strong, Oakley, Brennan 2014 (Medical Decision Making 34:311).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Curve, Psa, UserError, frozen_array
from .curves import grid_of, nmb
from .distributions import stream
from .envelope import BLOCK, Lines, summed
from .smooth import Smooth, names_of, smooth
from .spline import spread

REFITS = 20
SHUFFLES = 5
SMALL = 4_096
"""Draws, spread over all, at which the errors of the regression and the floor are evaluated."""


def evppi(psa: Psa, parameters: str | Sequence[str | Sequence[str]], thresholds: Any) -> Curve:
    """Value of perfect information on single parameters or groups, money, by threshold.

    Parameters
        psa         draws with parameters;  thresholds  (m,) yuan per unit of effect, ≥ 0
        parameters  names; a name inside a list of its own group is known together with the others:
                    ["att", ["att", "unit_cost"]] gives the curves "att" and "att+unit_cost"
    Returns a Curve with a value, a Monte Carlo error (`mc_error`: draws and regression together) and a noise floor
    (`floor`) per set. A set's value never exceeds the EVPI.
    Raises UserError("unknown_draw"), ("psa_without_parameters"), ("threshold_outside").
    Not with fewer than about 1,000 draws, nor for more than a handful of parameters at once.
    """
    sets = [(parameters,)] if isinstance(parameters, str) else [names_of(p) for p in parameters or ()]
    if not sets:
        columns_of(psa, ())
    curves = [_one(psa, names, thresholds) for names in sets]
    labels = ["+".join(names) for names in sets]
    return Curve(
        name="evppi",
        threshold=curves[0].threshold,
        values={label: c.values["evppi"] for label, c in zip(labels, curves)},
        mc_error={label: c.mc_error["evppi"] for label, c in zip(labels, curves)},
        floor={label: c.floor["evppi"] for label, c in zip(labels, curves)},
        unit=psa.currency,
    )


def evppi_variance(
    psa: Psa, parameters: str | Sequence[str], threshold: float, *, strategy: str, against: str | None = None
) -> float:
    """Value of the parameters for *estimating* a net benefit: how much of its variance would go if they were known.

    Var(E[NMB of `strategy` − NMB of `against` | parameters]), money², against the comparator without a name; by the
    total variance, a share in [0, 1] (first-order Sobol index of correlated inputs too).
    Raises UserError("unknown_strategy"), ("unknown_draw"), ("psa_without_parameters").
    Source: Jackson et al. 2019 (Medical Decision Making 39:5).
    """
    other = against or psa.comparator
    for name in (strategy, other):
        if name not in psa.strategies:
            raise UserError("unknown_strategy", found=name, known=", ".join(psa.strategies))
    i, j = psa.strategies.index(strategy), psa.strategies.index(other)
    benefit = nmb(psa, threshold)
    fit = smooth(columns_of(psa, names_of(parameters)), benefit[:, [i]] - benefit[:, [j]])
    return float(fit.fitted[:, 0].var(ddof=1))


def columns_of(psa: Psa, names: Sequence[str]) -> np.ndarray:
    """(n, d) draws of the named parameters. Raises UserError("psa_without_parameters"), ("unknown_draw")."""
    if psa.parameters is None:
        raise UserError("psa_without_parameters", n=psa.n)
    unknown = [n for n in names if n not in psa.parameter_names]
    if unknown or not names:
        raise UserError("unknown_draw", found=", ".join(unknown) or "–", known=", ".join(psa.parameter_names))
    return psa.parameters[:, [psa.parameter_names.index(n) for n in names]]


def increments(psa: Psa) -> np.ndarray:
    """(n, 2 (s − 1)) incremental costs, then effects, of every strategy but the comparator."""
    base = psa.strategies.index(psa.comparator)
    others = [j for j in range(len(psa.strategies)) if j != base]
    cost, effect = (a[:, others] - a[:, [base]] for a in (psa.cost, psa.effect))
    return np.hstack([cost, effect])


def _one(psa: Psa, names: tuple[str, ...], thresholds: Any) -> Curve:
    x, y, label = columns_of(psa, names), increments(psa), "+".join(names)
    if not y.shape[1]:
        y = np.zeros((psa.n, 2))  # a strategy alone, beside itself
    fit = smooth(x, y)
    some = spread(x, SMALL)
    spread_of = _regression_error(psa, fit, some, label, thresholds)
    found = value_of(psa, fit.fitted, thresholds)
    return Curve(
        name="evppi",
        threshold=found.threshold,
        values={"evppi": found.values["evpi"]},
        mc_error={"evppi": frozen_array(np.hypot(found.mc_error["evpi"], spread_of))},
        floor={"evppi": frozen_array(_floor(psa, fit, some, label, thresholds))},
    )


def value_of(psa: Psa, fitted: np.ndarray, thresholds: Any) -> Curve:
    """EVPI of the fitted increments: what is left uncertain once the parameters are known plays no part.

    Its Monte Carlo error comes from at most 16,384 of the draws.
    """
    n, half = len(fitted), fitted.shape[1] // 2
    grid = grid_of(thresholds)

    def block(start: int) -> Lines:
        some = fitted[start : start + BLOCK].T
        zero = np.zeros((1, some.shape[1]))
        return np.vstack([zero, some[:half]]), np.vstack([zero, some[half:]])

    found = summed(block, (n, half + 1), 0, grid, spread=1)
    row, least = np.arange(len(grid)), found.loss.argmin(axis=1)
    return Curve(
        name="evpi",
        threshold=grid,
        values={"evpi": frozen_array(found.loss[row, least])},
        mc_error={"evpi": frozen_array(np.sqrt(found.loss_variance[row, least] / n))},
        unit=psa.currency,
    )


def _regression_error(psa: Psa, fit: Smooth, some: np.ndarray, label: str, thresholds: Any) -> np.ndarray:
    """(m,) standard deviation of the value over draws of the regression's coefficients."""
    z = stream(psa.seed or 1, f"evppi.{label}").standard_normal((REFITS, fit.size, fit.fitted.shape[1]))
    base = fit.at(some)
    return np.std([value_of(psa, base + error, thresholds).values["evpi"] for error in fit.errors(some, z)], axis=0)


def _floor(psa: Psa, fit: Smooth, some: np.ndarray, label: str, thresholds: Any) -> np.ndarray:
    """(m,) mean value where the parameters' draws were shuffled: what a parameter without meaning would get."""
    rng = stream(psa.seed or 1, f"floor.{label}")
    orders = [rng.permutation(psa.n) for _ in range(SHUFFLES)]
    return np.mean([value_of(psa, f, thresholds).values["evpi"] for f in fit.shuffled(some, orders)], axis=0)
