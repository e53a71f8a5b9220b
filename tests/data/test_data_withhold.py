"""One bad city stops that city only: whose mistake it is, and the tables without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit import data, plans
from evalkit.core import Problem, UserErrors, Where
from evalkit.data.withhold import by_place

HEAD = ["地市", "年度", "待遇项目", "人数", "支付金额"]
GOOD = {"广州": "440100", "深圳": "440300", "珠海": "440400"}


def amounts(city: str, amount: object = 1000) -> list[list[object]]:
    return [["单位：元"], HEAD, [city, 2020, "医疗费", 10, amount], [city, 2021, "医疗费", 10, 2000]]


@pytest.fixture
def cities(office: Any) -> Any:
    """An office folder with one file of each of three cities."""
    for city, code in GOOD.items():
        office.csv("benefit_summary", f"{code}_{city}市/待遇.csv", amounts(city))
    return office


def split(office: Any) -> data.Canonical:
    return data.ingest_by_place(
        office.root, office.specs, office.plan, as_of="2026-10-31", key=b"0123456789abcdef", synthetic=True
    )


def left(canonical: data.Canonical) -> set[str]:
    return set(canonical.tables["benefit_summary"]["place"])


def test_a_clean_workspace_withholds_nobody(cities: Any) -> None:
    """Without problems the tables, gates and files are those of `ingest`, which withholds nobody."""
    found, whole = split(cities), cities.ingest()
    assert found.withheld == {}
    assert found.inputs == whole.inputs
    assert found.gates == whole.gates
    assert left(found) == set(GOOD.values())


@pytest.mark.parametrize("spoiled", ["row", "column", "encoding", "place column", "unknown city", "empty"])
def test_a_bad_file_withholds_its_city_alone(cities: Any, spoiled: str) -> None:
    """A wrong cell, a missing column, an unreadable file or an unknown city in one city's file: its city stands in
    `withheld`, the others are exactly what they are without that file."""
    name, rows = "440300_深圳市/待遇.csv", amounts("深圳")
    cities.specs = [s for s in cities.specs if "深圳" not in s.path]
    expected = cities.ingest()
    if spoiled == "row":
        cities.csv("benefit_summary", name, amounts("深圳", -5))
    if spoiled == "column":
        cities.csv("benefit_summary", name, [row[:4] for row in rows])
    if spoiled == "encoding":
        cities.csv("benefit_summary", name, rows, codec="gb18030", encoding="utf-8")
    if spoiled == "place column":
        cities.csv("benefit_summary", name, [row[1:] if len(row) > 1 else row for row in rows])
    if spoiled == "unknown city":
        cities.csv("benefit_summary", name, [*rows, ["深训", 2022, "医疗费", 1, 100]])
    if spoiled == "empty":
        cities.raw("benefit_summary", name, b"")
    found = split(cities)
    assert set(found.withheld) == {"440300"}
    assert {p.where.file for p in found.withheld["440300"]} == {f"raw/{name}"}
    assert left(found) == {"440100", "440400"}
    assert found.inputs == expected.inputs
    assert found.gates == expected.gates
    for table, frame in expected.tables.items():
        assert frame.equals(found.tables[table])
    assert cities.problems() == found.withheld["440300"], "ingest still tells all and returns nothing"


def test_a_row_of_a_common_file_withholds_the_city_of_the_row(office: Any) -> None:
    """In a file of several cities a wrong row concerns the city of that row; the same mistake in many rows, told
    once, concerns every city of the file, and then nothing is left."""
    rows = [row for city in GOOD for row in amounts(city)[2:]]
    office.csv("benefit_summary", "汇总.csv", [["单位：元"], HEAD, *rows])
    rows[2][4] = -7
    office.csv("benefit_summary", "汇总.csv", [["单位：元"], HEAD, *rows])
    found = split(office)
    assert set(found.withheld) == {"440300"}
    assert left(found) == {"440100", "440400"}
    assert [i.rows for i in found.inputs] == [4]
    rows[5][4] = -7
    office.csv("benefit_summary", "汇总.csv", [["单位：元"], HEAD, *rows])
    with pytest.raises(UserErrors):
        split(office)


def test_what_no_city_can_answer_for_stops_all(cities: Any) -> None:
    """A missing file for all, a wrong row of the province itself and an unknown city in nobody's file stop the run."""
    cities.specs.append(data.FileSpec(table="benefit_summary", path="raw/*/none_*.csv"))
    with pytest.raises(UserErrors) as caught:
        split(cities)
    assert [p.key for p in caught.value.problems] == ["missing_file"]
    cities.specs.pop()
    cities.csv("benefit_summary", "省.csv", amounts("广东省", -1))
    with pytest.raises(UserErrors):
        split(cities)
    cities.csv("benefit_summary", "省.csv", amounts("湖南"))
    with pytest.raises(UserErrors):
        split(cities)


