"""How the tasks of a run ended, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core import Problem, to_plain
from .stages import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: "ok", "stopped" (a stop gate), "withheld" (its city's office files have problems) or "failed"
    (kind of failure, cell, heading).

    digest, notebook  SHA-256 of results.json and of the executed notebook;  kept: taken over from an earlier run
    """

    task: Task
    status: str
    kind: str = ""
    cell: int | None = None
    heading: str = ""
    detail: str = ""
    digest: str = ""
    notebook: str = ""
    seconds: float = 0.0
    problems: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)
    kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What `run` returns: where it is, how it went, and the exit code that says so.

    halted        the first places failed alike, the rest was not tried and nothing was published
    peers_behind  the edition of the peers is older than the tables
    withheld      code of a city → the problems of its office files: left out of everything
    """

    folder: Path
    outcomes: tuple[Outcome, ...]
    seconds: float
    halted: bool = False
    peers_edition: str = ""
    peers_behind: bool = False
    withheld: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 all well; 1 our failure in some place; else 2 bad input in some place, though others are published; else
        3 a stop gate."""
        kinds = {"user_error" if o.kind == "user_error" else o.status for o in self.outcomes}
        kinds |= {"user_error"} if self.withheld else set()
        return 1 if "failed" in kinds else 2 if "user_error" in kinds else 3 if "stopped" in kinds else 0


def withheld_outcome(task: Task, problems: Sequence[Problem]) -> Outcome:
    """The outcome of a task that is not tried because the office files of its city have problems."""
    from ..data import capped

    return Outcome(task=task, status="withheld", kind="user_error", problems=to_plain(capped(problems)))


def task_row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data: the row of run.json that the index page is made from."""
    task = outcome.task
    row = {k: v for k, v in to_plain(outcome).items() if k not in ("task", "kept")}
    named = {"kind": task.kind, "id": task.id, "place": task.place, "project": task.project, "title": task.title}
    return {**named, "failure": row.pop("kind"), **row, "key": task.key}


def alike(ended: Sequence[Outcome], first: int) -> bool:
    """Whether the first outcomes of some kind of report, in the order they ended, all failed in the same way: same
    class of failure, same code cell. What was kept from an earlier run, interrupted or not tried does not count."""
    for kind in {o.task.kind for o in ended}:
        own = [o for o in ended if o.task.kind == kind and o.kind not in ("interrupted", "halted", "not_run")][:first]
        ways = {(o.kind, o.detail.partition(":")[0], o.cell) for o in own}
        if len(own) == first and len(ways) == 1 and all(o.status == "failed" for o in own):
            return True
    return False
