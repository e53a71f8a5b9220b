"""The part of a model of `wide`: full cluster algebra where that is small, otherwise in one step (`wide_steps`).

In full: cluster sums of W, r and P'diag(m²)P give a `System` and with it every rule exactly as for a regression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .components import components
from .linalg import System, pseudo_inverse
from .parts import ClusterAlgebra, Part
from .wide import ALGEBRA
from .wide_steps import one_step
from .wide_sums import Wide, cell_sums, listed_sums, members_of


@dataclass(frozen=True, kw_only=True, eq=False)
class SystemPart(ClusterAlgebra):
    """The part of cluster sums that are already there. own (width, p) contrasts, treated and control (width, G)."""

    system: System
    own: np.ndarray
    treated: np.ndarray
    control: np.ndarray
    working: np.ndarray | None = None


def wide_part(wide: Wide) -> Part:
    """The part of the model, in full or in one step."""
    reader, p = wide.reader, wide.columns.width
    clusters = len(np.unique(reader.cells[0])) if reader.listed else len(reader.order)
    return _full(wide) if reader.listed and clusters * p**3 <= ALGEBRA else one_step(wide)


def _full(wide: Wide) -> SystemPart:
    reader, x = wide.reader, wide.columns.columns
    cluster, cohort = reader.cells
    gram, second, score, seen = listed_sums(wide)
    g, p = reader.n_clusters, wide.columns.width
    scale = np.sqrt(np.einsum("pp->p", _by_cluster(gram, x, cohort, cluster, g).sum(axis=0)).clip(0))
    scale = np.where(scale > 1e-9 * scale.max(), scale, 1.0)
    grams = _by_cluster(gram, x / scale, cohort, cluster, g)
    weighted = _by_cluster(second, x / scale, cohort, cluster, g)
    scores = np.zeros((g, p))
    np.add.at(scores, cluster, np.einsum("jt,jtp->jp", score, (x / scale)[cohort]))
    beta = wide.beta * scale
    system = System(
        scale=scale,
        beta=beta,
        bread=pseudo_inverse(grams.sum(axis=0)),
        gram=grams,
        gram_weighted=weighted,
        moment=scores + grams @ beta,
        score=scores,
        n_obs=wide.n_obs,
        n_params=wide.n_params,
        n_clusters=int(grams.any(axis=(1, 2)).sum()),
    )
    return SystemPart(
        system=system,
        own=wide.contrast,
        treated=members_of(wide.treated, seen, cluster, cohort, g),
        control=members_of(wide.control, seen, cluster, cohort, g),
        working=_working(wide, system, gram) if wide.counts and wide.n_units > system.n_clusters else None,
    )


def _working(wide: Wide, system: System, gram: np.ndarray) -> np.ndarray:
    """(G, p, p) X_g'W_gX_g by `components`; a shock shared in one period loads on a cell's columns through W."""
    reader, x = wide.reader, wide.columns.columns / system.scale
    cluster, cohort = reader.cells
    load = np.zeros((reader.n_clusters, reader.n_periods, x.shape[2]))
    np.add.at(load, cluster, np.einsum("jts,jsp->jtp", gram, x[cohort]))
    found = components(cell_sums(wide))
    return found.working(np.swapaxes(load, 1, 2) @ load, system.gram_weighted, system.gram)


def _by_cluster(t_by_t: np.ndarray, x: np.ndarray, cohort: np.ndarray, cluster: np.ndarray, g: int) -> np.ndarray:
    out = np.zeros((g, x.shape[2], x.shape[2]))
    for j in range(len(cohort)):
        own = x[cohort[j]]
        out[cluster[j]] += own.T @ t_by_t[j] @ own
    return out
