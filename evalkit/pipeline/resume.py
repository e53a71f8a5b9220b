"""What earlier runs left that is still right: results and reports whose key is unchanged and whose bytes are those
the ledger says were verified.

Nothing else is believed: not the presence of a folder, not metadata of a notebook, not a date.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..text import LANGUAGES
from .engine import NOTEBOOK
from .keys import publish_key
from .ledger import read_ledger
from .outcome import Outcome
from .results import NAME as RESULTS
from .results import digest, digest_of
from .stages import FOLDERS, Task

VOLATILE = ("run", "ended", "seconds", "cpu_seconds", "jobs")
"""Facts of run.json that differ between two runs that found the same."""


@dataclass(frozen=True, slots=True)
class History:
    """The last row of the ledger of each kind: by task for `verified` and `published`, one for `indexed`."""

    verified: dict[str, dict[str, Any]] = field(default_factory=dict)
    published: dict[str, dict[str, Any]] = field(default_factory=dict)
    indexed: dict[str, Any] = field(default_factory=dict)


def history(folder: Path) -> History:
    """Read the ledger of a results folder; empty where there is none."""
    known = History()
    for row in read_ledger(folder):
        if row.get("event") == "verified":
            known.verified[row["task"]] = row
        elif row.get("event") == "published":
            known.published[row["task"]] = row
        elif row.get("event") == "indexed":
            known.indexed.clear()
            known.indexed.update(row)
    return known


def internal(folder: Path, task: Task) -> Path:
    """Where the results of a finished task stand."""
    return folder / "internal" / FOLDERS[task.kind] / task.id


def kept(task: Task, folder: Path, known: History) -> Outcome | None:
    """The outcome of an earlier run where it still holds: same key, same bytes of results and notebook; else None."""
    row = known.verified.get(task.name, {})
    place = internal(folder, task)
    if row.get("key") != task.key:
        return None
    if not intact(place, {RESULTS: row.get("digest", ""), NOTEBOOK: row.get("notebook", "")}):
        return None
    return Outcome(
        task=task,
        status=row["status"],
        digest=row["digest"],
        notebook=row["notebook"],
        seconds=row.get("seconds", 0.0),
        gates=_stops(place) if row["status"] == "stopped" else [],
        kept=True,
    )


def earlier_projects(folder: Path, places: Collection[str]) -> tuple[Task, ...]:
    """Projects of these places that an earlier run evaluated, as tasks: withheld with their place, they need a row of
    the index that says why their report has gone. Their own files cannot be asked."""
    found = []
    for path in sorted((folder / "internal" / FOLDERS["project"]).glob(f"*/{RESULTS}")):
        known = json.loads(path.read_text("utf-8"))
        if known["place"] in places:
            title = dict.fromkeys(LANGUAGES, str(known["names"]["project"]))
            about = {"id": path.parent.name, "place": known["place"], "project": known["project"], "title": title}
            found.append(Task(kind="project", notebook=path, **about))
    return tuple(found)


def unpublished(outcomes: Iterable[Outcome], folder: Path, languages: Sequence[str], known: History) -> set[str]:
    """Names of the tasks whose reports are missing, changed, or made from other results, languages or code."""
    return {o.task.name for o in outcomes if o.status == "ok" and not _is_published(o, folder, languages, known)}


def published_facts(outcome: Outcome, folder: Path, paths: Sequence[Path], languages: Sequence[str]) -> dict[str, Any]:
    """What the ledger says of a published report: its key and the digests of its files."""
    key = publish_key(outcome.digest, outcome.notebook, languages)
    return {"key": key, "files": {p.relative_to(folder).as_posix(): digest_of(p) for p in paths}}


def run_key(content: Mapping[str, Any]) -> str:
    """Digest of run.json without what differs between two runs that found the same."""
    return digest({k: v for k, v in content.items() if k not in VOLATILE})


def intact(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether every file (path below `folder` → SHA-256) is there with its bytes."""
    return bool(files) and all((folder / n).is_file() and digest_of(folder / n) == sha for n, sha in files.items())


def _is_published(outcome: Outcome, folder: Path, languages: Sequence[str], known: History) -> bool:
    row = known.published.get(outcome.task.name, {})
    wanted = publish_key(outcome.digest, outcome.notebook, languages)
    return row.get("key") == wanted and intact(folder, row.get("files", {}))


def _stops(place: Path) -> list[dict[str, Any]]:
    return stop_gates(json.loads((place / RESULTS).read_text("utf-8")))


def stop_gates(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gates in the content of a results.json that withhold a report."""
    return [g for g in content["gates"] if g["severity"] == "stop" and g["passed"] is False]
