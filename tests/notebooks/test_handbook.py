"""Research notebooks run top to bottom on the sample's generator, and their prose is the texts'."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from evalkit import text
from evalkit.pipeline.light import nbformat, papermill

FOLDER = Path(__file__).resolve().parents[2] / "notebooks" / "handbook"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[dict]:
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == kind]


def source(cell: dict) -> str:
    return "".join(cell["source"])


def test_there_is_one_on_the_estimators() -> None:
    """The handbook holds the notebook that compares the estimators."""
    assert [p.stem for p in NOTEBOOKS] == ["estimators"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_prose_is_the_texts_in_two_languages(path: Path) -> None:
    """Every Markdown cell names its key, and shows heading and words of it in Simplified Chinese and English."""
    for cell in cells(path, "markdown"):
        heading, marker, _, *words = source(cell).split("\n")
        key = marker.removeprefix("<!-- ").removesuffix(" -->")
        said = {lang: (text.t(f"{key}.heading", lang), text.t(f"{key}.words", lang)) for lang in ("zh-Hans", "en")}
        assert heading.lstrip("# ") == f"{said['zh-Hans'][0]} · {said['en'][0]}"
        assert words == [said["zh-Hans"][1], "", f"*{said['en'][1]}*"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_cells_are_thin_and_clean(path: Path) -> None:
    """No function, loop or condition; parameters are explained literals; no output is committed."""
    heavy = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.ListComp, ast.DictComp, ast.Lambda, ast.Try)
    for cell in cells(path, "code"):
        assert not [n for n in ast.walk(ast.parse(source(cell))) if isinstance(n, heavy)]
        assert (cell["outputs"], cell["execution_count"]) == ([], None)
    (parameters,) = (c for c in cells(path, "code") if "parameters" in c["metadata"].get("tags", []))
    for line in source(parameters).splitlines():
        assignment, _, comment = line.partition("  # ")
        ast.literal_eval(assignment.split("=", 1)[1].strip())
        assert len(comment) > 8, line


@pytest.mark.parametrize("scenario", ["effect", "null"])
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_top_to_bottom(path: Path, scenario: str, tmp_path: Path) -> None:
    """papermill runs it to its end, also at a true zero, and every cell but the set-up shows something."""
    done = tmp_path / path.name
    papermill().execute_notebook(
        str(path), str(done), {"scenario": scenario, "draws": 2000}, kernel_name="python3", progress_bar=False
    )
    code = [c for c in nbformat().read(str(done), as_version=4).cells if c.cell_type == "code"]
    silent = [c.source[:60] for c in code if not c.outputs and not c.source.startswith(("#", "import", "seed"))]
    assert silent == []
