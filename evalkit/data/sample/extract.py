"""Firm-level extracts of the evaluated projects as canonical frames; people and firms are obviously made up."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .calibrate import settings
from .firms import Firms
from .official import wage_path
from .timeline import project_quarters
from .world import World


def unit_ids(firms: Firms) -> np.ndarray:
    """Unit numbers (n,) in the office's way: city code, year of the project, serial of the firm."""
    return np.array([f"{_head(firms)}{i + 1:05d}" for i in range(len(firms.size))])


def claim_ids(firms: Firms, n: int) -> np.ndarray:
    """Numbers of the first `n` claims of a project, in its order of claims."""
    return np.array([f"SS{_head(firms)}{i + 1:06d}" for i in range(n)])


def _head(firms: Firms) -> str:
    """City code and two digits of the budget year: tells the numbers of a city's projects apart."""
    return f"{firms.spec.place}{firms.spec.start[2:4]}"


def enrolment(world: World) -> pd.DataFrame:
    """Enrolled and eligible firms of every project with their batch; enrolled_from is empty for the latter."""
    words = settings("office")["names"]
    bands = settings()["firm"]["size_bands"]
    frames = []
    for f in world.firms:
        n = np.arange(1, len(f.size) + 1)
        band = np.searchsorted(list(bands.values()), f.insured.mean(axis=1), side="right") - 1
        frames.append(pd.DataFrame({
            "project_id": f.spec.project_id, "unit_id": unit_ids(f),
            "unit_name": [words["firm"].format(place=f.spec.place, n=i) for i in n],
            "place": f.spec.place, "industry": f.spec.industry, "size_band": np.array(list(bands))[band],
            "batch": [f"{f.spec.place}-B{b + 1:02d}" for b in f.batch],
            "enrolled_from": np.where(f.enrolled, f.spec.start, "")}))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def exposure(world: World) -> pd.DataFrame:
    """Mean insured and payroll of every firm and quarter."""
    wage = wage_path()[-3 * len(project_quarters()) :].reshape(-1, 3).mean(axis=1)
    frames = []
    for f in world.firms:
        insured = f.insured + f.special
        n, q = (a.ravel() for a in np.indices(insured.shape))
        frames.append(pd.DataFrame({
            "place": f.spec.place, "unit_id": unit_ids(f)[n], "quarter": np.array(project_quarters())[q],
            "insured": insured.ravel(), "payroll": (3 * insured * wage).round(-2).ravel()}))  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def claim(world: World) -> pd.DataFrame:
    """Claims of the extracts with direct identifiers as a careless export has them; none belongs to a person."""
    frames = [_claims_of(f, c) for f, c in zip(world.firms, world.claims)]
    return pd.concat(frames, ignore_index=True)


def _claims_of(firms: Firms, claims: pd.DataFrame) -> pd.DataFrame:
    words = settings("office")["names"]
    serial = np.arange(1, len(claims) + 1)
    birth = claims["birth_year"].to_numpy()
    return pd.DataFrame(
        {
            "claim_id": claim_ids(firms, len(claims)),
            "person_name": [words["person"].format(n=n) for n in serial],
            "person_id": [f"99{firms.spec.place[:4]}{y}0101{n % 10000:04d}" for y, n in zip(birth, serial)],
            "phone": [f"100{firms.spec.place[2:]}{n % 10000:04d}" for n in serial],
            "unit_id": unit_ids(firms)[claims["firm"]],
            "place": firms.spec.place,
            **{name: claims[name].dt.strftime("%Y-%m-%d") for name in ("injury_date", "apply_date", "decision_date")},
            **{name: claims[name] for name in ("situation", "decision", "grade", "sex", "birth_year")},
        }
    )
