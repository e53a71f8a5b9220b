"""Imputation (Borusyak, Jaravel and Spiess 2024, REStud 91:3253) and its two-stage twin (Gardner 2022, arXiv
2207.05943).

A first stage on untreated cells (`first_stage`) leaves e_it = y_it − ŷ_it(0) in treated cells; the effect of a cohort
in a period is its (weighted) mean there. Linear in y: θ_k = Σ v_it y_it, with v = ω/Ω_k on its own cells and the
projection of that on the first stage, negatively, on untreated cells. With s_i = Σ_t ω0_it z_it e_it and L_k = M_k/Ω_k
a unit's influence is Σ_t ω_it (e_it − c_k)/Ω_k − s_i'A⁺L_k, where
- imputation centres at c_k = Σ ω² e / Σ ω² of the cohort and period (their equation 8 with cohort × event-time
  averages, the default of R didimputation): conservative; without weights c_k = θ_k;
- two-stage centres at θ_k, which is the generalised method of moments variance; the sizes Ω_k are quantities too, so
  that an aggregate carries the error of its weights, as the variance of R did2s does.
The jackknife leaves clusters out of both stages exactly where they are listed, and takes one step otherwise.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import Design, EffectPath, Panel, Refused, Shares, Term, UserError, frozen_array
from .cohort_time import Laid, lay
from .first_stage import FirstStage
from .fit import Fit, outcomes_of
from .group_time import label_of
from .imputation_part import Rows, imputation_part
from .influence_part import InfluencePart
from .linalg import Regression
from .pretrends import lead_piece
from .twfe import measure_of


def imputation_fit(panel: Panel, design: Design) -> Fit:
    """Imputation; leads inside `design.window` come from their own regression on untreated cells."""
    return _fit("imputation", panel, design, ("borusyak_jaravel_spiess_2024",))


def two_stage_fit(panel: Panel, design: Design) -> Fit:
    """Two-stage; leads inside `design.window` are means of first-stage residuals."""
    return _fit("two_stage", panel, design, ("gardner_2022",))


def _fit(method: str, panel: Panel, design: Design, sources: tuple[str, ...]) -> Fit:
    notes = ["path.note.all_untreated_compare"] if design.control == "never" else []
    laid = lay(panel, design, leads=False)
    terms: list[Term] = []
    estimate: list[np.ndarray] = []
    parts: list[InfluencePart | Regression] = []
    refused: list[Refused] = []
    for outcome in outcomes_of(panel, design):
        stage = FirstStage(panel, design, laid, outcome)
        rows, lost = _rows(stage, laid, design, method)
        notes += ["path.note.always_treated"] if stage.some_without_baseline else []
        refused += [*laid.refusals(panel, outcome), *_lost(panel, stage, lost, outcome)]
        if not len(rows.cohort):
            continue
        terms += _terms(panel, stage, rows, outcome)
        estimate.append(rows.estimate)
        parts.append(imputation_part(stage, rows, method))
        leads = lead_piece(panel, design, outcome) if method == "imputation" else None
        if leads is not None:
            terms += leads.terms
            estimate.append(leads.estimate)
            parts.append(leads.regression)
    if not terms:
        raise UserError("effect_not_identified", outcome=list(outcomes_of(panel, design)))
    if any(t.event_time is not None and t.event_time < -design.anticipation for t in terms):
        notes.append(f"path.note.{method}_leads")
    notes += ["path.note.cells_refused"] if refused else []
    path = EffectPath(
        method=method,
        terms=tuple(terms),
        estimate=frozen_array(np.concatenate(estimate)),
        transform=frozen_array(_transform([len(e) for e in estimate], parts)),
        shares=_shares(estimate, parts) if method == "two_stage" else None,
        refused=tuple(refused),
        design=design,
        unit=panel.outcome_unit,
        notes=tuple(dict.fromkeys((*laid.plan.notes, *notes))),
        sources=sources,
    )
    return Fit(path=_windowed(path, design), sources=tuple(parts))


def _windowed(path: EffectPath, design: Design) -> EffectPath:
    """Rows inside `design.window`."""
    if design.window is None:
        return path
    low, high = design.window
    kept = path.select(lambda t: t.event_time is not None and low <= t.event_time <= high)
    return replace(kept, transform=frozen_array(kept.transform))


def _rows(stage: FirstStage, laid: Laid, design: Design, method: str) -> tuple[Rows, list[tuple[int, int]]]:
    """Effects that the sample can tell, and the (cohort, time) indices of those it cannot."""
    wanted = [(int(g), int(t)) for g, t in zip(laid.cohort, laid.time)]
    if method == "two_stage" and design.window is not None and design.window[0] < -design.anticipation:
        wanted = sorted({(g, int(t)) for g in dict(wanted) for t in stage.times if t - g >= design.window[0]})
    place = {int(g): i for i, g in enumerate(stage.labels)}
    at = {int(t): i for i, t in enumerate(stage.times)}
    size, total, slope = (stage.by_cohort(name) for name in ("size", "total", "slope"))
    told = stage.bread @ stage.sums.gram.sum(axis=0)
    found, lost = [], []
    for g, t in wanted:
        if g not in place or size[place[g], at[t]] <= 0:
            lost.append((g, t))
            continue
        c, s = place[g], at[t]
        mean = slope[c, s] / size[c, s]
        scale = np.abs(mean).max()
        if scale > 0 and np.abs(mean - mean @ told).max() > 1e-7 * scale:
            lost.append((g, t))
            continue
        found.append((c, s, mean))
    cohort, time = (np.array([f[i] for f in found], dtype=np.int64) for i in (0, 1))
    means = np.array([f[2] for f in found]).reshape(len(found), stage.width)
    omega = size[cohort, time]
    estimate = total[cohort, time] / omega - means @ stage.coefficient
    rows = Rows(cohort=cohort, time=time, size=omega, estimate=estimate, slope=means, centre=estimate)
    if method == "imputation" and stage.weighted:
        rows = replace(rows, centre=_averages(stage, rows))
    return rows, lost


def _averages(stage: FirstStage, rows: Rows) -> np.ndarray:
    """(k,) Σ ω² e / Σ ω² over the cells of each row."""
    top, bottom = np.zeros((2, len(stage.labels), stage.n_periods))
    for c in np.unique(rows.cohort):
        for block in stage.read(int(c)):
            top[c] += (block.omega**2 * stage.residual(block)).sum(axis=0)
            bottom[c] += (block.omega**2).sum(axis=0)
    return np.asarray(top[rows.cohort, rows.time] / bottom[rows.cohort, rows.time])


def _terms(panel: Panel, stage: FirstStage, rows: Rows, outcome: str) -> list[Term]:
    cluster, cohort = stage.cells
    out = []
    listed = stage.listed
    n_units = round(float(stage.sums.n.sum()))
    clusters = len(np.unique(cluster)) if listed else n_units
    seen = stage.by_cohort("seen")
    for c, s, size in zip(rows.cohort, rows.time, rows.size):
        g, t = label_of(panel, int(stage.labels[c])), label_of(panel, int(stage.times[s]))
        own = int(seen[c, s])
        here = int((stage.sums.seen[cohort == c, s] > 0).sum()) if listed else own
        out.append(
            Term(
                term=f"cohort={g},time={t}",
                outcome=outcome,
                measure=measure_of(panel),
                cohort=g,
                time=t,
                event_time=int(stage.times[s] - stage.labels[c]),
                weight=float(size),
                n_obs=own,
                n_units=n_units,
                n_treated=own,
                n_clusters=clusters,
                n_treated_clusters=here,
            )
        )
    return out


def _lost(panel: Panel, stage: FirstStage, lost: list[tuple[int, int]], outcome: str) -> list[Refused]:
    return [
        Refused(outcome=outcome, cohort=label_of(panel, g), time=label_of(panel, t), reason="refused.no_untreated_cell")
        for g, t in lost
    ]


def _transform(widths: list[int], parts: list[InfluencePart | Regression]) -> np.ndarray:
    """(k, k0) the rows are the effects; sizes are further quantities of the fit."""
    total = [p.width if isinstance(p, InfluencePart) else len(p.contrast) for p in parts]
    out = np.zeros((sum(widths), sum(total)))
    row = column = 0
    for own, whole in zip(widths, total):
        out[row : row + own, column : column + own] = np.eye(own)
        row, column = row + own, column + whole
    return out


def _shares(estimate: list[np.ndarray], parts: list[InfluencePart | Regression]) -> Shares:
    columns: list[int] = []
    values, start = [], 0
    for e, part in zip(estimate, parts):
        assert isinstance(part, InfluencePart)
        values.append(part.estimate[len(e) :])
        columns += list(range(start + len(e), start + part.width))
        start += part.width
    sizes = np.concatenate(values)
    return Shares(
        values=frozen_array(sizes), columns=frozen_array(columns, np.int64), loading=frozen_array(np.eye(len(sizes)))
    )
