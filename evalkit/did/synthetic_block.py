"""One cohort of a synthetic estimator: its rectangle of outcomes, its weights, and effects under any weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .simplex import path_weights

TOLERANCE = 1e-5
"""Least decrease of the objective's root a step, in σ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How weights are found: unit_ridge, time_ridge ζ in σ (None: (N₁T₁)^¼; no time weights), intercept of units."""

    unit_ridge: float | None
    time_ridge: float | None
    intercept: bool


SCHEMES = {
    "synthetic_did": Scheme(unit_ridge=None, time_ridge=1e-6, intercept=True),
    "synthetic_control": Scheme(unit_ridge=1e-6, time_ridge=None, intercept=False),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Block:
    """One cohort beside its comparison units: control (N₀,), treated (N₁,) rows of y (U, T); before, after positions
    among the T periods. Periods of notice belong to neither.
    """

    cohort: int
    y: np.ndarray
    control: np.ndarray
    treated: np.ndarray
    before: np.ndarray
    after: np.ndarray

    @cached_property
    def noise(self) -> float:
        """σ: standard deviation of first differences of the comparison units before the start."""
        return float(np.diff(self.y[np.ix_(self.control, self.before)], axis=1).std(ddof=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighted:
    """A block with its weights: unit ω (N₀,), time λ (T,) zero outside `before`; ridges ζ (absolute)."""

    block: Block
    unit: np.ndarray
    time: np.ndarray
    unit_ridge: float = 0.0
    time_ridge: float = 0.0
    scheme: Scheme | None = None

    @property
    def map(self) -> np.ndarray:
        """(T, T) effects = gap @ map."""
        return np.eye(len(self.time)) - self.time[:, None]

    def effects(self) -> np.ndarray:
        """(T,) effect in every period."""
        y, block = self.block.y, self.block
        gap = y[block.treated].mean(axis=0) - self.unit @ y[block.control]
        return np.asarray(gap @ self.map)


def weighted(block: Block, scheme: Scheme) -> Weighted:
    """The block's weights by R synthdid's path (`simplex.path_weights`)."""
    sigma = block.noise
    unit_ridge = sigma * _unit_ridge(block, scheme)
    past = block.y[np.ix_(block.control, block.before)]
    target = block.y[np.ix_(block.treated, block.before)].mean(axis=0)
    unit = path_weights(past.T, target, unit_ridge, TOLERANCE * sigma, intercept=scheme.intercept)
    time = np.zeros(block.y.shape[1])
    time_ridge = 0.0
    if scheme.time_ridge is not None:
        time_ridge = scheme.time_ridge * sigma
        later = block.y[np.ix_(block.control, block.after)].mean(axis=1)
        time[block.before] = path_weights(past, later, time_ridge, TOLERANCE * sigma, intercept=True)
    return Weighted(block=block, unit=unit, time=time, unit_ridge=unit_ridge, time_ridge=time_ridge, scheme=scheme)


def _unit_ridge(block: Block, scheme: Scheme) -> float:
    if scheme.unit_ridge is not None:
        return scheme.unit_ridge
    return float((len(block.treated) * len(block.after)) ** 0.25)
