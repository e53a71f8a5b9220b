"""The synthetic workspace on disk: office files below raw/, evalkit.toml, truth.json and README.md."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from ... import text
from ...core import UserError, Where, to_plain
from . import base, duties, extract, office, official, payments, register, sheets
from .calibrate import settings, table
from .world import World, draw_world

Progress = Callable[[int, int, str], None]
GENERATOR = "evalkit.data.sample.guangdong"
_LANGUAGES = ("zh-Hans", "en")  # of the README


def write_guangdong(folder: Path, seed: int, scenario: str, scale: str, progress: Progress | None = None) -> Path:
    """Write the synthetic Guangdong workspace. Raises UserError: unknown_scenario, unknown_scale, folder_not_empty."""
    scales = settings()["scales"]
    if scale not in scales:
        raise UserError("unknown_scale", scale=scale, known=list(scales))
    world = draw_world(seed, scenario, scales[scale]["projects"])
    _make_room(folder)
    tables = all_tables(world)
    frames = _scoped(tables, scales[scale])
    written: list[tuple[str, str, str, list[str]]] = []
    work = list(_work(frames))
    for done, (place, name, frame) in enumerate(work, start=1):
        written.append(_write(folder, place, name, frame))
        if progress:
            progress(done, len(work), written[-1][1])
    _save(
        folder / "truth.json",
        json.dumps(_facts(world, scale, tables["project"]), ensure_ascii=False, indent=1) + "\n",
    )
    _save(folder / "evalkit.toml", _settings_text(seed, written, scales[scale]["places"]))
    _save(folder / "README.md", _readme(seed, scenario, scale))
    return folder


def _make_room(folder: Path) -> None:
    """Remove the raw files of an earlier synthetic sample; any other content stays and is an error."""
    old, facts = folder / "raw", folder / "truth.json"
    ours = facts.is_file() and json.loads(facts.read_text("utf-8")).get("generator") == GENERATOR
    if ours and old.is_dir() and not old.is_symlink():
        shutil.rmtree(old)
    elif folder.exists() and any(folder.iterdir()):
        raise UserError("folder_not_empty", where=Where(file=str(folder)), folder=folder.name)


def all_tables(world: World) -> dict[str, pd.DataFrame]:
    """Every canonical table the sample fills, for all places."""
    exposure, benefits = official.exposure_summary(world), official.benefit_summary(world)
    projects = register.project(world, office.place_names("full"), office.industry_names())
    return {
        "exposure_summary": exposure,
        "case_summary": official.case_summary(world),
        "benefit_summary": benefits,
        "ledger": official.ledger(world, exposure, benefits, projects),
        "project": projects,
        "enrolment": extract.enrolment(world),
        "exposure": extract.exposure(world),
        "claim": extract.claim(world),
        "benefit": payments.benefit(world),
        "roster_summary": duties.roster_summary(world),
        "training_summary": register.training_summary(world, projects),
        "activity": duties.activity(world),
        "measure_status": duties.measure_status(world),
    }


def _scoped(frames: dict[str, pd.DataFrame], scale: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """The tables of the places and months that a scale writes."""
    places = [*(scale["places"] or base.places()), official.PROVINCE]
    first = f"{scale['first_year']}-01"
    out = {}
    for name, frame in frames.items():
        keep = frame["place"].isin(places)
        if "month" in frame:
            keep &= frame["month"] >= first
        out[name] = frame[keep]
    return out


def _work(frames: dict[str, pd.DataFrame]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for name, frame in frames.items():
        for place, part in frame.groupby("place", sort=True):
            yield str(place), name, part


def _style(place: str) -> office.Style:
    cities = table("cities")
    if place == official.PROVINCE:
        return office.style("0")
    return office.style(str(cities.loc[cities.place == place, "style"].iloc[0]))


def _write(folder: Path, place: str, name: str, frame: pd.DataFrame) -> tuple[str, str, str, list[str]]:
    """Write one file; returns table, path below the workspace, glob that finds it, money columns in 万元."""
    manner, words = _style(place), settings("office")["names"]
    kind = "xlsx" if name in settings("office")["long"]["tables"] else manner.file
    sheet = office.to_sheet(name, frame, place, manner)
    money = office.money_columns(name, frame)
    tag = words["wan_tag"] if money and manner.unit == words["wan"] else ""
    stem = f"{office.schema()[name]['zh']}{tag}"
    first, last = office.years_of(frame)
    home = words["province"] if place == official.PROVINCE else office.place_names("full")[place]
    path = Path("raw") / f"{place}_{home}" / f"{stem}_{first}-{last}.{kind}"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    data = (
        sheets.csv_bytes(sheet, manner.encoding)
        if kind == "csv"
        else sheets.xlsx_bytes(sheet, "blanks" in manner.habits)
    )
    (folder / path).write_bytes(data)
    return name, path.as_posix(), f"raw/*/{stem}_*.{kind}", money if tag else []


def _facts(world: World, scale: str, projects: pd.DataFrame) -> dict[str, Any]:
    """Truth with the money spent on every evaluated project and on the projects of the programme, yuan."""
    cost = projects.set_index("project_id")["actual_cost"]
    spent = projects.groupby("programme")["actual_cost"].sum()
    return to_plain({
        "synthetic": True, "generator": GENERATOR, "mark": settings("office")["names"]["mark"], "seed": world.seed,
        "scenario": world.scenario, "scale": scale,
        "projects": {k: {**v, "cost": float(cost[k])} for k, v in world.truth["projects"].items()},
        "programmes": {k: {**v, "cost": float(spent[k])} for k, v in world.truth["programmes"].items()},
    })  # fmt: skip


def _settings_text(seed: int, written: list[tuple[str, str, str, list[str]]], places: list[str]) -> str:
    """evalkit.toml, with one [[files]] entry for every table, kind of file and unit."""
    titles = ", ".join(f'{lang} = "{text.t("sample.title", lang)}"' for lang in text.LANGUAGES)
    wan = settings("office")["names"]["wan"]
    time = settings()["time"]
    lines = [
        f"# {settings('office')['names']['notice']}", "[workspace]", 'name = "guangdong"', 'plan = "gd_2021_2025"',
        f"title = {{ {titles} }}", f"period = {time['last_month'][:4]}", f'as_of = "{time["as_of"]}"',
        f'language = "{_LANGUAGES[0]}"', f"languages = {json.dumps(list(text.LANGUAGES))}", f"seed = {seed}",
        "synthetic = true", f'origin = "{text.t("sample.origin", _LANGUAGES[0])}"', "draws = 10000",
        *([f"places = {json.dumps(places)}"] if places else []), "",
        "[privacy]", "public_threshold = 10", "internal_threshold = 5",
    ]  # fmt: skip
    seen = dict.fromkeys((name, glob, tuple(money)) for name, _, glob, money in written)
    for name, glob, money in seen:
        lines += ["", "[[files]]", f'table = "{name}"', f'path = "{glob}"', 'encoding = "auto"']
        if money:
            lines += ["[files.units]", *[f'{c} = "{wan}"' for c in money]]
    return "\n".join(lines) + "\n"


def _readme(seed: int, scenario: str, scale: str) -> str:
    values = {"seed": seed, "scenario": scenario, "scale": scale}
    return "\n".join(text.t("sample.readme", lang, **values) for lang in _LANGUAGES)


def _save(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8"))
