"""Smallest effect that a design can detect, before the money is spent.

Errors are drawn as they were before the start: a common AR(1) path per cluster plus cell noise, by moments of the
residuals of the pre-period (two-way effects, no treatment), sent through the design that is planned or at hand. Each
draw is tested by the headline rule (CR3, Satterthwaite degrees of freedom). A constant effect moves every leave-one-out
estimate alike and leaves the standard error alone, so one set of null draws answers for every effect.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from ..core import NEVER, Design, Panel, UserError
from .cells import design_columns, within
from .fit import build_regression, observed_cells, outcomes_of, static_layout
from .influence import keep_units
from .linalg import Regression, cluster_system, leave_out, satterthwaite
from .size import Errors, error_components, null_moments
from .twfe import LOG_RATE

DETECTION = 0.8
MDE_LIMIT = 0.30
"""A minimum detectable effect above this share of the rate: the project says 证据不足 by itself (`methods.md` 2)."""
PLACEMENTS = 20
LEAST_PERIODS = 3
Estimator = Literal["twfe", "ppml"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerCurve:
    """Power of one design by size of the effect (m,).

    effect     in the estimator's unit (log points for log rates and counts), absolute;  share: of the rate (or level)
    mde        effect detected with 80 %, mde_share its share of the rate; None where the design cannot be tested
    size       rejection rate at no effect;  df: Satterthwaite, median over placements
    insufficient True where mde_share is above 30 %;  refused: message key, or None
    """

    effect: np.ndarray
    share: np.ndarray
    power: np.ndarray
    mde: float | None
    mde_share: float | None
    size: float | None
    df: float | None
    n_clusters: int
    n_treated_clusters: int
    outcome: str
    estimator: str
    level: float = 0.95
    target: float = DETECTION
    insufficient: bool = True
    refused: str | None = None

    def tidy(self) -> pd.DataFrame:
        """One row per effect: effect, share, power."""
        return pd.DataFrame({"effect": self.effect, "share": self.share, "power": self.power})


def power(
    panel: Panel,
    design: Design | None = None,
    effect_grid: Sequence[float] | None = None,
    *,
    estimator: Estimator = "twfe",
    treated: Sequence[str] | int | None = None,
    periods: int = 0,
    n: int = 1_000,
) -> PowerCurve:
    """Power curve and minimum detectable effect of the design at hand, or of one that is planned.

    Parameters
        panel        outcomes (N, T); a `log_rate` panel for log rates; counts with exposure for "ppml"
        effect_grid  effects in the estimator's unit, signs ignored; 25 from 0 to twice the MDE without it
        estimator    "twfe" (levels and log rates, weights as in the panel) or "ppml" (static effect)
        treated      None: the panel's own start dates. Names of the clusters that will be treated after the panel's
                     last period, or their number (placed at random, 20 placements pooled). Clusters not named are the
                     comparison; units that the panel has treated already are left out
        periods      with `treated`: length of the follow-up, exposure as in the last period
        n            null draws, spread over the placements, from `design.seed`
    Errors are those of the periods before the first start. Returns a PowerCurve; with fewer than two treated or two
    comparison clusters it is refused. Raises UserError: power_few_periods, power_unknown_cluster,
    power_needs_periods, and what `twfe` and `ppml` raise about outcome, control group and window.
    Not for effects that grow over time: it is the power to see a constant one. Source: `methods.md` 1, 2.
    """
    design = design or Design()
    outcome = outcomes_of(panel, design)[0]
    panel = panel if treated is None else keep_units(panel, ~panel.ever_treated)
    plans = _plans(panel, treated, periods, design.seed)
    clusters, treated_clusters, controls = plans[0].cluster_counts()
    before = _pre_period(panel, plans[0], design)
    base, errors, scale = _noise(panel, outcome, before, design, estimator)
    curve = PowerCurve(
        effect=np.zeros(0),
        share=np.zeros(0),
        power=np.zeros(0),
        mde=None,
        mde_share=None,
        size=None,
        df=None,
        n_clusters=clusters,
        n_treated_clusters=treated_clusters,
        outcome=outcome,
        estimator=estimator,
        level=design.level,
    )
    if min(treated_clusters, controls) < 2:
        few = "one_treated_cluster" if treated_clusters < 2 else "one_control_cluster"
        return replace(curve, refused=f"inference.refused.{few}")
    draws = [
        _null(_regression(plan, outcome, base, design, estimator, panel.n_periods), errors, design, i, n // len(plans))
        for i, plan in enumerate(plans)
    ]
    estimate, half, df = (np.concatenate([d[j] for d in draws]) for j in range(3))
    mde = _detectable(estimate, half)
    grid = np.linspace(0, 2 * mde, 25) if effect_grid is None else np.abs(np.asarray(effect_grid, dtype=float))
    share = _share(np.r_[mde, grid], panel, estimator, scale)
    return replace(
        curve,
        effect=grid,
        share=share[1:],
        power=_rejects(estimate, half, grid),
        mde=mde,
        mde_share=float(share[0]),
        size=float(_rejects(estimate, half, np.zeros(1))[0]),
        df=float(np.median(df)),
        insufficient=bool(share[0] > MDE_LIMIT),
    )


def _rejects(estimate: np.ndarray, half: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """(m,) share of draws rejected at each effect, both signs of the noise used."""
    up, down = (np.abs(sign * estimate[:, None] + effect) > half[:, None] for sign in (1.0, -1.0))
    return np.asarray((up.mean(axis=0) + down.mean(axis=0)) / 2)


def _detectable(estimate: np.ndarray, half: np.ndarray) -> float:
    """The effect detected with 80 %: that quantile of (critical value × standard error − noise)."""
    return float(np.quantile(np.r_[half - estimate, half + estimate], DETECTION))


def _share(effect: np.ndarray, panel: Panel, estimator: str, scale: float) -> np.ndarray:
    if estimator == "ppml" or panel.outcome_unit == LOG_RATE:
        return np.asarray(1 - np.exp(-effect))
    return effect / scale


def _plans(panel: Panel, treated: Sequence[str] | int | None, periods: int, seed: int) -> list[Panel]:
    """The design at hand, or the panel lengthened by the follow-up with the planned clusters treated."""
    if treated is None:
        return [panel]
    if periods < 1:
        raise UserError("power_needs_periods", periods=periods)
    free = np.unique(panel.cluster)
    names = [panel.cluster_names[int(g)] for g in free]
    if isinstance(treated, int):
        if not 0 < treated < len(free):
            raise UserError("power_unknown_cluster", cluster=treated, known=len(free))
        rng = np.random.default_rng(seed)
        chosen = [rng.choice(free, treated, replace=False) for _ in range(PLACEMENTS)]
    else:
        if unknown := sorted(set(treated) - set(names)):
            raise UserError("power_unknown_cluster", cluster=unknown, known=names)
        chosen = [np.array([g for g, name in zip(free, names) if name in set(treated)])]
    longer = _longer(panel, periods)
    return [replace(longer, cohort=np.where(np.isin(panel.cluster, c), panel.n_periods, NEVER)) for c in chosen]


def _longer(panel: Panel, periods: int) -> Panel:
    """The panel with its last period repeated: exposure, weights and covariates stay as they are."""
    changes: dict[str, object] = {}
    shape = (panel.n_units, panel.n_periods)

    def stretch(values: np.ndarray) -> np.ndarray:
        return np.hstack([values, np.repeat(values[:, -1:], periods, axis=1)])

    for f in fields(panel):
        value = getattr(panel, f.name)
        if isinstance(value, np.ndarray) and value.shape == shape:
            changes[f.name] = stretch(value)
        elif isinstance(value, dict):
            changes[f.name] = {k: stretch(v) for k, v in value.items()}
    times = (*panel.times, *(f"{panel.times[-1]}+{i + 1}" for i in range(periods)))
    return replace(panel, times=times, **changes)  # type: ignore[arg-type]


def _pre_period(panel: Panel, plan: Panel, design: Design) -> np.ndarray:
    """(T,) periods of the panel before anyone starts, outside the selection window."""
    starts = plan.cohort[(plan.cohort > 0) & (plan.cohort < plan.n_periods)]
    first = int(starts.min(initial=plan.n_periods)) - design.anticipation
    before = np.arange(panel.n_periods) < first
    if design.selection_window is not None:
        low, high = design.selection_window
        before &= np.array([not low <= t <= high for t in panel.times])
    if before.sum() < LEAST_PERIODS:
        raise UserError("power_few_periods", found=int(before.sum()), least=LEAST_PERIODS)
    return before


def _noise(
    panel: Panel, outcome: str, before: np.ndarray, design: Design, estimator: str
) -> tuple[np.ndarray, Errors, float]:
    """Expected counts per exposure (N,) of each unit (ones for linear outcomes), error components, mean level."""
    observed = _usable(panel, outcome, design, estimator) & before
    unit, time = np.nonzero(observed)
    _, cluster = np.unique(panel.cluster, return_inverse=True)
    position = np.unique(time, return_inverse=True)[1]
    y = panel.matrix(outcome)[unit, time]
    rate = np.ones(panel.n_units)
    if estimator == "ppml":
        mu, rate = _two_way_counts(y, _exposure(panel)[unit, time], unit, position, panel.n_units)
        keep = mu > 0
        residual, root = (y[keep] - mu[keep]) / np.sqrt(mu[keep]), np.sqrt(mu[keep])
        unit, position = unit[keep], position[keep]
    else:
        weight = np.ones_like(y) if panel.weight is None else panel.weight[unit, time]
        root = np.sqrt(weight)
        dummies = (position[:, None] == np.arange(1, position.max() + 1)).astype(float)
        x, centred = within(dummies, unit, weight) * root[:, None], within(y, unit, weight) * root
        residual = centred - x @ np.linalg.lstsq(x, centred, rcond=None)[0]
    errors = error_components(
        residual, root, cluster[unit], position, int(cluster.max()) + 1, counts=estimator == "ppml"
    )
    return rate, errors, float(abs(y.mean()))


def _two_way_counts(
    y: np.ndarray, exposure: np.ndarray, unit: np.ndarray, time: np.ndarray, n_units: int
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) fitted counts of Poisson unit and period effects by iterated proportional fitting, and unit rates (N,)."""
    period = np.ones(time.max() + 1)
    cases_unit, cases_time = np.bincount(unit, y, minlength=n_units), np.bincount(time, y)
    for _ in range(500):
        size = np.bincount(unit, exposure * period[time], minlength=n_units)
        rate = np.divide(cases_unit, size, out=np.zeros(n_units), where=size > 0)
        new = cases_time / np.maximum(np.bincount(time, exposure * rate[unit]), 1e-300)
        done = np.abs(new - period).max() < 1e-10 * period.max()
        period = new
        if done:
            break
    return exposure * rate[unit] * period[time], rate * period.mean()


