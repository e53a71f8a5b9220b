"""Placebo ranks and permutation p-values: the estimator re-fitted with treatment given to other clusters.

A rank of |estimate| among all placements is a description unless treatment was assigned at random (within
`Panel.strata` where it was assigned within strata): only then is the share of placements at least as extreme an exact
p-value (MacKinnon & Webb 2020, J. Econometrics 218:435, on why it fails with unequal clusters otherwise). With one
treated of G clusters the smallest attainable p is 1/G.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from math import comb

import numpy as np

from ..core import Design, EffectPath, Panel, UserError
from .registry import fit_of

LIMIT = 499
"""Placements that are tried at most; fewer possible ones are enumerated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placebos:
    """estimates (n, k0) of the estimator's own rows, the actual assignment first; enumerated = all placements."""

    estimates: np.ndarray
    enumerated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """rank 1 = the actual estimate is the most extreme of n placements; p_value = share at least as extreme."""

    rank: int
    n: int
    p_value: float
    enumerated: bool


def placebos(panel: Panel, method: str, design: Design) -> Placebos | None:
    """Re-fit a registered estimator under other placements of the treated clusters' start dates.

    None where units of one cluster start at different times (the placement is then not a cluster's) or where fewer
    than three placements could be fitted. Placements that identify no effect are left out.
    """
    by_cluster = _cluster_cohorts(panel)
    if by_cluster is None:
        return None
    cohorts, position = by_cluster
    actual = _own(fit_of(method, panel, design).path)
    found = [actual]
    draws, enumerated = _placements(cohorts, _cluster_strata(panel, position), design.seed)
    for placement in draws:
        moved = replace(panel, cohort=placement[position])
        try:
            estimate = _own(fit_of(method, moved, design).path)
        except UserError:
            continue
        if estimate.shape == actual.shape and np.isfinite(estimate).any():
            found.append(estimate)
    return Placebos(estimates=np.array(found), enumerated=enumerated) if len(found) > 2 else None


def _own(path: EffectPath) -> np.ndarray:
    """(k0,) the fit's own quantities; estimated weights of aggregates are 0, so that rows keep the actual weights."""
    return path.estimate if path.transform is None else path.transform.T @ path.estimate


def rank_of(found: Placebos | None, weights: np.ndarray) -> Rank | None:
    """Rank of the row `weights` @ estimates among the placements; None where the row has no finite value itself."""
    if found is None:
        return None
    live = weights != 0
    value = np.abs(found.estimates[:, live] @ weights[live])
    if not np.isfinite(value[0]):
        return None
    value = value[np.isfinite(value)]
    extreme = int((value >= value[0] * (1 - 1e-10)).sum())
    return Rank(rank=extreme, n=len(value), p_value=extreme / len(value), enumerated=found.enumerated)


def _cluster_cohorts(panel: Panel) -> tuple[np.ndarray, np.ndarray] | None:
    codes, position = np.unique(panel.cluster, return_inverse=True)
    low = np.full(len(codes), np.iinfo(np.int64).max)
    high = np.zeros(len(codes), dtype=np.int64)
    np.minimum.at(low, position, panel.cohort)
    np.maximum.at(high, position, panel.cohort)
    return (high, position) if (low == high).all() else None


def _cluster_strata(panel: Panel, position: np.ndarray) -> np.ndarray:
    out = np.zeros(position.max() + 1, dtype=np.int64)
    if panel.strata is not None:
        out[position] = np.unique(panel.strata, return_inverse=True)[1]
    return out


def _placements(cohorts: np.ndarray, strata: np.ndarray, seed: int) -> tuple[list[np.ndarray], bool]:
    """Other assignments of the clusters' cohorts: all where one start date and few, else random without the actual."""
    treated = np.flatnonzero(cohorts != cohorts.max())
    one_date = len(np.unique(cohorts[treated])) == 1 and not strata.any()
    if one_date and comb(len(cohorts), len(treated)) <= LIMIT + 1:
        out = []
        for chosen in combinations(range(len(cohorts)), len(treated)):
            placement = np.full_like(cohorts, cohorts.max())
            placement[list(chosen)] = cohorts[treated[0]]
            if (placement != cohorts).any():
                out.append(placement)
        return out, True
    rng = np.random.default_rng(seed)
    return [_shuffled(cohorts, strata, rng) for _ in range(LIMIT)], False


def _shuffled(cohorts: np.ndarray, strata: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    out = cohorts.copy()
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        out[here] = cohorts[rng.permutation(here)]
    return out
