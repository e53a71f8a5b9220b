"""The quality page of every report: gates, the files it rests on, the parameters it used."""

from __future__ import annotations

from typing import Any

from .. import assess
from ..core import Gate, Section
from .build import column, message, section, table
from .case import Case

STATUS = {True: "passed", False: "failed", None: "unknown"}


def quality(case: Case) -> Section:
    """Gates of data and method, inputs with digests, parameters with source and mark of verification."""
    gates = (
        *case.canonical.gates,
        *assess.gates(case.canonical, case.plan, place=case.place or case.plan.province, period=case.period),
    )
    return section("quality", [gates_table(case, gates), inputs_table(case)], gates=gates)


def gates_table(case: Case, gates: tuple[Gate, ...]) -> Any:
    """One row per gate: what is checked, what came out, what it rests on."""
    columns = (
        column("gate", "message"),
        column("result", "status"),
        column("severity", "message"),
        column("detail", "message"),
    )
    rows = [
        [
            message(f"gate.{g.name}.title"),
            STATUS[g.passed],
            message(f"severity.{g.severity}"),
            message(f"gate.{g.name}.detail", **g.detail),
        ]
        for g in gates
    ]
    return table(case, "quality_gates", columns, rows, notes=[message("note.gates")])


def inputs_table(case: Case) -> Any:
    """Every office file read, with rows, encoding and digest: internal, since file names may name people."""
    columns = (column("file"), column("table"), column("rows", "int"), column("encoding"), column("sha256"))
    rows = [[i.path, i.table, i.rows, i.encoding, i.sha256[:16]] for i in case.canonical.inputs]
    return table(case, "quality_inputs", columns, rows, n=len(rows), notes=[message("note.digest")])
