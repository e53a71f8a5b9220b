"""One kernel process for one notebook: started in this environment, watched, and killed as a group.

The kernel command names this interpreter itself, so a kernelspec of the same name elsewhere on the machine cannot
take its place. Transport is `ipc` where the system has it (no ports, no races), else TCP.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "ARROW_NUM_THREADS")


class OwnKernelManager(AsyncKernelManager):
    """A kernel manager that always starts this interpreter."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="evalkit", language="python", name="python3")


@dataclass(eq=False)
class Watch:
    """The process group of a running kernel, and why it was killed if we did it.

    `kill` may be called from any thread, before the kernel starts too: it is then killed as soon as it has a pid.
    """

    pid: int | None = None
    reason: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def born(self, pid: int | None) -> None:
        with self.lock:
            self.pid = pid
            killed = bool(self.reason)
        if killed:
            self._signal()

    def kill(self, reason: str) -> None:
        """Kill the kernel and everything it started; the first reason is kept."""
        with self.lock:
            self.reason = self.reason or reason
        self._signal()

    def sweep(self) -> None:
        """Kill what the kernel left behind in its process group."""
        self._signal()
        self.pid = None

    def _signal(self) -> None:
        if self.pid is None:
            return
        try:
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:
                os.kill(self.pid, signal.SIGTERM)
        except (ProcessLookupError, PermissionError):
            pass


@contextmanager
def kernel_manager() -> Iterator[OwnKernelManager]:
    """A kernel manager with its connection file in a private folder with a short path."""
    with tempfile.TemporaryDirectory(prefix="evalkit-", ignore_cleanup_errors=True) as folder:
        manager = OwnKernelManager(kernel_name="python3", connection_file=str(Path(folder) / "k.json"))
        if sys.platform.startswith("linux"):
            manager.transport = "ipc"
            manager.ip = str(Path(folder) / "k")
        yield manager


@contextmanager
def deadline(watch: Watch, seconds: float) -> Iterator[None]:
    """Kill the kernel's process group when the block lasts longer than `seconds`."""
    timer = threading.Timer(seconds, watch.kill, args=("deadline",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def memory_limit(watch: Watch, mebibytes: int) -> Iterator[None]:
    """Kill the kernel's process group when it and its children together hold more than this; 0 = no limit.

    Resident memory is looked at five times a second, so that a notebook is stopped before the machine is.
    """
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            if watch.pid is not None and resident(watch.pid) > mebibytes << 20:
                watch.kill("memory")
                return

    thread = threading.Thread(target=look, daemon=True)
    if mebibytes:
        thread.start()
    try:
        yield
    finally:
        ended.set()


def resident(pid: int) -> int:
    """Resident bytes of a process and its descendants; 0 where it is gone."""
    import psutil

    try:
        top = psutil.Process(pid)
        return sum(_resident(p) for p in (top, *top.children(recursive=True)))
    except psutil.Error:
        return 0


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def environment(profile: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment of a kernel: this package first on the path, one thread each, no personal start-up files."""
    package_home = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    return {
        **os.environ,
        **dict.fromkeys(THREADS, "1"),
        "IPYTHONDIR": str(profile),
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(p for p in (package_home, known) if p),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **(extra or {}),
    }


def pid_of(manager: Any) -> int | None:
    """Process id of a started kernel."""
    return getattr(manager.provisioner, "pid", None)
