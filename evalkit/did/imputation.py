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

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core import Design, EffectPath, Panel, Refused, Shares, Term, UserError, frozen_array
from .cohort_time import Laid, lay
from .first_stage import Block, FirstStage, scaled_inverse
from .fit import Fit, outcomes_of
from .group_time import label_of
from .influence_part import CellCarriers, InfluencePart, SideCarriers
from .linalg import TOLERANCE, Regression
from .pretrends import lead_piece
from .twfe import measure_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """k effects: position of cohort and of period, sizes Ω, estimate, slopes L (k, p), centre of the influence."""

    cohort: np.ndarray
    time: np.ndarray
    size: np.ndarray
    estimate: np.ndarray
    slope: np.ndarray
    centre: np.ndarray


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
        parts.append(_part(stage, rows, method))
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


def _part(stage: FirstStage, rows: Rows, method: str) -> InfluencePart:
    k, sizes = len(rows.cohort), method == "two_stage"
    width = k * (1 + sizes)
    reading = _reading(stage, rows, width)
    mass = stage.by_cohort("n")
    scale = stage.by_cohort("size").mean(axis=1) / np.maximum(mass, 1)
    treated, control = _members(stage, rows, width)
    answers: dict[str, Any] = {}
    if stage.listed:
        answers["influence"] = _influence(stage, rows, width)
        answers["without"] = _without(stage, rows, width)
        own = np.zeros((len(stage.cells[0]), len(stage.labels)))
        own[np.arange(len(own)), stage.cells[1]] = np.sqrt(stage.sums.square) / scale[stage.cells[1]]
        answers["carriers"] = CellCarriers(
            cluster=stage.cells[0], side=stage.cells[1], n_sides=len(stage.labels), loads=own, reading=reading
        )
    else:
        answers["covariances"] = _covariances(stage, rows, width)
        square = stage.by_cohort("square") / scale**2
        answers["carriers"] = SideCarriers(
            n=mass.astype(int),
            gram=np.einsum("s,sq,sr->sqr", square, np.eye(len(mass)), np.eye(len(mass))),
            effective_units=np.repeat(square[:, None], width, axis=1),
            reading=reading,
        )
    return InfluencePart(
        estimate=np.r_[rows.estimate, rows.size] if sizes else rows.estimate,
        treated=treated,
        control=control,
        n_obs=round(float(stage.sums.n.sum())) * stage.n_periods,
        n_params=k + stage.width,
        **answers,
    )


def _loads(rows: Rows, stage: FirstStage) -> np.ndarray:
    """(k, p) A⁺L_k: what a unit's s_i adds to the effects, negatively."""
    return rows.slope @ stage.bread


def _influence(stage: FirstStage, rows: Rows, width: int) -> np.ndarray:
    """(G, width) cluster sums of the influence: Σ ω(e − c) = Y − M'λ̂ − cΩ and Σ s = b − Aλ̂, cell by cell."""
    k, sums = len(rows.cohort), stage.sums
    cluster, cohort = stage.cells
    pull = np.zeros((stage.n_clusters, stage.width))
    np.add.at(pull, cluster, sums.moment - sums.gram @ stage.coefficient)
    out = np.zeros((stage.n_clusters, width))
    out[:, :k] = -pull @ _loads(rows, stage).T
    dev = sums.total - sums.slope @ stage.coefficient
    for c in np.unique(rows.cohort):
        at, own = cohort == c, np.flatnonzero(rows.cohort == c)
        held = sums.size[at][:, rows.time[own]]
        out[np.ix_(cluster[at], own)] += (dev[at][:, rows.time[own]] - rows.centre[own] * held) / rows.size[own]
        if width > k:
            out[np.ix_(cluster[at], k + own)] += held
    return out


