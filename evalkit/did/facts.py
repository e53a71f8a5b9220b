"""The facts of a path before any verdict: cluster scores by rule, degrees of freedom, and who carries each row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core import EffectPath
from .fit import Fit
from .linalg import (
    Regression,
    System,
    cluster_system,
    cr1_influence,
    cr2_influence,
    cr2_weights,
    cr3_influence,
    effective_pair,
    estimable_without,
    leave_out,
    satterthwaite,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One regression's cluster sums with what every rule needs, and its share (k, p) in the path's rows."""

    system: System
    contrast: np.ndarray
    weights: np.ndarray
    inverses: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """Per row: treated and comparison clusters, effective numbers, degrees of freedom, and whether it can be tested."""

    treated: np.ndarray
    control: np.ndarray
    effective: np.ndarray
    df: np.ndarray
    estimable: np.ndarray
    reference: np.ndarray
    n_clusters: np.ndarray

    @property
    def testable(self) -> np.ndarray:
        """(k,) True with at least two treated and two comparison clusters, none of them indispensable."""
        return (self.treated >= 2) & (self.control >= 2) & self.estimable


def parts_of(fit: Fit, transform: np.ndarray) -> tuple[Part, ...]:
    """One part per regression; `transform` (k, k0) maps the fit's own rows to the path's."""
    parts, start = [], 0
    for regression in fit.regressions:
        stop = start + len(regression.contrast)
        system = cluster_system(regression)
        parts.append(
            Part(
                system=system,
                contrast=transform[:, start:stop] @ regression.contrast,
                weights=cr2_weights(system),
                inverses=leave_out(system),
            )
        )
        start = stop
    return tuple(parts)


def scores_of(parts: tuple[Part, ...], rule: str) -> np.ndarray:
    """(G, k) cluster scores of the rows, summed over the regressions they draw on."""
    out = 0.0
    for part in parts:
        influence = {
            "cr1": lambda p: cr1_influence(p.system),
            "cr2": lambda p: cr2_influence(p.system, p.weights),
            "cr3": lambda p: cr3_influence(p.system, p.inverses),
        }[rule](part)
        out = out + influence @ (part.contrast / part.system.scale).T
    return np.asarray(out)


def facts_of(path: EffectPath, fit: Fit, transform: np.ndarray, parts: tuple[Part, ...]) -> RowFacts:
    """What the router needs to know of each row of `path`."""
    uses = transform != 0
    treated = np.concatenate([r.treated for r in fit.regressions])
    control = np.concatenate([r.control for r in fit.regressions])
    treated, control = (uses.astype(int) @ treated > 0), (uses.astype(int) @ control > 0)
    k = len(path)
    df = np.full(k, np.inf)
    estimable = np.ones(k, dtype=bool)
    reference = np.ones(k, dtype=bool)
    effective = np.zeros((k, 2))
    clusters = np.zeros(k, dtype=int)
    for part in parts:
        live = part.contrast.any(axis=1)
        reference &= ~live
        clusters[live] = np.maximum(clusters[live], part.system.n_clusters)
        own = satterthwaite(part.system, part.contrast[live], part.weights)
        df[live] = np.minimum(df[live], np.where(np.isnan(own), np.inf, own))
        estimable[live] &= estimable_without(part.system, part.contrast[live], part.inverses).all(axis=0)
        for i in np.flatnonzero(live):
            effective[i] = effective_pair(part.system, part.contrast[i], treated[i], control[i])
    return RowFacts(
        treated=treated.sum(axis=1),
        control=control.sum(axis=1),
        effective=effective,
        df=df,
        estimable=estimable,
        reference=reference,
        n_clusters=clusters,
    )


def usual_vcov(fit: Fit, transform: np.ndarray) -> np.ndarray:
    """(k, k) textbook covariance σ²(X'X)⁻¹, rows independent; Poisson: σ² = 1. Outcomes are taken as independent."""
    out, start = np.zeros((len(transform), len(transform))), 0
    for r in fit.regressions:
        stop = start + len(r.contrast)
        system = cluster_system(r)
        c = transform[:, start:stop] @ r.contrast / system.scale
        rest = r.y - r.x @ (system.beta / system.scale)
        sigma = 1.0 if r.family == "poisson" else float(rest @ rest) / usual_df(fit, r)
        out += sigma * c @ system.bread @ c.T
        start = stop
    return out


def usual_df(fit: Fit, regression: Regression) -> int:
    """N − K of one regression of the fit, absorbed unit effects counted."""
    absorbed = 0 if fit.path.method == "first_difference" else len(np.unique(regression.unit)) - 1
    return len(regression.y) - regression.n_params - absorbed
