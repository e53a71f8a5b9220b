"""Fits of large panels without covariates through `wide`: the same numbers as the regressions written out.

`linear` and `counts` return None where the panel is small enough for a regression written out, which answers every
rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Design, EffectPath, Panel, Term, UserError, frozen_array
from .cells import base_of, selection
from .cohort_time import Laid
from .fit import Fit, observed_cells, outcomes_of
from .group_time import label_of
from .parts import Part
from .reader import Reader
from .twfe import measure_of
from .wide import ALGEBRA, NARROW, Tally, columns_of
from .wide_counts import CountModel, Shape
from .wide_linear import LinearModel
from .wide_part import wide_part
from .wide_sums import Wide

DIVERGED = 15.0
"""A log rate ratio beyond this is a separated fit on its way to infinity, not an estimate."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sketch:
    """A model over cohorts and periods: units by cohort (N,), which are kept, and sampled periods; rows (k, C, T) with
    names, event times and live flags; used (C, T); control (k, C, T) cells compared with; saturated, events: see
    `Shape`.
    """

    cohort: np.ndarray
    keep: np.ndarray
    times: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    event_time: Sequence[int | None]
    rows: np.ndarray
    live: np.ndarray
    used: np.ndarray
    control: np.ndarray
    saturated: bool = False
    events: bool = True
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        return int(self.live.sum()) + len(self.times) - 1

    def narrow(self, panel: Panel) -> bool:
        """True where a regression written out costs little."""
        units, clusters = int(self.keep.sum()), int((np.bincount(panel.cluster[self.keep]) > 0).sum())
        return units * len(self.times) * self.width <= NARROW and clusters * self.width**3 <= ALGEBRA

    def reader(self, panel: Panel) -> Reader:
        return Reader(panel, self.cohort, self.keep, self.times)


def within_rows(rows: np.ndarray) -> np.ndarray:
    """(k, 1, T) periods of each row."""
    return np.asarray(rows.any(axis=1))[:, None, :]


def sketch_saturated(panel: Panel, laid: Laid) -> Sketch:
    """Every cohort in every period (`cohort_time`)."""
    cohort, keep, times = laid.plan.cohort, laid.plan.keep, laid.plan.times
    labels = np.unique(cohort[keep])
    place, at = np.searchsorted(labels, laid.cohort), np.searchsorted(times, laid.time)
    rows = np.zeros((len(place), len(labels), len(times)), dtype=bool)
    rows[np.arange(len(place)), place, at] = True
    if laid.leads:
        free = np.repeat(~np.isin(labels, laid.cohort)[:, None], len(times), axis=1)
    else:
        free = np.asarray(~rows[laid.live].any(axis=0))
    return Sketch(
        cohort=cohort,
        keep=keep,
        times=times,
        labels=labels,
        names=laid.names(panel),
        event_time=[int(e) for e in laid.event_time],
        rows=rows,
        live=laid.live,
        used=np.ones((len(labels), len(times)), dtype=bool),
        control=free[None] & within_rows(rows),
        saturated=True,
        notes=laid.plan.notes,
    )


def sketch_pooled(panel: Panel, design: Design, events: bool) -> Sketch:
    """One effect of treatment, or one per event time (`cells`)."""
    chosen = selection(panel, design)
    times = np.flatnonzero(chosen.keep_time)
    cohort = np.where(chosen.treated, chosen.cohort, panel.n_periods)
    labels = np.unique(cohort[chosen.keep_unit])
    treated = labels < panel.n_periods
    event = np.where(treated[:, None], times[None, :] - labels[:, None], np.iinfo(np.int64).max)
    used = np.ones(event.shape, dtype=bool)
    post = treated[:, None] & (event >= 0)
    if events:
        base = times[None, :] == base_of(labels, treated, chosen.keep_time, design)[:, None]
        values = np.unique(event[treated])
        rows = np.stack([event == e for e in values])
        live = np.array([(row & ~base).any() for row in rows])
        rows = np.stack([row & ~base if on else row for row, on in zip(rows, live)])
        names: list[str] = [f"event_time={e}" for e in values]
        control = (~treated)[None, :, None] & within_rows(rows)
        when: list[int | None] = [int(e) for e in values]
    else:
        used = ~(treated[:, None] & (event < 0) & (event >= -design.anticipation))
        rows, live, names, when = post[None], np.ones(1, dtype=bool), ["att"], [None]
        control = (~post & used)[None] & within_rows(rows)
    return Sketch(
        cohort=cohort,
        keep=chosen.keep_unit,
        times=times,
        labels=labels,
        names=names,
        event_time=when,
        rows=rows,
        live=live,
        used=used,
        control=control,
        events=events,
        notes=chosen.notes,
    )


def linear(
    method: str, panel: Panel, design: Design, sketch: Sketch, sources: tuple[str, ...], notes: tuple[str, ...] = ()
) -> Fit | None:
    """The linear fit of the sketch; None for a small panel or one with covariates."""
    if design.covariates or sketch.narrow(panel):
        return None
    found = [_linear_outcome(panel, design, sketch, outcome) for outcome in outcomes_of(panel, design)]
    return _assemble(method, panel, design, found, sources, (*sketch.notes, *notes))


Found = tuple[tuple[Term, ...], np.ndarray, Part, tuple[np.ndarray, ...], tuple[str, ...]]


