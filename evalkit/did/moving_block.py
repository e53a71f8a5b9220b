"""One treated unit over many periods: is the gap after the start unusual among all its cyclic shifts in time?"""

from __future__ import annotations

import numpy as np

from .simplex import path_weights
from .synthetic_block import TOLERANCE, Weighted

LONG = 40
"""Periods from which on it is offered (`methods.md` 4)."""


def moving_block(w: Weighted, row: np.ndarray) -> float:
    """p of no effect in any period, (number of shifts with |Σ row_t u_t| at least the actual one) / T.

    w     a block with one treated unit;  row (T,) weights of the effect over periods
    u_t = treated − Σ ω y − constant, with ω found under the null from all periods, those under treatment included.
    Exact where gaps are exchangeable over shifts, approximate where they are stationary and weakly dependent; never
    below 1/T. Source: Chernozhukov, Wüthrich and Zhu (2021), Journal of the American Statistical Association 116:1849.
    """
    block, scheme = w.block, w.scheme
    assert scheme is not None
    y, own = block.y[block.control], block.y[block.treated].mean(axis=0)
    unit = path_weights(y.T, own, w.unit_ridge, TOLERANCE * block.noise, intercept=scheme.intercept)
    gap = own - unit @ y
    if scheme.intercept:
        gap = gap - gap.mean()
    shifts = np.arange(len(gap))
    moved = np.abs(gap[(shifts[:, None] + shifts) % len(gap)] @ row)
    return float((moved >= moved[0] * (1 - 1e-10)).mean())
