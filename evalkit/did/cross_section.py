"""Difference-in-differences of two groups and two periods with covariates, every row seen once: seven estimators.

Rows carry a period (after or not), a group (D or controls C), covariates x with a first column of ones, weights w. A
"mean" below is a weighted mean over the rows named; m_p(x) = x'β_p is fitted by least squares on the controls of period
p, n_p(x) on the treated of period p, the odds exp(x'γ) of being treated on all rows.

- "reg"          mean_D,after y − mean_D,before y − mean_D (m_after − m_before)
- "ipw"          every group-period mean of y, controls weighted by w·odds (Hajek)
- "ipw_raw"      not normalised, with the share λ of rows after (Abadie 2005)
- "dr_simple"    the same four means of r = y − m_p(x) (R DRDID `drdid_rc1`)
- "dr"           locally efficient: plus mean_D (n − m)_after − mean_D,after (n − m)_after, minus the same before
                 (Sant'Anna & Zhao 2020, eq. 3.4; R DRDID `drdid_rc`, what R did uses)
- "dr_improved", "dr_improved_simple"   the two with γ by tilting and m_p by least squares weighted with w·odds, so that
                 estimating them costs nothing in large samples; the published variance leaves it out

Every term is a weighted mean whose gradient in β and γ is exact, so that influence and response weights follow alike.
(R DRDID 1.2.3 has the sign of one such gradient wrong in `drdid_rc` and `drdid_rc1`: their standard errors differ.)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .propensity import NotEstimable, inverse, logit, pieces_of, scores_of, tilting
from .two_by_two import odds_of

METHODS = ("dr", "dr_improved", "dr_simple", "dr_improved_simple", "ipw", "ipw_raw", "reg")


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionEffect:
    """estimate; influence (n,) ψ with variance Σ ψ²; response (n,) a with estimate = Σ a_i y_i for given odds."""

    estimate: float
    influence: np.ndarray
    response: np.ndarray


@dataclass(slots=True, kw_only=True)
class _Least:
    """A least-squares fit: β, its influence (n, p) and its weights on y (n, p)."""

    beta: np.ndarray
    influence: np.ndarray
    response: np.ndarray


@dataclass(slots=True)
class _Sum:
    """Running sum of signed weighted means: value, own influence and response, gradients by fit and by γ."""

    n: int
    p: int
    value: float = 0.0
    influence: np.ndarray = field(init=False)
    response: np.ndarray = field(init=False)
    gradient: dict[str, np.ndarray] = field(default_factory=dict)
    odds: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.influence, self.response, self.odds = np.zeros(self.n), np.zeros(self.n), np.zeros(self.p)

    def mean(self, sign: float, w: np.ndarray, value: np.ndarray, own: bool, moves: bool, x: np.ndarray) -> None:
        """Add sign × the w-mean of value. own: value holds y itself; moves: w is proportional to the odds."""
        total = float(w.sum())
        if not total > 0:
            raise NotEstimable("no_control" if moves else "no_treated")
        eta = float(w @ value) / total
        self.value += sign * eta
        self.influence += sign * w * (value - eta) / total
        if own:
            self.response += sign * w / total
        if moves:
            self.odds += sign * ((w * (value - eta)) @ x) / total

    def depends(self, name: str, sign: float, w: np.ndarray, x: np.ndarray) -> None:
        """The last means hold sign × the w-mean of x'β of this fit."""
        self.gradient[name] = self.gradient.get(name, 0.0) + sign * (w @ x) / float(w.sum())


def section_effect(
    y: np.ndarray,
    after: np.ndarray,
    treated: np.ndarray,
    x: np.ndarray,
    weight: np.ndarray | None = None,
    method: str = "dr",
) -> SectionEffect:
    """Fit one comparison of rows that are each seen once.

    Parameters
        y (n,) outcome; after, treated (n,) bool; x (n, p) covariates, the first column ones; weight (n,) ≥ 0 or None
        method   one of `METHODS`
    Raises ValueError for an unknown method, NotEstimable where groups do not overlap, columns are collinear among the
    rows of a fit, or a group-period is empty. Units seen twice: `two_by_two.panel_effect` is more precise.
    Source: Sant'Anna and Zhao (2020).
    """
    if method not in METHODS:
        raise ValueError(f"method {method!r} is none of {METHODS}")
    w = np.ones(len(y)) if weight is None else weight / weight.mean()
    treated, after = np.asarray(treated, dtype=bool), np.asarray(after, dtype=bool)
    groups = {(d, p): w * (treated == d) * (after == p) for d in (True, False) for p in (True, False)}
    for (d, _), mass in groups.items():
        if not mass.any():
            raise NotEstimable("no_treated" if d else "no_control")
    odds, score_influence = _odds(method, treated, x, w)
    if method == "ipw_raw":
        return _raw(y, after, treated, x, w, odds, score_influence)
    fits = _fits(method, groups, y, x, odds)
    total = _Sum(len(y), x.shape[1])
    for p, sign in ((True, 1.0), (False, -1.0)):
        _period(total, method, p, sign, groups, treated, y, x, w, odds, fits)
    return _result(total, fits, score_influence, known="improved" in method)


