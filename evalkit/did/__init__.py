"""Difference-in-differences: (Panel, Design) → EffectPath, with inference attached by `design.rule`."""

from __future__ import annotations

from ..core import Design, EffectPath, Panel
from .balance import balance
from .gap import gap
from .inference import fit_path, inference
from .influence import effective_clusters, leave_one_out
from .outcomes import outcomes
from .placebo import placebo
from .power import power
from .ppml import counterfactual, separated
from .rates import log_rate
from .registry import ESTIMATORS
from .sensitivity import breakdown, honest, pretrend_power, trend_evidence
from .size import simulated_size

__all__ = [
    "ESTIMATORS",
    "balance",
    "breakdown",
    "counterfactual",
    "effective_clusters",
    "event_study",
    "first_difference",
    "gap",
    "honest",
    "inference",
    "leave_one_out",
    "log_rate",
    "outcomes",
    "placebo",
    "power",
    "ppml",
    "ppml_event_study",
    "pretrend_power",
    "separated",
    "simulated_size",
    "trend_evidence",
    "twfe",
]


def twfe(panel: Panel, design: Design | None = None) -> EffectPath:
    """Static two-way fixed effects: y_it = α_i + λ_t + β D_it + x_it'γ + u_it, one row "att" per outcome.

    Parameters
        panel   outcomes (N, T), cohort and cluster (N,); analytic weights (N, T) are used where the panel has them
        design  outcomes, control, covariates, selection window and rule of inference; `Design()` without it
    Returns an EffectPath in the outcome's unit (measure "level"), or of log rate ratios on a `log_rate` panel (measure
    "log_rate"), with inference by `design.rule`: the cluster jackknife with Satterthwaite degrees of freedom as a rule.
    Raises UserError: did_unknown_outcome, did_unknown_covariate, did_unknown_rule, no_never_treated,
    no_not_yet_treated, no_treated_unit, no_comparison_unit, selection_window_outside, base_not_universal,
    effect_not_identified, unit_in_two_clusters, collinear_covariates.
    Not for staggered starts with effects that change over time, where β mixes cohorts with negative weights.
    Source: Goodman-Bacon (2021); Pustejovsky and Tipton (2018).
    """
    return fit_path("twfe", panel, design or Design())


def event_study(panel: Panel, design: Design | None = None) -> EffectPath:
    """Two-way fixed effects by event time: y_it = α_i + λ_t + Σ_e β_e 1{t − cohort_i = e} + x_it'γ + u_it.

    Rows "event_time=k", all leads and lags under one joint covariance, nothing binned; the last period before
    `cohort − anticipation` outside the selection window is the reference, zero by definition. `design.window` only
    chooses what is shown. Parameters, units and errors as in `twfe`.
    Not for choosing a model by its pre-trends: a lead that is not significant is no proof of parallel trends.
    """
    return fit_path("event_study", panel, design or Design())


def first_difference(panel: Panel, design: Design | None = None) -> EffectPath:
    """First differences with period effects: Δy_it = λ_t + β ΔD_it + Δx_it'γ + Δu_it, one row "att" per outcome.

    Efficient where level errors are a random walk. `Design(rule="usual")` gives the textbook standard error, which
    takes differences as independent; otherwise it stands beside the cluster jackknife as `extra["usual_std_error"]`.
    Parameters, units and errors as in `twfe`. Not where periods between two observations of a unit are missing: such
    differences are left out. Source: Wooldridge, Introductory Econometrics, chapter 13.
    """
    return fit_path("first_difference", panel, design or Design())


def ppml(panel: Panel, design: Design | None = None) -> EffectPath:
    """Poisson with unit and period effects: E[y_it] = exposure · completeness · exp(α_i + λ_t + β D_it + x_it'γ).

    Parameters
        panel   counts or amounts ≥ 0 (N, T), exposure and completeness (N, T) where the panel has them; no weights
        design  as in `twfe`; several `outcomes` are fitted side by side and share one joint cluster covariance
    Returns an EffectPath of log rate ratios, one row "att" per outcome, with observed and μ0 in cases: `averted`
    turns it into cases averted. Raises as `twfe`, and UserError: weights_on_counts, did_negative_count,
    did_count_without_exposure, poisson_not_converged.
    Multiplicative parallel trends. Not for exposure that the programme itself moves.
    Source: Santos Silva and Tenreyro (2006); Correia, Guimarães and Zylkin (2020); Wooldridge (2023).
    """
    return fit_path("ppml", panel, design or Design())


def ppml_event_study(panel: Panel, design: Design | None = None) -> EffectPath:
    """The Poisson model by event time: log rate ratios with observed and μ0 (cases), one joint covariance.

    Rows as in `event_study`, parameters, errors and limits as in `ppml`. An event time without a case has estimate
    −∞ and is refused; one without comparable cases is left out; both are noted. Combine rows on counts
    (`EffectPath.combine`), never by averaging log ratios.
    """
    return fit_path("ppml_event_study", panel, design or Design())
