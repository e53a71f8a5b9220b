"""The whole province in memory: cells, firms of the evaluated projects, their claims, and what is true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from . import base, model
from .calibrate import (
    FAMILIES,
    N_AVERTABLE,
    family_shares,
    pair_family,
    project_specs,
    scenario,
    settings,
    severity,
    stream,
)
from .cells import Cells, draw_cells
from .claims import count_pairs, draw_claims
from .fast import city_truth, project_truth
from .firms import CityProgramme, Firms, draw_firms, realise, world_columns
from .timeline import months, project_quarters, to_quarters


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything the office files are written from.

    cells   insured and rates;  firms one entry per evaluated project;  claims one frame per project
    remainder (P, I, M, K) recognised cases outside the extracts by situation × grade pair of `severity`
    extract   (P, I, M, K) the same inside the extracts: official totals are the sum
    special   (P, I, M) insured people without a labour relation, extracts included
    """

    seed: int
    scenario: str
    cells: Cells
    firms: tuple[Firms, ...]
    claims: tuple[pd.DataFrame, ...]
    remainder: np.ndarray
    extract: np.ndarray
    special: np.ndarray
    truth: dict[str, Any]


def draw_world(seed: int, scenario_name: str, n_projects: int) -> World:
    """Draw the province with the firms of the first `n_projects` projects. Raises UserError("unknown_scenario")."""
    truth = scenario(scenario_name)
    cells = draw_cells(seed, truth)
    firms = tuple(draw_firms(seed, s, truth, city_programme(cells, s)) for s in project_specs()[:n_projects])
    inside, special = _firm_insured(cells, firms)
    if (cells.insured < inside).any():
        raise ValueError("the firms of the extracts outnumber a cell")
    claims = tuple(draw_claims(seed, f) for f in firms)
    expected = (cells.at_risk - inside) * cells.rate
    return World(
        seed=seed, scenario=scenario_name, cells=cells, firms=firms, claims=claims,
        remainder=_remainder(seed, cells, expected), extract=_extract(cells, firms, claims),
        special=cells.special + special, truth=_truth(cells, firms, expected),
    )  # fmt: skip


def city_programme(cells: Cells, spec: Any) -> CityProgramme:
    """What the city does to the firms of a project, by quarter of the extract."""
    p, i = base.places().index(spec.place), cells.industries.index(spec.industry)
    last = world_columns()
    return CityProgramme(
        shock=cells.shock[p, i, last],
        ratio=to_quarters(cells.ratio[p, i], 0)[last] / 3,
        reporting=to_quarters(cells.reporting[p, i], 0)[last] / 3,
    )


def _where(cells: Cells, firms: Firms) -> tuple[int, int]:
    return base.places().index(firms.spec.place), cells.industries.index(firms.spec.industry)


def _by_month(quarterly: np.ndarray) -> np.ndarray:
    """Quarterly values of the extract (Q,) repeated by month of the world (M,), zero before the extract."""
    out = np.zeros(len(months()), dtype=quarterly.dtype)
    out[-3 * len(project_quarters()) :] = np.repeat(quarterly, 3)
    return out


def _firm_insured(cells: Cells, firms: tuple[Firms, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Employees and people without a labour relation (P, I, M) inside the extracts."""
    inside, special = np.zeros_like(cells.insured), np.zeros_like(cells.insured)
    for f in firms:
        inside[_where(cells, f)] += _by_month(f.insured.sum(axis=0))
        special[_where(cells, f)] += _by_month(f.special.sum(axis=0))
    return inside, special


def _remainder(seed: int, cells: Cells, expected: np.ndarray) -> np.ndarray:
    """Recognised cases (P, I, M, K) outside the extracts, known at as_of."""
    share, family = severity()[0], pair_family()
    out = np.zeros((*expected.shape, len(share)), dtype=np.int64)
    for i, name in enumerate(cells.industries):
        mu = expected[:, i]
        untreated = stream(seed, f"remainder/{name}/counts").poisson(mu[:, :, None] * family_shares())
        ratio = cells.ratio[:, i]
        avertable = mu * family_shares()[:N_AVERTABLE].sum() * ratio
        effect = stream(seed, f"remainder/{name}/effect")
        counts = realise(effect, untreated, ratio, cells.reporting[:, i], avertable)
        rng = stream(seed, f"remainder/{name}/pairs")
        for k in range(len(FAMILIES)):
            mine = family == k
            out[:, i, :, mine] = np.moveaxis(rng.multinomial(counts[:, :, k], share[mine] / share[mine].sum()), -1, 0)
        out[:, i] = rng.binomial(out[:, i], model.completeness()[None, :, None])
    return out


def _extract(cells: Cells, firms: tuple[Firms, ...], claims: tuple[pd.DataFrame, ...]) -> np.ndarray:
    out = np.zeros((*cells.insured.shape, len(severity()[0])), dtype=np.int64)
    for f, c in zip(firms, claims):
        out[_where(cells, f)] += count_pairs(c)
    return out


def _truth(cells: Cells, firms: tuple[Firms, ...], expected: np.ndarray) -> dict[str, Any]:
    """Truth of every project and of the city programme."""
    programme = settings()["programme"]
    here = cells.industries.index(programme["industry"])
    avertable = expected[:, here] * family_shares()[:N_AVERTABLE].sum()
    for f in firms:
        if f.spec.industry == programme["industry"]:
            without = (f.expected * f.ratio).sum(axis=0) / city_programme(cells, f.spec).ratio
            avertable[base.places().index(f.spec.place)] += _by_month(without / 3)
    adopters = [p for p, a in zip(base.places(), cells.adopter) if a]
    city = {"places": adopters, "industry": programme["industry"], "start": programme["start"]}
    return {
        "projects": {f.spec.project_id: _project_facts(f) for f in firms},
        "programmes": {programme["code"]: {**city, **city_truth(cells, avertable)}},
    }


def _project_facts(f: Firms) -> dict[str, Any]:
    counts = {"firms": len(f.size), "enrolled": int(f.enrolled.sum()), "batches": f.spec.batches}
    facts = {"place": f.spec.place, "industry": f.spec.industry, "start": f.spec.start}
    return {**facts, **counts, **project_truth(f)}
