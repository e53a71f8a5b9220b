"""Faults that really happen: after each the ledger is right, nothing is half visible, and the next run ends with what
an undisturbed run says."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faulty
import pytest
from faulty import Bench, alive, said, unsound

from evalkit.pipeline.outcome import Outcome, alike
from evalkit.pipeline.stages import Task

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs signals and process groups"),
    pytest.mark.xdist_group("faults"),
]


@dataclass(frozen=True)
class Undisturbed:
    """A finished run nobody disturbed: its bench, what it says, how long it took."""

    made: Bench
    says: dict[str, Any]
    seconds: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    made = faulty.bench(tmp_path_factory.mktemp("undisturbed"))
    began = time.monotonic()
    code, words = made.run()
    assert code == 0, words
    return Undisturbed(made, said(made.out), time.monotonic() - began)


@pytest.fixture
def made(undisturbed: Undisturbed) -> Iterator[Bench]:
    """The same workspace with an empty results folder."""
    fresh = undisturbed.made
    shutil.rmtree(fresh.out, ignore_errors=True)
    yield fresh
    fresh.ask()
    for folder in fresh.out.rglob("*"):
        if folder.is_dir():
            folder.chmod(0o755)


def resumed(made: Bench, whole: dict[str, Any], started: set[str]) -> None:
    """The cause is gone: the next run starts these tasks, no other, and ends as if nothing had been."""
    made.ask()
    code, words = made.run()
    assert code == 0, words
    assert {r["task"] for r in made.rows() if r["event"] == "started"} == started
    assert said(made.out) == whole
    assert not list((made.out / ".work").glob("staging/*"))
    assert not [p for p in made.out.rglob(".*") if p.name != ".work" and p.parent.name != ".work"]


@pytest.mark.parametrize(
    ("faults", "kinds", "options"),
    [
        ({"c01": "kill", "c02": "hang"}, {"c01": "kernel_died", "c02": "deadline"}, ("--deadline", "12")),
        ({"c02": "segfault", "c03": "memory"}, {"c02": "kernel_died", "c03": "memory"}, ("--memory", "300")),
    ],
)
def test_a_kernel_that_dies_hangs_or_eats_memory_stops_its_place_only(
    made: Bench, undisturbed: Undisturbed, faults: dict[str, str], kinds: dict[str, str], options: tuple[str, ...]
) -> None:
    """SIGKILL and a segfault are tried once more, a hang ends at its deadline, hunger at the limit; the other place
    and the province are published, the index says why, no kernel lives on."""
    made.ask(**faults)
    code, words = made.run(*options)
    assert code == 1, words
    rows = {t["place"]: t for t in said(made.out)["run"]["tasks"]}
    assert {p: r["failure"] for p, r in rows.items() if r["status"] != "ok"} == kinds
    for place, kind in kinds.items():
        once = ["started"] if kind != "kernel_died" else ["started", "retry", "started"]
        assert made.events(f"city/{place}") == ["planned", *once, "failed"]
        assert not (made.out / "cities" / place).exists()
        assert not (made.out / "internal" / "cities" / place).exists()
        assert faulty.reason_of(rows[place]) in (made.out / "index.en.html").read_text("utf-8")
    assert "published" in made.events("province/all")
    assert alive(made.rows(), patience=1) == set()
    others = {n: text for n, text in undisturbed.says.items() if n.startswith(("cities/", "internal/cities/"))}
    mine = {n: text for n, text in said(made.out).items() if n.startswith(("cities/", "internal/cities/"))}
    assert mine == {n: text for n, text in others.items() if not any(place in n for place in kinds)}
    resumed(made, undisturbed.says, {f"city/{place}" for place in kinds} | {"province/all"})


def test_the_first_places_failing_alike_stop_the_run(made: Bench, undisturbed: Undisturbed) -> None:
    """Three cities that fail in the same cell in the same way: the province is not tried, nothing is published, and
    the exit code says that it is our failure."""
    made.ask(c01="cell", c02="cell", c03="cell")
    code, words = made.run()
    assert code == 1
    assert "Stopped" in words or "stopped" in words
    assert made.events("province/all") == ["planned"]
    assert [r["event"] for r in made.rows()][-1] == "halted"
    assert {p.name for p in made.out.iterdir()} == {"ledger.jsonl", ".work"}
    resumed(made, undisturbed.says, set(faulty.ALL))


def test_only_first_places_that_failed_alike_count(undisturbed: Undisturbed) -> None:
    """Another cell, another kind, a success among the first, or interrupted ones: the run goes on."""
    task = Task(kind="city", id="c01", place="c01", notebook=undisturbed.made.notebooks)

    def ended(*ways: tuple[str, str, int]) -> list[Outcome]:
        return [Outcome(task=task, status=status, kind=kind, cell=cell) for status, kind, cell in ways]

    bad, other, gone = ("failed", "cell_error", 2), ("failed", "kernel_died", 2), ("failed", "interrupted", 2)
    assert alike(ended(bad, bad, bad), 3)
    assert alike(ended(gone, bad, bad, bad, ("ok", "", 0)), 3)
    for ways in (
        [bad, bad],
        [bad, bad, other],
        [bad, bad, ("failed", "cell_error", 3)],
        [("ok", "", 0), bad, bad, bad],
    ):
        assert not alike(ended(*ways), 3)


def test_ctrl_c_ends_kernels_and_leaves_a_ledger_to_go_on_from(made: Bench, undisturbed: Undisturbed) -> None:
    """SIGINT to the whole session while one place is done and another computes: exit code 130, no kernel lives on, the
    ledger says interrupted; what was verified is kept by the next run."""
    made.ask(c02="hang", c03="hang")
    process = made.start()
    wait_for(process, lambda: "verified" in made.events("city/c01") and "started" in made.events("city/c03"))
    os.killpg(process.pid, signal.SIGINT)
    words, _ = process.communicate(timeout=60)
    assert process.returncode == 130, words
    assert "Traceback" not in words
    assert "interrupted" in [r["event"] for r in made.rows()]
    assert {r.get("kind") for r in made.rows() if r["event"] == "failed"} == {"interrupted"}
    assert alive(made.rows(), patience=5) == set()
    assert unsound(made.out, undisturbed.says) == []
    assert not list(made.out.glob("index*"))
    resumed(made, undisturbed.says, {"city/c02", "city/c03", "province/all"})


def test_a_folder_that_cannot_be_written_to(made: Bench, undisturbed: Undisturbed) -> None:
    """Closed from the start: nothing is tried. Closed while running: the run ends there. Both are told without a
    traceback, with exit code 2, and the next run goes on."""
    made.out.mkdir()
    made.out.chmod(0o555)
    code, words = made.run(limits=["--shut-in"])
    assert (code, list(made.out.iterdir())) == (2, []), words
    assert "cannot be written to" in words and "Traceback" not in words
    made.out.chmod(0o755)
    made.ask(c03="close")
    code, words = made.run(limits=["--shut-in"])
    assert code == 2, words
    assert "cannot be written to" in words and "Traceback" not in words
    assert not (made.out / "internal" / "province").exists()
    (made.out / "internal").chmod(0o755)
    for folder in (made.out / "internal").iterdir():
        folder.chmod(0o755)
    assert unsound(made.out, undisturbed.says) == []
    made.ask()
    assert made.run()[0] == 0
    assert said(made.out) == undisturbed.says


def test_a_full_disk(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """A disk that is full before the run, while it computes or while it publishes: told without a traceback, exit code
    2, nothing half visible; with room again the next run ends as if nothing had been."""
    with small_disk(tmp_path / "disk") as disk:
        made = Bench(
            undisturbed.made.workspace, undisturbed.made.notebooks, undisturbed.made.faults, disk.folder / "out"
        )
        for left in (0, 150_000, 100_000) if disk.mounted else (0,):
            code, words = made.run(limits=disk.fill(left))
            assert code == 2, words
            assert "full" in words and "Traceback" not in words
            assert unsound(made.out, undisturbed.says) == []
            disk.free()
        assert made.run()[0] == 0
        assert said(made.out) == undisturbed.says
        assert unsound(made.out, undisturbed.says) == []


def test_a_supervisor_killed_ten_times(made: Bench, undisturbed: Undisturbed) -> None:
    """SIGKILL at random moments, half of them while everything runs again over results that stand: what can be seen
    is whole and right each time, no kernel lives on, and the next run ends as if nothing had been."""
    found = list(faulty.kills(made, undisturbed.says, 10, seed=20251220, lasts=undisturbed.seconds))
    assert [k for k in found if k.wrong] == []
    assert len({k.last for k in found}) > 1, "all in the same moment"
    assert made.run()[0] == 0
    assert said(made.out) == undisturbed.says


def wait_for(process: subprocess.Popen[str], happened: Callable[[], bool], patience: float = 120.0) -> None:
    until = time.monotonic() + patience
    while time.monotonic() < until and process.poll() is None:
        try:
            if happened():
                return
        except IndexError:
            pass
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate()[0])


@dataclass
class Disk:
    """A small file system that can be filled; where none can be mounted, a limit on the size of files makes the same
    writes fail."""

    folder: Path
    mounted: bool

    def fill(self, left: int) -> list[str]:
        """Leave so many bytes; returns what the command line of `supervisor.py` needs for it."""
        if not self.mounted:
            return ["--largest", "4096"]
        stat = os.statvfs(self.folder)
        with (self.folder / "filler").open("wb") as file:
            file.write(bytes(max(0, stat.f_bavail * stat.f_frsize - left)))
        return []

    def free(self) -> None:
        (self.folder / "filler").unlink(missing_ok=True)


class small_disk:
    """16 MiB of tmpfs where this process may mount, else a plain folder."""

    def __init__(self, folder: Path):
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(folder)]
        self.disk = Disk(folder, shutil.which("mount") is not None and subprocess.run(command).returncode == 0)

    def __enter__(self) -> Disk:
        return self.disk

    def __exit__(self, *_: object) -> None:
        if self.disk.mounted:
            subprocess.run(["umount", "-l", str(self.disk.folder)], check=True)
