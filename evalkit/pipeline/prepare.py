"""Stages before any notebook: office files → canonical Parquet → province-wide peers, each made once and digested."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..core import UserErrors, to_plain
from .disk import move_into_place
from .keys import file_digests, folder_digest, package_digest, row_digests, settings_facts
from .results import digest, digest_of, write_json
from .workspace import Workspace, hashing_key

MARK = "digest.json"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """Canonical tables and peers of one edition, in memory and on disk.

    rows          digests of the canonical rows by place and table (`keys.row_digests`)
    files         digests of the office files by place (`keys.file_digests`)
    peers_behind  True where the rows have changed since the peers were frozen
    """

    canonical: Any
    peers: dict[str, pd.DataFrame]
    canonical_folder: Path
    peers_folder: Path
    canonical_digest: str
    peers_edition: str
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    peers_behind: bool = False


def prepare(
    workspace: Workspace,
    work: Path,
    progress: Callable[[int, int, str], None] | None = None,
    *,
    refresh_peers: bool = False,
) -> Prepared:
    """Read the office files (or reuse the tables of the same files) and the peers of the frozen edition, below `work`.

    refresh_peers  make the peers anew from the present tables

    `progress(done, total, name)` is called file by file. Raises UserErrors with every problem of the files where one
    of them concerns no city, or no place of the workspace is left; else the cities with problems are withheld.
    """
    canonical, mark = canonical_tables(workspace, work / "canonical", progress)
    peers, edition, behind = peer_tables(workspace, canonical, mark["rows"], work / "peers", refresh=refresh_peers)
    return Prepared(
        canonical=canonical,
        peers=peers,
        canonical_folder=work / "canonical",
        peers_folder=work / "peers",
        canonical_digest=mark["digest"],
        peers_edition=edition,
        rows=mark["rows"],
        files=mark["files"],
        peers_behind=behind,
    )


def canonical_tables(
    workspace: Workspace, folder: Path, progress: Callable[[int, int, str], None] | None = None
) -> tuple[Any, dict[str, Any]]:
    """The canonical tables, and the mark they are known by: `digest` of all they depend on, `rows` and `files` as in
    `Prepared`.

    The files are read again only when the first digest has changed.
    """
    from .. import data

    wanted = _inputs_digest(workspace)
    if (mark := _marked(folder)).get("digest") != wanted:
        canonical = _ingested(data.ingest_by_place, workspace, progress)
        if set(workspace.places) <= set(canonical.withheld):
            raise UserErrors(data.capped(p for own in canonical.withheld.values() for p in own))
        mark = {"digest": wanted, "rows": row_digests(canonical.tables), "files": file_digests(canonical)}
        _replace(folder, lambda fresh: data.write_canonical(canonical, fresh), mark)
    return data.read_canonical(folder), mark


def ingest(workspace: Workspace, progress: Callable[[int, int, str], None] | None = None) -> Any:
    """Read and check the office files of a workspace, writing nothing. Raises UserErrors with every problem."""
    from .. import data

    return _ingested(data.ingest, workspace, progress)


def _ingested(read: Callable[..., Any], workspace: Workspace, progress: Callable[[int, int, str], None] | None) -> Any:
    return read(
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
    workspace: Workspace, canonical: Any, rows: dict[str, Any], folder: Path, *, refresh: bool = False
) -> tuple[dict[str, pd.DataFrame], str, bool]:
    """Province-wide reference tables, their edition (first 12 digits of a digest of their content), and whether the
    rows have changed since.

    They are frozen when first made: a changed file of one city must not change the report of every other. They are
    made anew with `refresh`, with other settings or code, and for a place they have not seen.
    """
    wanted = digest([settings_facts(workspace), package_digest()])
    mark = _marked(folder)
    if refresh or mark.get("digest") != wanted or not set(rows) <= set(mark.get("places", ())):
        made = compute_peers(workspace, canonical)
        mark = {"digest": wanted, "places": sorted(rows), "rows": digest(rows)}
        _replace(folder, lambda fresh: _write_frames(made, fresh), mark)
    peers = read_peers(folder)
    return peers, _edition(peers), mark["rows"] != digest(rows)


def compute_peers(workspace: Workspace, canonical: Any) -> dict[str, pd.DataFrame]:
    """The reference tables of `assess.peers` for the period of the workspace."""
    from .. import assess

    return assess.peers(canonical, workspace.plan, workspace.period)


def read_peers(folder: Path) -> dict[str, pd.DataFrame]:
    """The peers written by `peer_tables`, by name."""
    return {p.stem: pd.read_parquet(p) for p in sorted(folder.glob("*.parquet"))}


def _inputs_digest(workspace: Workspace) -> str:
    package = Path(__file__).resolve().parents[1]
    files = {p for spec in workspace.files for p in workspace.root.glob(spec.path) if p.is_file()}
    named = {name: getattr(workspace, name) for name in ("name", "as_of", "synthetic", "origin")}
    parts = {
        "evalkit": __version__,
        "settings": {**named, "files": [to_plain(spec) for spec in workspace.files]},
        "plan": folder_digest(Path(workspace.plan.folder)),
        "reader": [folder_digest(package / "data"), folder_digest(package / "core")],
        "files": {p.relative_to(workspace.root).as_posix(): digest_of(p) for p in files},
    }
    return digest(parts)


def _edition(peers: dict[str, pd.DataFrame]) -> str:
    def content(frame: pd.DataFrame) -> str:
        rows = pd.util.hash_pandas_object(frame, index=False).to_numpy()
        return hashlib.sha256(rows.tobytes() + repr(list(frame.columns)).encode()).hexdigest()

    return digest({name: content(frame) for name, frame in peers.items()})[:12]


def _marked(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / MARK).read_text("utf-8")))
    except (OSError, ValueError):
        return {}


def _write_frames(frames: dict[str, pd.DataFrame], folder: Path) -> None:
    for name, frame in frames.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)


def _replace(folder: Path, write: Callable[[Path], Any], mark: dict[str, Any]) -> None:
    """Fill a fresh folder, mark it, and only then let it take the place of the old one."""
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    write(fresh)
    write_json(fresh / MARK, mark)
    move_into_place(fresh, folder)
