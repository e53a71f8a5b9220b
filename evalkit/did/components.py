"""Working covariance of counts whose units nest in clusters (firms of a batch): error components from the residuals.

Where a cluster is one unit (a city), the house's working covariance is the identity on the response (`methods.md` 1).
Firms of a batch differ in size by orders of magnitude: the identity takes every firm's response as equally noisy, so
the few largest alone set the degrees of freedom and the test hardly ever rejects. Of counts more is known. The working
response z of cell (i, t) of cluster g, weight μ, has

    Var(z_it) = ω² + τ² + 1/μ_it,    Cov(z_it, z_jt) = τ²   (i ≠ j in g),

τ² a shock that the cluster's units share in a period, ω² a unit's own (over-dispersion), 1/μ Poisson noise; a unit's
constant level drops out with the unit effects. By moments of the weighted residuals e = μ(z − ẑ), not below zero:

    τ̂² = Σ_gt [(Σ_i e)² − Σ_i e²] / Σ_gt [(Σ_i μ)² − Σ_i μ²],    ω̂² = (Σ e² − Σ μ) / Σ μ² − τ̂²,

so X_g'W_gX_g = τ̂² (shared) + ω̂² (identity) + X_g'X_g. Only ratios of the three matter for degrees of freedom. With one
unit a cluster τ² and ω² can't be told apart and the identity stands. Size and coverage beside the identity:
`benchmarks/firm_batches.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .linalg import Regression, System, cluster_sums, shared_gram


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """Variances of the response: shared by a cluster's units in a period, a unit's own; Poisson noise 1/μ has 1."""

    shared: float
    own: float

    def working(self, shared: np.ndarray, identity: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """(G, p, p) X_g'W_gX_g from those of the three components alone."""
        return self.shared * shared + self.own * identity + noise


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSums:
    """Over the cells of a cluster in a period: Σe, Σμ (any shape);  over all: Σe², Σμ²."""

    residual: np.ndarray
    weight: np.ndarray
    residual_square: float
    weight_square: float


def components(sums: CellSums) -> Components:
    """Moments of the residuals as in the module's head."""
    pairs = float((sums.weight**2).sum()) - sums.weight_square
    crossed = float((sums.residual**2).sum()) - sums.residual_square
    shared = max(0.0, crossed / pairs) if pairs > 0 else 0.0
    total = (sums.residual_square - float(sums.weight.sum())) / sums.weight_square
    return Components(shared=shared, own=max(0.0, total - shared))


def nested(unit: np.ndarray, cluster: np.ndarray) -> bool:
    """True where some cluster holds several units."""
    return len(np.unique(unit)) > len(np.unique(cluster))


def within_units(r: Regression) -> bool:
    """True where unit effects are projected out of the design: every unit's weighted sum is zero."""
    sums = cluster_sums(r.x * r.root[:, None], np.unique(r.unit, return_inverse=True)[1], len(np.unique(r.unit)))
    return bool(np.abs(sums).max(initial=0.0) <= 1e-6 * np.abs(r.x).sum(axis=0).max(initial=0.0))


def working_gram(regression: Regression, system: System) -> np.ndarray | None:
    """(G, p, p) X_g'W_gX_g of a Poisson fit with several units a cluster; None where the identity stands.

    The identity also stands where units have no effects of their own in the model: their levels would be noise too.
    """
    r = regression
    if r.family != "poisson" or not nested(r.unit, r.cluster) or not within_units(r):
        return None
    weight = r.root**2
    residual = r.root * (r.y - r.x / system.scale @ system.beta)
    position = np.unique(r.time, return_inverse=True)[1]
    cell = r.cluster * (int(position.max()) + 1) + position
    sums = CellSums(
        residual=np.bincount(cell, residual),
        weight=np.bincount(cell, weight),
        residual_square=float(residual @ residual),
        weight_square=float(weight @ weight),
    )
    return components(sums).working(shared_gram(r, system), system.gram_weighted, system.gram)
