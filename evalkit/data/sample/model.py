"""Laws of the synthetic world that firms and cities share: growth, season, shocks, effect of a programme."""

from __future__ import annotations

from functools import cache

import numpy as np

from .calibrate import Level, Scenario, settings
from .timeline import month_index, months, quarter_index, to_quarters, years_from_reference


@cache
def growth_path() -> np.ndarray:
    """Insured employees (M,) relative to the reference month: steady growth and the dip of early 2020."""
    s = settings()["insured"]
    path = (1 + s["growth_per_year"]) ** years_from_reference()
    dip = [s["covid"]["from"] <= m <= s["covid"]["to"] for m in months()]
    return path * np.where(dip, 1 + s["covid"]["change"], 1.0)


@cache
def rate_path() -> np.ndarray:
    """Injury rate (M,) relative to the reference year: trend, season and months of standstill."""
    s = settings()["rate"]
    season = np.asarray(s["season"]) / np.mean(s["season"])
    trend = np.exp(np.log1p(s["trend_per_year"]) * years_from_reference())
    event = np.exp([s["event"].get(m, 0.0) for m in months()])
    return trend * season[[month_index(m) % 12 for m in months()]] * event


@cache
def quarterly_rate_path() -> np.ndarray:
    """Mean of `rate_path` over the months of each quarter (Q,)."""
    return to_quarters(rate_path(), 0) / 3


def ar1(rng: np.random.Generator, n: int, periods: int, sd: float, rho: float) -> np.ndarray:
    """Stationary AR(1) paths (n, periods) with marginal standard deviation `sd`."""
    draws = rng.standard_normal((n, periods)) * sd
    path = np.empty_like(draws)
    path[:, 0] = draws[:, 0]
    for t in range(1, periods):
        path[:, t] = rho * path[:, t - 1] + np.sqrt(1 - rho**2) * draws[:, t]
    return path


def scenario_shock(
    rng: np.random.Generator, n: int, labels: tuple[str, ...], truth: Scenario, window: tuple[str, str]
) -> np.ndarray:
    """Log-rate shocks (n, Q) that only some scenarios have: lockdowns, and a passing shock in the window."""
    quarter = np.array([quarter_index(q) for q in labels])
    closed = np.isin(quarter, [quarter_index(q) for q in truth.lockdown])
    chosen = (quarter >= quarter_index(window[0])) & (quarter <= quarter_index(window[1]))
    depth = np.minimum(truth.lockdown_mean + truth.lockdown_sd * rng.standard_normal((n, 1)), 0.0)
    passing = truth.transitory_sd * rng.standard_normal((n, 1))
    return depth * closed + passing * chosen


def effect_path(truth: Scenario, level: Level, start: str, labels: tuple[str, ...]) -> np.ndarray:
    """Share (Q,) of the full effect that is left in every quarter: 0 before the start, fading by the month."""
    month = np.arange(3) + 0.5 + 3 * (np.array([[quarter_index(q)] for q in labels]) - quarter_index(start))
    fade = truth.fade_months[level]
    left = np.clip(1 - month / fade, 0, 1) if fade else np.ones_like(month)
    return np.where(month > 0, left, 0.0).mean(axis=1)


def injury_ratio(first: np.ndarray, treated: np.ndarray, left: np.ndarray) -> np.ndarray:
    """Rate ratio (n, Q) of avertable injuries: 1 − (1 − first-month ratio) × share left, 1 if not treated."""
    return 1 - (1 - first)[:, None] * treated[:, None] * left[None, :]


def trend_gap(truth: Scenario, level: Level, treated: np.ndarray, labels: tuple[str, ...]) -> np.ndarray:
    """Log points (n, Q) by which the treated drift away, zero in the first quarter."""
    return treated[:, None] * truth.trend_gap[level] * np.arange(len(labels))[None, :] / 4


def completeness(labels: tuple[str, ...] | None = None) -> np.ndarray:
    """Share of the final cases of each month (M,) that is recognised at as_of."""
    s = settings()
    as_of = s["time"]["as_of"]
    now = month_index(as_of[:7]) + int(as_of[8:]) / 31
    age = now - np.array([month_index(m) + 0.5 for m in labels or months()])
    return np.interp(age, s["lag"]["months"], s["lag"]["known"])


def high_units(observed: np.ndarray, n: int) -> np.ndarray:
    """(N,) True for the `n` units with the highest observed rate."""
    chosen = np.zeros(len(observed), dtype=bool)
    chosen[np.argsort(-observed, kind="stable")[:n]] = True
    return chosen


def window_columns(labels: tuple[str, ...], window: tuple[str, str]) -> np.ndarray:
    """(Q,) True for quarters inside the window."""
    return np.array([window[0] <= q <= window[1] for q in labels])
