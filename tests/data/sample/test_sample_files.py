"""Files of the synthetic workspace: same bytes, marked, found by evalkit.toml, never over somebody's files."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from pathlib import Path

import pytest
from openpyxl import load_workbook

from evalkit.core import UserError
from evalkit.data.sample import SEED, generate
from evalkit.data.sample.office import schema

MARK = "合成数据"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate("guangdong", tmp_path_factory.mktemp("one") / "ws", scale="tiny")


def digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def first_cell(path: Path) -> str:
    """What stands in the top left corner of an office file."""
    if path.suffix == ".xlsx":
        book = load_workbook(path, read_only=True)
        return str(next(book.active.iter_rows(max_row=1, values_only=True))[0])
    data = path.read_bytes()
    encoding = "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "gb18030"
    return data.decode(encoding).splitlines()[0]


def test_same_arguments_same_bytes(tiny: Path, tmp_path: Path) -> None:
    """A second run gives identical files, workbooks included, and reports its progress."""
    steps: list[tuple[int, int, str]] = []
    again = generate("guangdong", tmp_path / "ws", scale="tiny", progress=lambda *step: steps.append(step))
    assert digests(tiny) == digests(again)
    assert steps[-1][0] == steps[-1][1] == len(steps)


def test_every_file_says_that_it_is_synthetic(tiny: Path) -> None:
    """The mark stands on top of every office file and in the settings, the truth and the page beside them."""
    for path in (tiny / "raw").rglob("*.*"):
        assert MARK in first_cell(path), path.name
    assert tomllib.loads((tiny / "evalkit.toml").read_text("utf-8"))["workspace"]["synthetic"] is True
    assert json.loads((tiny / "truth.json").read_text("utf-8"))["synthetic"] is True
    assert MARK in (tiny / "README.md").read_text("utf-8")


def test_settings_find_every_file_once_with_its_unit(tiny: Path) -> None:
    """Each office file is matched by exactly one entry; money in 万元 is declared where the unit line says so."""
    entries = tomllib.loads((tiny / "evalkit.toml").read_text("utf-8"))["files"]
    found: dict[Path, dict] = {}
    for entry in entries:
        for path in tiny.glob(entry["path"]):
            assert path not in found
            found[path] = entry
    assert set(found) == {p for p in (tiny / "raw").rglob("*.*") if p.is_file()}
    assert {e["table"] for e in entries} <= set(schema())
    for path, entry in found.items():
        assert ("（万元）" in path.name) == bool(entry.get("units"))


def test_offices_write_in_different_ways(tiny: Path) -> None:
    """Workbooks and csv, GB18030 among them; a merged header; thousands separators."""
    names = {p.suffix for p in (tiny / "raw").rglob("*.*")}
    assert names == {".xlsx", ".csv"}
    book = load_workbook(next((tiny / "raw").glob("445300*/参保汇总*.xlsx")))
    assert len(book.active.merged_cells.ranges) > 1
    ledger = next((tiny / "raw").glob("441400*/基金台账*.csv")).read_bytes().decode("gb18030")
    assert re.search(r'"\d{1,3},\d{3}(,\d{3})*\.\d+"', ledger)


def test_a_full_folder_is_left_alone(tiny: Path, tmp_path: Path) -> None:
    """Raw files of an earlier sample are replaced; a folder with anything else in it is an error."""
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(UserError) as error:
        generate("guangdong", tmp_path, scale="tiny")
    assert error.value.problems[0].key == "folder_not_empty"
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("name", "values", "key"),
    [
        ("guangxi", {}, "unknown_sample"),
        ("guangdong", {"scale": "huge"}, "unknown_scale"),
        ("guangdong", {"scenario": "x"}, "unknown_scenario"),
    ],
)
def test_unknown_words_are_user_errors(tmp_path: Path, name: str, values: dict, key: str) -> None:
    """A wrong sample, scale or scenario lists what there is and writes nothing."""
    with pytest.raises(UserError) as error:
        generate(name, tmp_path / "ws", **values)
    assert error.value.problems[0].key == key
    assert error.value.problems[0].values["known"]
    assert not (tmp_path / "ws").exists()


def test_committed_sample_is_small_and_the_one_the_package_makes(sample: Path) -> None:
    """The committed workspace is under 12 MB, all 21 cities and the province, effect scenario, default seed."""
    assert sum(p.stat().st_size for p in sample.rglob("*") if p.is_file()) < 12e6
    assert len(list((sample / "raw").iterdir())) == 22
    facts = json.loads((sample / "truth.json").read_text("utf-8"))
    assert (facts["scenario"], facts["scale"], facts["seed"]) == ("effect", "small", SEED)
    assert len(facts["projects"]) == 8
    assert {"440300", "441500"} <= {p["place"] for p in facts["projects"].values()}
    assert facts["programmes"]["machinery_offline"]["rate_ratio"] == pytest.approx(0.88)
