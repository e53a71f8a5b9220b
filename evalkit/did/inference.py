"""The router: what may be said about each effect, by which rule, and why that rule.

"auto" (`methods.md` 1): one treated or one comparison cluster → not testable with this design, the effect is shown
with its placebo rank and nothing else; otherwise the cluster jackknife (CR3) with Satterthwaite degrees of freedom,
whatever they are (working covariance: identity on the response; error components for counts of units that nest in
clusters, `components`), with a studentised-randomisation p beside it below 4, where every cluster is one unit observed
in every period, and no money means below 3. Any other method is given on request and labelled as requested
(`requested`).

Inference always starts from a re-fit through `ESTIMATORS[path.method]` and the path's own `transform`, so that it also
works after `combine` or `averted`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..core import MONEY_DF, Design, EffectPath, Inference, Panel, Shares, UserError, frozen_array
from . import permutation, replicated, requested, size, studentised
from .context import Context, refused, t_interval
from .facts import RowFacts, Share, covariance_of, facts_of, shares_of, usual_vcov
from .fit import Fit
from .parts import RULES, part_of
from .registry import fit_of

METHODS = (
    "auto", "analytic", "cr1", "cr2", "cr3", "wild", "permutation", "conley_taber", "ferman_pinto", "usual",
    *replicated.RULES,
)  # fmt: skip
DEGREES = ("auto", "cr2", "cr3")
"""Methods that read Satterthwaite degrees of freedom."""
EXACT = 1e-13
"""Standard error, relative to the largest outcome, that only rounding is left of."""
LOW_DF = 4.0
"""Below it a studentised-randomisation p is shown beside the interval, where the design allows one."""


def fit_path(method: str, panel: Panel, design: Design) -> EffectPath:
    """Fit a registered estimator and attach inference by `design.rule`."""
    fit = fit_of(method, panel, design)
    return attach(fit.path, fit, panel, design.rule)


def inference(path: EffectPath, panel: Panel, method: str = "auto") -> EffectPath:
    """Attach inference to the rows of a path, also after `combine`, `select` or `averted`.

    path     a path of a registered estimator with its `transform`; panel: the panel it was fitted on
    method   "auto" (the router), "analytic" (the estimator's own published covariance, t(G−1); a regression's is cr1),
             "cr1", "cr2", "cr3" (Satterthwaite df but for cr1: t(G−1)), "wild" (restricted wild cluster bootstrap,
             interval by inversion; cluster draws of the scores where the row is not of one regression), "permutation"
             (placebo ranks; exact only where `design.assignment` is "random"), "conley_taber", "ferman_pinto" (few
             treated clusters, each one unit seen in every period), "usual" (textbook standard error, independent rows);
             for synthetic estimators only "jackknife", "placebo", "bootstrap" (`replicated`)
    Returns a new path with `inference`, `vcov`, `scores` (vcov = scoresᵀ scores) and `vcov_rule`.
    A row that the method cannot serve is refused with its reason. Raises UserError("did_unknown_rule"),
    ("did_unknown_method") for a path whose estimator is not registered, and whatever the estimator raises.
    """
    return attach(path, fit_of(path.method, panel, path.design), panel, method)


def attach(path: EffectPath, fit: Fit, panel: Panel, method: str) -> EffectPath:
    """Inference of `path`, a linear map of `fit.path`'s rows, from the fit's regressions."""
    if method not in METHODS:
        raise UserError("did_unknown_rule", rule=method, known=list(METHODS))
    if replicated.replicates(fit):
        return replicated.attach(path, fit, panel, method)
    if method in replicated.RULES:
        raise UserError("did_rule_by_replication", rule=method, method=path.method)
    transform = np.eye(len(fit.path)) if path.transform is None else np.asarray(path.transform)
    shares = shares_of(fit, transform)
    facts = facts_of(path, shares, degrees=method in DEGREES)
    rule = method if method in RULES else "cr3" if method == "auto" else "cr1"
    scores, vcov = covariance_of(shares, rule)
    path = replace(
        path,
        scores=None if scores is None else frozen_array(scores),
        vcov=frozen_array(vcov),
        vcov_rule=rule,
        inference=(),
        shares=_with_covariance(path, fit, rule),
    )
    context = Context(
        path=path,
        fit=fit,
        panel=panel,
        transform=transform,
        shares=shares,
        facts=facts,
        placebos=_placebos(path, panel, facts, method),
        studentised=_studentised(path, fit, panel, shares, facts, method),
        rounding=_rounding(path, panel),
    )
    if method == "usual" and fit.regressions:
        path = replace(path, vcov=frozen_array(usual_vcov(fit, transform)), scores=None, vcov_rule="usual")
        context = replace(context, path=path)
    rows = tuple(_row(context, i, method) for i in range(len(path)))
    return replace(path, inference=rows)


def _with_covariance(path: EffectPath, fit: Fit, rule: str) -> Shares | None:
    """The path's estimated weights with the covariance of all of the fit's quantities, for later aggregation."""
    if path.shares is None:
        return None
    own = np.eye(sum(part_of(source).width for source in fit.sources))
    scores, vcov = covariance_of(shares_of(fit, own), rule)
    return replace(path.shares, vcov=frozen_array(vcov), scores=None if scores is None else frozen_array(scores))


def _placebos(path: EffectPath, panel: Panel, facts: RowFacts, method: str) -> permutation.Placebos | None:
    """Re-fits with other clusters treated: on request, or where the panel itself has one treated or one other cluster.

    A late event time that a single cluster of several reaches gets none: its own placements are not the panel's.
    """
    _, treated, control = panel.cluster_counts()
    untestable = (~facts.reference & np.isfinite(path.estimate) & ~facts.testable).any()
    if method != "permutation" and not (untestable and min(treated, control) == 1):
        return None
    return permutation.placebos(panel, path.method, path.design)


def _studentised(
    path: EffectPath, fit: Fit, panel: Panel, shares: tuple[Share, ...], facts: RowFacts, method: str
) -> np.ndarray:
    """(k,) studentised-randomisation p of the rows whose degrees of freedom call for it; NaN elsewhere."""
    low = facts.testable & ~facts.reference & (facts.df < LOW_DF) & np.isfinite(path.estimate)
    if method == "auto" and low.any():
        return studentised.p_values(panel, fit, shares, low, path.design)
    return np.full(len(path), np.nan)


def _rounding(path: EffectPath, panel: Panel) -> np.ndarray:
    """(k,) standard errors below which a row's residuals are rounding: the model fits the outcome exactly."""
    size = {t.outcome: 1.0 for t in path.terms}
    if not path.is_count:
        size = {name: float(np.nanmax(np.abs(panel.matrix(name)), initial=0.0)) for name in size}
    limit = EXACT * np.array([size[t.outcome] for t in path.terms])
    if path.mu0 is not None and any(t.measure in ("averted", "rate") for t in path.terms):
        limit = limit * path.mu0
    return limit


