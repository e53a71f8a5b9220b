"""Conditional and hybrid tests of moment inequalities with linear nuisance parameters, by vertices of the dual.

For δ in {Aδ ≤ d} and θ = l'τ the data satisfy E[A β̂ − d] − A_post τ ≤ 0 for some τ with l'τ = θ. With Y = A β̂ − d − a θ
and X the directions of τ that leave θ alone, the statistic is

    η(θ) = min over τ̃ of max_j (Y − X τ̃)_j / σ_j  =  max over λ ≥ 0, λ'X = 0, λ'σ = 1 of λ'Y.

The vertices of that dual set are the same for every θ and up to scaling for every size of the restriction, and event
studies have few: for two-sided bounds on differences there are `post` + 2. So they are listed once, η(θ) is the upper
envelope of straight lines, and the interval in which an optimal vertex stays optimal (the conditioning event of
Andrews, Roth and Pakes 2023, Review of Economic Studies 90:2763) has a closed form: no linear program per θ.

Hybrids: least favourable ("lf", first-stage size κ = α/10) or fixed-length interval ("flci"), second stage of size
(α − κ)/(1 − κ).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr

from ...core import UserError

MOST_PAIRS = 20_000
"""Pairs of rays that one step of the double description may have to compare: about six periods with signs."""
TOLERANCE = 1e-9


def dual_rays(a_post: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(n, m) extreme rays of {λ ≥ 0: λ'A_post ∝ target'}, each up to scale.

    a_post (m, post), target (post,). With one period after the reference nothing is nuisance and every row is a ray.
    Raises UserError("honest_too_many_periods") where sign restrictions on many periods leave too many rays.
    """
    m, post = a_post.shape
    if post == 1:
        return np.eye(m)
    half = m // 2
    if m == 2 * post and np.array_equal(a_post[half:], -a_post[:half]):
        weights = np.linalg.solve(a_post[:half].T, target)
        weights[np.abs(weights) < TOLERANCE] = 0.0
        up, down = np.clip(weights, 0, None), np.clip(-weights, 0, None)
        return np.vstack([np.r_[up, down], np.r_[down, up], np.hstack([np.eye(post), np.eye(post)])])
    return _double_description(a_post @ _directions(target))


def _directions(target: np.ndarray) -> np.ndarray:
    """(post, post − 1) basis of the directions orthogonal to the target."""
    return np.linalg.svd(target[None])[2][1:].T


def _double_description(x: np.ndarray) -> np.ndarray:
    """Extreme rays of {λ ≥ 0: λ'x = 0}, one column of x (m, p) after the other (Motzkin's double description).

    Two rays on either side of a column's hyperplane make a new one if no third ray's support lies in their union.
    """
    rays = np.eye(len(x))
    for column in x.T:
        value = rays @ column
        value[np.abs(value) < TOLERANCE * np.abs(rays).max(axis=1)] = 0.0
        support = rays > 0
        made = [rays[value == 0]]
        above, below = np.flatnonzero(value > 0), np.flatnonzero(value < 0)
        if len(above) * len(below) > MOST_PAIRS:
            raise UserError("honest_too_many_periods", pairs=len(above) * len(below), most=MOST_PAIRS)
        for i in above:
            for j in below:
                union = support[i] | support[j]
                inside = ~(support & ~union).any(axis=1)
                if inside.sum() == 2:
                    new = rays[i] * -value[j] + rays[j] * value[i]
                    new[~union] = 0.0
                    made.append((new / new.max())[None])
        rays = np.vstack(made)
    return rays


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """First stage by a fixed-length interval: weights (T,) on β̂, half-length of its level."""

    weights: np.ndarray
    half: float
    centre: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One branch ready to test any θ. Lines `level` − `slope` θ (n,) of the vertices, their covariance (n, n).

    size    of the second stage;  critical: least-favourable value (∞ without);  fixed: first stage by interval
    cross   (n,) covariance of each vertex with the fixed-length estimator
    """

    level: np.ndarray
    slope: np.ndarray
    covariance: np.ndarray
    size: float
    critical: float = np.inf
    fixed: Fixed | None = None
    cross: np.ndarray | None = None

    @property
    def span(self) -> tuple[float, float] | None:
        """The values of θ that pass the first stage lie inside; None where there are none."""
        if self.fixed is not None:
            return self.fixed.centre - self.fixed.half, self.fixed.centre + self.fixed.half
        top = self.critical if np.isfinite(self.critical) else 20.0
        flat = np.abs(self.slope) < 1e-12
        if (self.level[flat] > top).any():
            return None
        bound = (self.level[~flat] - top) / self.slope[~flat]
        low = bound[self.slope[~flat] > 0].max(initial=-np.inf)
        high = bound[self.slope[~flat] < 0].min(initial=np.inf)
        return (float(low), float(high)) if low < high else None

    def accepts(self, theta: np.ndarray) -> np.ndarray:
        """(n,) True where θ is not rejected."""
        lines = self.level[:, None] - self.slope[:, None] * theta
        best, columns = lines.argmax(axis=0), np.arange(len(theta))
        eta, variance = lines[best, columns], self.covariance[best, best]
        exact = variance < 1e-20
        safe = np.where(exact, 1.0, variance)
        ratio = self.covariance[:, best] / safe
        low, high = _conditioning(lines - ratio * eta, 1.0 - ratio)
        if self.fixed is not None:
            low, high = self._also_fixed(low, high, theta, eta, best, safe)
        sd = np.sqrt(safe)
        kept = _tail(eta / sd, low / sd, np.minimum(high, self.critical) / sd) >= self.size
        if self.fixed is None:
            first = eta <= self.critical
        else:
            first = np.abs(self.fixed.centre - theta) <= self.fixed.half
        return first & ((eta <= 0) | (~exact & kept))

    def _also_fixed(
        self, low: np.ndarray, high: np.ndarray, theta: np.ndarray, eta: np.ndarray, best: np.ndarray, safe: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Condition on the fixed-length interval holding θ as well."""
        assert self.fixed is not None and self.cross is not None
        g = self.cross[best] / safe
        flat = np.abs(g) < 1e-12
        g = np.where(flat, 1.0, g)
        ends = eta + (np.array([[-1.0], [1.0]]) * self.fixed.half - (self.fixed.centre - theta)) / g
        ends.sort(axis=0)
        return np.where(flat, low, np.maximum(low, ends[0])), np.where(flat, high, np.minimum(high, ends[1]))


