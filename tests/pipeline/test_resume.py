"""Resume on a toy workspace: nothing to do, only what changed, and nothing believed but keys and digests."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from toys import ALL, events, files, touch

from evalkit.pipeline import keys, prepare
from evalkit.pipeline.disk import move_into_place, recover
from evalkit.pipeline.ledger import Ledger, read_ledger
from evalkit.pipeline.results import digest_of, read_results
from evalkit.pipeline.run import RunReport

Assess = Callable[..., RunReport]


def test_a_second_run_finds_nothing_to_do(done: Any, assess_toy: Assess) -> None:
    """Nothing changed: every task is kept with its key and no file is written."""
    before = files(done.folder)
    again = assess_toy()
    assert all(o.kept for o in again.outcomes)
    assert events(done.folder, "planned") == events(done.folder, "kept") == ALL
    assert not events(done.folder, "started") | events(done.folder, "published")
    assert files(done.folder) == before
    kept = [r["key"] for r in read_ledger(done.folder) if r["event"] == "kept"]
    assert sorted(kept) == sorted(r["key"] for r in read_ledger(done.folder) if r["event"] == "verified")


def test_a_touched_file_reruns_its_place_and_the_province(
    done: Any, assess_toy: Assess, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One city's file changes: that city and the province run, the others keep their bytes and the frozen peers;
    --refresh-peers then runs all with a new edition."""
    monkeypatch.setattr(prepare, "compute_peers", lambda *_: {"toy": pd.DataFrame({"x": [2.0]})})
    before = files(done.folder)
    touch(workspace, 2)
    second = assess_toy()
    assert events(done.folder, "started") == {"city/c02", "province/all"}
    assert events(done.folder, "kept") == ALL - {"city/c02", "province/all"}
    changed = {n for n, f in files(done.folder).items() if before[n] != f}
    assert {n.rsplit("/", 1)[0] for n in changed if "/" in n} == {
        *("cities/c02", "province/all", "internal/cities/c02", "internal/province/all")
    }
    assert (second.peers_edition, second.peers_behind) == (done.peers_edition, True)
    assert done.peers_edition in (done.folder / "cities/c01/report.en.html").read_text("utf-8")
    assert "older than the latest data" in (done.folder / "index.en.html").read_text("utf-8")
    third = assess_toy(refresh_peers=True)
    assert events(done.folder, "started") == ALL
    assert third.peers_edition != done.peers_edition
    assert third.peers_edition in (done.folder / "cities/c01/report.en.html").read_text("utf-8")
    assert not third.peers_behind


def test_a_file_saved_again_is_shown_with_its_digest(done: Any, assess_toy: Assess, workspace: Path) -> None:
    """The same rows in other bytes: that city and the province run, and their results name the file as it is now."""
    path = workspace / "raw" / "city2.csv"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    second = assess_toy()
    assert events(done.folder, "started") == {"city/c02", "province/all"}
    assert not second.peers_behind, "no row has changed"
    for place in ("cities/c02", "province/all"):
        inputs = read_results(done.folder / "internal" / place)["inputs"]
        assert digest_of(path) in {i["sha256"] for i in inputs}


def test_a_gate_of_all_places_runs_only_what_shows_it(done: Any, assess_toy: Assess, workspace: Path) -> None:
    """A city whose file has gone fails the gate of complete places: that city and the province run, no other."""
    gates = {g["name"]: g["passed"] for g in json.loads((done.folder / "run.json").read_text("utf-8"))["gates"]}
    assert gates["places_complete"] is True
    (workspace / "raw" / "city3.csv").unlink()
    assess_toy()
    gates = {g["name"]: g["passed"] for g in json.loads((done.folder / "run.json").read_text("utf-8"))["gates"]}
    assert gates["places_complete"] is False
    assert events(done.folder, "started") == {"city/c03", "province/all"}


