"""Several outcomes of one programme in one answer: severity ladder, negative controls, with simultaneous intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from ..core import BAND_CLUSTERS, Design, EffectPath, Panel, maximal_draws
from .placebo import overall


def outcomes(
    panel: Panel,
    design: Design | None = None,
    names: Sequence[str] = (),
    *,
    negative_controls: Sequence[str] = (),
    estimator: str = "ppml",
) -> tuple[EffectPath, pd.DataFrame]:
    """The overall effect on each outcome, jointly, with intervals that hold for all of them together.

    Parameters
        names              outcomes of the family in order (a severity ladder); all of the panel without them
        negative_controls  outcomes that the programme cannot move: estimated jointly, a family of their own
        estimator          a registered one; "ppml" for counts
    Returns the joint path (one covariance over outcomes, from the same cluster scores) and one row per outcome:
    outcome, family ("outcome", "negative_control"), estimate, std_error, df, conf_low, conf_high (pointwise),
    band_low, band_high (simultaneous within the family), p_value, p_adjusted, adjustment, refused.
    adjustment "none" for an outcome alone in its family; "sup_t": multivariate t with the correlation of the cluster
    scores and the family's smallest degrees of freedom, step-down p (Westfall and Young 1993), where G1* and G0* are
    at least 8 throughout; else "bonferroni" with t by outcome and Holm's p, which need no joint distribution. Refused
    outcomes carry neither and leave the family.
    Raises as the estimator. One primary outcome needs no adjustment: keep it out of the family.
    Source: Westfall and Young (1993); Holm (1979); `methods.md` 2.
    """
    design = design or Design()
    family = tuple(names) or tuple(n for n in panel.outcomes if n not in set(negative_controls))
    path = overall(estimator, panel, replace(design, outcomes=(*family, *negative_controls)))
    frame = path.tidy()[["outcome", "estimate", "std_error", "df", "conf_low", "conf_high", "p_value"]].astype(
        dict.fromkeys(("std_error", "df", "conf_low", "conf_high", "p_value"), float)
    )
    frame.insert(1, "family", np.where(frame.outcome.isin(list(negative_controls)), "negative_control", "outcome"))
    for name in ("band_low", "band_high", "p_adjusted"):
        frame[name] = np.nan
    frame["adjustment"] = ""
    frame["refused"] = [i.refused for i in path.inference]
    for kind in ("outcome", "negative_control"):
        rows = np.flatnonzero((frame.family == kind) & np.isfinite(frame.std_error) & (frame.std_error > 0))
        if rows.size:
            low, high, p, rule = simultaneous(path, rows)
            frame.loc[rows, ["band_low", "band_high", "p_adjusted"]] = np.column_stack([low, high, p])
            frame.loc[rows, "adjustment"] = rule
    return path, frame


def simultaneous(
    path: EffectPath, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Literal["none", "sup_t", "bonferroni"]]:
    """Simultaneous interval and adjusted p of the rows (k,) of a path with inference, and the rule used."""
    assert path.vcov is not None
    said = [path.inference[i] for i in rows]
    se, df = (np.array([getattr(s, name) for s in said], dtype=float) for name in ("std_error", "df"))
    estimate, level = path.estimate[rows], path.design.level
    t = np.abs(estimate) / se
    effective = min(min(s.effective_treated or 0.0, s.effective_control or 0.0) for s in said)
    alone = len(rows) == 1
    if alone or effective < BAND_CLUSTERS:
        critical = stdtrit(df, 1 - (1 - level) / (2 * len(rows)))
        raw = 2 * stdtr(df, -t)
        return estimate - critical * se, estimate + critical * se, _holm(raw), "none" if alone else "bonferroni"
    draws = maximal_draws(path.vcov[np.ix_(rows, rows)], float(df.min()), path.design.seed)
    half = float(np.quantile(draws.max(axis=1), level)) * se
    return estimate - half, estimate + half, _step_down(t, draws), "sup_t"


def _step_down(t: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """(k,) step-down max-t p-values: each statistic against the maximum of those no larger than it."""
    order = np.argsort(-t, kind="stable")
    out, floor = np.zeros(len(t)), 0.0
    for place, i in enumerate(order):
        floor = max(floor, float((draws[:, order[place:]].max(axis=1) >= t[i]).mean()))
        out[i] = floor
    return out


def _holm(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    out, floor = np.zeros(len(p)), 0.0
    for place, i in enumerate(order):
        floor = max(floor, min(1.0, (len(p) - place) * float(p[i])))
        out[i] = floor
    return out
