"""ATT(g,t) of a balanced panel without covariates and weights: algebra on cohort means and cross products alone.

θ = (ȳ_gt − ȳ_gb) − (ȳ_Ct − ȳ_Cb) with pooled controls C. Doubly robust, weighting and outcome regression coincide.
"""

from __future__ import annotations

import numpy as np

from .att_gt_sample import Sample, Solved
from .moments import cohort_moments
from .saturated import SaturatedPart


def solve(sample: Sample) -> Solved:
    """Estimates of all cells and their part in closed form."""
    m = cohort_moments(sample.y, sample.cohort, sample.cluster, sample.n_clusters)
    k, c, t = len(sample.cells), len(m.n), sample.y.shape[1]
    load, shift = np.zeros((c, k + len(sample.shared), t)), np.zeros((c, k + len(sample.shared)))
    sides: dict[tuple[int, ...], int] = {(i,): i for i in range(c)}
    side = np.repeat(np.arange(c)[:, None], shift.shape[1], axis=1)
    estimate = np.zeros(k)
    for j, cell in enumerate(sample.cells):
        if not cell.live:
            continue
        g, pool = sample.position[cell.cohort], [sample.position[i] for i in cell.controls]
        change = m.mean[:, cell.time] - m.mean[:, cell.base]
        size = m.n[pool].sum()
        pooled = float(m.n[pool] @ change[pool]) / size
        estimate[j] = change[g] - pooled
        load[g, j, cell.time], load[g, j, cell.base] = 1 / m.n[g], -1 / m.n[g]
        load[pool, j, cell.time], load[pool, j, cell.base] = -1 / size, 1 / size
        shift[pool, j] = (pooled - change[pool]) / size
        side[pool, j] = sides.setdefault(tuple(pool), len(sides))
    everyone = sides.setdefault(tuple(range(c)), len(sides))
    for j, (cohort, share) in enumerate(zip(sample.shared, sample.sizes), start=k):
        shift[:, j] = (np.arange(c) == sample.position[cohort]) / m.n.sum() - share / m.n.sum()
        side[:, j] = everyone
    treated, control = sample.sides(list(range(k)))
    part = SaturatedPart(
        moments=m,
        load=load,
        shift=shift,
        sides=np.array([np.isin(np.arange(c), who) for who in sides]),
        side=side,
        treated=treated,
        control=control,
        n_obs=len(sample.y) * len(sample.times),
        n_params=c * (len(sample.times) - 1) + 1,
        published="cr0",
    )
    return Solved(kept=list(range(k)), estimate=estimate, part=part)