def test_what_does_not_match_the_ledger_is_made_again(done: Any, assess_toy: Assess) -> None:
    """Tampered results run again; a tampered or missing report is published again; --force runs everything."""
    results = done.folder / "internal/cities/c01/results.json"
    results.write_text(results.read_text("utf-8").replace('"seed": 7', '"seed": 8'), "utf-8")
    report = done.folder / "cities/c02/report.en.html"
    report.write_text("tampered", "utf-8")
    shutil.rmtree(done.folder / "cities/c03")
    (done.folder / "index.en.html").unlink()
    assess_toy()
    assert events(done.folder, "started") == {"city/c01"}
    assert {"city/c02", "city/c03"} <= events(done.folder, "published")
    assert report.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert (done.folder / "cities/c03/report.zh-Hans.html").exists()
    assert (done.folder / "index.en.html").exists()
    assess_toy(force=True)
    assert events(done.folder, "started") == ALL


def test_languages_are_published_without_a_kernel(done: Any, assess_toy: Assess) -> None:
    """Other languages publish again from the same results."""
    assess_toy(languages=("en",))
    assert events(done.folder, "kept") == events(done.folder, "published") == ALL
    assert {p.name for p in (done.folder / "cities/c01").iterdir()} == {"report.en.html"}


@pytest.mark.parametrize("what", ["code", "package", "lock"])
def test_code_and_environment_are_in_the_key(
    done: Any, assess_toy: Assess, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Another cell in the city notebook runs the cities and what reads them; our own code or the lock runs all."""
    if what == "package":
        monkeypatch.setattr(keys, "package_digest", lambda: "other")
    if what == "lock":
        monkeypatch.setattr(keys, "environment_digest", lambda: "other")
    assess_toy(*(["note = 'more'"] if what == "code" else []))
    assert {"city/c01", "city/c02", "city/c03"} <= events(done.folder, "started")
    assert ("province/all" in events(done.folder, "kept")) == (what == "code"), "same results, same key"


def test_a_key_ignores_headings_and_paths(done: Any, assess_toy: Assess, tmp_path: Path, workspace: Path) -> None:
    """Other headings in a notebook, a memory limit and a moved workspace change no key."""
    settings = workspace / "evalkit.toml"
    settings.write_text(settings.read_text("utf-8") + "\n[run]\nmemory = 2048\n", "utf-8")
    assert all(o.kept for o in assess_toy().outcomes)
    first = keys.notebook_facts(tmp_path / "notebooks" / "city_assessment.ipynb")
    path = tmp_path / "notebooks" / "city_assessment.ipynb"
    path.write_text(path.read_text("utf-8").replace("page.headlines", "page.toc"), "utf-8")
    assert keys.notebook_facts(path) == first


def test_row_digests_see_every_row_of_their_place_alone() -> None:
    """A changed value changes the digest of its place and table only; the order of rows counts."""
    frame = pd.DataFrame({"place": ["a", "a", "b"], "x": [1.0, 2.0, 3.0], "name": ["u", None, "w"]})
    before = keys.row_digests({"t": frame, "u": frame})
    after = keys.row_digests({"t": frame.assign(x=[1.0, 5.0, 3.0]), "u": frame})
    assert before["b"] == after["b"]
    assert before["a"]["u"] == after["a"]["u"]
    assert before["a"]["t"] != after["a"]["t"]
    assert keys.row_digests({"t": frame.iloc[[1, 0, 2]]})["a"] != {"t": before["a"]["t"]}


def test_folders_are_replaced_whole_and_recovered(tmp_path: Path) -> None:
    """A folder is exchanged for the new one; leftovers of a killed run are cleared and a lone old folder returns."""
    fresh, place = tmp_path / "out/cities/.c01.new", tmp_path / "out/cities/c01"
    for folder, text in ((fresh, "new"), (place, "old")):
        folder.mkdir(parents=True)
        (folder / "a").write_text(text)
    move_into_place(fresh, place)
    assert (place / "a").read_text() == "new"
    place.rename(place.with_name(".c01.old"))
    (tmp_path / "out/cities/.c02.new").mkdir()
    recover(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out/cities").iterdir()] == ["c01"]


def test_a_cut_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    """A ledger whose last line was cut short by a power cut goes on with whole lines."""
    ledger = Ledger(tmp_path / "ledger.jsonl", "r")
    ledger.write("planned", "city/c01")
    with ledger.path.open("a") as file:
        file.write('{"event": "verif')
    ledger.write("failed", "city/c01")
    assert [r["event"] for r in read_ledger(tmp_path)] == ["planned", "failed"]
    assert json.loads(ledger.path.read_text().splitlines()[-1])["event"] == "failed"
