"""What the usual pre-test could have seen: power against a linear trend (Roth 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...core import EffectPath, Panel
from .event_paths import EventStudy, Target, event_study_of
from .normal_box import box_mean, box_probability


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendPower:
    """What a linear difference in trends of `slope` per period would do.

    power              probability that some pre-period coefficient is significant
    bayes_factor       P(no one is | slope) / P(no one is | parallel trends)
    likelihood_ratio   density of the estimates before the start under the slope over that under parallel trends
    bias               of the target if the trend goes on: target'(slope × event time from the reference)
    mean_after         (k,) expected coefficients given that the pre-test is passed
    """

    target_power: float | None
    slope: float
    power: float
    bayes_factor: float
    likelihood_ratio: float
    bias: float
    mean_after: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class PretrendPower:
    """Slopes by power, for one event study; refused: message key where its covariance carries no answer."""

    event_time: tuple[int, ...]
    estimate: np.ndarray
    trends: tuple[TrendPower, ...]
    outcome: str = ""
    covariance: str = "clusters"
    refused: str | None = None
    notes: tuple[str, ...] = ()

    def slope(self, power: float) -> float:
        """Slope per period detected with this probability. Raises KeyError for a power that was not asked for."""
        for trend in self.trends:
            if trend.target_power == power:
                return trend.slope
        raise KeyError(f"no slope for power {power}; asked for: {[t.target_power for t in self.trends]}")

    def tidy(self) -> pd.DataFrame:
        """One row per slope: target_power, slope, power, bayes_factor, likelihood_ratio, bias."""
        names = ("target_power", "slope", "power", "bayes_factor", "likelihood_ratio", "bias")
        return pd.DataFrame([{n: getattr(t, n) for n in names} for t in self.trends], columns=list(names))


def pretrend_power(
    path: EffectPath,
    *,
    power: Sequence[float] = (0.5, 0.8),
    slope: float | None = None,
    target: Target = "first",
    outcome: str | None = None,
    panel: Panel | None = None,
) -> PretrendPower:
    """Linear trends that the usual pre-test detects with given power, and what one does to the estimates.

    path     one joint event study with a row per event time (long differences from one reference)
    power    probabilities of detection to find slopes for;  slope: one more slope (per period) to be judged
    target   the effect whose bias is shown, as in `honest`;  panel as in `honest`
    The pre-test is "no coefficient before the reference is significant at 5 %", by the path's own critical values (t
    with the reported degrees of freedom); coefficients are taken as jointly normal. Returns a PretrendPower. Raises
    as `honest`. Not a test of parallel trends, and no ground to accept them: passing it biases what follows.
    Source: Roth (2022), AER: Insights 4(3): 305-322.
    """
    study = event_study_of(path, target=target, outcome=outcome, panel=panel)
    if study.refused:
        trends: tuple[TrendPower, ...] = ()
    else:
        trends = tuple(trend_of(study, slope_for(study, p), p) for p in power)
        trends += () if slope is None else (trend_of(study, slope, None),)
    return PretrendPower(
        event_time=study.event_time,
        estimate=study.estimate,
        trends=trends,
        outcome=study.outcome,
        covariance=study.covariance,
        refused=study.refused,
        notes=study.notes,
    )


def slope_for(study: EventStudy, power: float) -> float:
    """The positive slope per period that the pre-test detects with probability `power`."""
    if power <= 1 - _passes(study, 0.0):
        return 0.0
    low, high = 0.0, float(np.sqrt(np.diag(study.vcov))[0])
    while 1 - _passes(study, high) < power:
        low, high = high, 2 * high
    while high - low > 1e-7 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if 1 - _passes(study, middle) < power else (low, middle)
    return (low + high) / 2


def trend_of(study: EventStudy, slope: float, power: float | None) -> TrendPower:
    """All that Roth reports about one slope."""
    n, trend = study.pre, _trend(study, slope)
    before = study.vcov[:n, :n]
    mean = box_mean(trend[:n], before, *_box(study))
    passes = _passes(study, slope)
    solved = np.linalg.solve(before, np.column_stack([mean - trend[:n], trend[:n]]))
    centred = study.estimate[:n] - trend[:n] / 2
    return TrendPower(
        target_power=power,
        slope=slope,
        power=1 - passes,
        bayes_factor=passes / _passes(study, 0.0),
        likelihood_ratio=float(np.exp(centred @ solved[:, 1])),
        bias=float(study.target @ trend[n:]),
        mean_after=np.r_[mean, trend[n:] + study.vcov[n:, :n] @ solved[:, 0]],
    )


def _trend(study: EventStudy, slope: float) -> np.ndarray:
    return slope * (np.array(study.event_time, dtype=float) - study.reference)


def _box(study: EventStudy) -> tuple[np.ndarray, np.ndarray]:
    half = study.threshold * np.sqrt(np.diag(study.vcov)[: study.pre])
    return -half, half


def _passes(study: EventStudy, slope: float) -> float:
    n = study.pre
    return box_probability(_trend(study, slope)[:n], study.vcov[:n, :n], *_box(study))
