"""Any long frame → Panel: names are decided here, once; inside, nobody passes column names around."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..core import NEVER, Dropped, Panel, UserError
from .layout import BLOCK, Frequency, Gaps, Layout, layout, ordinal


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
    gaps: Gaps = "refuse",
    exposure_unit: str = "",
    outcome_unit: str = "",
    origins: Sequence[str] = (),
    synthetic: bool = False,
    dropped: Sequence[Dropped] = (),
) -> Panel:
    """Build a Panel from one row per unit and time.

    unit, time   columns of the unit's name and of the period label: a year (1984), "2023Q1" or "2023-01" according
                 to `frequency`; every one between first and last must occur. Other numbers, dates, text that begins
                 with a year or counts ("wave 1") and ordered categories are only put in order
    outcome      column, or columns (the first is the primary outcome)
    cohort       column with the label of the first treated period, constant within a unit; missing (NA, None, NaN)
                 = never treated. A period after the last = not yet treated throughout
    exposure     positive denominators;  completeness: share of final cases known, in (0, 1]
    covariates, weight, cluster, dose, strata   further columns; cluster, dose and strata constant within a unit.
                 Without `cluster` every unit is its own
    missing      "drop_unit": units not observed (outcome, exposure, covariate, weight) in every period leave, with the
                 reason in `Panel.dropped`; "keep": their cells are NaN
    gaps         "refuse", or "keep" where the survey itself skips years (2003, 2004, 2007): periods are the observed
                 ones, event times count those, and a start between two of them is at the later one
    dropped      units that left earlier, put at the head of the ledger

    Units stand in the order of their first row (of the categories, for a categorical column): never sorted by a
    hash. Units treated in the first period have no period before and leave as "always_treated".

    A row costs about 10 ns where rows come unit by unit and 100-200 ns where they are shuffled with text labels; the
    frame is never sorted or copied.

    Raises UserError: unknown_column, empty_panel, missing_label, duplicate_cell, duplicate_column,
    time_gap, time_unordered, cohort_unreadable (also a first year with a fraction), cohort_zero (0, −1, ∞ or "" instead
    of NA), cohort_is_treatment (a 0/1 column of treatment
    instead of the first treated period), treatment_switches_off, not_numeric, negative_weight, bad_completeness,
    varies_within_unit.
    Not for repeated cross-sections: every row must belong to a unit that is followed.
    """
    outcomes = (outcome,) if isinstance(outcome, str) else tuple(outcome)
    covariates = (covariates,) if isinstance(covariates, str) else tuple(covariates)
    values = (*outcomes, *covariates, *(c for c in (exposure, completeness, weight) if c))
    constants = tuple(c for c in (cluster, dose, strata) if c)
    _known(frame, (unit, time, cohort, *values, *constants))
    rows = layout(frame[unit], frame[time], frequency, gaps)
    wide = {name: rows.wide(_numeric(frame[name], name)) for name in dict.fromkeys(values)}
    start = _start(frame[cohort], rows, frequency)
    fixed = {name: _constant(frame[name], rows) for name in constants}
    _signs(wide, weight, completeness)
    reasons = _reasons(wide, outcomes, (*covariates, *((weight,) if weight else ())), exposure, start, missing)
    keep = reasons == 0
    if not keep.any():
        told = sorted({_REASONS[r] for r in np.unique(reasons)})
        raise UserError("empty_panel", n=len(start), reasons=[{"key": f"dropped.{r}"} for r in told])
    kept = _names(rows.units if keep.all() else rows.units[keep])
    groups, names = _groups(*fixed[cluster], keep, cluster) if cluster else (np.arange(len(kept)), kept)
    return Panel(
        units=kept,
        times=rows.times,
        cohort=_held(start, keep),
        outcomes={name: _held(wide[name], keep) for name in outcomes},
        cluster=_held(groups.astype(np.int64, copy=False)),
        cluster_names=names,
        exposure=_optional(wide, exposure, keep),
        completeness=_optional(wide, completeness, keep),
        weight=_optional(wide, weight, keep),
        covariates={name: _held(wide[name], keep) for name in covariates},
        dose=None if dose is None else _held(_dose(*fixed[dose], dose), keep),
        strata=None if strata is None else _held(_groups(*fixed[strata], keep, strata)[0].astype(np.int64, copy=False)),
        dropped=(*dropped, *_ledger(rows.units, reasons)),
        synthetic=synthetic,
        origins=tuple(origins),
        frequency=frequency,
        exposure_unit=exposure_unit,
        outcome_unit=outcome_unit,
    )


def _held(values: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """An array of our own, read-only: all of it, or the units to keep."""
    own = values if keep is None or keep.all() else values[keep]
    own.setflags(write=False)
    return own


def _optional(wide: dict[str, np.ndarray], name: str | None, keep: np.ndarray) -> np.ndarray | None:
    return None if name is None else _held(wide[name], keep)


def _ledger(units: np.ndarray, reasons: np.ndarray) -> tuple[Dropped, ...]:
    gone = np.flatnonzero(reasons)
    return tuple(Dropped(unit=str(units[i]), reason=_REASONS[reasons[i]]) for i in gone)  # type: ignore[arg-type]


def _names(labels: np.ndarray) -> tuple[str, ...]:
    parts = (labels[start : start + BLOCK].tolist() for start in range(0, len(labels), BLOCK))
    return tuple(map(str, chain.from_iterable(parts)))


def _known(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    for name in columns:
        if name not in frame.columns:
            raise UserError("unknown_column", column=str(name), known=[str(c) for c in frame.columns])
        if isinstance(frame[name], pd.DataFrame):
            raise UserError("duplicate_column", column=str(name), n=frame[name].shape[1])
    if not len(frame):
        raise UserError("empty_panel", n=0, reasons="–")


def _numeric(column: pd.Series, name: str) -> np.ndarray:
    """(rows,) numbers, NaN where missing; a view of the frame where its column holds plain numbers."""
    plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"
    try:
        values = column.to_numpy() if plain else pd.to_numeric(column).to_numpy(dtype=float, na_value=np.nan)
    except (TypeError, ValueError):
        bad = column[pd.to_numeric(column, errors="coerce").isna() & column.notna()]
        raise UserError("not_numeric", column=name, value=str(bad.iloc[0]), n=len(bad)) from None
    with np.errstate(over="ignore", invalid="ignore"):
        suspicious = not np.isfinite(values.sum(dtype=float))
    if suspicious and np.isinf(values).any():
        raise UserError("not_numeric", column=name, value="inf", n=int(np.isinf(values).sum()))
    return values


def _coded(column: pd.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers as they are, without labels; other values as codes (−1 missing) and labels."""
    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf":
        return column.to_numpy(), None
    codes, labels = pd.factorize(column)
    return codes, np.asarray(labels, dtype=object)


