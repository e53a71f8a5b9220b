"""For whom: injuries averted by size and risk class of the firm, by sex and age of the injured.

Groups of firms are estimated among themselves. Groups of people split the cases, not the insured: their exposure is not
known by sex or age, so every group keeps the exposure of its firms and its ratio is one of cases. Migrant workers are
told apart where the offices' claims say who is one (optional column `worker`); where they do not, the table says so.
Equity weights are never applied.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import did
from ..core import Design, Exhibit, Message, Panel, UserError
from ..data.check import quarter_of, recognised
from .build import column, message, table
from .case import Case
from .disclosure import counts_hidden, masked, threshold
from .effects import interval, ratio
from .evaluation import PRIMARY, headline

if TYPE_CHECKING:
    from .evaluation import Evaluation

FEWEST_FIRMS = 10
"""Enrolled firms below which nothing about a group of firms is printed."""
SIZES = ("micro", "small", "medium", "large")
COLUMNS = (
    column("group_by", "message"),
    column("group", "message"),
    column("enrolled_firms", "int"),
    column("observed", "number", 0),
    column("mu0", "number", 1),
    column("averted", "number", 1),
    column("interval", "interval", 1),
    column("rate_ratio", "number", 3),
)


def group_table(case: Case, ev: Evaluation) -> Exhibit | None:
    """One row per group; None where no dimension has two groups."""
    rows: list[list[Any]] = []
    hiding = False
    for dimension, panels in (*firm_groups(case, ev.panel), *people_groups(case, ev.panel)):
        if len(panels) < 2:
            continue
        own = [[*labels(case, dimension, name), *group_cells(p, ev.design)] for name, p in panels.items()]
        hidden = hidden_groups(case, own)
        hiding |= any(hidden)
        rows += [masked(row, hide, (3, 4, 5, 6, 7)) for row, hide in zip(own, hidden)]
    if not rows:
        return None
    notes = [message("note.groups"), message("note.averted_reading")]
    if not any(row[0].key == "group_by.worker" for row in rows):
        notes.append(message("note.no_migrants"))
    if hiding:
        notes.append(message("note.suppressed", threshold=threshold(case)))
    return table(case, "economics_groups", COLUMNS, rows, source="model", notes=notes)


def hidden_groups(case: Case, rows: list[list[Any]]) -> list[bool]:
    """Groups with too few cases or firms, and whatever the total would give back."""
    return counts_hidden(case, [row[3] for row in rows], also=[row[2] < FEWEST_FIRMS for row in rows])


def firm_groups(case: Case, panel: Panel) -> list[tuple[str, dict[str, Panel]]]:
    """Dimension → group → panel of its firms."""
    enrolled = case.tables["enrolment"].query("project_id == @case.project").set_index("unit_id")
    out = []
    for dimension, frame, name in (
        ("size_band", enrolled, "size_band"),
        ("risk_class", case.tables.get("enterprise", pd.DataFrame(columns=["unit_id"])), "risk_class"),
    ):
        if name not in frame.columns:
            continue
        keyed = frame if frame.index.name == "unit_id" else frame.set_index("unit_id")
        label = pd.Series(panel.units).map(keyed[name]).dropna().astype(str).str.removesuffix(".0")
        known = sorted(label.unique(), key=lambda g: (SIZES.index(g) if g in SIZES else 0, g))
        members = {g: np.isin(np.arange(panel.n_units), label.index[label == g]) for g in known}
        out.append((dimension, {g: _firms(panel, m) for g, m in members.items()}))
    return out


def people_groups(case: Case, panel: Panel) -> list[tuple[str, dict[str, Panel]]]:
    """Dimension → group → panel of all firms with the cases of that group alone."""
    claims = case.tables["claim"]
    own = claims[recognised(claims) & claims.situation.isin(case.plan.settings["avertable_situations"])]
    when, (young, middle) = pd.to_datetime(own.injury_date), case.plan.settings["age_bands"]
    age = when.dt.year - own.birth_year if "birth_year" in own else pd.Series(np.nan, index=own.index)
    band = np.select([age.isna(), age < young, age < middle], ["", "young", "middle"], "older")
    sex = own.sex if "sex" in own else pd.Series(None, index=own.index, dtype=object)
    quarter = quarter_of(own.injury_date)
    worker = own.worker if "worker" in own else pd.Series(None, index=own.index, dtype=object)
    out = []
    for dimension, label, known in (
        ("sex", sex.astype(object), ("female", "male")),
        ("age", pd.Series(band, index=own.index), ("young", "middle", "older")),
        ("worker", worker.astype(object), ("migrant", "other")),
    ):
        found = {g: _cases(panel, own.unit_id[label == g], quarter[label == g]) for g in known if (label == g).any()}
        if found:
            out.append((dimension, {g: replace(panel, outcomes={PRIMARY: y}) for g, y in found.items()}))
    return out


def labels(case: Case, dimension: str, name: str) -> list[Message]:
    """Dimension and group in words."""
    by = message(f"group_by.{dimension}")
    if dimension == "risk_class":
        return [by, message("name.plain", name=name)]
    if dimension != "age":
        return [by, message(f"{dimension}.{name}")]
    young, middle = case.plan.settings["age_bands"]
    return [by, message(f"age.{name}", young=young, middle=middle, last=middle - 1)]


def group_cells(panel: Panel, design: Design) -> list[Any]:
    """Cells of `COLUMNS` after the labels; counts alone where the group carries no estimate."""
    cases, firms = panel.outcomes[PRIMARY], int(panel.ever_treated.sum())
    try:
        path = headline(panel, replace(design, outcomes=(PRIMARY,)))
        averted = did.inference(path.averted(), panel).effects()[0]
        assert path.mu0 is not None and path.observed is not None
        counts = [float(path.observed[0]), float(path.mu0[0])]
        return [firms, *counts, averted.estimate, interval(averted), ratio(path.effects()[0])]
    except (UserError, ValueError):
        return [firms, float(np.nansum(cases[panel.treated])), None, None, None, None]


def _firms(panel: Panel, members: np.ndarray) -> Panel:
    """The panel of some of its units, clusters numbered anew."""
    codes, cluster = np.unique(panel.cluster[members], return_inverse=True)
    return replace(
        panel,
        units=tuple(u for u, m in zip(panel.units, members) if m),
        outcomes={PRIMARY: panel.outcomes[PRIMARY][members]},
        exposure=None if panel.exposure is None else panel.exposure[members],
        completeness=None if panel.completeness is None else panel.completeness[members],
        cohort=panel.cohort[members],
        cluster=cluster,
        cluster_names=tuple(panel.cluster_names[c] for c in codes),
        covariates={},
        weight=None,
        strata=None,
        dose=None,
    )


def _cases(panel: Panel, units: pd.Series, quarters: pd.Series) -> np.ndarray:
    """(N, T) number of the given claims by firm and quarter."""
    u, t = pd.Index(panel.units).get_indexer(units), pd.Index(panel.times).get_indexer(quarters)
    inside = (u >= 0) & (t >= 0)
    out = np.zeros((panel.n_units, panel.n_periods))
    np.add.at(out, (u[inside], t[inside]), 1.0)
    return out
