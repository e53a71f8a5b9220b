"""What a person sees while a run is going on: a live table in a terminal, plain lines anywhere else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..text import local, number, t
from .stages import Task

MARKS = {"waiting": "·", "running": "▶", "ok": "✓", "kept": "=", "stopped": "■", "withheld": "□", "failed": "✗"}
STYLES = {
    "waiting": "dim",
    "running": "cyan",
    "ok": "green",
    "kept": "green",
    "stopped": "yellow",
    "withheld": "yellow",
    "failed": "red",
}


@dataclass(frozen=True, slots=True)
class Row:
    """State of one task on the screen; times are monotonic seconds."""

    task: Task
    status: str = "waiting"
    cell: int = 0
    cells: int = 0
    began: float = 0.0
    ended: float = 0.0


class Screen:
    """Shows the tasks of a run. Used as a context manager; its methods may be called from any thread."""

    def __init__(self, console: Console, tasks: Sequence[Task], lang: str):
        self.console, self.lang = console, lang
        self.rows = {task.name: Row(task) for task in tasks}
        self.lock = threading.Lock()
        self.live = Live(get_renderable=self.table, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Screen:
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.console.is_terminal:
            self.live.stop()
            self.console.print(self.table(everything=True))

    def started(self, task: Task) -> None:
        self._change(task, status="running", began=time.monotonic(), cell=0)

    def cell(self, task: Task, n: int, m: int) -> None:
        self._change(task, cell=n, cells=m)

    def ended(self, task: Task, status: str) -> None:
        self._change(task, status=status, ended=time.monotonic())
        if not self.console.is_terminal:
            done = sum(r.status not in ("waiting", "running") for r in self.rows.values())
            words = [f"[{done}/{len(self.rows)}]", *self._cells(self.rows[task.name])]
            self.console.print("  ".join(words), markup=False, highlight=False, soft_wrap=True)

    def table(self, everything: bool = False) -> Table:
        """The rows that matter now: running, then ended (latest first), then waiting, as many as fit."""
        with self.lock:
            rows = list(self.rows.values())
        if not everything:
            order = {"running": 0, "failed": 1, "stopped": 1, "withheld": 1, "ok": 2, "kept": 2, "waiting": 3}
            rows.sort(key=lambda r: (order[r.status], -r.ended))
        fit = len(rows) if everything else max(self.console.height - 8, 5)
        table = Table(title=self._title(rows), title_justify="left")
        for key in ("place", "stage", "state", "cell", "elapsed"):
            table.add_column(
                t(f"run.column.{key}", self.lang), justify="right" if key in ("cell", "elapsed") else "left"
            )
        for row in rows[:fit]:
            table.add_row(*(Text(c) for c in self._cells(row)), style=STYLES[row.status])
        return table

    def _title(self, rows: Sequence[Row]) -> str:
        done = sum(r.status not in ("waiting", "running") for r in rows)
        return t("run.progress", self.lang, done=done, total=len(rows))

    def _cells(self, row: Row) -> list[str]:
        task = row.task
        seconds = (row.ended or time.monotonic()) - row.began if row.began else None
        return [
            local(task.title, self.lang),
            t(f"run.kind.{task.kind}", self.lang),
            f"{MARKS[row.status]} {t(f'run.status.{row.status}', self.lang)}",
            f"{row.cell}/{row.cells}" if row.cells else "",
            t("run.seconds", self.lang, seconds=number(seconds, self.lang, 1)) if seconds is not None else "",
        ]

    def _change(self, task: Task, **changes: object) -> None:
        with self.lock:
            self.rows[task.name] = replace(self.rows[task.name], **changes)  # type: ignore[arg-type]


@contextmanager
def file_progress(lang: str, console: Console | None = None) -> Iterator[Callable[[int, int, str], None]]:
    """A progress bar over the office files, as the callback that `data.ingest` wants."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = console or Console(stderr=True)
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task(t("run.reading", lang), total=None)

        def step(done: int, total: int, name: str) -> None:
            bar.update(shown, completed=done, total=total, description=f"{t('run.reading', lang)} {name}"[:60])

        yield step
