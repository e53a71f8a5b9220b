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

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .propensity import CAP, OVERLAP, TRIM, NotEstimable, blocks, inverse, logit, tilting

METHODS = ("dr", "dr_improved", "ipw", "ipw_raw", "reg")


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

    def odds(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) scores p and odds as controls' weights, trimmed ones 0."""
        if self.gamma is None:
            return np.zeros(len(x)), np.zeros(len(x))
        return _odds(x, self.gamma)

    def pull(self, x: np.ndarray, treated: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) response weight a, control weight u (0 for the treated), score p."""
        score, odds = self.odds(x)
        u = np.where(treated, 0.0, weight * odds / self.total_control)
        return np.where(treated, weight / self.total_treated, -u - weight * (x @ self.lift)), u, score

    def influence(
        self,
        change: np.ndarray,
        x: np.ndarray,
        treated: np.ndarray,
        weight: np.ndarray,
        pull: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
    ) -> np.ndarray:
        """(n, m) ψ of changes (n, m), scaled so that the covariance is ψᵀψ; `pull` where it is at hand already."""
        a, u, score = self.pull(x, treated, weight) if pull is None else pull
        out = (change - x @ self.beta) * a[:, None]
        out += np.where(treated, -weight / self.total_treated, 0.0)[:, None] * self.eta_treated
        out += u[:, None] * self.eta_control
        if self.gamma is not None and self.kappa.any():
            out -= (weight * (treated - score))[:, None] * (x @ self.kappa)
        return out


Changes = np.ndarray | Callable[[slice], np.ndarray]


def panel_effect(
    change: Changes,
    treated: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None = None,
    method: str = "dr",
    start: np.ndarray | None = None,
) -> TwoByTwo:
    """Fit one comparison of units observed in both periods.

    Parameters
        change   (n,) or (n, m) outcome after minus before, in its unit; or a function of a slice of rows giving that
        treated  (n,) bool;  x (n, p) covariates, the **first column ones**;  weight (n,) ≥ 0 or None
        method   one of `METHODS`;  start: a first guess of γ (p,)
    Returns a `TwoByTwo`; standard error of column j = √Σ ψ_j².
    Raises ValueError for an unknown method, NotEstimable where groups do not overlap, columns are collinear among the
    controls, or a group is empty. Not for units seen once: `section_effect`.
    Source: Sant'Anna and Zhao (2020).
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is none of {METHODS}")
    weight = np.ones(len(x)) if weight is None else weight
    treated = np.asarray(treated, dtype=bool)
    if not (weight * treated).any():
        raise NotEstimable("no_treated")
    if not (weight * ~treated).any():
        raise NotEstimable("no_control")
    gamma, information = _gamma(method, x, treated, weight, start)
    sums = _sums(_reader(change), x, treated, weight, gamma)
    beta, bread = _beta(method, sums)
    return _finish(method, sums, gamma, information, beta, bread)


def _reader(change: Changes) -> Callable[[slice], np.ndarray]:
    if not isinstance(change, np.ndarray):
        return change
    wide = change if change.ndim == 2 else change[:, None]
    return lambda at: wide[at]


def _gamma(
    method: str, x: np.ndarray, treated: np.ndarray, weight: np.ndarray, start: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """γ and the inverse information of the logit (None where estimating γ costs nothing)."""
    if method == "reg":
        return None, None
    if method == "dr_improved":
        return tilting(x, treated, weight), None
    gamma = logit(x, treated, weight, start)
    information, highest = np.zeros((x.shape[1],) * 2), 0.0
    for at in blocks(len(x)):
        p = _score(x[at], gamma)
        highest = max(highest, float(p.max()))
        information += (x[at] * (weight[at] * p * (1 - p))[:, None]).T @ x[at]
    if highest > OVERLAP:
        raise NotEstimable("overlap")
    return gamma, inverse(information)


def _score(x: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.minimum(1 / (1 + np.exp(-(x @ gamma))), CAP)


def _odds(x: np.ndarray, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    p = _score(x, gamma)
    return p, np.where(p < TRIM, p / (1 - p), 0.0)


@dataclass(slots=True, kw_only=True)
class _Sums:
    """Weighted sums over the treated (1), the controls (0) and the controls by odds (u); z = (x, change)."""

    n_columns: int
    treated: np.ndarray
    total_treated: float
    control: np.ndarray
    odds: np.ndarray


def _sums(
    change: Callable[[slice], np.ndarray],
    x: np.ndarray,
    treated: np.ndarray,
    weight: np.ndarray,
    gamma: np.ndarray | None,
) -> _Sums:
    p = x.shape[1]
    width = p + change(slice(0, 1)).shape[1]
    first, control, odds, total = np.zeros(width), np.zeros((p, width)), np.zeros((p, width)), 0.0
    for at in blocks(len(x)):
        z = np.column_stack([x[at], change(at)])
        w, on = weight[at], treated[at]
        first += (w * on) @ z
        total += float(w @ on)
        control += (x[at] * (w * ~on)[:, None]).T @ z
        if gamma is not None:
            odds += (x[at] * (w * ~on * _odds(x[at], gamma)[1])[:, None]).T @ z
    return _Sums(n_columns=p, treated=first, total_treated=total, control=control, odds=odds)


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
