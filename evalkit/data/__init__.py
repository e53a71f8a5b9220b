"""Office files → canonical tables → panels. The only layer that knows what an office file looks like."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from .canonical import Canonical, InputFile, ingest, ingest_by_place, read_canonical, restrict, write_canonical
from .panel import panel
from .panels import city_panel, firm_panel, last_mature_quarter, outcome_names, policy_panel
from .privacy import key_for, scan
from .read import FileSpec
from .schema import ColumnSpec, TableSpec, table, tables

__all__ = [
    "Canonical",
    "ColumnSpec",
    "FileSpec",
    "InputFile",
    "TableSpec",
    "city_panel",
    "firm_panel",
    "ingest",
    "ingest_by_place",
    "key_for",
    "last_mature_quarter",
    "outcome_names",
    "panel",
    "policy_panel",
    "read_canonical",
    "restrict",
    "sample",
    "scan",
    "table",
    "tables",
    "write_canonical",
]


def __getattr__(name: str) -> Any:
    """`data.sample` is imported when first used: reading real files needs no generator."""
    if name == "sample":
        return import_module(".sample", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
