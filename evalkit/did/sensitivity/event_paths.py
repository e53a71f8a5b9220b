"""From a path to what sensitivity analysis reads: one joint event study, its covariance and the target.

Rules (`methods.md` 4): symmetric long differences under one covariance, never pre-tests of imputation estimators, whose
leads and lags are not comparable (Roth 2024); more than 2k clusters for k coefficients and G1* ≥ 6. Below that the
covariance comes from control clusters (`control_paths`), labelled approximate, or the analysis is refused with its
reason.

Critical values here are normal. Few clusters carry fewer: the covariance is therefore inflated by (t/z)² at the
target's degrees of freedom, so that the interval under parallel trends is the reported one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit

from ...core import EffectPath, Panel, UserError
from ..inference import inference
from .control_paths import control_paths_vcov

ASYMMETRIC = ("imputation", "two_stage", "bjs")
"""Estimators whose pre-period coefficients are measured against another baseline than their effects."""
Target = str | int | Sequence[float]
"""An effect: "first", "average", an event time, or weights on the treated periods."""
CLUSTERS_PER_ROW = 2
LEAST_EFFECTIVE = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventStudy:
    """estimate (k,), vcov (k, k) in order of event_time, the first `pre` before the reference; target (k − pre,).

    point     the effect as reported (a count path combines on counts, the target is its linearisation there)
    threshold (pre,) critical values of the usual pre-tests;  covariance "clusters" or "control_paths"
    refused   message key, or None;  notes message keys
    """

    event_time: tuple[int, ...]
    reference: int
    estimate: np.ndarray
    vcov: np.ndarray
    pre: int
    target: np.ndarray
    point: float
    threshold: np.ndarray
    df: float | None
    outcome: str
    label: str
    level: float = 0.95
    covariance: str = "clusters"
    refused: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def inflated(self) -> np.ndarray:
        """(k, k) covariance whose normal interval is the t interval of the target."""
        return self.vcov * self.inflation**2

    @property
    def inflation(self) -> float:
        if self.df is None or not np.isfinite(self.df):
            return 1.0
        return float(stdtrit(self.df, 0.5 + self.level / 2) / ndtri(0.5 + self.level / 2))

    @property
    def spacing(self) -> tuple[int, ...]:
        """Periods between neighbours in time order, the reference among them; () where none is missing."""
        times = sorted({*self.event_time, self.reference})
        steps = tuple(b - a for a, b in pairwise(times))
        return steps if max(steps) > 1 else ()

    @property
    def shift(self) -> float:
        """Reported effect minus its linearisation."""
        return self.point - float(self.target @ self.estimate[self.pre :])


def event_study_of(
    path: EffectPath,
    *,
    target: Target = "first",
    outcome: str | None = None,
    panel: Panel | None = None,
    checked: bool = True,
) -> EventStudy:
    """The event study behind a path with one row per event time.

    target   "first" (the first period of treatment), "average" (weighted as `combine("overall")`), an event time, or
             weights on the periods from the start on
    panel    needed for a path without inference, and for a covariance from control clusters
    checked  False skips the rules on the number of clusters (influence diagnostics)
    Raises UserError: honest_asymmetric, honest_varying_base, honest_not_event_time, honest_needs_inference,
    honest_no_pre_period, honest_no_target.
    """
    rows, reference = _rows_of(path, outcome)
    if not path.inference:
        if panel is None:
            raise UserError("honest_needs_inference", method=path.method)
        path = inference(path, panel, path.design.rule)
    assert path.vcov is not None
    times = [int(path.terms[i].event_time or 0) for i in rows]
    said = [path.inference[i] for i in rows]
    pre = sum(t < reference for t in times)
    weights = _target(path, [i for i, t in zip(rows, times) if t > reference], target)
    df = [s.df for s, w in zip(said[pre:], weights) if w and s.df]
    study = EventStudy(
        event_time=tuple(times),
        reference=reference,
        estimate=path.estimate[rows],
        vcov=path.vcov[np.ix_(rows, rows)],
        pre=pre,
        target=weights,
        point=_point(path, rows[pre:], weights),
        threshold=np.array([float(stdtrit(s.df, 0.975)) if s.df else float(ndtri(0.975)) for s in said[:pre]]),
        df=min(df) if df else None,
        outcome=path.terms[rows[0]].outcome,
        level=path.design.level,
        label=target if isinstance(target, str) else f"event_time={target}" if isinstance(target, int) else "weights",
    )
    if any(s.refused for s in said) or not np.isfinite(study.estimate).all():
        return replace(study, refused="honest.refused.not_testable")
    return study if not checked else _enough(study, path, rows, panel)


def _rows_of(path: EffectPath, outcome: str | None) -> tuple[list[int], int]:
    """Live rows in order of event time, and the reference event time."""
    if path.method in ASYMMETRIC:
        raise UserError("honest_asymmetric", method=path.method)
    if path.design.base != "universal":
        raise UserError("honest_varying_base", base=path.design.base)
    wanted = outcome or (path.terms[0].outcome if path.terms else "")
    own = [i for i, t in enumerate(path.terms) if t.outcome == wanted and t.event_time is not None]
    times = [path.terms[i].event_time for i in own]
    if not own or len(set(times)) < len(own) or path.vcov is None:
        raise UserError("honest_not_event_time", method=path.method, rows=len(path))
    order = sorted(own, key=lambda i: path.terms[i].event_time or 0)
    variance = np.diag(path.vcov)
    still = [i for i in order if variance[i] <= 0 and (path.terms[i].event_time or 0) < 0]
    reference = int(path.terms[still[-1]].event_time or 0) if still else -1 - path.design.anticipation
    rows = [i for i in order if path.terms[i].event_time != reference and variance[i] > 0]
    found = {int(path.terms[i].event_time or 0) for i in rows} | {reference}
    if min(found) == reference:
        raise UserError("honest_no_pre_period", found=0)
    if max(found) == reference:
        raise UserError("honest_no_target", target="first", known=sorted(found))
    return rows, reference


def _target(path: EffectPath, post: list[int], target: Target) -> np.ndarray:
    times = [int(path.terms[i].event_time or 0) for i in post]
    treated = np.array([t >= 0 for t in times])
    out = np.zeros(len(post))
    if target == "average":
        share = path.mu0[post] if path.mu0 is not None else np.array([path.terms[i].weight for i in post])
        return np.asarray(np.where(treated, share, 0.0) / share[treated].sum())
    if target == "first" or isinstance(target, int):
        wanted = 0 if target == "first" else int(target)  # type: ignore[arg-type]
        if wanted not in times:
            raise UserError("honest_no_target", target=target, known=times)
        out[times.index(wanted)] = 1.0
        return out
    values = np.asarray(target, dtype=float) if not isinstance(target, str) else out
    if values.shape != (int(treated.sum()),) or not values.any():
        raise UserError("honest_no_target", target=target, known=times)
    out[treated] = values
    return out


def _point(path: EffectPath, post: list[int], weights: np.ndarray) -> float:
    used = [i for i, w in zip(post, weights) if w]
    if path.observed is not None and path.mu0 is not None and len(used) > 1:
        return float(np.log(path.observed[used].sum() / path.mu0[used].sum()))
    return float(weights @ path.estimate[post])


def _enough(study: EventStudy, path: EffectPath, rows: list[int], panel: Panel | None) -> EventStudy:
    """The study if its clusters carry a joint covariance; otherwise with one from control clusters, or refused."""
    clusters = min(path.terms[i].n_clusters for i in rows)
    effective = min(_known(path.inference[i].effective_treated) for i in rows)
    if clusters > CLUSTERS_PER_ROW * len(rows) and effective >= LEAST_EFFECTIVE:
        return study
    few = "few_clusters" if clusters <= CLUSTERS_PER_ROW * len(rows) else "few_treated"
    if panel is None:
        return replace(study, refused=f"honest.refused.{few}")
    found = control_paths_vcov(panel, path.design, study.outcome, study.event_time, study.reference)
    if isinstance(found, str):
        return replace(study, refused=found)
    vcov, df = found
    return replace(
        study, vcov=vcov, df=df, covariance="control_paths", notes=(*study.notes, "honest.note.control_paths")
    )


def _known(value: Any) -> float:
    return float("inf") if value is None else float(value)
