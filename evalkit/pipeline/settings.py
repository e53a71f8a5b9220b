"""What `evalkit.toml` may say, and how its mistakes are told: all of them in one go, with the line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ..core import Message, Problem, UserErrors, Where
from ..text import LANGUAGES

FILE = "evalkit.toml"
Content = dict[str, Any]
Loc = tuple[int | str, ...]
Rows = dict[Loc, int]
NO_END = "2261-12-31"
"""A cut-off that no date lies after."""
SLUG = r"^[a-z0-9][a-z0-9_-]{0,39}$"


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class WorkspaceTable(_Table):
    """[workspace]: which plan, which period, how the numbers are drawn and in which languages."""

    name: str = Field(pattern=SLUG)
    plan: str = Field(pattern=SLUG)
    title: dict[str, str]
    period: int = Field(ge=1950, le=2100)
    as_of: str
    language: Literal[LANGUAGES] = LANGUAGES[0]  # type: ignore[valid-type]
    languages: list[Literal[LANGUAGES]] = Field(default=list(LANGUAGES), min_length=1)  # type: ignore[valid-type]
    seed: int = Field(ge=0, lt=2**32)
    synthetic: bool
    origin: str = ""
    draws: int = Field(default=10_000, ge=100, le=100_000)
    places: list[str] = []


class PrivacyTable(_Table):
    """[privacy]: smallest counts that are shown outside and inside government."""

    public_threshold: int = Field(default=10, ge=1)
    internal_threshold: int = Field(default=5, ge=1)


class RunTable(_Table):
    """[run]: limits of the computing processes; results do not depend on them."""

    memory: int = Field(default=4096, ge=0)


class FileTable(_Table):
    """[[files]]: a canonical table and where its office files lie."""

    table: str
    path: str
    encoding: Literal["auto", "utf-8", "gb18030"] = "auto"
    sheet: str = ""
    units: dict[str, str] = {}


class Settings(_Table):
    """The whole file."""

    workspace: WorkspaceTable
    privacy: PrivacyTable = PrivacyTable()
    run: RunTable = RunTable()
    files: list[FileTable] = Field(min_length=1)


def read_settings(root: Path) -> Settings:
    """Read and check `evalkit.toml` below `root`.

    Raises UserErrors with every problem found: no file, not UTF-8, not TOML, unknown keys (with the known ones
    and the nearest), missing keys, values out of their range.
    """
    settings, problems = examine_settings(root)
    if problems or settings is None:
        raise UserErrors(problems)
    return settings


def examine_settings(root: Path) -> tuple[Settings | None, list[Problem]]:
    """Every problem of `evalkit.toml`, and what of it can be used to look at the files all the same.

    A misspelt key counts as the key it is near to, a value that cannot be as absent, an absent one as harmless
    (`_STAND_INS`); a file entry without table or path is left out. None where nothing is left to look at.
    """
    path = root / FILE
    if not path.is_file():
        return None, [Problem(key="workspace_missing", values={"folder": root.name, "file": FILE})]
    try:
        text = _decoded(path)
        content = _parsed(text)
    except UserErrors as error:
        return None, list(error.problems)
    problems: list[Problem] = []
    rows = toml_rows(text)
    while unknown := [e for e in _errors(content) if e["type"] == "extra_forbidden"]:
        problems += [_unknown(e["loc"], content, rows) for e in unknown]
    errors = _errors(content)
    problems += [_problem(e, rows) for e in errors]
    return _usable(content, errors), problems


def _errors(content: Content) -> list[ErrorDetails]:
    try:
        Settings.model_validate(content)
    except ValidationError as error:
        return error.errors()
    return []


def _unknown(loc: Loc, content: Content, rows: Rows) -> Problem:
    """The problem of an unknown key, which then takes the place of the absent key it is near to, or goes."""
    table, name = _inside(content, loc[:-1]), str(loc[-1])
    known = _known([str(p) for p in loc[:-1] if not isinstance(p, int)])
    values = {"name": name, "known": known, "hint": hint(name, known)}
    problem = Problem(key="workspace_unknown_key", where=_where(loc, rows), values=values)
    value, near = table.pop(name), nearest(name, known)
    if near and near not in table:
        table[near] = value
        rows |= {(*loc[:-1], near, *p[len(loc) :]): row for p, row in rows.items() if p[: len(loc)] == loc}
    return problem


def _inside(content: Content, loc: Loc) -> Any:
    found: Any = content
    for part in loc:
        found = found[part]
    return found


_STAND_INS: Content = {
    "name": "unnamed",
    "title": {LANGUAGES[0]: ""},
    "period": 1950,
    "as_of": NO_END,
    "seed": 0,
    "synthetic": True,
}
"""Values of absent keys that let no check of a file fail."""


def _usable(content: Content, errors: Sequence[ErrorDetails]) -> Settings | None:
    for loc in sorted((e["loc"] for e in errors), key=str, reverse=True):
        section = content.get(str(loc[0]))
        if isinstance(section, list) and len(loc) > 1 and loc[2:3] in ((), ("table",), ("path",)):
            section[int(loc[1])] = None
        elif isinstance(section, list) and len(loc) > 2 and section[int(loc[1])] is not None:
            section[int(loc[1])].pop(loc[2], None)
        elif isinstance(section, dict) and len(loc) > 1:
            section.pop(str(loc[1]), None)
        else:
            content.pop(str(loc[0]), None)
    content["workspace"] = {**_STAND_INS, **content.get("workspace", {})}
    content["files"] = [entry for entry in content.get("files", ()) if entry is not None]
    return None if _errors(content) else Settings.model_validate(content)


def bad_value(key: str, found: Any, text: str = "") -> Problem:
    """A value of `evalkit.toml` that breaks the rule of its key; the rule is the message `workspace.rule.<key>`."""
    return _bad(key, found, _where(tuple(key.split(".")), toml_rows(text)))


def _bad(key: str, found: Any, where: Where) -> Problem:
    rule = Message(key=f"workspace.rule.{key.rsplit('.', 1)[-1]}")
    return Problem(key="workspace_value", where=where, values={"rule": rule, "value": found})


def date_problems(settings: Settings, text: str = "") -> Iterator[Problem]:
    """Dates and languages that pydantic cannot judge alone."""
    try:
        if date.fromisoformat(settings.workspace.as_of).year < settings.workspace.period:
            yield bad_value("workspace.as_of", settings.workspace.as_of, text)
    except ValueError:
        yield bad_value("workspace.as_of", settings.workspace.as_of, text)
    unnamed = set(settings.workspace.title) - set(LANGUAGES)
    if unnamed or not settings.workspace.title:
        yield bad_value("workspace.title", ", ".join(sorted(unnamed)) or "{}", text)


def nearest(word: str, known: list[str]) -> str:
    """The known word closest to `word`, or "" where none is close."""
    return next(iter(difflib.get_close_matches(word, known, n=1, cutoff=0.6)), "")


def hint(word: str, known: list[str]) -> Message:
    """ "Did you mean …?" as a message, or the empty message."""
    near = nearest(word, known)
    return Message(key="workspace.did_you_mean", values={"word": near}) if near else Message(key="workspace.no_hint")


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserErrors([Problem(key="workspace_encoding", where=Where(file=FILE, row=row))]) from None


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        where = Where(file=FILE, row=int(line[1]) if line else None)
        raise UserErrors([Problem(key="workspace_syntax", where=where, values={"detail": str(error)})]) from None


def _problem(error: ErrorDetails, rows: Rows) -> Problem:
    loc = error["loc"]
    path = [str(p) for p in loc if not isinstance(p, int)]
    where = _where(loc, rows)
    if error["type"] == "missing":
        rule = Message(key=f"workspace.rule.{path[-1]}")
        return Problem(key="workspace_missing_key", where=where, values={"name": ".".join(path), "rule": rule})
    known = [p for p in path if p in _known(path[:1]) or p in Settings.model_fields]
    return _bad(".".join(known or path), error["input"], where)


def _known(path: list[str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "workspace": WorkspaceTable,
        "privacy": PrivacyTable,
        "run": RunTable,
        "files": FileTable,
    }
    return sorted((models[path[0]] if path and path[0] in models else Settings).model_fields)


def toml_rows(text: str) -> Rows:
    """Row of every table and key of a TOML text by its path: ("files", 1, "units", "payroll") → 12."""
    rows: Rows = {}
    section: Loc = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*(\[+)\s*([^\]]+?)\s*\]", line):
            parts = _parts(header[2])
            if len(header[1]) == 2:
                parts = (*parts, sum(len(p) == 2 and p[:1] == parts for p in rows))
            elif ("files", 0) in rows and parts[0] == "files":
                last = max(int(p[1]) for p in rows if len(p) == 2 and p[0] == "files")
                parts = ("files", last, *parts[1:])
            section = parts
            rows.setdefault(section, number)
        elif key := re.match(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""", line):
            rows.setdefault((*section, *_parts(key[1])), number)
    return rows


def _parts(dotted: str) -> Loc:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _where(loc: Loc, rows: Rows) -> Where:
    """The row of a key, or of the table it stands in."""
    row = next((rows[loc[:n]] for n in range(len(loc), 0, -1) if loc[:n] in rows), None)
    return Where(file=FILE, row=row, column=".".join(str(p) for p in loc if not isinstance(p, int)))
