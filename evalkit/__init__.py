"""evalkit: evaluation of work-injury prevention, from raw office files to city reports.

Importing this package costs next to nothing: everything is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "Design": "evalkit.core",
    "EffectPath": "evalkit.core",
    "Panel": "evalkit.core",
    "Psa": "evalkit.core",
    "UserError": "evalkit.core",
    "panel": "evalkit.data",
}
_MODULES = ("assess", "cea", "core", "data", "did", "plans", "show", "sources", "study", "text")

__all__ = sorted([*_PUBLIC, *_MODULES])


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return import_module(f"evalkit.{name}")
    raise AttributeError(f"module 'evalkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
