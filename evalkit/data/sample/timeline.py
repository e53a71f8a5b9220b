"""Months and quarters of the synthetic world as labels and indices."""

from __future__ import annotations

from functools import cache

import numpy as np

from .calibrate import settings


def month_index(label: str) -> int:
    """Months since year 0 of "YYYY-MM"."""
    return int(label[:4]) * 12 + int(label[5:7]) - 1


def quarter_index(label: str) -> int:
    """Quarters since year 0 of "YYYYQn"."""
    return int(label[:4]) * 4 + int(label[5]) - 1


def month_label(index: int) -> str:
    return f"{index // 12}-{index % 12 + 1:02d}"


def quarter_label(index: int) -> str:
    return f"{index // 4}Q{index % 4 + 1}"


@cache
def months() -> tuple[str, ...]:
    """All months of the world."""
    t = settings()["time"]
    return tuple(month_label(i) for i in range(month_index(t["first_month"]), month_index(t["last_month"]) + 1))


@cache
def quarters(first: str | None = None) -> tuple[str, ...]:
    """Quarters from `first` (default: the first of the world) to the last."""
    start = quarter_index(first) if first else month_index(months()[0]) // 3
    return tuple(quarter_label(i) for i in range(start, month_index(months()[-1]) // 3 + 1))


@cache
def project_quarters() -> tuple[str, ...]:
    """Quarters of the firm-level extracts."""
    return quarters(settings()["time"]["project_first_quarter"])


@cache
def n_mature(first: str | None = None) -> int:
    """Number of leading quarters whose last month is at least `mature_months` old at as_of."""
    t = settings()["time"]
    limit = month_index(t["as_of"][:7]) - t["mature_months"]
    return sum(quarter_index(q) * 3 + 2 <= limit for q in quarters(first))


def years_from_reference() -> np.ndarray:
    """Years (M,) of every month from the month for which the calibration holds."""
    reference = month_index(settings()["time"]["reference_month"])
    return (np.array([month_index(m) for m in months()]) - reference) / 12


def to_quarters(monthly: np.ndarray, axis: int) -> np.ndarray:
    """Sums of three months along `axis`, whose length is a multiple of three."""
    shape = list(monthly.shape)
    shape[axis : axis + 1] = [shape[axis] // 3, 3]
    return monthly.reshape(shape).sum(axis=axis + 1)
