"""The whole line on a toy workspace: real reader, real kernels, real reports."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from evalkit.pipeline.ledger import read_ledger
from evalkit.pipeline.results import read_results
from evalkit.pipeline.run import RunReport
from evalkit.text import LANGUAGES

Assess = Callable[..., RunReport]
DIE_ONCE = """import os, pathlib
mark = pathlib.Path(out).parent / f"died-{place}"
if place == "c01" and not mark.exists():
    mark.touch()
    os.kill(os.getpid(), 9)"""


def _numbers(page: str) -> list[str]:
    body = re.sub(r"<[^>]+>", " ", page[page.index('id="panel"') : page.index("</figure>")])
    return re.findall(r"\d[\d,]*\.\d+", body)


def test_a_run_makes_reports_results_ledger_and_index(assess_toy: Assess) -> None:
    """One command gives a report per place and language, valid results, a ledger and an index page per language."""
    report = assess_toy()
    assert [(o.task.name, o.status, o.detail) for o in report.outcomes] == [
        ("city/c01", "ok", ""),
        ("city/c02", "ok", ""),
        ("city/c03", "ok", ""),
        ("province/all", "ok", ""),
    ]
    assert report.exit_code == 0
    for place in ("c01", "c02", "c03"):
        pages = {x: (report.folder / f"cities/{place}/report.{x}.html").read_text("utf-8") for x in LANGUAGES}
        assert _numbers(pages["zh-Hans"]) == _numbers(pages["zh-Hant"]) == _numbers(pages["en"])
        assert len(_numbers(pages["en"])) == 5
        for lang, page in pages.items():
            assert f'<html lang="{lang}">' in page
            assert "<script" not in page
            assert "default-src 'none'" in page
            assert page.count("<main id=") == 1
            assert 'id="inner"' not in page, "an internal exhibit left the house"
            assert 'id="words"' in page
    names = {p.name for p in (report.folder / "internal/cities/c01").iterdir()}
    assert names == {"notebook.ipynb", "results.json", "log.txt", *(f"annex.{lang}.html" for lang in LANGUAGES)}
    index = (report.folder / "index.html").read_text("utf-8")
    assert '<html lang="zh-Hans">' in index
    traditional = (report.folder / "index.zh-Hant.html").read_text("utf-8")
    assert '<html lang="zh-Hant">' in traditional
    for page, others in (
        (index, ("index.zh-Hant.html", "index.en.html")),
        (traditional, ("index.html", "index.en.html")),
    ):
        assert all(f'<a href="{other}"' in page for other in others)
    assert "<b onmouseover" not in index
    assert index.count("<script") == 1 and "script-src 'sha256-" in index
    assert index.count("report.en.html") == index.count("report.zh-Hant.html") == 4
    events = [(r["event"], r.get("task")) for r in read_ledger(report.folder)]
    assert [e for e, task in events if task == "city/c01"] == [
        "planned",
        "started",
        "finished",
        "verified",
        "published",
    ]
    assert not (report.folder / ".work" / "staging").exists()
    run = json.loads((report.folder / "run.json").read_text("utf-8"))
    assert {t["status"] for t in run["tasks"]} == {"ok"}


def test_results_are_the_same_bytes_twice_and_hold_no_path(assess_toy: Assess, tmp_path: Path) -> None:
    """A second run of the same inputs writes the same results.json, without clock time or machine path."""
    first = assess_toy(places=("c01",))
    path = first.folder / "internal/cities/c01/results.json"
    before = path.read_bytes()
    assert assess_toy(places=("c01",), force=True).folder == first.folder
    assert path.read_bytes() == before
    assert str(tmp_path) not in before.decode()
    content = read_results(path)
    assert [i["path"] for i in content["inputs"]] == ["raw/city1.csv"]
    assert content["parameters"]["place"] == "c01"


def test_a_failing_place_stops_nothing_else(assess_toy: Assess) -> None:
    """An error in one place's cell is not retried, is told on the index, and the others are published."""
    report = assess_toy("assert place != 'c02', 'no data here'")
    assert [o.status for o in report.outcomes] == ["ok", "failed", "ok", "ok"]
    failed = report.outcomes[1]
    assert (failed.kind, failed.heading, failed.cell) == ("cell_error", "page.gates", 5)
    assert report.exit_code == 1
    assert not (report.folder / "cities/c02").exists()
    assert not (report.folder / "internal/cities/c02").exists()
    assert "AssertionError" in (report.folder / ".work/failed/city-c02/log.txt").read_text("utf-8")
    events = [r["event"] for r in read_ledger(report.folder) if r.get("task") == "city/c02"]
    assert events == ["planned", "started", "failed"]
    assert "计算中出错" in (report.folder / "index.html").read_text("utf-8")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_killed_kernel_is_tried_once_more(assess_toy: Assess) -> None:
    """A kernel that dies once is retried and succeeds; papermill's metadata is never believed."""
    report = assess_toy(DIE_ONCE, places=("c01",))
    assert [o.status for o in report.outcomes] == ["ok"]
    events = [r["event"] for r in read_ledger(report.folder) if r.get("task") == "city/c01"]
    assert events == ["planned", "started", "retry", "started", "finished", "verified", "published"]


