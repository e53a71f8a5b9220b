"""What is assumed about departures from parallel trends: the polyhedra {δ: Aδ ≤ d} of Rambachan and Roth (2023).

δ (pre + post,) are the departures in time order without the reference period, where δ = 0. A restriction is a union
of polyhedra ("branches"); for given data each branch is one system of moment inequalities.

    relative_magnitude   |δ_{t+1} − δ_t| after the reference ≤ M̄ × the largest such step before it
    relative_trend       the same for changes of slope, δ_{t+1} − 2δ_t + δ_{t−1}
    smoothness           |δ_{t+1} − 2δ_t + δ_{t−1}| ≤ M everywhere

Where periods are missing (a selection window), a step of relative_magnitude is the change per period between neighbours
that are there: after the reference |δ_{t+s} − δ_t| ≤ s M̄ × the largest change per period before it. What happens
inside the gap is free but for that, so every missing period widens the set. Changes of slope need neighbours.

With the largest step before the reference unknown, the relative restrictions are unions over the step that is largest
and its sign. `bias` and `monotone` add signs: δ ≥ 0 (or ≤ 0) after the reference, δ increasing (or decreasing).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["relative_magnitude", "relative_trend", "smoothness"]
KINDS: tuple[Kind, ...] = ("relative_magnitude", "relative_trend", "smoothness")
BIAS = ("positive", "negative")
MONOTONE = ("increasing", "decreasing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """A class of departures, up to its size: kind, and the signs that are added.

    spacing  (pre + post,) periods between neighbours in time order, the reference among them; () = one each
    """

    kind: Kind
    pre: int
    post: int
    bias: str | None = None
    monotone: str | None = None
    spacing: tuple[int, ...] = ()

    @property
    def order(self) -> int:
        """1 = steps, 2 = changes of slope."""
        return 1 if self.kind == "relative_magnitude" else 2

    def branches(self, size: float) -> list[tuple[np.ndarray, np.ndarray]]:
        """Polyhedra (A (m, pre + post), d (m,)) whose union is the restriction at this M̄ or M; empty for pre = 0."""
        steps = differences(self.pre, self.post, self.order)
        if self.spacing:
            steps = steps / np.array(self.spacing, dtype=float)[:, None]
        before = self.pre - self.order + 1
        signs = self._signs()
        if self.kind == "smoothness":
            bounds = [(np.zeros_like(steps), np.full(len(steps), size))]
        else:
            scale = np.r_[np.ones(before), np.full(self.post, size)][:, None]
            bounds = [(scale * sign * steps[s], np.zeros(len(steps))) for s in range(before) for sign in (1.0, -1.0)]
        out = []
        for largest, d in bounds:
            a, full = np.vstack([steps - largest, -steps - largest]), np.r_[d, d]
            real = (a**2).sum(axis=1) > 1e-20
            out.append((np.vstack([a[real], signs]), np.r_[full[real], np.zeros(len(signs))]))
        return out

    def _signs(self) -> np.ndarray:
        """Rows a with a δ ≤ 0 that `bias` and `monotone` add."""
        rows = []
        if self.bias:
            above = np.hstack([np.zeros((self.post, self.pre)), -np.eye(self.post)])
            rows.append(above if self.bias == "positive" else -above)
        if self.monotone:
            rising = -differences(self.pre, self.post, 1)
            rows.append(rising if self.monotone == "increasing" else -rising)
        return np.vstack(rows) if rows else np.zeros((0, self.pre + self.post))


def differences(pre: int, post: int, order: int) -> np.ndarray:
    """(pre + post + 1 − order, pre + post) differences of δ in time order, the reference (δ = 0) left out."""
    matrix = np.diff(np.eye(pre + post + 1), n=order, axis=0)
    return np.delete(matrix, pre, axis=1)
