"""Rules given on request and labelled so: textbook, wild bootstrap, cluster draws, permutation, few treated clusters.

None of them is ever the automatic verdict (`methods.md` 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Inference
from . import cluster_draws, permutation, wild
from .context import Context, refused, t_interval
from .facts import usual_df, usual_vcov
from .few_treated import conley_taber, ferman_pinto
from .parts import ClusterAlgebra
from .sides import response_of, sides_of
from .wild import WildResult

FEW_TREATED = {"conley_taber": conley_taber, "ferman_pinto": ferman_pinto}


def refusal(context: Context, i: int, key: str, reason: str = "requested") -> Inference:
    """A typed refusal of a rule that this row does not carry."""
    return Inference(rule="refused", reason=f"inference.reason.{reason}", refused=refused(key), **context.described(i))


def usual(context: Context, i: int) -> Inference:
    """Textbook standard error, rows independent; regressions only."""
    if not context.fit.regressions:
        return refusal(context, i, "no_usual", "usual")
    path = context.path
    return Inference(
        rule="usual",
        reason="inference.reason.usual",
        **t_interval(float(path.estimate[i]), context.std_error(i), _usual_df(context, i), path.design.level),
        **context.described(i),
    )


def usual_beside(context: Context, i: int) -> dict[str, Any]:
    """The textbook standard error as an extra beside the headline."""
    se = float(np.sqrt(usual_vcov(context.fit, context.transform)[i, i]))
    return {"usual_std_error": se, "usual_df": _usual_df(context, i)}


def _usual_df(context: Context, i: int) -> float:
    """The fewest residual degrees of freedom of the regressions that the row draws on."""
    live = [r for r, share in zip(context.fit.regressions, context.shares) if share.live[i]]
    return float(min(usual_df(context.fit, r) for r in live))


def wild_bootstrap(context: Context, i: int) -> Inference:
    """Wild cluster bootstrap of one regression; cluster draws of the scores for anything else."""
    live, path = context.live(i), context.path
    if len(live) == 1 and isinstance(live[0].part, ClusterAlgebra):
        part = live[0].part
        contrast = part.contrast(live[0].rows[i : i + 1])[0]
        result = wild.bootstrap(part.system, contrast, level=path.design.level, seed=path.design.seed)
        shift = float(path.estimate[i]) - float(contrast / part.system.scale @ part.system.beta)
        return _drawn(context, i, "wild", result, shift)
    if path.scores is None:
        return refusal(context, i, "too_many_clusters")
    sides = sides_of(live[0].part, live[0].rows[i]) if len(live) == 1 else None
    leverage = None if sides is None or len(sides.variance) != len(path.scores) else sides.leverage
    found = cluster_draws.bootstrap(
        float(path.estimate[i]), path.scores[:, i], leverage, level=path.design.level, seed=path.design.seed
    )
    return _drawn(context, i, "cluster_draws", found, 0.0)


def _drawn(context: Context, i: int, rule: str, result: WildResult, shift: float) -> Inference:
    return Inference(
        rule=rule,
        reason="inference.reason.requested",
        std_error=context.std_error(i),
        statistic=result.statistic,
        p_value=result.p_value,
        conf_low=result.conf_low + shift,
        conf_high=result.conf_high + shift,
        p_attainable=result.p_attainable,
        extra={"draws": result.draws, "weights": result.weights, "enumerated": result.enumerated},
        **context.described(i),
    )


def permuted(context: Context, i: int) -> Inference:
    """Placebo rank; an exact p only where assignment was random."""
    rank = permutation.rank_of(context.placebos, context.transform[i])
    if rank is None:
        return refusal(context, i, "no_permutation")
    exact = context.path.design.assignment == "random"
    return Inference(
        rule="permutation",
        reason="inference.reason.permutation_exact" if exact else "inference.reason.placebo",
        p_value=rank.p_value if exact else None,
        p_attainable=1 / rank.n,
        extra={"placebo_rank": rank.rank, "placebo_of": rank.n, "enumerated": rank.enumerated},
        **context.described(i),
    )


def few_treated(context: Context, i: int, method: str) -> Inference:
    """Conley-Taber or Ferman-Pinto; also with one treated cluster, which no other rule tests."""
    live, path = context.live(i), context.path
    if len(live) != 1:
        return refusal(context, i, "joint_outcomes")
    response = response_of(live[0].part, context.panel, live[0].rows[i])
    if response is None:
        return refusal(context, i, "no_unit_paths")
    arguments = (float(path.estimate[i]), path.terms[i].outcome, path.design.level, path.design.seed)
    found = FEW_TREATED[method](context.panel, context.fit, response, *arguments)
    if found is None:
        return refusal(context, i, "no_unit_paths")
    return Inference(
        rule=method,
        reason=f"inference.reason.{method}",
        p_value=found.p_value,
        conf_low=found.conf_low,
        conf_high=found.conf_high,
        p_attainable=found.p_attainable,
        extra={"draws": found.draws, "enumerated": found.enumerated, "money": "inference.note.no_money_model"},
        **context.described(i),
    )
