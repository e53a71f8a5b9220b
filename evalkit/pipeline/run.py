"""The supervisor: threads in this process, one kernel process a task, and a ledger that only it writes.

A task succeeds when a results.json comes out that follows the schema, and in no other way. Its folder then appears
under `internal/` by rename. One failing task stops nothing else; tasks that need its results run without them.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from .. import __version__
from ..core import UserError, UserErrors, to_plain
from .engine import INFRASTRUCTURE, PROBLEM, Failed, Job, execute
from .kernel import Watch
from .ledger import NAME as LEDGER
from .ledger import Ledger, now
from .live import Screen, file_progress
from .notebook import TASK, write_task
from .outcome import Outcome, RunReport, task_row
from .parameters import as_parameter
from .prepare import Prepared, move_into_place, prepare
from .results import NAME as RESULTS
from .results import digest_of, read_results, write_json
from .stages import FOLDERS, Task, parameters, plan_tasks, ready
from .workspace import Workspace

RUN = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supervision:
    """What every task of a run shares."""

    workspace: Workspace
    prepared: Prepared
    folder: Path
    ledger: Ledger
    screen: Screen
    deadline: float
    watches: dict[str, Watch] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)


def run(
    workspace: Workspace,
    folder: Path,
    *,
    places: Sequence[str] = (),
    jobs: int | None = None,
    languages: Sequence[str] = (),
    lang: str | None = None,
    notebooks: Path | None = None,
    deadline: float = 1800.0,
    console: Console | None = None,
) -> RunReport:
    """Assess a workspace: canonical tables, peers, projects, cities, province, reports, index.

    folder     where everything goes (reports/<name>);  places: codes, () = all;  jobs: kernels at once (cpu count)
    languages  of the published reports (default: the workspace's);  lang: of the screen
    notebooks  folder of the notebooks (default: the package's own);  deadline: seconds per task

    Raises UserErrors for mistakes in settings or files, before any kernel starts.
    """
    began, console = time.monotonic(), console or Console()
    lang = lang or workspace.language
    folder = _claimed(folder.absolute())
    with file_progress(lang, console) as progress:
        prepared = prepare(workspace, folder / ".work", progress)
    tasks = plan_tasks(workspace, prepared, places=places, notebooks=notebooks)
    ledger = Ledger(folder / LEDGER, _run_id(workspace))
    with Screen(console, tasks, lang) as screen:
        shared = Supervision(
            workspace=workspace, prepared=prepared, folder=folder, ledger=ledger, screen=screen, deadline=deadline
        )
        outcomes = supervise(tasks, shared, jobs or os.cpu_count() or 1)
    report = RunReport(folder=folder, outcomes=outcomes, seconds=time.monotonic() - began)
    _write_run(report, shared, languages or workspace.languages, jobs or os.cpu_count() or 1)
    from .publish import publish

    publish(folder)
    return RunReport(folder=folder, outcomes=outcomes, seconds=time.monotonic() - began)


def supervise(tasks: Sequence[Task], shared: Supervision, jobs: int) -> tuple[Outcome, ...]:
    """Run the tasks, each when its needs have ended, `jobs` at a time. Returns outcomes in the order of the plan.

    An interrupt kills every kernel's process group, is written to the ledger, and goes on upwards.
    """
    for task in tasks:
        shared.ledger.write("planned", task.name, key=task.key)
    outcomes: dict[str, Outcome] = {}
    running: dict[Future[Outcome], Task] = {}
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="evalkit") as pool:
        try:
            while len(outcomes) < len(tasks):
                begun = {t.name for t in running.values()}
                for task in ready(tasks, set(outcomes)):
                    if task.name not in begun and len(running) < jobs:
                        running[pool.submit(attempt, task, shared, dict(outcomes))] = task
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    outcomes[running.pop(future).name] = future.result()
        except BaseException:
            _abandon(shared)
            raise
    return tuple(outcomes[t.name] for t in tasks)


def attempt(task: Task, shared: Supervision, earlier: dict[str, Outcome]) -> Outcome:
    """Run one task to its outcome: one retry after a fault of the machine, none after an error in a cell."""
    began = time.monotonic()
    shared.screen.started(task)
    try:
        outcome = _tried(task, shared, earlier)
    except UserErrors as error:
        outcome = Outcome(task=task, status="failed", kind="user_error", problems=to_plain(list(error.problems)))
    except Failed as failure:
        outcome = _failed(task, shared, failure)
    except Exception as error:
        outcome = Outcome(task=task, status="failed", kind="internal", detail=f"{type(error).__name__}: {error}"[:2000])
    outcome = replace(outcome, seconds=time.monotonic() - began)
    _record(outcome, shared)
    shared.screen.ended(task, outcome.status)
    return outcome


def _tried(task: Task, shared: Supervision, earlier: dict[str, Outcome]) -> Outcome:
    for number in (1, 2):
        staging = _staged(task, shared, earlier)
        shared.watches[task.name] = watch = Watch()
        try:
            if shared.stop.is_set():
                raise Failed("interrupted")
            execute(_job(task, shared, staging, number), watch)
            return _accepted(task, shared, staging)
        except Failed as failure:
            if failure.kind not in INFRASTRUCTURE or number == 2:
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
        on_start=started,
        on_cell=lambda n, m: shared.screen.cell(task, n, m),
    )


def _staged(task: Task, shared: Supervision, earlier: dict[str, Outcome]) -> Path:
    """A fresh folder for one attempt, with the pointer to tables and to the results of earlier stages."""
    staging = shared.folder / ".work" / "staging" / f"{task.kind}-{task.id}"
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
    verified = digest_of(staging / RESULTS)
    move_into_place(staging, internal(shared.folder, task))
    stops = [g for g in content["gates"] if g["severity"] == "stop" and g["passed"] is False]
    return Outcome(task=task, status="stopped" if stops else "ok", digest=verified, gates=stops)


def _failed(task: Task, shared: Supervision, failure: Failed) -> Outcome:
    """Keep what a failed attempt left (log, notebook) under `.work/failed`, out of sight of readers."""
    staging = shared.folder / ".work" / "staging" / f"{task.kind}-{task.id}"
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
    event = "finished" if outcome.digest else outcome.status
    shared.ledger.write(event, task.name, **facts, detail=outcome.detail[:400], seconds=round(outcome.seconds, 3))
    if outcome.digest:
        shared.ledger.write("verified", task.name, digest=outcome.digest, key=task.key, status=outcome.status)


def _abandon(shared: Supervision) -> None:
    shared.stop.set()
    for watch in list(shared.watches.values()):
        watch.kill("interrupted")
    shared.ledger.write("interrupted")


def _claimed(folder: Path) -> Path:
    """The results folder, made where it is missing; one that holds other people's files is refused."""
    if folder.exists() and any(folder.iterdir()) and not ({RUN, LEDGER, ".work"} & {p.name for p in folder.iterdir()}):
        raise UserError("out_taken", folder=folder.name)
    (folder / ".work").mkdir(parents=True, exist_ok=True)
    return folder


def internal(folder: Path, task: Task) -> Path:
    """Where the results of a finished task stand."""
    return folder / "internal" / FOLDERS[task.kind] / task.id


def _run_id(workspace: Workspace) -> str:
    return f"{workspace.name}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"


def _cpu_seconds() -> float:
    spent = os.times()
    return round(spent.user + spent.system + spent.children_user + spent.children_system, 2)


def _write_run(report: RunReport, shared: Supervision, languages: Sequence[str], jobs: int) -> None:
    w = shared.workspace
    content = {
        "schema_version": "1",
        "run": shared.ledger.run,
        "evalkit": __version__,
        "ended": now(),
        "seconds": round(report.seconds, 2),
        "cpu_seconds": _cpu_seconds(),
        "engine": "plain",
        "jobs": jobs,
        "workspace": {"name": w.name, "title": w.title, "period": w.period, "as_of": w.as_of, "plan": w.plan.id},
        "synthetic": w.synthetic,
        "language": w.language,
        "languages": list(languages),
        "headlines": w.plan.settings.get("headlines", {}),
        "canonical_digest": shared.prepared.canonical_digest,
        "peers_edition": shared.prepared.peers_edition,
        "inputs": [to_plain(i) for i in shared.prepared.canonical.inputs],
        "gates": [to_plain(g) for g in shared.prepared.canonical.gates],
        "tasks": [task_row(o) for o in report.outcomes],
    }
    write_json(report.folder / RUN, content)
