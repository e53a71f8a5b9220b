"""The one door to nbformat and jsonschema, which keeps their import cheap.

`jsonschema` imports the optional module `rfc3987_syntax` wherever it is installed, and that module builds a
grammar for about a second of processor time (python-jsonschema issue 1428). Only the formats `iri` and
`iri-reference` need it, and neither notebooks nor results.json use them, so it is hidden while jsonschema is
imported for the first time, and only then.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_SLOW = "rfc3987_syntax"


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """Make `import name` raise ImportError inside the block, unless it is loaded already."""
    if name in sys.modules or "jsonschema" in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop(name, None)


def jsonschema() -> ModuleType:
    """The module `jsonschema`, imported without the grammar of `rfc3987_syntax`."""
    with _hidden(_SLOW):
        import jsonschema

        return jsonschema


def nbformat() -> ModuleType:
    """The module `nbformat`, imported after jsonschema so that it finds the light one."""
    jsonschema()
    import nbformat

    return nbformat


def papermill() -> ModuleType:
    """The package `papermill`; its own log lines are left to the task log."""
    nbformat()
    import papermill

    return papermill
