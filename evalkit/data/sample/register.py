"""Register of prevention projects of all places, and what their trainings delivered, as canonical frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from . import base
from .calibrate import ProjectSpec, settings, stream, table
from .office import key_industries
from .official import PROVINCE
from .world import World

_STEPS = ("applied", "reviewed", "approved", "contracted", "started", "ended", "accepted", "paid_final")


def project(world: World, names: dict[str, str], industries: dict[str, str]) -> pd.DataFrame:
    """One row per project, budget year and place; names and industries: words by code for the titles.

    Evaluated projects carry their start quarter and selection window; every adopting city has one project a year of
    the city programme, the first of which starts in the programme's first quarter.
    """
    evaluated = {f.spec.project_id: f.spec for f in world.firms}
    rows = [row for place, n in _numbers() for year in settings()["register"]["years"]
            for row in _year(world, place, year, n, evaluated)]  # fmt: skip
    frame = pd.DataFrame(rows)
    frame = pd.concat([frame, _amounts(world, frame)], axis=1)
    frame = pd.concat([frame, _dates(world, frame, evaluated)], axis=1)
    frame = pd.concat([frame, _outcome(world, frame)], axis=1)
    frame["title"] = _titles(frame, names, industries)
    unfinished = frame["acceptance"] == "pending"
    for column in ("accepted", "paid_final"):
        frame.loc[unfinished, column] = np.datetime64("NaT")
    return frame


def _numbers() -> list[tuple[str, int]]:
    cities = table("cities")
    return [*zip(cities.place, cities.projects), (PROVINCE, settings()["register"]["province_projects"])]


def _year(world: World, place: str, year: int, n: int, evaluated: dict[str, ProjectSpec]) -> list[dict[str, Any]]:
    """The projects of one place and budget year, without amounts and dates."""
    s, programme = settings()["register"], settings()["programme"]
    rng = stream(world.seed, f"register/{place}/{year}")
    adopters = [p for p, a in zip(base.places(), world.cells.adopter) if a]
    running = place in adopters and year >= int(programme["start"][:4])
    key = key_industries()
    rows = []
    for k in range(1, n + 1):
        project_id = f"GP{place}-{year}-{k:03d}"
        spec, of_programme = evaluated.get(project_id), running and k == 2
        training = spec is not None or of_programme or rng.random() < s["training_share"]
        mode = rng.choice(list(s["modes"]), p=list(s["modes"].values()))
        industry = rng.choice(base.industries() if rng.random() < 0.3 else key)
        channel = rng.choice(["association", "department"])
        industry = spec.industry if spec else programme["industry"] if of_programme else str(industry)
        rows.append({
            "project_id": project_id, "place": place, "fiscal_year": year,
            "type": "training" if training else "publicity",
            "mode": "offline" if spec or of_programme or not training else str(mode), "channel": str(channel),
            "programme": programme["code"] if of_programme else "", "target_industry": industry,
            "key_area": industry in key, "supplier_id": f"JG{rng.integers(1, s['suppliers'] + 1):03d}",
            "selection_from": spec.selection_from if spec else "",
            "selection_to": spec.selection_to if spec else "",
        })  # fmt: skip
    return rows


def _amounts(world: World, frame: pd.DataFrame) -> pd.DataFrame:
    """Budget ≥ contract ≥ cost in yuan, and the persons and hours they are meant to pay for."""
    s, rng = settings()["register"], stream(world.seed, "register/amounts")
    n = len(frame)
    budget = s["budget_median"] * np.exp(s["budget_sigma"] * rng.standard_normal(n))
    budget = np.round(np.clip(budget, s["budget_min"], s["budget_max"]), -3)
    contract = np.round(budget * rng.uniform(0.90, 1.0, n), -2)
    cost = np.round(contract * rng.uniform(0.93, 1.0, n), 2)
    kind = np.where(frame["type"] == "training", frame["mode"], "publicity")
    price = pd.Series(kind).map(s["cost_per_person"]).to_numpy()
    hours = pd.Series(kind).map(s["hours"]).to_numpy()
    persons = np.round(budget / price, -1).astype(int)
    return pd.DataFrame({
        "budget": budget, "contract_sum": contract, "actual_cost": cost, "planned_persons": persons,
        "planned_hours": np.where(np.isnan(hours), 0.0, hours)})  # fmt: skip


def _dates(world: World, frame: pd.DataFrame, evaluated: dict[str, ProjectSpec]) -> pd.DataFrame:
    """Days of the eight steps of a project, in order."""
    s, rng, n = settings()["register"], stream(world.seed, "register/dates"), len(frame)
    first = np.array([_first_day(row, evaluated) for row in frame.itertuples()], dtype="datetime64[D]")
    fixed = np.array([r.project_id in evaluated or bool(r.programme) for r in frame.itertuples()])
    started = first + np.where(fixed, rng.integers(4, 40, n), rng.integers(0, 200, n))
    ended = started + np.where(fixed, rng.integers(200, 300, n), rng.integers(60, 200, n))
    late = rng.random(n) < s["late_share"]
    accepted = ended + np.where(late, rng.integers(65, 200, n), rng.integers(12, 58, n))
    contracted = started - rng.integers(8, 35, n)
    approved = contracted - rng.integers(15, 45, n)
    reviewed = approved - rng.integers(7, 25, n)
    applied = reviewed - rng.integers(15, 50, n)
    paid = accepted + rng.integers(8, 60, n)
    days = (applied, reviewed, approved, contracted, started, ended, accepted, paid)
    limit = np.datetime64(settings()["time"]["as_of"])
    return pd.DataFrame({k: np.where(d <= limit, d, np.datetime64("NaT")) for k, d in zip(_STEPS, days)})


def _first_day(row: Any, evaluated: dict[str, ProjectSpec]) -> str:
    """Earliest day of the start: of the start quarter, of the year for the programme, else of March."""
    if row.project_id in evaluated:
        start = evaluated[row.project_id].start
        return f"{start[:4]}-{3 * int(start[5]) - 2:02d}-01"
    return f"{row.fiscal_year}-01-01" if row.programme else f"{row.fiscal_year}-03-01"


def _outcome(world: World, frame: pd.DataFrame) -> pd.DataFrame:
    """Result of the acceptance and the papers on file."""
    s, rng, n = settings()["register"], stream(world.seed, "register/outcome"), len(frame)
    failed = rng.random(n) < s["failed_share"]
    never = rng.random(n) < s["never_passed_share"]
    last = frame["fiscal_year"].to_numpy() == max(s["years"])
    pending = frame["accepted"].isna().to_numpy() | (last & (rng.random(n) < s["pending_share"]))
    result = np.where(failed, np.where(never, "failed", "passed_after_rework"), "passed")
    papers = settings("office")["names"]["papers"]
    there = rng.random((n, len(papers))) >= s["artefact_missing"]
    there[pending, -3:] = False
    joined = ["、".join(p for p, has in zip(papers, row) if has) for row in there]
    return pd.DataFrame({"acceptance": np.where(pending, "pending", result), "artefacts": joined})


def _titles(frame: pd.DataFrame, names: dict[str, str], industries: dict[str, str]) -> list[str]:
    words = settings("office")["names"]
    return [
        words["project"][r.type].format(
            place=names[r.place], year=r.fiscal_year, industry=industries[r.target_industry]
        )
        for r in frame.itertuples()
    ]


def training_summary(world: World, projects: pd.DataFrame) -> pd.DataFrame:
    """Persons, hours, tests and satisfaction of every finished training project."""
    s, rng = settings()["register"], stream(world.seed, "training")
    done = projects[(projects["type"] == "training") & (projects["acceptance"] != "pending")]
    n = len(done)
    persons = np.maximum(np.rint(done["planned_persons"].to_numpy() * rng.uniform(0.9, 1.12, n)).astype(int), 1)
    sat = np.rint(persons * rng.uniform(0.92, 1.0, n)).astype(int)
    rate = np.clip(s["pass_mean"] + s["pass_sd"] * rng.standard_normal(n), 0.7, 1.0)
    before = np.clip(s["pre_mean"] + 5 * rng.standard_normal(n), 40, 80)
    return pd.DataFrame({
        "project_id": done["project_id"].to_numpy(), "place": done["place"].to_numpy(),
        "year": done["fiscal_year"].to_numpy(), "mode": done["mode"].to_numpy(), "persons": persons,
        "person_times": np.rint(persons * rng.uniform(1.0, 1.6, n)).astype(int),
        "hours": (done["planned_hours"].to_numpy() * rng.uniform(0.92, 1.0, n)).round(1), "sat": sat,
        "passed": np.rint(sat * rate).astype(int), "pre_mean": before.round(1),
        "post_mean": np.clip(before + s["gain_mean"] + 3 * rng.standard_normal(n), 0, 98).round(1),
        "satisfaction": np.clip(s["satisfaction_mean"] + 0.15 * rng.standard_normal(n), 3, 5).round(2)})  # fmt: skip
