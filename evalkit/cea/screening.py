"""Which inputs matter over their whole range: elementary effects and variance shares, by SALib (`evalkit[sa]`).

Both need inputs drawn one by one, hence independent. An estimated effect with its covariance, or parameters tied by a
copula, are not: there `evppi` and `evppi_variance` read the draws as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..core import Parameter, UserError
from .checks import numbers, whole
from .distributions import quantile

Outcome = Callable[[Mapping[str, np.ndarray]], Any]
_EDGE = 0.005
"""Elementary effects run between the quantiles 0.5 % and 99.5 %: the ends of a distribution may lie at infinity."""


def morris(
    outcome: Outcome,
    parameters: Iterable[Parameter],
    *,
    n: int = 50,
    seed: int = 1,
    correlation: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """Elementary effects of Morris: how far the outcome moves when one input crosses its range, the others anywhere.

    Parameters
        outcome      function of the draws by name, (m,) money or units of effect: an INMB as a rule
        parameters   with a range and a distribution; n trajectories of (inputs + 1) runs each; seed
        correlation  as given to `psa`: refused unless empty or nil
    Returns a frame, widest first: parameter, mu_star (mean size of the effect), mu_star_conf (95 % half-width), sigma
    (spread: interaction or curvature). Raises UserError("inputs_correlated"), ("extra_missing"), ("too_few_inputs"),
    ("repeated_parameter"), ("value_outside"), ("not_a_number"), ("unequal_draws"), ("outcome_constant").
    Source: Morris (1991); Campolongo, Cariboni, Saltelli (2007).
    """
    varying, problem = _problem(parameters, correlation)
    from SALib.analyze import morris as analyze
    from SALib.sample import morris as sample

    points = sample.sample(problem, whole("n", n, 2), num_levels=4, seed=seed)
    found = analyze.analyze(problem, points, _run(outcome, varying, _EDGE + (1 - 2 * _EDGE) * points), seed=seed)
    frame = pd.DataFrame(
        {"parameter": [p.name for p in varying], **{k: found[k] for k in ("mu_star", "mu_star_conf", "sigma")}}
    )
    return frame.sort_values("mu_star", ascending=False, kind="stable").reset_index(drop=True)


def sobol(
    outcome: Outcome,
    parameters: Iterable[Parameter],
    *,
    n: int = 1_024,
    seed: int = 1,
    correlation: Mapping[tuple[str, str], float] | None = None,
) -> pd.DataFrame:
    """Sobol indices: the share of the outcome's variance that an input explains alone (first) and with others (total).

    Parameters as in `morris`; n base points, a power of two, of (inputs + 2) runs each
    Returns a frame, largest total first: parameter, first, first_conf, total, total_conf (95 % half-widths).
    Raises as `morris`, and UserError("no_power_of_two"). Source: Saltelli et al. (2010).
    """
    varying, problem = _problem(parameters, correlation)
    n = whole("n", n, 2)
    from SALib.analyze import sobol as analyze
    from SALib.sample import sobol as sample

    if n & (n - 1):
        raise UserError("no_power_of_two", found=n)
    points = sample.sample(problem, n, calc_second_order=False, seed=seed)
    y = _run(outcome, varying, np.clip(points, 2.0**-53, 1 - 2.0**-53))
    found = analyze.analyze(problem, y, calc_second_order=False, seed=seed)
    columns = {"first": "S1", "first_conf": "S1_conf", "total": "ST", "total_conf": "ST_conf"}
    frame = pd.DataFrame({"parameter": [p.name for p in varying], **{k: found[v] for k, v in columns.items()}})
    return frame.sort_values("total", ascending=False, kind="stable").reset_index(drop=True)


def _problem(
    parameters: Iterable[Parameter], correlation: Mapping[tuple[str, str], float] | None
) -> tuple[list[Parameter], dict[str, Any]]:
    """The parameters that vary, and the unit cube over them for SALib."""
    tied = {pair: r for pair, r in (correlation or {}).items() if r != 0}
    if tied:
        raise UserError("inputs_correlated", found="; ".join(f"{a}, {b}: {r}" for (a, b), r in tied.items()))
    some = np.array([0.25, 0.75])
    varying = [p for p in parameters if np.ptp(quantile(p, some)) > 0]
    twice = sorted({p.name for p in varying if [q.name for q in varying].count(p.name) > 1})
    if twice:
        raise UserError("repeated_parameter", found=", ".join(twice))
    if len(varying) < 2:
        raise UserError("too_few_inputs", found=", ".join(p.name for p in varying) or "–")
    try:
        import SALib  # noqa: F401
    except ImportError:
        raise UserError("extra_missing", package="SALib", extra="sa") from None
    names = [p.name for p in varying]
    return varying, {"num_vars": len(names), "names": names, "bounds": [[0.0, 1.0]] * len(names)}


def _run(outcome: Outcome, parameters: list[Parameter], points: np.ndarray) -> np.ndarray:
    found = numbers("outcome", outcome({p.name: quantile(p, u) for p, u in zip(parameters, points.T)}))
    if found.shape not in ((), (len(points),)):
        raise UserError("unequal_draws", found=str(found.shape), n=len(points))
    found = np.broadcast_to(found, len(points))
    if not np.ptp(found) > 0:
        raise UserError("outcome_constant", found=f"{found[0]:g}")
    return found
