"""Simultaneous bands over the rows of a path: when one holds, and how wide it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .rows import Inference

BAND_CLUSTERS = 8.0
"""Effective treated and comparison clusters from which a sup-t band holds (`methods.md` 1)."""
DRAWS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Limits of all rows of a path at once, or one by one where no band holds.

    low, high (k,)  NaN for rows without an interval, the estimate itself for a reference
    kind      "simultaneous" (sup-t, multivariate t) or "pointwise" (each row's own interval: not a band)
    critical  multiple of the standard error, df the smallest of the rows; NaN for pointwise limits
    reason    message key `band.reason.<...>`
    """

    low: np.ndarray
    high: np.ndarray
    kind: Literal["simultaneous", "pointwise"]
    critical: float
    df: float
    reason: str


def band_of(estimate: np.ndarray, vcov: np.ndarray, inference: Sequence[Inference], level: float, seed: int) -> Band:
    """The band over the rows with an interval, where each rests on at least `BAND_CLUSTERS` effective clusters."""
    k = len(estimate)
    told = np.array([i.std_error is not None and i.std_error > 0 and i.df is not None for i in inference], dtype=bool)
    low, high = (np.array([_limit(i, e, name) for i, e in zip(inference, estimate)]) for name in ("low", "high"))
    weakest = [min(i.effective_treated or 0.0, i.effective_control or 0.0) for i, t in zip(inference, told) if t]
    enough = min(weakest, default=0.0) >= BAND_CLUSTERS
    if not told.any() or not enough:
        key = "few_clusters" if told.any() else "no_rows"
        return Band(low=low, high=high, kind="pointwise", critical=np.nan, df=np.nan, reason=f"band.reason.{key}")
    df = min(float(i.df) for i, t in zip(inference, told) if t and i.df is not None)
    at = np.flatnonzero(told)
    critical = float(np.quantile(maximal_draws(vcov[np.ix_(at, at)], df, seed).max(axis=1), level))
    half = np.zeros(k)
    half[at] = critical * np.sqrt(np.diag(vcov)[at])
    return Band(
        low=np.where(told, estimate - half, low),
        high=np.where(told, estimate + half, high),
        kind="simultaneous",
        critical=critical,
        df=df,
        reason="band.reason.sup_t",
    )


def _limit(inference: Inference, estimate: float, side: str) -> float:
    if inference.rule == "reference":
        return float(estimate)
    value = inference.conf_low if side == "low" else inference.conf_high
    return np.nan if value is None else float(value)


def maximal_draws(vcov: np.ndarray, df: float, seed: int, n: int = DRAWS) -> np.ndarray:
    """(n, k) absolute multivariate-t(df) draws with the correlation of vcov (k, k)."""
    sd = np.sqrt(np.diag(vcov))
    values, vectors = np.linalg.eigh(vcov / np.outer(sd, sd))
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, len(sd))) @ (vectors * np.sqrt(np.clip(values, 0, None))).T
    return np.asarray(np.abs(z) / np.sqrt(rng.chisquare(df, n) / df)[:, None])
