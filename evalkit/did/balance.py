"""Were participants and comparison units alike before the start? Means and standardised differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..core import Design, Panel

COLUMNS = ("variable", "kind", "treated_mean", "control_mean", "std_difference", "n_treated", "n_control")


def balance(panel: Panel, design: Design | None = None) -> pd.DataFrame:
    """Treated against never-treated units (later-treated ones where there is no other) over the common pre-period.

    One row per outcome ("outcome": mean before the first start, per unit of exposure where the panel has it;
    "trend": slope per period of the same), exposure and covariate ("covariate": mean before the first start). Columns:
    variable, kind, treated_mean, control_mean, std_difference = difference over √((s₁² + s₀²)/2), n_treated,
    n_control (units). Periods of notice and of the selection window are left out. Always-treated units are left out.
    Descriptive: a difference in levels is no breach of parallel trends, and matching on noisy levels before the start
    makes one (`methods.md` 2). Source: Imbens and Rubin (2015), chapter 14.
    """
    design = design or Design()
    cohort = np.minimum(panel.cohort, panel.n_periods)
    last = int(cohort.max())
    treated, control = (cohort < last) & (cohort > 0), cohort == last
    before = np.arange(panel.n_periods) < int(cohort[treated].min(initial=last)) - design.anticipation
    if design.selection_window is not None:
        low, high = design.selection_window
        before &= np.array([not low <= t <= high for t in panel.times])
    rows = []
    for name, values in panel.outcomes.items():
        rate = values if panel.exposure is None else _ratio(values, panel.exposure)
        rows.append(_row(name, "outcome", _mean(rate[:, before]), treated, control))
        if before.sum() > 1:
            rows.append(_row(name, "trend", _slope(rate[:, before]), treated, control))
    others = {} if panel.exposure is None else {"exposure": panel.exposure}
    for name, values in (others | panel.covariates).items():
        rows.append(_row(name, "covariate", _mean(values[:, before]), treated, control))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ratio(values: np.ndarray, exposure: np.ndarray) -> np.ndarray:
    return np.divide(values, exposure, out=np.full(values.shape, np.nan), where=exposure > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    known = np.isfinite(values)
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _slope(values: np.ndarray) -> np.ndarray:
    """(N,) least-squares slope over the periods of each unit that is fully observed."""
    time = np.arange(values.shape[1]) - (values.shape[1] - 1) / 2
    return np.asarray(values @ time / (time @ time))


def _row(name: str, kind: str, value: np.ndarray, treated: np.ndarray, control: np.ndarray) -> tuple[object, ...]:
    one, zero = (value[group & np.isfinite(value)] for group in (treated, control))
    if min(len(one), len(zero)) < 2:
        spread = 0.0
    else:
        spread = float(np.sqrt((one.var(ddof=1) + zero.var(ddof=1)) / 2))
    means = [float(v.mean()) if len(v) else float("nan") for v in (one, zero)]
    difference = (means[0] - means[1]) / spread if spread > 0 else float("nan")
    return name, kind, *means, difference, len(one), len(zero)
