"""What judging one row of a path needs, and the parts of an `Inference` that every rule shares."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from ..core import EffectPath, Panel
from . import permutation
from .facts import RowFacts, Share, facts_of, shares_of
from .fit import Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that judging one row may need.

    rounding  (k,) standard errors that only rounding is left of: the model fits the outcome exactly
    """

    path: EffectPath
    fit: Fit
    panel: Panel
    transform: np.ndarray
    shares: tuple[Share, ...]
    facts: RowFacts
    placebos: permutation.Placebos | None
    studentised: np.ndarray
    rounding: np.ndarray

    def std_error(self, i: int) -> float:
        """Root of the row's variance under the path's rule."""
        assert self.path.vcov is not None
        return float(np.sqrt(max(self.path.vcov[i, i], 0.0)))

    def live(self, i: int) -> list[Share]:
        """The parts that the row draws on."""
        return [share for share in self.shares if share.live[i]]

    def described(self, i: int) -> dict[str, Any]:
        """Fields that are description only and come with every rule."""
        return {
            "level": self.path.design.level,
            "effective_treated": float(self.facts.effective[i, 0]),
            "effective_control": float(self.facts.effective[i, 1]),
        }


def context_of(path: EffectPath, fit: Fit, panel: Panel, *, degrees: bool = True) -> Context:
    """What is known of the rows of `path`, a linear map of the fit's own, before any rule is chosen.

    No placebo re-fits, studentised p (NaN) and rounding (0) yet, and the path as it came; `degrees` as in `facts_of`.
    """
    transform = np.eye(len(fit.path)) if path.transform is None else np.asarray(path.transform)
    path = _counted(path, panel)
    shares = shares_of(fit, transform)
    return Context(
        path=path,
        fit=fit,
        panel=panel,
        transform=transform,
        shares=shares,
        facts=facts_of(path, shares, degrees=degrees),
        placebos=None,
        studentised=np.full(len(path), np.nan),
        rounding=np.zeros(len(path)),
    )


def _counted(path: EffectPath, panel: Panel) -> EffectPath:
    """The path with treated clusters that hold several cohorts counted once in rows combined over these.

    At most those of the cohorts that the panel lets reach the row; fewer where some of their cells had no estimate.
    """
    if path.transform is None or len(panel.cluster_names) == panel.n_units:
        return path
    treated = panel.ever_treated
    cluster, cohort = np.unique(np.stack([panel.cluster[treated], panel.cohort[treated]]), axis=1)
    if len(np.unique(cluster)) == len(cluster):
        return path
    terms = []
    for term in path.terms:
        inside = np.ones(len(cohort), dtype=bool)
        if term.event_time is not None:
            inside = (cohort + term.event_time >= 0) & (cohort + term.event_time < panel.n_periods)
        elif term.time is not None:
            inside = cohort <= panel.times.index(term.time)
        elif term.cohort is not None:
            inside = cohort == panel.times.index(term.cohort)
        once = len(np.unique(cluster[inside]))
        terms.append(replace(term, n_treated_clusters=min(term.n_treated_clusters, once)))
    return replace(path, terms=tuple(terms))


def refused(key: str) -> str:
    """Message key of a refusal."""
    return f"inference.refused.{key}"


def t_interval(estimate: float, std_error: float, df: float, level: float) -> dict[str, Any]:
    """Statistic, two-sided p and interval from t(df)."""
    statistic = estimate / std_error if std_error > 0 else np.inf * np.sign(estimate)
    half = float(stdtrit(df, 0.5 + level / 2)) * std_error
    return {
        "std_error": float(std_error),
        "df": float(df),
        "statistic": float(statistic),
        "p_value": float(2 * stdtr(df, -abs(statistic))),
        "conf_low": float(estimate - half),
        "conf_high": float(estimate + half),
    }
