"""The part of a synthetic estimator: covariances by replication, who carries a row, and degrees of freedom.

Rules are its own: "jackknife", "placebo", "bootstrap". There are no cluster-robust scores, since weights are found by
an optimisation with corners; the jackknife leaves clusters out with weights kept. Where a rule is undefined it says
why:

- jackknife, bootstrap: every cohort needs two treated clusters, and comparison weight on more than one cluster;
- placebo: every cluster a single unit, and more comparison than treated units.

Degrees of freedom of the jackknife are Satterthwaite's for its variance as a quadratic form of the response, working
covariance = identity on the response, weights taken as given; the bootstrap, an estimate of the same, takes them too.
The placebo variance comes from the comparison units alone: their number − 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from . import synthetic_draws as draws
from .linalg import inverse_herfindahl
from .synthetic_block import Weighted

ROUNDING = 1e-9
RULES = ("jackknife", "placebo", "bootstrap")


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticPart:
    """A `Part` (see `parts`) with one quantity per cohort and period.

    cohorts   the weighted blocks, all on the same units;  cluster (U,) codes among n_all clusters of the panel
    exposure  (U,) mean exposure or None;  seed of placebo and bootstrap
    """

    cohorts: tuple[Weighted, ...]
    cluster: np.ndarray
    n_all: int
    exposure: np.ndarray | None
    seed: int

    @cached_property
    def codes(self) -> tuple[np.ndarray, np.ndarray]:
        """Clusters in the sample (G,), and each unit's place among them (U,)."""
        present, place = np.unique(self.cluster, return_inverse=True)
        return present, place

    @property
    def width(self) -> int:
        return sum(len(w.time) for w in self.cohorts)

    @property
    def n_clusters(self) -> int:
        return len(self.codes[0])

    def live(self, rows: np.ndarray) -> np.ndarray:
        """False also for a period that carries all of λ: its effect is zero by construction."""
        left = np.max([np.abs(taken).max(axis=1) for taken in self._taken(rows)], axis=0)
        return np.asarray(left > ROUNDING * np.abs(rows).max(axis=1))

    @property
    def preferred(self) -> tuple[str, ...]:
        """Rules that "auto" tries, in order."""
        return ("placebo", "jackknife")

    def undefined(self, rule: str) -> str | None:
        """Message key of what keeps the rule from being defined, or None."""
        if rule in ("jackknife", "bootstrap"):
            if (self._counts[0] < 2).any():
                return "inference.refused.one_treated_in_cohort"
            lone = np.isnan(self.without).any() if rule == "jackknife" else (self._counts[1] < 2).any()
            return "inference.refused.one_control_weight" if lone else None
        if rule == "placebo":
            if self.n_clusters < len(self.cluster):
                return "inference.refused.placebo_clusters"
            treated = sum(len(w.block.treated) for w in self.cohorts)
            return "inference.refused.placebo_controls" if len(self.cohorts[0].block.control) <= treated else None
        return "inference.refused.no_cluster_scores"

    @cached_property
    def without(self) -> np.ndarray:
        """(G, width) effects without each cluster, NaN where there is none."""
        return draws.jackknife(self.cohorts, self.codes[1], self.n_clusters)

    @cached_property
    def _placebos(self) -> draws.Draws:
        return draws.placebo(self.cohorts, self.exposure, self.seed)

    @cached_property
    def _bootstrapped(self) -> draws.Draws:
        return draws.bootstrap(self.cohorts, self.codes[1], self.n_clusters, self.seed)

    def replications(self, rule: str) -> draws.Draws:
        """Placebo or bootstrap draws (once per part)."""
        return self._placebos if rule == "placebo" else self._bootstrapped

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray:
        """(G, k) of the jackknife, (R, k) of the draws, centred so that covariance = scoresᵀ scores."""
        if rule == "jackknife":
            values, factor = self.without @ rows.T, np.sqrt((self.n_clusters - 1) / self.n_clusters)
            out = np.zeros((self.n_all, len(rows)))
            out[self.codes[0]] = factor * (values - values.mean(axis=0))
            return out
        if rule not in RULES:
            raise ValueError(f"{rule!r} is none of {RULES}")
        values = self.replications(rule).effects @ rows.T
        return np.asarray((values - values.mean(axis=0)) / np.sqrt(len(values)))

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        scores = self.scores(rule, rows)
        return np.asarray(scores.T @ scores)

    def df(self, rows: np.ndarray) -> np.ndarray:
        """(k,) tr(K)²/tr(K²), K the jackknife's cross product of changes under the working covariance."""
        grams = self._grams
        g = self.n_clusters
        loads = self._loads(rows)
        out = np.full(len(rows), np.nan)
        if not np.isfinite(grams).all():
            return out
        for k in range(len(rows)):
            form = np.einsum("cd,cdgh->gh", loads[k], grams)
            form = form - form.mean(axis=0) - form.mean(axis=1, keepdims=True) + form.mean()
            square = float((form**2).sum())
            out[k] = min(float(np.trace(form)) ** 2 / square, g - 1) if square > 0 else np.nan
        return out

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        lost = np.isnan(self.without).any(axis=0)
        return np.asarray(~((rows != 0) & lost).any(axis=1))

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        uses = self._uses(rows)
        treated = [[len(np.unique(self.cluster[self._treated(u)])), 0] for u in uses]
        out = np.array(treated).reshape(len(rows), 2)
        out[:, 1] = len(np.unique(self.cluster[self.cohorts[0].block.control]))
        return out

    def effective(self, rows: np.ndarray) -> np.ndarray:
        n, codes, loads = self.n_clusters, self.codes[1], self._loads(rows)
        treated, control = np.zeros((len(rows), n)), np.zeros((len(rows), n))
        for c, w in enumerate(self.cohorts):
            own = np.bincount(codes[w.block.treated], minlength=n) / len(w.block.treated) ** 2
            treated += loads[:, c, c, None] * own
            for d, v in enumerate(self.cohorts):
                shared = np.bincount(codes[w.block.control], weights=w.unit * v.unit, minlength=n)
                control += loads[:, c, d, None] * shared
        return np.array(
            [[inverse_herfindahl(t), inverse_herfindahl(np.clip(u, 0, None))] for t, u in zip(treated, control)]
        )

    def _uses(self, rows: np.ndarray) -> np.ndarray:
        """(k, C) True where a row draws on a cohort."""
        return np.column_stack([own.any(axis=1) for own in self._own(rows)])

    def _treated(self, cohorts: np.ndarray) -> np.ndarray:
        members = [w.block.treated for w, used in zip(self.cohorts, cohorts) if used]
        return np.concatenate([np.zeros(0, dtype=np.int64), *members])

    def _loads(self, rows: np.ndarray) -> np.ndarray:
        """(k, C, C) inner products over time of what the rows take of a unit's path in each cohort."""
        taken = np.stack(self._taken(rows), axis=1)
        return np.asarray(np.einsum("kct,kdt->kcd", taken, taken))

    def _taken(self, rows: np.ndarray) -> list[np.ndarray]:
        """Per cohort (k, T): what the rows take of a path's periods, time weights subtracted."""
        return [own @ w.map.T for w, own in zip(self.cohorts, self._own(rows))]

    def _own(self, rows: np.ndarray) -> list[np.ndarray]:
        """Per cohort (k, T): its columns of the rows."""
        return np.split(rows, np.cumsum([len(w.time) for w in self.cohorts])[:-1], axis=1)

    @cached_property
    def _counts(self) -> np.ndarray:
        """(2, C) treated and comparison clusters of the cohorts."""
        sides = [[len(np.unique(self.cluster[i])) for i in (w.block.treated, w.block.control)] for w in self.cohorts]
        return np.array(sides).T

    @cached_property
    def _grams(self) -> np.ndarray:
        """(C, C, G, G) working covariances of a cohort's changes without a cluster with those of another."""
        n, codes = self.n_clusters, self.codes[1]
        share = [np.bincount(codes[w.block.control], weights=w.unit, minlength=n) for w in self.cohorts]
        out = np.zeros((len(self.cohorts), len(self.cohorts), n, n))
        for c, w in enumerate(self.cohorts):
            for d, v in enumerate(self.cohorts):
                q = np.bincount(codes[w.block.control], weights=w.unit * v.unit, minlength=n)
                form = (
                    np.diag(q) - np.outer(q, share[d]) - np.outer(share[c], q) + np.outer(share[c], share[d]) * q.sum()
                )
                with np.errstate(divide="ignore", invalid="ignore"):
                    out[c, d] = form / np.outer(1 - share[c], 1 - share[d])
            size = np.bincount(codes[w.block.treated], minlength=n).astype(float)
            total = len(w.block.treated)
            with np.errstate(divide="ignore", invalid="ignore"):
                change = (np.diag(size) - np.outer(size, size) / total) / np.outer(total - size, total - size)
            out[c, c] += change
        return out