def _constant(column: pd.Series, rows: Layout) -> tuple[np.ndarray, np.ndarray | None]:
    """Every unit's value as in `_coded`. Raises UserError("varies_within_unit")."""
    values, labels = _coded(column)
    own, differ = rows.constant(values)
    if differ.any():
        raise UserError(
            "varies_within_unit",
            column=str(column.name),
            unit=str(rows.units[np.argmax(differ)]),
            n=int(differ.sum()),
        )
    return own, labels


def _distinct(own: np.ndarray, labels: np.ndarray | None) -> tuple[np.ndarray, list[Any]]:
    """(N,) codes, −1 where missing, and the plain values behind them."""
    if labels is not None:
        return own, labels.tolist()
    codes, values = pd.factorize(own)
    return codes, values.tolist()


def _start(column: pd.Series, rows: Layout, frequency: Frequency) -> np.ndarray:
    """(N,) first treated period as an index into the times; NEVER for missing labels."""
    _no_indicator(column, rows)
    codes, values = _distinct(*_constant(column, rows))
    times = rows.times
    position = {t: i for i, t in enumerate(times)}
    numbers = [ordinal(t, frequency) for t in times]
    index = np.full(len(values) + 1, NEVER, dtype=np.int64)
    for i, value in enumerate(values):
        if value not in times[1:] and _stands_for_never(value, times[0]):
            raise UserError("cohort_zero", value=str(value), n=int((codes == i).sum()))
        found = position.get(value)
        if found is None and (number := ordinal(value, frequency)) is not None and None not in numbers:
            found = _placed(number, numbers)
        if found is None:
            found = _outside(value, times)
        if found is None:
            raise UserError("cohort_unreadable", value=str(value), first=times[0], last=times[-1])
        index[i] = found
    return index[codes]


def _stands_for_never(value: Any, first: Any) -> bool:
    """Codes that other programs write for never: 0, "", infinity, a negative number before the first period."""
    if isinstance(value, str):
        return value.strip() in ("", "0")
    if isinstance(value, (int, float)):
        return value == 0 or value in (np.inf, -np.inf) or (value < 0 and not (_number(first) and first < value))
    return False


