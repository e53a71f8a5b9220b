"""The linear structure of one row of any part: which cluster's outcomes it adds up, side by side.

A side is a group whose mean (or model) is estimated apart: a cohort, the pooled controls of a cell. To first order a
row is Σ_G Σ_s E_Gs, E_Gs = what cluster G's outcomes on side s add, and without G the side is estimated by the rest:

    score of G = Σ_s (1 − h_Gs)^−power (E_Gs − h_Gs Σ_H E_Hs),   power ½ for cr2, 1 for cr3

with h_Gs the cluster's share of the side. Enough to draw what the estimator's own test does under any errors, for parts
that are no regression (`size`, `studentised`), without re-fitting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import Panel
from .influence_part import CellCarriers, InfluencePart
from .parts import Part, RegressionPart
from .saturated import SaturatedPart


@dataclass(frozen=True, kw_only=True, eq=False)
class Sides:
    """share (G, S) h; variance (G, S) of E under independent errors of variance 1; load (G, S, T) what an error that
    all of a cluster's units share in a period adds to E, None where a part does not tell.
    """

    share: np.ndarray
    variance: np.ndarray
    load: np.ndarray | None

    def scores(self, errors: np.ndarray, power: float) -> np.ndarray:
        """(n, G) cluster scores of E (n, G, S)."""
        left = 1.0 - self.share
        factor = np.where(left > 1e-9, np.where(left > 1e-9, left, 1.0) ** -power, 0.0)
        return np.asarray(((errors - self.share * errors.sum(axis=1, keepdims=True)) * factor).sum(axis=2))

    @property
    def leverage(self) -> np.ndarray:
        """(G,) each cluster's part of the row's variance under independent errors."""
        own = self.variance.sum(axis=1)
        return np.asarray(own / own.sum())


def sides_of(part: Part, row: np.ndarray) -> Sides | None:
    """The sides of a row (width,), or None where the part does not list its clusters."""
    if isinstance(part, SaturatedPart):
        return _saturated(part, row)
    if isinstance(part, InfluencePart) and isinstance(part.carriers, CellCarriers):
        return _carried(part.carriers, row, part.influence)
    return None


def _saturated(part: SaturatedPart, row: np.ndarray) -> Sides | None:
    m = part.moments
    if m.cell_cluster is None or m.cell_cohort is None or m.cell_n is None:
        return None
    n_sides, (n_cohorts, _, n_times) = len(part.sides), part.load.shape
    own = np.zeros((n_cohorts, n_sides, n_times))
    for c in range(n_cohorts):
        np.add.at(own[c], part.side[c], row[:, None] * part.load[c])
    profile = np.zeros((m.n_clusters, n_cohorts))
    profile[m.cell_cluster, m.cell_cohort] = m.cell_n
    return Sides(
        share=profile @ part.sides.T / (part.sides @ m.n),
        variance=profile @ (own**2).sum(axis=2),
        load=np.einsum("gc,cst->gst", profile, own, optimize=True),
    )


def _carried(carriers: CellCarriers, row: np.ndarray, influence: np.ndarray | None) -> Sides | None:
    if influence is None:
        return None
    variance = np.zeros((len(influence), carriers.n_sides))
    np.add.at(variance, (carriers.cluster, carriers.side), carriers.cells(row[None])[:, 0])
    total = variance.sum(axis=0)
    return Sides(share=variance / np.where(total > 0, total, 1.0), variance=variance, load=None)


@dataclass(frozen=True, kw_only=True, eq=False)
class Response:
    """A row as Σ load · outcome over units that are clusters of their own, seen in every period.

    load (U, T);  units (U,), times (T,) their places in the panel;  treated (U,) units treated in the row
    """

    load: np.ndarray
    units: np.ndarray
    times: np.ndarray
    treated: np.ndarray

    @property
    def at(self) -> tuple[np.ndarray, ...]:
        """Index of the cells in an (N, T) array."""
        return np.ix_(self.units, self.times)


def response_of(part: Part, panel: Panel, row: np.ndarray) -> Response | None:
    """Weights of a row on every unit's path; None where clusters hold several units or cells are missing."""
    if isinstance(part, RegressionPart):
        return _regression_response(part, row)
    sides = sides_of(part, row)
    codes, position = np.unique(panel.cluster, return_inverse=True)
    if sides is None or sides.load is None or len(codes) != panel.n_units:
        return None
    if sides.load.shape[2] != panel.n_periods:
        return None
    load = sides.load.sum(axis=1)[position]
    units = np.flatnonzero(load.any(axis=1))
    return Response(
        load=load[units], units=units, times=np.arange(panel.n_periods), treated=panel.cohort[units] < panel.n_periods
    )


def _regression_response(part: RegressionPart, row: np.ndarray) -> Response | None:
    r, system = part.regression, part.system
    units, times = np.unique(r.unit), np.unique(r.time)
    if len(r.y) != len(units) * len(times) or len(np.unique(r.cluster)) != len(units):
        return None
    m = system.bread @ (part.contrast(row[None])[0] / system.scale)
    load = (r.x / system.scale @ m * r.root).reshape(len(units), len(times))
    member = np.asarray((row != 0).astype(int) @ r.treated > 0)
    return Response(load=load, units=units, times=times, treated=member[r.cluster[:: len(times)]])
