"""From a workspace to reports: settings, stages, kernels, supervisor, results.json, publishing.

Everything is loaded when it is first used: papermill and nbconvert cost more than a second to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "Workspace": "workspace",
    "finish": "notebook",
    "load_workspace": "workspace",
    "open_case": "notebook",
    "publish": "publish",
    "read_results": "results",
    "run": "run",
    "validate": "results",
}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(f".{_PUBLIC[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
