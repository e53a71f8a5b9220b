"""Replications of a synthetic estimator, all of them at once: effects (R, width) of every cohort and period.

- `jackknife`: every cluster left out with the weights kept, those of the comparison units made to add up again
  (Arkhangelsky et al. 2021, algorithm 3, by cluster): closed form;
- `placebo`: comparison units put in the place of the treated, the others their comparison (algorithm 4), each scaled by
  √(variance of the treated's contrast / of the placebo's) where units have exposure: the variance of a unit's
  contrast is a + b/exposure (`methods.md` 4), so that small units are not judged by the calm of large ones. Never
  below 1: where the largest were treated scaling down rejected a true zero in 10.6 ± 1.4 % of panels, left alone in
  2.0 % (`benchmarks/synthetic_size.csv`), for the standard error of few placebos varies more than their t allows for;
- `bootstrap`: clusters drawn with replacement (algorithm 2).

Placebo and bootstrap find weights anew, under the ridges of the estimate, at the very minimum (`simplex.minimum`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from .simplex import minimum
from .studentised import variance_model
from .synthetic_block import Block, Weighted

DRAWS = 500
"""Replications; fewer possible placebos are enumerated."""
ATTEMPTS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """effects (R, width), cohort after cohort;  enumerated: these are all there are."""

    effects: np.ndarray
    enumerated: bool = False


def jackknife(cohorts: Sequence[Weighted], cluster: np.ndarray, n_clusters: int) -> np.ndarray:
    """(G, width) effects without each cluster, NaN where a cohort has no treated or comparison weight left."""
    return np.concatenate([_without(w, cluster, n_clusters) for w in cohorts], axis=1)


def _without(w: Weighted, cluster: np.ndarray, n: int) -> np.ndarray:
    y, block = w.block.y, w.block
    treated, control = y[block.treated], y[block.control] * w.unit[:, None]
    sums, share = np.zeros((2, n, y.shape[1])), np.zeros((2, n))
    np.add.at(sums[0], cluster[block.treated], treated)
    np.add.at(sums[1], cluster[block.control], control)
    np.add.at(share[0], cluster[block.treated], 1 / len(treated))
    np.add.at(share[1], cluster[block.control], w.unit)
    left = 1 - share
    left[left < 1e-12] = np.nan
    means = (treated.mean(axis=0) - sums[0] / len(treated)) / left[0][:, None]
    return (means - (control.sum(axis=0) - sums[1]) / left[1][:, None]) @ w.map


def bootstrap(
    cohorts: Sequence[Weighted], cluster: np.ndarray, n_clusters: int, seed: int, draws: int = DRAWS
) -> Draws:
    """Clusters drawn with replacement; a draw that leaves a cohort without treated or comparison units is redrawn."""
    rng, kept = np.random.default_rng(seed), []
    for _ in range(ATTEMPTS):
        times = rng.multinomial(n_clusters, np.full(n_clusters, 1 / n_clusters), size=draws)[:, cluster]
        sound = np.ones(draws, dtype=bool)
        for block in (w.block for w in cohorts):
            sound &= times[:, block.treated].any(axis=1) & times[:, block.control].any(axis=1)
        kept.append(times[sound])
        if sum(map(len, kept)) >= draws:
            break
    times = np.concatenate(kept)[:draws]
    effects = []
    for w in cohorts:
        on = times[:, w.block.treated]
        target = on @ w.block.y[w.block.treated] / on.sum(axis=1, keepdims=True)
        effects.append(_refitted(w, times[:, w.block.control].astype(float), target)[0])
    return Draws(effects=np.concatenate(effects, axis=1))


def placebo(cohorts: Sequence[Weighted], exposure: np.ndarray | None, seed: int, draws: int = DRAWS) -> Draws:
    """Comparison units in the place of all treated at once, cohort by cohort. exposure (U,) of units or None."""
    sizes = [len(w.block.treated) for w in cohorts]
    chosen, enumerated = _placements(len(cohorts[0].block.control), sizes, seed, draws)
    donors = np.ones((len(chosen), len(cohorts[0].block.control)))
    np.put_along_axis(donors, chosen, 0.0, axis=1)
    effects, start = [], 0
    for w, size in zip(cohorts, sizes):
        placed = chosen[:, start : start + size]
        start += size
        y = w.block.y[w.block.control]
        found, unit = _refitted(w, donors, y[placed].mean(axis=1))
        if exposure is not None:
            found *= np.sqrt(_relative_variance(w, unit, placed, exposure))[:, None]
        effects.append(found)
    return Draws(effects=np.concatenate(effects, axis=1), enumerated=enumerated)


def _placements(n: int, sizes: list[int], seed: int, draws: int) -> tuple[np.ndarray, bool]:
    """(R, Σ sizes) comparison units placed, cohort after cohort: all of them where these are few."""
    if len(sizes) == 1 and comb(n, sizes[0]) <= draws:
        return np.array(list(combinations(range(n), sizes[0]))), True
    order = np.tile(np.arange(n), (draws, 1))
    return np.random.default_rng(seed).permuted(order, axis=1)[:, : sum(sizes)], False


def _relative_variance(w: Weighted, unit: np.ndarray, placed: np.ndarray, exposure: np.ndarray) -> np.ndarray:
    """(R,) how much noisier the treated's contrast is than each placebo's on account of size, at least 1.

    The variance of a unit's contrast, its mean after less its weighted past, is a + b|m|²/exposure, m the contrast over
    periods: the noise of single cells falls with size and averages out over periods, what lasts over periods does
    neither. b comes from the cells, a from what the contrasts vary beyond it. Each variance is taken relative to the
    one with equal units, so that a placebo's having fewer comparison units, which R leaves in, is left in here too.
    """
    block = w.block
    inverse, m = 1 / exposure, w.map[:, block.after].mean(axis=1)
    y = block.y[block.control]
    cells = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    b = variance_model((cells**2).mean(axis=1), inverse[block.control])[1] * float(m @ m)
    a = max(float((y @ m).var()) - b * float(inverse[block.control].mean()), 0.0)
    variance = a + b * inverse
    n, others = len(block.treated), variance[block.control]
    actual = variance[block.treated].sum() / n**2 + w.unit**2 @ others
    drawn = others[placed].sum(axis=1) / n**2 + unit**2 @ others
    alike = (1 / n + w.unit @ w.unit) / (1 / n + (unit**2).sum(axis=1))
    found = np.divide(actual, drawn * alike, out=np.ones_like(drawn), where=drawn > 0)
    return np.asarray(np.maximum(found, 1.0))


def _refitted(w: Weighted, times: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(R, T) effects and (R, N₀) unit weights, comparison units taken `times` (R, N₀), treated path target (R, T)."""
    block, scheme = w.block, w.scheme
    assert scheme is not None
    y = block.y[block.control]
    unit = _units(w, y[:, block.before], times, target[:, block.before])
    gap = target - unit @ y
    if scheme.time_ridge is not None:
        gap = gap - (_periods(w, block, times) * gap[:, block.before]).sum(axis=1, keepdims=True)
    return gap, unit