def _without(stage: FirstStage, rows: Rows, width: int) -> np.ndarray:
    """(G, width) estimates without each cluster, both stages; NaN where there is none.

    Clusters of a plain panel that are alike in their numbers of units by cohort share the inverse of the first stage.
    """
    k, sums = len(rows.cohort), stage.sums
    out = np.full((stage.n_clusters, width), np.nan)
    whole = [getattr(sums, name).sum(axis=0) for name in ("gram", "moment")]
    size, total, slope = (stage.by_cohort(name)[rows.cohort, rows.time] for name in ("size", "total", "slope"))
    for clusters, cells in _alike(stage):
        gram, moment = (_summed(getattr(sums, name), cells) for name in ("gram", "moment"))
        shared = len(gram) if stage.plain else 0
        rest = whole[0] - (gram[:1] if shared else gram)
        inverse = scaled_inverse(rest)
        coefficient = np.einsum(
            "gpq,gq->gp", np.broadcast_to(inverse, (len(clusters), *rest.shape[1:])), whole[1] - moment
        )
        omega = size - _of_rows(sums.size, cells, stage, rows)
        there = omega > TOLERANCE * size
        safe = np.where(there, omega, 1.0)
        at = slice(0, 1) if shared else slice(None)
        own = (slope - _of_rows(sums.slope, cells[at], stage, rows)) / safe[at, :, None]
        missed = np.abs(own - own @ (inverse @ rest)).max(axis=2) > 1e-7 * np.maximum(np.abs(own).max(axis=2), 1e-300)
        y = total - _of_rows(sums.total, cells, stage, rows)
        if shared:
            estimate = y / safe - coefficient @ own[0].T
        else:
            estimate = y / safe - np.einsum("gkp,gp->gk", own, coefficient)
        out[clusters, :k] = np.where(there & ~missed, estimate, np.nan)
        if width > k:
            out[clusters, k:] = np.where(there, omega, 0.0)
    return out


def _alike(stage: FirstStage) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Groups of clusters (m,) and their cells (m, C), −1 where a cluster has none of the cohort."""
    cluster, cohort = stage.cells
    codes, place = np.unique(cluster, return_inverse=True)
    cells = np.full((len(codes), len(stage.labels)), -1)
    cells[place, cohort] = np.arange(len(cluster))
    if stage.plain:
        profile = np.where(cells >= 0, stage.sums.n[cells], 0.0)
        _, kind = np.unique(profile, axis=0, return_inverse=True)
        groups = [np.flatnonzero(kind.reshape(-1) == u) for u in range(int(kind.max()) + 1)]
    else:
        groups = [np.arange(s, min(s + 128, len(codes))) for s in range(0, len(codes), 128)]
    return ((codes[g], cells[g]) for g in groups)


def _summed(values: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """(m, ...) sums over the cells of each cluster."""
    out = np.zeros((len(cells), *values.shape[1:]))
    for c in range(cells.shape[1]):
        on = cells[:, c] >= 0
        out[on] += values[cells[on, c]]
    return out


def _of_rows(values: np.ndarray, cells: np.ndarray, stage: FirstStage, rows: Rows) -> np.ndarray:
    """(m, k, ...) what each cluster adds to the rows of its cohorts."""
    out = np.zeros((len(cells), len(rows.cohort), *values.shape[2:]))
    for c in np.unique(rows.cohort):
        on, own = cells[:, c] >= 0, np.flatnonzero(rows.cohort == c)
        out[np.ix_(on, own)] = values[cells[on, c]][:, rows.time[own]]
    return out


def _covariances(stage: FirstStage, rows: Rows, width: int) -> dict[str, np.ndarray]:
    """Units as clusters, too many to list: cross products of their influence, plain and with leverage taken out.

    Own deviations are divided by 1 − ω/Ω and s_i by its leverage in the first stage, to second order; a unit's part in
    the slopes L of an unbalanced panel stays (its share of the cohort); halfway between for cr2.
    """
    k, load = len(rows.cohort), _loads(rows, stage).T
    found = {rule: np.zeros((width, width)) for rule in ("cr0", "cr3")}
    for cohort in range(len(stage.labels)):
        own = np.flatnonzero(rows.cohort == cohort)
        t = len(own)
        reading = np.zeros((2 * t + stage.width, width))
        reading[np.arange(t), own] = 1 / rows.size[own]
        if width > k:
            reading[t + np.arange(t), k + own] = 1.0
        reading[2 * t :, :k] = -load
        for rule, cross in (_plain_crosses if stage.plain else _crosses)(stage, rows, cohort, own).items():
            found[rule] += reading.T @ cross @ reading
    return {**found, "cr2": (found["cr0"] + found["cr3"]) / 2}


def _crosses(stage: FirstStage, rows: Rows, cohort: int, own: np.ndarray) -> dict[str, np.ndarray]:
    """Cross products of (own deviations, sizes, s_i) over the units of a cohort, in a second pass."""
    t, times = len(own), rows.time[own]
    out = {rule: np.zeros((2 * t + stage.width,) * 2) for rule in ("cr0", "cr3")}
    for block in stage.read(cohort):
        e, held = stage.residual(block), block.omega[:, times]
        pull = block.omega0 * e
        pull = pull if block.z is None else np.einsum("it,itp->ip", pull, block.z)
        all_of = np.concatenate([held * (e[:, times] - rows.centre[own]), held, pull], axis=1)
        out["cr0"] += all_of.T @ all_of
        all_of[:, :t] /= np.maximum(1 - held / rows.size[own], 0.5)
        all_of[:, 2 * t :] += _leverage(stage, block, pull)
        out["cr3"] += all_of.T @ all_of
    return out


def _plain_crosses(stage: FirstStage, rows: Rows, cohort: int, own: np.ndarray) -> dict[str, np.ndarray]:
    """The same of a balanced panel without weights and covariates, from the cohort's cross product."""
    m, t, p = stage.moments, len(own), stage.n_periods
    untreated = stage.untreated[cohort]
    centre = np.eye(p) - np.outer(np.ones(p), untreated / untreated.sum())
    n, mean = float(m.n[cohort]), centre @ (m.mean[cohort] - stage.coefficient)
    square = centre @ m.cross[cohort] @ centre.T + n * np.outer(mean, mean)
    pick = np.zeros((2 * t + p, p))
    pick[np.arange(t), rows.time[own]] = 1.0
    pick[2 * t + np.flatnonzero(untreated), np.flatnonzero(untreated)] = 1.0
    shift = np.zeros(2 * t + p)
    shift[:t], shift[t : 2 * t] = -rows.centre[own], 1.0
    sums = pick @ mean * n
    plain = pick @ square @ pick.T + np.outer(sums, shift) + np.outer(shift, sums) + n * np.outer(shift, shift)
    lever = np.diag(untreated.astype(float)) @ centre @ stage.bread
    stretch = np.eye(2 * t + p)
    stretch[np.arange(t), np.arange(t)] = 1 / max(1 - 1 / n, 0.5)
    stretch[2 * t :, 2 * t :] += lever + lever @ lever
    return {"cr0": plain, "cr3": stretch @ plain @ stretch.T}


