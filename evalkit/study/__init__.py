"""The one place that wires data → did → cea → assess: one function per section of a notebook.

`section(case, key)` is what a notebook cell calls. A section that the plan does not list for this kind of report, or
whose tables are missing, comes back empty, and its heading is left out of the report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib import import_module

from ..core import Section
from .case import Case

__all__ = ["SECTIONS", "Case", "section"]

SECTIONS: dict[str, dict[str, str]] = {
    "project": {
        "summary": "project:summary",
        "design": "project:design",
        "effect": "project:effect",
        "robustness": "project:robustness",
        "economics": "project:economics",
        "verdict": "project:conclusion",
        "quality": "quality:quality",
    },
    "city": {
        "summary": "city:summary",
        "scope": "city:scope",
        "profile": "city:profile",
        "target": "target:target",
        "measures": "work:measures",
        "training": "work:training",
        "activities": "work:activities",
        "fund": "work:fund",
        "projects": "work:projects",
        "effects": "outcomes:effects",
        "economics": "outcomes:economics",
        "series": "policy:series",
        "quality": "quality:quality",
    },
    "province": {
        "summary": "province:summary",
        "scope": "city:scope",
        "overview": "province:overview",
        "target": "target:target",
        "cap": "province:cap",
        "measures": "province:measures",
        "training": "work:training",
        "programme": "programme:programme",
        "robustness": "programme:robustness",
        "projects": "outcomes:effects",
        "economics": "province:economics",
        "quality": "quality:quality",
    },
}
"""kind of report → section key → "module:function" of this package."""


def section(case: Case, key: str) -> Section:
    """Compute the section `key` for `case`; empty where the plan does not list it. KeyError names the known keys."""
    if key not in SECTIONS[case.kind]:
        raise KeyError(f"no section {key!r} in a {case.kind} report; known: {', '.join(SECTIONS[case.kind])}")
    return computed(case, key) if case.shows(key) else Section(key=key)


@lru_cache(maxsize=32)
def computed(case: Case, key: str) -> Section:
    """The section `key`, once per case, whether the plan lists it or not: a summary reads what other sections show."""
    module, name = SECTIONS[case.kind][key].split(":")
    compute: Callable[[Case], Section] = getattr(import_module(f".{module}", __package__), name)
    return replace(compute(case), key=key)
