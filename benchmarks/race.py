"""Two programs on the same data, A B A B in one run: CPU, wall and extra peak memory of each repetition.

A repetition is a process of its own with one thread: it makes the long frame from the seed, imports the program, and
runs the workload twice; the second run counts (imports and first-call costs are not the workload). Extra memory is the
peak above what is held before the first run, frame included (Linux). The peer lives in an environment of its own.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FRAME = '''
import json, sys, time, warnings
import numpy as np
import pandas as pd
warnings.simplefilter("ignore")
def long_frame(n, t=20, seed=1, covariates=0, moving=False, order="sorted", labels="int", holes=0.0):
    """Units × periods, five start dates, 40 % never treated; `moving` covariates change over time."""
    rng = np.random.default_rng(seed)
    starts = np.array([5, 8, 11, 14, 17])
    cohort = np.where(rng.random(n) < 0.4, 10**6, starts[rng.integers(0, 5, n)])
    level = rng.normal(0, 1, n)
    y = np.empty((n, t))
    columns = {f"x{j}": (rng.normal(0, 1, (n, t if moving else 1)) + 0.3 * level[:, None]) for j in range(covariates)}
    for s in range(0, n, 50_000):
        at = slice(s, s + 50_000)
        y[at] = level[at, None] + 0.1 * np.arange(t) + rng.normal(0, 1, (len(level[at]), t))
        y[at] += np.arange(t)[None] >= cohort[at, None]
        for x in columns.values():
            y[at] += 0.2 * x[at]
    year = np.where(cohort < t, 2000.0 + cohort, np.nan)
    unit = np.repeat(np.arange(n), t)
    frame = pd.DataFrame({"unit": unit, "time": np.tile(np.arange(2000, 2000 + t), n), "y": y.reshape(-1)})
    frame["cohort"] = np.repeat(year, t)
    for name, x in columns.items():
        frame[name] = np.broadcast_to(x, (n, t)).reshape(-1)
    frame["city"] = np.repeat(np.arange(n) % 21, t)
    if labels == "text":
        frame["unit"] = pd.Series([f"91440{i:013d}" for i in range(n)], dtype="str").repeat(t).to_numpy()
    if holes:
        gone = rng.random(n) < holes
        keep = ~(np.repeat(gone, t) & (rng.random(n * t) < 0.3))
        frame = frame[keep]
    if order == "shuffled":
        frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    return frame
'''
MEASURE = """
given = json.load(sys.stdin)
if given["cap"]:
    import resource
    resource.setrlimit(resource.RLIMIT_DATA, (int(given["cap"] * 2**30),) * 2)
frame = long_frame(**given["data"])
{setup}
def memory(name):
    with open("/proc/self/status") as told:
        return next(int(line.split()[1]) for line in told if line.startswith(name)) / 1024
with open("/proc/self/clear_refs", "w") as reset:
    reset.write("5")
before = memory("VmRSS")
for _ in range(given["runs"]):
    out, clocks, panel, path, model, result, fit = {{}}, {{}}, None, None, None, None, None
    def clock(name, work):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        clocks[name] = (time.process_time() - cpu, time.perf_counter() - wall)
        return result
{work}
print(json.dumps({{"clocks": clocks, "extra_mb": memory("VmHWM") - before, "out": out}}))
"""
Row = dict[str, Any]


def script(setup: str, work: str) -> str:
    """The program of one side: `work` uses `frame`, `clock(name, function)` and fills `out`."""
    body = "\n".join(f"    {line}" for line in work.strip().splitlines())
    return FRAME + MEASURE.format(setup=setup.strip(), work=body)


def run(python: str, code: str, data: Row, runs: int = 2, limit: float = 3600, cap: float = 0) -> Row | None:
    """One repetition in a fresh process with one thread; None where it fails, takes longer than the limit in seconds or
    needs more data than the cap in GB (0: no cap).
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    asked = json.dumps({"data": data, "runs": runs, "cap": cap})
    env = os.environ | threads | ({"PYTHONPATH": str(HERE.parent)} if python == sys.executable else {})
    try:
        done = subprocess.run(
            [python, "-c", code], input=asked, capture_output=True, text=True, env=env, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        sys.stderr.write(f"more than {limit:g} s\n")
        return None
    if done.returncode:
        sys.stderr.write(done.stderr[-2000:])
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def race(
    ours: str,
    theirs: str | None,
    peer: str | None,
    data: Row,
    repeats: int,
    runs: int = 2,
    limit: float = 3600,
    cap: float = 0,
) -> tuple[list[Row], list[Row]]:
    """Repetitions of both sides in turn; the peer's within a limit of seconds and a cap of GB (`run`)."""
    mine, other = [], []
    for _ in range(repeats):
        if (row := run(sys.executable, ours, data, runs)) is not None:
            mine.append(row)
        if theirs and peer and (row := run(peer, theirs, data, runs, limit, cap)) is not None:
            other.append(row)
    return mine, other


def middle(rows: list[Row], *names: str, which: int = 0) -> float:
    """Median over repetitions of the summed CPU (0) or wall (1) seconds of the named parts."""
    values = [sum(r["clocks"][n][which] for n in names) for r in rows]
    return statistics.median(values) if values else float("nan")


def extra(rows: list[Row]) -> float:
    """Median extra peak memory in MB."""
    return statistics.median(r["extra_mb"] for r in rows) if rows else float("nan")


def options(description: str | None, out: str) -> argparse.ArgumentParser:
    """The options every race has."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="python of the peer's environment")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--units", type=int, nargs="+", default=[100_000])
    parser.add_argument("--limit", type=float, default=3600, help="seconds a repetition of the peer may take")
    parser.add_argument("--cap", type=float, default=0, help="GB of data the peer may hold, frame included")
    parser.add_argument("--only", nargs="+", help="names of workloads")
    parser.add_argument("--note", default="", help="what else the machine was doing")
    parser.add_argument("--out", type=Path, default=HERE / out)
    return parser


def write(rows: list[Row], out: Path, note: str) -> None:
    """The table, its command and the machine in comment lines at its head; also printed."""
    with out.open("w", newline="", encoding="utf-8") as handle:
        handle.write(f"# python {' '.join([Path(sys.argv[0]).name, *_plain(sys.argv[1:])])}\n")
        handle.write(
            f"# Python {platform.python_version()}, {os.cpu_count()} cores, one thread; {note or 'machine idle'}\n"
        )
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()})
    sys.stdout.write(out.read_text("utf-8"))


def _plain(arguments: list[str]) -> list[str]:
    """Arguments without places on this machine, and without the note, which has its own line."""
    out, before = [], ""
    for word in arguments:
        if before in ("--peer", "--out"):
            out.append(before[2:].upper())
        elif "--note" not in (word, before):
            out.append(word)
        before = word
    return out
