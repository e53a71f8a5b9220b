"""Office files → canonical tables → panels. The only layer that knows what an office file looks like.

A panel from a frame needs no reader of files: the rest is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .panel import panel

if TYPE_CHECKING:
    from .canonical import Canonical, InputFile, ingest, ingest_by_place, read_canonical, restrict, write_canonical
    from .panels import city_panel, firm_panel, last_mature_quarter, outcome_names, policy_panel
    from .privacy import key_for, scan
    from .read import FileSpec
    from .schema import ColumnSpec, TableSpec, table, tables
    from .withhold import capped

_HOME = {
    "Canonical": "canonical",
    "ColumnSpec": "schema",
    "FileSpec": "read",
    "InputFile": "canonical",
    "TableSpec": "schema",
    "capped": "withhold",
    "city_panel": "panels",
    "firm_panel": "panels",
    "ingest": "canonical",
    "ingest_by_place": "canonical",
    "key_for": "privacy",
    "last_mature_quarter": "panels",
    "outcome_names": "panels",
    "policy_panel": "panels",
    "read_canonical": "canonical",
    "restrict": "canonical",
    "scan": "privacy",
    "table": "schema",
    "tables": "schema",
    "write_canonical": "canonical",
}

__all__ = [
    "Canonical",
    "ColumnSpec",
    "FileSpec",
    "InputFile",
    "TableSpec",
    "capped",
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
    if name == "sample":
        return import_module(".sample", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return found
