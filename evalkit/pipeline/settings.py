"""What `evalkit.toml` may say, and how its mistakes are told: all of them in one go, with the line."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from ..core import Message, Problem, UserErrors, Where
from ..text import LANGUAGES

FILE = "evalkit.toml"
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
    path = root / FILE
    if not path.is_file():
        raise UserErrors([Problem(key="workspace_missing", values={"folder": root.name, "file": FILE})])
    text = _decoded(path)
    try:
        return Settings.model_validate(_parsed(text))
    except ValidationError as error:
        raise UserErrors([_problem(e, text) for e in error.errors()]) from None


def bad_value(key: str, found: Any, text: str = "") -> Problem:
    """A value of `evalkit.toml` that breaks the rule of its key; the rule is the message `workspace.rule.<key>`."""
    rule = Message(key=f"workspace.rule.{key.rsplit('.', 1)[-1]}")
    return Problem(key="workspace_value", where=_where(key, text), values={"rule": rule, "value": found})


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


def _problem(error: ErrorDetails, text: str) -> Problem:
    path = [str(p) for p in error["loc"] if not isinstance(p, int)]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        known = _known(path[:-1])
        values = {"name": path[-1], "known": known, "hint": hint(path[-1], known)}
        return Problem(key="workspace_unknown_key", where=_where(key, text), values=values)
    if error["type"] == "missing":
        rule = Message(key=f"workspace.rule.{path[-1]}")
        return Problem(key="workspace_missing_key", where=_where(key, text), values={"name": key, "rule": rule})
    model_path = [p for p in path if p in _known(path[:1]) or p in Settings.model_fields]
    return bad_value(".".join(model_path) or key, error["input"], text)


def _known(path: list[str]) -> list[str]:
    models: dict[str, type[BaseModel]] = {
        "workspace": WorkspaceTable,
        "privacy": PrivacyTable,
        "run": RunTable,
        "files": FileTable,
    }
    return sorted((models[path[0]] if path and path[0] in models else Settings).model_fields)


def _where(key: str, text: str) -> Where:
    section, _, name = key.rpartition(".")
    inside, row = "", None
    for number, line in enumerate(text.splitlines(), start=1):
        if header := re.match(r"\s*\[+\s*([\w.-]+)", line):
            inside = header[1]
        elif row is None and name and inside == section and re.match(rf"\s*{re.escape(name)}\s*=", line):
            row = number
    return Where(file=FILE, row=row, column=key)
