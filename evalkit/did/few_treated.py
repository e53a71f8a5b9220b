"""Tests for few treated clusters from the residual paths of others: Conley-Taber (2011) and Ferman-Pinto (2019).

A row is Σ_g load_g'y_g over clusters that are one unit each, seen in every period. Its error is Σ_g load_g'ε_g; what
the treated clusters' errors look like is learnt from paths of other clusters.

- Conley & Taber 2011 (REStat 93:113): the error of the treated alone, drawn from the **comparison** clusters' paths.
  Their own error averages out with many of them. Assumes that treated and comparison errors have one distribution.
- Ferman & Pinto 2019 (REStat 101:452): all clusters' paths under the null value, standardised by √(a + b/exposure),
  drawn with replacement and rescaled to where they land; a and b from the squared contrast of each path. Without
  exposure every cluster is taken as equally variable.

p = (1 + #{|drawn| ≥ |θ̂ − r|}) / (n + 1); the interval inverts it. Both are model-based and never the automatic verdict:
at a true zero they reject 21-25 % where the treated are noisier than the model says (`methods.md` 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from ..core import Panel
from .fit import Fit
from .sides import Response
from .studentised import null_paths, variance_model
from .wild import interval

DRAWS = 4_999
LEAST_CONTROLS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FewTreated:
    """p_attainable: smallest p the draws can give;  draws: how many;  enumerated: all there are."""

    p_value: float
    conf_low: float
    conf_high: float
    p_attainable: float
    draws: int
    enumerated: bool


def conley_taber(
    panel: Panel, fit: Fit, response: Response, estimate: float, outcome: str, level: float, seed: int
) -> FewTreated | None:
    """Treated clusters' errors drawn from comparison clusters' paths; None with fewer than two of these."""
    treated = np.flatnonzero(response.treated)
    pool = np.flatnonzero(~response.treated)
    if len(pool) < LEAST_CONTROLS or not len(treated):
        return None
    paths, _ = null_paths(panel, fit, outcome, np.ix_(response.units[pool], response.times))
    if not np.isfinite(paths).all():
        return None
    effect = response.load[treated] @ paths.T
    enumerated = len(pool) ** len(treated) <= DRAWS
    if enumerated:
        chosen = np.array(list(product(range(len(pool)), repeat=len(treated))))
    else:
        chosen = np.random.default_rng(seed).integers(0, len(pool), (DRAWS, len(treated)))
    drawn = np.abs(effect[np.arange(len(treated)), chosen].sum(axis=1))
    return _result(lambda gap: drawn, estimate, len(drawn), level, enumerated)


def ferman_pinto(
    panel: Panel, fit: Fit, response: Response, estimate: float, outcome: str, level: float, seed: int
) -> FewTreated | None:
    """All clusters' null paths, corrected for a variance a + b/exposure; None where paths have gaps."""
    load, at = response.load, response.at
    paths, _ = null_paths(panel, fit, outcome, at)
    if not np.isfinite(paths).all() or not response.treated.any():
        return None
    shape = load / (load**2).sum()
    paths = paths - (load * paths).sum() * shape
    side = load[response.treated].sum(axis=0)
    side = side / np.linalg.norm(side)
    inverse = np.ones(len(load)) if panel.exposure is None else (1 / panel.exposure[at]).mean(axis=1)
    chosen = np.random.default_rng(seed).integers(0, len(load), (DRAWS, len(load)))
    own = np.arange(len(load))

    def drawn(gap: float) -> np.ndarray:
        null = paths + gap * shape
        contrast = null @ side
        if panel.exposure is None:
            sd = np.ones(len(load))
        else:
            a, b = variance_model((contrast - contrast.mean()) ** 2, inverse)
            sd = np.sqrt(np.maximum(a + b * inverse, 1e-300))
        moved = sd[:, None] * (load @ null.T) / sd[None, :]
        return np.asarray(np.abs(moved[own, chosen].sum(axis=1)))

    return _result(drawn, estimate, DRAWS, level, False)


def _result(
    drawn: Callable[[float], np.ndarray], estimate: float, n: int, level: float, enumerated: bool
) -> FewTreated:
    def share(gap: float) -> float:
        return (1 + int((drawn(gap) >= abs(gap) * (1 - 1e-10)).sum())) / (n + 1)

    step = float(np.sqrt(np.mean(drawn(0.0) ** 2)))
    low, high = interval(share, estimate, step, 1 - level) if step > 0 else (estimate, estimate)
    return FewTreated(
        p_value=share(estimate),
        conf_low=low,
        conf_high=high,
        p_attainable=1 / (n + 1),
        draws=n,
        enumerated=enumerated,
    )
