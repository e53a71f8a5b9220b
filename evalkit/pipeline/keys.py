"""The key of a task: everything its results depend on, so that an unchanged key means nothing to do.

Not in the key: clock, machine paths, output folder, languages of publishing (they have a key of their own), memory
and time limits, tags and headings of notebooks. Results of earlier stages enter when they are known (`final_key`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pandas as pd

import evalkit

from ..core import to_plain
from .parameters import declared, read_notebook
from .results import digest, digest_of
from .workspace import Workspace

PATHS = ("workspace", "out")
"""Parameters that say where things lie, not what they are."""


def base_key(
    parameters: Mapping[str, Any],
    notebook: Mapping[str, Any],
    read: Mapping[str, Any],
    shared: Mapping[str, Any],
) -> str:
    """Key of a task before the results of the tasks it needs are known.

    parameters  values given;  notebook: `notebook_facts`;  read: `facts_read`, what it reads
    shared      settings, peers edition, code: the same for all tasks of a run
    """
    values = {k: v for k, v in {**notebook["defaults"], **parameters}.items() if k not in PATHS}
    return digest({"code": notebook["code"], "parameters": values, "read": read, **shared})


def final_key(base: str, results: Mapping[str, str]) -> str:
    """Key of a task with the digests of the results it reads (by task name; "" where there are none)."""
    return digest([base, results]) if results else base


def publish_key(results: str, notebook: str, languages: Sequence[str]) -> str:
    """Key of a published report: results and executed notebook by digest, languages, and our own code."""
    return digest([results, notebook, list(languages), package_digest()])


def notebook_facts(path: Path) -> dict[str, Any]:
    """Digest of the source of the code cells, and the defaults of the parameters."""
    notebook = read_notebook(path)
    code = [c.source for c in notebook.cells if c.cell_type == "code"]
    return {"code": digest(code), "defaults": declared(notebook)}


def shared_facts(workspace: Workspace, peers_edition: str) -> dict[str, Any]:
    """What every task of a run depends on alike."""
    return {
        "settings": settings_facts(workspace),
        "peers": peers_edition,
        "version": evalkit.__version__,
        "package": package_digest(),
        "environment": environment_digest(),
    }


def settings_facts(workspace: Workspace) -> dict[str, Any]:
    """The settings that results depend on: not the files, not the languages published, not limits of a run."""
    names = ("name", "title", "period", "as_of", "language", "seed", "synthetic", "origin", "draws", "places")
    facts = {name: to_plain(getattr(workspace, name)) for name in names}
    return {**facts, "privacy": to_plain(workspace.privacy), "plan": folder_digest(Path(workspace.plan.folder))}


def row_digests(tables: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, str]]:
    """Digest of the rows of every place in every table: place → table → digest ("" = tables without a place)."""
    found: dict[str, dict[str, str]] = {}
    for name, table in tables.items():
        rows = pd.util.hash_pandas_object(table, index=False)
        head = repr([(c, str(d)) for c, d in table.dtypes.items()]).encode()
        places = table["place"].astype(str) if "place" in table else pd.Series("", index=table.index)
        for place, own in rows.groupby(places.to_numpy(), sort=True):
            found.setdefault(str(place), {})[name] = hashlib.sha256(head + own.to_numpy().tobytes()).hexdigest()
    return found


def file_digests(canonical: Any) -> dict[str, str]:
    """By place, digest of the office files that gave it rows, as reports show them ("" = tables without a place)."""
    used: dict[str, set[tuple[str, str]]] = {}
    for name, table in canonical.tables.items():
        places = table["place"].astype(str) if "place" in table else pd.Series("", index=table.index)
        pairs = pd.DataFrame({"place": places, "file": table["source_file"]}).drop_duplicates()
        for place, file in pairs.itertuples(index=False, name=None):
            used.setdefault(str(place), set()).add((name, str(file)))
    read = {place: [i for i in canonical.inputs if (i.table, i.path) in own] for place, own in used.items()}
    return {place: digest(sorted(map(repr, own))) for place, own in read.items()}


def facts_read(canonical: Any, rows: Mapping[str, Any], files: Mapping[str, str], place: str = "") -> dict[str, Any]:
    """What a task reads: rows, files and gates of its place and what has no place; all of it for "".

    canonical  tables of all places;  rows: their `row_digests`;  files: their `file_digests`
    """
    if not place:
        withheld = {code: len(own) for code, own in canonical.withheld.items()}
        return {"rows": rows, "files": files, "gates": to_plain(canonical.gates), "withheld": withheld}
    own = {name: [known.get(place), known.get("")] for name, known in (("rows", rows), ("files", files))}
    return {**own, "gates": to_plain(canonical.place_gates.get(place, ()))}


@lru_cache(maxsize=1)
def package_digest() -> str:
    """Digest of every file of this package."""
    return folder_digest(Path(evalkit.__file__).resolve().parent)


@lru_cache(maxsize=1)
def environment_digest() -> str:
    """Digest of requirements.lock beside the package, else of the names and versions of what is installed."""
    lock = Path(evalkit.__file__).resolve().parents[1] / "requirements.lock"
    if lock.is_file():
        return digest_of(lock)
    return digest(sorted({f"{d.metadata['Name']}=={d.version}" for d in distributions()}))


def folder_digest(folder: Path) -> str:
    """Digest of names and contents of the files below a folder, without compiled ones and hidden ones."""
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    kept = {name: p for name, p in files.items() if p.suffix != ".pyc" and not _hidden(name)}
    return digest({name: digest_of(p) for name, p in sorted(kept.items())})


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
