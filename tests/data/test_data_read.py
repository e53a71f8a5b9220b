"""One small nasty file for every disease of office files."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HEADER = ["地市", "行业代码", "费款所属期", "参保人数", "缴费工资总额"]
ROW = ["广州市", "machinery", "2024-01", 100, 600000.0]


def frame(office, table: str = "exposure_summary") -> pd.DataFrame:
    return office.ingest().tables[table]


def test_title_unit_total_and_footer_lines(office) -> None:
    """Titles, the unit line, blank rows, totals and footers are no data; rows keep the number a person sees."""
    office.xlsx("exposure_summary", "a.xlsx", [
        ["附件2"], ["参保汇总表"], ["合成数据"], ["填报单位：广州市社保局", None, None, None, "单位：万元"],
        HEADER, ROW[:4] + [60], [], ["深圳市", "machinery", "2024-01", 200, 120], ["小  计", None, None, 300, 180],
        ["合计：", None, None, 300, 180], ["制表人：张三", None, "审核人：李四"]])  # fmt: skip
    found = frame(office)
    assert list(found.source_row) == [6, 8]
    assert list(found.payroll) == [600000.0, 1200000.0]


def test_printed_totals_are_compared(office) -> None:
    """A grand total that is not the sum of its rows fails the gate and names file and row."""
    office.xlsx("exposure_summary", "a.xlsx", [HEADER, ROW, ["合计", None, None, 150, 600000]])
    gate = next(g for g in office.ingest().gates if g.name == "totals_tie")
    assert gate.passed is False
    assert gate.detail["items"][0]["values"]["row"] == 3


def test_merged_two_row_header(office) -> None:
    """A merged parent header with «合计» and «其中» below it gives the total column its name."""
    office.xlsx("exposure_summary", "a.xlsx", [
        ["地市", "行业代码", "费款所属期", "参保人数", None, "缴费工资总额（万元）"],
        [None, None, None, "合计", "其中：农民工", None], ["广州市", "machinery", "2024-01", 100, 7, 60]],
        merge=["D1:E1", "A1:A2", "B1:B2", "C1:C2", "F1:F2"])  # fmt: skip
    found = frame(office)
    assert (found.insured.iat[0], found.payroll.iat[0], found.source_row.iat[0]) == (100, 600000.0, 3)


def test_a_row_of_words_is_not_taken_for_a_header(office) -> None:
    """The first data row of a table without numbers stays a data row."""
    office.xlsx(
        "expert",
        "a.xlsx",
        [
            ["专家编号", "姓名", "地市", "专业领域", "入库日期"],
            ["E甲", "张三", "广州市", "职业卫生", None],
            ["E乙", "李四", "深圳市", "安全", None],
        ],
    )
    assert list(frame(office, "expert").expert_id) == ["E甲", "E乙"]


def test_widths_separators_and_words_in_numbers(office) -> None:
    """Full-width digits, thousands separators, trailing 人 and 元, tabs and protection signs are read as meant."""
    office.csv("exposure_summary", "a.csv", [
        HEADER, ["广州市\t", "machinery", "2024-01", "１，２３４", "7,404,000.00元"],
        ["　深圳市", "ｍachinery", "2024-01", "1,234人", "7404000"],
        ['="440400"', "机械制造", "'202401", " 12 ", "72000"]])  # fmt: skip
    found = frame(office)
    assert list(found.insured) == [1234, 1234, 12]
    assert list(found.place) == ["440100", "440300", "440400"]
    assert set(found.industry) == {"machinery"}
    assert list(found.payroll) == [7404000.0, 7404000.0, 72000.0]


@pytest.mark.parametrize("sign", ["", "-", "/", "无", "—", "——", "－", "N/A"])
def test_signs_for_missing(office, sign: str) -> None:
    """The usual signs for no data in an optional column mean missing, not zero."""
    office.csv("exposure_summary", "a.csv", [HEADER, ROW, ["广州市", "machinery", "2024-02", 100, sign]])
    assert np.isnan(frame(office).payroll.iat[1])


@pytest.mark.parametrize(
    ("said", "meant"),
    [("2021年3月", "2021-03"), ("2021.3", "2021-03"), ("202103", "2021-03"), (202103, "2021-03"), (2021.3, "2021-03"),
     ("2021-3-5", "2021-03"), (44256, "2021-03"), (date(2021, 3, 5), "2021-03"), ("２０２１年０３月", "2021-03"),
     ("2021/3", "2021-03"), ("2021.10", "2021-10"), (datetime(2021, 3, 5, 8, 30), "2021-03")],
)  # fmt: skip
def test_months(office, said, meant: str) -> None:
    """Months are understood in every form offices use."""
    office.xlsx("exposure_summary", "a.xlsx", [HEADER, [*ROW[:2], said, *ROW[3:]]])
    assert frame(office).month.iat[0] == meant


@pytest.mark.parametrize("said", ["2021年一季度", "2021年第1季度", "2021Q1", "2021-q1", "2021年1季度", "202102"])
def test_quarters(office, said: str) -> None:
    """Quarters are understood in Chinese and in short form; a month gives its quarter."""
    office.csv("exposure", "a.csv", [["地市", "单位编号", "季度", "平均参保人数"], ["广州市", "U1", said, 5]])
    assert frame(office, "exposure").quarter.iat[0] == "2021Q1"


def test_the_number_of_october_is_not_guessed(office) -> None:
    """2021.10 typed as a number shows as 2021.1 and is refused, not read as January."""
    office.xlsx("exposure_summary", "a.xlsx", [HEADER, [*ROW[:2], 2021.1, *ROW[3:]]])
    found = office.one()
    assert (found.key, found.where.row, found.where.column) == ("bad_month", 2, "费款所属期")


@pytest.mark.parametrize("name", ["广州", "广州市", "穗", "GZ", "Guangzhou", "廣州市", "440100", 440100, "广州市本级"])
def test_names_of_a_place(office, name) -> None:
    """Every alias of the plan, its code as text or number, and the traditional form lead to the place."""
    office.xlsx("exposure_summary", "a.xlsx", [HEADER, [name, *ROW[1:]]])
    assert frame(office).place.iat[0] == "440100"


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_encodings_are_recognised(office, codec: str) -> None:
    """With encoding "auto", UTF-8 with and without mark, GB18030 and UTF-16 give the same table."""
    office.csv("exposure_summary", "a.csv", [HEADER, ROW], codec=codec)
    assert frame(office).place.iat[0] == "440100"


def test_tab_separated_text(office) -> None:
    """Text files separated by tabs are read like the others."""
    office.raw("exposure_summary", "a.txt", "\n".join("\t".join(map(str, r)) for r in (HEADER, ROW)).encode("gb18030"))
    assert frame(office).insured.iat[0] == 100


def test_xls_that_is_html(office) -> None:
    """A page saved as .xls is read from its table; cells that span columns keep the others in place."""
    cells = "".join(f"<td>{c}</td>" for c in ROW)
    heads = "".join(f"<th>{c}</th>" for c in HEADER)
    page = f"<html><table><tr><td colspan=5>附件</td></tr><tr>{heads}</tr><tr>{cells}</tr></table></html>"
    office.raw("exposure_summary", "a.xls", page.encode("gb18030"))
    assert list(frame(office).source_row) == [3]


def test_xls_that_is_csv(office) -> None:
    """A text file named .xls is read by its content."""
    office.csv("exposure_summary", "a.xls", [HEADER, ROW])
    assert frame(office).insured.iat[0] == 100


def test_split_files_are_put_together(office) -> None:
    """Parts _1 and _2 of an export are one table, in the order of their names; lock files are left out."""
    office.csv("exposure_summary", "a_1.csv", [HEADER, ROW])
    office.csv("exposure_summary", "a_2.csv", [HEADER, ["广州市", "machinery", "2024-02", 101, 606000.0]])
    (office.root / "raw" / "~$a_1.csv").write_bytes(b"lock")
    office.specs = [type(office.specs[0])(table="exposure_summary", path="raw/*a_*.csv")]
    found = frame(office)
    assert list(found.insured) == [100, 101]
    assert list(found.source_file) == ["raw/a_1.csv", "raw/a_2.csv"]


def test_repeated_header_of_a_page_break_is_dropped(office) -> None:
    """A header repeated at a page break is no data."""
    office.csv("exposure_summary", "a.csv", [HEADER, ROW, HEADER, ["广州市", "machinery", "2024-02", 1, 6000]])
    assert list(frame(office).source_row) == [2, 4]


def test_personal_columns_nobody_asked_for_are_not_kept(office) -> None:
    """A column of names in a table that has none in its schema never arrives."""
    office.csv("exposure_summary", "a.csv", [[*HEADER, "姓名"], [*ROW, "张三"]])
    canonical = office.ingest()
    assert "张三" not in canonical.tables["exposure_summary"].to_csv()


def test_raw_files_are_never_written_to(office, write, sheets) -> None:
    """Reading leaves the bytes and the modification times of every raw file as they were."""
    write(sheets)
    before = {p: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns) for p in _files(office.root)}
    office.ingest()
    assert before == {p: (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
                      for p in _files(office.root)}  # fmt: skip


def _files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.is_file())


def test_rows_of_the_input_do_not_decide_the_order_of_units(office, write, sheets) -> None:
    """Rows stay in file order whatever the key of the hash is."""
    write(sheets)
    first, second = office.ingest(), office.ingest(key=b"another key of sixteen")
    for name in first.tables:
        open_columns = [c for c in first.tables[name] if c not in ("unit_id", "claim_id")]
        pd.testing.assert_frame_equal(first.tables[name][open_columns], second.tables[name][open_columns])
    assert not first.tables["enrolment"].unit_id.equals(second.tables["enrolment"].unit_id)
