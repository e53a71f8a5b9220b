"""`evalkit check`: settings and office files looked at in one go; only the list of problems is ever written."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..core import Problem, UserError, UserErrors
from ..text import problem_row, t, visible
from .settings import FILE, toml_rows
from .workspace import Workspace, examine_workspace, hashing_key

COLUMNS = ("file", "sheet", "row", "column", "expected", "found", "next")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check found.

    problems  mistakes, in the order of settings, files and rows
    gates     findings about the data that need an eye: not passed, or passed with cells to look at; () if there are
              problems;  files, rows: how much was read without a problem
    """

    problems: tuple[Problem, ...]
    gates: tuple[Any, ...] = ()
    files: int = 0
    rows: int = 0

    @property
    def exit_code(self) -> int:
        """2 for mistakes, 3 for a stop gate that did not pass, else 0."""
        stopped = any(g.passed is False and g.severity == "stop" for g in self.gates)
        return 2 if self.problems else 3 if stopped else 0


def check(root: Path | str, progress: Callable[[int, int, str], None] | None = None) -> Checked:
    """Every problem of a workspace: of evalkit.toml, and of the files as far as the settings let them be read.

    Nothing is written, in the workspace or elsewhere. `progress(done, total, name)` is called file by file.
    """
    workspace, problems = examine_workspace(root)
    if workspace is None:
        return Checked(problems=tuple(problems))
    try:
        canonical = _ingest(workspace, _key(workspace, problems), progress)
    except UserErrors as error:
        problems += _with_rows(error.problems, workspace)
    if problems:
        return Checked(problems=tuple(problems))
    return Checked(
        problems=(),
        gates=tuple(g for g in canonical.gates if g.passed is False or _cells(g)),
        files=len({i.path for i in canonical.inputs}),
        rows=sum(i.rows for i in canonical.inputs),
    )


def write_sheet(problems: Sequence[Problem], path: Path, root: Path, lang: str) -> None:
    """The list of problems as a workbook, to be sent to those who mend them; every cell is text, never a formula.

    Raises UserError("out_inside") for a path inside the workspace, which is never written to, and "out_closed" where
    the file cannot be written.
    """
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell

    if path.resolve().is_relative_to(Path(root).expanduser().resolve()):
        raise UserError("out_inside", file=path.name)
    book = Workbook(write_only=True)
    page = book.create_sheet()
    head = [t(f"cli.problems.{name}", lang) for name in COLUMNS]
    for row in [head, *([problem_row(p, lang)[name] for name in COLUMNS] for p in problems)]:
        cells = [WriteOnlyCell(page, value=visible("" if value is None else str(value))) for value in row]
        for cell in cells:
            cell.data_type = "s"
            cell.quotePrefix = True
        page.append(cells)
    try:
        book.save(path)
    except OSError as error:
        raise UserError("out_closed", folder=path.parent.name) from error


def _ingest(workspace: Workspace, key: bytes, progress: Callable[[int, int, str], None] | None) -> Any:
    from .. import data

    return data.ingest(
        workspace.root,
        workspace.files,
        workspace.plan,
        as_of=workspace.as_of,
        key=key,
        synthetic=workspace.synthetic,
        origin=workspace.origin,
        progress=progress,
    )


def _key(workspace: Workspace, problems: list[Problem]) -> bytes:
    """The key of the workspace; one for this check alone where it cannot be had, which is a problem too."""
    try:
        return hashing_key(workspace)
    except UserErrors as error:
        problems += error.problems
        return secrets.token_bytes(32)


def _cells(gate: Any) -> bool:
    return bool(gate.detail.get("n")) and isinstance(gate.detail.get("items"), list)


def _with_rows(problems: Sequence[Problem], workspace: Workspace) -> list[Problem]:
    """Problems that the reader has with units of the settings get the row of evalkit.toml."""
    rows = toml_rows((workspace.root / FILE).read_text("utf-8-sig"))
    entries = {spec.path: i for i, spec in enumerate(workspace.files)}

    def placed(problem: Problem) -> Problem:
        where, values = problem.where, problem.values
        if where.file != FILE or where.row is not None or "column" not in values:
            return problem
        loc = ("files", entries.get(values.get("path", ""), -1), "units", values["column"])
        return replace(problem, where=replace(where, row=rows.get(loc), column=f"files.units.{values['column']}"))

    return [placed(p) for p in problems]
