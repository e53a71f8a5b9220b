"""What may be said about a synthetic estimate: by jackknife, placebo or bootstrap, or nothing, and why.

"auto" (`methods.md` 1 and 4): one treated or one comparison cluster → not testable, the effect with its placebo rank,
beside it for one treated unit seen in at least 40 periods the p of a moving-block permutation over time. Otherwise the
placebo variance with t(comparison units − 1); where it is undefined, since clusters hold several units or comparison
units do not outnumber the treated, the cluster jackknife with weights kept and Satterthwaite degrees of freedom. In
that order because the jackknife takes weights as known: on 150 null panels of 21 cities, 8 treated, it rejected 11 %
at 5 %, the placebo 4 %; of synthetic control, without a constant, it is several times too wide instead. On fresh panels
(`benchmarks/synthetic_size.csv`) the placebo of synthetic difference-in-differences rejects in 0 to 3 %, whoever is
treated, and in **17 % where the treated are twice as noisy**, of which placebos know nothing.
"jackknife", "placebo", "bootstrap" on request, refused where undefined; placebo also for one treated unit, since
published numbers are such: it takes the treated's noise for that of the others. "permutation" as for every estimator.
Rules that need cluster scores are refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..core import MONEY_DF, EffectPath, Inference, Panel, frozen_array
from . import permutation, requested
from .context import Context, context_of, refused, t_interval
from .facts import Share
from .fit import Fit
from .moving_block import LONG, moving_block
from .synthetic_part import RULES, SyntheticPart


def replicates(fit: Fit) -> bool:
    """True for a fit whose parts know no other inference."""
    return any(isinstance(source, SyntheticPart) for source in fit.sources)


def attach(path: EffectPath, fit: Fit, panel: Panel, method: str) -> EffectPath:
    """Inference of `path`, a linear map of the rows of a synthetic estimator's fit."""
    context = context_of(path, fit, panel)
    path, rule = context.path, _rule(context.shares, method)
    scores, vcov = (None, None) if rule is None else _covariance(context.shares, rule)
    path = replace(path, scores=scores, vcov=vcov, vcov_rule=rule or "", inference=())
    placebos = permutation.placebos(panel, path.method, path.design) if method == "permutation" else None
    context = replace(context, path=path, placebos=placebos)
    return replace(path, inference=tuple(_row(context, i, method, rule) for i in range(len(path))))


def _parts(shares: tuple[Share, ...]) -> list[SyntheticPart]:
    return [share.part for share in shares if isinstance(share.part, SyntheticPart)]


def _undefined(shares: tuple[Share, ...], rule: str) -> str | None:
    return next((key for part in _parts(shares) if (key := part.undefined(rule))), None)


def _rule(shares: tuple[Share, ...], method: str) -> str | None:
    """The rule of the path's covariance, None where there is none."""
    wanted = (method,) if method in RULES else _parts(shares)[0].preferred
    return next((rule for rule in wanted if _undefined(shares, rule) is None), None)


def _covariance(shares: tuple[Share, ...], rule: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Scores of the rows summed over outcomes, which share their draws; without them where samples differ."""
    scores = [share.part.scores(rule, share.rows) for share in shares]
    if len({None if s is None else s.shape for s in scores}) > 1:
        return None, frozen_array(sum(share.part.vcov(rule, share.rows) for share in shares))
    total = np.asarray(sum(s for s in scores if s is not None))
    return frozen_array(total), frozen_array(total.T @ total)


def _row(context: Context, i: int, method: str, rule: str | None) -> Inference:
    facts = context.facts
    if facts.reference[i]:
        return Inference(rule="reference", reason="inference.reason.reference", level=context.path.design.level)
    if method == "permutation":
        return requested.permuted(context, i)
    if method not in ("auto", *RULES):
        return requested.refusal(context, i, "no_cluster_scores")
    many = facts.treated[i] >= 2 and facts.control[i] >= 2
    if method == "auto" and not many:
        return _not_testable(context, i)
    if rule is None:
        key = _undefined(context.shares, "placebo" if method == "auto" else method)
        assert key is not None
        return requested.refusal(
            context, i, key.rpartition(".")[2], "no_replication" if method == "auto" else "requested"
        )
    return _replicated(context, i, method, rule)


def _replicated(context: Context, i: int, method: str, rule: str) -> Inference:
    path, facts = context.path, context.facts
    df = float(facts.control[i] - 1 if rule == "placebo" else facts.df[i])
    extra: dict[str, Any] = {"working": "inference.note.working_response"} if rule != "placebo" else {}
    if rule != "jackknife":
        draws = _parts(context.shares)[0].replications(rule)
        extra |= {"draws": len(draws.effects), "enumerated": draws.enumerated}
    if method == "auto" and df < MONEY_DF:
        extra["money"] = "inference.note.no_money_means"
    return Inference(
        rule=rule,
        reason=f"inference.reason.{_reason(context, i, method, rule)}",
        extra=extra,
        **t_interval(float(path.estimate[i]), context.std_error(i), df, path.design.level),
        **context.described(i),
    )


def _reason(context: Context, i: int, method: str, rule: str) -> str:
    if method != "auto":
        return "requested_one_treated" if context.facts.treated[i] < 2 else "requested"
    return f"synthetic_{rule}"


def _not_testable(context: Context, i: int) -> Inference:
    key = "one_treated_cluster" if context.facts.treated[i] < 2 else "one_control_cluster"
    extra = _ranked(context, i) | _over_time(context, i)
    return Inference(
        rule="not_testable",
        reason=f"inference.reason.{key}",
        refused=refused(key),
        p_attainable=1 / extra["placebo_of"] if "placebo_of" in extra else None,
        extra=extra,
        **context.described(i),
    )


def _ranked(context: Context, i: int) -> dict[str, Any]:
    """Rank of the effect among the placebos of comparison units; nothing where these are undefined."""
    live = context.live(i)
    if len(live) != 1 or _undefined((live[0],), "placebo"):
        return {}
    drawn = _parts((live[0],))[0].replications("placebo").effects @ live[0].rows[i]
    more = np.abs(drawn) >= abs(context.path.estimate[i]) * (1 - 1e-10)
    return {"placebo_rank": int(more.sum()) + 1, "placebo_of": len(drawn) + 1}


def _over_time(context: Context, i: int) -> dict[str, Any]:
    """Moving-block permutation p of a row of one treated unit seen for long."""
    live = context.live(i)
    parts = _parts(tuple(live))
    if len(parts) != 1 or len(parts[0].cohorts) != 1:
        return {}
    w = parts[0].cohorts[0]
    if len(w.block.treated) != 1 or len(w.time) < LONG:
        return {}
    p = moving_block(w, live[0].rows[i])
    return {"moving_block_p": p, "moving_block_of": len(w.time), "moving_block_note": "inference.note.moving_block"}
