"""Nouns: frozen types that every other layer shares. Imports numpy and pandas only; knows no language.

A module is loaded when one of its names is first used: messages and errors cost nothing, so that the texts and the
command line stay light; panels and effects bring numpy and pandas.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .arrays import from_plain, frozen_array, to_plain
    from .bands import BAND_CLUSTERS, Band, maximal_draws
    from .disclosure import hide_small
    from .economics import Curve, Decision, Flow, FrontierRow, Psa, Swing
    from .effects import EffectPath, Refused, Shares
    from .errors import GateStopped, Problem, UserError, UserErrors, Where
    from .exhibits import Column, Exhibit, Message, Section
    from .origin import Origin, Parameter
    from .panel import NEVER, Design, DoseCurve, Dropped, Moments, Panel
    from .rows import MONEY_DF, Effect, Inference, Term, row_effect
    from .scores import Gate, Indicator, Score, Scorecard

_HOME = {
    "BAND_CLUSTERS": "bands",
    "Band": "bands",
    "MONEY_DF": "rows",
    "NEVER": "panel",
    "Column": "exhibits",
    "Curve": "economics",
    "Decision": "economics",
    "Design": "panel",
    "DoseCurve": "panel",
    "Dropped": "panel",
    "Effect": "rows",
    "EffectPath": "effects",
    "Refused": "effects",
    "Shares": "effects",
    "Exhibit": "exhibits",
    "Flow": "economics",
    "FrontierRow": "economics",
    "Gate": "scores",
    "GateStopped": "errors",
    "Indicator": "scores",
    "Inference": "rows",
    "Message": "exhibits",
    "Moments": "panel",
    "Origin": "origin",
    "Panel": "panel",
    "Parameter": "origin",
    "Problem": "errors",
    "Psa": "economics",
    "Score": "scores",
    "Scorecard": "scores",
    "Section": "exhibits",
    "Swing": "economics",
    "Term": "rows",
    "UserError": "errors",
    "UserErrors": "errors",
    "Where": "errors",
    "from_plain": "arrays",
    "frozen_array": "arrays",
    "hide_small": "disclosure",
    "maximal_draws": "bands",
    "row_effect": "rows",
    "to_plain": "arrays",
}

__all__ = [
    "BAND_CLUSTERS",
    "MONEY_DF",
    "NEVER",
    "Band",
    "Column",
    "Curve",
    "Decision",
    "Design",
    "DoseCurve",
    "Dropped",
    "Effect",
    "EffectPath",
    "Exhibit",
    "Flow",
    "FrontierRow",
    "Gate",
    "GateStopped",
    "Indicator",
    "Inference",
    "Message",
    "Moments",
    "Origin",
    "Panel",
    "Parameter",
    "Problem",
    "Psa",
    "Refused",
    "Score",
    "Scorecard",
    "Section",
    "Shares",
    "Swing",
    "Term",
    "UserError",
    "UserErrors",
    "Where",
    "from_plain",
    "frozen_array",
    "hide_small",
    "maximal_draws",
    "row_effect",
    "to_plain",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = found = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return found


def __dir__() -> list[str]:
    return __all__
