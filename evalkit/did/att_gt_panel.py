"""ATT(g,t) of a balanced panel with covariates or weights: one model per cohort and control set, two blocked passes.

Cells of a cohort that share their controls share the propensity score and the regression of covariates; where
covariates or weights change over time they must share the base period too, at which both are taken. The influence of
every unit on every cell exists for one block of units at a time: it is summed to clusters, or to its cross product
where every unit is a cluster and there are too many to list. With up to `REFIT` clusters each is left out in turn and
all is re-fit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .att_gt_sample import Sample, Solved
from .att_gt_sums import columns_of, sums_for
from .influence_part import REFIT, InfluencePart
from .propensity import NotEstimable
from .two_by_two import Piece, TwoByTwo, fit_pieces

Levels = dict[int, tuple[np.ndarray, np.ndarray]]
REFIT_ROWS = 100_000_000
"""Re-fits read at most so many unit rows in all; beyond it the jackknife takes one step."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Cells (indices) of one cohort that share controls, base of covariates and weights, and so a model."""

    cohort: int
    controls: tuple[int, ...]
    base: int
    cells: np.ndarray

    @property
    def cohorts(self) -> tuple[int, ...]:
        """Cohorts of the comparison, the treated first."""
        return (self.cohort, *self.controls)


def solve(sample: Sample, method: str) -> Solved:
    """Estimates by "dr", "ipw" or "reg" and their part; a comparison without an estimate refuses its cells."""
    sample, method = sample.sorted(), method if sample.covariates else "reg"
    models: dict[Group, TwoByTwo] = {}
    refused: dict[int, str] = {}
    last: tuple[Group, np.ndarray | None] | None = None
    levels = _levels(sample) if sample.fixed else {}
    for group in _groups(sample):
        try:
            models[group] = _model(sample, group, method, _start(sample, group, last), levels=levels)
            last = (group, models[group].gamma)
        except NotEstimable as error:
            refused |= {int(i): error.reason for i in group.cells}
    if not models:
        raise NotEstimable(next(iter(refused.values())))
    kept = [i for i in range(len(sample.cells)) if i not in refused]
    column = {i: k for k, i in enumerate(kept)}
    estimate = np.zeros(len(kept))
    for group, model in models.items():
        estimate[[column[i] for i in group.cells]] = model.estimate
    part = _part(sample, models, column, estimate, method)
    return Solved(kept=kept, estimate=estimate, part=part, refused=tuple(sorted(refused.items())))


def _start(sample: Sample, group: Group, last: tuple[Group, np.ndarray | None] | None) -> np.ndarray | None:
    """A first guess of the odds from those of the same cohort among other controls, which differ in number."""
    if last is None or last[1] is None or last[0].cohort != group.cohort:
        return None
    spans = ([sample.span(c) for c in g.controls] for g in (last[0], group))
    before, now = (sum(s.stop - s.start for s in own) for own in spans)
    gamma = last[1].copy()
    gamma[0] += np.log(before / now)
    return gamma


def _groups(sample: Sample) -> list[Group]:
    found: dict[tuple[int, tuple[int, ...], int], list[int]] = {}
    for i, cell in enumerate(sample.cells):
        if cell.live:
            base = int(sample.times[0]) if sample.fixed else cell.base
            found.setdefault((cell.cohort, cell.controls, base), []).append(i)
    return [Group(cohort=g, controls=c, base=b, cells=np.array(i)) for (g, c, b), i in found.items()]


def _ends(sample: Sample, group: Group) -> tuple[list[int], list[int]]:
    cells = [sample.cells[i] for i in group.cells]
    return [c.time for c in cells], [c.base for c in cells]


def _model(
    sample: Sample,
    group: Group,
    method: str,
    start: np.ndarray | None = None,
    without: int | None = None,
    levels: Levels | None = None,
) -> TwoByTwo:
    """Fit one group's comparison, of all units or without those of one cluster."""
    after, before = (columns_of(ends) for ends in _ends(sample, group))
    pieces = []
    for cohort in group.cohorts:
        span = sample.span(cohort)
        for part in [span] if without is None else _around(sample.cluster[span], without, span.start):
            if part.stop > part.start:
                piece = _piece(sample, part, group, cohort == group.cohort, after, before)
                if levels:
                    gram, level = levels[cohort]
                    piece = replace(piece, sums=(gram, level[:, after] - level[:, before]))
                pieces.append(piece)
    return fit_pieces(pieces, len(group.cells), method, start)


def _levels(sample: Sample) -> Levels:
    """Σ w x x' (p, p) and Σ w x y' (p, T) of every cohort, which all comparisons share."""
    out = {}
    for cohort in (int(c) for c in sample.labels):
        gram, cross = np.zeros((2, 1, 1))
        for units in sample.blocks(cohort):
            x = sample.x(units, 0)
            wx = (x * sample.w(units, int(sample.times[0]))[:, None]).T
            gram, cross = gram + wx @ x, cross + wx @ sample.y[units]
        out[cohort] = (gram, cross)
    return out


