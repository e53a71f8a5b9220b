"""Names that carry quotes, markup, paths, line breaks or formulas do no harm in notebook, page, sheet or path."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from toys import PLAN, SETTINGS, toy_notebook, write_notebook

from evalkit.core import Problem, UserErrors, Where
from evalkit.pipeline.check import check, write_sheet
from evalkit.pipeline.light import nbformat
from evalkit.pipeline.parameters import check_parameters
from evalkit.pipeline.results import read_results
from evalkit.pipeline.run import run
from evalkit.pipeline.stages import NOTEBOOKS
from evalkit.pipeline.workspace import load_workspace
from evalkit.text import LANGUAGES

MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>"
NASTY = {
    "quotes": '"\'`"""\'\'\' \\" \\u0022',
    "markup": MARKUP,
    "template": "{{ 7*7 }} {% raw %} ${x} {place.__class__} %s",
    "path": "../../../outside/C:\\x",
    "lines": "one\ntwo\r\n# three\n```\nimport os",
    "formula": "=cmd|' /C calc'!A0",
    "formulas": "+1 -1 @SUM(A1)",
    "terminal": "\x1b[31m\x07 \u202eabc",
}
CODES = ("../c01", "c\"02'", "=c03<b>")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A run, through real kernels and the real exporter, of three cities and eight projects with such names."""
    base = tmp_path_factory.mktemp("names")
    root = base / "work <b>'x' {y}"
    (root / "plan").mkdir(parents=True)
    (root / "raw").mkdir()
    settings = PLAN.replace("[sections]", '[sections]\nproject = ["summary"]')
    (root / "plan" / "plan.toml").write_text(settings, "utf-8")
    places = [["all", "province", "全部", "全部", "All", "", ""]]
    places += [[c, "city", f"{MARKUP}甲{i}", f"甲{i}", f"=1+{i} {MARKUP}", "", ""] for i, c in enumerate(CODES)]
    _csv(root / "plan" / "places.csv", ["place", "level", "zh_hans", "zh_hant", "en", "aliases", "region"], places)
    files = '\n[[files]]\ntable = "{0}"\npath = "raw/{0}.csv"\n'
    text = SETTINGS.replace('path = "raw/*.csv"', 'path = "raw/panel.csv"') + "".join(
        files.format(name) for name in ("project", "enrolment")
    )
    (root / "evalkit.toml").write_text(text, "utf-8")
    panel = [[c, y, "uclms", 1000 * i + y, 0] for i, c in enumerate(CODES, 1) for y in range(1984, 1989)]
    _csv(root / "raw" / "panel.csv", ["city", "year", "outcome", "value", "treated"], panel)
    names = list(NASTY.values())
    projects = [[n, CODES[i % 3], 1988, f"{n} {MARKUP}", "培训", 100000] for i, n in enumerate(names)]
    _csv(root / "raw" / "project.csv", ["项目编号", "地市", "年度", "项目名称", "类型", "预算金额"], projects)
    units = [[n, f"U{i}", CODES[i % 3], "x", "B", "1987Q1"] for i, n in enumerate(names)]
    _csv(root / "raw" / "enrolment.csv", ["项目编号", "单位编号", "地市", "行业代码", "组织批次", "参训季度"], units)
    for kind in NOTEBOOKS:
        write_notebook(base / "notebooks" / NOTEBOOKS[kind], toy_notebook(kind))
    with pytest.MonkeyPatch.context() as patch:
        from evalkit.pipeline import prepare

        patch.setattr(prepare, "compute_peers", lambda *_: {})
        report = run(load_workspace(root), base / "out", notebooks=base / "notebooks", jobs=2, deadline=300.0)
    return base, report


def _csv(path: Path, head: list[str], rows: list[list[Any]]) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([["合成数据"], head, *rows] if path.parent.name == "raw" else [head, *rows])
    path.write_bytes(out.getvalue().encode())


class _Page(HTMLParser):
    """What of a page is active: script and image elements, handlers, addresses that are no plain link."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "img", "iframe", "object", "embed", "base", "form"):
            self.active.append(tag)
        self.active += [name for name, _ in attrs if name.startswith("on")]
        self.active += [
            v or "" for name, v in attrs if name in ("href", "src") and re.match(r"\s*(javascript|data):", v or "")
        ]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_the_run_ends_well(ran: Any) -> None:
    """Nasty names stop nothing: every city, project and the province has its report."""
    _, report = ran
    assert {o.task.name: o.status for o in report.outcomes if o.status != "ok"} == {}
    assert sum(o.task.kind == "project" for o in report.outcomes) == len(NASTY)


