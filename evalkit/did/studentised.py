"""Studentised randomisation p-values, shown beside the interval where degrees of freedom are below 4.

Null residual paths of the unweighted (log-rate) model, divided by √(a + b/exposure), are shuffled over units with
random signs, rescaled to the unit they land on, and the CR2 t of the reported estimator is computed on each. It is
model-based: the variance of a unit depends on its size only. Size 5 % where that holds, 10-12 % where treated units
are twice as noisy or the biggest the noisiest (`methods.md` 1); it never raises the level of evidence.
"""

from __future__ import annotations

import numpy as np

from ..core import Design, Panel
from .facts import Share
from .fit import Fit
from .linalg import Regression, cluster_system, cr2_weights
from .parts import RegressionPart
from .rates import log_rate
from .sides import Sides, response_of, sides_of
from .twfe import LOG_RATE

DRAWS = 999


def p_values(panel: Panel, fit: Fit, shares: tuple[Share, ...], rows: np.ndarray, design: Design) -> np.ndarray:
    """(k,) two-sided p of the path's rows, (1 + #{|t*| ≥ |t|}) / (n + 1), from `design.seed`; NaN where not asked for.

    rows (k,) True where asked for. NaN also where clusters hold several units, the cells are not a full rectangle, a
    row mixes outcomes, or a part does not tell its linear structure (`sides`).
    """
    out, start = np.full(len(rows), np.nan), 0
    mixed = np.sum([share.live for share in shares], axis=0)
    for share in shares:
        asked = np.flatnonzero(rows & share.live & (mixed == 1))
        if asked.size:
            out[asked] = _of_share(panel, fit, share, asked, fit.path.terms[start].outcome, design)
        start = min(start + share.part.width, len(fit.path.terms) - 1)
    return out


def _of_share(panel: Panel, fit: Fit, share: Share, asked: np.ndarray, outcome: str, design: Design) -> np.ndarray:
    if isinstance(share.part, RegressionPart):
        r = share.part.regression
        if not _rectangular(r):
            return np.full(len(asked), np.nan)
        contrast = share.part.contrast(share.rows[asked])
        return _of_regression(panel, fit, r, contrast, outcome, design, DRAWS)
    return np.array([_of_sides(panel, fit, share, row, outcome, design) for row in share.rows[asked]])


def _rectangular(r: Regression) -> bool:
    units = len(np.unique(r.unit))
    return len(r.y) == units * len(np.unique(r.time)) and len(np.unique(r.cluster)) == units


def _of_sides(panel: Panel, fit: Fit, share: Share, row: np.ndarray, outcome: str, design: Design) -> float:
    response, sides = response_of(share.part, panel, row), sides_of(share.part, row)
    if response is None or sides is None or sides.load is None:
        return float("nan")
    paths, spread = null_paths(panel, fit, outcome, response.at)
    if not np.isfinite(paths).all():
        return float("nan")
    here = np.unique(panel.cluster, return_inverse=True)[1][response.units]
    load = sides.load[here]
    kept = Sides(share=sides.share[here], variance=sides.variance[here], load=load)
    drawn = _shuffled(paths / spread, DRAWS, design.seed) * spread
    errors = np.einsum("ngt,gst->ngs", np.concatenate([paths[None], drawn]), load, optimize=True)
    t = np.abs(errors.sum(axis=(1, 2))) / np.sqrt((kept.scores(errors, 0.5) ** 2).sum(axis=1))
    return float((t >= t[0] * (1 - 1e-10)).mean())


def _of_regression(
    panel: Panel, fit: Fit, r: Regression, contrast: np.ndarray, outcome: str, design: Design, n: int
) -> np.ndarray:
    units, times = np.unique(r.unit), np.unique(r.time)
    shape = (len(units), len(times))
    paths, spread = null_paths(panel, fit, outcome, np.ix_(units, times))
    if not np.isfinite(paths).all():
        return np.full(len(contrast), np.nan)
    system, position = cluster_system(r), r.cluster[:: len(times)]
    gram, weights = system.gram[position], cr2_weights(system)[position]
    x = (r.x / system.scale).reshape(*shape, -1)
    load = x * (r.root.reshape(shape) * spread)[:, :, None]
    actual = (x * r.y.reshape(shape)[:, :, None]).sum(axis=1)
    drawn = np.einsum("dgt,gtp->dgp", _shuffled(paths / spread, n, design.seed), load, optimize=True)
    moment = np.concatenate([actual[None], drawn])
    beta = moment.sum(axis=1) @ system.bread
    score = moment - np.einsum("gij,dj->dgi", gram, beta, optimize=True)
    out = np.empty(len(contrast))
    for k, c in enumerate(contrast / system.scale):
        t = np.abs(beta @ c) / np.sqrt((np.einsum("dgi,gi->dg", score, weights @ c) ** 2).sum(axis=1))
        out[k] = (t >= t[0] * (1 - 1e-10)).mean()
    return out


def null_paths(panel: Panel, fit: Fit, outcome: str, at: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(U, T) two-way demeaned paths of the log rate (or level) and their modelled standard deviation."""
    logged = fit.path.is_count and panel.exposure is not None
    y = (log_rate(panel, outcome) if logged else panel).matrix(outcome)[at]
    r = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0, keepdims=True) + y.mean()
    if panel.exposure is None or not (logged or panel.outcome_unit == LOG_RATE):
        return r, np.ones_like(r)
    inverse = 1 / panel.exposure[at]
    a, b = variance_model((r**2).mean(axis=1), inverse.mean(axis=1))
    return r, np.sqrt(a + b * inverse)


def variance_model(v: np.ndarray, inverse: np.ndarray) -> tuple[float, float]:
    """Non-negative least squares of v on (1, inverse)."""
    z = np.column_stack([np.ones_like(v), inverse / inverse.mean()])
    both = np.linalg.lstsq(z, v, rcond=None)[0]
    choices = (
        [both] if (both >= 0).all() else [np.array([v.mean(), 0.0]), np.array([0.0, z[:, 1] @ v / (z[:, 1] @ z[:, 1])])]
    )
    best = min(choices, key=lambda ab: float(((v - z @ ab) ** 2).sum()))
    return float(best[0]), float(best[1] / inverse.mean())


def _shuffled(paths: np.ndarray, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.tile(np.arange(len(paths)), (n, 1)), axis=1)
    signs = rng.choice([-1.0, 1.0], size=order.shape)
    return paths[order] * signs[:, :, None]
