"""The plan of a run: which notebooks, for whom, in which order, and the key that tells whether one is up to date."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import evalkit

from ..core import UserError
from .keys import base_key, facts_read, notebook_facts, shared_facts
from .prepare import Prepared
from .workspace import Workspace, select_places

KINDS = ("project", "city", "province")
NOTEBOOKS = {
    "project": "project_evaluation.ipynb",
    "city": "city_assessment.ipynb",
    "province": "province_assessment.ipynb",
}
FOLDERS = {"project": "projects", "city": "cities", "province": "province"}
_SAFE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]{0,47}$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One notebook for one project, city or province.

    id      safe as a folder name and as a parameter;  project: the real project number
    needs   names of the tasks whose results it reads
    key     changes when anything it depends on changes (`keys`); the results of its needs enter when they are known
    """

    kind: str
    id: str
    place: str
    project: str = ""
    title: dict[str, str] = field(default_factory=dict)
    notebook: Path
    needs: tuple[str, ...] = ()
    key: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.id}"


def plan_tasks(
    workspace: Workspace, prepared: Prepared, *, places: Sequence[str] = (), notebooks: Path | None = None
) -> tuple[Task, ...]:
    """Tasks of a run: projects with an enrolment list, cities, province; only kinds the plan has sections for.

    `places` limits them to these codes (the province runs when its own code is named or nothing is).
    Raises UserErrors for unknown places.
    """
    folder = notebooks or notebooks_folder()
    plan = workspace.plan
    chosen = select_places(workspace, tuple(p for p in places if p != plan.province))
    chosen = () if places and set(places) == {plan.province} else chosen
    kinds = {kind for kind in KINDS if workspace.sections.get(kind)}
    projects = _projects(workspace, prepared, chosen, folder) if "project" in kinds else []
    cities = [_city(workspace, place, projects, folder) for place in chosen] if "city" in kinds else []
    tasks = [*projects, *cities]
    if "province" in kinds and (not places or plan.province in places):
        tasks.append(_province(workspace, tasks, folder))
    shared = shared_facts(workspace, prepared.peers_edition)
    facts = {path: notebook_facts(path) for path in {t.notebook for t in tasks}}
    known = (prepared.canonical, prepared.rows, prepared.files)
    own = {place: facts_read(*known, place) for place in {_reads(t) for t in tasks}}
    return tuple(_keyed(t, facts[t.notebook], own[_reads(t)], shared) for t in tasks)


def notebooks_folder() -> Path:
    """Folder of the notebooks: inside the installed package, else beside the package in a source tree."""
    package = Path(evalkit.__file__).resolve().parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if folder.is_dir():
            return folder
    raise UserError("notebooks_missing")


def safe_id(text: str) -> str:
    """`text` where it can serve as a folder name, else a name made of its digest."""
    return text if _SAFE.match(text) else "p-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def parameters(task: Task, workspace: str, out: str) -> dict[str, Any]:
    """What the notebook of a task is given; every value is ASCII."""
    project = task.id if task.kind == "project" else ""
    return {"workspace": workspace, "place": safe_id(task.place), "project": project, "out": out}


def ready(tasks: Iterable[Task], ended: set[str]) -> list[Task]:
    """Tasks whose needs have ended, well or badly, in the order of the plan."""
    return [t for t in tasks if t.name not in ended and set(t.needs) <= ended]


def evaluated_projects(canonical: Any) -> list[tuple[str, str, str]]:
    """(project_id, place, title) of the projects with at least one enrolled unit, in the order of the ledger."""
    tables = canonical.tables
    if "project" not in tables or "enrolment" not in tables:
        return []
    enrolment = tables["enrolment"]
    enrolled = set(enrolment.loc[enrolment["enrolled_from"].notna(), "project_id"].astype(str))
    rows = tables["project"][["project_id", "place", "title"]].astype(str).itertuples(index=False, name=None)
    return [row for row in rows if row[0] in enrolled]


def _projects(workspace: Workspace, prepared: Prepared, places: Sequence[str], folder: Path) -> list[Task]:
    return [
        Task(
            kind="project",
            id=safe_id(project),
            place=place,
            project=project,
            title=dict.fromkeys(workspace.languages, title),
            notebook=folder / NOTEBOOKS["project"],
        )
        for project, place, title in evaluated_projects(prepared.canonical)
        if place in places
    ]


def _city(workspace: Workspace, place: str, projects: Sequence[Task], folder: Path) -> Task:
    return Task(
        kind="city",
        id=safe_id(place),
        place=place,
        title=workspace.plan.place_name(place),
        notebook=folder / NOTEBOOKS["city"],
        needs=tuple(p.name for p in projects if p.place == place),
    )


def _province(workspace: Workspace, others: Sequence[Task], folder: Path) -> Task:
    place = workspace.plan.province
    return Task(
        kind="province",
        id=safe_id(place),
        place=place,
        title=workspace.plan.place_name(place),
        notebook=folder / NOTEBOOKS["province"],
        needs=tuple(t.name for t in others),
    )


def _reads(task: Task) -> str:
    """The place whose tables a task reads, "" for those of all places."""
    return "" if task.kind == "province" else task.place


def _keyed(task: Task, notebook: dict[str, Any], read: dict[str, Any], shared: dict[str, Any]) -> Task:
    given = {"kind": task.kind, **parameters(task, "", ""), "place": task.place, "project": task.project}
    return replace(task, key=base_key(given, notebook, read, {**shared, "needs": task.needs}))
