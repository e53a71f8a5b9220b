"""What a notebook may be given: the names of its parameters cell and plain ASCII values, nothing else.

papermill itself only logs a warning for a name it does not know, pastes names into code as they are, and writes
strings through `unicode_escape`. So names must be identifiers that the notebook declares, and values must be
ASCII text, integers, floats or booleans. Paths with other characters travel as `file:` addresses.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..core import Problem, UserErrors
from .light import nbformat
from .settings import hint

TAG = "parameters"


def read_notebook(path: Path) -> Any:
    """The notebook at `path` as an nbformat node (version 4)."""
    return nbformat().read(str(path), as_version=4)


def declared(notebook: Any) -> dict[str, Any]:
    """Names and defaults of the cell tagged `parameters`, in its order."""
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", ()):
            return dict(_assignments(ast.parse(cell.source)))
    return {}


def check_parameters(notebook: Any, parameters: Mapping[str, Any], name: str) -> None:
    """Refuse what the notebook would silently ignore or change.

    Raises UserErrors listing every parameter that the notebook does not declare (with the nearest name) and every
    value that is not ASCII text, an integer, a float or a boolean.
    """
    known = sorted(declared(notebook))
    unknown = [p for p in parameters if p not in known or not p.isidentifier()]
    problems = [
        Problem(
            key="parameter_unknown",
            values={"parameter": p, "notebook": name, "known": known, "hint": hint(p, known)},
        )
        for p in unknown
    ]
    problems += [
        Problem(key="parameter_value", values={"parameter": p, "notebook": name, "value": repr(value)})
        for p, value in parameters.items()
        if p not in unknown and not _plain(value)
    ]
    if problems:
        raise UserErrors(problems)


def as_parameter(path: Path) -> str:
    """A path as an ASCII parameter: as it is, or percent-encoded as a `file:` address."""
    text = str(path)
    return text if text.isascii() and "{" not in text else path.absolute().as_uri()


def from_parameter(text: str) -> Path:
    """The path that `as_parameter` wrote, or that a person typed."""
    if text.startswith("file:"):
        from urllib.parse import urlsplit
        from urllib.request import url2pathname

        return Path(url2pathname(urlsplit(text).path))
    return Path(text).expanduser()


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    return isinstance(value, (bool, int)) or (isinstance(value, float) and value == value)


def _assignments(tree: ast.Module) -> list[tuple[str, Any]]:
    return [
        (target.id, ast.literal_eval(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
