"""Nouns: frozen types that every other layer shares. Imports numpy and pandas only; knows no language."""

from .arrays import from_plain, frozen_array, to_plain
from .economics import Curve, Decision, Flow, FrontierRow, Psa, Swing
from .effects import Effect, EffectPath, Inference, Term
from .errors import GateStopped, Problem, UserError, UserErrors, Where
from .exhibits import Column, Exhibit, Message, Section
from .origin import Origin, Parameter
from .panel import NEVER, Design, Dropped, Moments, Panel
from .scores import Gate, Indicator, Score, Scorecard

__all__ = [
    "NEVER",
    "Column",
    "Curve",
    "Decision",
    "Design",
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
    "Score",
    "Scorecard",
    "Section",
    "Swing",
    "Term",
    "UserError",
    "UserErrors",
    "Where",
    "from_plain",
    "frozen_array",
    "to_plain",
]
