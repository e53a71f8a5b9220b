"""Parameters: only declared names, only plain values, before any kernel starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from evalkit.core import UserErrors
from evalkit.pipeline import engine
from evalkit.pipeline.light import nbformat
from evalkit.pipeline.parameters import as_parameter, check_parameters, declared, from_parameter
from evalkit.text import LANGUAGES, error_text

CELL = 'place = "x"  # code\nproject = ""\ndraws = 100'


def _notebook() -> Any:
    v4 = nbformat().v4
    return v4.new_notebook(cells=[v4.new_code_cell(CELL, metadata={"tags": ["parameters"]}), v4.new_code_cell("1")])


def test_declared_names_and_defaults_are_read() -> None:
    """The parameters cell says which names there are."""
    assert declared(_notebook()) == {"place": "x", "project": "", "draws": 100}


@pytest.mark.parametrize(
    "wrong",
    [{"plcae": "a"}, {"place": "深圳"}, {"place": "a\nb"}, {"place": None}, {"draws": [1]}, {"x\nimport os": "1"},
     {"draws": float("nan")}],
)  # fmt: skip
def test_wrong_parameters_are_refused_before_a_kernel(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """An unknown name, a name that is code, and values that papermill would change are refused at once."""
    path = tmp_path / "n.ipynb"
    nbformat().write(_notebook(), str(path))
    with pytest.raises(UserErrors) as caught:
        engine.execute(engine.Job(notebook=path, parameters=wrong, folder=tmp_path))
    for lang in LANGUAGES:
        assert error_text(caught.value, lang)
    assert not (tmp_path / engine.LOG).exists()


def test_all_wrong_parameters_are_told_in_one_go() -> None:
    """Two mistakes, two problems; the nearest name is offered."""
    with pytest.raises(UserErrors) as caught:
        check_parameters(_notebook(), {"plcae": "a", "project": "项目"}, "n.ipynb")
    assert [p.key for p in caught.value.problems] == ["parameter_unknown", "parameter_value"]
    assert caught.value.problems[0].values["hint"].values == {"word": "place"}


@pytest.mark.parametrize("name", ["plain", "工作区 {x}", "a%20b", 'it\'s "q"'])
def test_every_path_travels_as_ascii(tmp_path: Path, name: str) -> None:
    """Chinese folders and braces survive the way into a notebook."""
    text = as_parameter(tmp_path / name)
    assert text.isascii()
    assert "{" not in text
    assert from_parameter(text) == tmp_path / name


def test_the_slow_grammar_is_not_loaded() -> None:
    """nbformat is imported without building the grammar of rfc3987_syntax, which stays importable afterwards."""
    code = "from evalkit.pipeline.light import nbformat; import sys; nbformat(); print('rfc3987_syntax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
