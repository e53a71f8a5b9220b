"""Calibration of the synthetic world: numbers from the data files of this folder, as frozen nouns."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...core import UserError

Level = Literal["project", "city"]
GROUPS: tuple[str, ...] = ("ungraded", "g7_10", "g5_6", "g1_4", "death")
"""Severity groups, mildest first."""
FAMILIES: tuple[str, ...] = (*(f"avertable.{g}" for g in GROUPS), "commute", "other")
"""Columns of every count array: avertable injuries by severity, commuting injuries, the rest."""
N_AVERTABLE = len(GROUPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is true: see `scenarios.toml` for the meaning and unit of every field."""

    name: str
    rate_ratio: float
    fade_months: dict[str, float]
    reporting: float
    select: Literal["random", "high"]
    transitory_sd: float
    trend_gap: dict[str, float]
    lockdown_mean: float
    lockdown_sd: float
    lockdown: tuple[str, ...]
    denominator_step: float
    sizes: dict[str, list[float]]
    size_ratio: tuple[float, ...]

    def ratio_by_size(self, size: np.ndarray, level: Level) -> np.ndarray:
        """First-month rate ratio (n,) of units with `size` (n,) insured."""
        if not self.size_ratio:
            return np.full(len(size), self.rate_ratio)
        steps = np.searchsorted(np.asarray(self.sizes[level], float), size, side="right") - 1
        return np.asarray(self.size_ratio)[steps]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSpec:
    """One evaluated project: where, which industry, when it starts, on which quarters batches were chosen."""

    project_id: str
    place: str
    industry: str
    start: str
    firms: int
    batches: int
    selection_from: str
    selection_to: str


def read_text(name: str) -> str:
    """Text of a data file of this folder."""
    return (files(__package__) / name).read_text("utf-8")


@cache
def settings(name: str = "calibration") -> dict[str, Any]:
    """A toml file of this folder."""
    return tomllib.loads(read_text(f"{name}.toml"))


@cache
def table(name: str) -> pd.DataFrame:
    """A csv file of this folder; codes stay text."""
    with (files(__package__) / f"{name}.csv").open("rb") as handle:
        return pd.read_csv(handle, dtype={"place": str, "grade": str}, keep_default_na=False)


@cache
def scenario(name: str) -> Scenario:
    """A scenario by name. Raises UserError("unknown_scenario") listing the scenarios there are."""
    every = settings("scenarios")
    known = [k for k in every if k != "default"]
    if name not in known:
        raise UserError("unknown_scenario", scenario=name, known=known)
    values = {**every["default"], **every[name]}
    values["lockdown"], values["size_ratio"] = tuple(values["lockdown"]), tuple(values["size_ratio"])
    return Scenario(name=name, **values)


@cache
def project_specs(name: str = "projects") -> tuple[ProjectSpec, ...]:
    """Evaluated projects of a csv file, in file order."""
    return tuple(ProjectSpec(**row) for row in table(name).to_dict("records"))


@cache
def severity() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Joint shares of situation × grade: shares (K,), row of situations.csv (K,), row of grades.csv (K,).

    P(situation, grade) = share × P(death | situation) for deaths and share × (1 − P(death | situation)) ×
    P(grade | survived) otherwise; impossible pairs are left out.
    """
    situations, grades = table("situations"), table("grades")
    death = situations.death.to_numpy(float)
    alive = grades.share.to_numpy(float) * (grades.grade != "death").to_numpy()
    joint = (1 - death)[:, None] * (alive / alive.sum())[None, :]
    joint[:, np.flatnonzero(grades.grade == "death")[0]] = death
    joint *= (situations.share / situations.share.sum()).to_numpy()[:, None]
    rows, columns = np.nonzero(joint)
    return joint[rows, columns], rows, columns


@cache
def pair_family() -> np.ndarray:
    """Family (index into FAMILIES) of every situation × grade pair of `severity`."""
    _, rows, columns = severity()
    family = table("situations").family.to_numpy()[rows]
    group = table("grades").group.to_numpy()[columns]
    names = [f"avertable.{g}" if f == "avertable" else f for f, g in zip(family, group)]
    return np.array([FAMILIES.index(n) for n in names])


@cache
def family_shares() -> np.ndarray:
    """Share of all cases (len(FAMILIES),) that falls into each family."""
    return np.bincount(pair_family(), weights=severity()[0], minlength=len(FAMILIES))


def stream(seed: int, name: str) -> np.random.Generator:
    """Random stream of one part of the world: adding a part does not move the others."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(digest[:8], "little")])
