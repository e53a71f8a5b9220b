"""Cells of the official tables: city × industry × month, with the city programme in one industry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import base, model
from .calibrate import Scenario, settings, stream, table
from .firms import from_start
from .timeline import months, quarters


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Cells of some industries; P cities, I industries, M months, Q quarters.

    insured, special (P, I, M) insured employees and people without a labour relation
    at_risk  (P, I, M) employees plus people without a labour relation, the latter weighted with their risk
    rate     (P, I, M) injuries expected per head at risk and month without the programme, shocks included
    shock    (P, I, Q) log-rate shocks inside `rate`
    adopter  (P,) True for cities with the programme
    ratio, reporting (P, I, M) of avertable and of ungraded avertable injuries through the programme
    """

    industries: tuple[str, ...]
    insured: np.ndarray
    special: np.ndarray
    at_risk: np.ndarray
    rate: np.ndarray
    shock: np.ndarray
    adopter: np.ndarray
    ratio: np.ndarray
    reporting: np.ndarray


def draw_cells(seed: int, truth: Scenario, industries: Sequence[str] | None = None) -> Cells:
    """Draw the cells of `industries` (default: all). A cell does not depend on which others are drawn."""
    names = tuple(industries or base.industries())
    pick = [base.industries().index(i) for i in names]
    here = names.index(settings()["programme"]["industry"])
    shock = _shocks(seed, names)
    shock[:, here] += _programme_shock(seed, truth)
    adopter = _adopters(truth, shock[:, here])
    shock[:, here] += model.trend_gap(truth, "city", adopter, quarters())
    insured = _insured(seed, names, pick)
    usual = _special(insured, pick)
    treated = np.zeros(insured.shape, dtype=bool)
    after = from_start(settings()["programme"]["start"], quarters())
    treated[:, here] = adopter[:, None] & np.repeat(after, 3)
    step = np.rint(insured * truth.denominator_step * treated).astype(np.int64)
    rate = base.base_rate()[:, pick, None] / 12 * model.rate_path() * np.exp(np.repeat(shock, 3, axis=2))
    return Cells(
        industries=names, insured=insured, special=usual + step, rate=rate, shock=shock, adopter=adopter,
        at_risk=insured + settings()["insured"]["special"]["risk"] * usual,
        ratio=_ratio(truth, adopter, here, insured.shape), reporting=np.where(treated, truth.reporting, 1.0),
    )  # fmt: skip


def _shocks(seed: int, names: Sequence[str]) -> np.ndarray:
    """AR(1) shocks (P, I, Q): a part of the city and a part of its own for every industry."""
    s, n = settings()["rate"], len(base.places())

    def path(name: str) -> np.ndarray:
        return model.ar1(stream(seed, f"shock/{name}"), n, len(quarters()), s["shock_sd"], s["shock_rho"])

    own = np.stack([path(i) for i in names], axis=1)
    return np.sqrt(s["shock_common"]) * path("city")[:, None] + np.sqrt(1 - s["shock_common"]) * own


def _programme_shock(seed: int, truth: Scenario) -> np.ndarray:
    p = settings()["programme"]
    window = (p["selection_from"], p["selection_to"])
    return model.scenario_shock(stream(seed, "shock/scenario"), len(base.places()), quarters(), truth, window)


def _adopters(truth: Scenario, shock: np.ndarray) -> np.ndarray:
    """The cities of cities.csv, or those whose rate stood highest above its usual level in the window."""
    p = settings()["programme"]
    if truth.select == "random":
        return table("cities").adopter.to_numpy() == 1
    inside = model.window_columns(quarters(), (p["selection_from"], p["selection_to"]))
    return model.high_units(shock[:, inside].mean(axis=1), p["adopters"])


def _insured(seed: int, names: Sequence[str], pick: Sequence[int]) -> np.ndarray:
    """Insured employees (P, I, M): growth and a small noise that is drawn for each industry apart."""
    sd, shape = settings()["insured"]["wave_sd"], (len(base.places()), len(months()))
    noise = np.stack([stream(seed, f"insured/{i}").standard_normal(shape) for i in names], axis=1)
    level = base.base_insured()[:, pick, None] * model.growth_path()
    return np.rint(level * np.exp(sd * noise)).astype(np.int64)


def _special(insured: np.ndarray, pick: Sequence[int]) -> np.ndarray:
    """People without a labour relation (P, I, M), from the month in which they could be insured."""
    s = settings()["insured"]["special"]
    total = base.base_insured().sum(axis=1)[:, None, None] * model.growth_path()
    from_month = np.array([m >= s["from"] for m in months()])
    level = total * base.special_share()[pick][None, :, None] * from_month
    return np.broadcast_to(np.rint(level), insured.shape).astype(np.int64)


def _ratio(truth: Scenario, adopter: np.ndarray, here: int, shape: tuple[int, ...]) -> np.ndarray:
    first = truth.ratio_by_size(table("cities").insured.to_numpy(float), "city")
    left = model.effect_path(truth, "city", settings()["programme"]["start"], quarters())
    ratio = np.ones(shape)
    ratio[:, here] = np.repeat(model.injury_ratio(first, adopter, left), 3, axis=1)
    return ratio
