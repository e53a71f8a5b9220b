"""Cluster algebra of least squares on p × p matrices only.

A regression arrives transformed: rows multiplied by √weight, unit effects (nested in clusters) already projected
out. With X = its design (n, p), M = (X'X)⁺ and per cluster g
    A_g = X_g'X_g,   b_g = X_g'y_g,   s_g = X_g'e_g,   B_g = X_g'diag(weight)X_g
every variance rule and its degrees of freedom is algebra on these; no n × n matrix is ever formed.

Rules (a cluster's influence on the coefficients; covariance = Σ_g influence_g influence_g')
- cr1: √(G/(G−1) · (N−1)/(N−K)) M s_g, K = coefficients and period effects, nested unit effects not counted
  (the default of R fixest; Stata's convention).
- cr2: M^½ V (1−S²)^(−½) V'M^½ s_g with M^½ A_g M^½ = V S² V' (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018,
  JBES 36:672), pseudo-inverse where a cluster fits a direction alone (S² → 1).
- cr3: √((G−1)/G) (β − β₍₋g₎), β₍₋g₎ = (A − A_g)⁺(b − b_g): true leave-one-cluster-out estimates around β, with the
  jackknife factor (G−1)/G, as R summclust's CRV3 (MacKinnon, Nielsen & Webb 2023); R clubSandwich's CR3 has no
  factor. The factor is kept because the sizes of `methods.md` 1 are reproduced with it and not without.
- satterthwaite: degrees of freedom of the CR2 scores under a working covariance equal to the identity **on the
  response** (not 1/weight), used for cr2 and cr3 alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..core import UserError

EXPLICIT = 1_000
"""Up to this many clusters the matrix behind degrees of freedom is written out."""
LIGHT = 0.5
"""Leverage tr(A⁺A_g) up to which a cluster is left out, or adjusted for, by a series."""
TOLERANCE = 1e-9
"""Relative size below which an eigenvalue counts as zero (columns have unit norm)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """One least-squares problem in transformed space and the rows of effects read from it.

    x (n, p), y (n,)       design and response times √weight, unit effects projected out
    root (n,)              √weight
    unit, cluster, time    (n,) codes; clusters 0..n_clusters−1 are those of the whole panel
    contrast (k, p)        effects = contrast @ coefficients; a zero row is a reference period
    treated, control       (k, n_clusters) clusters with cells of the effect, and with untreated cells beside them
    n_params               K of the small-sample factor;  family "linear" or "poisson" (noise variance 1/weight)
    """

    x: np.ndarray
    y: np.ndarray
    root: np.ndarray
    unit: np.ndarray
    cluster: np.ndarray
    time: np.ndarray
    n_clusters: int
    contrast: np.ndarray
    treated: np.ndarray
    control: np.ndarray
    n_params: int
    family: str = "linear"


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The cluster sums of a regression with columns scaled to unit norm (`scale`)."""

    scale: np.ndarray
    beta: np.ndarray
    bread: np.ndarray
    gram: np.ndarray
    gram_weighted: np.ndarray
    moment: np.ndarray
    score: np.ndarray
    n_obs: int
    n_params: int
    n_clusters: int

    @property
    def present(self) -> np.ndarray:
        """(G,) True for clusters with rows in the regression."""
        return np.asarray(self.gram.any(axis=(1, 2)))

    @property
    def total(self) -> np.ndarray:
        """(p, p) X'X."""
        return self.gram.sum(axis=0)


