"""The simulated size of the very design: how often its own test rejects a true zero at 5 %.

Errors of the model's working response are drawn per cluster: a common AR(1) path plus independent cell noise of
variance 1/weight, with the share and persistence estimated from the residuals, then passed through the cluster sums of
the actual design. Four scenarios: every cluster alike, treated clusters with twice the standard deviation, and
standard deviations that fall (size^−0.35) or rise (size^0.25) with size. A description, not a gate: where CR1 truly
rejected 10 % such a simulation said ≤ 7 % in 36-64 % of data sets (`methods.md` 1). Where the estimator is no
regression its linear structure stands in (`sides`): independent normal errors, to first order its jackknife scores.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ..core import Design, Panel
from .facts import Share, shares_of
from .linalg import Regression, System
from .parts import ClusterAlgebra, Part, RegressionPart
from .registry import fit_of
from .sides import sides_of

GRADIENTS = {"sd_falls_with_size": -0.35, "sd_rises_with_size": 0.25}
DRAWS = 400
BLOCK = 2_000_000
"""Normal numbers drawn at a time."""
Errors = tuple[float, float, float]
"""Variance of a cluster's common path, of cell noise × weight, and the path's autocorrelation."""


def simulated_size(
    panel: Panel, design: Design | None = None, *, estimator: str = "twfe", n: int = 1_000
) -> dict[str, float]:
    """Rejection rate at 5 % of the headline rule (CR3, Satterthwaite df) under a true zero, by scenario.

    Of the first effect of a registered estimator; n draws from `design.seed`; Monte Carlo error √(.05·.95/n).
    Returns fractions by scenario ("treated_sd_1", "treated_sd_2", "sd_falls_with_size", "sd_rises_with_size").
    Raises UserError("did_unknown_method"), and whatever the estimator raises.
    A description of the design, never a gate, and its critical values are not used.
    """
    design = design or Design()
    fit = fit_of(estimator, panel, design)
    own = np.eye(len(fit.path)) if fit.path.transform is None else np.asarray(fit.path.transform)
    return scenarios(shares_of(fit, own), 0, design, panel, n)


def scenarios(shares: tuple[Share, ...], row: int, design: Design, panel: Panel, n: int = DRAWS) -> dict[str, float]:
    """Rejection rates of a row of the path by scenario; empty where it mixes outcomes or its part tells too little."""
    live = [share for share in shares if share.live[row]]
    if len(live) != 1:
        return {}
    part, weights = live[0].part, live[0].rows[row]
    if isinstance(part, ClusterAlgebra):
        return _rates(part, weights, design, panel, n)
    return _part_rates(part, weights, design, panel, n)


def _part_rates(part: Part, row: np.ndarray, design: Design, panel: Panel, n: int) -> dict[str, float]:
    """Of a part that is no regression: independent errors on its sides, through its jackknife scores (`sides`)."""
    sides, df = sides_of(part, row), float(part.df(row[None])[0])
    if sides is None or not df > 0:
        return {}
    size, treated = _panel_clusters(panel)
    present = np.asarray(sides.variance.any(axis=1))
    draws = np.random.default_rng(design.seed).standard_normal((n, *sides.variance.shape)) * np.sqrt(sides.variance)
    critical, g = float(stdtrit(df, 0.975)), int(present.sum())
    out = {}
    for name, spread in _spreads(treated, size, present).items():
        errors = draws * spread[None, :, None]
        se = np.sqrt((g - 1) / g * (sides.scores(errors, 1.0) ** 2).sum(axis=1))
        out[name] = float((np.abs(errors.sum(axis=(1, 2))) > critical * se).mean())
    return out


def _panel_clusters(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """(G,) exposure of a cluster, or its number of cells where there is none; and whether it holds a treated unit."""
    codes, position = np.unique(panel.cluster, return_inverse=True)
    cells = np.ones((panel.n_units, panel.n_periods)) if panel.exposure is None else np.nan_to_num(panel.exposure)
    size = np.bincount(position, cells.sum(axis=1), minlength=len(codes))
    return np.where(size > 0, size, 1.0), np.bincount(position, panel.ever_treated, minlength=len(codes)) > 0


def _rates(part: ClusterAlgebra, row: np.ndarray, design: Design, panel: Panel, n: int) -> dict[str, float]:
    """Of cluster sums: the regression's own error components where its cells are there, cell noise alone otherwise."""
    system, contrast = part.system, part.contrast(row[None])
    c = contrast[0] / system.scale
    if isinstance(part, RegressionPart):
        r = part.regression
        position = np.unique(r.time, return_inverse=True)[1]
        residual = r.y - r.x / system.scale @ system.beta
        errors = error_components(residual, r.root, r.cluster, position, r.n_clusters, counts=r.family == "poisson")
        factors = _factors(r, system, errors)
        cells = np.ones(len(r.y)) if panel.exposure is None else panel.exposure[r.unit, r.time]
        size = np.bincount(r.cluster, cells, minlength=r.n_clusters)
    else:
        factors = [(_noise_root(system), 0.0)]
        size = _panel_clusters(panel)[0]
    critical = float(stdtrit(float(part.df(row[None])[0]), 0.975))
    treated = np.asarray((row != 0).astype(int) @ part.treated > 0)
    present, without = system.present, part.without(c)
    spreads = _spreads(treated, size, present)
    totals, own = _projected(factors, np.stack(list(spreads.values())), without, design.seed, n)
    return {
        name: _rejection(total, own * spread, system.bread @ c, without, present, critical)
        for total, (name, spread) in zip(totals, spreads.items())
    }


