"""What inference needs of one estimation, whatever the estimator was: the `Part`.

A fit hands over one part per outcome. Each stands for `width` quantities of its own (effects, and whatever their
aggregation needs besides, such as estimated cohort shares); a path's rows are linear maps (k, width) of them. A part
answers for such rows: which covariance by which rule, how many degrees of freedom, who carries them. The router knows
nothing else, so an estimator that is a least-squares problem hands over a `Regression` and gets all of it for nothing,
and one that is not implements these eight questions.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from .components import working_gram
from .linalg import (
    Regression,
    System,
    cluster_system,
    cr1_influence,
    cr2_influence,
    cr2_loads,
    cr2_weights,
    cr3_influence,
    effective_pair,
    estimable_without,
    heavy_clusters,
    leave_out,
    leave_out_loads,
    satterthwaite,
)

RULES = ("analytic", "cr1", "cr2", "cr3")
"""Rules of a covariance. "analytic" is the estimator's own published covariance; for a regression it is "cr1"."""


@runtime_checkable
class Part(Protocol):
    """One estimation behind a path. `rows` is always (k, width); G counts all clusters of the panel."""

    @property
    def width(self) -> int:
        """Quantities that the part estimates."""

    @property
    def n_clusters(self) -> int:
        """Clusters with cells in the estimation."""

    def live(self, rows: np.ndarray) -> np.ndarray:
        """(k,) True where a row is estimated here, False for a reference (zero by construction)."""

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray | None:
        """(G, k) cluster scores with covariance = scoresᵀ scores; None where G is too large to hold them."""

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        """(k, k) covariance of the rows by the rule."""

    def df(self, rows: np.ndarray) -> np.ndarray:
        """(k,) Satterthwaite degrees of freedom; NaN where none.

        Working covariance = identity on the response, or error components where a `ClusterAlgebra` has a `working`.
        """

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        """(k,) True where the row is still identified without any one cluster."""

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        """(k, 2) numbers of treated clusters of the row and of clusters with untreated cells beside them."""

    def effective(self, rows: np.ndarray) -> np.ndarray:
        """(k, 2) effective numbers G1*, G0* (inverse Herfindahl of partial leverage)."""


MANY = 200
"""Above so many clusters their adjustments are applied to the rows asked for and never written out."""


class ClusterAlgebra:
    """Answers of a `Part` from cluster sums: `system`, contrasts `own` (width, p), `treated`, `control` (width, G).

    working (G, p, p) is the working covariance behind degrees of freedom as X_g'W_gX_g; None: identity on the response.
    """

    system: System
    working: np.ndarray | None
    own: np.ndarray
    treated: np.ndarray
    control: np.ndarray
    df_where_estimable: ClassVar[bool] = True

    @cached_property
    def weights(self) -> np.ndarray:
        """(G, p, p) CR2 adjustment."""
        return cr2_weights(self.system)

    @cached_property
    def inverses(self) -> np.ndarray:
        """(G, p, p) inverse cross products without each cluster."""
        return leave_out(self.system)

    @property
    def width(self) -> int:
        return len(self.own)

    @property
    def n_clusters(self) -> int:
        return self.system.n_clusters

    def contrast(self, rows: np.ndarray) -> np.ndarray:
        """(k, p) the rows on the unscaled coefficients."""
        return rows @ self.own

    def live(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.contrast(rows).any(axis=1))

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray:
        system, c = self.system, self.contrast(rows) / self.system.scale
        if rule not in ("cr2", "cr3") or not self._many:
            return self._influence(rule) @ c.T
        if rule == "cr2":
            return np.einsum("gkp,gp->gk", cr2_loads(system, c), system.score)
        left = system.moment.sum(axis=0) - system.moment
        own = c @ system.beta - np.einsum("gkp,gp->gk", leave_out_loads(system, c), left)
        own[~system.present] = 0.0
        return np.sqrt((system.n_clusters - 1) / system.n_clusters) * own

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        scores = self.scores(rule, rows)
        return scores.T @ scores

    def df(self, rows: np.ndarray) -> np.ndarray:
        contrast = self.contrast(rows)
        if self._many:
            loads = cr2_loads(self.system, contrast / self.system.scale)
            return satterthwaite(self.system, contrast, working=self.working, loads=loads)
        return satterthwaite(self.system, contrast, self.weights, self.working)

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        system, contrast = self.system, self.contrast(rows)
        if not self._many:
            return np.asarray(estimable_without(system, contrast, self.inverses).all(axis=0))
        none = np.zeros((1, *system.bread.shape))
        some = replace(system, gram=np.concatenate([none, system.gram[heavy_clusters(system)]]))
        return np.asarray(estimable_without(some, contrast, whole=system.total).all(axis=0))

    def without(self, contrast: np.ndarray) -> np.ndarray:
        """(G, p) (A − A_g)⁺c of a contrast (p,) in scaled columns."""
        if self._many:
            return leave_out_loads(self.system, contrast[None])[:, 0]
        return self.inverses @ contrast

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        return np.column_stack([member.sum(axis=1) for member in self._members(rows)])

    def effective(self, rows: np.ndarray) -> np.ndarray:
        treated, control = self._members(rows)
        pairs = [effective_pair(self.system, c, t, u) for c, t, u in zip(self.contrast(rows), treated, control)]
        return np.array(pairs).reshape(len(rows), 2)

    def _members(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        uses = (rows != 0).astype(int)
        return uses @ self.treated > 0, uses @ self.control > 0

    @property
    def _many(self) -> bool:
        return len(self.system.gram) > MANY

    def _influence(self, rule: str) -> np.ndarray:
        if rule == "cr2":
            return cr2_influence(self.system, self.weights)
        if rule == "cr3":
            return cr3_influence(self.system, self.inverses)
        return cr1_influence(self.system)


@dataclass(frozen=True, kw_only=True, eq=False)
class RegressionPart(ClusterAlgebra):
    """The part of a least-squares problem: algebra on its cluster sums (`linalg`)."""

    regression: Regression

    @cached_property
    def system(self) -> System:  # type: ignore[override]
        return cluster_system(self.regression)

    @cached_property
    def working(self) -> np.ndarray | None:  # type: ignore[override]
        return working_gram(self.regression, self.system)

    @property
    def own(self) -> np.ndarray:  # type: ignore[override]
        return self.regression.contrast

    @property
    def treated(self) -> np.ndarray:  # type: ignore[override]
        return self.regression.treated

    @property
    def control(self) -> np.ndarray:  # type: ignore[override]
        return self.regression.control


def part_of(source: Regression | Part) -> Part:
    """A regression as a part; a part as it is."""
    return RegressionPart(regression=source) if isinstance(source, Regression) else source
