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
class EffectPath:
    """Estimates (k,), their joint covariance, and all that is needed to aggregate, test and re-fit them.

    method     name in the registry `did.ESTIMATORS`, so that (Panel, Design) → EffectPath can be re-run
    transform  (k, k0) linear map from the estimator's own k0 rows to these rows (identity at birth)
    scores     (G, k) cluster sums with vcov = scoresᵀ scores (k, k);  draws (m, k) where there is no covariance
    observed, mu0   (k,) counts for count paths
    inference  one per row, or () before `did.inference` was called
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
    transform: np.ndarray | None = None
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
            inference=tuple(self.inference[i] for i in index) if self.inference else (),
        )

    def combine(self, axis: Literal["event_time", "cohort", "calendar", "overall"]) -> EffectPath:
        """Aggregate rows: by event time (leads kept), by cohort, by calendar period, or all of them.

        Cohort, calendar and overall use treated periods only (event_time ≥ 0 or None). Level rows are averaged
        with `Term.weight`; count rows add observed and μ0 and take the logarithm of the ratio of sums.
        Raises ValueError where no row qualifies, and for averted counts: combine first, then `averted`.
        """
        if any(term.measure == "averted" for term in self.terms):
            raise ValueError("combine the ratios first, then take `averted`")
        groups: dict[Any, list[int]] = {}
        for i, term in enumerate(self.terms):
            post = term.event_time is None or term.event_time >= 0
            if axis != "event_time" and not post:
                continue
            key = {
                "event_time": term.event_time,
                "cohort": term.cohort,
                "calendar": term.time,
                "overall": None,
            }[axis]
            groups.setdefault((term.outcome, key), []).append(i)
        if not groups:
            raise ValueError(f"no rows to combine over {axis}")
        matrix = np.zeros((len(groups), len(self)))
        terms, observed, mu0 = [], [], []
        for r, ((outcome, key), index) in enumerate(groups.items()):
            if self.is_count:
                assert self.mu0 is not None and self.observed is not None
                share = self.mu0[index]
                observed.append(self.observed[index].sum())
                mu0.append(share.sum())
            else:
                share = np.array([self.terms[i].weight for i in index], dtype=float)
            matrix[r, index] = share / share.sum()
            first = self.terms[index[0]]
            label = axis if axis == "overall" else f"{axis}={key}"
            terms.append(
                replace(
                    first,
                    term=label,
                    outcome=outcome,
                    weight=float(share.sum()),
                    event_time=key if axis == "event_time" else None,
                    cohort=key if axis == "cohort" else None,
                    time=key if axis == "calendar" else None,
                    n_obs=sum(self.terms[i].n_obs for i in index),
                    n_units=max(self.terms[i].n_units for i in index),
                    n_treated=max(self.terms[i].n_treated for i in index),
                    n_clusters=max(self.terms[i].n_clusters for i in index),
                    n_treated_clusters=max(self.terms[i].n_treated_clusters for i in index),
                )
            )
        estimate = np.log(np.array(observed) / np.array(mu0)) if self.is_count else matrix @ self.estimate
        return self._mapped(
            matrix,
            tuple(terms),
            estimate=estimate,
            observed=np.array(observed) if self.is_count else None,
            mu0=np.array(mu0) if self.is_count else None,
            inference=(),
        )

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

    def _mapped(self, matrix: np.ndarray, terms: tuple[Term, ...], **changes: Any) -> EffectPath:
        old = self.transform if self.transform is not None else np.eye(len(self))
        return replace(
            self,
            terms=terms,
            transform=matrix @ old,
            vcov=None if self.vcov is None else matrix @ self.vcov @ matrix.T,
            scores=None if self.scores is None else self.scores @ matrix.T,
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

    def band(self, df: float | None = None, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, float]:
        """Simultaneous sup-t band (low, high, critical value) from multivariate normal or t draws.

        Only meaningful with at least 8 effective treated and control clusters (`methods.md` 1): callers check.
        Rows with zero variance (the reference period) get a band of zero width.
        """
        if self.vcov is None or self.std_error is None:
            raise ValueError("a band needs a covariance")
        se = self.std_error
        live = se > 0
        corr = self.vcov[np.ix_(live, live)] / np.outer(se[live], se[live])
        rng = np.random.default_rng(self.design.seed)
        values, vectors = np.linalg.eigh(corr)
        root = vectors * np.sqrt(np.clip(values, 0, None))
        z = rng.standard_normal((n, int(live.sum()))) @ root.T
        if df is not None:
            z /= np.sqrt(rng.chisquare(df, n) / df)[:, None]
        critical = float(np.quantile(np.abs(z).max(axis=1), self.design.level))
        return self.estimate - critical * se, self.estimate + critical * se, critical

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
