"""A covariance of event-study coefficients from control clusters alone, where treated ones are too few to carry one.

The error of a treated cluster's path is taken to be like that of a control cluster up to its size: variance
a + b/size, fitted on the controls (Ferman and Pinto 2019, Review of Economics and Statistics 101:452). With D_g the map
from a treated cluster's path to its share in the event-time contrasts (clusters alike), and Ω the residual covariance
of the controls at unit variance,

    Σ = Σ_g h_g D_g Ω D_g' + D̄ (Σ_c h_c Ω / G0²) D̄',   D̄ = Σ_g D_g.

Approximate: it trusts that only size makes clusters differ in noise.
"""

from __future__ import annotations

import numpy as np

from ...core import Design, Panel


def control_paths_vcov(
    panel: Panel, design: Design, outcome: str, event_time: tuple[int, ...], reference: int
) -> tuple[np.ndarray, float] | str:
    """(k, k) covariance of the coefficients at `event_time` and its degrees of freedom G0 − 1; or why there is none.

    For linear outcomes (levels, log rates) in balanced panels where a cluster starts at one time and some clusters
    never start. Otherwise a message key "honest.refused.…".
    """
    y = panel.matrix(outcome)
    cohort = np.minimum(panel.cohort, panel.n_periods)
    codes, position = np.unique(panel.cluster, return_inverse=True)
    start = np.array([_only(cohort[position == g]) for g in range(len(codes))])
    if not np.isfinite(y).all() or (start < 0).any() or design.selection_window is not None:
        return "honest.refused.control_paths_design"
    weight = np.ones_like(y) if panel.weight is None else panel.weight
    total = _sums(weight, position, len(codes))
    path = _sums(y * weight, position, len(codes)) / total
    controls = start >= panel.n_periods
    free = int(controls.sum()) - 1
    if free <= len(event_time):
        return "honest.refused.few_controls"
    size = (total if panel.exposure is None else _sums(panel.exposure, position, len(codes))).mean(axis=1)
    residual = path[controls] - path[controls].mean(axis=0)
    residual = residual - residual.mean(axis=1, keepdims=True)
    level = _levels((residual**2).mean(axis=1), size[controls], size)
    unit = residual / np.sqrt(level[controls])[:, None]
    omega = unit.T @ unit / free
    maps = _contrasts(start[~controls], event_time, reference, panel.n_periods)
    treated = np.einsum("gkt,ts,gls,g->kl", maps, omega, maps, level[~controls])
    mean = maps.sum(axis=0)
    vcov = treated + mean @ omega @ mean.T * level[controls].sum() / controls.sum() ** 2
    return vcov, float(free)


def _only(values: np.ndarray) -> int:
    return int(values[0]) if (values == values[0]).all() else -1


def _sums(values: np.ndarray, position: np.ndarray, n: int) -> np.ndarray:
    out = np.zeros((n, values.shape[1]))
    np.add.at(out, position, values)
    return out


def _levels(variance: np.ndarray, size: np.ndarray, all_sizes: np.ndarray) -> np.ndarray:
    """(G,) a + b/size with a, b ≥ 0 by least squares of the controls' variances on 1/size."""
    x = np.column_stack([np.ones(len(size)), 1 / size])
    candidates = [np.linalg.lstsq(x, variance, rcond=None)[0]]
    candidates += [np.array([variance.mean(), 0.0]), np.array([0.0, variance @ x[:, 1] / (x[:, 1] @ x[:, 1])])]
    allowed = [c for c in candidates if (c >= 0).all()]
    best = min(allowed, key=lambda c: float(((x @ c - variance) ** 2).sum()))
    return np.asarray(best[0] + best[1] / all_sizes)


def _contrasts(start: np.ndarray, event_time: tuple[int, ...], reference: int, n_periods: int) -> np.ndarray:
    """(G1, k, T) maps from a cluster's path to its share in each contrast."""
    at = start[:, None] + np.array(event_time)
    base = start + reference
    there = (at >= 0) & (at < n_periods) & (base >= 0)[:, None]
    maps = np.zeros((len(start), len(event_time), n_periods))
    g, k = np.nonzero(there)
    maps[g, k, at[g, k]] = 1.0
    maps[g, k, base[g]] -= 1.0
    return maps / np.maximum(there.sum(axis=0), 1)[None, :, None]
