"""Any long frame → Panel: names are decided here, once; inside, nobody passes column names around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..core import NEVER, Dropped, Panel, UserError, frozen_array

Frequency = Literal["year", "quarter", "month"]


def panel(
    frame: pd.DataFrame,
    *,
    unit: str,
    time: str,
    outcome: str | Sequence[str],
    cohort: str,
    exposure: str | None = None,
    completeness: str | None = None,
    covariates: Sequence[str] = (),
    weight: str | None = None,
    cluster: str | None = None,
    dose: str | None = None,
    strata: str | None = None,
    frequency: Frequency = "year",
    missing: Literal["drop_unit", "keep"] = "drop_unit",
    exposure_unit: str = "",
    outcome_unit: str = "",
    origins: Sequence[str] = (),
    synthetic: bool = False,
    dropped: Sequence[Dropped] = (),
) -> Panel:
    """Build a Panel from one row per unit and time.

    unit, time   columns of the unit's name and of the period label: a year (1984), "2023Q1" or "2023-01" according
                 to `frequency`; other labels are only ordered. Every period between first and last must occur
    outcome      column, or columns (the first is the primary outcome)
    cohort       column with the label of the first treated period, constant within a unit; missing (NA, None, NaN)
                 = never treated. A label after the last period = not yet treated throughout
    exposure     positive denominators;  completeness: share of final cases known, in (0, 1]
    covariates, weight, cluster, dose, strata   further columns; cluster, dose and strata constant within a unit.
                 Without `cluster` every unit is its own
    missing      "drop_unit": units not observed (outcome, exposure, covariate) in every period leave, with the reason
                 in `Panel.dropped`; "keep": their cells are NaN
    dropped      units that left earlier, put at the head of the ledger

    Units stand in the order of their first row (of the categories, for a categorical column): never sorted by a
    hash. Units treated in the first period have no period before and leave as "always_treated".

    Raises UserError: unknown_column, empty_panel, duplicate_cell, time_gap, cohort_varies, cohort_unreadable,
    cohort_zero (0 or "" instead of NA), not_numeric, negative_weight, bad_completeness, varies_within_unit.
    Not for repeated cross-sections: every row must belong to a unit that is followed.
    """
    outcomes = (outcome,) if isinstance(outcome, str) else tuple(outcome)
    values = (*outcomes, *covariates, *(c for c in (exposure, completeness, weight) if c))
    constants = tuple(c for c in (cluster, dose, strata) if c)
    _known(frame, (unit, time, cohort, *values, *constants))
    codes, units = _units(frame[unit])
    at, times = _times(frame[time], frequency)
    _unique(codes, at, units, times)
    wide = {name: _wide(frame, name, codes, at, len(units), len(times)) for name in dict.fromkeys(values)}
    start = _cohorts(_constant(frame[cohort], codes, units, cohort), times, frequency)
    fixed = {name: _constant(frame[name], codes, units, name) for name in constants}
    _signs(wide, weight, completeness)
    reasons = _reasons(wide, outcomes, covariates, exposure, start, missing)
    keep = reasons == ""
    if not keep.any():
        raise UserError("empty_panel", n=len(units), reasons=[{"key": f"dropped.{r}"} for r in sorted(set(reasons))])
    groups, names = _groups(fixed[cluster], keep) if cluster else (np.arange(keep.sum()), _kept(units, keep))
    return Panel(
        units=_kept(units, keep),
        times=tuple(times),
        cohort=frozen_array(start[keep], np.int64),
        outcomes={name: frozen_array(wide[name][keep]) for name in outcomes},
        cluster=frozen_array(groups, np.int64),
        cluster_names=names,
        exposure=_optional(wide, exposure, keep),
        completeness=_optional(wide, completeness, keep),
        weight=_optional(wide, weight, keep),
        covariates={name: frozen_array(wide[name][keep]) for name in covariates},
        dose=None if dose is None else frozen_array(_numeric(pd.Series(fixed[dose]), dose)[keep]),
        strata=None if strata is None else frozen_array(_groups(fixed[strata], keep)[0], np.int64),
        dropped=(*dropped, *_ledger(units, reasons)),
        synthetic=synthetic,
        origins=tuple(origins),
        frequency=frequency,
        exposure_unit=exposure_unit,
        outcome_unit=outcome_unit,
    )


def _optional(wide: dict[str, np.ndarray], name: str | None, keep: np.ndarray) -> np.ndarray | None:
    return None if name is None else frozen_array(wide[name][keep])


def _ledger(units: np.ndarray, reasons: np.ndarray) -> tuple[Dropped, ...]:
    return tuple(Dropped(unit=str(u), reason=str(r)) for u, r in zip(units, reasons) if r)  # type: ignore[arg-type]


def _kept(units: np.ndarray, keep: np.ndarray) -> tuple[str, ...]:
    return tuple(str(u) for u in units[keep])


def _known(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in frame.columns:
            raise UserError("unknown_column", column=name, known=[str(c) for c in frame.columns])
    if not len(frame):
        raise UserError("empty_panel", n=0, reasons="–")


def _units(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = column.cat.remove_unused_categories()
        codes, units = present.cat.codes.to_numpy(), present.cat.categories.to_numpy()
    else:
        codes, units = pd.factorize(column)
    if (codes < 0).any():
        raise UserError("missing_label", column=str(column.name), n=int((codes < 0).sum()))
    return codes, np.asarray(units, dtype=object)


def _times(column: pd.Series, frequency: Frequency) -> tuple[np.ndarray, list[Any]]:
    """Index of every row's period and the ordered labels."""
    codes, labels = pd.factorize(column)
    if (codes < 0).any():
        raise UserError("missing_label", column=str(column.name), n=int((codes < 0).sum()))
    plain: list[Any] = [v.item() if isinstance(v, np.generic) else v for v in labels]
    numbers = [n for v in plain if (n := ordinal(v, frequency)) is not None]
    known = len(numbers) == len(plain)
    order = sorted(range(len(plain)), key=(numbers if known else plain).__getitem__)
    if known:
        _contiguous(numbers, frequency)
    rank = np.empty(len(plain), dtype=np.int64)
    rank[order] = np.arange(len(plain))
    return rank[codes], [plain[i] for i in order]


