"""Canonical tables: read once from office files, checked as a whole, stored as Parquet, read by everything else."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ..core import Gate, Problem, UserErrors, from_plain, to_plain
from ..plans import Plan
from .check import Stack, flagged, stack, table_problems
from .clean import Cleaned, clean
from .cross import cross_problems
from .gates import data_gates, last_month
from .links import without_echoes
from .locate import read_tables
from .privacy import protect
from .read import FileSpec, Source, find, load
from .schema import TableSpec, table, tables
from .units import unit_problems
from .withhold import by_place, capped, only, without

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """One sheet of an office file that was read: its digest, rows kept, encoding ("xlsx" for workbooks)."""

    path: str
    table: str
    sha256: str
    rows: int
    encoding: str
    sheet: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Canonical:
    """All tables of a workspace in canonical columns, where they came from, and what is to be known about them.

    tables     name → frame; columns as in `schema.tables()`, money in yuan, plus source_file and source_row
               (1-based as the person sees it); rows in the order of the files
    gates      findings about the data;  as_of: ISO date up to which they are known
    synthetic  True for made-up data;  origin: one line, who made the data
    withheld   code of a city → the problems of its files: none of its rows is in the tables
    place_gates  code of a city → the same gates by its own rows
    """

    tables: dict[str, pd.DataFrame]
    inputs: tuple[InputFile, ...]
    gates: tuple[Gate, ...]
    as_of: str
    synthetic: bool
    origin: str = ""
    withheld: dict[str, tuple[Problem, ...]] = field(default_factory=dict)
    place_gates: dict[str, tuple[Gate, ...]] = field(default_factory=dict)

    def __repr__(self) -> str:
        rows = ", ".join(f"{name} {len(frame)}" for name, frame in self.tables.items())
        return f"Canonical(as of {self.as_of}, {len(self.inputs)} sheets; {rows})"


def ingest(
    root: Path,
    files: Sequence[FileSpec],
    plan: Plan,
    *,
    as_of: str,
    key: bytes,
    synthetic: bool,
    origin: str = "",
    progress: Progress | None = None,
) -> Canonical:
    """Read, clean and check every file of a workspace; identifiers are hashed with `key` or dropped at the door.

    root, files  the workspace folder and its `[[files]]`;  as_of: ISO date of the data cut-off
    progress     called with (files done, files in all, name) after each file

    Returns the canonical tables, money in yuan, with their gates. Raises UserErrors with the problems of all files in
    one go (at most the number of `layout.toml`, then how many more). Files are only ever opened for reading. Results
    do not depend on `key`.
    """
    canonical = ingest_by_place(
        root, files, plan, as_of=as_of, key=key, synthetic=synthetic, origin=origin, progress=progress
    )
    if canonical.withheld:
        raise UserErrors(capped(p for problems in canonical.withheld.values() for p in problems))
    return canonical


def ingest_by_place(
    root: Path,
    files: Sequence[FileSpec],
    plan: Plan,
    *,
    as_of: str,
    key: bytes,
    synthetic: bool,
    origin: str = "",
    progress: Progress | None = None,
) -> Canonical:
    """As `ingest`, but cities whose files have problems are left out of all tables and gates and stand in `withheld`.

    What is left is checked again, now without gaps, until it has no problem. Raises UserErrors where a problem
    concerns no city (`withhold.by_place`) or nothing is left.
    """
    read = _read_all(Path(root), files, plan, key, synthetic, progress)
    parts, problems = read.parts, read.problems
    stacks = _stacked(parts, read.unread)
    problems = without_echoes(problems + _contradictions(stacks, plan, as_of), read.lost)
    withheld: dict[str, tuple[Problem, ...]] = {}
    while fresh := {p: found for p, found in by_place(problems, parts, plan).items() if p not in withheld}:
        withheld |= fresh
        parts = {name: left for name, own in parts.items() if (left := _left(own, set(withheld)))}
        if "" in withheld or not parts:
            raise UserErrors(capped(p for found in withheld.values() for p in found))
        stacks = _stacked(parts, set())
        problems = [p for p in _contradictions(stacks, plan, as_of) if p.key != "place_absent"]
    return Canonical(
        tables={name: _finished(item) for name, item in stacks.items()},
        inputs=_still_read(read.inputs, parts),
        gates=data_gates(stacks, plan),
        as_of=as_of,
        synthetic=synthetic,
        origin=origin,
        withheld=withheld,
        place_gates=_place_gates(stacks, parts, plan),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Read:
    """Sheets by table, what is wrong with them, the tables that lack a file or a sheet, and (table, file) not read."""

    parts: dict[str, list[Cleaned]]
    inputs: tuple[InputFile, ...]
    problems: list[Problem]
    unread: set[str]
    lost: tuple[tuple[str, str], ...]


def _read_all(
    root: Path, files: Sequence[FileSpec], plan: Plan, key: bytes, synthetic: bool, progress: Progress | None
) -> _Read:
    sources, problems = _found(root, files)
    parts: dict[str, list[Cleaned]] = {}
    inputs: list[InputFile] = []
    unread: set[str] = set()
    lost: list[tuple[str, str]] = []
    for done, (spec, file) in enumerate(sources, 1):
        cleaned, wrong, source = _read(root, spec, file, plan, key)
        problems += wrong + [p for part in cleaned for p in part.problems]
        problems += _unmarked(cleaned, synthetic)
        parts.setdefault(spec.table, []).extend(cleaned)
        unread |= {spec.table} if wrong else set()
        lost += [(spec.table, file)] if not cleaned else []
        inputs += [_input(part, spec, source) for part in cleaned if source is not None]
        if progress is not None:
            progress(done, len(sources), file)
    unread |= {spec.table for spec in files if not parts.get(spec.table)}
    return _Read(parts=parts, inputs=tuple(inputs), problems=problems, unread=unread, lost=tuple(lost))


def _stacked(parts: Mapping[str, Sequence[Cleaned]], unread: set[str]) -> dict[str, Stack]:
    return {name: stack(tables()[name], parts[name], clean=name not in unread) for name in tables() if parts.get(name)}


def _contradictions(stacks: Mapping[str, Stack], plan: Plan, as_of: str) -> list[Problem]:
    """What tables say against themselves, then against each other: a row told once is not told again."""
    alone = table_problems(stacks, as_of)
    return alone + cross_problems({name: flagged(item, alone) for name, item in stacks.items()}, plan)


def _place_gates(
    stacks: Mapping[str, Stack], parts: Mapping[str, Sequence[Cleaned]], plan: Plan
) -> dict[str, tuple[Gate, ...]]:
    """The gates of every city by its own rows: what another city sends changes none of them."""
    until = last_month(stacks)
    found = {}
    for city in plan.cities:
        own = {name: [left for part in sheets if (left := only(part, city))] for name, sheets in parts.items()}
        found[city] = data_gates(_stacked(own, set()), plan, cities=(city,), until=until)
    return found


def _left(parts: Sequence[Cleaned], places: set[str]) -> list[Cleaned]:
    return [kept for part in parts if (kept := without(part, places)) is not None]


def _still_read(inputs: Sequence[InputFile], parts: Mapping[str, Sequence[Cleaned]]) -> tuple[InputFile, ...]:
    """The files that still give rows, with their number."""
    rows = {(name, p.raw.file, p.raw.sheet): len(p.frame) for name, own in parts.items() for p in own}
    named = [(i, (i.table, i.path, i.sheet)) for i in inputs]
    return tuple(replace(i, rows=rows[key]) for i, key in named if key in rows)


def _found(root: Path, files: Sequence[FileSpec]) -> tuple[list[tuple[FileSpec, str]], list[Problem]]:
    """Every (spec, file) once, in the order of the workspace; problems of specs that find nothing."""
    found: dict[tuple[str, str, str | None], FileSpec] = {}
    problems: list[Problem] = []
    for spec in files:
        try:
            problems += unit_problems(spec, table(spec.table).of_type("money"))
            for file in find(root, spec):
                found.setdefault((spec.table, file, spec.sheet), spec)
        except UserErrors as error:
            problems += error.problems
    return [(spec, file) for (_, file, _), spec in found.items()], problems


def _read(
    root: Path, spec: FileSpec, file: str, plan: Plan, key: bytes
) -> tuple[list[Cleaned], list[Problem], Source | None]:
    """The sheets of one file, cleaned and without identifiers, and what keeps the file from being read."""
    target = table(spec.table)
    try:
        source = load(root, spec, file)
        raws, problems = read_tables(source, target)
    except UserErrors as error:
        return [], list(error.problems), None
    cleaned = [clean(raw, spec, plan) for raw in raws]
    return (
        [replace(part, frame=protect(part.frame, target, key), raw=_stripped(part)) for part in cleaned],
        problems,
        source,
    )


def _stripped(part: Cleaned) -> Any:
    """The raw sheet without the cells of identifiers, so that they do not outlive the file."""
    open_columns = {c.name for c in part.raw.table.columns if not c.personal}
    return replace(part.raw, columns={n: cells for n, cells in part.raw.columns.items() if n in open_columns})


def _unmarked(cleaned: Sequence[Cleaned], synthetic: bool) -> list[Problem]:
    """Files that say their numbers are synthetic in a workspace that says they are not."""
    return (
        []
        if synthetic
        else [
            Problem(key="synthetic_not_declared", where=part.raw.where(), values={})
            for part in cleaned
            if part.raw.marked
        ]
    )


def _input(part: Cleaned, spec: FileSpec, source: Source) -> InputFile:
    return InputFile(
        path=part.raw.file,
        table=spec.table,
        sha256=source.sha256,
        rows=len(part.frame),
        encoding=part.raw.encoding,
        sheet=part.raw.sheet,
    )


def _finished(item: Stack) -> pd.DataFrame:
    """The frame of a table with whole-number columns as int64 where nothing is missing by definition."""
    whole = {c.name: "int64" for c in item.table.columns if c.required and c.type in ("int", "year")}
    return item.frame.astype(whole)


def write_canonical(canonical: Canonical, folder: Path) -> Path:
    """Store the tables as Parquet and the rest as canonical.json; the folder appears complete or not at all.

    Replaces a folder that is there. Returns the folder. Raises OSError where it cannot be written.
    """
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, frame in canonical.tables.items():
            frame.to_parquet(draft / f"{name}.parquet", index=False, compression="zstd")
        about = {
            "tables": list(canonical.tables),
            "inputs": to_plain(canonical.inputs),
            "gates": to_plain(canonical.gates),
            "as_of": canonical.as_of,
            "synthetic": canonical.synthetic,
            "origin": canonical.origin,
            "withheld": to_plain(canonical.withheld),
            "place_gates": to_plain(canonical.place_gates),
        }
        text = json.dumps(about, ensure_ascii=False, indent=1, sort_keys=True)
        (draft / "canonical.json").write_text(text + "\n", "utf-8")
        _swap(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _swap(draft: Path, folder: Path) -> None:
    old = folder.with_name(f".{folder.name}-old-{os.getpid()}")
    if folder.exists():
        folder.rename(old)
    draft.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def read_canonical(folder: Path) -> Canonical:
    """Read back what `write_canonical` stored in `folder`, equal to what was written.

    Raises FileNotFoundError for another folder. Nothing is checked again: office files go through `ingest`.
    """
    folder = Path(folder)
    about = json.loads((folder / "canonical.json").read_text("utf-8"))
    return Canonical(
        tables={name: pd.read_parquet(folder / f"{name}.parquet") for name in about["tables"]},
        inputs=tuple(from_plain(InputFile, i) for i in about["inputs"]),
        gates=tuple(from_plain(Gate, g) for g in about["gates"]),
        as_of=about["as_of"],
        synthetic=about["synthetic"],
        origin=about["origin"],
        withheld={place: tuple(from_plain(Problem, p) for p in own) for place, own in about["withheld"].items()},
        place_gates={place: tuple(from_plain(Gate, g) for g in own) for place, own in about["place_gates"].items()},
    )


def restrict(canonical: Canonical, place: str) -> Canonical:
    """The rows of one place and the files they came from; tables without a place are kept whole.

    place   code as in the plan ("440100"); a place without rows gives empty tables. Gates are those of its own rows.
    """
    kept = {
        name: frame if "place" not in frame else frame[frame["place"] == place].reset_index(drop=True)
        for name, frame in canonical.tables.items()
    }
    used = {(name, file) for name, frame in kept.items() for file in frame["source_file"].unique()}
    inputs = tuple(i for i in canonical.inputs if (i.table, i.path) in used)
    return replace(canonical, tables=kept, inputs=inputs, gates=canonical.place_gates.get(place, canonical.gates))


__all__ = [
    "Canonical",
    "InputFile",
    "Progress",
    "TableSpec",
    "ingest",
    "ingest_by_place",
    "read_canonical",
    "restrict",
    "write_canonical",
]
