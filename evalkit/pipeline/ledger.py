"""The ledger of a run: one JSON line per fact, appended by the supervisor alone, never by a notebook.

Events of a task, in order: planned (key) · started (attempt, pid, engine) · [retry] · finished | failed | stopped ·
verified (digest of results.json). A task counts as done only with `verified`.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

NAME = "ledger.jsonl"


@dataclass(frozen=True, slots=True)
class Ledger:
    """Append-only file of JSON lines; safe to write from several threads of one process."""

    path: Path
    run: str
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, event: str, task: str = "", **facts: Any) -> None:
        """Append one line and hand it to the disk. `task` is "kind/id"; None facts are left out."""
        row = {"time": now(), "run": self.run, "event": event, "task": task, **facts}
        line = json.dumps({k: v for k, v in row.items() if v not in (None, "")}, ensure_ascii=False, default=str)
        with self.lock:
            handle = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                os.write(handle, (line + "\n").encode("utf-8"))
                os.fsync(handle)
            finally:
                os.close(handle)


def read_ledger(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of a ledger in order; a last line cut short by a power cut is left out."""
    path = folder / NAME
    if not path.exists():
        return
    for line in path.read_text("utf-8", errors="replace").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def now() -> str:
    """Current time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
