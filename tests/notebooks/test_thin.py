"""Notebooks are thin: load, call, show. Read from their JSON, without running them."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from evalkit import study, text

SHOWN = ("zh-Hans", "en")
"""Languages of the headings in the notebooks themselves; reports have them in every language."""

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def cells(path: Path, kind: str) -> list[dict]:
    return [c for c in json.loads(path.read_text("utf-8"))["cells"] if c["cell_type"] == kind]


def source(cell: dict) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def test_the_three_notebooks_are_there() -> None:
    """One notebook for a project, one for a city, one for the province."""
    assert {p.stem for p in NOTEBOOKS} == {"project_evaluation", "city_assessment", "province_assessment"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_logic_in_cells(path: Path) -> None:
    """No function, class, loop, condition or comprehension stands in a notebook."""
    heavy = (ast.FunctionDef, ast.ClassDef, ast.For, ast.While, ast.If, ast.ListComp, ast.DictComp, ast.Lambda, ast.Try)
    for cell in cells(path, "code"):
        found = [type(n).__name__ for n in ast.walk(ast.parse(source(cell))) if isinstance(n, heavy)]
        assert not found, f"{found} in: {source(cell)[:80]}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_one_parameters_cell_explains_each_parameter(path: Path) -> None:
    """Exactly one cell is tagged `parameters`; each of its lines assigns a literal and says what it means."""
    tagged = [c for c in cells(path, "code") if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    for line in source(tagged[0]).splitlines():
        assignment, _, comment = line.partition("  # ")
        ast.literal_eval(assignment.split("=", 1)[1].strip())
        assert len(comment) > 8, line


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_outputs_are_stripped(path: Path) -> None:
    """No output or execution count is committed."""
    for cell in cells(path, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_headings_are_message_keys_and_sections_exist(path: Path) -> None:
    """A heading shows its words in two languages beside its key, and every section called is registered."""
    kind = path.stem.split("_")[0]
    for cell in cells(path, "markdown"):
        shown, marker = source(cell).split("\n")
        key = marker.removeprefix("<!-- evalkit:heading ").removesuffix(" -->")
        assert shown.lstrip("# ") == " · ".join(text.t(key, lang) for lang in SHOWN)
    called = {source(c).split('"')[1] for c in cells(path, "code") if "study.section(" in source(c)}
    assert called == set(study.SECTIONS[kind])
