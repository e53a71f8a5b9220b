"""Stages before any notebook: office files → canonical Parquet → province-wide peers, each made once and digested."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from .results import digest, digest_of, write_json
from .workspace import Workspace, hashing_key

MARK = "digest.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Canonical tables and peers of one edition, in memory and on disk."""

    canonical: Any
    peers: dict[str, pd.DataFrame]
    canonical_folder: Path
    peers_folder: Path
    canonical_digest: str
    peers_edition: str


def prepare(workspace: Workspace, work: Path, progress: Callable[[int, int, str], None] | None = None) -> Prepared:
    """Read the office files (or reuse the tables of the same files) and the peers of this edition, below `work`.

    Raises UserErrors with every problem of the files. `progress(done, total, name)` is called file by file.
    """
    canonical, canonical_digest = canonical_tables(workspace, work / "canonical", progress)
    peers, edition = peer_tables(workspace, canonical, canonical_digest, work / "peers")
    return Prepared(
        canonical=canonical,
        peers=peers,
        canonical_folder=work / "canonical",
        peers_folder=work / "peers",
        canonical_digest=canonical_digest,
        peers_edition=edition,
    )


def canonical_tables(
    workspace: Workspace, folder: Path, progress: Callable[[int, int, str], None] | None = None
) -> tuple[Any, str]:
    """The canonical tables and the digest of all they depend on; read again only when that digest has changed."""
    from .. import data

    wanted = _inputs_digest(workspace)
    if _marked(folder) == wanted:
        return data.read_canonical(folder), wanted
    canonical = ingest(workspace, progress)
    _replace(folder, lambda fresh: data.write_canonical(canonical, fresh), {"digest": wanted})
    return data.read_canonical(folder), wanted


def ingest(workspace: Workspace, progress: Callable[[int, int, str], None] | None = None) -> Any:
    """Read and check the office files of a workspace, writing nothing. Raises UserErrors with every problem."""
    from .. import data

    return data.ingest(
        workspace.root,
        workspace.files,
        workspace.plan,
        as_of=workspace.as_of,
        key=hashing_key(workspace),
        synthetic=workspace.synthetic,
        origin=workspace.origin,
        progress=progress,
    )


def peer_tables(
    workspace: Workspace, canonical: Any, canonical_digest: str, folder: Path
) -> tuple[dict[str, pd.DataFrame], str]:
    """Province-wide reference tables and their edition (first 12 digits of a digest of their content)."""
    wanted = digest([canonical_digest, workspace.period])
    if _marked(folder) != wanted:
        made = compute_peers(workspace, canonical)
        _replace(folder, lambda fresh: _write_frames(made, fresh), {"digest": wanted})
    peers = read_peers(folder)
    return peers, _edition(peers)


def compute_peers(workspace: Workspace, canonical: Any) -> dict[str, pd.DataFrame]:
    """The reference tables of `assess.peers` for the period of the workspace."""
    from .. import assess

    return assess.peers(canonical, workspace.plan, workspace.period)


def read_peers(folder: Path) -> dict[str, pd.DataFrame]:
    """The peers written by `peer_tables`, by name."""
    return {p.stem: pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))}


def inputs_by_place(canonical: Any) -> dict[str, list[tuple[str, str]]]:
    """(path, sha256) of the files behind each place; files of tables without a place stand under ""."""
    sha = {i.path: i.sha256 for i in canonical.inputs}
    used: dict[str, set[str]] = {"": set()}
    for table in canonical.tables.values():
        if "source_file" not in table:
            continue
        if "place" not in table:
            used[""] |= set(table["source_file"].dropna().unique())
            continue
        for row in table[["place", "source_file"]].drop_duplicates().itertuples(index=False):
            used.setdefault(str(row.place), set()).add(row.source_file)
    return {place: sorted((f, sha.get(f, "")) for f in files) for place, files in used.items()}


def _inputs_digest(workspace: Workspace) -> str:
    package = Path(__file__).resolve().parents[1]
    files = {p for spec in workspace.files for p in workspace.root.glob(spec.path) if p.is_file()}
    parts = {
        "evalkit": __version__,
        "settings": workspace.digest,
        "plan": _folder_digest(Path(workspace.plan.folder).glob("*")),
        "reader": _folder_digest(p for p in (package / "data").glob("*") if p.suffix in (".py", ".toml")),
        "files": {p.relative_to(workspace.root).as_posix(): digest_of(p) for p in files},
    }
    return digest(parts)


def _folder_digest(paths: Iterable[Path]) -> str:
    return digest({p.name: digest_of(p) for p in paths if p.is_file()})


def _edition(peers: dict[str, pd.DataFrame]) -> str:
    def content(frame: pd.DataFrame) -> str:
        rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
        return hashlib.sha256(rows.tobytes() + repr(list(frame.columns)).encode()).hexdigest()

    return digest({name: content(frame) for name, frame in peers.items()})[:12]


def _marked(folder: Path) -> str:
    try:
        return str(json.loads((folder / MARK).read_text("utf-8"))["digest"])
    except (OSError, ValueError, KeyError):
        return ""


def _write_frames(frames: dict[str, pd.DataFrame], folder: Path) -> None:
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def _replace(folder: Path, write: Callable[[Path], Any], mark: dict[str, str]) -> None:
    """Fill a fresh folder, mark it, and only then let it take the place of the old one."""
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    write_json(fresh / MARK, mark)
    move_into_place(fresh, folder)


def move_into_place(fresh: Path, folder: Path) -> None:
    """Let a finished folder appear under its final name by rename; what stood there before is removed."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.replace(folder, old)
    os.replace(fresh, folder)
    shutil.rmtree(old, ignore_errors=True)