def least_squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(p,) minimum-norm coefficients of y on x; columns are scaled first so that units do not decide the rank."""
    scale = _norms(x)
    scaled = x / scale
    bread = pseudo_inverse(scaled.T @ scaled)
    beta = bread @ (scaled.T @ y)
    return (beta + bread @ (scaled.T @ (y - scaled @ beta))) / scale


def pseudo_inverse(matrix: np.ndarray, power: float = 1.0) -> np.ndarray:
    """(A⁺)^power of symmetric positive semi-definite matrices (..., p, p); power ½ gives the root of A⁺."""
    values, vectors = np.linalg.eigh(matrix)
    keep = values > TOLERANCE
    inverse = np.where(keep, np.where(keep, values, 1.0) ** -power, 0.0)
    return (vectors * inverse[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def _norms(x: np.ndarray) -> np.ndarray:
    norms = np.sqrt(np.einsum("ij,ij->j", x, x))
    return np.where(norms > 0, norms, 1.0)


def cluster_system(regression: Regression) -> System:
    """Cluster sums of a regression. Raises UserError("unit_in_two_clusters") where unit effects are not nested."""
    r = regression
    check_nested(r.unit, r.cluster)
    scale = _norms(r.x)
    x = r.x / scale
    bread = pseudo_inverse(x.T @ x)
    beta = bread @ (x.T @ r.y)
    beta = beta + bread @ (x.T @ (r.y - x @ beta))
    residual = r.y - x @ beta
    gram = cluster_grams(x, r.cluster, r.n_clusters)
    weighted = gram if np.all(r.root == 1.0) else cluster_grams(x * r.root[:, None], r.cluster, r.n_clusters)
    return System(
        scale=scale,
        beta=beta,
        bread=bread,
        gram=gram,
        gram_weighted=weighted,
        moment=cluster_sums(x * r.y[:, None], r.cluster, r.n_clusters),
        score=cluster_sums(x * residual[:, None], r.cluster, r.n_clusters),
        n_obs=len(r.y),
        n_params=r.n_params,
        n_clusters=len(np.unique(r.cluster)),
    )


def check_nested(unit: np.ndarray, cluster: np.ndarray) -> None:
    """Raise UserError("unit_in_two_clusters") if a unit's rows lie in more than one cluster."""
    own = np.zeros(int(unit.max(initial=0)) + 1, dtype=cluster.dtype)
    own[unit] = cluster
    if (own[unit] == cluster).all():
        return
    pairs = np.unique(np.stack([unit, cluster], axis=1), axis=0)
    names, count = np.unique(pairs[:, 0], return_counts=True)
    if (count > 1).any():
        raise UserError("unit_in_two_clusters", units=[int(u) for u in names[count > 1][:5]])


def cluster_sums(values: np.ndarray, cluster: np.ndarray, n_clusters: int) -> np.ndarray:
    """(n_clusters, p) sums of the rows of (n, p) by cluster."""
    if _even(cluster, n_clusters):
        return np.asarray(values.reshape(n_clusters, -1, values.shape[1]).sum(axis=1))
    out = np.zeros((n_clusters, values.shape[1]))
    np.add.at(out, cluster, values)
    return out


def _even(cluster: np.ndarray, n_clusters: int) -> bool:
    """True where rows come cluster by cluster, equally many of each."""
    size = len(cluster) // n_clusters
    if not size or len(cluster) != size * n_clusters:
        return False
    return bool((cluster.reshape(-1, size) == np.arange(n_clusters)[:, None]).all())


