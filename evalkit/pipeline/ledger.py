"""The ledger of a run: one JSON line per fact, appended by the supervisor alone, never by a notebook.

Events of a task, in order: planned · then withheld (number of problems, the first one) · or kept (key) · or started
(attempt, pid, engine, key) · [retry] · finished | failed | stopped · verified (key, digests of results.json and
notebook) · published (key, digests of the reports). A task counts as done only with `verified`. Events of a run:
interrupted, halted, indexed.
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
                start = b"" if _ends_well(self.path) else b"\n"
                _write_all(handle, start + (line + "\n").encode("utf-8"))
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


def _ends_well(path: Path) -> bool:
    """Whether the file ends with a whole line; one that was cut short must not swallow the next."""
    with path.open("rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def _write_all(handle: int, content: bytes) -> None:
    while content:
        content = content[os.write(handle, content) :]


def now() -> str:
    """Current time in UTC, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
