"""How the tasks of a run ended, and the exit code that says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core import to_plain
from .stages import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a task ended: "ok", "stopped" (a stop gate) or "failed" (kind of failure, cell, heading, problems)."""

    task: Task
    status: str
    kind: str = ""
    cell: int | None = None
    heading: str = ""
    detail: str = ""
    digest: str = ""
    seconds: float = 0.0
    problems: list[dict[str, Any]] = field(default_factory=list)
    gates: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """What `run` returns: where it is, how it went, and the exit code that says so."""

    folder: Path
    outcomes: tuple[Outcome, ...]
    seconds: float

    @property
    def exit_code(self) -> int:
        """0 all well; 2 bad input in some place; 3 a stop gate; 1 our failure (the most serious one counts)."""
        kinds = {"user_error" if o.kind == "user_error" else o.status for o in self.outcomes}
        return 1 if "failed" in kinds else 2 if "user_error" in kinds else 3 if "stopped" in kinds else 0


def task_row(outcome: Outcome) -> dict[str, Any]:
    """An outcome as plain data: the row of run.json that the index page is made from."""
    task = outcome.task
    row = {k: v for k, v in to_plain(outcome).items() if k != "task"}
    named = {"kind": task.kind, "id": task.id, "place": task.place, "project": task.project, "title": task.title}
    return {**named, "failure": row.pop("kind"), **row, "key": task.key}
