"""`evalkit lab`: a working copy that runs with its defaults, and edits that survive."""

from __future__ import annotations

from pathlib import Path

import pytest
from toys import toy_notebook, write_notebook

from evalkit.pipeline import lab
from evalkit.pipeline.engine import Job, execute
from evalkit.pipeline.parameters import declared, read_notebook
from evalkit.pipeline.results import read_results
from evalkit.pipeline.stages import NOTEBOOKS
from evalkit.pipeline.workspace import load_workspace


@pytest.fixture
def copy(workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for kind, name in NOTEBOOKS.items():
        write_notebook(tmp_path / "notebooks" / name, toy_notebook(kind))
    monkeypatch.setattr(lab, "notebooks_folder", lambda: tmp_path / "notebooks")
    return lab.working_copy(load_workspace(workspace), tmp_path / "reports")


def test_the_working_copy_is_filled_in(copy: Path, workspace: Path) -> None:
    """Only notebooks of the plan are copied; workspace and place are set; a second call keeps edits."""
    assert sorted(p.name for p in copy.iterdir()) == [NOTEBOOKS["city"], NOTEBOOKS["province"]]
    filled = declared(read_notebook(copy / NOTEBOOKS["city"]))
    assert filled == {"workspace": str(workspace), "place": "c01", "project": "", "out": ""}
    (copy / NOTEBOOKS["city"]).write_text("edited", "utf-8")
    lab.working_copy(load_workspace(workspace), copy.parents[1])
    assert (copy / NOTEBOOKS["city"]).read_text("utf-8") == "edited"


def test_the_research_notebooks_come_along(copy: Path, workspace: Path, tmp_path: Path) -> None:
    """Those of the handbook are copied into a folder of their own, and edits of them survive too."""
    write_notebook(tmp_path / "notebooks" / "handbook" / "study.ipynb", toy_notebook("city"))
    own = copy / "handbook" / "study.ipynb"
    lab.working_copy(load_workspace(workspace), copy.parents[1])
    assert declared(read_notebook(own)) == declared(read_notebook(tmp_path / "notebooks" / "handbook" / "study.ipynb"))
    own.write_text("edited", "utf-8")
    lab.working_copy(load_workspace(workspace), copy.parents[1])
    assert own.read_text("utf-8") == "edited"


def test_run_all_works_with_the_defaults(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `out`, tables are made on demand and results land in the scratch folder."""
    monkeypatch.setenv("EVALKIT_REPORTS", str(tmp_path / "reports"))
    folder = tmp_path / "job"
    folder.mkdir()
    peers = "from evalkit.pipeline import prepare\nprepare.compute_peers = lambda *_: {}\n"
    notebook = read_notebook(copy / NOTEBOOKS["city"])
    notebook.cells[2].source = peers + notebook.cells[2].source
    write_notebook(copy / NOTEBOOKS["city"], notebook)
    execute(Job(notebook=copy / NOTEBOOKS["city"], parameters={}, folder=folder, deadline=120))
    assert read_results(tmp_path / "reports" / ".scratch" / "toy")["place"] == "c01"


def test_the_command_opens_the_copy(tmp_path: Path) -> None:
    """Port, address and browser are handed on."""
    command = lab.lab_command(tmp_path, no_browser=True, port=8899, ip="127.0.0.1")
    assert {"--no-browser", "--ServerApp.port=8899", "--ServerApp.ip=127.0.0.1"} <= set(command)