def test_pages_hold_nothing_active(ran: Any) -> None:
    """No name becomes an element, a handler or an address of a page, and markup is shown as it was written."""
    _, report = ran
    pages = [*report.folder.rglob("*.html")]
    assert len(pages) >= len(LANGUAGES) * (len(NASTY) + len(CODES) + 1)
    for path in pages:
        page = _Page()
        page.feed(path.read_text("utf-8"))
        scripts = 1 if path.name.startswith("index") else 0
        assert page.active.count("script") <= scripts, path
        assert [x for x in page.active if x != "script"] == [], path
        assert "{{" not in re.sub(re.escape("{{ 7*7 }}"), "", " ".join(page.text)), path
        assert "49" not in [x.strip() for x in page.text]
    index = _Page()
    index.feed((report.folder / "index.en.html").read_text("utf-8"))
    assert MARKUP in " ".join(index.text)


def test_no_path_is_made_of_a_name(ran: Any) -> None:
    """Folders and files are named by safe codes; nothing is written beside the output folder."""
    base, report = ran
    assert {p.name for p in base.iterdir()} == {"work <b>'x' {y}", "notebooks", "out"}
    for path in report.folder.rglob("*"):
        for part in path.relative_to(report.folder).parts:
            assert re.fullmatch(r"[A-Za-z0-9._-]+", part), path


def test_notebooks_hold_names_as_data_only(ran: Any) -> None:
    """The injected parameters are plain literals, in cells that still parse; the names stand in results.json."""
    _, report = ran
    seen = set()
    for path in report.folder.rglob("notebook.ipynb"):
        notebook = nbformat().read(str(path), as_version=4)
        nbformat().validate(notebook)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                compile(cell.source, str(path), "exec")
            if "injected-parameters" in cell.metadata.get("tags", ()):
                assert "alert" not in cell.source
                assert "import os" not in cell.source
        content = read_results(path.parent)
        seen.add(content["project"])
    numbers = {
        " ".join(n.replace("\x1b", "").replace("\x07", "").replace("\u202e", "").splitlines()).strip()
        for n in NASTY.values()
    }
    assert numbers <= {" ".join(str(s).split("\n")) for s in seen}


@pytest.mark.parametrize("name", NASTY.values(), ids=NASTY)
def test_a_parameter_of_such_a_name_is_refused(name: str) -> None:
    """papermill would paste the name into code as it is: an unknown name never gets there."""
    with pytest.raises(UserErrors) as caught:
        check_parameters(toy_notebook("city"), {name: 1}, "city")
    assert [p.key for p in caught.value.problems] == ["parameter_unknown"]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_a_sheet_holds_text_never_a_formula(tmp_path: Path, lang: str) -> None:
    """In the list of problems every name is a text cell, whatever it begins with."""
    problems = [
        Problem(key="unknown_sheet", where=Where(file=n, sheet=n, column=n), values={"sheet": n, "known": [n]})
        for n in NASTY.values()
    ]
    write_sheet(problems, tmp_path / "list.xlsx", tmp_path / "ws", lang)
    cells = [c for row in openpyxl.load_workbook(tmp_path / "list.xlsx").worksheets[0].iter_rows() for c in row]
    assert {c.data_type for c in cells if c.value is not None} == {"s"}
    assert all(c.quotePrefix for c in cells if c.value is not None)
    assert NASTY["formula"] in {c.value for c in cells}
    assert not any("\x1b" in str(c.value) for c in cells)


def test_no_list_inside_the_workspace(tmp_path: Path) -> None:
    """The list of problems is never written into the workspace."""
    with pytest.raises(UserErrors) as caught:
        write_sheet([], tmp_path / "ws" / "list.xlsx", tmp_path / "ws", "en")
    assert [p.key for p in caught.value.problems] == ["out_inside"]


def test_such_names_are_no_mistakes(ran: Any) -> None:
    """A check of these files has nothing to say."""
    base, _ = ran
    assert check(base / "work <b>'x' {y}").problems == ()
