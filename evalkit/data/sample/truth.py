"""What is true, on expectations given the realised frailties, shocks and exposures."""

from __future__ import annotations

from typing import Any

import numpy as np

from .calibrate import GROUPS, N_AVERTABLE, family_shares


def truth_of(without: np.ndarray, ratio: np.ndarray, reporting: np.ndarray, treated: np.ndarray) -> dict[str, Any]:
    """Truth of one programme over its treated cells.

    without (n, T) avertable injuries expected without the programme, ratio and reporting (n, T) what the programme
    does, treated (n, T) cells of the mature post window. Returns

    rate_ratio            Σ expected with / Σ expected without (injuries that happen, whatever is reported)
    averted               Σ without − Σ with, injuries;  by_severity the same by severity group
    recorded_rate_ratio   the same with the change of reporting in the numerator
    mean_log_rate_ratio   unweighted mean over treated cells of the log of the recorded ratio
    """
    weight = family_shares()[:N_AVERTABLE] / family_shares()[:N_AVERTABLE].sum()
    before = float(without[treated].sum())
    after = float((without * ratio)[treated].sum())
    recorded = ratio * (1 + (reporting - 1) * weight[0])
    result = _row(before, after)
    result["recorded_rate_ratio"] = _quotient(float((without * recorded)[treated].sum()), before)
    result["mean_log_rate_ratio"] = float(np.log(recorded[treated]).mean()) if treated.any() else float("nan")
    result["by_severity"] = {g: _row(before * w, after * w) for g, w in zip(GROUPS, weight.tolist())}
    return result


def _row(before: float, after: float) -> dict[str, Any]:
    return {
        "rate_ratio": _quotient(after, before),
        "averted": before - after,
        "expected_without": before,
        "expected_with": after,
    }


def _quotient(a: float, b: float) -> float:
    return a / b if b else float("nan")
