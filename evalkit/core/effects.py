"""One result type for the whole family of estimators: a path of effects with its joint covariance.

Conventions
- `scores` (G, k) are cluster sums under the reported variance rule, scaled so that vcov = scoresᵀ scores.
  Aggregation is then a linear map on estimate and scores, whatever the estimator was.
- A count path (measure "log_rate_ratio" with `observed` and `mu0`) holds, per row, θ = log(Σ observed / Σ μ0) of
  the treated cells the row stands for. It combines on counts, never by averaging θ (`methods.md` 3):
  rate_ratio = Σ observed / Σ μ0, averted = Σ μ0 − Σ observed, by the delta method with observed taken as given.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from .bands import Band, band_of
from .panel import Design
from .rows import Effect, Inference, Term, row_effect

_SAID = (
    "term", "outcome", "measure", "estimate", "std_error", "conf_low", "conf_high", "p_value", "df", "level", "method",
    "n_obs", "n_units", "n_treated", "n_clusters", "n_treated_clusters",
)  # fmt: skip
_PLACED = ("cohort", "time", "event_time")
COLUMNS = (*_SAID, *_PLACED)
"""Columns of `EffectPath.tidy`; a count path adds observed, mu0 and rate_ratio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A cell that cannot be estimated, and why (message key `refused.<reason>`)."""

    outcome: str
    cohort: Any
    time: Any
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """Estimated sizes of groups that weigh the rows of a path, so that aggregates carry the error of their weights.

    values    (s,) the sizes (shares of cohorts);  columns (s,) their places among the fit's own k0 quantities
    loading   (k, s) a row's weight = loading @ values
    vcov (k0, k0), scores (G, k0)   of the fit's own quantities under the path's rule, or None before inference
    """

    values: np.ndarray
    columns: np.ndarray
    loading: np.ndarray
    vcov: np.ndarray | None = None
    scores: np.ndarray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectPath:
    """Estimates (k,), their joint covariance, and all that is needed to aggregate, test and re-fit them.

    method     name in the registry `did.ESTIMATORS`, so that (Panel, Design) → EffectPath can be re-run
    transform  (k, k0) linear map from the estimator's own k0 rows to these rows (identity at birth)
    scores     (G, k) cluster sums with vcov = scoresᵀ scores (k, k);  draws (m, k) where there is no covariance
    observed, mu0, exposure   (k,) counts for count paths, and the exposure · completeness of their cells
    inference  one per row, or () before `did.inference` was called
    shares     estimated sizes behind the weights of the rows, where aggregation must carry their error (ATT(g,t))
    refused    cells that the data cannot estimate, with the reason
    unit       of the estimates;  vcov_rule the rule of `vcov`;  sources keys of works
    notes      message keys;  dropped units and counts live in the panel
    """

    method: str
    terms: tuple[Term, ...]
    estimate: np.ndarray
    vcov: np.ndarray | None = None
    draws: np.ndarray | None = None
    scores: np.ndarray | None = None
    observed: np.ndarray | None = None
    mu0: np.ndarray | None = None
    exposure: np.ndarray | None = None
    transform: np.ndarray | None = None
    shares: Shares | None = None
    refused: tuple[Refused, ...] = ()
    inference: tuple[Inference, ...] = ()
    design: Design = field(default_factory=Design)
    unit: str = ""
    vcov_rule: str = ""
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.terms)

    def __repr__(self) -> str:
        return f"EffectPath({self.method}, {len(self)} terms, {self.vcov_rule or 'no covariance'})"

    def _repr_html_(self) -> str:
        return self.tidy().to_html(index=False)

    @property
    def std_error(self) -> np.ndarray | None:
        """(k,) square roots of the covariance's diagonal (before any refusal by the router)."""
        return None if self.vcov is None else np.sqrt(np.clip(np.diag(self.vcov), 0, None))

    @property
    def is_count(self) -> bool:
        return self.observed is not None and self.mu0 is not None

    def rows(self, keep: Callable[[Term], bool]) -> np.ndarray:
        """Indices of the rows whose term satisfies `keep`."""
        return np.array([i for i, term in enumerate(self.terms) if keep(term)], dtype=int)

    def select(self, keep: Callable[[Term], bool]) -> EffectPath:
        """The path restricted to the rows that satisfy `keep`."""
        index = self.rows(keep)
        return self._mapped(
            np.eye(len(self))[index],
            tuple(self.terms[i] for i in index),
            estimate=self.estimate[index],
            observed=None if self.observed is None else self.observed[index],
            mu0=None if self.mu0 is None else self.mu0[index],
            exposure=None if self.exposure is None else self.exposure[index],
            inference=tuple(self.inference[i] for i in index) if self.inference else (),
        )

    def combine(
        self,
        axis: Literal["event_time", "cohort", "calendar", "overall"],
        *,
        weights: Literal["size", "equal"] = "size",
        balanced: int | None = None,
    ) -> EffectPath:
        """Aggregate rows: by event time (leads kept), by cohort, by calendar period, or all of them.

        weights   "size": level rows are averaged with `Term.weight` (where those are estimated shares, `shares`, the
                  covariance carries their error); "equal": every row alike. Count rows add observed and μ0 and take
                  the logarithm of the ratio of sums
        balanced  keep the cohorts seen for at least this many periods after their start, up to that event time, so
                  that every event time ≥ 0 speaks of the same cohorts
        Cohort, calendar and overall use treated periods only (event_time ≥ 0 or None). A cohort's row weighs as one of
        its periods, so that combining twice gives the averages of Callaway and Sant'Anna (2021): "cohort" then
        "overall"; "event_time" or "calendar", then "overall" with equal weights.
        Raises ValueError where no row qualifies, and for averted counts: combine first, then `averted`.
        """
        if any(term.measure in ("averted", "rate") for term in self.terms):
            raise ValueError("combine the ratios first, then take `averted` or `rate`")
        groups = self._groups(axis, balanced)
        if not groups:
            raise ValueError(f"no rows to combine over {axis}")
        matrix = np.zeros((len(groups), len(self)))
        for r, index in enumerate(groups.values()):
            share = self._weights(weights)[index]
            matrix[r, index] = share / share.sum() if share.sum() != 0 else 0.0
        keep = list(groups.values())
        observed, mu0, exposure = (
            None if a is None else np.array([a[i].sum() for i in keep])
            for a in (self.observed, self.mu0, self.exposure)
        )
        if observed is None or mu0 is None:
            estimate = matrix @ self.estimate
        else:
            with np.errstate(divide="ignore", invalid="ignore"):
                estimate = np.log(observed / mu0)
        sizes, shares = self._sizes(axis, keep, matrix, estimate, weights)
        path = self._mapped(
            matrix,
            tuple(_merged(self.terms, i, axis, key, w) for (key, i), w in zip(groups.items(), sizes)),
            drift=None if shares is None else shares[1],
            estimate=estimate,
            observed=observed,
            mu0=mu0,
            exposure=exposure,
            inference=(),
        )
        return path if shares is None else replace(path, shares=shares[0])

    def _groups(self, axis: str, balanced: int | None) -> dict[tuple[str, Any], list[int]]:
        """Rows (outcome, value of the axis) → indices, in order of first appearance."""
        reach: dict[tuple[str, Any], int] = {}
        for t in self.terms:
            if t.event_time is not None:
                reach[t.outcome, t.cohort] = max(reach.get((t.outcome, t.cohort), t.event_time), t.event_time)
        groups: dict[tuple[str, Any], list[int]] = {}
        for i, t in enumerate(self.terms):
            if axis != "event_time" and t.event_time is not None and t.event_time < 0:
                continue
            if balanced is not None and (
                t.event_time is None or t.event_time > balanced or reach[t.outcome, t.cohort] < balanced
            ):
                continue
            key = {"event_time": t.event_time, "cohort": t.cohort, "calendar": t.time}.get(axis)
            groups.setdefault((t.outcome, key), []).append(i)
        return groups

    def _weights(self, weights: str) -> np.ndarray:
        if self.mu0 is not None and self.observed is not None:
            return self.mu0
        return np.ones(len(self)) if weights == "equal" else np.array([t.weight for t in self.terms], dtype=float)

    def _sizes(
        self, axis: str, groups: list[list[int]], matrix: np.ndarray, estimate: np.ndarray, weights: str
    ) -> tuple[list[float], tuple[Shares, np.ndarray] | None]:
        """Weights of the combined rows; with estimated shares, these and the aggregates' slope in every share."""
        own = self._weights("size")
        per = [len(i) if axis == "cohort" and not self.is_count else 1 for i in groups]
        sizes = [float(own[i].sum()) / n for i, n in zip(groups, per)]
        if self.shares is None or self.is_count:
            return sizes, None
        loading = np.array([self.shares.loading[i].sum(axis=0) / n for i, n in zip(groups, per)])
        drift = np.zeros((len(groups), self._own.shape[1]))
        if weights == "size":
            for r, i in enumerate(groups):
                slope = (self.estimate[i] - estimate[r]) @ self.shares.loading[i] / own[i].sum()
                drift[r, self.shares.columns.astype(int)] = slope
        return sizes, (replace(self.shares, loading=loading), drift)

    @property
    def _own(self) -> np.ndarray:
        return self.transform if self.transform is not None else np.eye(len(self))

    def averted(self) -> EffectPath:
        """Count path → averted cases μ0 − observed per row (positive = fewer injuries), joint covariance carried.

        d(μ0 − observed)/dθ = −μ0 with observed given, so vcov = diag(μ0) vcov diag(μ0). Raises ValueError for a path
        without counts.
        """
        if not self.is_count:
            raise ValueError("averted counts need a path with observed and mu0")
        assert self.mu0 is not None and self.observed is not None
        terms = tuple(replace(t, measure="averted") for t in self.terms)
        return self._mapped(-np.diag(self.mu0), terms, estimate=self.mu0 - self.observed, inference=(), unit="cases")

    def rate(self, per: float = 100_000) -> EffectPath:
        """Count path → difference of rates (observed − μ0) / exposure · per (negative = fewer injuries), covariance
        carried.

        exposure is that of the rows' own cells, units without a case included, times completeness: the rate of final
        cases. As for `averted` observed is given, so vcov = diag(f) vcov diag(f) with f = μ0 · per / exposure. Combine
        the
        ratios first. Raises ValueError for a path without counts or exposure.
        """
        if self.observed is None or self.mu0 is None or self.exposure is None:
            raise ValueError("a rate needs a path with observed, mu0 and exposure")
        terms = tuple(replace(t, measure="rate") for t in self.terms)
        factor = per / self.exposure
        estimate = (self.observed - self.mu0) * factor
        return self._mapped(np.diag(self.mu0 * factor), terms, estimate=estimate, inference=(), unit=f"cases/{per:g}")

    def _mapped(
        self, matrix: np.ndarray, terms: tuple[Term, ...], drift: np.ndarray | None = None, **changes: Any
    ) -> EffectPath:
        """Rows matrix @ rows, plus drift (k, k0) on the fit's own quantities, with all that hangs on them."""
        transform = matrix @ self._own + (0.0 if drift is None else drift)
        shares, vcov, scores = self.shares, self.vcov, self.scores
        if shares is not None and vcov is not None and shares.vcov is not None:
            vcov = transform @ shares.vcov @ transform.T
            scores = None if shares.scores is None else shares.scores @ transform.T
        else:
            vcov = None if vcov is None else matrix @ vcov @ matrix.T
            scores = None if scores is None else scores @ matrix.T
        if shares is not None and "shares" not in changes:
            changes["shares"] = replace(shares, loading=np.abs(matrix) @ shares.loading)
        return replace(
            self,
            terms=terms,
            transform=transform,
            vcov=vcov,
            scores=scores,
            draws=None if self.draws is None else self.draws @ matrix.T,
            **changes,
        )

    def effect(self, term: str, outcome: str | None = None) -> Effect:
        """The row named `term` (and `outcome`). Raises KeyError listing the rows there are."""
        for i, t in enumerate(self.terms):
            if t.term == term and (outcome is None or t.outcome == outcome):
                return self._effect(i)
        raise KeyError(
            f"no row {term!r} for outcome {outcome!r}; rows: " + ", ".join(f"{t.term}/{t.outcome}" for t in self.terms)
        )

    def effects(self) -> tuple[Effect, ...]:
        return tuple(self._effect(i) for i in range(len(self)))

    def _effect(self, i: int) -> Effect:
        inference = self.inference[i] if self.inference else None
        return row_effect(
            self.terms[i],
            self.estimate[i],
            inference,
            level=self.design.level,
            method=self.method,
            notes=self.notes,
        )

    def band(self) -> Band:
        """Simultaneous sup-t band over the rows, by multivariate t with the smallest degrees of freedom of the rows.

        Given only where every row with a standard error has at least 8 effective treated and comparison clusters
        (`methods.md` 1); otherwise the rows' own intervals, labelled "pointwise". Rows that were refused are NaN.
        Raises ValueError before `did.inference` was called.
        """
        if self.vcov is None or not self.inference:
            raise ValueError("a band needs inference: did.inference(path, panel)")
        return band_of(self.estimate, self.vcov, self.inference, self.design.level, self.design.seed)

    def tidy(self) -> pd.DataFrame:
        """One row per term: `COLUMNS`; a count path adds observed, mu0 (cases) and rate_ratio (NaN after `averted`)."""
        frame = pd.DataFrame([{name: getattr(e, name) for name in _SAID} for e in self.effects()], columns=list(_SAID))
        for name in _PLACED:
            frame[name] = [getattr(t, name) for t in self.terms]
        if self.is_count:
            frame["observed"], frame["mu0"] = self.observed, self.mu0
            ratio = self.terms[0].measure == "log_rate_ratio" if self.terms else False
            frame["rate_ratio"] = np.exp(self.estimate) if ratio else np.nan
        return frame


