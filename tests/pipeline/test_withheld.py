"""One bad city stops that city only: the others and the province are published, the index says why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toys import ALL, events, files

from evalkit.core import UserErrors
from evalkit.pipeline import resume
from evalkit.pipeline.run import RunReport

Assess = Callable[..., RunReport]


def spoil(workspace: Path, city: int, year: str = "1986") -> Path:
    """A year that is a word in one city's file; `mend` puts it back."""
    path = workspace / "raw" / f"city{city}.csv"
    path.write_text(path.read_text("utf-8").replace(f"{city},{year},", f"{city},last year,"), "utf-8")
    return path


def mend(path: Path, city: int, year: str = "1986") -> None:
    path.write_text(path.read_text("utf-8").replace(f"{city},last year,", f"{city},{year},"), "utf-8")


def test_one_bad_city_is_withheld_and_the_others_are_published(assess_toy: Assess, workspace: Path) -> None:
    """A word for a year in one city's file: no kernel starts for it, it has no report, index and run.json name file,
    row, column, expected, found and next step; the others and the province are published; exit code 2."""
    spoil(workspace, 2)
    report = assess_toy()
    assert {o.task.name: o.status for o in report.outcomes} == {**dict.fromkeys(ALL, "ok"), "city/c02": "withheld"}
    assert report.exit_code == 2
    assert set(report.withheld) == {"c02"}
    assert events(report.folder, "withheld") == {"city/c02"}
    assert events(report.folder, "started") == events(report.folder, "published") == ALL - {"city/c02"}
    assert not (report.folder / "cities/c02").exists()
    run = json.loads((report.folder / "run.json").read_text("utf-8"))
    (problem,) = next(task for task in run["tasks"] if task["place"] == "c02")["problems"]
    assert (problem["where"]["file"], problem["where"]["row"], problem["where"]["column"]) == (
        "raw/city2.csv",
        5,
        "year",
    )
    for page, words in (
        ("index.html", "last year"),
        ("index.en.html", "last year"),
        ("index.zh-Hant.html", "last year"),
    ):
        text = (report.folder / page).read_text("utf-8")
        assert words in text and "raw/city2.csv" in text
    results = json.loads((report.folder / "internal/province/all/results.json").read_text("utf-8"))
    rows = results["exhibits"]["panel"]["data"]["rows"]
    assert {row[0] for row in rows} == {"c01", "c03"}, "no row of the withheld city enters a figure"


def test_mending_the_file_runs_what_is_new(done: Any, assess_toy: Assess, workspace: Path) -> None:
    """A city whose file turns bad loses its report, the others keep their bytes and the province runs; once mended,
    the kept results of the city are published again without a kernel and only the province runs."""
    before = files(done.folder)
    path = spoil(workspace, 3)
    second = assess_toy()
    assert second.exit_code == 2
    assert events(done.folder, "started") == {"province/all"}
    assert events(done.folder, "kept") == {"city/c01", "city/c02"}
    assert not (done.folder / "cities/c03").exists()
    assert {n: f for n, f in files(done.folder).items() if "/c01/" in n} == {
        n: f for n, f in before.items() if "/c01/" in n
    }
    assert all(o.kept for o in assess_toy().outcomes if o.task.place != "c03"), "a second run has nothing to do"
    mend(path, 3)
    third = assess_toy()
    assert third.exit_code == 0
    assert events(done.folder, "started") == {"province/all"}
    assert events(done.folder, "published") >= {"city/c03", "province/all"}
    reports = {n for n in before if "report." in n}
    assert {n: f[1] for n, f in files(done.folder).items() if n in reports} == {n: before[n][1] for n in reports}


def test_what_no_city_can_answer_for_stops_the_run(assess_toy: Assess, workspace: Path) -> None:
    """All cities bad, or a problem of no city: nothing runs and all problems are told."""
    for city in (1, 2, 3):
        spoil(workspace, city)
    with pytest.raises(UserErrors) as caught:
        assess_toy()
    assert [p.where.file for p in caught.value.problems] == [f"raw/city{n}.csv" for n in (1, 2, 3)]
    settings = workspace / "evalkit.toml"
    settings.write_text(settings.read_text("utf-8").replace("raw/*.csv", "raw/*.xlsx"), "utf-8")
    with pytest.raises(UserErrors) as caught:
        assess_toy()
    assert [p.key for p in caught.value.problems] == ["missing_file"]


def test_a_run_for_other_places_does_not_ask_the_bad_one(assess_toy: Assess, workspace: Path) -> None:
    """--places: only the problems of what was asked for count; for the province all do."""
    spoil(workspace, 2)
    assert assess_toy(places=("c01",)).exit_code == 0
    assert assess_toy(places=("c02",)).exit_code == 2
    assert assess_toy(places=("all",)).exit_code == 2


def test_projects_go_with_their_city(tmp_path: Path) -> None:
    """Projects that an earlier run evaluated are listed with their withheld city, those of others are not."""
    for name, place in (("P1", "c01"), ("P2", "c02")):
        folder = tmp_path / "internal/projects" / name
        folder.mkdir(parents=True)
        known: dict[str, Any] = {"place": place, "project": f"no. {name}", "names": {"project": "Title"}}
        (folder / "results.json").write_text(json.dumps(known))
    (task,) = resume.earlier_projects(tmp_path, {"c02"})
    assert (task.name, task.place, task.project, task.title["en"]) == ("project/P2", "c02", "no. P2", "Title")


def test_reports_of_places_that_are_gone_are_removed(done: Any, assess_toy: Assess) -> None:
    """A report of a place or project that the workspace does not have goes at the next whole run, not at a run for
    some places."""
    strangers = [done.folder / "projects/P9", done.folder / "cities/c09"]
    for folder in strangers:
        folder.mkdir(parents=True)
        (folder / "report.en.html").write_text("<html></html>")
    assess_toy(places=("c01",))
    assert all(folder.exists() for folder in strangers)
    assert all(o.kept for o in assess_toy().outcomes)
    assert not any(folder.exists() for folder in strangers)
    assert (done.folder / "cities/c02").exists()
