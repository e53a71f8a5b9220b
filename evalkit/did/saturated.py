"""Linear estimators that read a balanced panel through its cohort × time means: all inference in closed form.

θ = Σ_c ℓ_c'ȳ_c for a fixed weight ℓ_c (T,) of every unit of cohort c: the regression saturated in cohort × time
(Sun-Abraham, extended two-way fixed effects with all leads), and ATT(g,t) without covariates. A *side* is the set of
cohorts whose units stand under one estimated mean: each cohort alone in the saturated regression, the pooled controls
of a cell in ATT(g,t). With n_s units on side s, n_Gs of them in cluster G, and ψ_i = ℓ_c'y_i − (side's mean of it),

    score of cluster G = Σ_s f_Gs Σ_{i ∈ G∩s} ψ_i,   f = 1 (cr0, cr1), (1 − n_Gs/n_s)^−½ (cr2), (1 − n_Gs/n_s)^−1 (cr3)

cr2 is the Bell-McCaffrey adjustment and cr3 the true leave-one-cluster-out difference, times the house's √((G−1)/G);
cr1 carries √(G/(G−1) · (N−1)/(N−K)). Degrees of freedom are Satterthwaite's on the cr2 scores, working covariance =
identity on the response: with A_Gc = Σ_s f_Gs ℓ_c the weight of G's own units and b_Gc that of its estimated means on
every unit of c,

    Γ_GH = Σ_c [δ_GH n_Gc A_Gc'A_Gc − n_Gc A_Gc'b_Hc − n_Hc b_Gc'A_Hc + n_c b_Gc'b_Hc],   df = (tr Γ)² / Σ Γ²

which is (Σ_c v_c)² / Σ_c v_c²/(n_c − 1), v_c = n_c|ℓ_c|², where every unit is its own cluster. Clusters alike in their
numbers of units by cohort are one *type* with a multiplicity, so a million firms cost as much as six. Equal weights
only; equals `RegressionPart` on the dummy regression to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..core import Moments
from .linalg import TOLERANCE, inverse_herfindahl, squares
from .moments import cluster_types

POWER = {"cr0": 0.0, "cr1": 0.0, "cr2": 0.5, "cr3": 1.0}


@dataclass(frozen=True, kw_only=True, eq=False)
class SaturatedPart:
    """A `Part` (see `parts`) of a cohort × time saturated linear estimator with `width` quantities.

    moments    sizes, means, cross products of the C cohorts, and cells by cluster where they are listed
    load       (C, width, T) ℓ: what one more unit of outcome in one unit of the cohort adds to the quantity
    shift      (C, width) mean of ψ in the cohort: ℓ_c'ȳ_c minus the side's mean; 0 where a side is one cohort
    sides      (S, C) True for the cohorts of a side;  side (C, width) which side's mean a cohort's units stand under
    treated, control   (width, C) cohorts treated in the quantity, and compared with
    n_obs, n_params    N and K of the cr1 factor
    published  the rule that "analytic" stands for: "cr0" (ATT(g,t), no small-sample factor) or "cr1" (a regression)
    """

    moments: Moments
    load: np.ndarray
    shift: np.ndarray
    sides: np.ndarray
    side: np.ndarray
    treated: np.ndarray
    control: np.ndarray
    n_obs: int
    n_params: int
    df_where_estimable: ClassVar[bool] = True
    published: str = "cr1"

    @property
    def width(self) -> int:
        return self.load.shape[1]

    @property
    def n_clusters(self) -> int:
        return int(self.types[1].sum())

    @cached_property
    def types(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(U, C) distinct numbers of units by cohort in a cluster, how many clusters have them, (G,) which has which.

        Where clusters are not listed every unit is its own and the last is empty.
        """
        return cluster_types(self.moments)

    @cached_property
    def left(self) -> np.ndarray:
        """(U, S) share of a side that is left without a cluster of the type."""
        inside = self.types[0] @ self.sides.T
        return 1.0 - inside / (self.sides @ self.moments.n)

    def factor(self, rule: str) -> np.ndarray:
        """(U, S) f of the rule; 0 where the cluster is the whole side."""
        some = self.left > TOLERANCE
        return np.asarray(np.where(some, np.where(some, self.left, 1.0) ** -POWER[rule], 0.0))

    def scale(self, rule: str) -> float:
        """Factor that a rule puts on all scores."""
        g = self.n_clusters
        if rule == "cr1":
            return float(np.sqrt(g / (g - 1) * (self.n_obs - 1) / (self.n_obs - self.n_params)))
        return float(np.sqrt((g - 1) / g)) if rule == "cr3" else 1.0

    def live(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray((np.abs(rows) @ np.abs(self.load).max(axis=(0, 2))) > 0)

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray | None:
        m, rule = self.moments, self._rule(rule)
        if m.cell_cluster is None or m.cell_cohort is None or m.cell_n is None or m.cell_sum is None:
            return None
        factor, out = self.factor(rule)[self.types[2][m.cell_cluster]], np.zeros((m.n_clusters, len(rows)))
        for c in range(len(m.n)):
            at = m.cell_cohort == c
            own = m.cell_sum[at] @ self.load[c].T + m.cell_n[at, None] * self.shift[c]
            np.add.at(out, m.cell_cluster[at], (own * factor[at][:, self.side[c]]) @ rows.T)
        return out * self.scale(rule)

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        scores = self.scores(rule, rows)
        if scores is not None:
            return scores.T @ scores
        m, rule = self.moments, self._rule(rule)
        factor, out = self.factor(rule), np.zeros((len(rows), len(rows)))
        for c in range(len(m.n)):
            f = factor[c, self.side[c]]
            load, shift = rows @ (self.load[c] * f[:, None]), rows @ (self.shift[c] * f)
            out += load @ m.cross[c] @ load.T + m.n[c] * np.outer(shift, shift)
        return out * self.scale(rule) ** 2

    def df(self, rows: np.ndarray) -> np.ndarray:
        return np.array([self._df(row) for row in rows])

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        """False where one cluster is the whole of a side that the row rests on."""
        whole = (self.left <= TOLERANCE).any(axis=0)
        if not whole.any():
            return np.ones(len(rows), dtype=bool)
        return np.array([not (self._sides_of(row) & whole).any() for row in rows])

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        members = self._members(rows)
        return np.column_stack([m @ self.types[1] for m in members])

    def effective(self, rows: np.ndarray) -> np.ndarray:
        treated, control = self._members(rows)
        many, out = self.types[1], np.empty((len(rows), 2))
        for r, row in enumerate(rows):
            share = self.types[0] @ (np.einsum("k,ckt->ct", row, self.load) ** 2).sum(axis=1)
            apart = control[r] & ~treated[r]
            groups = (treated[r], apart if apart.any() else control[r])
            out[r] = [inverse_herfindahl(share[who], many[who]) for who in groups]
        return out

    def _rule(self, rule: str) -> str:
        return self.published if rule == "analytic" else rule

    def _members(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(k, U) types with units in the cohorts treated in the row, and in those compared with."""
        uses, present = (rows != 0).astype(int), (self.types[0] > 0).astype(int)
        return (uses @ self.treated > 0) @ present.T > 0, (uses @ self.control > 0) @ present.T > 0

    def _sides_of(self, row: np.ndarray) -> np.ndarray:
        """(S,) sides with a net weight in the row."""
        needed = np.zeros(len(self.sides), dtype=bool)
        for c in range(len(self.load)):
            used = np.flatnonzero((row != 0) & self.load[c].any(axis=1))
            for s in np.unique(self.side[c, used]):
                mine = used[self.side[c, used] == s]
                size = np.abs(row[mine, None] * self.load[c, mine]).max()
                needed[s] |= bool(np.abs(row[mine] @ self.load[c, mine]).max() > TOLERANCE * size)
        return needed

    def _df(self, row: np.ndarray) -> float:
        kinds, many, _ = self.types
        on = np.flatnonzero((row != 0) & self.load.any(axis=(0, 2)))
        load, side, total = row[on, None] * self.load[:, on], self.side[:, on], self.sides @ self.moments.n
        factor, inside = self.factor("cr2"), kinds @ self.sides.T
        own, taken = (np.empty((len(kinds), len(load), load.shape[2])) for _ in range(2))
        for c in range(len(load)):
            f = factor[:, side[c]]
            own[:, c] = f @ load[c]
            taken[:, c] = (f * inside[:, side[c]] / total[side[c]]) @ load[c]
        p, q = own * kinds[:, :, None], taken
        r = taken * np.sqrt(self.moments.n)[:, None]
        diagonal = np.einsum("uct,uct->u", p, own)
        x, y = (np.concatenate(z, axis=1).reshape(len(kinds), -1) for z in ((p, q, r), (q, p, -r)))
        gamma = np.einsum("ux,ux->u", x, y)
        square = many @ (diagonal**2 - 2 * diagonal * gamma) + squares(x, y, many)
        trace = many @ (diagonal - gamma)
        return float(trace**2 / square) if square > 0 and trace > 0 else float("nan")


def saturated(
    moments: Moments, load: np.ndarray, treated: np.ndarray, control: np.ndarray, n_params: int | None = None
) -> SaturatedPart:
    """The part of a regression saturated in cohort × time with unit effects: every cohort is a side of its own.

    load (C, width, T) in units of the cohort **means** (θ = Σ_c load_c'ȳ_c, each row of a cohort sums to zero over
    time), treated and control (width, C); K counts C(T−1) + 1 unless told.
    """
    c, width, t = load.shape
    return SaturatedPart(
        moments=moments,
        load=load / moments.n[:, None, None],
        shift=np.zeros((c, width)),
        sides=np.eye(c, dtype=bool),
        side=np.repeat(np.arange(c)[:, None], width, axis=1),
        treated=treated,
        control=control,
        n_obs=int(moments.n.sum()) * t,
        n_params=c * (t - 1) + 1 if n_params is None else n_params,
    )
