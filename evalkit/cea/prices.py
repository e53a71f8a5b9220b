"""Prices: real and nominal kept apart by the price year, currencies by the dated rate."""

from __future__ import annotations

from typing import Any, Literal

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
        if not first <= year <= last or year != int(year):
            raise UserError("year_outside_prices", series=series, year=year, first=first, last=last)
    low, high = sorted((from_year, to_year))
    factor = float(np.prod([index[y] / 100 for y in range(int(low) + 1, int(high) + 1)]))
    return amount * factor if to_year >= from_year else amount / factor


def convert(
    amount: Any, from_currency: str, to_currency: str, year: int, *, by: Literal["rate", "ppp"] = "rate"
) -> Any:
    """Money in another currency: by the annual mean rate of `year`, or by purchasing power of that year.

    Parameters
        amount  a number or an array;  currencies "CNY", "HKD" or "MOP"
        by      "rate": market rate, MOP through its peg to the HKD (1.03), for what was paid across the border;
                "ppp": conversion factors of household consumption, to compare costs between places
    Raises UserError("unknown_currency"), ("unknown_conversion"), ("no_parameter_for_date") outside the series: neither
    is ever extrapolated. Convert first, then inflate in the target currency.
    """
    if by not in ("rate", "ppp"):
        raise UserError("unknown_conversion", found=by, known="rate, ppp")
    known = ("CNY", "HKD", "MOP")
    for currency in (from_currency, to_currency):
        if currency not in known:
            raise UserError("unknown_currency", currency=currency, known=", ".join(known))
    if from_currency == to_currency:
        return amount
    if by == "ppp":
        return amount * parameter(f"ppp.{to_currency}", year).value / parameter(f"ppp.{from_currency}", year).value
    return amount * _in_yuan(from_currency, year) / _in_yuan(to_currency, year)


def _in_yuan(currency: str, year: int) -> float:
    if currency == "CNY":
        return 1.0
    rate = parameter("fx.HKD", year).value
    return rate if currency == "HKD" else rate / parameter("peg.MOP_per_HKD", year).value


def _index(series: str) -> dict[int, float]:
    parameter(series)
    rows = table("cpi")
    rows = rows[rows.name == series]
    return dict(zip(rows.valid_from.str[:4].astype(int), rows.value.astype(float)))