def _row(context: Context, i: int, method: str) -> Inference:
    estimate, facts = context.path.estimate[i], context.facts
    level = context.path.design.level
    if not np.isfinite(estimate):
        key = "zero_observed" if np.isneginf(estimate) else "no_estimate"
        return Inference(rule="refused", reason="inference.reason.separated", level=level, refused=refused(key))
    if facts.reference[i]:
        return Inference(rule="reference", reason="inference.reason.reference", level=level)
    if method == "permutation":
        return requested.permuted(context, i)
    if method in requested.FEW_TREATED:
        return requested.few_treated(context, i, method)
    if not facts.testable[i]:
        return _not_testable(context, i)
    if context.std_error(i) <= context.rounding[i]:
        return requested.refusal(context, i, "no_variation", "no_variation")
    if method == "wild":
        return requested.wild_bootstrap(context, i)
    if method == "usual":
        return requested.usual(context, i)
    return _robust(context, i, method)


def _not_testable(context: Context, i: int) -> Inference:
    """One treated or one comparison cluster, or an effect that hangs on one cluster: effect and placebo rank only."""
    facts = context.facts
    if facts.treated[i] < 2:
        key = "one_treated_cluster"
    elif facts.control[i] < 2:
        key = "one_control_cluster"
    else:
        key = "hangs_on_one_cluster"
    rank = permutation.rank_of(context.placebos, context.transform[i])
    return Inference(
        rule="not_testable",
        reason=f"inference.reason.{key}",
        refused=refused(key),
        p_attainable=None if rank is None else 1 / rank.n,
        extra={} if rank is None else {"placebo_rank": rank.rank, "placebo_of": rank.n},
        **context.described(i),
    )


def _robust(context: Context, i: int, method: str) -> Inference:
    path, facts = context.path, context.facts
    df = float(facts.n_clusters[i] - 1 if method in ("cr1", "analytic") else facts.df[i])
    se = context.std_error(i)
    reason = _reason(context, i, df) if method == "auto" else "requested"
    extra: dict[str, Any] = {} if method in ("cr1", "analytic") else {"working": _working(context, i)}
    if method == "auto":
        extra |= _beside(context, i, df)
    if context.fit.path.method == "first_difference":
        extra |= requested.usual_beside(context, i)
    return Inference(
        rule="cr3" if method == "auto" else method,
        reason=f"inference.reason.{reason}",
        size=_size(context, i) if method == "auto" else {},
        extra=extra,
        **t_interval(float(path.estimate[i]), se, df, path.design.level),
        **context.described(i),
    )


def _working(context: Context, i: int) -> str:
    """The working covariance behind the degrees of freedom."""
    nested = any(getattr(share.part, "working", None) is not None for share in context.live(i))
    return "inference.note.working_components" if nested else "inference.note.working_response"


def _reason(context: Context, i: int, df: float) -> str:
    """Why the jackknife: with enough degrees of freedom, with few and a randomisation p, or with few and none."""
    if df >= LOW_DF:
        return "cr3"
    return "cr3_low_df" if np.isfinite(context.studentised[i]) else "cr3_low_df_alone"


def _size(context: Context, i: int) -> dict[str, float]:
    """Simulated size of the design, for overall rows only (event times would repeat it)."""
    if context.path.terms[i].event_time is not None:
        return {}
    return size.scenarios(context.shares, i, context.path.design, context.panel)


def _beside(context: Context, i: int, df: float) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if np.isfinite(context.studentised[i]):
        extra |= {"studentised_p": float(context.studentised[i]), "studentised_note": "inference.note.studentised"}
    if df < MONEY_DF:
        extra["money"] = "inference.note.no_money_means"
    return extra
