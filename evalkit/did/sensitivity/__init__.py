"""Sensitivity to departures from parallel trends: robust intervals, breakdown values, power of pre-tests."""

from __future__ import annotations

from .honest import Breakdown, Sensitivity, TrendEvidence, breakdown, honest, largest_clusters, trend_evidence
from .pretrends import PretrendPower, TrendPower, pretrend_power

__all__ = [
    "Breakdown",
    "PretrendPower",
    "Sensitivity",
    "TrendEvidence",
    "TrendPower",
    "breakdown",
    "honest",
    "largest_clusters",
    "pretrend_power",
    "trend_evidence",
]
