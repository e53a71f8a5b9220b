"""Real runs of the public command line, each made once for all workers: office files in, published reports out."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from bs4 import BeautifulSoup, Tag

from evalkit.data.sample import generate
from evalkit.pipeline.results import read_results

ROOT = Path(__file__).resolve().parents[2]
KINDS = {"project": "projects", "city": "cities", "province": "province"}
SMALLEST = "441500"
TOKEN = re.compile(r"[−-]?\d[\d,]*(?:\.\d+)?")


@dataclass(frozen=True, eq=False)
class Ran:
    """One call of `evalkit run`: the workspace, its raw files before, the results folder, how the process ended."""

    workspace: Path
    before: dict[str, str]
    folder: Path
    code: int
    said: str

    @cached_property
    def run(self) -> dict[str, Any]:
        return json.loads((self.folder / "run.json").read_text("utf-8"))

    @cached_property
    def results(self) -> dict[str, dict[str, Any]]:
        """results.json by "<kind>/<id>", read through the schema."""
        return {name: self.results_of(name) for name in (f"{t['kind']}/{t['id']}" for t in self.run["tasks"])}

    def results_of(self, name: str) -> dict[str, Any]:
        kind, code = name.split("/")
        return read_results(self.folder / "internal" / KINDS[kind] / code)

    def report(self, name: str, lang: str) -> Path:
        kind, code = name.split("/")
        return self.folder / KINDS[kind] / code / f"report.{lang}.html"

    def page(self, name: str, lang: str) -> BeautifulSoup:
        return parsed(self.report(name, lang))


@cache
def parsed(path: Path) -> BeautifulSoup:
    """A page without its style sheet."""
    page = BeautifulSoup(path.read_text("utf-8"), "html.parser")
    for style in page("style"):
        style.decompose()
    return page


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def evalkit_run(workspace: Path, out: Path, *arguments: str, **environment: str) -> Ran:
    """`python -m evalkit run` in a process of its own, with no setting inherited from whoever runs the tests."""
    before = digests(workspace)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("EVALKIT_")}
    settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "EVALKIT_PRIVACY_KEY": "a key for tests only"}
    done = subprocess.run(
        [sys.executable, "-m", "evalkit", "run", str(workspace), "--out", str(out), *arguments],
        cwd=ROOT,
        env={**inherited, **settings, **environment},
        capture_output=True,
        text=True,
        timeout=400,
    )
    return Ran(workspace, before, out, done.returncode, done.stdout + done.stderr)


def tiny_run(factory: pytest.TempPathFactory) -> Ran:
    """The tiny sample: 4 cities, one evaluated project, the province."""

    def make(folder: Path) -> Ran:
        return evalkit_run(generate("guangdong", folder / "工作 区", scale="tiny"), folder / "out", "--jobs", "2")

    return once(factory, "tiny", make)


def tiny_again(factory: pytest.TempPathFactory) -> Ran:
    """One city of a copy of the same files: another place on disk, another hash seed, one job, another language."""
    arguments = ("--places", SMALLEST, "--jobs", "1", "--lang", "en")

    def make(folder: Path) -> Ran:
        copy = Path(shutil.copytree(tiny_run(factory).workspace, folder / "copy"))
        return evalkit_run(copy, folder / "out", *arguments, PYTHONHASHSEED="1", TZ="Pacific/Honolulu")

    return once(factory, "again", make)


def tiny_withheld(factory: pytest.TempPathFactory) -> Ran:
    """The finished tiny sample run again after a count in the file of the city with the project became negative."""

    def make(folder: Path) -> Ran:
        ran = tiny_run(factory)
        place = next(t["place"] for t in ran.run["tasks"] if t["kind"] == "project")
        copy = Path(shutil.copytree(ran.workspace, folder / "copy"))
        shutil.copytree(ran.folder, folder / "out")
        path = next((copy / "raw").glob(f"{place}*/工伤认定汇总*.xlsx"))
        book = openpyxl.load_workbook(path)
        sheet = book.worksheets[0]
        sheet.cell(40, sheet.max_column).value = -3
        book.save(path)
        return evalkit_run(copy, folder / "out", "--lang", "en")

    return once(factory, "withheld", make)


def zones_run(factory: pytest.TempPathFactory) -> Ran:
    """The real public panel of 22 cities."""

    def make(folder: Path) -> Ran:
        return evalkit_run(generate("ezunem", folder / "workspace"), folder / "out", "--jobs", "2")

    return once(factory, "zones", make)


def zones_perturbed(factory: pytest.TempPathFactory) -> Ran:
    """The overview of the same panel with the claims of one city in the year its zone began up by a half."""

    def make(folder: Path) -> Ran:
        copy = Path(shutil.copytree(zones_run(factory).workspace, folder / "workspace"))
        path = copy / "raw" / "ezunem.csv"
        rows = [line.split(",") for line in path.read_text("utf-8").splitlines()]
        begun = next(row for row in rows[1:] if float(row[4]) > 0)
        begun[3] = str(round(1.5 * float(begun[3])))
        path.write_text("\n".join(map(",".join, rows)) + "\n", "utf-8")
        return evalkit_run(copy, folder / "out", "--places", "all")

    return once(factory, "perturbed", make)


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Ran]) -> Ran:
    """What `make` did in a folder that all workers of a session share; the first to ask makes it, the others wait."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"run {name}"
    folder.mkdir(exist_ok=True)
    record = folder / "ran.json"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not record.exists():
            record.write_text(json.dumps(asdict(make(folder)), default=str), "utf-8")
    known = json.loads(record.read_text("utf-8"))
    return Ran(**{**known, "workspace": Path(known["workspace"]), "folder": Path(known["folder"])})


def exhibits(page: BeautifulSoup) -> dict[str, Tag]:
    return {tag["id"]: tag for tag in page.select(".ek-exhibit")}


def numbers(cell: Tag, wan: float = 1e4) -> list[float]:
    """The numbers of a cell as amounts; those before 万元 or 萬元 are taken `wan` times."""
    words = cell.get_text()
    found = []
    for match in TOKEN.finditer(words):
        value = float(match[0].replace("−", "-").replace(",", ""))
        found.append(value * wan if words[match.end() :].startswith(("万元", "萬元")) else value)
    return found