def _piece(
    sample: Sample, part: slice, group: Group, treated: bool, after: slice | list[int], before: slice | list[int]
) -> Piece:
    y = sample.y[part]
    return Piece(
        treated=treated,
        x=sample.x(part, group.base),
        weight=sample.w(part, group.base),
        change=lambda at: y[at, after] - y[at, before],
    )


def _around(cluster: np.ndarray, gone: int, start: int) -> list[slice]:
    """Units before and after those of a cluster, among units ordered by cluster."""
    low, high = np.searchsorted(cluster, [gone, gone + 1])
    return [slice(start, start + int(low)), slice(start + int(high), start + len(cluster))]


def _part(
    sample: Sample, models: dict[Group, TwoByTwo], column: dict[int, int], estimate: np.ndarray, method: str
) -> InfluencePart:
    groups = list(models)
    member = np.zeros(len(column), dtype=int)
    for s, group in enumerate(groups):
        member[[column[i] for i in group.cells]] = s
    sums = sums_for(sample, [sample.cells[i].cohort for i in column], member, len(groups))
    for cohort in (int(c) for c in sample.labels):
        for units in sample.blocks(cohort, sums.block):
            sums.add(cohort, units, *_influence(sample, cohort, units, models, column, sums.width))
    treated, control = sample.sides(list(column))
    answers = sums.answers(_reading(sample, groups, column))
    if "influence" in answers:
        answers["without"] = _without(sample, models, column, estimate, method)
    return InfluencePart(
        estimate=np.r_[estimate, sample.sizes],
        treated=treated,
        control=control,
        n_obs=len(sample.y) * len(sample.times),
        n_params=len(sample.labels) * (len(sample.times) - 1) + 1 + len(sample.covariates),
        **answers,
    )


def _influence(
    sample: Sample,
    cohort: int,
    units: slice,
    models: dict[Group, TwoByTwo],
    column: dict[int, int],
    width: int,
) -> tuple[np.ndarray, np.ndarray]:
    """(n, width) influence and (n, S) response weights of units of one cohort."""
    psi = np.zeros((units.stop - units.start, width), order="F")
    pull = np.zeros((len(psi), len(models)), order="F")
    psi[:, len(column) :] = size_influence(sample, cohort, units)
    y = sample.y[units]
    for s, (group, model) in enumerate(models.items()):
        if cohort not in group.cohorts:
            continue
        after, before = (columns_of(ends) for ends in _ends(sample, group))
        x, w, on = sample.x(units, group.base), sample.w(units, group.base), cohort == group.cohort
        pulled = model.pull(x, w, on)
        place = columns_of([column[int(i)] for i in group.cells])
        psi[:, place] = model.influence_of(y[:, after] - y[:, before], x, w, on, pulled)
        pull[:, s] = pulled[0]
    return psi, pull


def _without(
    sample: Sample, models: dict[Group, TwoByTwo], column: dict[int, int], estimate: np.ndarray, method: str
) -> np.ndarray | None:
    """(G, width) estimates without each cluster, NaN where there is none; None where re-fits would take too long."""
    present = np.unique(sample.cluster)
    rows = sum(sample.span(c).stop - sample.span(c).start for group in models for c in group.cohorts)
    if len(present) > REFIT or len(present) * rows > REFIT_ROWS:
        return None
    out = np.tile(np.r_[estimate, sample.sizes], (sample.n_clusters, 1))
    for group, model in models.items():
        place = [column[int(i)] for i in group.cells]
        for g in np.unique(np.concatenate([sample.cluster[sample.span(c)] for c in group.cohorts])):
            try:
                out[g, place] = _model(sample, group, method, model.gamma, int(g)).estimate
            except NotEstimable:
                out[g, place] = np.nan
    out[:, len(column) :] = sizes_without(sample)
    return out


def size_influence(sample: Sample, cohort: int, units: slice | np.ndarray) -> np.ndarray:
    """(n, s) influence of units on the sizes of cohorts."""
    own = np.array([c == cohort for c in sample.shared], dtype=float)
    return (sample.mass[units][:, None] * own - sample.sizes) / len(sample.y)


def sizes_without(sample: Sample) -> np.ndarray:
    """(G, s) sizes of cohorts without each cluster."""
    n, g = len(sample.y), sample.n_clusters
    count = np.bincount(sample.cluster, minlength=g)
    own = [np.bincount(sample.cluster, sample.mass * (sample.cohort == c), minlength=g) for c in sample.shared]
    return np.asarray((sample.sizes * n - np.column_stack(own)) / (n - count)[:, None])


def _reading(sample: Sample, groups: list[Group], column: dict[int, int]) -> np.ndarray:
    """(T, S, width) a quantity takes its group's response weights at its period and, negatively, at its base."""
    out = np.zeros((sample.y.shape[1], len(groups), len(column) + len(sample.shared)))
    for s, group in enumerate(groups):
        for i in group.cells:
            out[sample.cells[i].time, s, column[i]] += 1
            out[sample.cells[i].base, s, column[i]] -= 1
    return out
