"""Prices: real and nominal kept apart by the price year, currencies by the dated rate."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import UserError
from ..sources import default, parameter, table


def price_years(series: str | None = None) -> tuple[int, int]:
    """First and last price year that `series` can convert between (first includes the year before its first index).

    Raises UserError("unknown_draw") for a series that is not there.
    """
    series = series or default("price_index")
    index = _index(series)
    return min(index) - 1, max(index)


def inflate(amount: Any, from_year: int, to_year: int, *, series: str | None = None) -> Any:
    """Money of `from_year` in prices of `to_year`: amount × Π index/100 over the years between.

    Parameters
        amount              yuan, a number or an array
        from_year, to_year  calendar years; going back divides
        series              name of a chained index with previous year = 100; the default of `sources` without one
    Raises UserError("year_outside_prices") outside the series: prices are never extrapolated.
    Not for wages or benefits that are indexed by law: use their own dated rows.
    """
    series = series or default("price_index")
    index = _index(series)
    first, last = min(index) - 1, max(index)
    for year in (from_year, to_year):
        if not first <= year <= last:
            raise UserError("year_outside_prices", series=series, year=year, first=first, last=last)
    low, high = sorted((from_year, to_year))
    factor = float(np.prod([index[y] / 100 for y in range(low + 1, high + 1)]))
    return amount * factor if to_year >= from_year else amount / factor


def convert(amount: Any, from_currency: str, to_currency: str, year: int) -> Any:
    """Money in another currency at the annual mean rate of `year`; MOP through its peg to the HKD (1.03).

    Parameters
        amount  a number or an array;  currencies "CNY", "HKD" or "MOP"
    Raises UserError("unknown_currency"), UserError("no_parameter_for_date") outside the series.
    Convert first, then inflate in the target currency. Not a purchasing power parity.
    """
    return amount * _in_yuan(from_currency, year) / _in_yuan(to_currency, year)


def _in_yuan(currency: str, year: int) -> float:
    if currency == "CNY":
        return 1.0
    if currency == "HKD":
        return parameter("fx.HKD", year).value
    if currency == "MOP":
        return parameter("fx.HKD", year).value / parameter("peg.MOP_per_HKD", year).value
    raise UserError("unknown_currency", currency=currency, known="CNY, HKD, MOP")


def _index(series: str) -> dict[int, float]:
    parameter(series)
    rows = table("cpi")
    rows = rows[rows.name == series]
    return dict(zip(rows.valid_from.str[:4].astype(int), rows.value.astype(float)))
