"""The sample through the public command: office files → kernels → results.json → reports, as a newcomer gets them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from bs4 import Tag
from e2e.real_runs import KINDS, SMALLEST, Ran, digests, exhibits, numbers, parsed
from openpyxl import load_workbook

from evalkit import text

pytestmark = pytest.mark.xdist_group("e2e")
LANGUAGES = text.LANGUAGES
RESIDENT_ID = re.compile(r"(?<![0-9A-Za-z.])\d{6}(?:19|20)\d{2}(?:0[1-9]|1[0-2])\d{5}[\dXx](?![0-9A-Za-z])")
PHONE = re.compile(r"(?<![0-9A-Za-z.])1[3-9]\d{9}(?![0-9A-Za-z])")
DIRECT = ("姓名", "身份证号", "联系电话", "单位名称")
HASHED = ("单位编号", "伤申号")


def test_the_run_ends_well(ran: Ran) -> None:
    """Exit code 0, every task done, the address of the index said, nothing failed left behind."""
    assert ran.code == 0, ran.said
    assert {t["status"] for t in ran.run["tasks"]} == {"ok"}
    assert "index.html" in re.sub(r"\s", "", ran.said)
    assert not list((ran.folder / ".work").glob("failed/*"))
    assert not list((ran.folder / ".work" / "staging").glob("*-*"))


def test_every_place_and_project_has_a_report_in_every_language(ran: Ran) -> None:
    """The cities of the workspace, its evaluated project and the province: one page in each language, no more."""
    places = tomllib.loads((ran.workspace / "evalkit.toml").read_text("utf-8"))["workspace"]["places"]
    expected = {f"city/{p}" for p in places} | {"project/GP441500-2023-001", "province/440000"}
    assert set(ran.results) == expected
    pages = {p.relative_to(ran.folder).as_posix() for kind in KINDS.values() for p in (ran.folder / kind).rglob("*.*")}
    assert pages == {ran.report(name, x).relative_to(ran.folder).as_posix() for name in expected for x in LANGUAGES}
    for name in expected:
        for lang in LANGUAGES:
            page = ran.page(name, lang)
            assert page.html["lang"] == lang
            assert len(page.select("h1")) == 1


def test_the_index_leads_to_every_report(ran: Ran) -> None:
    """One index per language, a row for each task, and links to all reports that exist."""
    reports = {ran.report(name, lang) for name in ran.results for lang in LANGUAGES}
    for file, lang in (("index.html", "zh-Hans"), ("index.zh-Hant.html", "zh-Hant"), ("index.en.html", "en")):
        page = parsed(ran.folder / file)
        assert page.html["lang"] == lang
        linked = {(ran.folder / a["href"]).resolve() for a in page.select("a[href$='.html']")}
        assert {r.resolve() for r in reports} <= linked
        assert all(target.is_file() for target in linked)
        assert len(page.select("tbody tr")) >= len(ran.results)
        assert text.t("common.synthetic", lang) in page.get_text()


def test_reports_show_exactly_the_exhibits_of_their_results(ran: Ran) -> None:
    """The page holds each public exhibit of results.json once, in order; the annex holds the internal ones too."""
    for name, results in ran.results.items():
        order = [i for s in results["sections"] for i in s["exhibits"]]
        assert sorted(order) == sorted(results["exhibits"])
        public = [i for i in order if results["exhibits"][i]["release"] == "public"]
        for lang in LANGUAGES:
            assert [tag["id"] for tag in ran.page(name, lang).select(".ek-exhibit")] == public
            annex = ran.folder / "internal" / KINDS[name.split("/")[0]] / name.split("/")[1] / f"annex.{lang}.html"
            assert annex.exists() == (public != order)
            if public != order:
                assert [tag["id"] for tag in parsed(annex).select(".ek-exhibit")] == order


def test_all_languages_print_the_same_numbers(ran: Ran) -> None:
    """Cell by cell, each Chinese report of a place and the English one print the same numbers."""
    compared = 0
    for name in ran.results:
        english = exhibits(ran.page(name, "en"))
        chinese = [item for lang in LANGUAGES if lang != "en" for item in exhibits(ran.page(name, lang)).items()]
        for key, shown in chinese:
            pairs = list(zip(shown.select("tbody th, td, dd"), english[key].select("tbody th, td, dd"), strict=True))
            for zh, en in pairs:
                same_numbers(zh, en, f"{name} {key}")
            compared += sum(len(numbers(zh)) for zh, en in pairs if numeric(en))
    assert compared > 3000


def numeric(cell: Tag) -> bool:
    return "ek-number" in cell.get("class", ()) or cell.get_text().startswith("CNY")


def same_numbers(zh: Tag, en: Tag, where: str) -> None:
    """Amounts agree up to the rounding to 0.01 万元; in cells of words the numbers with decimals agree."""
    if numeric(en):
        mine, yours = numbers(zh), numbers(en)
    else:
        mine, yours = (sorted(x for x in numbers(cell, 1) if x % 1) for cell in (zh, en))
    assert len(mine) == len(yours), where
    for a, b in zip(mine, yours):
        assert a == pytest.approx(b, abs=50.01 if abs(b) >= 1e5 else 1e-9), where


def test_the_page_prints_what_results_json_holds(ran: Ran) -> None:
    """A number is followed from results.json to the page: rate ratio, counts of a table, the headline of a city."""
    project = ran.results["project/GP441500-2023-001"]
    printed = numbers(exhibits(ran.page("project/GP441500-2023-001", "en"))["effect_estimates"].select("tbody td")[0])
    assert printed == [round(project["values"]["rate_ratio"], 3)]
    for name, results in ran.results.items():
        for key, exhibit in results["exhibits"].items():
            if exhibit["kind"] != "table" or exhibit["release"] != "public":
                continue
            rows = exhibits(ran.page(name, "en"))[key].select("tbody tr")
            assert len(rows) == len(exhibit["data"]["rows"])
            for row, data in zip(rows, exhibit["data"]["rows"]):
                same_integers(row, exhibit["data"]["columns"], data)


def same_integers(row: Tag, columns: list[dict], data: list[object]) -> None:
    for cell, column, value in zip(row.select("th, td"), columns, data, strict=True):
        if column["kind"] == "int" and isinstance(value, (int, float)):
            assert numbers(cell) == [round(value)]


def test_everything_says_that_it_is_synthetic(ran: Ran) -> None:
    """The mark stands in run.json, results.json, at the top of each page, in each caption and on each exhibit."""
    assert ran.run["synthetic"] is True
    for name, results in ran.results.items():
        assert results["synthetic"] is True
        assert all(e["synthetic"] is True for e in results["exhibits"].values())
        for lang in LANGUAGES:
            page, mark = ran.page(name, lang), text.t("common.synthetic", lang)
            assert mark in page.select_one("header").get_text()
            assert "ek-synthetic" in page.body["class"]
            for exhibit in page.select(".ek-exhibit"):
                assert mark in exhibit.select_one("[id$=-title]").get_text(), exhibit["id"]


def test_the_office_files_are_as_before(ran: Ran, again: Ran) -> None:
    """A run reads the workspace and writes nothing into it."""
    for one in (ran, again):
        assert digests(one.workspace) == one.before
        assert any(name.startswith("raw/") for name in one.before)


def test_the_same_files_give_the_same_bytes(ran: Ran, again: Ran) -> None:
    """results.json of a place and its project do not depend on folder, hash seed, time zone, language or company."""
    assert again.code == 0, again.said
    assert set(again.results) == {f"city/{SMALLEST}", "project/GP441500-2023-001"}
    for name in again.results:
        kind, code = name.split("/")
        path = Path("internal") / KINDS[kind] / code / "results.json"
        assert (ran.folder / path).read_bytes() == (again.folder / path).read_bytes()


def test_published_pages_are_the_same_bytes(ran: Ran, again: Ran) -> None:
    """A report is a function of results.json: published twice, in another folder, it is the same file."""
    for name in again.results:
        for lang in LANGUAGES:
            assert ran.report(name, lang).read_bytes() == again.report(name, lang).read_bytes()


def test_no_machine_path_leaves(ran: Ran) -> None:
    """Neither results.json nor a page tells in which folder of which machine it was made."""
    files = [p for p in ran.folder.rglob("*") if p.suffix in (".html", ".json") and ".work" not in p.parts]
    assert len(files) > 20
    for path in files:
        content = path.read_text("utf-8")
        for secret in (str(ran.folder.parent), str(Path.home()) + "/", str(ran.workspace)):
            assert secret not in content, path.name


def raw_values(workspace: Path, headers: tuple[str, ...]) -> set[str]:
    """All values under these headers in the raw files of persons and firms."""
    found: set[str] = set()
    for path in [*workspace.glob("raw/*/工伤认定明细*.xlsx"), *workspace.glob("raw/*/项目参与单位名册*.xlsx")]:
        rows = list(load_workbook(path, read_only=True).active.iter_rows(values_only=True))
        top = next(i for i, row in enumerate(rows) if "单位编号" in row)
        columns = [i for i, name in enumerate(rows[top]) if name in headers]
        found |= {str(row[i]) for row in rows[top + 1 :] for i in columns if row[i] and len(str(row[i])) > 5}
    return found


def written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything below the results folder as text: files as they are, Parquet tables by their cells."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            words = frame.select_dtypes(exclude="number")
            yield path, "\n".join("\n".join(map(str, words[c].unique())) for c in words)
        else:
            yield path, path.read_bytes().decode("utf-8", "replace")


def test_nobody_can_be_found_in_the_results(ran: Ran) -> None:
    """No name, number or telephone of a person and no name or number of a firm in any file of the run."""
    direct, hashed = raw_values(ran.workspace, DIRECT), raw_values(ran.workspace, HASHED)
    assert len(direct) > 500 and len(hashed) > 400
    pattern = re.compile("|".join(map(re.escape, sorted(direct | hashed, key=len, reverse=True))))
    files = 0
    for path, content in written(ran.folder):
        files += 1
        for search in (RESIDENT_ID, PHONE, pattern):
            match = search.search(content)
            assert match is None, f"{path.relative_to(ran.folder)}: {match[0] if match else ''}"
        assert "合成人员" not in content and "合成样本企业" not in content, path.name
    assert files > 40


def test_parameters_and_inputs_can_be_checked(ran: Ran) -> None:
    """Every input that a result names is a file of the workspace with exactly that digest."""
    for name, results in ran.results.items():
        assert results["inputs"], name
        for entry in results["inputs"]:
            assert ran.before[entry["path"]] == entry["sha256"]
    facts = json.loads((ran.workspace / "truth.json").read_text("utf-8"))
    assert facts["synthetic"] is True
