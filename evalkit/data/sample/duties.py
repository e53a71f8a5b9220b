"""Coverage of key posts, activities and progress of the plan's measures, as canonical frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from . import base
from .calibrate import settings, stream
from .office import key_industries, plan_table
from .official import PROVINCE
from .world import World


def roster_summary(world: World) -> pd.DataFrame:
    """People of key posts and those with a valid pass, by city, post, key industry and end of year."""
    s, rows = settings()["duty"], []
    years = settings()["register"]["years"]
    for p, place in enumerate(base.places()):
        rng = stream(world.seed, f"roster/{place}")
        level = s["coverage_sd"] * rng.standard_normal()
        for industry in key_industries():
            i = base.industries().index(industry)
            for role, share in s["heads_per_insured"].items():
                heads = max(int(base.base_insured()[p, i] * share), 3)
                for year in years:
                    goal = s["coverage"][str(year)]
                    logit = np.log(goal / (1 - goal)) + level + 0.2 * rng.standard_normal()
                    passed = int(rng.binomial(heads, 1 / (1 + np.exp(-logit))))
                    rows.append((place, role, industry, f"{year}-12-31", heads, passed))
    return pd.DataFrame(rows, columns=["place", "role", "industry", "date", "roster", "passed"])


def activity(world: World) -> pd.DataFrame:
    """Meetings, campaigns and visits of every place and year; one city misses a joint meeting."""
    rows = [row for place in (*base.places(), PROVINCE) for year in settings()["register"]["years"]
            for row in _activities(world, place, year)]  # fmt: skip
    return pd.DataFrame(rows)


def _activities(world: World, place: str, year: int) -> list[dict[str, Any]]:
    rng, missed = stream(world.seed, f"activity/{place}/{year}"), settings()["duty"]["no_meeting"]
    rows: list[dict[str, Any]] = []
    for kind in settings("office")["activities"]:
        if kind["kind"] == "joint_meeting" and (place, year) == (missed["place"], missed["year"]):
            continue
        if kind.get("bay") and not _in_bay(place):
            continue
        month, persons = int(kind["month"]), int(kind["persons"])
        rows.append({
            "activity_id": f"HD{place}-{year}-{len(rows) + 1:02d}", "place": place,
            "date": f"{year}-{month:02d}-{rng.integers(1, 29):02d}", "kind": kind["kind"],
            "venue": kind.get("venue", "none"), "lead_dept": kind["lead"],
            "persons": int(rng.poisson(persons)), "firms": int(rng.poisson(kind["firms"])),
            "cost": float(np.round(kind["cost"] * rng.uniform(0.5, 1.5), 2))})  # fmt: skip
    return rows


def _in_bay(place: str) -> bool:
    cities = plan_table("places")
    return place == PROVINCE or bool(cities.loc[cities.place == place, "gba"].iloc[0] == 1)


def measure_status(world: World) -> pd.DataFrame:
    """State of every measure at the end of every year, for cities and for the provincial level."""
    s, years = settings()["duty"], settings()["register"]["years"]
    rows = []
    for place in (*base.places(), PROVINCE):
        rng = stream(world.seed, f"measures/{place}")
        for number in range(1, s["measures"] + 1):
            done = _done_date(rng, place, number)
            rows += [_status(rng, place, number, year, done) for year in years]
    return pd.DataFrame(rows)


def _done_date(rng: np.random.Generator, place: str, number: int) -> str | None:
    """Day on which a measure that is done once was done; None for yearly duties."""
    s = settings()["duty"]
    if number in s["provincial_measures"]:
        return s["provincial_done"][str(number)]
    if number not in s["once_measures"]:
        return None
    year = s["due_year"][str(number)] + int(rng.random() < 0.12) - int(rng.random() < 0.4)
    return f"{year}-{rng.integers(3, 13):02d}-{rng.integers(1, 28):02d}"


def _status(rng: np.random.Generator, place: str, number: int, year: int, done: str | None) -> dict[str, Any]:
    s = settings()["duty"]
    row: dict[str, Any] = {"place": place, "measure_no": number, "year": year, "done_date": "", "doc_no": ""}
    away = number in s["provincial_measures"] and place != PROVINCE
    away = away or (number == s["bay_measure"] and not _in_bay(place))
    if away:
        return {**row, "status": "not_applicable", "evidence_ref": ""}
    due = s["due_year"].get(str(number), year)
    if done is None:
        slipped = rng.random() < s["slip_share"]
        row |= {"status": "in_progress" if slipped else "done"}
        row |= {"done_date": "" if slipped else f"{year}-{rng.integers(6, 13):02d}-{rng.integers(1, 29):02d}"}
    elif done[:4] <= str(year):
        row |= {"status": "done" if int(done[:4]) <= due else "done_late", "done_date": done}
        row |= {"doc_no": settings("office")["names"]["document"].format(year=done[:4], n=number)}
    else:
        row |= {"status": "overdue" if year >= due else "in_progress" if year >= due - 1 else "not_started"}
    evidence = settings("office")["names"]["evidence"].format(n=number, year=year) if row["done_date"] else ""
    return {**row, "evidence_ref": evidence}
