"""Small office workspaces, written cell by cell, that tests may spoil before they are read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from evalkit import data, plans
from evalkit.core import Problem, UserErrors
from evalkit.plans import Plan

KEY = b"0123456789abcdef"
AS_OF = "2026-10-31"


@dataclass
class Office:
    """A folder of raw files; `specs` collects what evalkit.toml would list."""

    root: Path
    plan: Plan
    specs: list[data.FileSpec] = field(default_factory=list)

    def xlsx(
        self, table: str, name: str, rows: Iterable[Sequence[Any]], merge: Sequence[str] = (), **spec: Any
    ) -> None:
        """Write a workbook with one sheet "Sheet1"."""
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = "Sheet1"
        for i, row in enumerate(rows, 1):
            for j, value in enumerate(row, 1):
                sheet.cell(i, j, value)
        for area in merge:
            sheet.merge_cells(area)
        target = self._target(table, name, spec)
        book.save(target)

    def csv(self, table: str, name: str, rows: Iterable[Sequence[Any]], codec: str = "utf-8", **spec: Any) -> None:
        """Write a comma-separated file in the given encoding."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows(rows)
        self.raw(table, name, text.getvalue().encode(codec), **spec)

    def raw(self, table: str, name: str, content: bytes, **spec: Any) -> None:
        """Write bytes as they are."""
        self._target(table, name, spec).write_bytes(content)

    def _target(self, table: str, name: str, spec: dict[str, Any]) -> Path:
        path = self.root / "raw" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.specs = [s for s in self.specs if s.path != f"raw/{name}"]
        self.specs.append(data.FileSpec(table=table, path=f"raw/{name}", **spec))
        return path

    def ingest(self, **options: Any) -> data.Canonical:
        """Read everything; `options` override key, as_of, synthetic."""
        settings = {"as_of": AS_OF, "key": KEY, "synthetic": True, **options}
        return data.ingest(self.root, self.specs, self.plan, **settings)

    def problems(self, **options: Any) -> tuple[Problem, ...]:
        """The problems of the workspace; () if it can be read."""
        try:
            self.ingest(**options)
        except UserErrors as error:
            return error.problems
        return ()

    def one(self, **options: Any) -> Problem:
        """The only problem of the workspace."""
        found = self.problems(**options)
        assert len(found) == 1, [(p.key, p.where) for p in found]
        return found[0]


@pytest.fixture
def plan() -> Plan:
    return plans.load("gd_2021_2025")


@pytest.fixture
def office(tmp_path: Path, plan: Plan) -> Office:
    return Office(tmp_path, plan)


@pytest.fixture
def sheets() -> dict[str, list[list[Any]]]:
    """Five tables of a sound small workspace, header first; tests change cells and then call `write`."""
    months = [f"2024-{m:02d}" for m in range(1, 7)]
    units = [f"4401000{i}" for i in range(1, 5)]
    return {
        "exposure_summary": [["地市", "行业代码", "费款所属期", "参保人数", "缴费工资总额"]]
        + [["广州市", "machinery", m, 1000 + i, (1000 + i) * 6000.0] for i, m in enumerate(months)],
        "case_summary": [["地市", "行业代码", "受伤月份", "认定情形", "伤残等级", "认定人数"]]
        + [["广州市", "machinery", m, "十四条（一）", "十级", 4 + i] for i, m in enumerate(months)],
        "enrolment": [["项目编号", "单位编号", "单位名称", "地市", "行业代码", "企业规模", "组织批次", "参训起始季度"]]
        + [
            ["P1", u, f"工厂{u}", "广州市", "machinery", "小型", f"B{i // 2}", "2024Q2" if i < 2 else ""]
            for i, u in enumerate(units)
        ],
        "exposure": [["地市", "单位编号", "季度", "平均参保人数", "缴费工资总额"]]
        + [["广州市", u, q, 50 + i, 18000.0 * (50 + i)] for i, u in enumerate(units) for q in ("2024Q1", "2024Q2")],
        "claim": [
            [
                "伤申号",
                "姓名",
                "身份证号",
                "联系电话",
                "单位编号",
                "地市",
                "受伤日期",
                "申请日期",
                "认定日期",
                "认定情形",
                "认定结论",
                "伤残等级",
            ]
        ]
        + [
            [
                f"S{i}",
                "张三",
                "440102199003073315",
                "13800138000",
                units[i % 4],
                "广州市",
                f"2024-0{i + 1}-10",
                f"2024-0{i + 1}-20",
                f"2024-0{i + 2}-20",
                "14(1)",
                "认定工伤",
                "10",
            ]
            for i in range(6)
        ],
    }


@pytest.fixture
def write(office: Office):
    """Write tables of `sheets` as workbooks named after the table."""

    def files(sheets: dict[str, list[list[Any]]], **specs: dict[str, Any]) -> Office:
        for name, rows in sheets.items():
            office.xlsx(name, f"{name}.xlsx", rows, **specs.get(name, {}))
        return office

    return files
