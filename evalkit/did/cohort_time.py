"""Layout of the models saturated in cohort × time: every treated cohort has its own effect in every period.

Two of them (Wooldridge 2021/2025, *Two-way fixed effects, the two-way Mundlak regression, and DiD estimators*):
- with all leads: an effect for every period of a treated cohort but its base, compared with the never treated
  (control "never"); the regression of Sun and Abraham (2021) and, balanced and without covariates, ATT(g,t);
- without leads: an effect for every period from notice on; all earlier cells of a cohort are its baseline, and every
  untreated cell compares. More precise where no single period carries the baseline, hence the default for counts.
Without a never-treated unit the last cohort only compares, and periods from its notice on leave the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..core import Design, Panel, Refused, UserError
from .cells import UNTREATED, Cells, Row
from .group_time import Plan, label_of, plan
from .moments import cluster_codes


@dataclass(frozen=True, slots=True, kw_only=True)
class Laid:
    """Rows to estimate as (cohort, time) pairs of period indices, in order, and the plan they come from.

    live (k,) False for a base period (zero by construction);  leads: with or without them
    """

    plan: Plan
    cohort: np.ndarray
    time: np.ndarray
    live: np.ndarray
    leads: bool

    @property
    def event_time(self) -> np.ndarray:
        return self.time - self.cohort

    def names(self, panel: Panel) -> list[str]:
        """Terms "cohort=g,time=t"."""
        return [f"cohort={label_of(panel, g)},time={label_of(panel, t)}" for g, t in zip(self.cohort, self.time)]

    def refusals(self, panel: Panel, outcome: str) -> tuple[Refused, ...]:
        """Cells that the design cannot compare, without the leads that are not asked for."""
        reachable = [(g, t, why) for g, t, why in self.plan.refused if self.leads or t >= g]
        return replace(self.plan, refused=tuple(reachable)).refusals(panel, outcome)


def lay(panel: Panel, design: Design, *, leads: bool | None = None) -> Laid:
    """Rows of the saturated model.

    leads   with leads, against the never treated ("later": against the last cohort); without them; None: with them only
            where `design.control` is "never"
    Raises UserError as `group_time.plan`, and base_not_universal.
    """
    if design.base != "universal":
        raise UserError("base_not_universal", base=design.base)
    leads = design.control == "never" if leads is None else leads
    if design.control != "later":
        design = replace(design, control="not_yet" if not leads else "never" if design.control == "never" else "auto")
    laid = plan(panel, design)
    cells = [c for c in laid.cells if leads or c.event_time >= -design.anticipation]
    return Laid(
        plan=laid,
        cohort=np.array([c.cohort for c in cells], dtype=np.int64),
        time=np.array([c.time for c in cells], dtype=np.int64),
        live=np.array([c.live for c in cells], dtype=bool),
        leads=leads,
    )


def cohort_layout(panel: Panel, design: Design, observed: np.ndarray, leads: bool | None = None) -> tuple[Cells, list]:
    """Cells and rows of the model, for the general regression path (`fit.Layout`)."""
    laid = lay(panel, design, leads=leads)
    keep_time = np.isin(np.arange(panel.n_periods), laid.plan.times)
    unit, time = np.nonzero(observed & laid.plan.keep[:, None] & keep_time)
    cohort = laid.plan.cohort[unit]
    cluster, n_clusters = cluster_codes(panel)
    event = np.where(np.isin(cohort, laid.cohort), time - cohort, UNTREATED)
    place = np.full((panel.n_periods + 1, panel.n_periods), -1)
    place[laid.cohort, laid.time] = np.arange(len(laid.time))
    at = place[cohort, time]
    effect = (at >= 0) & np.r_[laid.live, False][at]
    cells = Cells(
        unit=unit,
        time=time,
        cluster=cluster[unit],
        event_time=event,
        base=(at >= 0) & ~effect,
        n_clusters=n_clusters,
        notes=laid.plan.notes,
        free=event == UNTREATED if laid.leads else ~effect,
    )
    rows = [
        Row(term=name, cells=at == r, event_time=int(e), live=bool(live))
        for r, (name, e, live) in enumerate(zip(laid.names(panel), laid.event_time, laid.live))
    ]
    return cells, [row for row in rows if row.cells.any()]
