"""Where a thing came from: works (`Origin`) and dated parameters (`Parameter`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Birth certificate of a file, a work or a notice."""

    key: str
    producer: str = ""
    title: str = ""
    citation: str = ""
    url: str = ""
    accessed: str = ""
    published: str = ""
    licence: str = ""
    sha256: str = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A dated number with its unit, source and how sure we are of it.

    `low`/`high` bound the sensitivity range; `distribution` names how it is drawn
    ("fixed", "beta", "gamma", "lognormal", "normal", "uniform"). `verified` is False until somebody has
    read the primary source: unverified values are marked wherever they are used.
    """

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    distribution: str = "fixed"
    unit: str = ""
    price_year: int | None = None
    currency: str | None = None
    valid_from: str = ""
    valid_to: str = ""
    source: str = ""
    page: str = ""
    verified: bool = False
