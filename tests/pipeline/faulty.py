"""A toy workspace with bare notebooks to spoil, and what must hold of a results folder at every moment.

Run as a program it kills the supervisor as often as asked and writes a log: `make soak` does so fifty times.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from toys import bare_notebook, bare_results, write_notebook, write_workspace

from evalkit.pipeline.ledger import read_ledger
from evalkit.pipeline.results import read_results
from evalkit.pipeline.resume import VOLATILE
from evalkit.pipeline.stages import FOLDERS, NOTEBOOKS
from evalkit.pipeline.workspace import load_workspace
from evalkit.text import LANGUAGES, t

HERE = Path(__file__).resolve().parent
ALL = ("city/c01", "city/c02", "city/c03", "province/all")
SECONDS = re.compile(r"<dd>[\d.,]+ ?[^<>\d]{1,4}</dd>")
"""The time a run took, on its index page."""


@dataclass(frozen=True)
class Bench:
    """A workspace of three places, its notebooks, the folder where faults are asked for and the results folder."""

    workspace: Path
    notebooks: Path
    faults: Path
    out: Path

    def ask(self, **faults: str) -> None:
        """Let the notebook of a place meet a fault; without any, all is well again."""
        shutil.rmtree(self.faults, ignore_errors=True)
        self.faults.mkdir()
        for place, what in faults.items():
            (self.faults / place).write_text(what)

    def start(self, *options: str, limits: Sequence[str] = ()) -> subprocess.Popen[str]:
        """The command line in a session of its own, so that a signal can be sent to all of it."""
        command = [sys.executable, str(HERE / "supervisor.py"), str(self.notebooks), *limits, "--"]
        run = ["run", str(self.workspace), "--out", str(self.out), "--jobs", "2", "--lang", "en", *options]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("EVALKIT_")}
        kept["COLUMNS"] = "300"  # tables of problems on one line each
        kept |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parents[1])}
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen([*command, *run], env=kept, start_new_session=True, **pipes)

    def run(self, *options: str, limits: Sequence[str] = ()) -> tuple[int, str]:
        """Exit code and what was said."""
        process = self.start(*options, limits=limits)
        said, _ = process.communicate(timeout=240)
        return process.returncode, said

    def rows(self) -> list[dict[str, Any]]:
        """Rows of the ledger of the latest run."""
        rows = list(read_ledger(self.out))
        return [r for r in rows if r["run"] == rows[-1]["run"]]

    def events(self, task: str) -> list[str]:
        """What the latest run did to a task."""
        return [r["event"] for r in self.rows() if r.get("task") == task]


def bench(folder: Path, out: Path | None = None) -> Bench:
    """Write everything that a run needs below `folder`."""
    made = Bench(write_workspace(folder / "workspace"), folder / "notebooks", folder / "faults", out or folder / "out")
    content = bare_results(load_workspace(made.workspace))
    for kind, name in NOTEBOOKS.items():
        write_notebook(made.notebooks / name, bare_notebook(kind, content, made.faults))
    made.ask()
    return made


def said(out: Path) -> dict[str, Any]:
    """What a reader can see of a results folder and what must not depend on what went wrong before: results, reports,
    index pages without the time taken, run.json without what tells runs apart."""
    shown = [p.relative_to(out) for p in out.rglob("*") if p.suffix in (".html", ".json")]
    seen = [p for p in shown if not any(part.startswith(".") for part in p.parts)]
    found: dict[str, Any] = {p.as_posix(): (out / p).read_text("utf-8") for p in seen}
    for name in [n for n in found if n.startswith("index")]:
        found[name] = SECONDS.sub("", found[name])
    run = json.loads(found.pop("run.json", "{}"))
    tasks = [{k: v for k, v in task.items() if k not in ("seconds", "notebook")} for task in run.get("tasks", ())]
    return {**found, "run": {k: v for k, v in run.items() if k not in VOLATILE} | {"tasks": tasks}}


def unsound(out: Path, whole: dict[str, Any]) -> list[str]:
    """What is wrong with a results folder after a fault; `whole`: what an undisturbed run says.

    Every folder that can be seen is complete and says what an undisturbed run says; every line of the ledger is whole
    (the last may be cut); nothing is published before it was verified.
    """
    wrong = [f"half visible: {p}" for p in _incomplete(out)]
    places = ("cities/", "province/", "internal/")
    wrong += [f"differs: {n}" for n, text in said(out).items() if n.startswith(places) and text != whole.get(n)]
    lines = (out / "ledger.jsonl").read_bytes().splitlines() if (out / "ledger.jsonl").exists() else []
    wrong += [f"ledger line {i}" for i, line in enumerate(lines[:-1], 1) if not _is_json(line)]
    known: dict[str, str] = {}
    for row in read_ledger(out):
        if row["event"] == "verified":
            known[row["task"]] = row["digest"]
        if row["event"] == "published" and row["task"] not in known:
            wrong.append(f"published before it was verified: {row['task']}")
    return wrong


def _incomplete(out: Path) -> Iterator[Path]:
    reports = {f"report.{lang}.html" for lang in LANGUAGES}
    for kind in FOLDERS.values():
        for folder in (out / kind).glob("[!.]*"):
            if {p.name for p in folder.iterdir()} != reports:
                yield folder
        for folder in (out / "internal" / kind).glob("[!.]*"):
            if not {"results.json", "notebook.ipynb", "log.txt"} <= {p.name for p in folder.iterdir()}:
                yield folder
            else:
                read_results(folder)
    for page in (*out.glob("*/*/report.*.html"), *out.glob("index*.html")):
        if not page.read_text("utf-8").rstrip().endswith("</html>"):
            yield page


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def reason_of(row: dict[str, Any]) -> str:
    """The reason that the index page gives for a failure, up to its placeholders."""
    return t(f"page.reason.{row['failure']}", "en")


def alive(rows: Sequence[dict[str, Any]], patience: float = 15.0) -> set[int]:
    """Kernels of these ledger rows that are still there when the patience is over."""
    pids = {r["pid"] for r in rows if r["event"] == "started"}
    until = time.monotonic() + patience
    while (left := {p for p in pids if _runs(p)}) and time.monotonic() < until:
        time.sleep(0.1)
    return left


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass(frozen=True)
class Kill:
    """One kill of the supervisor: seconds after its start, what the ledger said last, what was wrong then."""

    number: int
    way: str
    after: float
    last: str
    verified: int
    published: int
    wrong: str


def kills(made: Bench, whole: dict[str, Any], rounds: int, *, seed: int, lasts: float) -> Iterator[Kill]:
    """Kill the supervisor at random moments, looking at what is left each time.

    Half of the kills begin with an empty folder and go on from each other, half run everything again (--force) over
    results that stand. lasts: seconds of an undisturbed run. A run that ended before its kill does not count.
    """
    draw = random.Random(seed)
    number = 0
    while number < rounds:
        way = "resumed" if number < rounds // 2 else "forced"
        began = time.monotonic()
        process = made.start(*(["--force"] if way == "forced" else []))
        after = draw.uniform(0.15, 1.0) * lasts
        time.sleep(max(0.0, began + after - time.monotonic()))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
        if process.returncode != -signal.SIGKILL:
            shutil.rmtree(made.out) if way == "resumed" else None
            continue
        number += 1
        rows = list(read_ledger(made.out))
        count = Counter(r["event"] for r in rows if r["run"] == rows[-1]["run"])
        last = rows[-1]["event"] if rows else ""
        wrong = "; ".join([*unsound(made.out, whole), *(f"kernel {p} lives on" for p in alive(rows))])
        yield Kill(number, way, round(after, 2), last, count["verified"], count["published"], wrong)


def main() -> int:
    """Kill as often as asked, finish, compare; write every kill to a CSV file and say what was seen."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=20251220)
    parser.add_argument("--log", type=Path, default=Path("benchmarks/kills.csv"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        made = bench(Path(name))
        began = time.monotonic()
        made.run()
        lasts, whole = time.monotonic() - began, said(made.out)
        shutil.rmtree(made.out)
        with asked.log.open("w", newline="") as file:
            log = csv.DictWriter(file, [f.name for f in fields(Kill)])
            log.writeheader()
            seen = []
            for kill in kills(made, whole, asked.rounds, seed=asked.seed, lasts=lasts):
                log.writerow(asdict(kill))
                file.flush()
                seen.append(kill)
        code, _ = made.run()
        same = said(made.out) == whole
    last = Counter(k.last or "nothing" for k in seen)
    bad = [k for k in seen if k.wrong]
    print(
        f"{len(seen)} kills, {len(bad)} left something wrong; the run after them ended with {code}, same bytes: {same}"
    )
    print("last line of the ledger at the kill: " + ", ".join(f"{n} {c}" for n, c in last.most_common()))
    return 1 if bad or code or not same else 0


if __name__ == "__main__":
    sys.exit(main())
