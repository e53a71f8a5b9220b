"""How the decision moves with one or two parameters, the others as uncertain as they are.

The outcome is E[INMB | parameter], smoothed from the draws of the probabilistic analysis: correlated parameters move
together as they were drawn, and a non-linear model is averaged rather than evaluated at mean inputs. A bar that crosses
zero is split where the decision flips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..core import Psa, Swing, UserError
from .checks import level_of, whole
from .curves import against, inmb
from .evppi import columns_of
from .smooth import Smooth, smooth

POINTS = 201


def one_way(
    psa: Psa, parameter: str, threshold: float = 0.0, *, strategy: str | None = None, points: int = 41
) -> pd.DataFrame:
    """E[INMB | parameter] over its central 99 %: columns value, inmb (money).

    threshold  yuan per unit of effect, ≥ 0;  strategy  against the comparator, the only other one without a name
    Raises UserError("unknown_draw"), ("psa_without_parameters"), ("unknown_strategy").
    """
    fit, draws = _fit(psa, (parameter,), threshold, strategy)
    grid = np.quantile(draws[:, 0], np.linspace(0.005, 0.995, whole("points", points, 2)))
    return pd.DataFrame({"value": grid, "inmb": fit.at(grid[:, None])[:, 0]})


def two_way(
    psa: Psa, parameters: tuple[str, str], threshold: float = 0.0, *, strategy: str | None = None, points: int = 25
) -> pd.DataFrame:
    """E[INMB | two parameters] on a grid over their central 95 %: columns of both names, inmb (money).

    Corners that the draws hardly reach are extrapolations. Parameters and errors as in `one_way`.
    """
    if len(set(parameters)) != 2:
        raise UserError("repeated_parameter", found=", ".join(parameters))
    fit, draws = _fit(psa, parameters, threshold, strategy)
    whole("points", points, 2)
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    axes = [np.linspace(low[j], high[j], points) for j in range(2)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return pd.DataFrame({parameters[0]: grid[:, 0], parameters[1]: grid[:, 1], "inmb": fit.at(grid)[:, 0]})


def tornado(
    psa: Psa,
    threshold: float = 0.0,
    *,
    parameters: Sequence[str] = (),
    strategy: str | None = None,
    top: int = 12,
    level: float = 0.95,
) -> tuple[Swing, ...]:
    """The parameters that move E[INMB] most, widest first, each between the ends of its central interval.

    Parameters
        psa, threshold, strategy  as in `one_way`;  level  of the interval of each parameter
        parameters  names to look at; all that vary without them, the `top` most correlated with the INMB
    Returns Swings in money: outcome at the low and the high end, base = E[INMB], `flips_at` the value of the parameter
    at which the decision changes, None where it does not between the ends.
    Raises as `one_way`.
    """
    y = _response(psa, threshold, strategy)
    level_of(level)
    names = tuple(parameters) or _strongest(psa, y, top)
    swings = [_swing(columns_of(psa, (name,)), y, name, level) for name in names]
    return tuple(sorted(swings, key=lambda s: -abs(s.outcome_high - s.outcome_low))[:top])


def breakeven(psa: Psa, parameter: str, threshold: float = 0.0, *, strategy: str | None = None) -> float | None:
    """The value of a parameter at which E[INMB | parameter] is nil, None where it never is within the draws.

    Where there are several, the one nearest to the parameter's mean. Parameters and errors as in `one_way`.
    """
    fit, draws = _fit(psa, (parameter,), threshold, strategy)
    grid = np.linspace(draws.min(), draws.max(), POINTS)
    roots = _crossings(grid, fit.at(grid[:, None])[:, 0])
    return None if not len(roots) else float(roots[np.abs(roots - draws.mean()).argmin()])


def _response(psa: Psa, threshold: float, strategy: str | None) -> np.ndarray:
    return inmb(psa, threshold)[:, [against(psa, strategy)]]


def _fit(psa: Psa, names: Sequence[str], threshold: float, strategy: str | None) -> tuple[Smooth, np.ndarray]:
    draws = columns_of(psa, names)
    return smooth(draws, _response(psa, threshold, strategy)), draws


def _strongest(psa: Psa, y: np.ndarray, top: int) -> tuple[str, ...]:
    draws = columns_of(psa, psa.parameter_names)
    spread = draws.std(axis=0)
    moving = np.flatnonzero(spread > 0)
    centred = (draws[:, moving] - draws[:, moving].mean(axis=0)) / spread[moving]
    strength = np.abs(centred.T @ (y[:, 0] - y.mean()))
    return tuple(psa.parameter_names[j] for j in moving[np.argsort(-strength)[:top]])


def _swing(draws: np.ndarray, y: np.ndarray, name: str, level: float) -> Swing:
    fit = smooth(draws, y)
    low, high = np.quantile(draws[:, 0], [(1 - level) / 2, (1 + level) / 2])
    grid = np.linspace(low, high, POINTS)
    values = fit.at(grid[:, None])[:, 0]
    roots = _crossings(grid, values)
    return Swing(
        parameter=name,
        low=float(low),
        high=float(high),
        outcome_low=float(values[0]),
        outcome_high=float(values[-1]),
        base=float(y.mean()),
        flips_at=float(roots[0]) if len(roots) else None,
    )


def _crossings(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Where the line through the points crosses zero."""
    if not y.any():
        return np.empty(0)  # nil everywhere: nothing crosses
    at = np.flatnonzero(np.sign(y[:-1]) * np.sign(y[1:]) < 0)
    inner = x[at] - y[at] * (x[at + 1] - x[at]) / (y[at + 1] - y[at])
    return np.sort(np.concatenate([inner, x[y == 0]]))
