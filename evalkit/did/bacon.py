"""Goodman-Bacon decomposition: the two-way fixed-effects coefficient as a weighted mean of all its 2×2 comparisons.

With cohort shares n, shares of periods under treatment D (0 for never, 1 for always treated), each pair of groups gives
comparisons whose numerators add up to the variance of twice-demeaned treatment (Goodman-Bacon 2021, equations 7-10):

    cohort k, never treated U     n_k n_U D_k (1 − D_k)
    earlier k, later l as control n_k n_l (D_k − D_l)(1 − D_k)         periods before l starts
    later l, earlier k as control n_k n_l D_l (D_k − D_l)              periods after k started; k already treated

Where effects change over time the last kind subtracts changes of effects: its total weight says how far the coefficient
can be trusted under staggering. Always-treated units are such controls throughout. All follows from cohort means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..core import Panel, UserError
from .group_time import label_of

Kind = Literal["treated_never", "earlier_later", "later_earlier", "later_always"]
KINDS: tuple[Kind, ...] = ("treated_never", "earlier_later", "later_earlier", "later_always")


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One 2×2: cohort `treated` against `control` (None: never treated; "always" treated), its weight and estimate."""

    kind: Kind
    treated: Any
    control: Any
    weight: float
    estimate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decomposition:
    """The comparisons (weights add up to 1) and the coefficient they average to, in the outcome's unit."""

    outcome: str
    estimate: float
    comparisons: tuple[Comparison, ...]

    def tidy(self) -> pd.DataFrame:
        """One row per comparison: kind, treated, control, weight, estimate."""
        names = list(Comparison.__dataclass_fields__)
        return pd.DataFrame([[getattr(c, n) for n in names] for c in self.comparisons], columns=names)

    def by_kind(self) -> pd.DataFrame:
        """One row per kind that occurs: total weight and weighted mean estimate."""
        rows = []
        for kind in KINDS:
            here = [c for c in self.comparisons if c.kind == kind]
            if here:
                weight = sum(c.weight for c in here)
                rows.append((kind, weight, sum(c.weight * c.estimate for c in here) / weight))
        return pd.DataFrame(rows, columns=["kind", "weight", "estimate"])


def bacon(panel: Panel, outcome: str | None = None) -> Decomposition:
    """Decompose the two-way fixed-effects coefficient of all units and periods of a panel.

    panel     a rectangle without analytic weights: every unit seen in every period
    outcome   the primary one without a name
    Returns a `Decomposition`: comparisons with weights that add up to 1 and average to the coefficient. With
    never-treated units and without always-treated ones this is `did.twfe`.
    Raises UserError: did_unknown_outcome, needs_no_weights, needs_rectangle, no_treated_unit, no_comparison_unit.
    No covariates: their decomposition has other comparisons and no such reading. A description, not an estimator.
    Source: Goodman-Bacon (2021), Journal of Econometrics 225:254.
    """
    name = outcome or panel.primary
    if name not in panel.outcomes:
        raise UserError("did_unknown_outcome", outcome=[name], known=list(panel.outcomes))
    if panel.weight is not None:
        raise UserError("needs_no_weights")
    y = panel.matrix(name)
    if not np.isfinite(y.sum()):
        short = np.flatnonzero(~np.isfinite(y).all(axis=1))
        raise UserError("needs_rectangle", outcome=name, n=len(short), units=[panel.units[u] for u in short[:5]])
    start = np.minimum(panel.cohort, panel.n_periods)
    groups = np.flatnonzero(np.bincount(start, minlength=panel.n_periods + 1))
    if groups[0] == panel.n_periods or (len(groups) == 1 and groups[0] == 0):
        raise UserError("no_treated_unit", treated=int((start < panel.n_periods).sum()), always=int((start == 0).sum()))
    if len(groups) == 1:
        raise UserError("no_comparison_unit", treated=panel.n_units)
    share = np.array([(start == g).mean() for g in groups])
    means = np.array([y[start == g].mean(axis=0) for g in groups])
    found = list(_comparisons(panel, groups, share, means))
    total = sum(c.weight for c in found)
    return Decomposition(
        outcome=name,
        estimate=_coefficient(groups, share, means),
        comparisons=tuple(
            Comparison(kind=c.kind, treated=c.treated, control=c.control, weight=c.weight / total, estimate=c.estimate)
            for c in found
        ),
    )


def _comparisons(panel: Panel, groups: np.ndarray, share: np.ndarray, means: np.ndarray) -> Iterator[Comparison]:
    """All comparisons with the numerators of their weights."""
    end = panel.n_periods
    on = (end - groups) / end
    for l, later in enumerate(groups):
        for k, earlier in enumerate(groups[:l]):
            both = share[k] * share[l]
            gap = means[k] - means[l]
            if earlier > 0:
                kind: Kind = "treated_never" if later == end else "earlier_later"
                weight = both * (on[k] - on[l]) * (1 - on[k])
                estimate = gap[earlier:later].mean() - gap[:earlier].mean()
                yield _comparison(panel, kind, earlier, later, weight, estimate)
            if later < end:
                kind = "later_always" if earlier == 0 else "later_earlier"
                weight = both * on[l] * (on[k] - on[l])
                estimate = gap[earlier:later].mean() - gap[later:].mean()
                yield _comparison(panel, kind, later, earlier, weight, estimate)


def _comparison(panel: Panel, kind: Kind, treated: int, control: int, weight: float, estimate: float) -> Comparison:
    label = None if control == panel.n_periods else "always" if control == 0 else label_of(panel, int(control))
    return Comparison(
        kind=kind, treated=label_of(panel, int(treated)), control=label, weight=float(weight), estimate=float(estimate)
    )


def _coefficient(groups: np.ndarray, share: np.ndarray, means: np.ndarray) -> float:
    """Least squares of cohort means on treatment with cohort and period effects, cohorts weighing by size."""
    d = (np.arange(means.shape[1])[None] >= groups[:, None]).astype(float)
    rest = d - d.mean(axis=1, keepdims=True)
    rest = rest - share @ rest
    return float(np.sum(share[:, None] * rest * means) / np.sum(share[:, None] * rest * d))
