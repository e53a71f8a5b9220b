"""Fixtures of the pipeline tests: the toys of `toys.py`, run for real."""

from __future__ import annotations

import functools
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Finished:
    """A results folder of the plain toy workspace, and the edition of its peers."""

    folder: Path
    peers_edition: str


def toy_peers(*_: Any) -> dict[str, pd.DataFrame]:
    """The toy plan has no indicators, so its peers are one fixed small frame."""
    return {"toy": pd.DataFrame({"x": [1.0]})}


@pytest.fixture(autouse=True)
def _toy_peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "compute_peers", toy_peers)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One plain run for all tests that begin after one; they work on copies."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "compute_peers", toy_peers)
        report = run_toy(write_workspace(folder / "工作区 {x}"), folder)
    assert report.exit_code == 0
    return report.folder


@pytest.fixture
def done(finished: Path, tmp_path: Path) -> Finished:
    """The results folder of `assess_toy` as it is after a plain run."""
    folder = Path(shutil.copytree(finished, tmp_path / "out"))
    return Finished(folder, json.loads((folder / "run.json").read_text("utf-8"))["peers_edition"])


def run_toy(workspace: Path, folder: Path, *city_cells: str, **options: Any) -> RunReport:
    """Write the notebooks and run them below `folder`."""
    for kind, extra in (("project", ()), ("city", city_cells), ("province", ())):
        write_notebook(folder / "notebooks" / NOTEBOOKS[kind], toy_notebook(kind, *extra))
    console = Console(file=(folder / "screen.txt").open("a", encoding="utf-8"))
    options = {"jobs": 2, "deadline": 120.0, **options}
    return run(load_workspace(workspace), folder / "out", notebooks=folder / "notebooks", console=console, **options)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return write_workspace(tmp_path / "工作区 {x}")


@pytest.fixture
def assess_toy(workspace: Path, tmp_path: Path) -> Callable[..., RunReport]:
    """Run the toy workspace with extra cells in its city notebook; returns the report of the run."""
    return functools.partial(run_toy, workspace, tmp_path)
