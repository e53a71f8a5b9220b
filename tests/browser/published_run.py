"""A published run made without kernels: executed notebooks by hand, with every kind of exhibit and hostile names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from evalkit import plans
from evalkit.core import Column, Exhibit, Gate, Message, Section
from evalkit.pipeline.light import nbformat
from evalkit.pipeline.publish import publish
from evalkit.pipeline.results import write_json, write_results
from evalkit.show.display import bundle
from evalkit.study.case import Case

HOSTILE = "<script>document.title='owned'</script><img src=https://example.org/x.png onerror=alert(1)>「粤」&\"'"
NAME = Message(key="page.project_name", values={"place": HOSTILE, "title": "一个很长的项目名称" * 6})


TITLE = {"zh-Hans": HOSTILE, "en": HOSTILE}
SETTINGS = SimpleNamespace(name="toy", title=TITLE)


def exhibits() -> tuple[Exhibit, ...]:
    """One of each kind; the table is far wider than a phone."""
    columns = [Column(name=f"c{i}", label=f"列{i} {HOSTILE[:20]}", kind="text") for i in range(14)]
    rows = [[f"{HOSTILE} {i}-{j}" for i in range(14)] for j in range(3)]
    items = [{"label": "page.imprint.period", "value": HOSTILE * 3, "kind": "text"}]
    points = [{"label": c, "value": v} for c, v in (("韶关", 0.8), ("深圳", 0.9), ("汕尾", 1.1))]
    figure = {"figure": "dot_rank", "rows": points, "x_label": "headline.rate_ratio"}
    return (
        Exhibit(id="words", kind="prose", title=NAME, data={"paragraphs": [NAME]}, synthetic=True),
        Exhibit(id="facts", kind="facts", title=NAME, data={"items": items}, synthetic=True),
        Exhibit(id="wide", kind="table", title=NAME, data={"columns": columns, "rows": rows}, synthetic=True),
        Exhibit(id="chart", kind="figure", title=NAME, data=figure, alt=NAME, synthetic=True),
    )


def build(folder: Path) -> Path:
    """Write and publish a run with one city and three that have no report; returns its folder."""
    section = Section(
        key="summary",
        exhibits=exhibits(),
        gates=(Gate(name="toy", passed=False),),
        values={"rate_ratio": 0.876, "rate_ratio_interval": [0.7, 1.1], "evidence_level": HOSTILE},
    )
    plan = plans.load("gd_2021_2025")
    target = folder / "internal" / "cities" / "440300"
    target.mkdir(parents=True)
    facts: dict[str, Any] = {"period": 2025, "as_of": "2026-10-31", "lang": "zh-Hans", "seed": 1, "draws": 100}
    case = Case(
        kind="city",
        workspace=SETTINGS,
        plan=plan,
        canonical=None,
        synthetic=True,
        place="440300",
        out=str(target),
        **facts,
    )
    write_results(case, [section])
    _write_notebook(target / "notebook.ipynb", section)
    write_json(folder / "run.json", _run([_task("440300", plan.place_name("440300"), digest="x"), *_withheld(plan)]))
    publish(folder)
    return folder


def _withheld(plan: Any) -> list[dict[str, Any]]:
    """A place of each way to have no report: an error in a cell, a stop gate, problems of the office files."""
    gate = {
        "name": "totals_tie",
        "passed": False,
        "severity": "stop",
        "detail": {"checked": 4, "n": 1, "items": HOSTILE},
    }
    where = {"file": f"raw/{HOSTILE}.xlsx", "sheet": "表1", "row": 7, "column": "受伤日期"}
    problems = [
        {"key": "bad_date", "where": where, "values": {"value": HOSTILE, "more": ""}},
        {"key": "negative", "where": {**where, "row": 12, "column": "人数"}, "values": {"value": -3, "more": ""}},
        {"key": "empty_file", "where": {**dict.fromkeys(where), "file": "raw/空.csv"}, "values": {}},
    ]
    return [
        {
            **_task("440400", {"zh-Hans": HOSTILE, "en": HOSTILE}),
            "status": "failed",
            "failure": "cell_error",
            "cell": 3,
        },
        {**_task("440500", plan.place_name("440500")), "status": "stopped", "failure": "gate_stopped", "gates": [gate]},
        {
            **_task("440600", plan.place_name("440600")),
            "status": "withheld",
            "failure": "user_error",
            "problems": problems,
        },
    ]


def _write_notebook(path: Path, section: Section) -> None:
    v4 = nbformat().v4
    outputs = [v4.new_output("display_data", data=bundle(e, "zh-Hans")) for e in section.exhibits[:-1]]
    outputs.append(v4.new_output("execute_result", data=bundle(section.exhibits[-1], "zh-Hans")))
    evil = "<script>document.title='owned'</script> **bold** <img src=x onerror=alert(1)> [x](javascript:alert(1))"
    cells = [
        v4.new_markdown_cell("evalkit:heading page.kind.city"),
        v4.new_markdown_cell("evalkit:heading page.headlines"),
        v4.new_code_cell("", outputs=outputs),
        v4.new_markdown_cell("evalkit:heading page.gates"),
        v4.new_markdown_cell(evil, metadata={"tags": ["publish"]}),
        v4.new_markdown_cell("not published"),
    ]
    nbformat().write(v4.new_notebook(cells=cells), str(path))


def _task(place: str, title: dict[str, str], digest: str = "") -> dict[str, Any]:
    names = {"kind": "city", "id": place, "place": place, "project": "", "title": title}
    outcome = {"status": "ok", "failure": "", "cell": None, "heading": "", "digest": digest, "seconds": 1.0}
    return {**names, **outcome, "detail": "", "problems": [], "gates": [], "key": ""}


def _run(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    settings = {"name": "toy", "title": TITLE, "period": 2025, "as_of": "2026-10-31", "plan": "gd_2021_2025"}
    rest = {"evalkit": "0", "seconds": 1.0, "peers_edition": "abc", "synthetic": True, "headlines": {}, "gates": []}
    return {"workspace": settings, "languages": ["zh-Hans", "zh-Hant", "en"], "tasks": tasks, **rest}
