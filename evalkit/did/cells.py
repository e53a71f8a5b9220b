"""From (Panel, Design) to the cells of a regression: who is compared with whom, which cell belongs to which effect."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import Design, Panel, Term, UserError

UNTREATED = np.iinfo(np.int64).max
"""Event time of a unit that only serves as comparison."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """The (unit, time) cells in the sample, ordered by unit then time.

    event_time (n,) time − cohort, `UNTREATED` for pure comparison units; base (n,) True in each treated unit's
    reference period; cluster codes are positions among all clusters of the panel, so that they agree across outcomes;
    free (n,) cells that compare, where that is not told by the event time.
    """

    unit: np.ndarray
    time: np.ndarray
    cluster: np.ndarray
    event_time: np.ndarray
    base: np.ndarray
    n_clusters: int
    notes: tuple[str, ...] = ()
    free: np.ndarray | None = None

    @property
    def index(self) -> tuple[np.ndarray, np.ndarray]:
        """Position of the cells in an (N, T) array."""
        return self.unit, self.time

    @property
    def post(self) -> np.ndarray:
        """(n,) True under treatment."""
        return (self.event_time >= 0) & (self.event_time != UNTREATED)

    def keep(self, rows: np.ndarray) -> Cells:
        """The cells where `rows` (n,) is True."""
        names = ("unit", "time", "cluster", "event_time", "base", *(() if self.free is None else ("free",)))
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One effect: its label and its cells (n,). A row that is not `live` is a reference, zero by construction."""

    term: str
    cells: np.ndarray
    event_time: int | None = None
    live: bool = True


