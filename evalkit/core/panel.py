"""The panel every estimator reads, and the design that says which question is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

NEVER: int = 2**31 - 1
"""Cohort of a unit that is never treated: larger than every time index, so `cohort > t` means untreated at t."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """A unit that left the panel, and why (message key `dropped.<reason>`)."""

    unit: str
    reason: Literal[
        "unbalanced",
        "always_treated",
        "separation",
        "missing",
        "no_exposure",
        "case_without_exposure",
        "overlap",
        "scope",
    ]
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """Units × periods. Build it with `evalkit.panel(frame, ...)`, never by hand from office files.

    units       (N,) names of the units, in row order
    times       (T,) period labels, ascending ("2023Q1", 1984, ...)
    outcomes    name → (N, T) array; NaN = not observed. The first is the primary outcome
    exposure    (N, T) > 0 denominators (person-years, insured-quarters) or None
    completeness (N, T) share of final cases expected to be known, in (0, 1], or None (= 1)
    weight      (N, T) analytic weights or None
    cohort      (N,) index into `times` of the first treated period; `NEVER` = never treated
    cluster     (N,) integer code of the unit of assignment; `cluster_names` names them
    covariates  name → (N, T); time-constant covariates are repeated
    dose        (N,) treatment intensity or None;  strata (N,) codes within which assignment was made, or None
    frequency   "year", "quarter" or "month";  exposure_unit says what one unit of exposure is
    dropped     units that left, with the reason;  origins: keys of the sources;  synthetic: made-up data
    """

    units: tuple[str, ...]
    times: tuple[Any, ...]
    outcomes: dict[str, np.ndarray]
    cohort: np.ndarray
    cluster: np.ndarray
    cluster_names: tuple[str, ...]
    exposure: np.ndarray | None = None
    completeness: np.ndarray | None = None
    weight: np.ndarray | None = None
    covariates: dict[str, np.ndarray] = field(default_factory=dict)
    dose: np.ndarray | None = None
    strata: np.ndarray | None = None
    frequency: Literal["year", "quarter", "month"] = "year"
    exposure_unit: str = ""
    outcome_unit: str = ""
    dropped: tuple[Dropped, ...] = ()
    origins: tuple[str, ...] = ()
    synthetic: bool = False

    @property
    def primary(self) -> str:
        """Name of the primary outcome."""
        return next(iter(self.outcomes))

    @property
    def n_units(self) -> int:
        return len(self.units)

    @property
    def n_periods(self) -> int:
        return len(self.times)

    @property
    def treated(self) -> np.ndarray:
        """(N, T) True where a unit is under treatment."""
        return np.arange(self.n_periods)[None, :] >= self.cohort[:, None]

    @property
    def ever_treated(self) -> np.ndarray:
        """(N,) True for units treated at some period of the panel."""
        return self.cohort < self.n_periods

    def matrix(self, name: str | None = None) -> np.ndarray:
        """(N, T) outcome or covariate by name; the primary outcome without one."""
        name = name or self.primary
        return self.outcomes[name] if name in self.outcomes else self.covariates[name]

    def cluster_counts(self) -> tuple[int, int, int]:
        """Number of clusters, of clusters holding a treated unit, and of clusters holding none."""
        total, treated = (
            int(np.count_nonzero(np.bincount(c))) for c in (self.cluster, self.cluster[self.ever_treated])
        )
        return total, treated, total - treated

    def __repr__(self) -> str:
        g, g1, _ = self.cluster_counts()
        return (
            f"Panel({self.n_units} units × {self.n_periods} {self.frequency}s, outcomes "
            f"{', '.join(self.outcomes)}; {int(self.ever_treated.sum())} treated units in {g1} of {g} clusters)"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DoseCurve:
    """How `did.dose_response` reads `Panel.dose`: as bins, or as a curve by B-splines.

    at      doses at which the curve is shown; () = the deciles of the treated units' doses
    cuts    ascending edges of bins [c0, c1), [c1, c2), ..., the last one closed; () = a curve
    degree  of the polynomial pieces;  knots: number of inner knots, at quantiles of the doses
    ends    None, or (low, high): R contdid 0.1.0 finds the basis between the ends of a cohort's doses and evaluates it
            between the ends of its grid, so that its curve stands at other doses than it says; to reproduce it only
    """

    at: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    degree: int = 1
    knots: int = 0
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The question and its conventions; everything an estimator needs besides the data.

    control           "never"; "not_yet": every unit untreated by then, never-treated ones included, as Callaway and
                      Sant'Anna; "later": later-treated units only, the same volunteers (`methods.md` 2); "auto":
                      never if there is any, otherwise not_yet
    base              "universal" (period before `anticipation`) or "varying"
    anticipation      periods before the start in which an effect is possible
    selection_window  (first, last) time labels on which units were chosen: left out of baseline and pre-tests
    window            (first, last) event times that are shown; None = all
    outcomes          outcomes to estimate jointly; () = the primary one
    covariates        names of panel covariates
    eligible          triple difference only: name of a covariate, 1 for units that the programme of their group
                      reaches, 0 for the others of the group, constant over time; `cohort` is that of the group for both
    dose              dose response only: bins or curve
    adjustment        how ATT(g,t) and triple differences use covariates: "dr" (doubly robust), "ipw", "reg"
    sampling          "panel", or "cross_section" where every unit is seen once
    rule              inference rule, "auto" = the router of `methods.md` 1
    assignment        "observational" or "random" (only then a permutation p is called exact)
    level, seed       of every interval and every draw

    A single outcome or covariate may be given as a plain name.
    """

    control: Literal["auto", "never", "not_yet", "later"] = "auto"
    base: Literal["universal", "varying"] = "universal"
    anticipation: int = 0
    selection_window: tuple[Any, Any] | None = None
    window: tuple[int, int] | None = None
    outcomes: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    eligible: str | None = None
    dose: DoseCurve = DoseCurve()
    adjustment: Literal["dr", "ipw", "reg"] = "dr"
    sampling: Literal["panel", "cross_section"] = "panel"
    rule: str = "auto"
    assignment: Literal["observational", "random"] = "observational"
    level: float = 0.95
    seed: int = 1

    def __post_init__(self) -> None:
        for name in ("outcomes", "covariates"):
            if isinstance(given := getattr(self, name), str):
                object.__setattr__(self, name, (given,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Sufficient statistics of a balanced panel by cohort: size, mean path, cross product around the mean.

    cohorts (C,) first treated period, `NEVER` last;  n (C,) units;  mean (C, T);  cross (C, T, T) Σ (y−ȳ)(y−ȳ)'
    n_clusters   clusters of the panel (codes 0..n_clusters−1)
    cell_cluster, cell_cohort, cell_n (J,), cell_sum (J, T)   per cluster × cohort: its codes, units and Σ (y−ȳ); None
                 where every unit is its own cluster and there are too many to list

    Enough for ATT(g,t), two-way fixed effects and event study without time-varying covariates, with their variance by
    cluster (`performance.md` 3). In-house only: cross products of small groups give every path away (`methods.md` 8).
    """

    cohorts: np.ndarray
    n: np.ndarray
    mean: np.ndarray
    cross: np.ndarray
    n_clusters: int = 0
    cell_cluster: np.ndarray | None = None
    cell_cohort: np.ndarray | None = None
    cell_n: np.ndarray | None = None
    cell_sum: np.ndarray | None = None
