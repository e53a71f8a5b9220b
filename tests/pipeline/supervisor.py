"""The real command line in a process of its own, on toy notebooks: what a test can interrupt, kill or shut out.

`python supervisor.py NOTEBOOKS [--shut-in] [--largest BYTES] -- run WORKSPACE --out OUT ...`
"""

from __future__ import annotations

import argparse
import ctypes
import resource
import signal
import sys
from pathlib import Path

from evalkit import cli
from evalkit.pipeline import stages

CAPABILITIES = (1, 2, 3)
"""DAC_OVERRIDE, DAC_READ_SEARCH and FOWNER: what lets root write where permissions say no."""


def shut_in() -> None:
    """Give up root's right to ignore permissions (nothing to give up for anybody else)."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    sets = (ctypes.c_uint32 * 6)()
    if libc.capget(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capget")
    for first in (0, 1):
        for capability in CAPABILITIES:
            sets[first] &= ~(1 << capability)
    if libc.capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("notebooks", type=Path)
    parser.add_argument("--shut-in", action="store_true")
    parser.add_argument("--largest", type=int, default=0)
    mark = sys.argv.index("--")
    asked = parser.parse_args(sys.argv[1:mark])
    if asked.shut_in:
        shut_in()
    if asked.largest:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (asked.largest, asked.largest))
    stages.notebooks_folder = lambda: asked.notebooks
    cli.main(sys.argv[mark + 1 :])


if __name__ == "__main__":
    main()