def _number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _placed(number: int, numbers: Sequence[Any]) -> int:
    """Index of the first period not before the running number; 0 before the first, T and more after the last."""
    after = number - numbers[-1]
    return len(numbers) - 1 + after if after > 0 else int(np.searchsorted(numbers, number))


def _outside(value: Any, times: tuple[Any, ...]) -> int | None:
    """T for a number or date after the last period, 0 before the first, None where it is neither."""
    if isinstance(value, str) or isinstance(times[0], str) or _number(value) != _number(times[0]):
        return None
    try:
        return len(times) if value > times[-1] else 0 if value < times[0] else None
    except (TypeError, ValueError):
        return None


def _no_indicator(column: pd.Series, rows: Layout) -> None:
    """Refuse a 0/1 column of treatment in the place of the first treated period; tell where it switches off."""
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        if values[:1].tolist() not in ([0], [1]) or not np.isin(values[~pd.isna(values)], (0, 1)).all():
            return
        on = rows.wide(values)
        if not ((on == 0).any() and (on == 1).any()) or {0, 1} <= set(rows.times):
            return
        off = (np.diff(on, axis=1) < 0).any(axis=1)
        if off.any():
            raise UserError(
                "treatment_switches_off",
                column=str(column.name),
                unit=str(rows.units[np.argmax(off)]),
                n=int(off.sum()),
            )
        raise UserError("cohort_is_treatment", column=str(column.name), n=int((on == 1).any(axis=1).sum()))


def _dose(own: np.ndarray, labels: np.ndarray | None, name: str) -> np.ndarray:
    if labels is None:
        return np.array(_numeric(pd.Series(own), name), dtype=float)
    return _numeric(pd.Series(np.array([*labels, None], dtype=object)[own]), name)


def _signs(wide: dict[str, np.ndarray], weight: str | None, completeness: str | None) -> None:
    if weight is not None and (low := np.fmin.reduce(wide[weight], axis=None)) < 0:
        raise UserError("negative_weight", column=weight, value=float(low))
    if completeness is not None:
        share = wide[completeness]
        if np.nanmin(share) <= 0 or np.nanmax(share) > 1:
            raise UserError(
                "bad_completeness", column=completeness, low=float(np.nanmin(share)), high=float(np.nanmax(share))
            )


_REASONS = ("", "always_treated", "unbalanced", "missing", "case_without_exposure", "no_exposure")


def _reasons(
    wide: dict[str, np.ndarray],
    outcomes: Sequence[str],
    covariates: Sequence[str],
    exposure: str | None,
    start: np.ndarray,
    missing: str,
) -> np.ndarray:
    """(N,) why each unit leaves, an index into `_REASONS`, 0 for those that stay; the first reason that holds."""
    reasons = np.zeros(len(start), dtype=np.int8)

    def leave(reason: str, who: np.ndarray) -> None:
        reasons[(reasons == 0) & who] = _REASONS.index(reason)

    leave("always_treated", start == 0)
    holed = [name for name in (*outcomes, *covariates) if not np.isfinite(wide[name].sum())]
    if holed:
        absent: np.ndarray = np.isnan(wide[outcomes[0]])
        other: np.ndarray = np.zeros(absent.shape, dtype=bool)
        for name in holed:
            other |= np.isnan(wide[name])
        if missing == "drop_unit":
            leave("unbalanced", np.asarray(absent.any(axis=1)))
            leave("missing", np.asarray(other.any(axis=1)))
        leave("missing", (absent | other).all(axis=1))
    if exposure is not None:
        size = wide[exposure]
        wrong: np.ndarray = np.asarray((size <= 0) if missing == "keep" else ~(size > 0))
        if wrong.any():
            leave("case_without_exposure", np.asarray((wrong & (wide[outcomes[0]] > 0) & (size <= 0)).any(axis=1)))
            leave("no_exposure", np.asarray(wrong.any(axis=1)))
    return reasons


def _groups(
    own: np.ndarray, labels: np.ndarray | None, keep: np.ndarray, name: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes and names of the groups of the kept units, in order of first appearance; missing is an error."""
    inside = own if keep.all() else own[keep]
    codes, used = pd.factorize(inside if labels is None else np.where(inside < 0, np.nan, inside))
    if (codes < 0).any():
        raise UserError("missing_label", column=name, n=int((codes < 0).sum()))
    return codes, _names(np.asarray(used) if labels is None else labels[used.astype(int)])