def _usable(panel: Panel, outcome: str, design: Design, estimator: str) -> np.ndarray:
    ok = observed_cells(panel, outcome, design)
    return np.asarray(ok & (_exposure(panel) > 0)) if estimator == "ppml" else ok


def _exposure(panel: Panel) -> np.ndarray:
    exposure = np.ones((panel.n_units, panel.n_periods)) if panel.exposure is None else panel.exposure
    return np.nan_to_num(exposure if panel.completeness is None else exposure * panel.completeness)


def _regression(plan: Panel, outcome: str, rate: np.ndarray, design: Design, estimator: str, known: int) -> Regression:
    """The static regression of the plan with the outcome at its expected value: only its design matters."""
    usable = _usable(plan, outcome, design, estimator)
    future = (np.arange(plan.n_periods) >= known) & np.any(usable[:, :known], axis=1, keepdims=True)
    usable = (usable | future) & (rate > 0)[:, None]
    cells, rows = static_layout(plan, design, usable)
    x = design_columns(plan, cells, rows, design.covariates)
    if estimator == "ppml":
        weight: np.ndarray | None = (_exposure(plan) * rate[:, None])[cells.index]
    else:
        weight = None if plan.weight is None else plan.weight[cells.index]
    root = np.ones(len(x)) if weight is None else np.sqrt(weight)
    return build_regression(
        cells,
        rows,
        within(x, cells.unit, weight) * root[:, None],
        np.zeros(len(x)),
        root,
        n_params=x.shape[1] + 1,
        family="poisson" if estimator == "ppml" else "linear",
    )


def _null(
    r: Regression, errors: Errors, design: Design, index: int, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws (n,) of the estimate at no effect, of the critical value × CR3 standard error, and the df of the design."""
    system = cluster_system(r)
    moments = null_moments(r, system, errors, design.seed + index, n)
    c, present = r.contrast[0] / system.scale, system.present
    total = moments.sum(axis=1)
    estimate = total @ (system.bread @ c)
    without = leave_out(system) @ c
    left = total @ without.T - np.einsum("dgp,gp->dg", moments, without)
    g = int(present.sum())
    se = np.sqrt((g - 1) / g * ((estimate[:, None] - left)[:, present] ** 2).sum(axis=1))
    df = float(satterthwaite(system, r.contrast[:1])[0])
    return estimate, float(stdtrit(df, 0.5 + design.level / 2)) * se, np.full(n, df)
