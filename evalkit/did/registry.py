"""The estimators by name. A new one is a function (Panel, Design) → Fit and one line here."""

from __future__ import annotations

from collections.abc import Callable

from ..core import Design, Panel, UserError
from .att_gt import att_gt_fit
from .dose_response import dose_response_fit
from .etwfe import etwfe_cohort_fit, etwfe_fit, sunab_fit
from .first_difference import first_difference_fit
from .fit import Fit
from .imputation import imputation_fit, two_stage_fit
from .ppml import etwfe_poisson_cohort_fit, etwfe_poisson_fit, ppml_event_study_fit, ppml_fit
from .synthetic import synthetic_control_fit, synthetic_did_fit
from .triple_difference import triple_difference_fit
from .twfe import event_study_fit, twfe_fit

ESTIMATORS: dict[str, Callable[[Panel, Design], Fit]] = {
    "att_gt": att_gt_fit,
    "dose_response": dose_response_fit,
    "etwfe": etwfe_fit,
    "etwfe_cohort": etwfe_cohort_fit,
    "etwfe_poisson": etwfe_poisson_fit,
    "etwfe_poisson_cohort": etwfe_poisson_cohort_fit,
    "imputation": imputation_fit,
    "sunab": sunab_fit,
    "synthetic_control": synthetic_control_fit,
    "synthetic_did": synthetic_did_fit,
    "triple_difference": triple_difference_fit,
    "two_stage": two_stage_fit,
    "twfe": twfe_fit,
    "event_study": event_study_fit,
    "first_difference": first_difference_fit,
    "ppml": ppml_fit,
    "ppml_event_study": ppml_event_study_fit,
}

RECTANGLE = ("dose_response", "synthetic_control", "synthetic_did", "triple_difference")
"""Estimators that need every unit in every period."""


def fit_of(method: str, panel: Panel, design: Design) -> Fit:
    """Fit the estimator of that name. Raises UserError("did_unknown_method") listing those there are."""
    if method not in ESTIMATORS:
        raise UserError("did_unknown_method", method=method, known=sorted(ESTIMATORS))
    return ESTIMATORS[method](panel, design)