def _linear_outcome(panel: Panel, design: Design, sketch: Sketch, outcome: str) -> Found:
    reader = sketch.reader(panel)
    observed = observed_cells(panel, outcome, design)
    columns = columns_of(sketch.rows, sketch.live, sketch.used)
    model = LinearModel(reader, columns, outcome, None if observed[:, sketch.times].all() else observed)
    show = _shown(sketch, design) & model.identified
    part = wide_part(
        Wide(
            reader=reader,
            columns=columns,
            pieces=model.pieces,
            beta=model.beta,
            contrast=columns.contrast[show],
            treated=sketch.rows[show],
            control=sketch.control[show],
            n_obs=model.n_obs,
            n_params=model.rank + 1,
            n_units=int(model.tally.units.sum()),
        )
    )
    terms = _terms(panel, sketch, model.tally, model.size, show, outcome, measure_of(panel))
    notes = () if model.identified.all() else ("path.note.unidentified_rows",)
    return terms, columns.contrast[show] @ model.beta, part, (), notes


def counts(method: str, panel: Panel, design: Design, sketch: Sketch, sources: tuple[str, ...]) -> Fit | None:
    """The Poisson fit of the sketch; None for a small panel, one with covariates, or one that tells nothing."""
    if design.covariates or sketch.narrow(panel):
        return None
    found = [_count_outcome(panel, design, sketch, outcome) for outcome in outcomes_of(panel, design)]
    if any(f is None for f in found):
        return None
    return _assemble(method, panel, design, [f for f in found if f is not None], sources, sketch.notes)


def _count_outcome(panel: Panel, design: Design, sketch: Sketch, outcome: str) -> Found | None:
    reader = sketch.reader(panel)
    shape = Shape(
        rows=sketch.rows, live=sketch.live, used=sketch.used, saturated=sketch.saturated, events=sketch.events
    )
    model = CountModel(reader, shape, panel, outcome)
    if not model.solvable:
        return None
    cells, pulled = model.expected()
    observed, mu0, exposure = (
        np.array([a[row].sum() for row in sketch.rows]) for a in (model.cases, cells, model.offset)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = np.where(sketch.live, np.log(observed / mu0), 0.0)
    estimate = np.where(np.isfinite(estimate) & (np.abs(estimate) > DIVERGED), np.nan, estimate)
    contrast = np.where(np.isnan(estimate)[:, None], 0.0, model.contrasts(pulled, cells))
    show = _shown(sketch, design) & model.identified
    show[model.lost] = False
    part = wide_part(
        Wide(
            reader=reader,
            columns=model.columns,
            pieces=model.pieces,
            beta=model.beta,
            contrast=contrast[show],
            treated=sketch.rows[show],
            control=sketch.control[show],
            n_obs=model.n_obs,
            n_params=model.rank + 1 if sketch.saturated else model.columns.width + 1,
            n_units=sum(int(d.kept.any(axis=1).sum()) for d in model.data),
            counts=True,
        )
    )
    terms = _terms(panel, sketch, model.tally, model.tally.cells, show, outcome, "log_rate_ratio")
    silent = {
        "separation": int(model.tally.units.sum()) > sum(int(d.kept.any(axis=1).sum()) for d in model.data),
        "zero_observed": bool(model.zero),
        "no_baseline_case": bool(model.unbounded),
        "unidentified_rows": bool(model.lost),
    }
    notes = tuple(f"path.note.{name}" for name, there in silent.items() if there)
    return terms, estimate[show], part, (observed[show], mu0[show], exposure[show]), notes


def _shown(sketch: Sketch, design: Design) -> np.ndarray:
    low, high = design.window or (-np.inf, np.inf)
    inside = np.array([e is None or low <= e <= high for e in sketch.event_time])
    return inside & sketch.rows.any(axis=(1, 2))


def _assemble(
    method: str, panel: Panel, design: Design, found: list[Found], sources: tuple[str, ...], notes: tuple[str, ...]
) -> Fit:
    if not any(f[2].live(np.eye(f[2].width)).any() for f in found if len(f[0])):
        raise UserError("effect_not_identified", outcome=list(outcomes_of(panel, design)))
    count = bool(found[0][3])
    observed, mu0, exposure = (
        frozen_array(np.concatenate([f[3][i] for f in found])) if count else None for i in range(3)
    )
    path = EffectPath(
        method=method,
        terms=tuple(t for f in found for t in f[0]),
        estimate=frozen_array(np.concatenate([f[1] for f in found])),
        observed=observed,
        mu0=mu0,
        exposure=exposure if panel.exposure is not None else None,
        design=design,
        unit=panel.outcome_unit,
        notes=tuple(dict.fromkeys((*notes, *(n for f in found for n in f[4])))),
        sources=sources,
    )
    return Fit(path=path, sources=tuple(f[2] for f in found))


def _terms(
    panel: Panel, sketch: Sketch, tally: Tally, size: np.ndarray, show: np.ndarray, outcome: str, measure: Any
) -> tuple[Term, ...]:
    total, clusters = tally.clusters()
    labels, times = tally.reader.labels, tally.reader.times
    out = []
    for r in map(int, np.flatnonzero(show)):
        on, event = sketch.rows[r], sketch.event_time[r]
        cohorts, periods = np.flatnonzero(on.any(axis=1)), np.flatnonzero(on.any(axis=0))
        out.append(
            Term(
                term=sketch.names[r],
                outcome=outcome,
                measure=measure,
                cohort=label_of(panel, int(labels[cohorts[0]])) if len(cohorts) == 1 else None,
                time=label_of(panel, int(times[periods[0]])) if len(periods) == 1 and event is not None else None,
                event_time=event,
                weight=float(size[on].sum()),
                n_obs=int(tally.cells.sum() if event is None else tally.cells[on].sum()),
                n_units=int(tally.units.sum()),
                n_treated=int(tally.treated[r]),
                n_clusters=total,
                n_treated_clusters=int(clusters[r]),
            )
        )
    return tuple(out)
