"""Confidence intervals of counts, proportions and ratios of rates. Vectorised; scipy.special only."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import chdtri, ndtri, stdtrit


def exact_poisson(count: Any, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Exact (Garwood) interval of a Poisson count.

    low = χ²(α/2; 2x)/2, high = χ²(1−α/2; 2x+2)/2 with α = 1 − level; low is 0 at x = 0. Divide both by the
    person-years to get the interval of a rate.

    count   cases, any shape, ≥ 0 (whole numbers; NaN gives NaN)
    Returns (low, high), cases, same shape. Raises ValueError for a negative count.
    Conservative (coverage ≥ level). Not for over-dispersed series: year-to-year variance is added in `targets`.
    Source: Garwood (1936) Biometrika 28:437-442; Ulm (1990) Am J Epidemiol 131:373-375.
    """
    x, alpha = _counts(count), 1 - level
    with np.errstate(invalid="ignore"):
        low = np.where(x > 0, chdtri(2 * np.maximum(x, 1e-300), 1 - alpha / 2) / 2, np.where(x == 0, 0.0, np.nan))
        high = chdtri(2 * x + 2, alpha / 2) / 2
    return low, high


def byar(count: Any, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Byar's approximation to the exact Poisson interval, close from about 5 cases up.

    low = x(1 − 1/(9x) − z/(3√x))³, high = (x+1)(1 − 1/(9(x+1)) + z/(3√(x+1)))³.

    count   cases, any shape, ≥ 0. Returns (low, high), cases. Raises ValueError for a negative count.
    Use `exact_poisson` unless a published figure was made with Byar's formula.
    Source: Breslow and Day (1987) Statistical Methods in Cancer Research II, p. 69, IARC.
    """
    x, z = _counts(count), ndtri(1 - (1 - level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(x > 0, x * np.maximum(1 - 1 / (9 * x) - z / (3 * np.sqrt(x)), 0) ** 3, 0 * x)
    up = x + 1
    return low, up * (1 - 1 / (9 * up) + z / (3 * np.sqrt(up))) ** 3


def wilson(passed: Any, n: Any, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Wilson score interval of a proportion.

    (p + z²/2n ± z√(p(1−p)/n + z²/4n²)) / (1 + z²/n), p = passed/n; NaN where n = 0.

    passed, n   whole numbers, any shapes that broadcast, 0 ≤ passed ≤ n
    Returns (low, high), fractions. Raises ValueError where passed is outside [0, n].
    Source: Wilson (1927) JASA 22:209-212; Newcombe (1998) Stat Med 17:857-872, method 3.
    """
    x, n = np.broadcast_arrays(np.asarray(passed, float), np.asarray(n, float))
    if np.any((x < 0) | (x > n)):
        raise ValueError("passed must lie between 0 and n")
    z = ndtri(1 - (1 - level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(n > 0, x / n, np.nan)
        half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        low, high = ((p + z**2 / (2 * n) + s * half) / (1 + z**2 / n) for s in (-1, 1))
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def rate_ratio(
    cases: Any, exposure: Any, base_cases: Any, base_exposure: Any, *, level: float = 0.95,
    year_variance: float = 0.0, year_df: float = np.inf,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Ratio of two rates with a log-normal interval.

    RR = (a/E)/(b/F), se² = 1/a + 1/b + v, interval RR·exp(±t·se). v = `year_variance` is variance of log RR beyond
    Poisson, estimated with `year_df` degrees of freedom; t has Satterthwaite df = (1/a+1/b+v)²/(v²/year_df), which is
    infinite (normal) where v = 0.

    cases, base_cases         counts;  exposure, base_exposure   person-years; shapes broadcast
    Returns (ratio, low, high); NaN where a count or an exposure is 0 (no log-normal interval there).
    Source: Rothman, Greenland and Lash (2008) Modern Epidemiology, ch. 14; Satterthwaite (1946) Biometrics 2:110-114.
    """
    a, e, b, f = (np.asarray(v, float) for v in (cases, exposure, base_cases, base_exposure))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where((a > 0) & (b > 0) & (e > 0) & (f > 0), (a / e) / (b / f), np.nan)
        sampling = 1 / a + 1 / b
    low, high = log_interval(ratio, sampling, level=level, year_variance=year_variance, year_df=year_df)
    return ratio, low, high


def log_interval(
    ratio: Any, sampling_variance: Any, *, level: float = 0.95, year_variance: float = 0.0, year_df: float = np.inf
) -> tuple[np.ndarray, np.ndarray]:
    """Interval of a ratio from the variance of its logarithm, known part plus a part estimated with `year_df`.

    ratio > 0, sampling_variance ≥ 0 any shape. Returns (low, high); the convention is that of `rate_ratio`.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.asarray(sampling_variance, float) + year_variance
        df = np.where(year_variance > 0, variance**2 / (max(year_variance, 1e-300) ** 2 / year_df), np.inf)
        reach = _t(df, level) * np.sqrt(variance)
        return ratio * np.exp(-reach), ratio * np.exp(reach)


def _t(df: np.ndarray, level: float) -> np.ndarray:
    p = 1 - (1 - level) / 2
    finite = np.isfinite(df) & (df < 1e9)
    return np.where(finite, stdtrit(np.where(finite, df, 1.0), p), ndtri(p))


def _counts(count: Any) -> np.ndarray:
    x = np.asarray(count, float)
    if np.any(x < 0):
        raise ValueError("a count cannot be negative")
    return x
