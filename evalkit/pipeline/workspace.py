"""A workspace: a folder with `evalkit.toml` and office files, opened once and never written to."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core import Problem, UserErrors, Where
from ..plans import Plan, load
from .settings import FILE, NO_END, Settings, date_problems, examine_settings, hint, nearest, toml_rows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Privacy:
    """Smallest counts shown outside (`public_threshold`) and inside (`internal_threshold`) government."""

    public_threshold: int
    internal_threshold: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Workspace:
    """Everything `evalkit.toml` says, checked, with its plan.

    root       folder that holds evalkit.toml;  files: `data.FileSpec` in the order of the file
    places     codes of the places that get a report of their own;  period: the year reported on
    as_of      ISO date up to which the data are known;  digest: of the text of evalkit.toml
    memory     MiB that a computing process and its children may hold, 0 = no limit
    """

    root: Path
    name: str
    plan: Plan
    title: dict[str, str]
    period: int
    as_of: str
    language: str
    languages: tuple[str, ...]
    seed: int
    synthetic: bool
    origin: str
    draws: int
    places: tuple[str, ...]
    privacy: Privacy
    files: tuple[Any, ...]
    memory: int = 4096
    digest: str = ""
    sections: dict[str, tuple[str, ...]] = field(default_factory=dict)


def load_workspace(root: Path | str) -> Workspace:
    """Open the workspace at `root`.

    Raises UserErrors listing every problem of evalkit.toml: unknown keys with the nearest known one, missing keys,
    values out of range, unknown plan, unknown places, unknown tables.
    """
    workspace, problems = examine_workspace(root)
    if problems or workspace is None:
        raise UserErrors(problems)
    return workspace


def examine_workspace(root: Path | str) -> tuple[Workspace | None, list[Problem]]:
    """Every problem of evalkit.toml, and the workspace without what is wrong, so that its files can be checked too.

    None where the settings leave nothing to check: no readable file, no plan, no entry for a table.
    """
    root = Path(root).expanduser().resolve()
    settings, problems = examine_settings(root)
    if settings is None:
        return None, problems
    text = (root / FILE).read_text("utf-8-sig")
    dated = list(date_problems(settings, text))
    plan = _plan(settings, root, problems)
    if plan is None:
        return None, problems + dated
    places = _unknown_places(settings, plan, text)
    problems += dated + places + _unknown_tables(settings, text)
    workspace = _assembled(root, settings, plan, text)
    if any(p.where.column == "workspace.as_of" for p in dated):
        workspace = replace(workspace, as_of=NO_END)
    return (workspace if workspace.files else None), problems


def select_places(workspace: Workspace, places: tuple[str, ...]) -> tuple[str, ...]:
    """The chosen places in the order of the plan, all of them for (). Raises UserErrors for unknown codes."""
    problems = [_unknown_place(p, workspace.plan, Where()) for p in places if p not in workspace.places]
    if problems:
        raise UserErrors(problems)
    return tuple(p for p in workspace.places if not places or p in places)


def hashing_key(workspace: Workspace) -> bytes:
    """Secret with which identifiers are hashed before they enter a table (`data.key_for`).

    Synthetic workspaces hold no person: their key follows from their name, and nothing is stored on the machine.
    """
    if workspace.synthetic:
        return hashlib.sha256(f"synthetic:{workspace.name}".encode()).digest()
    from ..data import key_for

    return key_for(workspace.root)


def _plan(settings: Settings, root: Path, problems: list[Problem]) -> Plan | None:
    try:
        return load(settings.workspace.plan, root)
    except UserErrors as error:
        problems.extend(error.problems)
        return None


def _unknown_places(settings: Settings, plan: Plan, text: str) -> list[Problem]:
    where = Where(file=FILE, row=toml_rows(text).get(("workspace", "places")), column="workspace.places")
    return [_unknown_place(p, plan, where) for p in settings.workspace.places if p not in plan.cities]


def _unknown_place(place: str, plan: Plan, where: Where) -> Problem:
    names = {word: code for code in plan.cities for word in (code, *plan.place_name(code).values())}
    found = names.get(place)
    values = {"place": place, "known": list(plan.cities), "hint": hint(found or place, list(plan.cities))}
    return Problem(key="workspace_place", where=where, values=values)


def _unknown_tables(settings: Settings, text: str) -> list[Problem]:
    known, rows = _tables(), toml_rows(text)
    return [
        Problem(
            key="workspace_table",
            where=Where(file=FILE, row=rows.get(("files", i, "table")), column="files.table"),
            values={"table": f.table, "known": known, "hint": hint(f.table, known)},
        )
        for i, f in enumerate(settings.files)
        if f.table not in known
    ]


def _tables() -> list[str]:
    import tomllib
    from importlib.resources import files

    return sorted(tomllib.loads((files("evalkit.data") / "tables.toml").read_text("utf-8")))


def _assembled(root: Path, settings: Settings, plan: Plan, text: str) -> Workspace:
    from ..data.read import FileSpec

    w, known = settings.workspace, _tables()
    return Workspace(
        root=root,
        name=w.name,
        plan=plan,
        title=dict(w.title),
        period=w.period,
        as_of=w.as_of,
        language=w.language,
        languages=tuple(dict.fromkeys(w.languages)),
        seed=w.seed,
        synthetic=w.synthetic,
        origin=w.origin,
        draws=w.draws,
        places=tuple(p for p in plan.cities if not w.places or p in w.places),
        privacy=Privacy(**settings.privacy.model_dump()),
        files=tuple(
            FileSpec(table=table, path=f.path, encoding=f.encoding, units=dict(f.units), sheet=f.sheet or None)
            for f in settings.files
            if (table := f.table if f.table in known else nearest(f.table, known))
        ),
        memory=settings.run.memory,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        sections={kind: tuple(keys) for kind, keys in plan.settings.get("sections", {}).items()},
    )