@pytest.mark.skipif(os.name != "posix", reason="needs SIGKILL")
def test_a_kernel_that_always_dies_fails_after_two_attempts(assess_toy: Assess) -> None:
    """Infrastructure faults get exactly one retry."""
    report = assess_toy("import os; os.kill(os.getpid(), 9)", places=("c03",))
    assert [(o.status, o.kind) for o in report.outcomes] == [("failed", "kernel_died")]
    assert sum(r["event"] == "started" for r in read_ledger(report.folder)) == 2


@pytest.mark.skipif(os.name != "posix", reason="needs process groups")
def test_a_hang_ends_at_the_deadline_with_its_children(assess_toy: Assess, tmp_path: Path) -> None:
    """The deadline kills the kernel's whole process group, and is not retried."""
    pids = tmp_path / "pids"
    hang = f"""import pathlib, subprocess, time
child = subprocess.Popen(["sleep", "300"])
pathlib.Path({str(pids)!r}).write_text(str(child.pid))
time.sleep(300)"""
    report = assess_toy(hang, places=("c01",), deadline=12.0)
    assert [(o.status, o.kind) for o in report.outcomes] == [("failed", "deadline")]
    state = Path(f"/proc/{pids.read_text()}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"


def test_success_needs_results(assess_toy: Assess) -> None:
    """A notebook that ends without error but writes no results, or wrong ones, has failed."""
    report = assess_toy("import os, sys; finish = lambda *_: None", places=("c01",))
    assert [(o.status, o.kind) for o in report.outcomes] == [("failed", "results_missing")]
    spoil = "import pathlib\nfinish = lambda *_: pathlib.Path(out, 'results.json').write_text('{}')"
    assert [o.kind for o in assess_toy(spoil, places=("c01",)).outcomes] == ["results_invalid"]


def test_a_stop_gate_withholds_the_report(assess_toy: Assess) -> None:
    """A stop gate that does not pass leaves the place without a report, with exit code 3."""
    stop = """from dataclasses import replace
section = replace(section, gates=(Gate(name="toy", passed=False, severity="stop"),))"""
    report = assess_toy(stop, places=("c01",))
    assert [o.status for o in report.outcomes] == ["stopped"]
    assert report.exit_code == 3
    assert not (report.folder / "cities/c01").exists()


def test_a_mistake_of_the_user_inside_a_notebook_is_told_in_words(assess_toy: Assess) -> None:
    """A UserError raised in a cell reaches the index page as expected, found and next step."""
    report = assess_toy(
        "from evalkit.core import UserError\nraise UserError('workspace_place', place='x', known=['c01'], hint='')",
        places=("c01",),
    )
    assert report.exit_code == 2
    assert report.outcomes[0].problems[0]["key"] == "workspace_place"
    assert "改用列出的代码" in (report.folder / "index.html").read_text("utf-8")
