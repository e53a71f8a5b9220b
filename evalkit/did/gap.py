"""The difference of two estimates from the same clusters: is a gap between two estimands more than noise?"""

from __future__ import annotations

from dataclasses import replace

from ..core import Effect, EffectPath, Inference, row_effect
from .context import t_interval


def gap(first: EffectPath, second: EffectPath, term: str = "att") -> Effect:
    """Row `term` of `first` minus row `term` of `second`, with the standard error of their joint cluster scores.

    Both paths must come from the same panel's clusters under the same rule and be on the same scale (two log rate
    ratios, say the unweighted and the exposure-weighted one). t with the smaller of the two degrees of freedom. An
    interval that excludes zero is reported as heterogeneity, not as an error of either (not covered by the size
    study). Where either row carries no standard error, neither does the gap. Raises ValueError for paths with
    different clusters or rules, KeyError for a term that is not there.
    """
    if first.scores is None or second.scores is None or len(first.scores) != len(second.scores):
        raise ValueError("the two paths do not share their clusters")
    if first.vcov_rule != second.vcov_rule:
        raise ValueError(f"one path is {first.vcov_rule}, the other {second.vcov_rule}")
    rows = [_row(path, term) for path in (first, second)]
    a, b = (path.effects()[row] for path, row in zip((first, second), rows))
    estimate, level = a.estimate - b.estimate, first.design.level
    refused = next((e.inference.refused for e in (a, b) if e.inference and e.inference.refused), None)
    if refused or a.df is None or b.df is None:
        inference = Inference(rule="not_testable", reason="inference.reason.gap", level=level, refused=refused)
    else:
        score = first.scores[:, rows[0]] - second.scores[:, rows[1]]
        numbers = t_interval(estimate, float((score @ score) ** 0.5), min(a.df, b.df), level)
        inference = Inference(rule=first.vcov_rule, reason="inference.reason.gap", level=level, **numbers)
    label = replace(first.terms[rows[0]], term="gap")
    return row_effect(label, estimate, inference, level=level, method=f"{first.method}-{second.method}")


def _row(path: EffectPath, term: str) -> int:
    names = [t.term for t in path.terms]
    if term not in names:
        raise KeyError(f"no row {term!r}; rows: {', '.join(names)}")
    return names.index(term)
