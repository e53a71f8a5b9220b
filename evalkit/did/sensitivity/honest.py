"""Robust intervals and breakdown values of a path: how far may trends diverge before the conclusion falls?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...core import EffectPath, Panel, UserError
from ..inference import fit_path, inference
from ..influence import drop_cluster
from .event_paths import EventStudy, Target, event_study_of
from .intervals import RobustStudy, TestName, default_test
from .pretrends import slope_for
from .restrictions import BIAS, KINDS, MONOTONE, Kind, Restriction

GRIDS: dict[str, tuple[float, ...]] = {
    "relative_magnitude": (0.0, 0.5, 1.0, 1.5, 2.0),
    "relative_trend": (0.0, 0.5, 1.0, 1.5, 2.0),
    "smoothness": (0.0, 0.25, 0.5, 1.0),
}
"""Sizes shown without a grid; of smoothness in standard errors of the effect per period squared."""
LARGEST = 3
"""Clusters that are left out in turn (`methods.md` 4)."""
ROBUST_BREAKDOWN = 1.0
DETECTION = 0.8
SLOPE_SHARE = 0.5
"""Evidence level B: breakdown M̄ ≥ 1, and the slope detectable at 80 % at most half the effect (`methods.md` 4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sensitivity:
    """Robust intervals of one effect by the size of the departure from parallel trends.

    restriction, test   what is assumed and how it is inverted;  size (n,) M̄ (or M in outcome units per period²)
    conf_low, conf_high (n,);  original: the interval under parallel trends;  breakdown: smallest size whose interval
    holds zero, ∞ where none does
    covariance "clusters" or "control_paths" (approximate);  inflation: factor on standard errors for few clusters
    refused    message key where the clusters carry no joint covariance; then there are no numbers
    """

    restriction: str
    test: str
    target: str
    outcome: str
    estimate: float
    original: tuple[float, float]
    size: tuple[float, ...] = ()
    conf_low: tuple[float, ...] = ()
    conf_high: tuple[float, ...] = ()
    breakdown: float | None = None
    level: float = 0.95
    covariance: str = "clusters"
    inflation: float = 1.0
    refused: str | None = None
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ("rambachan_roth_2023", "andrews_roth_pakes_2023")

    def tidy(self) -> pd.DataFrame:
        """One row per size: restriction, outcome, target, size, estimate, conf_low, conf_high, level."""
        return pd.DataFrame(
            {
                "restriction": self.restriction,
                "outcome": self.outcome,
                "target": self.target,
                "size": self.size,
                "estimate": self.estimate,
                "conf_low": self.conf_low,
                "conf_high": self.conf_high,
                "level": self.level,
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Breakdown value of one effect: the smallest size of departure at which its robust interval holds `null`.

    size     M̄ (or M); 0 where even parallel trends leave the null in the interval, ∞ where nothing up to 1000 does
    without  (cluster, size) leaving out each of the largest clusters; NaN where nothing can be estimated without it
    """

    restriction: str
    target: str
    outcome: str
    estimate: float
    null: float
    size: float | None
    without: tuple[tuple[str, float], ...] = ()
    covariance: str = "clusters"
    refused: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendEvidence:
    """Whether the design speaks against a difference in trends: what evidence level B asks (`methods.md` 4).

    level     "B" if both conditions hold, else "C"
    breakdown of M̄;  slope: over `per` periods, detected with 80 %;  half_effect: half the absolute effect
    reasons   message keys of the conditions that fail
    """

    level: str
    breakdown: float | None
    slope: float | None
    half_effect: float
    reasons: tuple[str, ...] = ()


def honest(
    path: EffectPath,
    restriction: Kind = "relative_magnitude",
    grid: Sequence[float] | None = None,
    *,
    target: Target = "first",
    outcome: str | None = None,
    test: TestName | None = None,
    bias: str | None = None,
    monotone: str | None = None,
    panel: Panel | None = None,
) -> Sensitivity:
    """Intervals for one effect that stay valid if trends diverge by no more than a stated size.

    Parameters
        path         one joint event study: a row per event time (leads and lags) against one reference period
        restriction  "relative_magnitude": steps of the divergence after the reference ≤ M̄ × the largest before it
                     (per period where periods between them are missing, as in a selection window);
                     "relative_trend": the same for changes of its slope; "smoothness": changes of slope ≤ M everywhere
        grid         values of M̄, or of M in the path's unit per period²; by default `GRIDS`
        target       "first" period of treatment, "average", an event time, or weights on the treated periods
        bias, monotone   signs that are known besides: "positive"/"negative", "increasing"/"decreasing"
        test         "c_lf" (conditional / least-favourable hybrid), "flci" (fixed length, smoothness without signs),
                     "c_flci" (hybrid of both, smoothness), "conditional"; by default as Rambachan and Roth recommend
        panel        where the path's clusters carry no joint covariance (at most two per coefficient, or G1* < 6):
                     then it comes from control clusters, labelled approximate. Without it such a path is refused.
    Returns a Sensitivity in the path's unit (log points for ratios). Normal critical values, standard errors inflated
    to the t interval of the reported degrees of freedom. Two-sided bounds need no linear program: `conditional`.
    Raises UserError: honest_unknown_option, honest_asymmetric, honest_varying_base, honest_not_event_time,
    honest_needs_inference, honest_gap, honest_no_pre_period, honest_no_target, honest_too_many_periods.
    Not for imputation pre-tests, whose leads and lags have different baselines.
    Source: Rambachan and Roth (2023); Andrews, Roth and Pakes (2023); Armstrong and Kolesár (2018).
    """
    study = event_study_of(path, target=target, outcome=outcome, panel=panel)
    robust = _robust(study, path, restriction, test, bias, monotone)
    found = Sensitivity(
        restriction=restriction,
        test=robust.test,
        target=study.label,
        outcome=study.outcome,
        estimate=study.point,
        original=(float("nan"), float("nan")),
        level=path.design.level,
        covariance=study.covariance,
        inflation=study.inflation,
        refused=study.refused,
        notes=study.notes,
    )
    if study.refused:
        return found
    shift, (low, high) = study.shift, robust.original
    sizes = _sizes(grid, restriction, robust)
    ends = np.array([robust.interval(size) for size in sizes]).reshape(-1, 2) + shift
    return replace(
        found,
        original=(low + shift, high + shift),
        size=sizes,
        conf_low=tuple(ends[:, 0].tolist()),
        conf_high=tuple(ends[:, 1].tolist()),
        breakdown=robust.breakdown(-shift),
    )


def breakdown(
    path: EffectPath,
    restriction: Kind = "relative_magnitude",
    *,
    null: float = 0.0,
    target: Target = "first",
    outcome: str | None = None,
    bias: str | None = None,
    monotone: str | None = None,
    panel: Panel | None = None,
) -> Breakdown:
    """The smallest size of departure from parallel trends at which the effect is no longer told from `null`.

    Found by bisection on the robust interval's end, not on a grid. Parameters as in `honest`, null in the path's unit;
    with `panel` it is found again leaving out each of the three largest clusters (by exposure, else by weight or
    cells). Returns a Breakdown; raises as `honest`.
    """
    study = event_study_of(path, target=target, outcome=outcome, panel=panel)

    def size_of(s: EventStudy) -> float:
        return _robust(s, path, restriction, None, bias, monotone).breakdown(null - s.shift)

    without = []
    if panel is not None and not study.refused:
        for code in largest_clusters(panel):
            without.append((panel.cluster_names[code], _without(path, panel, code, target, study, size_of)))
    return Breakdown(
        restriction=restriction,
        target=study.label,
        outcome=study.outcome,
        estimate=study.point,
        null=null,
        size=None if study.refused else size_of(study),
        without=tuple(without),
        covariance=study.covariance,
        refused=study.refused,
        notes=study.notes,
    )


def trend_evidence(
    path: EffectPath,
    *,
    target: Target = "average",
    outcome: str | None = None,
    panel: Panel | None = None,
    per: float = 1.0,
) -> TrendEvidence:
    """The two conditions of evidence level B: breakdown M̄ ≥ 1, and a slope of half the effect would have been seen.

    The slope is the one that the usual pre-test detects with 80 %, over `per` periods of the path (2 for half-years to
    give it per year, so that finer periods make the condition no easier). Other parameters and errors as in `honest`;
    a refused covariance gives level C with that reason. No pre-test is used as a gate. Source: `methods.md` 4.
    """
    study = event_study_of(path, target=target, outcome=outcome, panel=panel)
    half = abs(study.point) * SLOPE_SHARE
    if study.refused:
        return TrendEvidence(level="C", breakdown=None, slope=None, half_effect=half, reasons=(study.refused,))
    size = _robust(study, path, "relative_magnitude", None, None, None).breakdown(-study.shift)
    slope = slope_for(study, DETECTION) * per
    failed = {"honest.reason.breakdown": size < ROBUST_BREAKDOWN, "honest.reason.slope": slope > half}
    reasons = tuple(key for key, fails in failed.items() if fails)
    return TrendEvidence(level="C" if reasons else "B", breakdown=size, slope=slope, half_effect=half, reasons=reasons)


def largest_clusters(panel: Panel, n: int = LARGEST) -> list[int]:
    """Codes of the n largest clusters by exposure, else by weight, else by observed cells."""
    cells = panel.exposure if panel.exposure is not None else panel.weight
    cells = np.isfinite(panel.matrix()).astype(float) if cells is None else cells
    size = np.bincount(panel.cluster, np.nan_to_num(cells).sum(axis=1), minlength=len(panel.cluster_names))
    order = np.argsort(-size, kind="stable")
    return [int(g) for g in order[:n] if size[g] > 0]


def _robust(
    study: EventStudy, path: EffectPath, kind: Kind, test: TestName | None, bias: str | None, monotone: str | None
) -> RobustStudy:
    _known("restriction", kind, KINDS)
    _known("bias", bias, (None, *BIAS))
    _known("monotone", monotone, (None, *MONOTONE))
    if study.spacing and kind != "relative_magnitude":
        times = sorted({*study.event_time, study.reference})
        missing = sorted(set(range(times[0], times[-1] + 1)) - set(times))
        raise UserError("honest_gap", restriction=kind, missing=missing, found=times)
    signs = bool(bias or monotone)
    test = test or default_test(kind, signs)
    fixed = () if kind != "smoothness" else ("c_flci",) if signs else ("c_flci", "flci")
    _known("test", test, ("c_lf", "conditional", *fixed))
    return RobustStudy(
        estimate=study.estimate,
        vcov=study.inflated,
        restriction=Restriction(
            kind=kind, pre=study.pre, post=len(study.target), bias=bias, monotone=monotone, spacing=study.spacing
        ),
        target=study.target,
        test=test,
        level=path.design.level,
        seed=path.design.seed,
    )


def _known(option: str, value: object, known: tuple[object, ...]) -> None:
    if value not in known:
        raise UserError("honest_unknown_option", option=option, value=value, known=[k for k in known if k])


def _sizes(grid: Sequence[float] | None, restriction: str, robust: RobustStudy) -> tuple[float, ...]:
    if grid is not None:
        return tuple(float(g) for g in grid)
    unit = robust.std_error if restriction == "smoothness" else 1.0
    return tuple(g * unit for g in GRIDS[restriction])


def _without(
    path: EffectPath, panel: Panel, code: int, target: Target, study: EventStudy, size_of: Callable[[EventStudy], float]
) -> float:
    """The breakdown value on a re-fit without one cluster, with the covariance of the same kind where it can be had."""
    smaller = drop_cluster(panel, code)
    try:
        again = fit_path(path.method, smaller, path.design)
        if len(again) > len({(t.outcome, t.event_time) for t in again.terms}):
            again = inference(again.combine("event_time"), smaller, path.design.rule)
        approximate = study.covariance != "clusters"
        found = event_study_of(again, target=target, outcome=study.outcome, panel=smaller, checked=approximate)
        return float("nan") if found.refused else size_of(found)
    except UserError:
        return float("nan")