def _units(w: Weighted, past: np.ndarray, times: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(R, N₀) unit weights. A unit taken m times shares its weight among copies, so that its ridge is ζ²/m."""
    assert w.scheme is not None
    middle = past.mean(axis=0)
    past, target = past - middle, target - middle
    if w.scheme.intercept:
        past, target = (a - a.mean(axis=1, keepdims=True) for a in (past, target))
    with np.errstate(divide="ignore"):
        ridge = np.where(times > 0, past.shape[1] * w.unit_ridge**2 / times, np.inf)
    return minimum(past @ past.T, target @ past.T, ridge, w.unit)


def _periods(w: Weighted, block: Block, times: np.ndarray) -> np.ndarray:
    """(R, T₀) time weights, a comparison unit's row counting as often as it is taken."""
    past, later = block.y[np.ix_(block.control, block.before)], block.y[np.ix_(block.control, block.after)].mean(axis=1)
    middle = past.mean(axis=1)
    past, later = past - middle[:, None], later - middle
    rows, n = times.sum(axis=1), past.shape[1]
    square = (times @ (past[:, :, None] * past[:, None, :]).reshape(len(past), -1)).reshape(-1, n, n)
    mean, mean_later = times @ past / rows[:, None], times @ later / rows
    gram = square - rows[:, None, None] * mean[:, :, None] * mean[:, None, :]
    linear = times @ (past * later[:, None]) - (rows * mean_later)[:, None] * mean
    ridge = np.broadcast_to((rows * w.time_ridge**2)[:, None], linear.shape)
    return minimum(gram, linear, ridge, w.time[block.before])
