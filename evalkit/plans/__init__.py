"""Plans as data: a folder per plan (targets, measures, industries, indicators, places), no code.

A workspace may bring its own folder `plan/`, or name one of ours. Another province, another five years or the
cities of another country are a new folder.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pandas as pd

from ..core import Indicator, UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A prevention plan or policy as the package sees it.

    settings   the whole plan.toml: title, phases, targets, sections of the reports, programmes, rules
    places     place, level (province|city), zh_hans, zh_hant, en, aliases, region, ...
    industries industry, names, key_industry, divisions, rate_unit ("project" = no headcount: no rate)
    measures   the plan's measures; indicators: its dictionary
    """

    id: str
    settings: dict[str, Any]
    places: pd.DataFrame
    industries: pd.DataFrame
    measures: pd.DataFrame
    indicators: tuple[Indicator, ...]
    folder: str = ""
    extra: dict[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def cities(self) -> tuple[str, ...]:
        """Codes of the places that get a report of their own."""
        return tuple(self.places.loc[self.places.level == "city", "place"])

    @property
    def province(self) -> str:
        """Code of the place that stands for all of them."""
        return str(self.places.loc[self.places.level == "province", "place"].iloc[0])

    @property
    def key_industries(self) -> tuple[str, ...]:
        return tuple(self.industries.loc[self.industries.key_industry == 1, "industry"])

    def place_name(self, place: str) -> dict[str, str]:
        """Name of a place by language."""
        row = self.places.loc[self.places.place == place].iloc[0]
        return {"zh-Hans": row.zh_hans, "zh-Hant": row.zh_hant, "en": row.en}

    def industry_name(self, industry: str) -> dict[str, str]:
        row = self.industries.loc[self.industries.industry == industry].iloc[0]
        return {"zh-Hans": row.zh_hans, "zh-Hant": row.zh_hant, "en": row.en}

    def indicator(self, code: str) -> Indicator:
        return next(i for i in self.indicators if i.code == code)


def load(plan_id: str, root: Path | None = None) -> Plan:
    """Read a plan: `root/plan/` of a workspace if it is there and carries this id, else the packaged one.

    Raises UserError("unknown_plan") listing the plans there are.
    """
    if root is not None and (root / "plan" / "plan.toml").exists():
        return _read(plan_id, root / "plan")
    return _packaged(plan_id)


@lru_cache(maxsize=8)
def _packaged(plan_id: str) -> Plan:
    known = sorted(p.name for p in files(__package__).iterdir() if (p / "plan.toml").is_file())
    if plan_id not in known:
        raise UserError("unknown_plan", plan=plan_id, known=known)
    with as_file(files(__package__) / plan_id) as folder:
        return _read(plan_id, folder)


def _read(plan_id: str, folder: Path) -> Plan:
    settings = tomllib.loads((folder / "plan.toml").read_text("utf-8"))
    if settings.get("id") != plan_id:
        raise UserError("plan_id_differs", plan=plan_id, found=settings.get("id"))

    def table(name: str) -> pd.DataFrame:
        path = folder / f"{name}.csv"
        return (
            pd.read_csv(path, dtype={"place": str, "division": str}, keep_default_na=False)
            if path.exists()
            else pd.DataFrame()
        )

    indicators = tuple(Indicator(**row) for row in settings.get("indicators", ())) if "indicators" in settings else ()
    listed = folder / "indicators.toml"
    if listed.exists():
        indicators = tuple(
            Indicator(code=code, **row) for code, row in tomllib.loads(listed.read_text("utf-8")).items()
        )
    named = {"places", "industries", "measures"}
    extra = {p.stem: table(p.stem) for p in sorted(folder.glob("*.csv")) if p.stem not in named}
    return Plan(
        id=plan_id,
        settings=settings,
        places=table("places"),
        industries=table("industries"),
        measures=table("measures"),
        indicators=indicators,
        folder=str(folder),
        extra=extra,
    )
