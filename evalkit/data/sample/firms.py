"""Firms of one project: batches, frailty, exposure, potential and realised injuries.

Injuries without any programme are drawn first; those of treated cells are then thinned with the rate ratio. So
every scenario of a seed starts from the same world, and truth is known on expectations.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from . import base, model
from .calibrate import N_AVERTABLE, ProjectSpec, Scenario, family_shares, settings, stream
from .timeline import project_quarters, quarter_index, quarters


@dataclass(frozen=True, slots=True, kw_only=True)
class CityProgramme:
    """What a city does to all firms of one of its industries, by quarter of the extract (Q,)."""

    shock: np.ndarray
    ratio: np.ndarray
    reporting: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Firms:
    """All firms of a project over the quarters of the extract; n firms, Q quarters, F families of injuries.

    size      (n,) employees in the reference month;  batch (n,) index of the batch;  enrolled (n,) True if trained
    insured   (n, Q) insured employees;  special (n, Q) insured people without a labour relation
    expected  (n, Q) avertable injuries expected without the project, city programme included
    ratio     (n, Q) rate ratio of avertable injuries through the project;  reporting (n, Q) of ungraded ones
    counts    (n, Q, F) injuries that are recorded in the end
    """

    spec: ProjectSpec
    size: np.ndarray
    batch: np.ndarray
    enrolled: np.ndarray
    insured: np.ndarray
    special: np.ndarray
    expected: np.ndarray
    ratio: np.ndarray
    reporting: np.ndarray
    counts: np.ndarray

    @property
    def exposure(self) -> np.ndarray:
        """Person-years (n, Q)."""
        return 0.25 * (self.insured + self.special)


def draw_firms(seed: int, spec: ProjectSpec, truth: Scenario, city: CityProgramme | None = None) -> Firms:
    """Draw the firms of a project; without `city` a city shock of its own and no programme of the city."""
    labels = project_quarters()
    city = city or no_city_programme(seed, spec)
    size, batch, by_batch = _sizes(seed, spec), _batches(seed, spec), _random_batches(seed, spec)
    insured = _insured(seed, spec, size)
    log_rate = (_batch_shock(seed, spec, truth) + model.trend_gap(truth, "project", by_batch, labels))[batch]
    expected = _expected(seed, spec, insured) * np.exp(log_rate + city.shock)
    untreated = stream(seed, f"{spec.project_id}/counts").poisson(expected[:, :, None] * family_shares())
    if truth.select == "high":
        by_batch = _high_batches(spec, untreated, insured, batch)
    enrolled = by_batch[batch]
    ratio = model.injury_ratio(
        truth.ratio_by_size(size, "project"),
        enrolled,
        model.effect_path(truth, "project", spec.start, labels),
    )
    treated = enrolled[:, None] & from_start(spec.start, labels)[None, :]
    reporting = np.where(treated, truth.reporting, 1.0)
    avertable = expected * family_shares()[:N_AVERTABLE].sum() * city.ratio
    counts = realise(
        stream(seed, f"{spec.project_id}/effect"), untreated, ratio * city.ratio, reporting * city.reporting,
        avertable * ratio,
    )  # fmt: skip
    special = np.rint(insured * truth.denominator_step * treated).astype(np.int64)
    return Firms(
        spec=spec, size=size, batch=batch, enrolled=enrolled, insured=insured, special=special, expected=avertable,
        ratio=ratio, reporting=reporting, counts=counts,
    )  # fmt: skip


def no_city_programme(seed: int, spec: ProjectSpec) -> CityProgramme:
    """A city with an industry shock and no programme."""
    s, n = settings()["rate"], len(project_quarters())
    shock = model.ar1(stream(seed, f"{spec.project_id}/city"), 1, n, s["shock_sd"], s["shock_rho"])[0]
    return CityProgramme(shock=shock, ratio=np.ones(n), reporting=np.ones(n))


def from_start(start: str, labels: tuple[str, ...]) -> np.ndarray:
    """(Q,) True from the start quarter on."""
    return np.array([quarter_index(q) >= quarter_index(start) for q in labels])


def realise(
    rng: np.random.Generator,
    untreated: np.ndarray,
    ratio: np.ndarray,
    reporting: np.ndarray,
    avertable: np.ndarray,
) -> np.ndarray:
    """Recorded injuries (..., F): avertable ones thinned with `ratio`, ungraded ones inflated by `reporting`.

    avertable (...) are the expected avertable injuries under the programme. Poisson(μ) thinned with r is
    Poisson(r μ), so a ratio of 1 leaves every count as it was.
    """
    counts = untreated.copy()
    touched = ratio < 1
    thinned = rng.binomial(counts[touched][:, :N_AVERTABLE], ratio[touched][:, None])
    counts[touched, :N_AVERTABLE] = thinned
    share = family_shares()[0] / family_shares()[:N_AVERTABLE].sum()
    more = reporting > 1
    counts[more, 0] += rng.poisson(((reporting - 1) * avertable * share)[more])
    return counts


def _sizes(seed: int, spec: ProjectSpec) -> np.ndarray:
    s, rng = settings()["firm"], stream(seed, f"{spec.project_id}/size")
    size = np.exp(np.log(s["size_median"]) + s["size_sigma"] * rng.standard_normal(spec.firms))
    size = np.clip(size, s["size_min"], s["size_max"])
    room = s["city_share_max"] * base.cell(base.base_insured(), spec.place, spec.industry)
    return np.maximum(size * min(1.0, room / size.sum()), s["size_min"])


def _batches(seed: int, spec: ProjectSpec) -> np.ndarray:
    return stream(seed, f"{spec.project_id}/batch").permutation(spec.firms) % spec.batches


def _random_batches(seed: int, spec: ProjectSpec) -> np.ndarray:
    order = stream(seed, f"{spec.project_id}/enrolment").permutation(spec.batches)
    return order < _n_enrolled(spec)


def _n_enrolled(spec: ProjectSpec) -> int:
    return round(spec.batches * settings()["firm"]["enrolled_share"])


def _high_batches(spec: ProjectSpec, untreated: np.ndarray, insured: np.ndarray, batch: np.ndarray) -> np.ndarray:
    inside = model.window_columns(project_quarters(), (spec.selection_from, spec.selection_to))
    cases = np.bincount(batch, untreated[:, inside].sum(axis=(1, 2)), spec.batches)
    return model.high_units(cases / np.bincount(batch, insured[:, inside].sum(axis=1)), _n_enrolled(spec))


def _batch_shock(seed: int, spec: ProjectSpec, truth: Scenario) -> np.ndarray:
    s, labels = settings()["firm"], project_quarters()
    usual = model.ar1(
        stream(seed, f"{spec.project_id}/shock"), spec.batches, len(labels), s["batch_sd"], s["batch_rho"]
    )
    extra = model.scenario_shock(
        stream(seed, f"{spec.project_id}/scenario"), spec.batches, labels, truth,
        (spec.selection_from, spec.selection_to),
    )  # fmt: skip
    return usual + extra


@cache
def _paths() -> tuple[np.ndarray, np.ndarray]:
    """Growth of employees and rate relative to the reference, by quarter of the extract."""
    n = len(project_quarters())
    growth = model.growth_path().reshape(-1, 3).mean(axis=1)
    return growth[-n:], model.quarterly_rate_path()[-n:]


def _insured(seed: int, spec: ProjectSpec, size: np.ndarray) -> np.ndarray:
    s, n = settings()["firm"], len(project_quarters())
    steps = stream(seed, f"{spec.project_id}/insured").standard_normal((spec.firms, n)) * s["size_walk_sd"]
    walk = np.cumsum(steps, axis=1)
    return np.maximum(np.rint(size[:, None] * _paths()[0] * np.exp(walk - walk.mean(axis=1)[:, None])), 1).astype(
        np.int64
    )


def _expected(seed: int, spec: ProjectSpec, insured: np.ndarray) -> np.ndarray:
    """Injuries of all kinds (n, Q) at the city's rate, the firm's frailty and the quarter's season."""
    var = settings()["firm"]["frailty_var"]
    frailty = stream(seed, f"{spec.project_id}/frailty").gamma(1 / var, var, spec.firms)
    rate = base.cell(base.base_rate(), spec.place, spec.industry)
    return insured * (0.25 * rate) * frailty[:, None] * _paths()[1]


def world_columns() -> slice:
    """Columns of the world's quarters that the extract covers."""
    return slice(len(quarters()) - len(project_quarters()), None)
