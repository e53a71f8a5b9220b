"""Folders that appear whole or not at all, one supervisor per results folder, and faults of the disk in plain words."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)
OLD = ".old"
_EXCHANGE, _HERE = 2, -100
"""RENAME_EXCHANGE and AT_FDCWD of renameat2(2)."""


def move_into_place(fresh: Path, folder: Path) -> None:
    """Let a finished folder appear under its final name; what stood there before is removed.

    Where the system can exchange two names in one step a reader sees the old folder or the new one at any moment.
    Elsewhere there are two renames, and `recover` puts the old folder back when the process died between them.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and _exchanged(fresh, folder):
        shutil.rmtree(fresh, ignore_errors=True)
        return
    old = folder.with_name(f".{folder.name}{OLD}")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)


def remove(folder: Path) -> None:
    """Let a folder vanish in one step, then delete it."""
    if folder.exists():
        gone = folder.with_name(f".{folder.name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


def recover(folder: Path) -> None:
    """Clear away what a killed run left half-done below `folder`: drafts go, an old folder without a successor
    returns. Call it only while no other process works there."""
    for parent in (folder, *(p for p in folder.glob("*") if p.is_dir()), *folder.glob("internal/*")):
        for hidden in parent.glob(".*"):
            if hidden == folder / ".work":
                continue
            final = parent / hidden.name[1:].removesuffix(OLD)
            if hidden.name.endswith(OLD) and hidden.is_dir() and not final.exists():
                os.replace(hidden, final)
            elif hidden.is_dir() and hidden.name.endswith((OLD, ".new", ".gone")):
                shutil.rmtree(hidden, ignore_errors=True)
            elif hidden.name.endswith(".tmp"):
                hidden.unlink(missing_ok=True)
    for draft in (folder / ".work").glob(".*"):
        shutil.rmtree(draft, ignore_errors=True)
    shutil.rmtree(folder / ".work" / "staging", ignore_errors=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process. Raises UserError("out_busy") where another run holds it.

    The lock belongs to the process, so nothing is left behind when it dies. Windows has no such lock: there two
    runs into one folder are not kept apart.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / ".work" / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError("out_busy", folder=folder.name) from None
        yield


@contextmanager
def disk_faults(folder: Path) -> Iterator[None]:
    """Tell a full or closed disk as a mistake of the user (exit code 2) instead of a traceback."""
    try:
        yield
    except OSError as error:
        if not (fault := fault_of(error)):
            raise
        raise UserError(fault, folder=str(folder)) from error


def fault_of(error: BaseException) -> str:
    """ "out_full" or "out_closed" for an OSError that says so (also when it stands behind another error), else ""."""
    known: BaseException | None = error
    while known is not None:
        if isinstance(known, OSError) and known.errno in (*FULL, *CLOSED):
            return "out_full" if known.errno in FULL else "out_closed"
        known = known.__cause__ or known.__context__
    return ""


def probe(folder: Path) -> str:
    """What keeps a file from being written into `folder` ("out_full", "out_closed"), or ""."""
    path = folder / f".probe.{os.getpid()}.tmp"
    try:
        path.write_bytes(bytes(1 << 16))
    except OSError as error:
        return fault_of(error)
    finally:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return ""


def claim(folder: Path, ours: set[str]) -> Path:
    """The results folder, made where it is missing and proved writable.

    ours  names one of which stands in every folder of results. Raises UserError where it holds other people's files
    ("out_taken"), cannot be written to ("out_closed") or has no room ("out_full").
    """
    with disk_faults(folder):
        if folder.exists() and any(folder.iterdir()) and not (ours & {p.name for p in folder.iterdir()}):
            raise UserError("out_taken", folder=folder.name)
        (folder / ".work").mkdir(parents=True, exist_ok=True)
        if fault := probe(folder) or probe(folder / ".work"):
            raise UserError(fault, folder=str(folder))
    return folder


def _exchanged(one: Path, two: Path) -> bool:
    """Exchange two names in one step; False where the system or the file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    return call is not None and call(_HERE, os.fsencode(one), _HERE, os.fsencode(two), _EXCHANGE) == 0
