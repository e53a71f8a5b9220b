"""Inference of an estimator known by its influence function: the `Part` of everything that is no least-squares problem.

- analytic ("cr0"): cluster sums of the influence function, no small-sample factor: the published covariance.
- cr1: the same times √(G/(G−1) · (N−1)/(N−K)).
- cr3: √((G−1)/G) (θ − θ₍₋g₎), true estimates without each cluster where the estimator hands them over (up to
  `REFIT` clusters, as a rule); otherwise its own one-step scores, each side's influence divided by the share of the
  side's weight that is left without the cluster.
- cr2: halfway between the analytic and the jackknife scores, (ψ + ψ/(1−h))/2, which agrees with ψ(1−h)^−½ to first
  order in the cluster's share h and, being linear, commutes with aggregation.

Degrees of freedom. Each quantity is Σ a_it y_it to first order; a cluster's part on a side (a group whose mean, or
model, is estimated apart: a cohort) has v_Gs = Σ_{i ∈ G∩s} |a_i|², its variance under the working covariance of the
house, identity on the response. With V_s = Σ_G v_Gs and the effective number g_s = V_s²/Σ_G v_Gs² of clusters,

    df = (Σ_s V_s)² / (Σ_G (Σ_s v_Gs)² + Σ_s V_s² (1/(g_s−1) − 1/g_s)).

The second sum is the Welch correction for having estimated each side's mean; with equal clusters inside sides it is
Satterthwaite's (Σ V)² / Σ V_s²/(g_s−1), the exact one of `saturated`. A side with g_s ≤ 1 gives no degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from .linalg import inverse_herfindahl

REFIT = 200
"""Up to this many clusters an estimator is re-fit without each."""


class Carriers(Protocol):
    """Which clusters carry a quantity, side by side. S sides, `width` quantities."""

    @property
    def n_clusters(self) -> int:
        """Clusters with units in the estimation."""

    def spread(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """V_s (S, k), Σ_G v_Gs² (S, k) and Σ_G (Σ_s v_Gs)² (k,) of the rows (k, width)."""

    def count(self, members: np.ndarray) -> np.ndarray:
        """(k,) clusters with units on any of the sides (k, S)."""

    def effective(self, rows: np.ndarray, treated: np.ndarray, control: np.ndarray) -> np.ndarray:
        """(k, 2) inverse Herfindahl of Σ_s v_Gs among the clusters on these sides (k, S)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class CellCarriers:
    """Clusters listed, by cluster × side (J,), with the response weights a of their units on q building blocks.

    gram     (J, q, q) Σ_i a_i'a_i;  or loads (J, q), where the units of a cell carry the blocks in proportion
    reading  (T, q, width) what a quantity takes of the blocks in each period; None: one period, blocks = quantities
    """

    cluster: np.ndarray
    side: np.ndarray
    n_sides: int
    gram: np.ndarray | None = None
    loads: np.ndarray | None = None
    reading: np.ndarray | None = None

    @property
    def n_clusters(self) -> int:
        return len(np.unique(self.cluster))

    def spread(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        v = self.cells(rows)
        total, square = np.zeros((self.n_sides, len(rows))), np.zeros((self.n_sides, len(rows)))
        np.add.at(total, self.side, v)
        np.add.at(square, self.side, v**2)
        return total, square, (self._sums(v) ** 2).sum(axis=0)

    def count(self, members: np.ndarray) -> np.ndarray:
        return (members.astype(int) @ self._present.T > 0).sum(axis=1)

    def effective(self, rows: np.ndarray, treated: np.ndarray, control: np.ndarray) -> np.ndarray:
        total = self._sums(self.cells(rows))
        on, off = (m.astype(int) @ self._present.T > 0 for m in (treated, control))
        pairs = []
        for r in range(len(rows)):
            apart = off[r] & ~on[r]
            pairs.append([inverse_herfindahl(total[who, r]) for who in (on[r], apart if apart.any() else off[r])])
        return np.array(pairs).reshape(len(rows), 2)

    @cached_property
    def _present(self) -> np.ndarray:
        out = np.zeros((int(self.cluster.max()) + 1, self.n_sides), dtype=int)
        out[self.cluster, self.side] = 1
        return out

    def cells(self, rows: np.ndarray) -> np.ndarray:
        """(J, k) v of the rows in each cluster × side."""
        taken = _taken(rows, self.reading)
        if self.loads is not None:
            return np.asarray((np.einsum("jq,ktq->jkt", self.loads, taken, optimize=True) ** 2).sum(axis=2))
        assert self.gram is not None
        return _forms(self.gram, taken)

    def _sums(self, v: np.ndarray) -> np.ndarray:
        out = np.zeros((int(self.cluster.max()) + 1, v.shape[1]))
        np.add.at(out, self.cluster, v)
        return out


@dataclass(frozen=True, kw_only=True, eq=False)
class SideCarriers:
    """Every unit its own cluster and too many to list: per side its units (S,), the cross product (S, q, q) of response
    weights on q building blocks (`reading` as in `CellCarriers`), and the effective number (S, width) of units by
    quantity; a row takes the least of its quantities.
    """

    n: np.ndarray
    gram: np.ndarray
    effective_units: np.ndarray
    reading: np.ndarray | None = None

    @property
    def n_clusters(self) -> int:
        return int(self.n.sum())

    def spread(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        total = _forms(self.gram, _taken(rows, self.reading))
        square = np.divide(total**2, self._number(rows), out=np.zeros_like(total), where=total > 0)
        return total, square, square.sum(axis=0)

    def count(self, members: np.ndarray) -> np.ndarray:
        return members @ self.n

    def effective(self, rows: np.ndarray, treated: np.ndarray, control: np.ndarray) -> np.ndarray:
        total, square, _ = self.spread(rows)
        out = []
        for members in (treated, control & ~treated):
            share, squares = (total.T * members).sum(axis=1), (square.T * members).sum(axis=1)
            out.append(np.divide(share**2, squares, out=np.zeros(len(rows)), where=squares > 0))
        return np.column_stack(out)

    def _number(self, rows: np.ndarray) -> np.ndarray:
        """(S, k) effective number of units of the rows on each side."""
        alone = _forms(self.gram, _taken(np.eye(rows.shape[1]), self.reading))
        own = np.where(alone > 0, self.effective_units, np.inf)
        used = np.where((rows != 0)[None], own[:, None, :], np.inf).min(axis=2)
        return np.asarray(np.where(np.isfinite(used), used, 1.0))


def _taken(rows: np.ndarray, reading: np.ndarray | None) -> np.ndarray:
    """(k, T, q) what the rows take of the building blocks in each period."""
    return rows[:, None, :] if reading is None else np.einsum("kw,tqw->ktq", rows, reading)


def _forms(gram: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """(J, k) Σ_t taken' gram taken."""
    square = np.einsum("ktq,ktr->kqr", taken, taken, optimize=True)
    return np.clip(gram.reshape(len(gram), -1) @ square.reshape(len(square), -1).T, 0, None)


@dataclass(frozen=True, kw_only=True, eq=False)
class InfluencePart:
    """A `Part` (see `parts`) of an estimator with `width` quantities known by their influence functions.

    estimate    (width,) the quantities
    influence   (G, width) cluster sums of the influence function, scaled so that covariance = influenceᵀ influence;
                None where there are too many clusters, then `covariances` answers
    without     (G, width) estimates without each cluster, NaN where there is none; or None
    one_step    (G, width) jackknife scores in one step, without √((G−1)/G), where `without` is None
    covariances "cr0", "cr2" and "cr3" → (width, width) where influence is None; cr3 without √((G−1)/G)
    carriers    who carries the quantities;  treated, control (width, S) sides treated and compared with
    n_obs, n_params   N and K of the cr1 factor;  published: what "analytic" stands for, "cr0" or "cr1"
    """

    estimate: np.ndarray
    carriers: Carriers
    treated: np.ndarray
    control: np.ndarray
    n_obs: int
    n_params: int
    influence: np.ndarray | None = None
    without: np.ndarray | None = None
    one_step: np.ndarray | None = None
    published: str = "cr0"
    covariances: Mapping[str, np.ndarray] | None = None

    @property
    def width(self) -> int:
        return len(self.estimate)

    @property
    def n_clusters(self) -> int:
        return self.carriers.n_clusters

    def live(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.carriers.spread(rows)[0].sum(axis=0) > 0)

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray | None:
        if self.influence is None:
            return None
        rule = self.published if rule == "analytic" else rule
        if rule in ("cr0", "cr1"):
            return self.influence @ rows.T * self._scale(rule)
        jackknife = self._jackknife
        return (jackknife if rule == "cr3" else (jackknife + self.influence) / 2) @ rows.T * self._scale(rule)

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        scores = self.scores(rule, rows)
        if scores is not None:
            return scores.T @ scores
        assert self.covariances is not None
        rule = self.published if rule == "analytic" else rule
        name = rule if rule in ("cr2", "cr3") else "cr0"
        return np.asarray(rows @ self.covariances[name] @ rows.T) * self._scale(rule) ** 2

    def df(self, rows: np.ndarray) -> np.ndarray:
        total, square, crossed = self.carriers.spread(rows)
        with np.errstate(divide="ignore", invalid="ignore"):
            number = total**2 / square
            extra = np.where(total > 0, total**2 * (1 / (number - 1) - 1 / number), 0.0)
            alone = ((number <= 1 + 1e-9) & (total > 1e-12 * total.sum(axis=0))).any(axis=0)
            df = total.sum(axis=0) ** 2 / (crossed + extra.sum(axis=0))
        return np.where(alone, np.nan, df)

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        if self.without is not None:
            lost = np.isnan(self.without).any(axis=0)
            return np.asarray(~((rows != 0) & lost).any(axis=1))
        total, square, _ = self.carriers.spread(rows)
        return np.asarray(~((total > 0) & (square >= total**2 * (1 - 1e-9))).any(axis=0))

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        return np.column_stack([self.carriers.count(m) for m in self._members(rows)])

    def effective(self, rows: np.ndarray) -> np.ndarray:
        return self.carriers.effective(rows, *self._members(rows))

    def _members(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        uses = (rows != 0).astype(int)
        return uses @ self.treated > 0, uses @ self.control > 0

    @property
    def _jackknife(self) -> np.ndarray:
        """(G, width) θ − θ₍₋g₎; 0 where there is no estimate without the cluster: the router refuses those rows."""
        if self.without is not None:
            return np.nan_to_num(self.estimate - self.without, nan=0.0)
        assert self.one_step is not None
        return self.one_step

    def _scale(self, rule: str) -> float:
        g = self.n_clusters
        if rule == "cr1":
            return float(np.sqrt(g / (g - 1) * (self.n_obs - 1) / (self.n_obs - self.n_params)))
        return float(np.sqrt((g - 1) / g)) if rule == "cr3" else 1.0
