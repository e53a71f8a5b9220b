"""Difference-in-differences: (Panel, Design) → EffectPath, with inference attached by `design.rule`.

Sensitivity analyses and repeated cross-sections are loaded when they are first used: a fit needs neither.
"""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from ..core import Design, EffectPath, Panel
from .bacon import bacon
from .balance import balance
from .gap import gap
from .inference import fit_path, inference
from .influence import effective_clusters, leave_one_out
from .joint import pretrend_test
from .outcomes import outcomes
from .placebo import placebo
from .power import power
from .ppml import counterfactual, informative, separated
from .rates import log_rate
from .registry import ESTIMATORS
from .size import simulated_size
from .synthetic import SyntheticWeights, synthetic_weights
from .two_by_two import panel_effect

if TYPE_CHECKING:
    from .cross_section import section_effect
    from .sensitivity.honest import breakdown, honest, trend_evidence
    from .sensitivity.pretrends import pretrend_power

__all__ = [
    "ESTIMATORS",
    "SyntheticWeights",
    "att_gt",
    "bacon",
    "balance",
    "breakdown",
    "counterfactual",
    "dose_response",
    "effective_clusters",
    "etwfe",
    "event_study",
    "first_difference",
    "gap",
    "honest",
    "imputation",
    "inference",
    "informative",
    "leave_one_out",
    "log_rate",
    "outcomes",
    "panel_effect",
    "placebo",
    "power",
    "ppml",
    "ppml_event_study",
    "pretrend_power",
    "pretrend_test",
    "section_effect",
    "separated",
    "simulated_size",
    "sunab",
    "synthetic_control",
    "synthetic_did",
    "synthetic_weights",
    "trend_evidence",
    "triple_difference",
    "twfe",
    "two_stage",
]

