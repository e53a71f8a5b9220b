"""Canonical tables: stored, read back, restricted, and built from the whole sample."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pandas as pd
import pytest

from evalkit import data, plans, text


@pytest.fixture(scope="module")
def guangdong(sample: Path) -> tuple[data.Canonical, plans.Plan]:
    """The committed sample workspace, read from its office files."""
    if not (sample / "evalkit.toml").exists():
        pytest.skip("the sample workspace is not there")
    settings = tomllib.loads((sample / "evalkit.toml").read_text("utf-8"))
    plan = plans.load(settings["workspace"]["plan"], sample)
    files = [data.FileSpec(**entry) for entry in settings["files"]]
    canonical = data.ingest(sample, files, plan, as_of=settings["workspace"]["as_of"], key=b"k" * 16,
                            synthetic=True, origin=settings["workspace"]["origin"])  # fmt: skip
    return canonical, plan


def test_round_trip(write, sheets, tmp_path: Path) -> None:
    """Parquet and JSON give back the same tables, types, gates and inputs."""
    canonical = write(sheets).ingest()
    again = data.read_canonical(data.write_canonical(canonical, tmp_path / "store" / "canonical"))
    assert (again.gates, again.inputs, again.as_of) == (canonical.gates, canonical.inputs, canonical.as_of)
    for name, frame in canonical.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], frame)


def test_store_appears_complete_and_replaces(write, sheets, tmp_path: Path) -> None:
    """Writing twice leaves one folder, no drafts, and the same bytes."""
    canonical, folder = write(sheets).ingest(), tmp_path / "store" / "canonical"
    first = {p.name: p.read_bytes() for p in data.write_canonical(canonical, folder).iterdir()}
    second = {p.name: p.read_bytes() for p in data.write_canonical(canonical, folder).iterdir()}
    assert first == second
    assert [p.name for p in folder.parent.iterdir()] == ["canonical"]


def test_a_failed_write_leaves_the_old_store(write, sheets, tmp_path: Path, monkeypatch) -> None:
    """If writing fails halfway, what was there stays and no draft is left."""
    canonical, folder = write(sheets).ingest(), tmp_path / "store" / "canonical"
    data.write_canonical(canonical, folder)
    monkeypatch.setattr(pd.DataFrame, "to_parquet", lambda *a, **k: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        data.write_canonical(canonical, folder)
    assert [p.name for p in folder.parent.iterdir()] == ["canonical"]
    monkeypatch.undo()
    assert set(data.read_canonical(folder).tables) == set(canonical.tables)


def test_restrict_keeps_rows_and_files_of_the_place(write, sheets) -> None:
    """A place sees its own rows and the digests of the files they came from."""
    sheets["exposure_summary"].append(["深圳市", "machinery", "2024-01", 900, 900 * 6000.0])
    sheets["case_summary"].append(["深圳市", "machinery", "2024-01", "14(1)", "10", 1])
    canonical = write(sheets).ingest()
    one = data.restrict(canonical, "440300")
    kept = {name: len(frame) for name, frame in one.tables.items() if len(frame)}
    assert kept == {"exposure_summary": 1, "case_summary": 1}
    assert [i.path for i in one.inputs] == ["raw/exposure_summary.xlsx", "raw/case_summary.xlsx"]


def test_progress_counts_files(write, sheets) -> None:
    """The callback hears of every file, in order."""
    heard: list[tuple[int, int, str]] = []
    write(sheets).ingest(progress=lambda *step: heard.append(step))
    assert [h[:2] for h in heard] == [(i, 5) for i in range(1, 6)]


def test_the_sample_is_read_without_a_problem(guangdong) -> None:
    """All office files of the sample are read; every gate of the data passes or has nothing to judge."""
    canonical, plan = guangdong
    assert set(canonical.tables["exposure_summary"].place.unique()) == set(plan.cities)
    assert [g.name for g in canonical.gates if g.passed is False] == []
    assert data.scan(canonical.tables) == []


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_gates_have_words(guangdong, lang: str) -> None:
    """Every gate has a title and a sentence that its detail fills."""
    for gate in guangdong[0].gates:
        assert text.t(f"gate.{gate.name}.title", lang)
        assert "{" not in text.t(f"gate.{gate.name}.detail", lang, **gate.detail)


def test_extract_is_part_of_the_totals(guangdong) -> None:
    """In no cell do the firms of the projects have more cases than the official table."""
    canonical, _ = guangdong
    claims = canonical.tables["claim"]
    claims = claims[claims.decision != "refused"]
    industry = canonical.tables["enrolment"].drop_duplicates("unit_id").set_index("unit_id").industry
    cell = ["place", "industry", "month", "situation", "grade"]
    extract = claims.assign(industry=claims.unit_id.map(industry), month=claims.injury_date.dt.strftime("%Y-%m"))
    both = extract.groupby(cell).size().rename("extract").to_frame().join(
        canonical.tables["case_summary"].set_index(cell).cases, how="left")  # fmt: skip
    assert len(both)
    assert (both.extract <= both.cases).all()


def test_panels_of_the_sample(guangdong) -> None:
    """Firm and city panels hold the mature quarters, whole clusters and severities that add up."""
    canonical, plan = guangdong
    last = data.last_mature_quarter(plan, canonical.as_of)
    assert last == "2025Q2"
    projects = canonical.tables["enrolment"].project_id.unique()
    for panel in (*(data.firm_panel(canonical, plan, p) for p in projects),
                  data.city_panel(canonical, plan, "machinery_offline")):  # fmt: skip
        assert panel.times[-1] == last
        assert panel.synthetic
        assert (panel.exposure > 0).all()
        parts = sum(v for k, v in panel.outcomes.items() if k.startswith("avertable."))
        assert (parts == panel.outcomes["avertable"]).all()
        assert 0 < panel.ever_treated.sum() < panel.n_units
    assert panel.n_units == 21