def cluster_grams(x: np.ndarray, cluster: np.ndarray, n_clusters: int) -> np.ndarray:
    """(n_clusters, p, p) X_g'X_g; clusters of equal size are multiplied in one batch."""
    if _even(cluster, n_clusters):
        block = x.reshape(n_clusters, len(x) // n_clusters, -1)
        return np.asarray(np.swapaxes(block, 1, 2) @ block)
    order = np.argsort(cluster, kind="stable")
    sizes = np.bincount(cluster, minlength=n_clusters)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    out = np.zeros((n_clusters, x.shape[1], x.shape[1]))
    for size in np.unique(sizes[sizes > 0]):
        which = np.flatnonzero(sizes == size)
        block = x[order[starts[which][:, None] + np.arange(size)]]
        out[which] = np.swapaxes(block, 1, 2) @ block
    return out


def cr2_weights(system: System, gram: np.ndarray | None = None) -> np.ndarray:
    """(G, p, p) R_g with CR2 influence R_g s_g; of the clusters with these cross products (G, p, p), or of all."""
    root = pseudo_inverse(system.bread, power=-0.5)
    values, vectors = np.linalg.eigh(root @ (system.gram if gram is None else gram) @ root)
    left = 1.0 - values
    factor = np.where(left > TOLERANCE, np.where(left > TOLERANCE, left, 1.0) ** -0.5, 0.0)
    half = root @ vectors
    return (half * factor[:, None, :]) @ np.swapaxes(half, 1, 2)


def leave_out(system: System, gram: np.ndarray | None = None) -> np.ndarray:
    """(G, p, p) (A − A_g)⁺, of the clusters with these cross products (G, p, p) or of all."""
    return pseudo_inverse(system.total - (system.gram if gram is None else gram))


def leave_out_loads(system: System, contrast: np.ndarray) -> np.ndarray:
    """(G, k, p) (A − A_g)⁺c of contrasts (k, p) in scaled columns: Σ_j (A⁺A_g)^j A⁺c, exactly for heavy clusters."""
    return _loads(system, contrast, lambda j: 1.0, leave_out)


def cr2_loads(system: System, contrast: np.ndarray) -> np.ndarray:
    """(G, k, p) R_g c of contrasts (k, p) in scaled columns: the binomial series of (I − A⁺A_g)^(−½), likewise."""
    return _loads(system, contrast, lambda j: (j - 0.5) / j, cr2_weights)


def _loads(
    system: System,
    contrast: np.ndarray,
    ratio: Callable[[int], float],
    exact: Callable[[System, np.ndarray], np.ndarray],
) -> np.ndarray:
    heavy = heavy_clusters(system)
    gram = np.where(heavy[:, None, None], 0.0, system.gram) if heavy.any() else system.gram
    term = np.broadcast_to(contrast @ system.bread, (len(gram), *contrast.shape))
    out = term.copy()
    for j in range(1, 60):
        term = np.matmul(term, gram) @ system.bread * ratio(j)
        out += term
        if np.abs(term).max(initial=0.0) <= 1e-16 * np.abs(out).max(initial=0.0):
            break
    if heavy.any():
        out[heavy] = contrast @ exact(system, system.gram[heavy])
    return out


def heavy_clusters(system: System) -> np.ndarray:
    """(G,) True where leverage is above `LIGHT`; without any other cluster all stays identified that was."""
    return np.asarray(np.einsum("gij,ij->g", system.gram, system.bread) > LIGHT)


def cr1_influence(system: System) -> np.ndarray:
    """(G, p) CR1 influence on the scaled coefficients."""
    g, n, k = system.n_clusters, system.n_obs, system.n_params
    return np.sqrt(g / (g - 1) * (n - 1) / (n - k)) * (system.score @ system.bread)


def cr2_influence(system: System, weights: np.ndarray | None = None) -> np.ndarray:
    """(G, p) CR2 influence on the scaled coefficients."""
    weights = cr2_weights(system) if weights is None else weights
    return np.einsum("gij,gj->gi", weights, system.score)


def cr3_influence(system: System, inverses: np.ndarray | None = None) -> np.ndarray:
    """(G, p) jackknife influence √((G−1)/G) (β − β₍₋g₎) on the scaled coefficients.

    Where a contrast cannot be estimated without cluster g (`estimable_without`) the minimum-norm estimate stands
    in, a finite placeholder that the router refuses to report.
    """
    inverses = leave_out(system) if inverses is None else inverses
    without = np.einsum("gij,gj->gi", inverses, system.moment.sum(axis=0) - system.moment)
    out = np.sqrt((system.n_clusters - 1) / system.n_clusters) * (system.beta - without)
    out[~system.present] = 0.0
    return out


def estimable_without(
    system: System, contrast: np.ndarray, inverses: np.ndarray | None = None, whole: np.ndarray | None = None
) -> np.ndarray:
    """(G, k) True where the contrast (k, p, in units of the unscaled columns) is identified without cluster g.

    whole   (p, p) X'X where the system holds some clusters only
    """
    left = (system.total if whole is None else whole) - system.gram
    inverses = pseudo_inverse(left) if inverses is None else inverses
    c = contrast / system.scale
    rest = c[None] - c[None] @ inverses @ left
    return np.linalg.norm(rest, axis=2) <= 1e-6 * np.maximum(np.linalg.norm(c, axis=1), 1e-300)


def satterthwaite(
    system: System,
    contrast: np.ndarray,
    weights: np.ndarray | None = None,
    working: np.ndarray | None = None,
    loads: np.ndarray | None = None,
) -> np.ndarray:
    """(k,) degrees of freedom (tr Γ)² / Σ Γ² of the CR2 variance of each contrast (k, p), Γ = `score_covariance`.

    `weights` (G, p, p) those of another rule than cr2 (influence = weights @ score); `working` as there;
    `loads` (G, k, p) = weights @ contrast where they are known.
    """
    if weights is None and loads is None:
        weights = cr2_weights(system)
    out = np.full(len(contrast), np.nan)
    b = system.gram_weighted if working is None else working
    total = b.sum(axis=0)
    for row, c in enumerate(contrast / system.scale):
        r = weights @ c if loads is None else loads[:, row]  # type: ignore[operator]
        q = np.einsum("gij,gj->gi", system.gram, r) @ system.bread
        u = np.einsum("gij,gj->gi", b, r)
        x, y = np.concatenate([u, q, q], axis=1), np.concatenate([q, u, -(q @ total)], axis=1)
        own, shared = np.einsum("gi,gi->g", u, r), np.einsum("gi,gi->g", x, y)
        square = (own**2 - 2 * own * shared).sum() + squares(x, y)
        if square > 0:
            out[row] = (own - shared).sum() ** 2 / square
    return out


def score_covariance(
    system: System, first: np.ndarray, second: np.ndarray, weights: np.ndarray, working: np.ndarray | None = None
) -> np.ndarray:
    """(G, G) covariance Γ of the cluster scores of two contrasts (p,) in scaled columns, under a working model.

    With a_g = X_g r_g (r_g = R_g c), q_g = M X_g'a_g and W the working covariance of the transformed response
        Γ_gh = δ_gh a_g'W a_g − a_g'W X_g q_h − q_g'X_h'W a_h + q_g' X'WX q_h.
    `working` (G, p, p) = X_g'W_gX_g: by default identity on the response of every row, W = diag(weight) here (the
    convention of the house). Others for comparison: `shared_gram`; `system.gram`, covariance 1/weight, which is R
    clubSandwich's default for weighted and Poisson fits and too liberal for cities (`methods.md` 1).
    """
    b = system.gram_weighted if working is None else working
    r, s = weights @ first, weights @ second
    q, p = (np.einsum("gij,gj->gi", system.gram, a) @ system.bread for a in (r, s))
    u, v = (np.einsum("gij,gj->gi", b, a) for a in (r, s))
    return np.asarray(np.diag(np.einsum("gi,gi->g", u, s)) - u @ p.T - q @ v.T + q @ b.sum(axis=0) @ p.T)


def squares(x: np.ndarray, y: np.ndarray, many: np.ndarray | None = None) -> float:
    """Σ_gh m_g m_h (x_g'y_h)² with x, y (G, q), m = 1 unless told; never larger than G × q or `EXPLICIT`²."""
    m = np.ones(len(x)) if many is None else many
    if len(x) <= EXPLICIT:
        return float(m @ (x @ y.T) ** 2 @ m)
    return float((((x * m[:, None]).T @ x) * ((y * m[:, None]).T @ y)).sum())


def shared_gram(regression: Regression, system: System) -> np.ndarray:
    """(G, p, p) X_g'W_gX_g for a unit-variance shock that all rows of a cluster share in one period.

    The identity on the response where a cluster is one unit; where it holds many (firms of a batch) the identity takes
    every firm's response as equally noisy and lets the largest firms alone set the degrees of freedom.
    """
    times, position = np.unique(regression.time, return_inverse=True)
    load = np.zeros((regression.n_clusters, len(times), len(system.scale)))
    np.add.at(load, (regression.cluster, position), regression.x / system.scale * regression.root[:, None])
    return np.swapaxes(load, 1, 2) @ load


def effective_number(system: System, contrast: np.ndarray, member: np.ndarray) -> float:
    """Inverse Herfindahl of partial leverage γ_g = c'M A_g M c over the clusters in `member` (G,).

    Equals G/(1 + cv²) of Carter, Schnepel & Steigerwald 2017 (REStat 99:698) with γ as the clusters' sizes.
    """
    c = system.bread @ (contrast / system.scale)
    return inverse_herfindahl(np.einsum("i,gij,j->g", c, system.gram, c)[member])


def inverse_herfindahl(share: np.ndarray, many: np.ndarray | float = 1.0) -> float:
    """(Σ share)² / Σ share², each share occurring `many` times; 0 where all are zero."""
    square = float((many * share**2).sum())
    return float((many * share).sum() ** 2 / square) if square > 0 else 0.0


def effective_pair(
    system: System, contrast: np.ndarray, treated: np.ndarray, control: np.ndarray
) -> tuple[float, float]:
    """G1*, G0*: effective numbers among the treated and the comparison clusters (G,) of a contrast.

    Clusters on both sides count as treated; where all comparisons are later-treated clusters they count on both.
    """
    apart = control & ~treated
    return (
        effective_number(system, contrast, treated),
        effective_number(system, contrast, apart if apart.any() else control),
    )
