"""The supervisor: threads in this process, one kernel process a task, and a ledger that only it writes.

What an earlier run verified and nothing has changed since is kept. One failing task stops nothing else; tasks that
need its results run without them. A city with problems in its office files is withheld with its projects. Only when
the first places all fail alike is the rest not tried.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from rich.console import Console

from .. import __version__
from ..core import Problem, to_plain
from ..show.figures import PICTURES
from .attempt import Supervision, attempt
from .disk import claim, disk_faults, locked, recover, remove
from .keys import final_key, package_digest
from .ledger import NAME as LEDGER
from .ledger import Ledger, now
from .live import Screen, file_progress
from .outcome import Outcome, RunReport, alike, task_row, withheld_outcome
from .pages import index_file
from .prepare import prepare
from .results import digest_of, write_json
from .resume import History, earlier_projects, history, intact, kept, published_facts, run_key, unpublished
from .stages import FOLDERS, Task, plan_tasks, ready
from .workspace import Workspace

RUN = "run.json"
ALIKE = 3
"""So many first tasks of a kind that fail in the same way stop the run."""


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
    memory: int | None = None,
    force: bool = False,
    refresh_peers: bool = False,
    console: Console | None = None,
) -> RunReport:
    """Assess a workspace: canonical tables, peers, projects, cities, province, reports, index.

    folder     where everything goes (reports/<name>);  places: codes, () = all;  jobs: kernels at once (cpu count)
    languages  of the published reports (default: the workspace's);  lang: of the screen
    notebooks  folder of the notebooks (default: the package's own)
    deadline   seconds per task;  memory: MiB per kernel (default: the workspace's), 0 = no limit
    force      run every task, also those with nothing new;  refresh_peers: make the peers of all places anew

    Problems in the files of some cities withhold these cities: their outcomes carry the problems. Raises UserErrors,
    before any kernel starts, for mistakes in the settings, for problems that concern no city, and where every place
    has some; also for a results folder that another run holds, and for a disk that is full or closed.
    """
    began, console = time.monotonic(), console or Console()
    lang, jobs = lang or workspace.language, jobs or os.cpu_count() or 1
    languages = tuple(languages) or workspace.languages
    folder = claim(folder.absolute(), {RUN, LEDGER, ".work"})
    with disk_faults(folder), locked(folder), _pictures(folder / ".work" / "pictures"):
        recover(folder)
        with file_progress(lang, console) as progress:
            prepared = prepare(workspace, folder / ".work", progress, refresh_peers=refresh_peers)
        tasks = plan_tasks(workspace, prepared, places=places, notebooks=notebooks)
        withheld = _withheld(prepared.canonical.withheld, tasks)
        tasks = (*earlier_projects(folder, {t.place for t in tasks if t.kind == "city"} & set(withheld)), *tasks)
        known = history(folder)
        with Screen(console, tasks, lang) as screen:
            shared = Supervision(
                workspace=workspace,
                prepared=prepared,
                folder=folder,
                ledger=Ledger(folder / LEDGER, _run_id(workspace)),
                screen=screen,
                deadline=deadline,
                memory=workspace.memory if memory is None else memory,
                withheld=withheld,
            )
            try:
                outcomes = supervise(tasks, shared, jobs, History() if force else known)
            finally:
                shutil.rmtree(shared.staging.parent, ignore_errors=True)
        report = RunReport(
            folder=folder,
            outcomes=outcomes,
            seconds=time.monotonic() - began,
            halted=shared.stop.is_set(),
            peers_edition=prepared.peers_edition,
            peers_behind=prepared.peers_behind,
            withheld=withheld,
        )
        if not report.halted:
            _published(report, shared, languages, jobs, known)
            if not places:
                _clear_strangers(report)
    return replace(report, seconds=time.monotonic() - began)


def supervise(tasks: Sequence[Task], shared: Supervision, jobs: int, known: History) -> tuple[Outcome, ...]:
    """Keep or run the tasks, each when its needs have ended, `jobs` at a time; outcomes in the order of the plan.

    known  what earlier runs verified. An interrupt kills every kernel's process group, is written to the ledger,
    and goes on upwards.
    """
    for task in tasks:
        shared.ledger.write("planned", task.name)
    outcomes = {t.name: _withhold(t, shared) for t in tasks if t.kind != "province" and t.place in shared.withheld}
    ended: list[Outcome] = []
    running: dict[Future[Outcome], str] = {}
    with ThreadPoolExecutor(max_workers=jobs, thread_name_prefix="evalkit") as pool, interrupts() as asked:
        try:
            while len(outcomes) < len(tasks):
                if asked.is_set():
                    raise KeyboardInterrupt
                open_tasks = [t for t in ready(tasks, set(outcomes)) if t.name not in running.values()]
                found = [o for t in open_tasks if (o := kept(_keyed(t, outcomes), shared.folder, known))]
                for outcome in found:
                    outcomes[outcome.task.name] = _keep(outcome, shared)
                ended += found
                if found:
                    continue
                for task in open_tasks[: jobs - len(running)]:
                    keyed = _keyed(task, outcomes)
                    running[pool.submit(attempt, keyed, shared, dict(outcomes))] = task.name
                done, _ = wait(running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    outcomes[name] = future.result()
                    ended.append(outcomes[name])
                if done and alike(ended, ALIKE):
                    return _halted(tasks, shared, outcomes, running)
        except BaseException:
            _abandon(shared, "interrupted")
            raise
    return tuple(outcomes[t.name] for t in tasks)


@contextmanager
def _pictures(folder: Path) -> Iterator[None]:
    """The kernels and the publisher of this run lend each other what they have drawn, and nobody after them."""
    remove(folder)
    folder.mkdir(parents=True)
    os.environ[PICTURES] = str(folder)
    try:
        yield
    finally:
        del os.environ[PICTURES]
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, which the caller turns into an interrupt where nothing is held; a second one interrupts at
    once. An interrupt in the middle of `wait` may leave a future locked, and its thread waiting for ever."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = signal.getsignal(signal.SIGINT)

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _withheld(problems: Mapping[str, Sequence[Problem]], tasks: Sequence[Task]) -> dict[str, tuple[Problem, ...]]:
    """The withheld cities that this run is about: those it was to report on, and all where the province is."""
    whole = any(t.kind == "province" for t in tasks)
    return {place: tuple(own) for place, own in problems.items() if whole or any(t.place == place for t in tasks)}


def _withhold(task: Task, shared: Supervision) -> Outcome:
    outcome = withheld_outcome(task, shared.withheld[task.place])
    first = shared.withheld[task.place][0]
    shared.ledger.write("withheld", task.name, problems=len(outcome.problems), kind=first.key, file=first.where.file)
    shared.screen.ended(task, outcome.status)
    return outcome


def _keyed(task: Task, outcomes: dict[str, Outcome]) -> Task:
    """The task with its final key, now that the results it reads are known."""
    read = {name: outcomes[name].digest if outcomes[name].status == "ok" else "" for name in task.needs}
    return replace(task, key=final_key(task.key, read))


def _keep(outcome: Outcome, shared: Supervision) -> Outcome:
    shared.ledger.write("kept", outcome.task.name, key=outcome.task.key, digest=outcome.digest)
    shared.screen.ended(outcome.task, "kept" if outcome.status == "ok" else outcome.status)
    return outcome


def _halted(
    tasks: Sequence[Task], shared: Supervision, outcomes: dict[str, Outcome], running: dict[Future[Outcome], str]
) -> tuple[Outcome, ...]:
    """End the run after the first tasks failed alike: kernels are killed, what was not tried says so."""
    _abandon(shared, "halted")
    outcomes |= {name: future.result() for future, name in running.items()}
    rest = [t for t in tasks if t.name not in outcomes]
    outcomes |= {t.name: Outcome(task=t, status="failed", kind="not_run") for t in rest}
    return tuple(outcomes[t.name] for t in tasks)


def _abandon(shared: Supervision, reason: str) -> None:
    shared.stop.set()
    for watch in list(shared.watches.values()):
        watch.kill(reason)
    with suppress(OSError):
        shared.ledger.write(reason)


def _published(report: RunReport, shared: Supervision, languages: Sequence[str], jobs: int, known: History) -> None:
    """Write run.json, the reports that are new or not as the ledger says, and the index; nothing where all stands."""
    folder, ledger = report.folder, shared.ledger
    content = _run_content(report, shared, languages, jobs)
    key = run_key(content)
    wanted = unpublished(report.outcomes, folder, languages, known)
    orphans = [o for o in report.outcomes if o.status != "ok" and _public(folder, o.task).exists()]
    if not wanted and not orphans and known.indexed.get("key") == key and intact(folder, known.indexed["files"]):
        return
    write_json(folder / RUN, content)
    from .publish import publish

    outcomes = {o.task.name: o for o in report.outcomes}

    def done(name: str, paths: Iterable[Path]) -> None:
        ledger.write("published", name, **published_facts(outcomes[name], folder, list(paths), languages))

    publish(folder, languages, only=wanted, done=done)
    files = {name: digest_of(folder / name) for name in (RUN, *map(index_file, languages))}
    ledger.write("indexed", key=key, files=files)


def _clear_strangers(report: RunReport) -> None:
    """Remove reports of places and projects that the workspace does not have any more."""
    ours = {_public(report.folder, o.task) for o in report.outcomes}
    for kind in FOLDERS.values():
        for folder in (report.folder / kind).glob("[!.]*"):
            if folder not in ours:
                remove(folder)


def _public(folder: Path, task: Task) -> Path:
    return folder / FOLDERS[task.kind] / task.id


def _run_id(workspace: Workspace) -> str:
    return f"{workspace.name}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}-{os.getpid()}"


def _cpu_seconds() -> float:
    spent = os.times()
    return round(spent.user + spent.system + spent.children_user + spent.children_system, 2)


def _run_content(report: RunReport, shared: Supervision, languages: Sequence[str], jobs: int) -> dict[str, Any]:
    w = shared.workspace
    return {
        "schema_version": "1",
        "run": shared.ledger.run,
        "evalkit": __version__,
        "code": package_digest(),
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
        "peers_behind": shared.prepared.peers_behind,
        "inputs": [to_plain(i) for i in shared.prepared.canonical.inputs],
        "gates": [to_plain(g) for g in shared.prepared.canonical.gates],
        "tasks": [task_row(o) for o in report.outcomes],
    }
