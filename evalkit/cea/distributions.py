"""From a Parameter to draws: each parameter has its own stream, keyed by its name.

Adding, removing or reordering parameters therefore moves no other parameter's draws.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.special import betaincinv, gammaincinv, ndtri

from ..core import Parameter, UserError
from .checks import numbers, whole

_Z = float(ndtri(0.975))


def stream(seed: int, name: str) -> np.random.Generator:
    """Random stream of one named quantity. Raises UserError("value_outside") for a seed that is no whole number ≥ 0."""
    seed = whole("seed", seed, 0)
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])


def std_error(p: Parameter) -> float:
    """Standard error that the range implies: low and high are read as a 95 % interval, se = (high − low)/(2 × 1.96)."""
    if p.low is None or p.high is None:
        numbers(p.name, p.value)
        return 0.0
    low, value, high = numbers(p.name, [p.low, p.value, p.high]).tolist()
    if not low <= value <= high:
        raise UserError("parameter_range", name=p.name, value=value, low=low, high=high, unit=p.unit)
    return float(high - low) / (2 * _Z)


def shape(distribution: str, mean: float, se: float, of: str = "") -> tuple[float, float]:
    """Method-of-moments parameters of a distribution from its mean and standard error.

    gamma (shape, scale): (m²/s², s²/m); beta (a, b): m q, (1−m) q with q = m(1−m)/s² − 1; lognormal (mean, sd of the
    log): v = log(1 + s²/m²), (log m − v/2, √v); normal (m, s); `of` names the parameter in an error. Source: Briggs,
    Claxton, Sculpher (2006), chapter 4.
    Raises UserError("unknown_distribution"), UserError("distribution_outside") where no such distribution exists.
    """
    if distribution == "normal":
        return mean, se
    inside = 0 < mean < 1 and se**2 < mean * (1 - mean) if distribution == "beta" else mean > 0
    if distribution in ("gamma", "beta", "lognormal") and not inside:
        raise UserError("distribution_outside", distribution=distribution, mean=mean, std_error=se, of=of)
    if distribution == "gamma":
        return (mean / se) ** 2, se**2 / mean
    if distribution == "beta":
        q = mean * (1 - mean) / se**2 - 1
        return mean * q, (1 - mean) * q
    if distribution == "lognormal":
        v = float(np.log1p((se / mean) ** 2))
        return float(np.log(mean)) - v / 2, v**0.5
    raise UserError(
        "unknown_distribution",
        of=of,
        distribution=distribution,
        known="beta, fixed, gamma, lognormal, normal, uniform",
    )


def draw(p: Parameter, n: int, seed: int) -> np.ndarray:
    """(n,) draws of one parameter, mean = its value; constant where "fixed" or without a range.

    "uniform" runs from low to high (its mean is their middle, whatever `value`). Raises as `shape` and `std_error`.
    """
    se = std_error(p)
    if p.distribution == "fixed" or se == 0:
        return np.full(n, float(p.value))
    rng = stream(seed, p.name)
    if p.distribution == "uniform":
        assert p.low is not None and p.high is not None
        return rng.uniform(float(p.low), float(p.high), n)
    a, b = shape(p.distribution, float(p.value), se, f"{p.name} ({p.unit})")
    return getattr(rng, p.distribution)(a, b, n)


def quantile(p: Parameter, u: np.ndarray) -> np.ndarray:
    """Values of one parameter at probabilities u in (0, 1), any shape; its value where "fixed" or without a range.

    The distribution function turned round: points spread evenly over (0, 1) become draws. Raises as `draw`.
    """
    se = std_error(p)
    if p.distribution == "fixed" or se == 0:
        return np.full(np.shape(u), float(p.value))
    if p.distribution == "uniform":
        assert p.low is not None and p.high is not None
        return np.asarray(float(p.low) + float(p.high - p.low) * u)
    a, b = shape(p.distribution, float(p.value), se, f"{p.name} ({p.unit})")
    if p.distribution == "gamma":
        return np.asarray(b * gammaincinv(a, u))
    if p.distribution == "beta":
        return np.asarray(betaincinv(a, b, u))
    z = a + b * ndtri(u)
    return np.asarray(np.exp(z) if p.distribution == "lognormal" else z)


def draw_all(parameters: Iterable[Parameter] | Mapping[str, Parameter], n: int, seed: int) -> dict[str, np.ndarray]:
    """Draws (n,) of every parameter by name, independent of one another and of their order; raises as `draw`."""
    rows = parameters.values() if isinstance(parameters, Mapping) else parameters
    return {p.name: draw(p, n, seed) for p in rows}


def possible(p: Parameter, drawn: np.ndarray, row: int) -> np.ndarray:
    """The draws, where none is a probability outside [0, 1] or a negative amount of money.

    Raises UserError("probability_outside"), ("negative_money") naming parameter, unit and row.
    """
    ends = [float(v) for v in (p.value, p.low, p.high) if v is not None]
    low, high = min(drawn.min(), *ends), max(drawn.max(), *ends)
    where: dict[str, Any] = {"name": p.name, "unit": p.unit, "row": row}
    if p.unit.startswith(("probability", "share")) and not (low >= 0 and high <= 1):
        raise UserError("probability_outside", found=f"{low if low < 0 else high:g}", **where)
    if p.currency and not p.unit.startswith("net") and low < 0:
        raise UserError("negative_money", found=f"{low:g}", **where)
    return drawn


def shares(concentration: Mapping[str, float], n: int, seed: int, name: str) -> np.ndarray:
    """(n, k) Dirichlet draws of shares with expectation concentration ÷ its sum; a concentration of zero stays zero.

    `concentration` cases (observed, prior or both) by member; `name` keys the stream. Bare counts say that a member
    not yet seen does not exist: add a prior where that is not meant. Raises UserError("no_cases_in_mix") where all
    are zero.
    """
    seen = np.array(list(concentration.values()), dtype=float)
    if not seen.sum() > 0:
        raise UserError("no_cases_in_mix", name=name)
    gammas = np.where(seen > 0, stream(seed, name).gamma(np.where(seen > 0, seen, 1.0), size=(n, len(seen))), 0.0)
    return gammas / gammas.sum(axis=1, keepdims=True)
