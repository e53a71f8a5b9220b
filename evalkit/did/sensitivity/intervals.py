"""Robust intervals from estimates and their covariance alone: the exchange type of the DiD world.

`RobustStudy` holds what one event study says; its methods answer for any size of the restriction. Everything that does
not depend on the size (draws, dual rays, the lasso path) is computed once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from scipy.special import ndtri

from .conditional import Fixed, Test, dual_rays, ends
from .fixed_length import Frontier, frontier
from .restrictions import Kind, Restriction

TestName = Literal["c_lf", "flci", "c_flci", "conditional"]
DRAWS = 10_000
KAPPA = 0.1
"""Share of α that the first stage of a hybrid test spends."""
REACH = 1e3
"""Sizes beyond this are no longer searched: the effect survives any departure that anyone would name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class RobustStudy:
    """An event study under one restriction, for one target.

    estimate (pre + post,), vcov   in time order without the reference period
    restriction   class of departures;  target (post,) weights of the effect θ = target'τ
    test     "c_lf", "c_flci" (hybrids), "conditional", or "flci" (smoothness only)
    level, seed   of the intervals, and of the draws behind least-favourable critical values
    """

    estimate: np.ndarray
    vcov: np.ndarray
    restriction: Restriction
    target: np.ndarray
    test: TestName
    level: float = 0.95
    seed: int = 1

    @property
    def point(self) -> float:
        return float(self.target @ self.estimate[self.restriction.pre :])

    @cached_property
    def std_error(self) -> float:
        pre = self.restriction.pre
        return float(np.sqrt(self.target @ self.vcov[pre:, pre:] @ self.target))

    @property
    def original(self) -> tuple[float, float]:
        """The usual interval, valid only if trends are parallel."""
        half = float(ndtri(0.5 + self.level / 2)) * self.std_error
        return self.point - half, self.point + half

    def interval(self, size: float) -> tuple[float, float]:
        """The robust interval at this M̄ or M; (∞, −∞) where every θ is rejected."""
        if self.test == "flci":
            weights, half = self.frontier.shortest(size * self._unit, self.level)
            centre = float(weights @ self.estimate)
            return centre - half, centre + half
        low, high = ends(self._tests(size))
        return low * self._unit, high * self._unit

    def breakdown(self, null: float = 0.0, tolerance: float = 1e-4) -> float:
        """The smallest size at which the robust interval holds `null`; ∞ where none up to `REACH` does.

        By bracketing and bisection on the interval's end nearer to `null`, so that it agrees with `interval`.
        """
        above = self.point > null

        def holds(size: float) -> bool:
            low, high = self.interval(size)
            return low <= null if above else high >= null

        if holds(0.0):
            return 0.0
        low, high = 0.0, 0.25 if self.restriction.kind != "smoothness" else 0.25 * self.std_error
        reach = REACH * (1.0 if self.restriction.kind != "smoothness" else self.std_error)
        while not holds(high):
            low, high = high, 2 * high
            if high > reach:
                return float("inf")
        while high - low > tolerance * high:
            middle = (low + high) / 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return high

    @property
    def _unit(self) -> float:
        """Scale of the problem: tests run on estimates in units of the target's standard error."""
        return 1.0 if self.test == "flci" else self.std_error

    @cached_property
    def frontier(self) -> Frontier:
        return frontier(self.vcov, self.restriction.pre, self.target)

    @cached_property
    def _draws(self) -> np.ndarray:
        """(DRAWS, pre + post) noise of the estimates in units of the target's standard error."""
        values, vectors = np.linalg.eigh(self.vcov)
        root = vectors * np.sqrt(np.clip(values, 0, None)) / self.std_error
        half = np.random.default_rng(self.seed).standard_normal((DRAWS // 2, len(values)))
        return np.vstack([half, -half]) @ root.T

    @cached_property
    def _rays(self) -> dict[int, np.ndarray]:
        return {}

    def _tests(self, size: float) -> list[Test]:
        scaled = size / self.std_error if self.restriction.kind == "smoothness" else size
        return [self._test(a, d) for a, d in self.restriction.branches(scaled)]

    def _test(self, a: np.ndarray, d: np.ndarray) -> Test:
        pre, post = self.restriction.pre, self.restriction.post
        if post > 1:
            used = np.any(a[:, pre:] != 0, axis=1)
            a, d = a[used], d[used]
        vcov = self.vcov / self.std_error**2
        sd = np.sqrt(np.clip(np.einsum("ij,jk,ik->i", a, vcov, a), 0, None))
        if len(a) not in self._rays:
            self._rays[len(a)] = dual_rays(a[:, pre:], self.target)
        rays = self._rays[len(a)]
        norm = rays @ sd
        keep = norm > 1e-12
        vertices = rays[keep] / norm[keep, None]
        loads = vertices @ a
        alpha = 1 - self.level
        kappa = 0.0 if self.test == "conditional" else KAPPA * alpha
        fixed, critical = None, np.inf
        if self.test == "c_lf":
            critical = float(np.quantile((self._draws @ loads.T).max(axis=1), 1 - kappa))
        elif self.test == "c_flci":
            fixed = self._first_stage(size=float(d[0]) if len(d) else 0.0, level=1 - kappa)
        return Test(
            level=loads @ self.estimate / self.std_error - vertices @ d,
            slope=loads[:, pre:] @ self.target / (self.target @ self.target),
            covariance=loads @ vcov @ loads.T,
            size=(alpha - kappa) / (1 - kappa),
            critical=critical,
            fixed=fixed,
            cross=None if fixed is None else loads @ vcov @ fixed.weights,
        )

    def _first_stage(self, size: float, level: float) -> Fixed:
        weights, half = self.frontier.shortest(size * self.std_error, level)
        return Fixed(
            weights=weights, half=half / self.std_error, centre=float(weights @ self.estimate) / self.std_error
        )


def default_test(kind: Kind, signs: bool) -> TestName:
    """Fixed-length intervals for plain smoothness, with signs the hybrid built on them, else least favourable."""
    if kind == "smoothness":
        return "c_flci" if signs else "flci"
    return "c_lf"
