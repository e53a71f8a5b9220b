"""Single claims of the firms of one project: date, situation, grade, decision; fake people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import model
from .calibrate import FAMILIES, pair_family, settings, severity, stream, table
from .firms import Firms
from .timeline import month_index, months, project_quarters, quarter_index


def draw_claims(seed: int, firms: Firms) -> pd.DataFrame:
    """Recognised injuries of a project's firms that are known at as_of, one row each, by firm and date.

    Columns: firm (index), pair (index of situation × grade), month (index into months()), injury_date,
    apply_date, decision_date (datetime64[D]), decision, situation, grade, sex, birth_year.
    """
    rng = stream(seed, f"{firms.spec.project_id}/claims")
    firm, quarter, family = np.nonzero(firms.counts)
    times = firms.counts[firm, quarter, family]
    firm, quarter, family = (np.repeat(a, times) for a in (firm, quarter, family))
    pair = _pairs(rng, family)
    month, injury = _dates(rng, quarter)
    lag = np.ceil(30.4 * _lag(rng, len(firm))).astype(int)
    decision = injury + np.maximum(lag, 3)
    apply = injury + np.maximum((lag * rng.uniform(0.2, 0.6, len(firm))).astype(int), 1)
    situations, grades = table("situations"), table("grades")
    rows, columns = severity()[1][pair], severity()[2][pair]
    situation = situations.situation.to_numpy()[rows]
    frame = pd.DataFrame(
        {
            "firm": firm, "pair": pair, "month": month, "injury_date": injury, "apply_date": apply,
            "decision_date": decision, "situation": situation, "grade": grades.grade.to_numpy()[columns],
            "decision": np.where(np.char.startswith(situation.astype(str), "15"), "deemed", "recognised"),
            "sex": np.where(rng.random(len(firm)) < settings()["claim"]["male_share"], "male", "female"),
            "birth_year": injury.astype("datetime64[Y]").astype(int) + 1970 - rng.integers(18, 60, len(firm)),
        }
    )  # fmt: skip
    known = frame[decision <= np.datetime64(settings()["time"]["as_of"])]
    return known.sort_values(["firm", "injury_date", "pair"], kind="stable", ignore_index=True)


def count_pairs(claims: pd.DataFrame) -> np.ndarray:
    """Claims by month and situation × grade pair (M, K)."""
    out = np.zeros((len(months()), len(severity()[0])), dtype=np.int64)
    np.add.at(out, (claims["month"].to_numpy(), claims["pair"].to_numpy()), 1)
    return out


def _pairs(rng: np.random.Generator, family: np.ndarray) -> np.ndarray:
    """A situation × grade pair for each injury of a family."""
    share, pair = severity()[0], np.zeros(len(family), dtype=np.int64)
    for k in range(len(FAMILIES)):
        mine, options = family == k, np.flatnonzero(pair_family() == k)
        pair[mine] = rng.choice(options, mine.sum(), p=share[options] / share[options].sum())
    return pair


def _dates(rng: np.random.Generator, quarter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Month (index into months()) and day of injuries in quarters of the extract, by the season within it."""
    first = quarter_index(project_quarters()[0]) * 3 - month_index(months()[0])
    season = model.rate_path()[first:].reshape(-1, 3)
    edges = np.cumsum(season / season.sum(axis=1, keepdims=True), axis=1)
    u = rng.random(len(quarter))
    month = first + 3 * quarter + (u[:, None] > edges[quarter, :2]).sum(axis=1)
    start = np.array(months(), dtype="datetime64[M]")[month]
    length = ((start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")).astype(int)
    return month, start.astype("datetime64[D]") + (rng.random(len(quarter)) * length).astype(int)


def _lag(rng: np.random.Generator, n: int) -> np.ndarray:
    """Months from injury to recognition."""
    lag = settings()["lag"]
    return np.interp(rng.random(n), lag["known"], lag["months"])
