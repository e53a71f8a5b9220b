"""Fixtures of the pipeline tests: the toys of `toys.py`, run for real."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console
from toys import toy_notebook, write_notebook, write_workspace

from evalkit.pipeline import prepare
from evalkit.pipeline.run import RunReport, run
from evalkit.pipeline.stages import NOTEBOOKS
from evalkit.pipeline.workspace import load_workspace


@pytest.fixture(autouse=True)
def _no_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy plan has no indicators, so its peers are one fixed small frame."""
    monkeypatch.setattr(prepare, "compute_peers", lambda *_: {"toy": pd.DataFrame({"x": [1.0]})})


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return write_workspace(tmp_path / "工作区 {x}")


@pytest.fixture
def assess_toy(workspace: Path, tmp_path: Path) -> Callable[..., RunReport]:
    """Run the toy workspace with extra cells in its notebooks; returns the report of the run."""

    def go(*city_cells: str, **options: Any) -> RunReport:
        folder = tmp_path / "notebooks"
        for kind, extra in (("project", ()), ("city", city_cells), ("province", ())):
            write_notebook(folder / NOTEBOOKS[kind], toy_notebook(kind, *extra))
        console = Console(file=(tmp_path / "screen.txt").open("a", encoding="utf-8"))
        options = {"jobs": 2, "deadline": 120.0, **options}
        return run(load_workspace(workspace), tmp_path / "out", notebooks=folder, console=console, **options)

    return go