def _period(
    total: _Sum,
    method: str,
    p: bool,
    sign: float,
    groups: dict[tuple[bool, bool], np.ndarray],
    treated: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    odds: np.ndarray,
    fits: dict[str, _Least],
) -> None:
    """Means of one period, with its sign."""
    own, all_treated = groups[True, p], w * treated
    if method in ("reg", "ipw"):
        total.mean(sign, own, y, True, False, x)
    if method == "reg":
        total.mean(-sign, all_treated, x @ fits[f"control{p}"].beta, False, False, x)
        total.depends(f"control{p}", -sign, all_treated, x)
        return
    controls = groups[False, p] * odds
    if method == "ipw":
        total.mean(-sign, controls, y, True, True, x)
        return
    rest = y - x @ fits[f"control{p}"].beta
    for s, mass, moves in ((sign, own, False), (-sign, controls, True)):
        total.mean(s, mass, rest, True, moves, x)
        total.depends(f"control{p}", -s, mass, x)
    if method in ("dr", "dr_improved"):
        gap = x @ (fits[f"treated{p}"].beta - fits[f"control{p}"].beta)
        for s, mass in ((sign, all_treated), (-sign, own)):
            total.mean(s, mass, gap, False, False, x)
            total.depends(f"treated{p}", s, mass, x)
            total.depends(f"control{p}", -s, mass, x)


def _odds(method: str, treated: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """(n,) odds of the controls, trimmed, and the influence (n, p) of γ (None where it costs nothing)."""
    if method == "reg":
        return np.zeros(len(w)), None
    pieces = pieces_of(x, treated, w)
    if "improved" in method:
        return odds_of(scores_of(x, tilting(pieces))), None
    gamma, bread = logit(pieces)
    p = scores_of(x, gamma)
    return odds_of(p), (x * (w * (treated - p))[:, None]) @ bread


def _fits(
    method: str, groups: dict[tuple[bool, bool], np.ndarray], y: np.ndarray, x: np.ndarray, odds: np.ndarray
) -> dict[str, _Least]:
    if method == "ipw":
        return {}
    sides = (False, True) if method in ("dr", "dr_improved") else (False,)
    out = {}
    for d in sides:
        for p in (True, False):
            mass = groups[d, p] * (odds if "improved" in method and not d else 1.0)
            response = (x * mass[:, None]) @ inverse((x * mass[:, None]).T @ x)
            beta = response.T @ y
            out[f"{'treated' if d else 'control'}{p}"] = _Least(
                beta=beta, influence=response * (y - x @ beta)[:, None], response=response
            )
    return out


def _result(total: _Sum, fits: dict[str, _Least], score: np.ndarray | None, *, known: bool) -> SectionEffect:
    """Add the parts from estimating β and γ; `known`: by construction they have none in the influence."""
    influence, response = total.influence, total.response
    for name, gradient in total.gradient.items():
        response = response + fits[name].response @ gradient
        if not known:
            influence = influence + fits[name].influence @ gradient
    if score is not None:
        influence = influence + score @ total.odds
    return SectionEffect(estimate=total.value, influence=influence, response=response)


def _raw(
    y: np.ndarray,
    after: np.ndarray,
    treated: np.ndarray,
    x: np.ndarray,
    w: np.ndarray,
    odds: np.ndarray,
    score: np.ndarray | None,
) -> SectionEffect:
    """Weighting without normalisation: Σ w (D − odds(1−D)) y (after/λ − before/(1−λ)) / Σ w D, λ = share of w after."""
    n, share = len(y), float((w * after).mean())
    total = float((w * treated).sum())
    sign = np.where(after, 1 / share, -1 / (1 - share))
    response = w * np.where(treated, 1.0, -odds) * sign / total
    part = response * y
    level = {p: float(part[after == p].sum()) for p in (True, False)}
    estimate = level[True] + level[False]
    moved = -level[True] * (w * after - share) / share + level[False] * (w * after - share) / (1 - share)
    influence = part - w * treated / total * estimate + moved / n
    if score is not None:
        influence = influence + score @ ((part * ~treated) @ x)
    return SectionEffect(estimate=estimate, influence=influence, response=response)
