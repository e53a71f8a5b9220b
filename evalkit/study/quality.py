"""The quality page of every report. The publisher prints files, digests and parameters from results.json."""

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
    return section("quality", [gates_table(case, gates)], gates=gates)


def gates_table(case: Case, gates: tuple[Gate, ...], name: str = "quality_gates", *, note: str = "note.gates") -> Any:
    """One row per gate: what is checked, what came out, what it rests on."""
    columns = (
        column("gate", "message"),
        column("result", "status"),
        column("gate_kind", "message"),
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
    return table(case, name, columns, rows, notes=[message(note)])
