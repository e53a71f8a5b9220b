"""A toy plan, a toy workspace and toy notebooks: small, but through the real reader, kernels and exporter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalkit.pipeline.ledger import read_ledger
from evalkit.pipeline.light import nbformat
from evalkit.pipeline.results import results
from evalkit.study.case import Case

HOSTILE = "<script>alert('x')</script>&\"' =1+1 ../../x {place.__class__}"

PLAN = """
id = "toy"
title = { zh-Hans = "玩具方案", en = "Toy plan" }
[sections]
city = ["summary"]
province = ["summary"]
[headlines]
city = ["rate_ratio"]
"""

PLACES = """place,level,zh_hans,zh_hant,en,aliases,region
all,province,全部,全部,All,,
c01,city,城市甲,城市甲,City A,1,
c02,city,"<b onmouseover=""alert(1)"">乙</b>",乙,"<b onmouseover=""alert(1)"">B</b>",2,
c03,city,城市丙,城市丙,City C,3,
"""

SETTINGS = """
[workspace]
name = "toy"
plan = "toy"
title = { zh-Hans = "<i>玩具</i>工作区", en = "Toy <i>workspace</i>" }
period = 1988
as_of = "1989-06-30"
seed = 7
synthetic = true
draws = 200

[[files]]
table = "policy_panel"
path = "raw/*.csv"
"""

OPEN = "from evalkit.pipeline.notebook import finish, open_case\nfrom evalkit import show\n\n"
SECTION = """from evalkit.core import Column, Exhibit, Gate, Message, Section

rows = [[str(r.place), int(r.period), float(r.value)] for r in case.tables["policy_panel"].itertuples()]
name = Message(key="page.project_name", values={"place": HOSTILE, "title": "T"})
columns = [Column(name="place", label=HOSTILE), Column(name="period", label="run.column.cell", kind="int"),
           Column(name="value", label="run.column.stage", kind="number", digits=3)]
table = Exhibit(id="panel", kind="table", title=name, data={"columns": columns, "rows": rows}, synthetic=True)
words = Exhibit(id="words", kind="prose", title=name, data={"paragraphs": [name]}, synthetic=True)
inner = Exhibit(id="inner", kind="prose", title=name, data={"paragraphs": [name]}, release="internal")
gates = (Gate(name="toy", passed=True), Gate(name="toy_two", passed=False, severity="warn"))
section = Section(key="summary", exhibits=(words, table, inner), gates=gates,
                  values={"rate_ratio": sum(r[2] for r in rows) / 1000})
show.display(section, case.lang)
""".replace("HOSTILE", repr(HOSTILE))


def toy_notebook(kind: str, *extra: str) -> Any:
    """A notebook of the shape of the real ones; `extra` cells run just before the last one."""
    v4 = nbformat().v4
    parameters = 'workspace = ""\nplace = ""\nproject = ""\nout = ""  # folder'
    call = f'case = open_case(workspace, kind="{kind}", place=place, project=project, out=out)'
    cells = [
        v4.new_markdown_cell(f"evalkit:heading page.kind.{kind}"),
        v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        v4.new_code_cell(OPEN + call),
        v4.new_markdown_cell("evalkit:heading page.headlines"),
        v4.new_code_cell(SECTION),
        v4.new_markdown_cell("evalkit:heading page.gates"),
        *(v4.new_code_cell(source) for source in extra),
        v4.new_code_cell("finish(case, [section])"),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    return v4.new_notebook(cells=cells, metadata=metadata)


def write_notebook(path: Path, notebook: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat().write(notebook, str(path))
    return path


def write_workspace(root: Path) -> Path:
    (root / "plan").mkdir(parents=True)
    (root / "raw").mkdir()
    (root / "plan" / "plan.toml").write_text(PLAN, "utf-8")
    (root / "plan" / "places.csv").write_text(PLACES, "utf-8")
    (root / "evalkit.toml").write_text(SETTINGS, "utf-8")
    for city in (1, 2, 3):
        lines = [f"{city},{year},uclms,{1000 * city + year},0" for year in range(1984, 1989)]
        text = "合成数据\ncity,year,outcome,value,treated\n" + "\n".join(lines) + "\n"
        (root / "raw" / f"city{city}.csv").write_text(text, "utf-8")
    return root


BARE = """import ctypes, json, os, pathlib, time
content = json.loads({content!r})
content.update(kind={kind!r}, place=place if {kind!r} == "city" else "all")
content["names"]["place"] = {{"en": content["place"]}}
fault = pathlib.Path({faults!r}, content["place"])
what = fault.read_text() if fault.exists() else ""
if what == "kill": os.kill(os.getpid(), 9)
if what == "segfault": ctypes.string_at(0)
if what == "hang": time.sleep(600)
if what == "memory": hold = bytearray(os.urandom(1 << 20)) * 600; time.sleep(600)
if what == "close": [os.chmod(p, 0o555) for p in pathlib.Path(out).parents[3].glob("internal/**")]
if what == "cell": raise ValueError("spoiled")
"""
"""A cell without evalkit that first does what a file named after its place asks for."""


def bare_notebook(kind: str, content: dict[str, Any], faults: Path) -> Any:
    """A notebook that imports nothing of ours and writes given results: quick, and able to fail on demand.

    content  a valid results.json;  faults: folder where a file named after a place asks for a fault there
    """
    v4 = nbformat().v4
    values = {"content": json.dumps(content), "kind": kind, "faults": str(faults)}
    cells = [
        v4.new_code_cell(
            'workspace = ""\nplace = ""\nproject = ""\nout = ""  # folder', metadata={"tags": ["parameters"]}
        ),
        v4.new_markdown_cell("evalkit:heading page.headlines"),
        v4.new_code_cell(BARE.format(**values)),
        v4.new_code_cell('pathlib.Path(out, "results.json").write_text(json.dumps(content))'),
    ]
    metadata = {"kernelspec": {"name": "python3", "display_name": "x", "language": "python"}}
    return v4.new_notebook(cells=cells, metadata=metadata)


def bare_results(workspace: Any) -> dict[str, Any]:
    """A results.json without exhibits for a city of the toy workspace."""
    settings = {"period": 1988, "as_of": "1989-06-30", "lang": "en", "seed": 7, "draws": 200, "synthetic": True}
    case = Case(kind="city", workspace=workspace, plan=workspace.plan, canonical=None, place="c01", **settings)
    return results(case, [])


ALL = {"city/c01", "city/c02", "city/c03", "province/all"}


def events(folder: Path, event: str) -> set[str]:
    """Tasks with this event in the last run of the ledger."""
    rows = list(read_ledger(folder))
    return {r["task"] for r in rows if r["run"] == rows[-1]["run"] and r["event"] == event}


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every visible file of a results folder except the ledger: time of change and content."""
    kept = [p for p in folder.rglob("*") if p.is_file() and ".work" not in p.parts and p.suffix != ".jsonl"]
    return {str(p.relative_to(folder)): (p.stat().st_mtime_ns, p.read_bytes()) for p in kept}


def touch(workspace: Path, city: int) -> None:
    path = workspace / "raw" / f"city{city}.csv"
    path.write_text(path.read_text("utf-8").replace("1984,uclms,", "1984,uclms,9"), "utf-8")
