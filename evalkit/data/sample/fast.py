"""The same world without files: one project, or the city programme, as a Panel with its truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import NEVER, Panel
from . import base
from .calibrate import FAMILIES, N_AVERTABLE, family_shares, project_specs, scenario, settings, stream
from .cells import Cells, draw_cells
from .firms import Firms, draw_firms, from_start, realise
from .timeline import n_mature, project_quarters, quarters, to_quarters
from .truth import truth_of


def simulate_project(seed: int, scenario_name: str = "effect") -> tuple[Panel, dict[str, Any]]:
    """Panel of one project (firm × quarter, mature quarters only) and its truth; no files.

    Primary outcome "avertable" (cases), then its severity groups and "commute" (negative control); exposure in
    person-years; cluster = park or association batch. Truth: see `truth.truth_of`. For Monte Carlo studies, not
    for demonstration: firms have no names. Raises UserError("unknown_scenario").
    """
    firms = draw_firms(seed, project_specs("reference_project")[0], scenario(scenario_name))
    return project_panel(firms), project_truth(firms)


def simulate_city(seed: int, scenario_name: str = "effect") -> tuple[Panel, dict[str, Any]]:
    """Panel of the city programme (city × quarter of its industry, mature quarters only) and its truth; no files.

    Same outcomes as `simulate_project`; exposure is mean monthly insured × 0.25 person-years; cluster = city.
    Raises UserError("unknown_scenario").
    """
    cells = draw_cells(seed, scenario(scenario_name), [settings()["programme"]["industry"]])
    expected = (cells.at_risk * cells.rate)[:, 0]
    untreated = stream(seed, "fast/counts").poisson(expected[:, :, None] * family_shares())
    avertable = expected * family_shares()[:N_AVERTABLE].sum()
    ratio, reporting = cells.ratio[:, 0], cells.reporting[:, 0]
    counts = realise(stream(seed, "fast/effect"), untreated, ratio, reporting, avertable * ratio)
    insured = to_quarters((cells.insured + cells.special)[:, 0], 1) / 3
    return _city_panel(cells, to_quarters(counts, 1), 0.25 * insured), city_truth(cells, avertable)


def project_panel(firms: Firms) -> Panel:
    """The panel of a project's firms over mature quarters."""
    labels = project_quarters()
    keep = n_mature(labels[0])
    start = labels.index(firms.spec.start)
    return Panel(
        units=tuple(f"u{i + 1:04d}" for i in range(len(firms.size))),
        times=labels[:keep],
        outcomes=_outcomes(firms.counts[:, :keep]),
        exposure=firms.exposure[:, :keep],
        cohort=np.where(firms.enrolled, start, NEVER),
        cluster=firms.batch,
        cluster_names=tuple(f"b{i + 1:02d}" for i in range(firms.spec.batches)),
        frequency="quarter", exposure_unit="person_years", outcome_unit="cases", synthetic=True,
    )  # fmt: skip


def project_truth(firms: Firms) -> dict[str, Any]:
    """Truth of a project over its mature quarters after the start."""
    treated = firms.enrolled[:, None] & _mature_post(firms.spec.start, project_quarters())
    return truth_of(firms.expected, firms.ratio, firms.reporting, treated)


def city_truth(cells: Cells, avertable: np.ndarray) -> dict[str, Any]:
    """Truth of the city programme; avertable (P, M) injuries expected without it in its industry."""
    start, here = (
        settings()["programme"]["start"],
        cells.industries.index(settings()["programme"]["industry"]),
    )
    post = np.repeat(_mature_post(start, quarters()), 3)
    return truth_of(avertable, cells.ratio[:, here], cells.reporting[:, here], cells.adopter[:, None] & post)


def _city_panel(cells: Cells, counts: np.ndarray, exposure: np.ndarray) -> Panel:
    labels = quarters()
    keep, start = n_mature(), labels.index(settings()["programme"]["start"])
    return Panel(
        units=base.places(), times=labels[:keep], outcomes=_outcomes(counts[:, :keep]), exposure=exposure[:, :keep],
        cohort=np.where(cells.adopter, start, NEVER), cluster=np.arange(len(base.places())),
        cluster_names=base.places(), frequency="quarter", exposure_unit="person_years", outcome_unit="cases",
        synthetic=True,
    )  # fmt: skip


def _outcomes(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Outcomes by name from counts (n, T, F): all avertable injuries first."""
    by_name = {name: counts[:, :, k].astype(float) for k, name in enumerate(FAMILIES) if name != "other"}
    return {"avertable": counts[:, :, :N_AVERTABLE].sum(axis=2).astype(float), **by_name}


def _mature_post(start: str, labels: tuple[str, ...]) -> np.ndarray:
    return from_start(start, labels) & (np.arange(len(labels)) < n_mature(labels[0]))
