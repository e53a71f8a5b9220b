"""What judging one row of a path needs, and the parts of an `Inference` that every rule shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from ..core import EffectPath, Panel
from . import permutation
from .facts import RowFacts, Share
from .fit import Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that judging one row may need."""

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
