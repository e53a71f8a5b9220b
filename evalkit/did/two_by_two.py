"""Difference-in-differences of two groups and two periods with covariates, units followed: five estimators, one form.

With Δ the change of the outcome, D the treated, x covariates (with a constant), w weights and r = Δ − x'β,

    effect = Σ_D (w/W₁) r − Σ_C u r,      u = w·odds / W₀,  odds = exp(x'γ)

- "dr"           β by least squares on controls, γ by logit, W₀ = Σ_C w·odds: doubly robust (Sant'Anna & Zhao 2020,
                 J. Econometrics 219:101, eq. 2.6; R DRDID `drdid_panel`, what R did uses)
- "dr_improved"  γ by tilting, β by least squares with weights w·odds: estimating them costs nothing in the variance
- "ipw"          β = 0, W₀ = Σ_C w·odds (Hajek weights);   "ipw_raw": W₀ = W₁ (Abadie 2005, REStud 72:1)
- "reg"          u = 0: outcome regression (Heckman, Ichimura & Todd 1997)

Influence of a unit, variance = Σ ψ²: (w/W₁)(r − η₁) on D, −u (r − η₀) − q r on C, −w (D − p) x'κ on both;
q = w x'(Σ_C w x x')⁻¹(x̄₁ − x̄ᵤ) from estimating β and κ from estimating γ. To first order the effect is Σ a_i Δ_i with
a = w/W₁ for the treated and −(u + q) for controls, which degrees of freedom rest on. Several changes may share one
model: β, η, κ then have a column each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .propensity import TRIM, Covered, NotEstimable, blocks, inverse, logit, scores_of, tilting

METHODS = ("dr", "dr_improved", "ipw", "ipw_raw", "reg")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Units of one group: whether treated, x (n, p) with a first column of ones, weight (n,), and a function of a slice
    of them that gives their changes (rows, m); sums: Σ w x x' (p, p) and Σ w x Δ' (p, m) where they are known already.
    """

    treated: bool
    x: np.ndarray
    weight: np.ndarray
    change: Callable[[slice], np.ndarray]
    sums: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoByTwo:
    """A fitted comparison: m estimates (m,) and all that gives each unit's influence and weight.

    total_treated W₁; total_control W₀ (inf for "reg"); gamma (p,) of the odds, or None; beta (p, m); eta_treated η₁,
    eta_control η₀ (m,); lift (p,) with q = w x'lift; kappa κ (p, m)
    """

    estimate: np.ndarray
    total_treated: float
    total_control: float
    gamma: np.ndarray | None
    beta: np.ndarray
    eta_treated: np.ndarray
    eta_control: np.ndarray
    lift: np.ndarray
    kappa: np.ndarray

    def pull(self, x: np.ndarray, weight: np.ndarray, treated: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) response weight a, control weight u and score p of units of one group."""
        if treated:
            p = np.zeros(len(x)) if self.gamma is None or not self.kappa.any() else scores_of(x, self.gamma)
            return weight / self.total_treated, np.zeros(len(x)), p
        p, u = np.zeros(len(x)), np.zeros(len(x))
        if self.gamma is not None:
            p = scores_of(x, self.gamma)
            u = weight * odds_of(p) / self.total_control
        return -(u + weight * (x @ self.lift)), u, p

    def influence_of(
        self,
        change: np.ndarray,
        x: np.ndarray,
        weight: np.ndarray,
        treated: bool,
        pull: tuple[np.ndarray, np.ndarray, np.ndarray],
    ) -> np.ndarray:
        """(n, m) ψ of units of one group; `change` (n, m) is overwritten."""
        a, u, p = pull
        eta = (-a, self.eta_treated) if treated else (u, self.eta_control)
        features, slopes = [x.T * a, eta[0][None, :]], [-self.beta, eta[1][None, :]]
        if self.kappa.any():
            features.append(x.T * (weight * ((1.0 if treated else 0.0) - p)))
            slopes.append(-self.kappa)
        change *= a[:, None]
        change += (np.concatenate(slopes).T @ np.concatenate(features)).T
        return change

    def influence(self, change: np.ndarray, x: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(n, m) ψ of changes (n, m), treated (n,) bool, scaled so that the covariance is ψᵀψ."""
        out = np.empty(change.shape)
        for group in (True, False):
            on = treated == group
            pull = self.pull(x[on], weight[on], group)
            out[on] = self.influence_of(change[on].astype(float), x[on], weight[on], group, pull)
        return out

    def response(self, x: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """(n,) a with estimate = Σ a_i Δ_i for given odds."""
        out = np.empty(len(x))
        for group in (True, False):
            out[treated == group] = self.pull(x[treated == group], weight[treated == group], group)[0]
        return out


def odds_of(p: np.ndarray) -> np.ndarray:
    """p/(1 − p), 0 for scores that are trimmed."""
    return np.asarray(np.where(p < TRIM, p / (1 - p), 0.0))


def panel_effect(
    change: np.ndarray,
    treated: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None = None,
    method: str = "dr",
) -> TwoByTwo:
    """Fit one comparison of units observed in both periods.

    Parameters
        change   (n,) or (n, m) outcome after minus before, in its unit
        treated  (n,) bool;  x (n, p) covariates, the **first column ones**;  weight (n,) ≥ 0 or None
        method   one of `METHODS`
    Returns a `TwoByTwo`; standard error of column j = √Σ ψ_j².
    Raises ValueError for an unknown method, NotEstimable where groups do not overlap, columns are collinear among the
    controls, or a group is empty. Not for units seen once: `section_effect`.
    Source: Sant'Anna and Zhao (2020).
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is none of {METHODS}")
    weight = np.ones(len(x)) if weight is None else weight
    wide = change if change.ndim == 2 else change[:, None]

    def piece(on: np.ndarray, group: bool) -> Piece:
        own = wide[on]
        return Piece(treated=group, x=x[on], weight=weight[on], change=lambda at: own[at])

    treated = np.asarray(treated, dtype=bool)
    return fit_pieces([piece(treated, True), piece(~treated, False)], wide.shape[1], method)


def fit_pieces(pieces: Sequence[Piece], m: int, method: str, start: np.ndarray | None = None) -> TwoByTwo:
    """Fit one comparison of pieces of units with m changes; start: a first guess of γ. Raises as `panel_effect`."""
    for group, reason in ((True, "no_treated"), (False, "no_control")):
        if not any(piece.weight.any() for piece in pieces if piece.treated == group):
            raise NotEstimable(reason)
    covered = [Covered(treated=piece.treated, x=piece.x, weight=piece.weight) for piece in pieces]
    gamma = information = None
    if method == "dr_improved":
        gamma = tilting(covered)
    elif method != "reg":
        gamma, information = logit(covered, start)
    sums = _sums(pieces, m, gamma, regress=method in ("dr", "reg"))
    beta, bread = _beta(method, sums)
    return _finish(method, sums, gamma, information, beta, bread)


@dataclass(slots=True, kw_only=True)
class _Sums:
    """Weighted sums over the treated (1), the controls (0) and the controls by odds (u); z = (x, change)."""

    n_columns: int
    treated: np.ndarray
    total_treated: float
    control: np.ndarray
    odds: np.ndarray


def _sums(pieces: Sequence[Piece], m: int, gamma: np.ndarray | None, *, regress: bool) -> _Sums:
    p = pieces[0].x.shape[1]
    first, (control, odds) = np.zeros(p + m), np.zeros((2, p, p + m))
    for piece in pieces:
        if piece.treated or regress:
            own = np.concatenate(piece.sums or _moments(piece, None), axis=1)
            if piece.treated:
                first += own[0]
            else:
                control += own
        if not piece.treated and gamma is not None:
            odds += np.concatenate(_moments(piece, gamma), axis=1)
    return _Sums(n_columns=p, treated=first, total_treated=float(first[0]), control=control, odds=odds)


def _moments(piece: Piece, gamma: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Σ v x x' and Σ v x Δ' with v = w, or w times the odds."""
    gram, cross = np.zeros((2, 1, 1))
    for at in blocks(len(piece.x)):
        x, v = piece.x[at], piece.weight[at]
        vx = x.T * (v if gamma is None else v * odds_of(scores_of(x, gamma)))
        gram, cross = gram + vx @ x, cross + vx @ piece.change(at)
    return gram, cross


def _beta(method: str, sums: _Sums) -> tuple[np.ndarray, np.ndarray]:
    p = sums.n_columns
    if method in ("ipw", "ipw_raw"):
        return np.zeros((p, sums.control.shape[1] - p)), np.zeros((p, p))
    source = sums.odds if method == "dr_improved" else sums.control
    bread = inverse(source[:, :p])
    return bread @ source[:, p:], bread


def _finish(
    method: str,
    sums: _Sums,
    gamma: np.ndarray | None,
    information: np.ndarray | None,
    beta: np.ndarray,
    bread: np.ndarray,
) -> TwoByTwo:
    """Means of the residual and the gradients with respect to β (lift) and γ (kappa), from the sums."""
    p, w1 = sums.n_columns, sums.total_treated
    mean_x = sums.treated[:p] / w1
    first = sums.treated[p:] / w1 - mean_x @ beta
    w0, second, mean_u, kappa = np.inf, np.zeros_like(first), np.zeros(p), np.zeros_like(beta)
    if gamma is not None:
        residual = sums.odds[:, p:] - sums.odds[:, :p] @ beta
        w0 = w1 if method == "ipw_raw" else float(sums.odds[0, 0])
        if not w0 > 0:
            raise NotEstimable("overlap")
        second, mean_u = residual[0] / w0, sums.odds[0, :p] / w0
        centre = np.zeros_like(second) if method == "ipw_raw" else second
        if information is not None:
            kappa = information @ (residual - np.outer(sums.odds[:, 0], centre)) / w0
    raw = method == "ipw_raw"
    return TwoByTwo(
        estimate=first - second,
        total_treated=w1,
        total_control=w0,
        gamma=gamma,
        beta=beta,
        eta_treated=first - second if raw else first,
        eta_control=np.zeros_like(second) if raw else second,
        lift=np.zeros(p) if method == "dr_improved" else bread @ (mean_x - mean_u),
        kappa=kappa,
    )
