"""One task from its first attempt to its outcome: staging folder, kernel, judgement by results.json, ledger rows.

A task succeeds when a results.json comes out that follows the schema, and in no other way. Its folder then appears
under `internal/` by rename.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core import Problem, UserError, UserErrors, to_plain
from .disk import fault_of, move_into_place, probe
from .engine import DISK, INFRASTRUCTURE, NOTEBOOK, Failed, Job, execute
from .kernel import Watch
from .ledger import Ledger
from .live import Screen
from .notebook import PROBLEM, TASK, write_task
from .outcome import Outcome
from .parameters import as_parameter
from .prepare import Prepared
from .results import NAME as RESULTS
from .results import digest_of, read_results
from .resume import internal, stop_gates
from .stages import FOLDERS, Task, parameters
from .workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supervision:
    """What every task of a run shares.

    deadline  seconds a task;  memory: MiB a kernel with its children;  withheld: problems by city that is not run
    """

    workspace: Workspace
    prepared: Prepared
    folder: Path
    ledger: Ledger
    screen: Screen
    deadline: float
    memory: int
    withheld: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    watches: dict[str, Watch] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def staging(self) -> Path:
        """Folder of the attempts of this run; no other run writes there, not even a kernel that outlived its own."""
        return self.folder / ".work" / "staging" / self.ledger.run


def attempt(task: Task, shared: Supervision, earlier: Mapping[str, Outcome]) -> Outcome:
    """Run one task to its outcome: one retry after a fault of the machine, none after an error in a cell.

    Raises UserError where the disk is full or closed: no other task would fare better.
    """
    began = time.monotonic()
    shared.screen.started(task)
    try:
        outcome = _tried(task, shared, earlier)
    except UserErrors as error:
        outcome = Outcome(task=task, status="failed", kind="user_error", problems=to_plain(list(error.problems)))
    except Failed as failure:
        outcome = _failed(task, shared, failure)
    except Exception as error:
        kind, detail = fault_of(error) or "internal", f"{type(error).__name__}: {error}"[:2000]
        outcome = Outcome(task=task, status="failed", kind=kind, detail=detail)
    outcome = replace(outcome, seconds=round(time.monotonic() - began, 3))
    _record(outcome, shared)
    shared.screen.ended(task, outcome.status)
    if outcome.kind in DISK:
        raise UserError(outcome.kind, folder=str(shared.folder))
    return outcome


def _tried(task: Task, shared: Supervision, earlier: Mapping[str, Outcome]) -> Outcome:
    for number in (1, 2):
        staging = _staged(task, shared, earlier)
        shared.watches[task.name] = watch = Watch()
        try:
            if shared.stop.is_set():
                raise Failed("interrupted")
            execute(_job(task, shared, staging, number), watch)
            return _accepted(task, shared, staging)
        except Failed as failure:
            if failure.kind not in INFRASTRUCTURE:
                raise
            if fault := probe(shared.folder / ".work"):
                raise Failed(fault, cell=failure.cell, heading=failure.heading, detail=failure.detail) from failure
            if number == 2:
                raise
            shared.ledger.write("retry", task.name, attempt=number, kind=failure.kind, cell=failure.cell)
        finally:
            shared.watches.pop(task.name, None)
    raise AssertionError("unreachable")


def _job(task: Task, shared: Supervision, staging: Path, number: int) -> Job:
    def started(pid: int | None) -> None:
        shared.ledger.write("started", task.name, attempt=number, pid=pid, engine="plain", key=task.key)

    return Job(
        notebook=task.notebook,
        parameters=parameters(task, as_parameter(shared.workspace.root), as_parameter(staging)),
        folder=staging,
        deadline=shared.deadline,
        memory=shared.memory,
        on_start=started,
        on_cell=lambda n, m: shared.screen.cell(task, n, m),
    )


def _staged(task: Task, shared: Supervision, earlier: Mapping[str, Outcome]) -> Path:
    """A fresh folder for one attempt, with the pointer to tables and to the results of earlier stages."""
    staging = shared.staging / f"{task.kind}-{task.id}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    done = [earlier[name].task for name in task.needs if name in earlier and earlier[name].status == "ok"]
    found = {k: {t.id: str(internal(shared.folder, t) / RESULTS) for t in done if t.kind == k} for k in FOLDERS}
    write_task(staging, shared.prepared, found["project"], found["city"])
    return staging


def _accepted(task: Task, shared: Supervision, staging: Path) -> Outcome:
    """Judge a finished notebook by its results.json alone, and let its folder appear."""
    try:
        content = read_results(staging)
    except FileNotFoundError:
        raise Failed("results_missing") from None
    except ValueError as error:
        raise Failed("results_invalid", detail=str(error)[:2000]) from None
    if (content["kind"], content["place"], content["project"]) != (task.kind, task.place, task.project):
        raise Failed("results_invalid", detail=f"{content['kind']} {content['place']} {content['project']}")
    (staging / TASK).unlink()
    verified, notebook = digest_of(staging / RESULTS), digest_of(staging / NOTEBOOK)
    move_into_place(staging, internal(shared.folder, task))
    stops = stop_gates(content)
    return Outcome(task=task, status="stopped" if stops else "ok", digest=verified, notebook=notebook, gates=stops)


def _failed(task: Task, shared: Supervision, failure: Failed) -> Outcome:
    """Keep what a failed attempt left (log, notebook) under `.work/failed`, out of sight of readers."""
    staging = shared.staging / f"{task.kind}-{task.id}"
    told = _told(staging)
    if staging.exists():
        move_into_place(staging, shared.folder / ".work" / "failed" / f"{task.kind}-{task.id}")
    stopped = failure.kind == "gate_stopped"
    return Outcome(
        task=task,
        status="stopped" if stopped else "failed",
        kind=failure.kind,
        cell=failure.cell,
        heading=failure.heading,
        detail=failure.detail,
        **told,
    )


def _told(staging: Path) -> dict[str, Any]:
    try:
        return json.loads((staging / PROBLEM).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _record(outcome: Outcome, shared: Supervision) -> None:
    task, facts = outcome.task, {"kind": outcome.kind, "cell": outcome.cell, "heading": outcome.heading}
    seconds = outcome.seconds
    event = "finished" if outcome.digest else outcome.status
    shared.ledger.write(event, task.name, **facts, detail=outcome.detail[:400], seconds=seconds, key=task.key)
    if outcome.digest:
        verified = {"digest": outcome.digest, "notebook": outcome.notebook, "status": outcome.status}
        shared.ledger.write("verified", task.name, **verified, seconds=seconds, key=task.key)
