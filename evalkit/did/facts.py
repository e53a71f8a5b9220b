"""The facts of a path before any verdict: covariance by rule, degrees of freedom, and who carries each row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core import EffectPath
from .fit import Fit
from .linalg import Regression, cluster_system
from .parts import Part, part_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Share:
    """One part and its share (k, width) in the path's rows."""

    part: Part
    rows: np.ndarray

    @cached_property
    def live(self) -> np.ndarray:
        """(k,) rows of the path that draw on this part."""
        return self.part.live(self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """Per row: treated and comparison clusters, effective numbers, degrees of freedom, and whether it can be tested."""

    treated: np.ndarray
    control: np.ndarray
    effective: np.ndarray
    df: np.ndarray
    estimable: np.ndarray
    reference: np.ndarray
    n_clusters: np.ndarray

    @property
    def testable(self) -> np.ndarray:
        """(k,) True with at least two treated and two comparison clusters, none indispensable, and with df."""
        return (self.treated >= 2) & (self.control >= 2) & self.estimable & ~np.isnan(self.df)


def shares_of(fit: Fit, transform: np.ndarray) -> tuple[Share, ...]:
    """One share per part of the fit; `transform` (k, k0) maps the fit's own quantities to the path's rows."""
    out, start = [], 0
    for source in fit.sources:
        part = part_of(source)
        out.append(Share(part=part, rows=transform[:, start : start + part.width]))
        start += part.width
    return tuple(out)


def covariance_of(shares: tuple[Share, ...], rule: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Cluster scores (G, k) of the rows, summed over the parts they draw on, and their covariance (k, k).

    Where there are too many clusters to hold scores there are none, and rows of different parts are taken as
    uncorrelated.
    """
    scores = [s for share in shares if (s := share.part.scores(rule, share.rows)) is not None]
    if len(scores) < len(shares):
        return None, np.asarray(sum(share.part.vcov(rule, share.rows) for share in shares))
    total = np.asarray(sum(scores))
    return total, total.T @ total


def facts_of(path: EffectPath, shares: tuple[Share, ...], *, degrees: bool = True) -> RowFacts:
    """What the router needs to know of each row of `path`; of several parts the least favourable counts.

    Without `degrees`, df is infinite where a part has some wherever a row is estimable: a rule that does not read them
    does not pay for them.
    """
    k = len(path)
    df = np.full(k, np.inf)
    estimable, reference = np.ones(k, dtype=bool), np.ones(k, dtype=bool)
    effective, clusters = np.full((k, 2), np.inf), np.full((k, 2), np.iinfo(np.int64).max)
    total = np.zeros(k, dtype=int)
    for share in shares:
        live = share.live
        rows, part = share.rows[live], share.part
        if not live.any():
            continue
        reference &= ~live
        total[live] = np.maximum(total[live], part.n_clusters)
        if degrees or not getattr(part, "df_where_estimable", False):
            df[live] = np.minimum(df[live], part.df(rows))
        estimable[live] &= part.estimable(rows)
        effective[live] = np.minimum(effective[live], part.effective(rows))
        clusters[live] = np.minimum(clusters[live], part.clusters(rows))
    effective[reference], clusters[reference] = 0.0, 0
    return RowFacts(
        treated=clusters[:, 0],
        control=clusters[:, 1],
        effective=effective,
        df=df,
        estimable=estimable,
        reference=reference,
        n_clusters=total,
    )


def usual_vcov(fit: Fit, transform: np.ndarray) -> np.ndarray:
    """(k, k) textbook covariance σ²(X'X)⁻¹, rows independent; Poisson: σ² = 1. Outcomes are taken as independent."""
    out, start = np.zeros((len(transform), len(transform))), 0
    for r in fit.regressions:
        stop = start + len(r.contrast)
        system = cluster_system(r)
        c = transform[:, start:stop] @ r.contrast / system.scale
        rest = r.y - r.x @ (system.beta / system.scale)
        sigma = 1.0 if r.family == "poisson" else float(rest @ rest) / usual_df(fit, r)
        out += sigma * c @ system.bread @ c.T
        start = stop
    return out


def usual_df(fit: Fit, regression: Regression) -> int:
    """N − K of one regression of the fit, absorbed unit effects counted."""
    absorbed = 0 if fit.path.method == "first_difference" else len(np.unique(regression.unit)) - 1
    return len(regression.y) - regression.n_params - absorbed