def _contiguous(numbers: list[int], frequency: Frequency) -> None:
    first, last = min(numbers), max(numbers)
    absent = sorted(set(range(first, last + 1)) - set(numbers))
    if absent:
        raise UserError(
            "time_gap",
            first=label(first, frequency),
            last=label(last, frequency),
            n=len(absent),
            absent=[label(i, frequency) for i in absent[:8]],
        )


def ordinal(value: Any, frequency: Frequency) -> int | None:
    """A period label as a running number of years, quarters or months; None for another kind of label."""
    text = str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    if frequency == "year":
        return int(text) if text.isdigit() and len(text) == 4 else None
    mark, per = ("Q", 4) if frequency == "quarter" else ("-", 12)
    year, _, part = text.partition(mark)
    if not (year.isdigit() and part.isdigit() and 1 <= int(part) <= per):
        return None
    return int(year) * per + int(part) - 1


def label(number: int, frequency: Frequency) -> Any:
    """The inverse of `ordinal`."""
    if frequency == "year":
        return number
    per = 4 if frequency == "quarter" else 12
    year, part = divmod(number, per)
    return f"{year}Q{part + 1}" if frequency == "quarter" else f"{year}-{part + 1:02d}"


def _unique(codes: np.ndarray, at: np.ndarray, units: np.ndarray, times: list[Any]) -> None:
    cell = codes.astype(np.int64) * len(times) + at
    if len(np.unique(cell)) < len(cell):
        distinct, count = np.unique(cell, return_counts=True)
        first = int(distinct[np.argmax(count > 1)])
        raise UserError(
            "duplicate_cell",
            unit=str(units[first // len(times)]),
            time=times[first % len(times)],
            n=int((count > 1).sum()),
        )


def _wide(frame: pd.DataFrame, name: str, codes: np.ndarray, at: np.ndarray, n: int, t: int) -> np.ndarray:
    out = np.full((n, t), np.nan)
    out[codes, at] = _numeric(frame[name], name)
    return out


def _numeric(column: pd.Series, name: str) -> np.ndarray:
    try:
        values = pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        bad = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        raise UserError("not_numeric", column=name, value=str(bad.iloc[0]), n=len(bad)) from None
    if np.isinf(values).any():
        raise UserError("not_numeric", column=name, value="inf", n=int(np.isinf(values).sum()))
    return values


def _constant(column: pd.Series, codes: np.ndarray, units: np.ndarray, name: str) -> np.ndarray:
    """The value of every unit; raises if a unit has two."""
    own, distinct = pd.factorize(column, use_na_sentinel=True)
    low, high = np.full(len(units), len(distinct)), np.full(len(units), -1)
    np.minimum.at(low, codes, own)
    np.maximum.at(high, codes, own)
    if (low != high).any():
        raise UserError(
            "varies_within_unit", column=name, unit=str(units[np.argmax(low != high)]), n=int((low != high).sum())
        )
    return np.array([*np.asarray(distinct, dtype=object), None], dtype=object)[high]


def _cohorts(labels: np.ndarray, times: list[Any], frequency: Frequency) -> np.ndarray:
    """First treated period as an index into `times`; NEVER for missing labels."""
    position = {t: i for i, t in enumerate(times)}
    first = ordinal(times[0], frequency)
    out = np.full(len(labels), NEVER, dtype=np.int64)
    for value in set(labels) - {None}:
        if value in ("", 0) or value in (np.inf, "0"):
            raise UserError("cohort_zero", value=str(value), n=int(np.sum(labels == value)))
        number = ordinal(value, frequency)
        index = position.get(value, None if number is None or first is None else number - first)
        if index is None:
            raise UserError("cohort_unreadable", value=str(value), first=times[0], last=times[-1])
        out[labels == value] = max(int(index), 0)
    return out


def _signs(wide: dict[str, np.ndarray], weight: str | None, completeness: str | None) -> None:
    if weight is not None and np.nanmin(wide[weight]) < 0:
        raise UserError("negative_weight", column=weight, value=float(np.nanmin(wide[weight])))
    if completeness is not None:
        share = wide[completeness]
        if np.nanmin(share) <= 0 or np.nanmax(share) > 1:
            raise UserError(
                "bad_completeness", column=completeness, low=float(np.nanmin(share)), high=float(np.nanmax(share))
            )


def _reasons(
    wide: dict[str, np.ndarray],
    outcomes: Sequence[str],
    covariates: Sequence[str],
    exposure: str | None,
    start: np.ndarray,
    missing: str,
) -> np.ndarray:
    """Why each unit leaves, "" for those that stay; the first reason that holds is told."""
    primary = wide[outcomes[0]]
    absent = np.isnan(primary)
    other = np.any([np.isnan(wide[name]) for name in (*outcomes, *covariates)], axis=0)
    reasons = np.full(len(start), "", dtype="<U16")
    reasons[start == 0] = "always_treated"
    if missing == "drop_unit":
        reasons[(reasons == "") & absent.any(axis=1)] = "unbalanced"
        reasons[(reasons == "") & other.any(axis=1)] = "missing"
    reasons[(reasons == "") & (absent | other).all(axis=1)] = "missing"
    if exposure is not None:
        size = wide[exposure]
        wrong = (size <= 0) if missing == "keep" else ~(size > 0)
        reasons[(reasons == "") & wrong.any(axis=1)] = "no_exposure"
    return reasons


def _groups(values: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes and names of the groups of the kept units, in order of first appearance; missing is an error."""
    codes, names = pd.factorize(values[keep])
    if (codes < 0).any():
        raise UserError("missing_label", column="cluster", n=int((codes < 0).sum()))
    return codes, tuple(str(n) for n in names)