_HOME = {
    "breakdown": "sensitivity",
    "honest": "sensitivity",
    "pretrend_power": "sensitivity",
    "section_effect": "cross_section",
    "trend_evidence": "sensitivity",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return found


def att_gt(
    panel: Panel, design: Design | None = None, *, method: Literal["dr", "ipw", "reg"] | None = None
) -> EffectPath:
    """ATT(g,t): the effect on every cohort in every period, with one joint covariance (Callaway and Sant'Anna 2021).

    Parameters
        panel   outcomes (N, T), cohort and cluster (N,); covariates, analytic weights (N, T) where the design or the
                panel has them, both taken at the base period. A panel with missing cells (`missing="keep"`) is read
                row by row, as are repeated cross-sections (`Design.sampling="cross_section"`)
        design  control "never", "not_yet" (every unit untreated by then), "later" (those of them that are treated
                later) or "auto"; base "universal" or "varying"; anticipation, covariates, selection window, window of
                event times shown, rule of inference
        method  with covariates: "dr" doubly robust, "ipw" weighting (normalised), "reg" outcome regression;
                `design.adjustment` without it. Without covariates the three coincide
    Returns an EffectPath in the outcome's unit, rows "cohort=g,time=t"; `combine("event_time")`, `("cohort")`,
    `("calendar")`, `("overall")` aggregate with the cohorts' sizes and carry the error of estimating them. Rule
    "analytic" is the published covariance (cluster sums of the influence function, no small-sample factor); "auto" the
    jackknife over clusters. Cells that cannot be estimated are in `EffectPath.refused` with the reason.
    Raises UserError: did_unknown_outcome, did_unknown_covariate, did_unknown_rule, no_never_treated,
    no_not_yet_treated, no_treated_unit, no_comparison_unit, selection_window_outside, effect_not_identified.
    Not where treatment switches off; not for covariates that the programme moves.
    """
    design = design or Design()
    return fit_path("att_gt", panel, design if method is None else replace(design, adjustment=method))


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


def etwfe(
    panel: Panel,
    design: Design | None = None,
    *,
    family: Literal["gaussian", "poisson"] = "gaussian",
    effects: Literal["unit", "cohort"] = "unit",
) -> EffectPath:
    """Extended two-way fixed effects: one effect per cohort and period; Poisson with exposure for counts.

    gaussian  y_it = α_i + λ_t + θ_gt + u_it;   poisson  E[y_it] = exposure · completeness · exp(α_i + λ_t + θ_gt)

    Parameters
        panel    outcomes (N, T); for "poisson" counts ≥ 0 with exposure and completeness where the panel has them and
                 no
                 weights; analytic weights (N, T) are used by "gaussian"
        design   control "never": all leads, compared with the never treated; otherwise no leads: every untreated cell
                 compares and a cohort's whole past is its baseline. Covariates enter interacted with every effect
                 (centred at its cells), with slopes by period and cohort. Anticipation moves the start of effects
        effects  "unit" effects (they differ from "cohort" dummies where exposure paths, weights or covariates differ
                 between a cohort's units; dummies are the check)
    Returns an EffectPath, rows "cohort=g,time=t". Poisson rows are log rate ratios log(Σ observed / Σ μ0) with counts
    observed and μ0: `combine` adds counts, `averted` gives cases averted, `rate` the difference per 100,000. A cell
    without a case has ratio 0 and μ0; one whose cohort has no case before the start has no ratio (μ0 = 0); one whose
    period has no case among comparisons is left out: all noted. Cells without a control are in `EffectPath.refused`.
    Raises UserError: as `twfe` and, for "poisson", as `ppml`.
    Not where a cohort's baseline holds a handful of cases: pool cohorts. Source: Wooldridge (2021, 2023).
    """
    name = {"gaussian": "etwfe", "poisson": "etwfe_poisson"}[family] + ("" if effects == "unit" else "_cohort")
    return fit_path(name, panel, design or Design())


def sunab(panel: Panel, design: Design | None = None) -> EffectPath:
    """Sun and Abraham (2021): cohort × period effects with all leads against the never treated, or the last cohort.

    Parameters, units and errors as in `etwfe`, but covariates are plain regressors. Rows "cohort=g,time=t", the base
    period zero; `combine("event_time")` weighs cohorts by their observations (the interaction-weighted estimator,
    shares
    taken as given). "analytic" and "cr1" are the cluster-robust covariance with R fixest's small-sample factor.
    Not with few never-treated units: they alone carry every comparison; `etwfe` without leads uses all untreated cells.
    """
    return fit_path("sunab", panel, design or Design())


def imputation(panel: Panel, design: Design | None = None) -> EffectPath:
    """Imputation (Borusyak, Jaravel and Spiess 2024): outcomes minus what untreated cells say they would have been.

    Unit and period effects are fitted on untreated cells (before notice, and of the never treated) and the effect of a
    cohort in a period is the weighted mean of what is left there; the efficient estimator where errors are
    independent. Balanced, without weights and covariates it equals `etwfe` without leads.
    Parameters
        panel   outcomes (N, T), missing cells allowed; analytic weights (N, T) in both steps
        design  anticipation, selection window, covariates (constant within units: a slope by period; others plainly);
                `window` with a first event time −L < 0 adds the L leads of a regression of its own on untreated cells,
                the
                authors' pre-trend test; control "never" is noted, as every untreated cell compares
    Returns an EffectPath, rows "cohort=g,time=t"; `combine("event_time")` is their horizon, `combine("overall")` the
    average over treated cells. Rule "analytic" is their conservative covariance (residuals centred at cohort × period
    averages, clustered); "auto" the cluster jackknife of both steps. Cells without untreated cells to compare are
    refused.
    Raises UserError as `att_gt`. Not with a handful of untreated cells a period: they carry every comparison.
    """
    return fit_path("imputation", panel, design or Design())


def two_stage(panel: Panel, design: Design | None = None) -> EffectPath:
    """Two-stage difference-in-differences (Gardner 2022): the estimates of `imputation` with GMM covariance.

    Aggregates carry the error of their cells' sizes (rule "analytic", as R did2s, no small-sample factor). With a first
    event time −L < 0 in `design.window` leads are means of first-stage residuals: shrunk towards zero, no pre-trend
    test, not for `honest` (noted). Parameters, units and errors as in `imputation`.
    """
    return fit_path("two_stage", panel, design or Design())


def synthetic_did(panel: Panel, design: Design | None = None) -> EffectPath:
    """Synthetic difference-in-differences by cohort: weighted comparison units and periods (Arkhangelsky et al. 2021).

    Parameters
        panel   a rectangle: every unit seen in every period (N, T); exposure weighs cohorts and scales placebos
        design  control, outcomes, covariates, anticipation, selection window, window of event times, rule of inference
    Returns an EffectPath in the outcome's unit, rows "cohort=g,time=t" with leads; `combine("overall")` is the average
    over treated exposure (for one cohort: tau). Inference by "auto": placebo variance, the jackknife with weights
    kept where that is undefined, none for one treated cluster (`Design.rule="placebo"` gives it on request). Weights
    and paths: `synthetic_weights`. Cohorts with fewer than two periods before are in `EffectPath.refused`.
    Constants per unit and a line in time common to all leave it alone; other common movements enter σ, as in R.
    Raises UserError as `twfe`, and needs_rectangle, needs_no_weights, synthetic_few_periods.
    Not where treated units lie far outside the others in level *and* trend, nor as a test with one treated city.
    """
    return fit_path("synthetic_did", panel, design or Design())


def synthetic_control(panel: Panel, design: Design | None = None) -> EffectPath:
    """Synthetic control by cohort: comparison units weighted to the path of the treated (Abadie et al. 2010).

    Parameters, result, inference and errors as in `synthetic_did`; no constant and no weights of periods, so that an
    effect is the plain gap. Left alone by a common line in time, not by constants per unit.
    Not where the treated's level before lies outside the comparison units': no weights reach it.
    """
    return fit_path("synthetic_control", panel, design or Design())


def triple_difference(panel: Panel, design: Design | None = None) -> EffectPath:
    """Triple difference by cohort and period: eligible against ineligible units, groups with the programme and without.

    Parameters
        panel   every unit seen in every period (N, T); `cohort` is the start of the unit's *group*, for its eligible
                and ineligible units alike; weights and covariates as in `att_gt`
        design  `eligible` names the covariate (0/1) that says whom the programme reaches; adjustment "dr", "ipw",
                "reg"; control, base, anticipation, covariates, selection window, outcomes, window
    Returns an EffectPath in the outcome's unit, rows "cohort=g,time=t"; `combine` weighs cohorts by all their units,
    eligible or not (as R triplediff).
    ATT(g,t) = δ(g eligible, g ineligible) + δ(g eligible, c eligible) − δ(g eligible, c ineligible), δ a two-by-two
    with covariates. Not-yet-treated cohorts are weighted by the inverse of their covariance over units (as R
    triplediff; the weights are taken as known). Treated and comparison clusters of a row are those of groups with and
    without the programme: ineligible units of a treated group are no comparison cluster.
    Raises UserError as `att_gt`, and did_needs_eligibility, eligibility_not_constant, needs_followed_units,
    needs_rectangle. Not where the programme spills over to ineligible units of its group.
    Source: Ortiz-Villavicencio and Sant'Anna (2025).
    """
    return fit_path("triple_difference", panel, design or Design())


def dose_response(panel: Panel, design: Design | None = None) -> EffectPath:
    """Effect by dose: bins, or a curve by B-splines with its slope (Callaway, Goodman-Bacon & Sant'Anna 2024).

    Parameters
        panel   every unit seen in every period (N, T), no weights; `dose` > 0 of treated units, constant over time
                (that of undosed units is not read)
        design  `dose`, a `DoseCurve`: doses shown, bins or degree and knots; control, anticipation, selection window,
                outcomes; covariates are not offered
    Returns an EffectPath: rows "att" (mean over treated units, all cohorts and periods under treatment alike within a
    cohort), "att,dose=d", and for a curve "acrt" and "acrt,dose=d", the slope, in outcome per unit of dose. Cohorts
    with too few different doses for the basis are in `refused`.
    ATT(d) is the effect of dose d on those who got it; slopes and differences between doses are causal only under
    strong parallel trends (noted). Where every unit is dosed from the same period on, not even ATT(d) is identified:
    refused.
    Raises UserError: dose_missing, dose_not_positive, dose_shape, dose_few, dose_no_untreated, dose_no_covariates,
    needs_followed_units, needs_no_weights, needs_rectangle, and as `att_gt`.
    Not for doses that change over time, nor where dose was raised because the outcome was bad.
    """
    return fit_path("dose_response", panel, design or Design())
