"""JupyterLab on a working copy of the notebooks, with the workspace filled in and the kernel registered."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from .light import nbformat
from .parameters import TAG, read_notebook
from .results import write_text
from .stages import NOTEBOOKS, notebooks_folder
from .workspace import Workspace

KERNEL = "evalkit"
HANDBOOK = "handbook"
"""Folder of the research notebooks, which need no workspace."""


def working_copy(workspace: Workspace, reports: Path) -> Path:
    """Copy the notebooks, those of the handbook too, to `reports/.lab/<workspace>`, with the parameters set for it; own
    edits are kept.

    A notebook that is already there is not touched: delete it to get a fresh one. Returns the folder.
    """
    folder = reports / ".lab" / workspace.name
    folder.mkdir(parents=True, exist_ok=True)
    source = notebooks_folder()
    for kind, name in NOTEBOOKS.items():
        if (folder / name).exists() or not workspace.sections.get(kind):
            continue
        place = "" if kind == "province" else workspace.places[0]
        notebook = _filled(read_notebook(source / name), {"workspace": str(workspace.root), "place": place})
        write_text(folder / name, nbformat().writes(notebook))
    for path in sorted((source / HANDBOOK).glob("*.ipynb")):
        own = folder / HANDBOOK / path.name
        if not own.exists():
            own.parent.mkdir(exist_ok=True)
            write_text(own, nbformat().writes(_filled(read_notebook(path), {})))
    return folder


def register_kernel() -> Path:
    """Write the kernelspec `evalkit` for this environment (share/jupyter below its prefix). Returns its folder."""
    folder = Path(sys.prefix) / "share" / "jupyter" / "kernels" / KERNEL
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": KERNEL, "language": "python", "metadata": {"debugger": True}}
    write_text(folder / "kernel.json", json.dumps(spec, indent=1) + "\n")
    return folder


def lab_command(folder: Path, *, no_browser: bool = False, port: int | None = None, ip: str = "") -> list[str]:
    """The command that opens JupyterLab on `folder`."""
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={folder}"]
    command += ["--no-browser"] if no_browser else []
    command += [f"--ServerApp.port={port}"] if port else []
    command += ["--allow-root"] if getattr(os, "geteuid", lambda: 1)() == 0 else []  # a container has no other user
    return command + ([f"--ServerApp.ip={ip}"] if ip else [])


def open_lab(folder: Path, *, no_browser: bool = False, port: int | None = None, ip: str = "") -> int:
    """Register the kernel and run JupyterLab until it is closed; returns its exit code."""
    register_kernel()
    environment = {**os.environ, "EVALKIT_REPORTS": str(folder.parent.parent)}
    try:
        return subprocess.call(lab_command(folder, no_browser=no_browser, port=port, ip=ip), env=environment)
    except KeyboardInterrupt:
        return 0


def _filled(notebook: Any, values: dict[str, str]) -> Any:
    """The notebook with new defaults in its parameters cell (comments kept) and our kernel."""
    for cell in notebook.cells:
        if TAG in cell.metadata.get("tags", ()):
            for name, value in values.items():
                pattern = rf"(?m)(?<=^{name} = )(\"[^\"\n]*\"|'[^'\n]*')"
                cell.source = re.sub(pattern, json.dumps(value).replace("\\", r"\\"), cell.source)
    notebook.metadata["kernelspec"] = {"display_name": KERNEL, "language": "python", "name": KERNEL}
    return notebook
