"""What a programme means for the fund year by year: the legal cap, the balance, the levy rate."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..core import UserError
from .checks import within

TINY = float(np.finfo(float).tiny)


def budget_impact(
    spending: Mapping[int, float],
    saving: Mapping[int, float],
    levy: Mapping[int, float],
    *,
    cap: float,
    payroll: Mapping[int, float] | None = None,
    balance: float = 0.0,
) -> pd.DataFrame:
    """Prevention spending against its cap, and the path of the fund with the programme.

    Parameters
        spending, saving  yuan by year: prevention paid, benefits not paid (cash of that year, nominal)
        levy     yuan by year; the cap of a year is `cap` (a fraction) × the levy of the year before, so the year before
                 the first must be there
        payroll  insured payroll by year, for the levy-rate equivalent;  balance  yuan before the first year
    Returns one row a year: year, spending, cap, room (yuan left), share (of the year before's levy), within (bool),
    saving, net (saving − spending), balance (cumulated), rate_equivalent (net ÷ payroll, a fraction).
    Raises UserError("levy_missing") naming the years, ("value_outside"), ("not_a_number") naming what and the year.
    Cash, not present value: pensions saved fall in later years.
    """
    cap = within("cap", cap, 0.0, 1.0)
    spending, levy, wages = (
        _by_year("spending", spending, 0.0), _by_year("levy", levy, TINY), _by_year("payroll", payroll or {}, TINY),
    )  # fmt: skip
    saving = _by_year("saving", saving, -np.inf)
    years = sorted(set(spending) | set(saving))
    missing = [y - 1 for y in years if y - 1 not in levy]
    if missing:
        raise UserError("levy_missing", years=", ".join(map(str, missing)))
    rows = []
    for year in years:
        spent, saved = spending.get(year, 0.0), saving.get(year, 0.0)
        limit = cap * levy[year - 1]
        balance += saved - spent
        base = wages.get(year)
        rows.append(
            {
                "year": year,
                "spending": spent,
                "cap": limit,
                "room": limit - spent,
                "share": spent / levy[year - 1],
                "within": spent <= limit,
                "saving": saved,
                "net": saved - spent,
                "balance": balance,
                "rate_equivalent": None if base is None else (saved - spent) / base,
            }
        )
    return pd.DataFrame(rows)


def _by_year(name: str, given: Mapping[int, float], low: float) -> dict[int, float]:
    """Finite yuan by year, from `low` up."""
    return {int(year): within(f"{name} {year}", amount, low) for year, amount in dict(given).items()}