def _merged(terms: tuple[Term, ...], index: list[int], axis: str, key: tuple[str, Any], weight: float) -> Term:
    """The label of combined rows: what they share, and the sums or maxima of their counts.

    Cohorts are different units, so their treated add up; so do their treated clusters, where clusters hold one cohort
    each (`did.inference` counts them once where they do not).
    """
    rows, (outcome, value) = [terms[i] for i in index], key
    return replace(
        rows[0],
        term=axis if axis == "overall" else f"{axis}={value}",
        outcome=outcome,
        weight=weight,
        event_time=value if axis == "event_time" else None,
        cohort=value if axis == "cohort" else None,
        time=value if axis == "calendar" else None,
        n_obs=sum(t.n_obs for t in rows),
        n_units=max(t.n_units for t in rows),
        n_treated=_over_cohorts(rows, "n_treated"),
        n_clusters=max(t.n_clusters for t in rows),
        n_treated_clusters=_over_cohorts(rows, "n_treated_clusters"),
    )


def _over_cohorts(rows: list[Term], name: str) -> int:
    """Sum over cohorts of the largest count of each; the largest of all where rows are of no one cohort."""
    most: dict[Any, int] = {}
    for t in rows:
        most[t.cohort] = max(most.get(t.cohort, 0), getattr(t, name))
    return max(most.values()) if None in most else sum(most.values())
