"""results.json: the schema refuses what readers could not use, and nothing vanishes between sections."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from evalkit.core import Exhibit, Gate, Message, Score, Section
from evalkit.pipeline import results as module
from evalkit.pipeline.report import sanitised
from evalkit.pipeline.stages import safe_id
from evalkit.pipeline.workspace import load_workspace
from evalkit.study.case import Case


@pytest.fixture
def case(workspace: Path, tmp_path: Path) -> Case:
    opened = load_workspace(workspace)
    return Case(
        kind="city", workspace=opened, plan=opened.plan, canonical=None, period=1988, as_of="1989-06-30", lang="en",
        seed=1, draws=100, synthetic=True, place="c01", out=str(tmp_path),
    )  # fmt: skip


def _section(**changes: Any) -> Section:
    words = Exhibit(id="words", kind="prose", title=Message(key="page.gates"), data={"paragraphs": []})
    score = Score(indicator="I01", place="c01", period="1988", value=float("nan"))
    return Section(
        **{"key": "a", "exhibits": (words,), "scores": (score,), "gates": (Gate(name="g", passed=None),)} | changes
    )


def test_results_round_trip(case: Case) -> None:
    """What is written validates and reads back; NaN becomes a word that JSON can hold."""
    path = module.write_results(case, [_section(values={"x": 1.5})])
    content = module.read_results(path)
    assert content["scores"][0]["value"] == "NaN"
    assert content["values"] == {"x": 1.5}
    assert content["names"]["place"]["en"] == "City A"
    assert json.loads(path.read_text("utf-8")) == content
    assert [p.name for p in path.parent.iterdir() if p.suffix in (".json", ".tmp")] == ["results.json"]


def test_sections_may_not_contradict_each_other(case: Case) -> None:
    """The same name with another content in a second section is an error, not a silent overwrite."""
    with pytest.raises(ValueError, match="value x"):
        module.results(case, [_section(values={"x": 1}), _section(exhibits=(), values={"x": 2})])


@pytest.mark.parametrize(
    ("path", "value"),
    [(("kind",), "village"), (("as_of",), "2026"), (("extra",), 1), (("gates", 0, "severity"), "fatal"),
     (("exhibits", "words", "release"), "secret"), (("scores", 0, "value"), "many"), (("schema_version",), "2")],
)  # fmt: skip
def test_the_schema_refuses_what_is_wrong(case: Case, path: tuple[Any, ...], value: Any) -> None:
    """One wrong field anywhere is found and named."""
    content = copy.deepcopy(module.results(case, [_section()]))
    module.validate(content)
    inside: Any = content
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = value
    with pytest.raises(ValueError, match="schema"):
        module.validate(content)


@pytest.mark.parametrize("name", ["../../etc", "a/b", "{x}", "项目一", "", ".", "x" * 60, "<b>", "CON:"])
def test_names_from_data_never_become_paths(name: str) -> None:
    """A project number that is not a plain word gets a folder name made of its digest."""
    made = safe_id(name)
    assert made.startswith("p-")
    assert len(made) == 14
    assert safe_id("GP-2023_01") == "GP-2023_01"


def test_markdown_holds_nothing_active() -> None:
    """Scripts, handlers, images and odd addresses go; words stay."""
    made = sanitised(
        "# T\n\n<img src=x onerror=alert(1)> **b** [x](javascript:alert(1)) <script>1</script> <a onclick=x>l</a>"
    )
    assert "<strong>b</strong>" in made
    assert not any(word in made for word in ("script", "onerror", "onclick", "<img"))
