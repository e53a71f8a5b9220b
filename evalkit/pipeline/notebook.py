"""The two calls that join a notebook to the pipeline: `open_case` at its top, `finish` at its end.

The supervisor leaves a `task.json` in the folder `out`, which names the canonical tables, the peers and the
results of earlier stages. Without one (somebody pressed Run All in JupyterLab) the tables are made on demand in a
scratch folder, with a progress bar, and the latest run of the same workspace lends its results.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core import GateStopped, Section, UserError, UserErrors, to_plain
from ..study.case import Case
from .parameters import from_parameter
from .prepare import Prepared, prepare, read_peers
from .results import NAME, read_results, write_json, write_results
from .settings import FILE, hint
from .stages import evaluated_projects, safe_id
from .workspace import Workspace, load_workspace

TASK, PROBLEM = "task.json", "problem.json"


def open_case(workspace: str, kind: str, place: str = "", project: str = "", out: str = "") -> Case:
    """Open one project, city or province for a notebook.

    workspace  folder with evalkit.toml (absolute, or found from the current folder upwards), or its `file:` address
    kind       "project", "city" or "province"
    place      code of the city; not needed for a province, nor for a project (its own place counts)
    project    project number; "" takes the first evaluated project of the place
    out        folder for results.json; "" = a scratch folder below reports/

    Returns a `study.case.Case`. Raises UserErrors for an unknown workspace, place or project, and with every
    problem of the office files. Errors of the user reach the supervisor in `problem.json`.
    """
    folder = from_parameter(out) if out else None
    if folder is not None:
        _report_problems(folder)
    opened = load_workspace(find_workspace(workspace))
    folder = folder or _scratch(opened)
    task = _task(folder, opened)
    prepared = _prepared(opened, folder, task)
    place, project = _target(opened, prepared, kind, place, project)
    if problems := prepared.canonical.withheld.get(place):
        raise UserErrors(problems)
    return Case(
        kind=kind,
        workspace=opened,
        plan=opened.plan,
        canonical=_restricted(prepared.canonical, kind, place),
        peers=prepared.peers,
        peers_edition=prepared.peers_edition,
        period=opened.period,
        as_of=opened.as_of,
        lang=opened.language,
        seed=opened.seed,
        draws=opened.draws,
        synthetic=opened.synthetic,
        place=place,
        project=project,
        projects=_earlier(task, "projects", place if kind == "city" else ""),
        cities=_earlier(task, "cities", "") if kind == "province" else {},
        out=str(folder),
    )


def finish(case: Case, sections: Sequence[Section]) -> None:
    """Write the validated results.json of a case into `case.out`.

    Call it once, in the last cell. Raises ValueError where the results break the schema or two sections bring the
    same name.
    """
    path = write_results(case, sections)
    if not (Path(case.out) / TASK).exists():
        print(path)


def write_task(folder: Path, prepared: Prepared, projects: dict[str, str], cities: dict[str, str]) -> None:
    """Tell a notebook where its tables are and which results of earlier stages it may read."""
    content = {
        "canonical": str(prepared.canonical_folder),
        "peers": str(prepared.peers_folder),
        "peers_edition": prepared.peers_edition,
        "projects": projects,
        "cities": cities,
    }
    write_json(folder / TASK, content)


def find_workspace(text: str) -> Path:
    """The folder a workspace parameter means: EVALKIT_WORKSPACE where it is empty; a relative one is looked for
    from the current folder upwards. Raises UserError("workspace_missing")."""
    text = text or os.environ.get("EVALKIT_WORKSPACE", "")
    wanted = from_parameter(text)
    bases = [Path()] if wanted.is_absolute() else [Path.cwd(), *Path.cwd().parents]
    for base in bases:
        if text and (base / wanted / FILE).is_file():
            return (base / wanted).resolve()
    raise UserError("workspace_missing", folder=text, file=FILE)


def _prepared(workspace: Workspace, folder: Path, task: dict[str, Any]) -> Prepared:
    from .. import data

    if "canonical" in task:
        return Prepared(
            canonical=data.read_canonical(Path(task["canonical"])),
            peers=read_peers(Path(task["peers"])),
            canonical_folder=Path(task["canonical"]),
            peers_folder=Path(task["peers"]),
            canonical_digest="",
            peers_edition=task["peers_edition"],
        )
    from .live import file_progress

    with file_progress(workspace.language) as progress:
        return prepare(workspace, _scratch(workspace) / ".work", progress)


def _target(workspace: Workspace, prepared: Prepared, kind: str, place: str, project: str) -> tuple[str, str]:
    plan = workspace.plan
    if kind == "province":
        return plan.province, ""
    if kind == "project":
        return _project(prepared, place, project)
    codes = {safe_id(code): code for code in plan.cities}
    if place not in codes:
        known = list(plan.cities)
        raise UserError("workspace_place", place=place, known=known, hint=hint(place, known))
    return codes[place], ""


def _project(prepared: Prepared, place: str, project: str) -> tuple[str, str]:
    rows = evaluated_projects(prepared.canonical)
    for number, where, _ in rows:
        if project in (number, safe_id(number)) or (not project and place in (where, safe_id(where))):
            return where, number
    known = [number for number, _, _ in rows]
    raise UserError("project_unknown", project=project or place, known=known, hint=hint(project, known))


def _restricted(canonical: Any, kind: str, place: str) -> Any:
    from .. import data

    return canonical if kind == "province" else data.restrict(canonical, place)


def _task(folder: Path, workspace: Workspace) -> dict[str, Any]:
    path = folder / TASK
    if path.exists():
        return json.loads(path.read_text("utf-8"))
    latest = _reports() / workspace.name / "internal"
    return {
        what: {p.parent.name: str(p) for p in sorted((latest / what).glob(f"*/{NAME}"))}
        for what in ("projects", "cities")
    }


def _earlier(task: dict[str, Any], what: str, place: str) -> dict[str, dict[str, Any]]:
    found = [read_results(Path(path)) for path in task.get(what, {}).values()]
    named = {r["project"] or r["place"]: r for r in found}
    return {name: r for name, r in named.items() if not place or r["place"] == place}


def _reports() -> Path:
    return Path(os.environ.get("EVALKIT_REPORTS") or Path.cwd() / "reports")


def _scratch(workspace: Workspace) -> Path:
    folder = _reports() / ".scratch" / workspace.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _report_problems(folder: Path) -> None:
    """Inside IPython: write errors of the user and stopped gates as data, for the supervisor and the index page."""
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return

    def handler(shell: Any, kind: type, error: BaseException, trace: Any, tb_offset: int | None = None) -> None:
        problems = to_plain(list(error.problems)) if isinstance(error, UserErrors) else []
        gates = to_plain(list(error.gates)) if isinstance(error, GateStopped) else []
        write_json(folder / PROBLEM, {"problems": problems, "gates": gates})
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)

    shell.set_custom_exc((UserErrors, GateStopped), handler)
