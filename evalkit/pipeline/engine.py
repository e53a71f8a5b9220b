"""Run one notebook in one kernel process through papermill, with progress, a log, a deadline and plain failures.

Nothing here judges success: papermill's metadata says "completed" even after the kernel was killed. `run` asks
whether a valid results.json came out.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .disk import fault_of
from .kernel import Watch, deadline, environment, kernel_manager, memory_limit, pid_of
from .light import nbformat, papermill
from .parameters import check_parameters, read_notebook

NOTEBOOK, LOG = "notebook.ipynb", "log.txt"
INFRASTRUCTURE = ("kernel_died", "start_failed")
DISK = ("out_full", "out_closed")
_DISK_ERRORS = {"[Errno 28]": "out_full", "[Errno 122]": "out_full", "[Errno 30]": "out_closed"}
HEADING = re.compile(r"evalkit:heading\s+([A-Za-z0-9_.-]+)")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A notebook to run.

    folder      existing folder for the executed notebook, its log and results.json
    deadline    seconds from the first attempt to start until the process group is killed
    memory      MiB that the kernel and its children may hold together; 0 = no limit
    on_start    called with the pid;  on_cell(n, m): cell n of m code cells begins (n from 1)
    """

    notebook: Path
    parameters: dict[str, Any]
    folder: Path
    deadline: float = 1800.0
    memory: int = 0
    start_timeout: float = 120.0
    on_start: Callable[[int | None], None] = lambda pid: None
    on_cell: Callable[[int, int], None] = lambda n, m: None


class Failed(Exception):
    """A notebook that did not run to its end.

    kind   "cell_error", "user_error", "gate_stopped" (deterministic), "kernel_died", "start_failed"
           (infrastructure, worth one more attempt), "deadline", "memory", "interrupted", "halted",
           "out_full", "out_closed" (the disk)
    cell   number of the code cell (from 1), heading: message key of the section it stands in
    """

    def __init__(self, kind: str, *, cell: int | None = None, heading: str = "", detail: str = ""):
        super().__init__(f"{kind} in cell {cell} ({heading}): {detail}")
        self.kind, self.cell, self.heading, self.detail = kind, cell, heading, detail


def execute(job: Job, watch: Watch | None = None) -> None:
    """Run `job.notebook` with `job.parameters` and leave the executed notebook and a log in `job.folder`.

    Raises UserErrors before any kernel starts where a parameter is unknown or not plain ASCII; Failed where the
    notebook does not reach its end.
    """
    notebook = read_notebook(job.notebook)
    check_parameters(notebook, job.parameters, job.notebook.name)
    watch = watch or Watch()
    with (
        (job.folder / LOG).open("a", encoding="utf-8") as log,
        deadline(watch, job.deadline),
        memory_limit(watch, job.memory),
    ):
        say = _logger(log)
        say(f"start {job.notebook.name} {job.parameters}")
        progress = _Progress(job, say)
        try:
            _run(job, notebook, watch, progress, log)
        except Exception as error:
            failure = _failure(error, watch, progress)
            say(f"failed {failure}")
            if traceback := getattr(error, "traceback", None):
                log.write(_ANSI.sub("", "\n".join(traceback)) + "\n")
            raise failure from error
        say("end")


class _Progress:
    """Counts code cells; remembers where the run is for the report of a failure."""

    def __init__(self, job: Job, say: Callable[[str], None]):
        self.job, self.say = job, say
        self.cell: int | None = None
        self.heading = ""
        self.total = 0

    def begin(self, cells: list[Any]) -> None:
        self.total = sum(c.cell_type == "code" for c in cells)

    def enter(self, cell: Any) -> None:
        if cell.cell_type != "code":
            found = HEADING.search(cell.source)
            self.heading = found[1] if found else self.heading
            return
        self.cell = (self.cell or 0) + 1
        self.say(f"cell {self.cell}/{self.total} {self.heading}")
        self.job.on_cell(self.cell, self.total)


def _run(job: Job, notebook: Any, watch: Watch, progress: _Progress, log: Any) -> None:
    pm = papermill()
    logging.getLogger("papermill").setLevel(logging.ERROR)
    pm.engines.papermill_engines.register("evalkit", _engine_class())
    profile = job.folder.parent / ".ipython"
    started = {"env": environment(profile), "cwd": str(job.folder), "stdout": log, "stderr": log}
    try:
        pm.execute_notebook(
            _numbered(notebook),
            str(job.folder / NOTEBOOK),
            parameters=job.parameters,
            engine_name="evalkit",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            request_save_on_cell_execute=False,
            start_timeout=job.start_timeout,
            watch=watch,
            progress=progress,
            started=started,
            born=job.on_start,
        )
    finally:
        watch.sweep()


def _engine_class() -> type:
    """papermill's engine with our kernel, our progress and a start that tells its pid (defined on first use)."""
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine

    class Client(PapermillNotebookClient):
        on_born: Callable[[int | None], None]

        def start_new_kernel(self, **kwargs: Any) -> None:
            super().start_new_kernel(**kwargs)
            self.on_born(pid_of(self.km))

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kw: Any) -> None:
            watch, progress = kw["watch"], kw["progress"]
            enter = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
                progress.enter(cell)
                enter(cell, cell_index, **rest)

            def born(pid: int | None) -> None:
                watch.born(pid)
                kw["born"](pid)

            nb_man.cell_start = cell_start
            progress.begin(nb_man.nb.cells)
            with kernel_manager() as manager:
                client = Client(
                    nb_man, km=manager, kernel_name=kernel_name, startup_timeout=kw["start_timeout"], timeout=None
                )
                client.owns_km = True
                client.on_born = born
                client.execute(**kw["started"])

    return Engine


def _failure(error: Exception, watch: Watch, progress: _Progress) -> Failed:
    where: dict[str, Any] = {"cell": progress.cell, "heading": progress.heading}
    if watch.reason:
        return Failed(watch.reason, **where)
    name = type(error).__name__
    if name == "PapermillExecutionError":
        raised = {"UserError": "user_error", "UserErrors": "user_error", "GateStopped": "gate_stopped"}
        kind = raised.get(str(error.ename), "cell_error")  # type: ignore[attr-defined]
        if error.ename == "OSError":  # type: ignore[attr-defined]
            kind = next((k for n, k in _DISK_ERRORS.items() if n in str(error.evalue)), kind)  # type: ignore[attr-defined]
        detail = _ANSI.sub("", f"{error.ename}: {error.evalue}")[:2000]  # type: ignore[attr-defined]
        return Failed(kind, **where, detail=detail)
    kind = fault_of(error) or ("start_failed" if progress.cell is None else "kernel_died")
    return Failed(kind, **where, detail=f"{name}: {error}"[:2000])


def _numbered(notebook: Any) -> Any:
    """A private copy with cell ids by position, so that the same run writes the same notebook."""
    copy = nbformat().from_dict(notebook)
    for number, cell in enumerate(copy.cells):
        cell["id"] = f"cell-{number}"
    return copy


def _logger(file: Any) -> Callable[[str], None]:
    began = time.monotonic()

    def say(line: str) -> None:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        file.write(f"{stamp} +{time.monotonic() - began:.2f}s {line}\n")
        file.flush()

    return say