def _projected(
    factors: list[tuple[np.ndarray, float]], spreads: np.ndarray, without: np.ndarray, seed: int, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """(S, n, p) Σ_g spread_g m_g and (n, G) m_g'without_g of draws m_g = Σ factor_g'z_g, with AR(1) z of this
    persistence; some draws at a time.

    factors  ((G, q, p), persistence);  spreads (S, G);  without (G, p)
    """
    rng, (g, p) = np.random.default_rng(seed), without.shape
    totals, own = np.zeros((len(spreads), n, p)), np.zeros((n, g))
    for factor, rho in factors:
        pulled = np.matmul(factor, without[:, :, None])[:, :, 0]
        wide = (factor[None] * spreads[:, :, None, None]).reshape(len(spreads), -1, p)
        step = max(1, BLOCK // (g * factor.shape[1]))
        for start in range(0, n, step):
            at = slice(start, min(start + step, n))
            z = _autoregressive(rng.standard_normal((at.stop - start, *factor.shape[:2])), rho)
            own[at] += np.einsum("dgq,gq->dg", z, pulled)
            totals[:, at] += z.reshape(len(z), -1) @ wide
    return totals, own


def _spreads(treated: np.ndarray, size: np.ndarray, present: np.ndarray) -> dict[str, np.ndarray]:
    relative = np.where(present, size, 1.0)
    relative = np.where(present, relative / np.exp(np.log(relative[present]).mean()), 1.0)
    out = {"treated_sd_1": np.ones(len(size)), "treated_sd_2": np.where(treated, 2.0, 1.0)}
    return out | {name: relative**power for name, power in GRADIENTS.items()}


def _rejection(
    total: np.ndarray, own: np.ndarray, whole: np.ndarray, without: np.ndarray, present: np.ndarray, critical: float
) -> float:
    """Share of draws with |CR3 t| above the critical value; total (n, p), own (n, G) as in `_projected`."""
    estimate = total @ whole
    left = total @ without.T - own
    g = present.sum()
    se = np.sqrt((g - 1) / g * ((estimate[:, None] - left)[:, present] ** 2).sum(axis=1))
    return float((np.abs(estimate) > critical * se).mean())


def null_moments(r: Regression, system: System, errors: Errors, seed: int, n: int) -> np.ndarray:
    """(n, G, p) draws of X_g'y_g under the null: AR(1) path of the cluster plus cell noise, through the design."""
    rng, out = np.random.default_rng(seed), np.zeros((n, *system.score.shape))
    for factor, rho in _factors(r, system, errors):
        z = _autoregressive(rng.standard_normal((n, *factor.shape[:2])), rho)
        out += np.einsum("dgt,gtp->dgp", z, factor, optimize=True)
    return out


def _factors(r: Regression, system: System, errors: Errors) -> list[tuple[np.ndarray, float]]:
    """(G, q, p) factors of X_g'y_g and the persistence of what they multiply: the cluster's path, then cell noise."""
    times, position = np.unique(r.time, return_inverse=True)
    shock, noise, rho = errors
    loading = np.zeros((r.n_clusters, len(times), r.x.shape[1]))
    np.add.at(loading, (r.cluster, position), r.x / system.scale * r.root[:, None])
    own = [(np.sqrt(noise) * _noise_root(system), 0.0)] if noise > 0 else []
    return [(np.sqrt(shock) * loading, rho), *own]


def _noise_root(system: System) -> np.ndarray:
    """(G, p, p) root of X_g'X_g, the covariance of X_g'y_g under independent noise of variance 1/weight."""
    values, vectors = np.linalg.eigh(system.gram)
    return np.swapaxes(vectors * np.sqrt(np.clip(values, 0, None))[:, None, :], 1, 2)


def _autoregressive(z: np.ndarray, rho: float) -> np.ndarray:
    """Independent normal z (n, G, T) made a stationary AR(1) path over the last axis, in place."""
    for t in range(1, z.shape[2]) if rho else ():
        z[:, :, t] = rho * z[:, :, t - 1] + np.sqrt(1 - rho**2) * z[:, :, t]
    return z


def error_components(
    residual: np.ndarray, root: np.ndarray, cluster: np.ndarray, position: np.ndarray, n_clusters: int, *, counts: bool
) -> Errors:
    """Variance of the cluster's common path, variance of cell noise × weight, and first-order autocorrelation.

    residual (n,) weighted by root (n,) = √weight; position (n,) of the period. By moments of the residual sums over a
    cluster's cells of one period; counts have noise 1.
    """
    n_times = position.max() + 1
    cell = cluster * n_times + position
    shape = (n_clusters, n_times)

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(cell, values, minlength=shape[0] * shape[1]).reshape(shape)

    total, weight, count = sums(residual * root), sums(root**2), sums(np.ones_like(residual))
    spare = np.maximum(count - 1, 0).sum()
    if counts:
        noise = 1.0
    elif spare > 0:
        average = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
        noise = float(((residual - average[cluster, position] * root) ** 2).sum() / spare)
    else:
        noise = 0.0
    shock = max(0.0, float((total**2).sum() - noise * weight.sum()) / float((weight**2).sum()))
    return (shock, noise, _autocorrelation(total)) if shock + noise > 0 else (1.0, 0.0, 0.0)


def _autocorrelation(paths: np.ndarray) -> float:
    """Pooled lag-1 autocorrelation with the usual small-T correction (1 + 3ρ)/T, within [0, 0.95]."""
    square = float((paths**2).sum())
    raw = float((paths[:, 1:] * paths[:, :-1]).sum()) / square if square > 0 else 0.0
    return float(np.clip(raw + (1 + 3 * raw) / paths.shape[1], 0.0, 0.95))
