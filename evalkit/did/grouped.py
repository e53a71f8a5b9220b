"""Two-way fixed effects on a balanced panel without covariates: units of one cohort have the same regressors.

The dummy regression then lives on C cohorts × T periods: with X_c (T, p) the within-projected regressors of a unit of
cohort c, X'X = Σ n_c X_c'X_c and X'y = Σ n_c X_c'ȳ_c. A cluster's cross product and score need only how many units of
each cohort it holds and their summed paths: clusters alike in those numbers are one type with a multiplicity, and where
every unit is its own cluster Σ s s' = X_c'(S_c + n_c r_c r_c')X_c from the cohort's cross product S_c and its mean
residual r_c. Rules, df and facts are those of `linalg`, to rounding; nothing of the size of the panel is held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np

from ..core import Design, Moments, Panel, Term
from .cells import Cells, Row, design_columns, effect_terms, within
from .fit import Layout, build_regression
from .linalg import Regression, System, cluster_system, cr2_weights, inverse_herfindahl, pseudo_inverse, squares
from .moments import cluster_types


@dataclass(frozen=True, kw_only=True, eq=False)
class GroupedPart:
    """A `Part` (see `parts`) of a regression whose design depends on cohort and period alone.

    regression  the problem on cohorts: rows √n_c X_c, one "cluster" a cohort, contrasts, memberships by cohort
    moments     of the outcome by cohort;  design (C, T, p) X_c, zero rows where the cohort has no cell
    n_obs       cells of the whole panel
    """

    regression: Regression
    moments: Moments
    design: np.ndarray
    n_obs: int
    df_where_estimable: ClassVar[bool] = True

    @cached_property
    def system(self) -> System:
        """Sums over cohorts, in scaled columns."""
        return cluster_system(self.regression)

    @cached_property
    def types(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(U, C) units by cohort, how many clusters have them, (G,) whose is which; cohorts without cells count 0."""
        kinds, many, which = cluster_types(self.moments)
        kinds = kinds * self.design.any(axis=(1, 2))
        return kinds, np.where(kinds.any(axis=1), many, 0), which

    @cached_property
    def x(self) -> np.ndarray:
        return self.design / self.system.scale

    @cached_property
    def gram(self) -> np.ndarray:
        """(U, p, p) cross product of a cluster of each type."""
        own = np.einsum("ctp,ctq->cpq", self.x, self.x, optimize=True)
        return np.einsum("uc,cpq->upq", self.types[0], own, optimize=True)

    @cached_property
    def weights(self) -> dict[str, np.ndarray]:
        """(U, p, p) what multiplies the score of a cluster of each type, by rule."""
        return {
            "cr1": np.broadcast_to(self.system.bread, self.gram.shape),
            "cr2": cr2_weights(replace(self.system, gram=self.gram)),
            "cr3": pseudo_inverse(self.system.total - self.gram),
        }

    @property
    def width(self) -> int:
        return len(self.regression.contrast)

    @property
    def n_clusters(self) -> int:
        return int(self.types[1].sum())

    def contrast(self, rows: np.ndarray) -> np.ndarray:
        """(k, p) the rows on the scaled coefficients."""
        return (rows @ self.regression.contrast) / self.system.scale

    def live(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray(self.contrast(rows).any(axis=1))

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray | None:
        m = self.moments
        if m.cell_cluster is None or m.cell_cohort is None or m.cell_n is None or m.cell_sum is None:
            return None
        score = np.zeros((m.n_clusters, self.x.shape[2]))
        for c in range(len(m.n)):
            at = m.cell_cohort == c
            np.add.at(score, m.cell_cluster[at], (m.cell_sum[at] + m.cell_n[at, None] * self._rest[c]) @ self.x[c])
        name = "cr1" if rule == "analytic" else rule
        weighted = self.weights[name] @ self.contrast(rows).T
        return np.einsum("gp,gpk->gk", score, weighted[self.types[2]], optimize=True) * self._factor(name)

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        scores = self.scores(rule, rows)
        if scores is not None:
            return scores.T @ scores
        m, name = self.moments, "cr1" if rule == "analytic" else rule
        out = np.zeros((len(rows), len(rows)))
        for c in range(len(m.n)):
            load = self.x[c] @ self.weights[name][c] @ self.contrast(rows).T
            rest = self._rest[c] @ load
            out += load.T @ m.cross[c] @ load + m.n[c] * np.outer(rest, rest)
        return out * self._factor(name) ** 2

    def df(self, rows: np.ndarray) -> np.ndarray:
        many, bread, total = self.types[1], self.system.bread, self.system.total
        out = np.full(len(rows), np.nan)
        for i, c in enumerate(self.contrast(rows)):
            r = self.weights["cr2"] @ c
            u = np.einsum("upq,uq->up", self.gram, r)
            q = u @ bread
            x, y = np.concatenate([u, q, q], axis=1), np.concatenate([q, u, -(q @ total)], axis=1)
            own, shared = np.einsum("up,up->u", u, r), np.einsum("ux,ux->u", x, y)
            square = many @ (own**2 - 2 * own * shared) + squares(x, y, many)
            if square > 0:
                out[i] = (many @ (own - shared)) ** 2 / square
        return out

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        c, rest = self.contrast(rows), self.system.total - self.gram
        lost = np.linalg.norm(c[None] - c[None] @ self.weights["cr3"] @ rest, axis=2)
        fine = lost <= 1e-6 * np.maximum(np.linalg.norm(c, axis=1), 1e-300)
        return np.asarray((fine | (self.types[1] == 0)[:, None]).all(axis=0))

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        return np.column_stack([member @ self.types[1] for member in self._members(rows)])

    def effective(self, rows: np.ndarray) -> np.ndarray:
        treated, control = self._members(rows)
        many, out = self.types[1], np.empty((len(rows), 2))
        for i, c in enumerate(self.contrast(rows) @ self.system.bread):
            share = np.einsum("p,upq,q->u", c, self.gram, c)
            apart = control[i] & ~treated[i]
            groups = (treated[i], apart if apart.any() else control[i])
            out[i] = [inverse_herfindahl(share[who], many[who]) for who in groups]
        return out

    @cached_property
    def _rest(self) -> np.ndarray:
        """(C, T) mean path of a cohort minus its fit, up to a constant a unit."""
        return self.moments.mean - self.x @ self.system.beta

    def _factor(self, rule: str) -> float:
        g = self.n_clusters
        if rule == "cr1":
            return float(np.sqrt(g / (g - 1) * (self.n_obs - 1) / (self.n_obs - self.regression.n_params)))
        return float(np.sqrt((g - 1) / g)) if rule == "cr3" else 1.0

    def _members(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(k, U) types with cells of the row, and types compared with."""
        uses, present = (rows != 0).astype(int), (self.types[0] > 0).astype(int)
        sides = (self.regression.treated, self.regression.control)
        first, second = ((uses @ side > 0) @ present.T > 0 for side in sides)
        return first, second


def grouped(
    panel: Panel, design: Design, outcome: str, layout: Layout, moments: Moments, measure: str
) -> tuple[GroupedPart, tuple[Term, ...], Cells, list[Row]]:
    """The part, the terms, and the cells and rows of the panel of cohorts (one unit each) that stands for the panel."""
    small = cohort_panel(panel, outcome, moments.cohorts, moments.mean)
    cells, rows = layout(small, design, np.ones(moments.mean.shape, dtype=bool))
    columns = design_columns(small, cells, rows, ())
    x = within(columns, cells.unit)
    wide = np.zeros((*moments.mean.shape, x.shape[1]))
    wide[cells.index] = x
    regression = cohort_regression(cells, rows, columns, moments.mean[cells.index], moments.n)
    part = GroupedPart(regression=regression, moments=moments, design=wide, n_obs=int(moments.n[cells.unit].sum()))
    return part, terms_of_units(small, cells, rows, outcome, measure, moments.n, part.types), cells, rows


def cohort_regression(cells: Cells, rows: list[Row], columns: np.ndarray, y: np.ndarray, n: np.ndarray) -> Regression:
    """The regression on the panel of cohorts: columns and y of its cells, within cohorts, times √n (C,)."""
    root = np.sqrt(n[cells.unit].astype(float))
    return build_regression(
        cells,
        rows,
        within(columns, cells.unit) * root[:, None],
        within(y, cells.unit) * root,
        np.ones(len(root)),
        n_params=columns.shape[1] + 1,
    )


def cohort_panel(panel: Panel, outcome: str, cohorts: np.ndarray, mean: np.ndarray) -> Panel:
    """A panel of one unit a cohort with the cohort's mean path, each its own cluster."""
    names = tuple(str(c) for c in cohorts)
    return replace(
        panel,
        units=names,
        outcomes={outcome: mean},
        cohort=cohorts,
        cluster=np.arange(len(names)),
        cluster_names=names,
        exposure=None,
        completeness=None,
        weight=None,
        covariates={},
        dose=None,
        strata=None,
        dropped=(),
    )


def terms_of_units(
    small: Panel,
    cells: Cells,
    rows: list[Row],
    outcome: str,
    measure: str,
    n: np.ndarray,
    types: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[Term, ...]:
    """Labels from the panel of cohorts, counts from the n (C,) units and the types of clusters behind it."""
    present, many = types[0] > 0, types[1]
    inside = np.unique(cells.unit)
    terms = effect_terms(small, cells, rows, outcome, measure, n[cells.unit].astype(float))
    out = []
    for term, row in zip(terms, rows):
        mine = np.unique(cells.unit[row.cells])
        out.append(
            replace(
                term,
                n_obs=int(n[cells.unit].sum() if row.event_time is None else n[cells.unit[row.cells]].sum()),
                n_units=int(n[inside].sum()),
                n_treated=int(n[mine].sum()),
                n_clusters=int(many @ present[:, inside].any(axis=1)),
                n_treated_clusters=int(many @ present[:, mine].any(axis=1)),
            )
        )
    return tuple(out)
