"""What every indicator needs from canonical tables: rows of a place, years of months, selections, maturity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..plans import Plan

MONTHS = 12


class Tables(Protocol):
    """Anything that holds canonical tables by name and the date up to which they are known (ISO)."""

    @property
    def tables(self) -> Mapping[str, pd.DataFrame]: ...

    @property
    def as_of(self) -> str: ...


def has(canonical: Tables, *names: str) -> bool:
    """True where every named table has rows."""
    return all(name in canonical.tables and len(canonical.tables[name]) > 0 for name in names)


def rows_of(canonical: Tables, name: str, plan: Plan, place: str) -> pd.DataFrame:
    """Rows of table `name` that belong to `place`; the province is the sum over its cities, its own rows left out."""
    frame = canonical.tables[name]
    wanted = plan.cities if place == plan.province else (place,)
    return frame.loc[frame["place"].isin(wanted)]


def entries_of(canonical: Tables, name: str, plan: Plan, place: str) -> pd.DataFrame:
    """Rows of table `name` that `place` answers for: for the province those of its cities and its own (money, work)."""
    frame = canonical.tables[name]
    wanted = (*plan.cities, plan.province) if place == plan.province else (place,)
    return frame.loc[frame["place"].isin(wanted)]


def dates(values: pd.Series) -> pd.Series:
    """ISO strings or datetimes → datetime64; what is empty becomes NaT."""
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    return pd.to_datetime(values.replace("", None), errors="coerce")


def year_of(months: pd.Series) -> pd.Series:
    """Calendar year of "YYYY-MM" labels."""
    return _of_label(months, slice(0, 4))


def month_of(months: pd.Series) -> pd.Series:
    """Month of the year (1-12) of "YYYY-MM" labels."""
    return _of_label(months, slice(5, 7))


def _of_label(months: pd.Series, part: slice) -> pd.Series:
    """A part of every label as a number; few labels stand in many rows, so each is read once."""
    codes, labels = pd.factorize(months, use_na_sentinel=False)
    numbers = np.array([int(str(label)[part]) for label in labels], dtype=int)
    return pd.Series(numbers[codes], index=months.index, name=months.name)


def month_number(label: str) -> int:
    """Months since year 0 of "YYYY-MM" or an ISO date."""
    return int(label[:4]) * MONTHS + int(label[5:7]) - 1


def month_label(number: int) -> str:
    return f"{number // MONTHS}-{number % MONTHS + 1:02d}"


def last_mature_month(canonical: Tables, plan: Plan) -> str:
    """Latest month of injury ("2025-07") as old at `as_of` as the maturity rule of the plan asks; "" without a rule."""
    months = plan.settings.get("maturity_months")
    return "" if months is None else month_label(month_number(canonical.as_of) - int(months))


def provisional_years(canonical: Tables, plan: Plan, years: pd.Series) -> pd.Series:
    """True for years whose last month is younger than the maturity rule (domain: a claim may come a year late)."""
    mature = last_mature_month(canonical, plan)
    return years * 0 > 0 if not mature else years.astype(str) + "-12" > mature


def select(frame: pd.DataFrame, rule: Mapping[str, Any]) -> pd.DataFrame:
    """Rows that satisfy a selection of the plan: `<column> = [values]` keeps, `not_<column> = [values]` drops."""
    keep = np.ones(len(frame), dtype=bool)
    for column, values in rule.items():
        if column.startswith("not_"):
            keep &= ~frame[column.removeprefix("not_")].isin(values).to_numpy()
        else:
            keep &= frame[column].isin(values).to_numpy()
    return frame.loc[keep]


def total(frame: pd.DataFrame, value: str, by: Iterable[str]) -> pd.DataFrame:
    """Sums of `value` by the columns `by`, in their order, as a frame; one row where `by` is empty."""
    by = list(by)
    if not by:
        return pd.DataFrame({value: [frame[value].sum()]})
    sums = frame.groupby(by, as_index=False, observed=True, sort=True)[value].sum()
    return sums if len(sums) else sums.astype({b: object for b in by if not pd.api.types.is_numeric_dtype(sums[b])})


def divide(numerator: Any, denominator: Any) -> np.ndarray:
    """Element-wise ratio; NaN where the denominator is zero or missing."""
    n, d = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(n, d, out=np.full(n.shape, np.nan), where=np.nan_to_num(d) > 0)


def number(value: Any) -> float | None:
    """A plain float, None for NaN and missing."""
    return None if value is None or pd.isna(value) else float(value)
