"""The cells of ATT(g,t): which cohort, in which period, against which base and controls; and why some are refused."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..core import Design, Panel, Refused, UserError
from .cells import sampled_periods


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """ATT(g,t): cohort, time and base index periods; controls are the cohorts compared with (T = never)."""

    cohort: int
    time: int
    base: int
    controls: tuple[int, ...]

    @property
    def event_time(self) -> int:
        return self.time - self.cohort

    @property
    def live(self) -> bool:
        """False for the reference cell, zero by construction."""
        return self.time != self.base


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Cells by cohort, then time; cohort (N,) capped at T for never treated; keep (N,) units in the sample."""

    cells: tuple[Cell, ...]
    cohort: np.ndarray
    keep: np.ndarray
    times: np.ndarray
    refused: tuple[tuple[int, int, str], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def refusals(self, panel: Panel, outcome: str) -> tuple[Refused, ...]:
        """The refused cells with their labels."""
        return tuple(
            Refused(outcome=outcome, cohort=label_of(panel, g), time=label_of(panel, t), reason=f"refused.{reason}")
            for g, t, reason in self.refused
        )


def label_of(panel: Panel, index: int) -> object:
    """A period's label as plain data."""
    label = panel.times[index]
    return label.item() if isinstance(label, np.generic) else label


def plan(panel: Panel, design: Design) -> Plan:
    """Cells that the design asks for.

    Controls: "never" those never treated within the panel; "not_yet" every unit untreated by then, never-treated ones
    included: cohorts later than max(time, base) + anticipation (Callaway & Sant'Anna 2021, eq. 2.10); "later" the same
    without the never treated, who leave the sample; "auto" is "never" where there is a never-treated unit, otherwise
    "not_yet". Where none is left the last cohort only serves as comparison, until its notice. Base: the last sampled
    period before cohort − anticipation; with "varying", leads compare with the period just before. Periods of the
    selection window are out; so are cohorts without a base, which is noted.
    Raises UserError: no_never_treated, no_not_yet_treated, no_treated_unit, no_comparison_unit,
    selection_window_outside.
    """
    sampled, notes = sampled_periods(panel, design)
    end = panel.n_periods
    cohort = np.minimum(panel.cohort.astype(np.int64, copy=False), end)
    labels = [int(c) for c in np.flatnonzero(np.bincount(cohort, minlength=end + 1))]
    kind = design.control if design.control != "auto" else ("never" if end in labels else "not_yet")
    out = [end] if kind == "later" and end in labels else []
    labels = [g for g in labels if g not in out]
    if kind == "never" and end not in labels:
        raise UserError("no_never_treated", treated=panel.n_units)
    if len(labels) < 2:
        if end in labels or not labels:
            raise UserError("no_treated_unit", treated=0, always=0)
        raise UserError("no_not_yet_treated", cohorts=len(labels))
    stop = end if end in labels else labels[-1] - design.anticipation
    times = np.flatnonzero(sampled & (np.arange(end) < stop))
    first = int(times[0]) if len(times) else end
    always = [g for g in labels if g < end and g - design.anticipation <= first]
    present = [g for g in labels if g not in always]
    treated = [g for g in present if g < labels[-1]]
    if not treated:
        raise UserError("no_treated_unit", treated=int((cohort < end).sum()), always=int(np.isin(cohort, always).sum()))
    notes += ["path.note.always_treated"] if always else []
    notes += ["path.note.last_cohort_compares"] if stop < end or end not in labels else []
    late = np.flatnonzero(sampled & (np.arange(end) >= stop))
    cells, refused = _cells(treated, times, present, kind, design, end)
    if not any(cell.live for cell in cells):
        raise UserError("no_comparison_unit", treated=int((cohort < end).sum()))
    return Plan(
        cells=tuple(cells),
        cohort=cohort,
        keep=~np.isin(cohort, always + out),
        times=times,
        refused=(*refused, *((g, int(t), "no_control") for g in treated for t in late)),
        notes=tuple(notes),
    )


def _cells(
    treated: list[int], times: np.ndarray, present: list[int], kind: str, design: Design, end: int
) -> tuple[list[Cell], list[tuple[int, int, str]]]:
    cells: list[Cell] = []
    refused: list[tuple[int, int, str]] = []
    for g in treated:
        long_base = int(times[times < g - design.anticipation][-1])
        for t in (int(t) for t in times):
            base = long_base
            if design.base == "varying" and t < g:
                if t == times[0]:
                    continue
                base = int(times[times < t][-1])
            later = tuple(c for c in present if c != g and (c == end or c > max(t, base) + design.anticipation))
            cell = Cell(cohort=g, time=t, base=base, controls=(end,) if kind == "never" else later)
            if cell.live and not cell.controls:
                refused.append((g, t, "no_control"))
            else:
                cells.append(cell)
    return cells, refused