def test_a_missing_file_of_one_city_withholds_it(cities: Any) -> None:
    """A file named for one city that is not there concerns the city its path names."""
    cities.specs.append(data.FileSpec(table="benefit_summary", path="raw/441900_东莞市/待遇.csv"))
    assert set(split(cities).withheld) == {"441900"}


def test_what_the_missing_city_hid_is_found(cities: Any) -> None:
    """Checks between tables that wait until every file could be read run once the bad city is left out."""
    head = ["地市", "行业代码", "月份", "认定情形", "伤残等级", "认定人数"]
    cities.csv("case_summary", "440100_广州市/案件.csv", [head, ["广州", "C13", "2021-03", "十四条（一）", "十级", 3]])
    insured = ["地市", "行业代码", "费款所属期", "参保人数"]
    cities.csv("exposure_summary", "440100_广州市/参保.csv", [insured, ["广州", "C13", "2021-04", 100]])
    cities.raw("exposure_summary", "440300_深圳市/参保.csv", b"")
    found = split(cities)
    assert {place: [p.key for p in own] for place, own in found.withheld.items()} == {
        "440100": ["zero_exposure"],
        "440300": ["empty_file"],
    }
    assert left(found) == {"440400"}


def test_problems_survive_the_store(cities: Any, tmp_path: Path) -> None:
    """What was withheld is read back with its problems."""
    cities.csv("benefit_summary", "440300_深圳市/待遇.csv", amounts("深圳", -5))
    found = split(cities)
    again = data.read_canonical(data.write_canonical(found, tmp_path / "store"))
    assert {k: [(p.key, p.where) for p in v] for k, v in again.withheld.items()} == {
        k: [(p.key, p.where) for p in v] for k, v in found.withheld.items()
    }


def test_a_check_may_name_the_place_itself() -> None:
    """`Where.place` wins over file and path; names of cities in a path count only as whole words of letters."""
    plan = plans.load("gd_2021_2025")

    def concerned(**where: str) -> set[str]:
        return set(by_place([Problem(key="x", where=Where(**where))], {}, plan))

    assert concerned(place="440100", file="raw/440300_深圳市/a.csv") == {"440100"}
    assert concerned(file="raw/Foshan data/a.csv") == {"440600"}
    assert concerned(file="raw/notfoshanish/a.csv") == {""}
    assert concerned(file="raw/x440600.csv") == {""}
    assert concerned(file="raw/2021/1.csv") == {""}
    assert concerned(file="evalkit.toml") == {""}


def test_every_city_has_the_gates_of_its_own_rows(cities: Any, tmp_path: Path) -> None:
    """A printed total that does not tie in one city's file fails that city's gate and the common one, no other city's;
    restricted tables carry the gates of their place, also when read back."""
    before = split(cities)
    rows = [*amounts("深圳"), ["合计", "", "", 20, 9999]]
    cities.csv("benefit_summary", "440300_深圳市/待遇.csv", rows)
    after = data.read_canonical(data.write_canonical(split(cities), tmp_path / "store"))

    def tie(gates: Any) -> Any:
        return next(g.passed for g in gates if g.name == "totals_tie")

    assert (tie(before.gates), tie(after.gates)) == (None, False)
    assert tie(data.restrict(after, "440300").gates) is False
    for place in ("440100", "440400"):
        assert after.place_gates[place] == before.place_gates[place]
        assert data.restrict(after, place).gates == after.place_gates[place]
