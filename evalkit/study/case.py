"""What a notebook works on: one place, project or province of one workspace, opened and ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..plans import Plan


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One unit of assessment.

    kind       "project", "city" or "province"
    canonical  `data.Canonical` restricted to the place (all places for the province)
    peers      province-wide reference tables of this edition, by name
    projects   results of the finished project evaluations that belong here, by project id
    cities     results of the finished city assessments (province only), by place
    draws      number of draws for cost-effectiveness
    """

    kind: str
    workspace: Any
    plan: Plan
    canonical: Any
    period: int
    as_of: str
    lang: str
    seed: int
    draws: int
    synthetic: bool
    place: str = ""
    project: str = ""
    peers: dict[str, pd.DataFrame] = field(default_factory=dict)
    peers_edition: str = ""
    projects: dict[str, dict[str, Any]] = field(default_factory=dict)
    cities: dict[str, dict[str, Any]] = field(default_factory=dict)
    out: str = ""

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        return self.canonical.tables

    def has(self, *tables: str) -> bool:
        """True where every named canonical table has rows."""
        return all(name in self.tables and len(self.tables[name]) for name in tables)

    def shows(self, section: str) -> bool:
        """True where the plan lists this section for reports of this kind."""
        return section in self.plan.settings.get("sections", {}).get(self.kind, ())
