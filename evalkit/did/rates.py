"""Counts to log rates: the scale of the headline test for cities."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core import Panel, UserError
from .twfe import LOG_RATE


def log_rate(panel: Panel, outcome: str | None = None) -> Panel:
    """The panel with one outcome, log((count + ½) / (exposure · completeness)), and no weights.

    outcome   the primary one without a name; counts in cases, exposure in `panel.exposure_unit`
    Two-way fixed effects on it are the headline test and rate ratio of city designs (`methods.md` 1): every city counts
    alike. Cells without positive exposure become missing. Not below about two cases a cell with a one-sided treated
    set: collapse periods or use `ppml` there. Raises UserError("did_no_exposure").
    """
    if panel.exposure is None:
        raise UserError("did_no_exposure", outcome=outcome or panel.primary)
    name = outcome or panel.primary
    exposure = panel.exposure if panel.completeness is None else panel.exposure * panel.completeness
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.where(exposure > 0, np.log((panel.matrix(name) + 0.5) / exposure), np.nan)
    return replace(panel, outcomes={name: value}, weight=None, outcome_unit=LOG_RATE)
