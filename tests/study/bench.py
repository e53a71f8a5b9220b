"""Workspaces prepared once, cases opened on them the way a notebook opens them, and their sections computed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit import study
from evalkit.core import Section
from evalkit.data import sample
from evalkit.pipeline.notebook import finish, open_case, write_task
from evalkit.pipeline.prepare import Prepared, prepare
from evalkit.pipeline.results import NAME, read_results
from evalkit.pipeline.workspace import load_workspace
from evalkit.study.case import Case

PROJECT = "GP441500-2023-001"
WITH_PROJECT, WITHOUT_PROJECT = "441500", "440200"

KINDS = {"project": "project", "city": "city", "other_city": "city", "province": "province"}
"""Cases of the tiny sample by name, and the kind of report each gets."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """A prepared workspace; `cases` and `found` (case name → section key → section) fill as they are asked for."""

    root: Path
    folder: Path
    prepared: Prepared
    cases: dict[str, Case] = field(default_factory=dict)
    found: dict[tuple[str, str], Section] = field(default_factory=dict)

    def open(self, name: str, kind: str, projects: dict[str, str] | None = None, **which: str) -> Case:
        """Open a case with the results of earlier stages, as the supervisor leaves them in task.json."""
        out = self.folder / name
        out.mkdir()
        write_task(out, self.prepared, projects or {}, {})
        self.cases[name] = open_case(str(self.root), kind, out=str(out), **which)
        return self.cases[name]

    def section(self, name: str, key: str) -> Section:
        if (name, key) not in self.found:
            self.found[name, key] = study.section(self.cases[name], key)
        return self.found[name, key]

    def sections(self, name: str) -> list[Section]:
        return [self.section(name, key) for key in study.SECTIONS[self.cases[name].kind]]


def tiny(folder: Path) -> Bench:
    """The tiny sample with its one evaluated project finished, so that its city and the province can read it."""
    bench = prepared_bench("guangdong", folder)
    project = bench.open("project", "project", project=PROJECT)
    finish(project, bench.sections("project"))
    done = {PROJECT: str(Path(project.out) / NAME)}
    bench.open("city", "city", done, place=WITH_PROJECT)
    bench.open("other_city", "city", done, place=WITHOUT_PROJECT)
    bench.open("province", "province", done)
    return bench


def prepared_bench(name: str, folder: Path) -> Bench:
    root = sample.generate(name, folder / "workspace", scale="tiny")
    return Bench(root=root, folder=folder, prepared=prepare(load_workspace(root), folder / "work"))


def project_results(bench: Bench) -> dict[str, Any]:
    """results.json of the evaluated project."""
    return read_results(Path(bench.cases["project"].out))


def cells(section: Section, exhibit: str, name: str) -> list[Any]:
    """The cells of one column of a table exhibit."""
    data = next(e.data for e in section.exhibits if e.id == exhibit)
    index = [c["name"] for c in data["columns"]].index(name)
    return [row[index] for row in data["rows"]]