def _conditioning(rest: np.ndarray, gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n,) ends of the interval of the statistic in which its vertex stays the best; rest, gap (vertices, n)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        at = rest / gap
    low = np.where(gap > TOLERANCE, at, -np.inf).max(axis=0)
    high = np.where(gap < -TOLERANCE, at, np.inf).min(axis=0)
    return low, high


def _tail(statistic: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """P(Z > statistic | low ≤ Z ≤ high), standard normal, exact in both tails; 1 where the statistic lies outside."""
    flip = low > 0
    a, b, c = (np.where(flip, -x, x) for x in (low, statistic, high))
    with np.errstate(invalid="ignore", over="ignore"):
        whole, part = _log_between(a, c), _log_between(b, c)
        share = np.exp(np.minimum(part - whole, 0.0))
    inside = (low < statistic) & (statistic <= high)
    return np.where(inside & np.isfinite(share), share, np.where(statistic <= low, 1.0, (statistic > high) * 1.0))


def _log_between(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """log of the normal probability between x and y."""
    top, bottom = log_ndtr(np.maximum(x, y)), log_ndtr(np.minimum(x, y))
    with np.errstate(divide="ignore"):
        return top + np.log1p(-np.exp(np.minimum(bottom - top, 0.0)))


def ends(tests: list[Test], n: int = 513, rounds: int = 3) -> tuple[float, float]:
    """Lowest and highest θ that some branch accepts; (∞, −∞) where none does.

    A grid over each branch's span finds the outermost accepted points; the bracket is then divided by 64 a round.
    """
    low, high = np.inf, -np.inf
    brackets = []
    for test in tests:
        if (span := test.span) is None:
            continue
        grid = np.linspace(*span, n)
        ok = np.flatnonzero(test.accepts(grid))
        if ok.size:
            low, high = min(low, grid[ok[0]]), max(high, grid[ok[-1]])
            before, after = grid[max(ok[0] - 1, 0)], grid[min(ok[-1] + 1, n - 1)]
            brackets.append((test, (before, grid[ok[0]]), (after, grid[ok[-1]])))
    best_low, best_high = low, high
    for test, left, right in brackets:
        if left[0] < best_low:
            best_low = min(best_low, _edge(test, *left, rounds))
        if right[0] > best_high:
            best_high = max(best_high, _edge(test, *right, rounds))
    return float(best_low), float(best_high)


def _edge(test: Test, outside: float, inside: float, rounds: int) -> float:
    """The accepted value nearest to `outside` between a rejected and an accepted one."""
    for _ in range(rounds):
        grid = np.linspace(outside, inside, 65)
        ok = test.accepts(grid[1:])
        first = int(ok.argmax()) if ok.any() else 63
        outside, inside = grid[first], grid[first + 1]
    return float(inside)
