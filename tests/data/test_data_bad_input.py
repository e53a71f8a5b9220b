"""Bad input: each mistake is told once, with file, sheet, row and column as a person sees them, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalkit import data, text
from evalkit.core import Problem

Sheets = dict[str, list[list[Any]]]
Spoil = Callable[[Sheets], None]


def put(table: str, row: int, column: int, value: Any) -> Spoil:
    """Change the cell in the given row and column (0-based column), rows counted as a person does."""

    def spoil(sheets: Sheets) -> None:
        sheets[table][row - 1][column] = value

    return spoil


def add(table: str, row: int) -> Spoil:
    """Repeat a row at the end of its table."""

    def spoil(sheets: Sheets) -> None:
        sheets[table].append(list(sheets[table][row - 1]))

    return spoil


# name → what is spoilt, the problem's key, file, row, column
MISTAKES: dict[str, tuple[Spoil, str, str, int, str]] = {
    "negative count": (put("case_summary", 3, 5, -2), "negative", "case_summary", 3, "认定人数"),
    "not whole": (put("case_summary", 4, 5, 2.5), "not_whole", "case_summary", 4, "认定人数"),
    "no number": (put("case_summary", 5, 5, "约五"), "bad_number", "case_summary", 5, "认定人数"),
    "empty cell": (put("case_summary", 6, 5, None), "missing_value", "case_summary", 6, "认定人数"),
    "unknown situation": (put("case_summary", 7, 3, "十四条（九）"), "unknown_value", "case_summary", 7, "认定情形"),
    "unknown city": (put("exposure_summary", 7, 0, "广洲市"), "unknown_place", "exposure_summary", 7, "地市"),
    "bad month": (put("exposure_summary", 2, 2, "2024年13月"), "bad_month", "exposure_summary", 2, "费款所属期"),
    "missing column": (put("enrolment", 1, 6, "批次号"), "missing_column", "enrolment", 1, "组织批次"),
    "duplicated key": (add("exposure", 3), "duplicate_key", "exposure", 10, "单位编号+季度"),
    "injury after decision": (put("claim", 4, 8, "2024-01-01"), "date_order", "claim", 4, "认定日期"),
    "decision after the cut-off": (put("claim", 5, 8, "2027-01-01"), "after_as_of", "claim", 5, "认定日期"),
    "number in scientific notation": (put("claim", 6, 2, "4.40102E+17"), "scientific_id", "claim", 6, "身份证号"),
    "lost digits": (put("claim", 7, 0, 4.40102199003073e17), "scientific_id", "claim", 7, "伤申号"),
}  # fmt: skip


def shown(problem: Problem) -> tuple[str, str | None, str | None, int | None, str | None]:
    w = problem.where
    return problem.key, w.file, w.sheet, w.row, w.column


def test_a_sound_workspace_has_no_problem(sheets: Sheets, write) -> None:
    """What the tests spoil is sound before."""
    assert write(sheets).problems() == ()


@pytest.mark.parametrize("name", MISTAKES)
def test_one_mistake_one_problem(name: str, sheets: Sheets, write) -> None:
    """A single mistake gives exactly its problem at its place."""
    spoil, key, table, row, column = MISTAKES[name]
    spoil(sheets)
    assert shown(write(sheets).one()) == (key, f"raw/{table}.xlsx", "Sheet1", row, column)


def test_all_mistakes_in_one_go(sheets: Sheets, write) -> None:
    """All mistakes together give all problems and no other."""
    for spoil, *_ in MISTAKES.values():
        spoil(sheets)
    found = sorted(shown(p) for p in write(sheets).problems())
    assert found == sorted((k, f"raw/{t}.xlsx", "Sheet1", r, c) for _, k, t, r, c in MISTAKES.values())


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_problems_are_told_in_words(lang: str, sheets: Sheets, write) -> None:
    """Every problem has words for what was expected, found and to be done, with its place."""
    for spoil, *_ in MISTAKES.values():
        spoil(sheets)
    for problem in write(sheets).problems():
        assert "raw/" in text.problem_text(problem, lang)


def test_missing_file(office, sheets: Sheets, write) -> None:
    """A pattern that matches nothing is told with what stands in its folder."""
    write(sheets).specs.append(data.FileSpec(table="ledger", path="raw/基金台账*.xlsx"))
    found = office.one()
    assert (found.key, found.where.file) == ("missing_file", "raw/基金台账*.xlsx")
    assert "claim.xlsx" in found.values["present"]


def test_unit_declared_differs_from_the_file(office) -> None:
    """万元 in the file and 元 in the settings: told at the unit line, not converted in silence."""
    office.xlsx("benefit_summary", "b.xlsx", [["单位：万元"], ["地市", "年度", "待遇项目", "人数", "支付金额"],
                                              ["广州市", 2024, "医疗费", 100, 80]], units={"amount": "元"})  # fmt: skip
    assert shown(office.one()) == ("unit_disagrees", "raw/b.xlsx", "Sheet1", 1, "支付金额")


@pytest.mark.parametrize("units", [{}, {"amount": "元"}])
def test_unit_that_cannot_be(office, units: dict[str, str]) -> None:
    """Without a unit in the file, amounts ten thousand times too small are refused and the likely unit is named."""
    office.xlsx(
        "benefit_summary",
        "b.xlsx",
        [["地市", "年度", "待遇项目", "人数", "支付金额"], ["广州市", 2024, "医疗费", 100, 80]],
        units=units,
    )
    found = office.one()
    assert shown(found) == ("unit_implausible", "raw/b.xlsx", "Sheet1", 1, "支付金额")
    assert found.values["fits"] == "万元"


def test_units_that_no_file_can_meet(office, sheets: Sheets, write) -> None:
    """An unknown unit, and a unit for a column that is not money, are told as mistakes of the settings."""
    write(sheets, exposure={"units": {"payroll": "美元", "insured": "万元"}})
    assert sorted(p.key for p in office.problems()) == ["unit_column_unknown", "unit_unknown"]


@pytest.mark.parametrize(
    ("codec", "declared", "actual"), [("gb18030", "utf-8", "gb18030"), ("utf-8", "gb18030", "utf-8")]
)
def test_wrong_encoding(office, codec: str, declared: str, actual: str) -> None:
    """A declared encoding that does not fit is told with the first row that shows it and the real one."""
    office.csv(
        "enrolment",
        "e.csv",
        [["x"], ["项目编号", "单位编号", "地市", "行业代码", "组织批次"]],
        codec=codec,
        encoding=declared,
    )
    found = office.one()
    assert shown(found) == ("wrong_encoding", "raw/e.csv", None, 2, None)
    assert found.values["actual"] == actual


def test_cases_with_zero_exposure(sheets: Sheets, write) -> None:
    """Injuries where nobody is insured are told at the row of the injuries."""
    put("exposure_summary", 4, 3, 0)(sheets)
    sheets["exposure"], sheets["claim"], sheets["enrolment"] = (
        sheets["exposure"][:1],
        sheets["claim"][:1],
        [sheets["enrolment"][0]],
    )
    office = write({k: v for k, v in sheets.items() if k in ("exposure_summary", "case_summary")})
    assert shown(office.one()) == ("zero_exposure", "raw/case_summary.xlsx", "Sheet1", 4, "认定人数")


def test_claims_of_a_firm_without_insured(sheets: Sheets, write) -> None:
    """A claim of a firm that has nobody insured in the quarter is told at the claim."""
    put("exposure", 2, 3, 0)(sheets)
    assert shown(write(sheets).one()) == ("zero_exposure", "raw/claim.xlsx", "Sheet1", 2, "单位编号")


def test_a_city_that_owes_a_file(sheets: Sheets, write) -> None:
    """A city that sent injuries but no insured persons is told once, not row by row, at the folder of its files."""
    sheets["case_summary"] += [["深圳市", "machinery", f"2024-0{m}", "14(1)", "10", 3] for m in range(1, 5)]
    found = write(sheets).one()
    assert shown(found) == ("place_absent", "raw", None, None, None)
    assert "深圳市" in text.problem_text(found, "zh-Hans")
    assert "参保汇总" in text.problem_text(found, "zh-Hans")


def test_extract_larger_than_the_total(sheets: Sheets, write) -> None:
    """More claims of firms than recognised injuries in the summary is a contradiction, told at the summary."""
    put("case_summary", 2, 5, 0)(sheets)
    found = write(sheets).one()
    assert shown(found) == ("extract_exceeds_total", "raw/case_summary.xlsx", "Sheet1", 2, "认定人数")
    assert (found.values["extract"], found.values["total"]) == (1, 0)


def test_firms_larger_than_the_total(sheets: Sheets, write) -> None:
    """More insured in the firms than in the whole industry is a contradiction."""
    put("exposure", 4, 3, 5000)(sheets)
    assert write(sheets).one().key == "extract_exposure_exceeds"


def test_the_same_city_twice(office, sheets: Sheets, write) -> None:
    """A file that was put in twice is told once with the number of its rows."""
    sheets["exposure_summary"] = [sheets["exposure_summary"][0]] + [
        ["广州市", "machinery", f"{y}-{m:02d}", 1000, 6e6] for y in (2023, 2024) for m in range(1, 13)
    ]
    write(sheets)
    office.xlsx("exposure_summary", "again.xlsx", sheets["exposure_summary"])
    found = office.one()
    assert (found.key, found.where.row, found.values["row"], found.values["file"]) == (
        "duplicate_key", 2, 2, "raw/exposure_summary.xlsx")  # fmt: skip
    assert found.values["more"].values["n"] == 24


def test_one_wrong_word_in_many_rows_is_told_once(sheets: Sheets, write) -> None:
    """The same unknown place in many rows is one problem with its first row and the number of rows."""
    for row in range(2, 8):
        put("exposure_summary", row, 0, "广洲市")(sheets)
    found = write(sheets).one()
    assert (found.where.row, found.values["more"].values["n"], found.values["near"]) == (2, 6, "广州市")


@pytest.mark.parametrize(("content", "key"), [
    (b"", "empty_file"), (b"PK\x03\x04 broken", "unreadable_file"), (b"a,b\n1,2\n", "no_header"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), "password_protected"),
])  # fmt: skip
def test_files_that_cannot_be_read(office, content: bytes, key: str) -> None:
    """Empty, broken, foreign and password-protected files are told by name."""
    office.raw("claim", "c.xlsx", content)
    found = office.one()
    assert (found.key, found.where.file) == (key, "raw/c.xlsx")


def test_unknown_sheet(office, sheets: Sheets, write) -> None:
    """A sheet that is not in the workbook is told with those that are."""
    write(sheets, claim={"sheet": "明细"})
    found = office.one()
    assert (found.key, found.values["known"]) == ("unknown_sheet", ["Sheet1"])


@pytest.mark.parametrize("path", ["../raw/a.xlsx", "/etc/passwd", "raw/../../a.xlsx", "C:/a.xlsx"])
def test_paths_that_leave_the_workspace(office, path: str) -> None:
    """No path of the settings reaches outside the workspace."""
    office.specs.append(data.FileSpec(table="claim", path=path))
    assert office.one().key == "path_outside"


def test_links_that_leave_the_workspace(office, tmp_path_factory) -> None:
    """A link to a file outside the workspace is not followed."""
    target = tmp_path_factory.mktemp("elsewhere") / "a.csv"
    target.write_text("x")
    (office.root / "raw").mkdir()
    (office.root / "raw" / "a.csv").symlink_to(target)
    office.specs.append(data.FileSpec(table="claim", path="raw/*.csv"))
    assert office.one().key == "path_outside"


def test_synthetic_files_in_a_real_workspace(office) -> None:
    """A file that carries the mark of synthetic data is refused where the settings say real."""
    office.csv("expert", "e.csv", [["合成数据"], ["专家编号", "地市", "专业领域"], ["E1", "广州市", "安全"]])
    assert office.one(synthetic=False).key == "synthetic_not_declared"


def test_two_hundred_problems_then_a_count(sheets: Sheets, write) -> None:
    """Beyond two hundred problems the rest is counted."""
    head = sheets["case_summary"][0]
    sheets["case_summary"] = [head] + [["广州市", "machinery", "2024-01", "14(1)", "10", -i - 1] for i in range(250)]
    found = write(sheets).problems()
    assert len(found) == 201
    assert (found[-1].key, found[-1].values["n"]) == ("more_problems", 50)


def test_names_with_markup_do_no_harm(office, sheets: Sheets) -> None:
    """Quotes, markup, braces and formula characters in cells come back as they are, also in messages."""
    nasty = '=cmd|"<script>{x}</script>'
    rows = sheets["enrolment"]
    rows[1][6] = nasty
    office.csv("enrolment", "enrolment.csv", rows)
    assert office.ingest().tables["enrolment"].batch.iat[0] == nasty
    rows[1][3] = nasty
    office.csv("enrolment", "enrolment.csv", rows)
    assert nasty in text.problem_text(office.one(), "en")