def select(panel: Panel, design: Design, observed: np.ndarray) -> Cells:
    """Cells of the comparison that the design asks for, among those observed (N, T).

    Comparison group: control "later" keeps ever-treated units only, in the periods before the last cohort's notice;
    that cohort then serves as comparison. "never" keeps never-treated units beside the treated, and so do "not_yet" and
    "auto" where there are any, since a two-way model compares with every untreated cell anyway; without any they are
    "later". Periods of the selection window leave the sample; units treated from their first period on leave it too
    (they have no baseline), which is noted.
    Raises UserError: no_never_treated, no_not_yet_treated, no_treated_unit, no_comparison_unit,
    selection_window_outside, base_not_universal.
    """
    chosen = selection(panel, design)
    cohort, treated = chosen.cohort, chosen.treated
    unit, time = np.nonzero(observed & chosen.keep_unit[:, None] & chosen.keep_time[None, :])
    _, cluster = np.unique(panel.cluster, return_inverse=True)
    event = np.where(treated[unit], time - cohort[unit], UNTREATED)
    return Cells(
        unit=unit,
        time=time,
        cluster=cluster[unit],
        event_time=event,
        base=time == base_of(cohort, treated, chosen.keep_time, design)[unit],
        n_clusters=int(cluster.max()) + 1,
        notes=chosen.notes,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Who is compared with whom: cohort (N,) capped at T, treated (N,), keep_unit (N,), keep_time (T,)."""

    cohort: np.ndarray
    treated: np.ndarray
    keep_unit: np.ndarray
    keep_time: np.ndarray
    notes: tuple[str, ...]


def selection(panel: Panel, design: Design) -> Selection:
    """The comparison that the design asks for (`select`), before any cell is looked at."""
    if design.base != "universal":
        raise UserError("base_not_universal", base=design.base)
    keep_time, notes = sampled_periods(panel, design)
    cohort, keep_unit, last = _comparison(panel, design)
    stop = last if last == panel.n_periods else last - design.anticipation
    keep_time = keep_time & (np.arange(panel.n_periods) < stop)
    treated = cohort < last
    always = treated & (cohort - design.anticipation <= np.flatnonzero(keep_time)[0])
    if (always & keep_unit).any():
        notes.append("path.note.always_treated")
    keep_unit = keep_unit & ~always
    if not (keep_unit & treated).any():
        raise UserError("no_treated_unit", treated=int(treated.sum()), always=int(always.sum()))
    if not (keep_unit & ~treated).any():
        raise UserError("no_comparison_unit", treated=int(treated.sum()))
    return Selection(cohort=cohort, treated=treated, keep_unit=keep_unit, keep_time=keep_time, notes=tuple(notes))


def sampled_periods(panel: Panel, design: Design) -> tuple[np.ndarray, list[str]]:
    """(T,) periods outside the selection window, and notes."""
    keep = np.ones(panel.n_periods, dtype=bool)
    if design.selection_window is None:
        return keep, []
    first, last = design.selection_window
    same = len({isinstance(label, str) for label in (first, last, panel.times[0])}) == 1
    inside = np.array([same and first <= t <= last for t in panel.times])
    if not inside.any() or inside.all():
        raise UserError("selection_window_outside", first=first, last=last, times=[panel.times[0], panel.times[-1]])
    return ~inside, ["path.note.selection_window"]


def _comparison(panel: Panel, design: Design) -> tuple[np.ndarray, np.ndarray, int]:
    """Cohorts (N,), units to keep (N,), and the cohort from which on units only compare: the last one, or T."""
    cohort = np.minimum(panel.cohort.astype(np.int64), panel.n_periods)
    never = cohort >= panel.n_periods
    if design.control == "never" and not never.any():
        raise UserError("no_never_treated", treated=int((~never).sum()))
    if design.control != "later" and never.any():
        return cohort, np.ones(panel.n_units, dtype=bool), panel.n_periods
    if len(np.unique(cohort[~never])) < 2:
        raise UserError("no_not_yet_treated", cohorts=len(np.unique(cohort[~never])))
    return cohort, ~never, int(cohort[~never].max())


def base_of(cohort: np.ndarray, treated: np.ndarray, keep_time: np.ndarray, design: Design) -> np.ndarray:
    """(N,) last sampled period before cohort − anticipation; −1 for comparison units."""
    last = np.maximum.accumulate(np.where(keep_time, np.arange(len(keep_time)), -1))
    before = np.clip(cohort - design.anticipation - 1, 0, len(keep_time) - 1)
    return np.where(treated, last[before], -1)


def static_rows(cells: Cells) -> list[Row]:
    """The single effect of treatment."""
    return [Row(term="att", cells=cells.post)]


def without_anticipation(cells: Cells, design: Design) -> Cells:
    """Leave out the cells between notice and start: neither baseline nor treated."""
    event = cells.event_time
    return cells.keep(~((event < 0) & (event >= -design.anticipation)))


def event_rows(cells: Cells) -> list[Row]:
    """One effect per event time; each treated unit's base period is its reference. Nothing is binned."""
    live = (cells.event_time != UNTREATED) & ~cells.base
    rows = []
    for event in np.unique(cells.event_time[cells.event_time != UNTREATED]):
        here = cells.event_time == event
        rows.append(
            Row(
                term=f"event_time={event}",
                cells=here & live if (here & live).any() else here,
                event_time=int(event),
                live=bool((here & live).any()),
            )
        )
    return rows


def effect_terms(
    panel: Panel, cells: Cells, rows: list[Row], outcome: str, measure: Any, weight: np.ndarray | None = None
) -> tuple[Term, ...]:
    """Labels and counts of the rows. n_obs of an event-time row counts its own cells, of a static row the sample."""
    return tuple(_term(panel, cells, row, outcome, measure, weight) for row in rows)


def _term(panel: Panel, cells: Cells, row: Row, outcome: str, measure: Any, weight: np.ndarray | None) -> Term:
    at = row.cells
    time, cohort = np.unique(cells.time[at]), np.unique(panel.cohort[cells.unit[at]])
    static = row.event_time is None
    return Term(
        term=row.term,
        outcome=outcome,
        measure=measure,
        cohort=_label(panel, cohort),
        time=None if static else _label(panel, time),
        event_time=row.event_time,
        weight=float(at.sum() if weight is None else weight[at].sum()),
        n_obs=int(len(at) if static else at.sum()),
        n_units=len(np.unique(cells.unit)),
        n_treated=len(np.unique(cells.unit[at])),
        n_clusters=len(np.unique(cells.cluster)),
        n_treated_clusters=len(np.unique(cells.cluster[at])),
    )


def _label(panel: Panel, index: np.ndarray) -> Any:
    if len(index) != 1 or index[0] >= panel.n_periods:
        return None
    label = panel.times[int(index[0])]
    return label.item() if isinstance(label, np.generic) else label


def memberships(cells: Cells, rows: list[Row]) -> tuple[np.ndarray, np.ndarray]:
    """(k, G) clusters with cells of the row, and clusters with untreated cells in the row's periods."""
    treated = np.zeros((len(rows), cells.n_clusters), dtype=bool)
    control = np.zeros_like(treated)
    if cells.free is not None:
        free = cells.free
    else:
        free = ~cells.post if rows[0].event_time is None else (cells.event_time == UNTREATED)
    for r, row in enumerate(rows):
        treated[r, cells.cluster[row.cells]] = True
        same_time = np.isin(cells.time, np.unique(cells.time[row.cells]))
        control[r, cells.cluster[free & same_time]] = True
    return treated, control


def design_columns(panel: Panel, cells: Cells, rows: list[Row], covariates: tuple[str, ...]) -> np.ndarray:
    """(n, p) live effects, covariates, then a dummy for every sampled period but the first."""
    effects = [row.cells for row in rows if row.live]
    extra = [panel.covariates[name][cells.index] for name in covariates]
    periods = np.unique(cells.time)[1:]
    return np.column_stack([*effects, *extra, *(cells.time == t for t in periods)]).astype(float)


def contrast_rows(rows: list[Row], n_columns: int) -> np.ndarray:
    """(k, p) each live row picks its own column; reference rows are zero."""
    out = np.zeros((len(rows), n_columns))
    live = [r for r, row in enumerate(rows) if row.live]
    out[live, np.arange(len(live))] = 1.0
    return out


def unit_starts(unit: np.ndarray) -> np.ndarray:
    """Positions at which a new unit begins in cells ordered by unit."""
    return np.flatnonzero(np.r_[True, unit[1:] != unit[:-1]])


def within(x: np.ndarray, unit: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """Columns minus their weighted unit means; x (n, p) or (n,) with cells ordered by unit."""
    starts = unit_starts(unit)
    lengths = np.diff(np.r_[starts, len(unit)])
    w = np.ones(len(unit)) if weight is None else weight
    values = x if x.ndim == 2 else x[:, None]
    if len(starts) and (lengths == lengths[0]).all():  # products of small matrices are faster than sums by unit
        share = w.reshape(len(starts), 1, -1)
        wide = values.reshape(len(starts), lengths[0], -1)
        out = (wide - share @ wide / share.sum(axis=2, keepdims=True)).reshape(values.shape)
    else:
        mean = np.add.reduceat(values * w[:, None], starts, axis=0) / np.add.reduceat(w, starts)[:, None]
        out = values - np.repeat(mean, lengths, axis=0)
    return out if x.ndim == 2 else out[:, 0]
