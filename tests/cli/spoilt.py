"""A workspace with every bad input at once, made from the clean sample, and what a check must say of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.corruptions import Sheet, clean_workspace, sheets_of
from evalkit.data.locate import RawTable

Place = tuple[str, str | None, int | None, str | None]
"""Key of a problem, file, row and column as a person sees them."""
SHAOGUAN, SHANWEI, YUNFU = "440200_韶关市", "441500_汕尾市", "445300_云浮市"


class Spoiler:
    """Plants faults one by one and remembers where; `planted` is what a check must tell, and nothing else."""

    def __init__(self, root: Path):
        self.root = clean_workspace(root)
        self.raws = {(raw.file.split("/")[1], raw.table.name): raw for _, raw in sheets_of(root)}
        self.planted: list[Place] = []

    def raw(self, city: str, table: str) -> RawTable:
        return self.raws[city, table]

    def cell(self, key: str, city: str, table: str, nth: int, column: str, value: Any) -> None:
        """Change the nth data row of a table in one column."""
        raw = self.raw(city, table)
        sheet, row = Sheet.open(self.root / raw.file), int(raw.rows[nth])
        j = sheet.column(raw, column)
        sheet.rows[row - 1][j] = value(sheet.rows[row - 1][j]) if callable(value) else value
        sheet.save()
        self.planted.append((key, raw.file, row, raw.headers[column]))

    def rows(self, city: str, table: str, change: Callable[[Sheet, RawTable], None], encoding: str = "") -> str:
        """Change a sheet as a whole; returns its file."""
        raw = self.raw(city, table)
        sheet = Sheet.open(self.root / raw.file)
        change(sheet, raw)
        sheet.save(encoding)
        return raw.file

    def settings(self, old: str, new: str, after: str = "") -> int:
        """Replace the first `old` after `after` in evalkit.toml; returns its row."""
        path = self.root / "evalkit.toml"
        text = path.read_text("utf-8")
        at = text.index(old, text.index(after))
        path.write_text(text[:at] + new + text[at + len(old) :], "utf-8")
        return text.count("\n", 0, at) + 1


def spoilt_workspace(root: Path) -> Spoiler:
    """The sample of three cities with every fault of the list; of each the place at which it must be told."""
    s = Spoiler(root)
    _files(s)
    _settings(s)
    _cells(s)
    _units(s)
    _encodings(s)
    return s


def _files(s: Spoiler) -> None:
    (s.root / s.raw(YUNFU, "benefit_summary").file).unlink()
    s.planted.append(("place_absent", f"raw/{YUNFU}", None, None))
    path = s.root / "evalkit.toml"
    path.write_text(path.read_text("utf-8") + '\n[[files]]\ntable = "hazard"\npath = "raw/*/危害_*.xlsx"\n', "utf-8")
    s.planted.append(("missing_file", "raw/*/危害_*.xlsx", None, None))
    file = s.rows(SHANWEI, "roster_summary", lambda sheet, raw: _put(sheet, raw.header_row, "应培训人数", "应训数"))
    s.planted.append(("missing_column", file, s.raw(SHANWEI, "roster_summary").header_row, "应培训人数"))


def _put(sheet: Sheet, row: int, old: str, new: str) -> None:
    sheet.rows[row - 1] = [new if str(cell).strip() == old else cell for cell in sheet.rows[row - 1]]


def _settings(s: Spoiler) -> None:
    row = s.settings("seed =", "sede =")
    s.planted.append(("workspace_unknown_key", "evalkit.toml", row, "workspace.sede"))
    row = s.settings("draws = 10000", "bootstrap_reps = 999")
    s.planted.append(("workspace_unknown_key", "evalkit.toml", row, "workspace.bootstrap_reps"))


def _cells(s: Spoiler) -> None:
    s.cell("negative", SHANWEI, "case_summary", 40, "cases", -2)
    s.cell("unknown_place", SHANWEI, "activity", 7, "place", "汕美市")
    s.cell("scientific_id", SHANWEI, "claim", 5, "person_id", "4.40102E+17")
    s.cell("scientific_id", SHANWEI, "exposure", 100, "unit_id", 4.40102199003073e17)
    s.cell("unknown_code", SHANWEI, "training_summary", 2, "project_id", lambda v: f"{v[:-3]}999")
    s.cell("stray_place", YUNFU, "measure_status", 11, "place", "广州市")
    s.cell("unknown_value", YUNFU, "case_summary", 11, "situation", "十四条（九）")
    s.cell("after_as_of", YUNFU, "activity", 11, "date", "2062-11-04")
    s.cell("date_order", SHANWEI, "claim", 8, "injury_date", "2026-10-01")
    s.planted[-1] = (*s.planted[-1][:3], "申请日期")
    raw = s.raw("440000_省级", "ledger")
    row = int(raw.rows[9])
    s.rows("440000_省级", "ledger", lambda sheet, _: sheet.rows.insert(row, list(sheet.rows[row - 1])))
    s.planted.append(("duplicate_key", raw.file, row + 1, "地市+月份+科目"))
    _no_exposure(s)


def _no_exposure(s: Spoiler) -> None:
    """Nobody insured in one cell of place, industry and month that has injuries; told at the injuries."""
    cases, insured = s.raw(SHANWEI, "case_summary"), s.raw(SHANWEI, "exposure_summary")
    industry, month = cases.columns["industry"], cases.columns["month"]
    for i in range(300, len(cases.rows)):
        same = (insured.columns["industry"] == industry[i]) & (insured.columns["month"] == month[i])
        if same.sum() == 1 and (industry == industry[i])[month == month[i]].sum() == 1:
            s.cell("", SHANWEI, "exposure_summary", int(same.argmax()), "insured", 0)
            s.planted[-1] = ("zero_exposure", cases.file, int(cases.rows[i]), cases.headers["cases"])
            return
    raise LookupError("no cell with one row of both tables")


def _units(s: Spoiler) -> None:
    """元 where 万元 is declared, the reverse, and amounts that can only be in the other unit."""
    raw = s.raw(YUNFU, "exposure_summary")
    file = s.rows(YUNFU, "exposure_summary", lambda sheet, raw: _put(sheet, raw.unit_row, "单位：万元", "单位：元"))
    s.planted.append(("unit_disagrees", file, raw.unit_row, "缴费工资总额+应缴工伤保险费"))
    raw = s.raw(SHAOGUAN, "activity")
    s.settings('cost = "万元"', 'cost = "元"', after='path = "raw/*/宣传活动台账（万元）_*.csv"')
    s.planted.append(("unit_disagrees", raw.file, raw.unit_row, "费用"))
    raw = s.raw(SHAOGUAN, "benefit_summary")
    s.rows(SHAOGUAN, "benefit_summary", _in_yuan)
    s.planted.append(("unit_implausible", raw.file, raw.header_row, "支付金额"))


def _in_yuan(sheet: Sheet, raw: RawTable) -> None:
    j = sheet.column(raw, "amount")
    sheet.rows[raw.unit_row - 1] = [""]
    for row in (int(r) - 1 for r in raw.rows):
        sheet.rows[row][j] = float(sheet.rows[row][j]) * 1e4


def _encodings(s: Spoiler) -> None:
    """GB18030 declared UTF-8, UTF-8 and UTF-16 declared GB18030; a byte-order mark is no mistake."""
    for table, pattern, codec, declared in (
        ("measure_status", "十八项措施进展_*.csv", "gb18030", "utf-8"),
        ("roster_summary", "重点岗位人员培训覆盖_*.csv", "utf-8", "gb18030"),
        ("training_summary", "培训实施情况_*.csv", "utf-16", "gb18030"),
    ):
        file = s.rows(SHAOGUAN, table, lambda *_: None, codec)
        s.settings('encoding = "auto"', f'encoding = "{declared}"', after=f'path = "raw/*/{pattern}"')
        s.planted.append(("wrong_encoding", file, 1, None))
    s.rows(SHAOGUAN, "project", lambda *_: None, "utf-8-sig")