def _leverage(stage: FirstStage, block: Block, pull: np.ndarray) -> np.ndarray:
    """(n, p) A_i A⁺ s_i (1 + h) to second order in the unit's own share of A."""
    step, out = pull, np.zeros_like(pull)
    for _ in range(2):
        b = step @ stage.bread
        if block.z is None:
            step = block.omega0 * (b - np.einsum("it,it->i", block.share, b)[:, None])
        else:
            step = np.einsum("it,itp->ip", block.omega0 * np.einsum("itp,ip->it", block.z, b), block.z)
        out += step
    return out


def _reading(stage: FirstStage, rows: Rows, width: int) -> np.ndarray:
    """(T, C, width) average response weights of a cohort's units on each effect (periods' part of the projection)."""
    t, c = stage.n_periods, len(stage.labels)
    n = np.maximum(stage.by_cohort("n"), 1)
    load = _loads(rows, stage)[:, :t]
    slope, gram = (stage.by_cohort(name) for name in ("slope", "gram"))
    out = np.zeros((t, c, width))
    for k, (g, s) in enumerate(zip(rows.cohort, rows.time)):
        out[:, :, k] -= np.einsum("cst,t->sc", gram[:, :t, :t], load[k]) / n
        out[:, g, k] += slope[g, s, :t] / rows.size[k] / n[g]
    return out


def _members(stage: FirstStage, rows: Rows, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(width, C) cohorts treated in an effect, and cohorts with untreated cells in its period."""
    treated = np.zeros((width, len(stage.labels)), dtype=bool)
    control = np.zeros_like(treated)
    k = np.arange(len(rows.cohort))
    treated[k, rows.cohort] = True
    control[k] = stage.untreated[:, rows.time].T
    control[k, rows.cohort] = False
    return treated, control


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
