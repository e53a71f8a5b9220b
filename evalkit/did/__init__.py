"""Difference-in-differences: (Panel, Design) → EffectPath, with inference attached by `design.rule`."""

from __future__ import annotations

from ..core import Design, EffectPath, Panel
from .gap import gap
from .inference import fit_path, inference
from .influence import effective_clusters, leave_one_out
from .ppml import counterfactual, separated
from .rates import log_rate
from .registry import ESTIMATORS
from .size import simulated_size

__all__ = [
    "ESTIMATORS",
    "counterfactual",
    "effective_clusters",
    "event_study",
    "first_difference",
    "gap",
    "inference",
    "leave_one_out",
    "log_rate",
    "ppml",
    "ppml_event_study",
    "separated",
    "simulated_size",
    "twfe",
]


def twfe(panel: Panel, design: Design | None = None) -> EffectPath:
    """Static two-way fixed effects, one row "att" per outcome (see `did.twfe` for the model and when not to use it).

    Effects in the outcome's unit (measure "level"), or as log rate ratios on a `log_rate` panel (measure "log_rate").
    """
    return fit_path("twfe", panel, design or Design())


def event_study(panel: Panel, design: Design | None = None) -> EffectPath:
    """Two-way fixed effects by event time, all leads and lags under one joint covariance."""
    return fit_path("event_study", panel, design or Design())


def first_difference(panel: Panel, design: Design | None = None) -> EffectPath:
    """First differences with period effects; `Design(rule="usual")` gives the textbook standard error."""
    return fit_path("first_difference", panel, design or Design())


def ppml(panel: Panel, design: Design | None = None) -> EffectPath:
    """Poisson with unit and period effects and exposure: log rate ratios with observed and μ0, outcomes jointly."""
    return fit_path("ppml", panel, design or Design())


def ppml_event_study(panel: Panel, design: Design | None = None) -> EffectPath:
    """The Poisson model by event time; observed and μ0 per event time, one joint covariance."""
    return fit_path("ppml_event_study", panel, design or Design())
