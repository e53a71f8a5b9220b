"""Dated cash flows and what they come to for each party.

A flow goes from a payer to a payee. "provider" (hospital, trainer, the market for labour) stands outside the parties:
what it receives is the price of a resource used up. A transfer moves money between parties and uses nothing, so it
cancels for society, whose account is the sum of the accounts of fund, employer, worker and the public.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from ..core import Flow, UserError
from . import prices
from .checks import numbers, one_of
from .discounting import Rate, Timing, discount_factor

Perspective = Literal["fund", "employer", "worker", "society"]
PERSPECTIVES: tuple[Perspective, ...] = ("fund", "employer", "worker", "society")
PARTIES = (*PERSPECTIVES, "provider")


def weight(payer: str, payee: str, transfer: bool, perspective: str) -> float:
    """How one yuan of such a flow counts as cost for `perspective`: 1 it pays, −1 it receives, 0 not its business.

    Society: 1 for resources, whoever pays, 0 for transfers.
    Raises UserError("unknown_perspective"), UserError("transfer_outside") for a transfer to or from a provider.
    """
    if perspective not in PERSPECTIVES:
        raise UserError("unknown_perspective", found=perspective, known=", ".join(PERSPECTIVES))
    if transfer and "provider" in (payer, payee):
        raise UserError("transfer_outside", payer=payer, payee=payee)
    if perspective == "society":
        return float(payer != "provider") - float(payee != "provider")
    return float(payer == perspective) - float(payee == perspective)


def accounts(flows: Iterable[Flow]) -> pd.DataFrame:
    """The flows as a frame, one row each, with a column of signed cost per perspective (averted flows count minus).

    Raises UserError("mixed_prices") where currencies or price years differ, UserError("negative_flow") for an amount
    below zero, naming item, unit and row, ("not_a_number") for an amount or year that is none, ("choice_unknown") for a
    party that is none.
    """
    rows = list(flows)
    amounts, _ = (numbers(name, [getattr(f, name) for f in rows]) for name in ("amount", "year"))
    for row, (flow, amount) in enumerate(zip(rows, amounts), 1):
        for side in (flow.payer, flow.payee):
            one_of(f"{flow.item}, {row}", side, PARTIES)
        if amount < 0:
            unit = f"{flow.currency} {flow.price_year}"
            raise UserError("negative_flow", item=flow.item, amount=float(amount), unit=unit, row=row)
    found = sorted({f"{f.currency} {f.price_year}" for f in rows})
    if len(found) > 1:
        raise UserError("mixed_prices", found=", ".join(found))
    columns = list(Flow.__dataclass_fields__)
    frame = pd.DataFrame([[getattr(f, c) for c in columns] for f in rows], columns=columns)
    for perspective in PERSPECTIVES:
        sign = [(-1 if f.averted else 1) * weight(f.payer, f.payee, f.transfer, perspective) for f in rows]
        frame[perspective] = np.asarray(sign, dtype=float) * amounts
    return frame


def net(flows: Iterable[Flow], perspective: Perspective) -> pd.Series:
    """Net cost in yuan by calendar year for one perspective, undiscounted, in the flows' own price year.

    Negative in years in which more is saved than spent. Raises UserError("unknown_perspective") and whatever `accounts`
    raises. Not a present value: use `present_value` to add years up.
    """
    frame = accounts(flows)
    weight("fund", "worker", True, perspective)
    return frame.groupby(np.floor(frame["year"].astype(float)).astype(int))[perspective].sum()


def present_value(
    flows: Iterable[Flow], perspective: Perspective, *, base: float, rate: Rate | None = None, timing: Timing = "mid"
) -> float:
    """Net cost in yuan at the start of year `base`: Σ sign × amount × discount factor.

    `rate` and `timing` as in `discount_factor`; at rate 0 it is the plain sum. Negative where more is saved than spent.
    Raises UserError("unknown_perspective") and whatever `accounts` raises.
    """
    frame = accounts(flows)
    weight("fund", "worker", True, perspective)
    factors = discount_factor(frame["year"].to_numpy(dtype=float), base, rate, timing=timing)
    return float(frame[perspective].to_numpy(dtype=float) @ factors)


def in_prices(flows: Iterable[Flow], price_year: int) -> tuple[Flow, ...]:
    """The same flows in yuan of `price_year`, by the consumer price index (`inflate`): dates and parties unchanged.

    Raises UserError("year_outside_prices"), ("mixed_prices") for another currency: `convert` it first. Not for benefits
    indexed by law.
    """
    flows = tuple(flows)
    if foreign := sorted({f.currency for f in flows} - {"CNY"}):
        raise UserError("mixed_prices", found=f"CNY {price_year}, {', '.join(foreign)}")
    return tuple(
        replace(f, amount=float(prices.inflate(f.amount, f.price_year, price_year)), price_year=price_year)
        for f in flows
    )


def programme_flows(
    cost: float, year: float, *, price_year: int, person_hours: float = 0.0, hourly_wage: float = 0.0
) -> tuple[Flow, ...]:
    """What a training project costs: money of the fund, and the participants' paid working time.

    Parameters
        cost          yuan paid by the fund, in prices of `price_year`;  year  when (2023.5 = mid-2023)
        person_hours  working hours spent in training;  hourly_wage  yuan an hour (monthly wage ÷ 174)
    Returns one or two flows. The time is a cost of the employer and of society, never of the fund.
    """
    flows = [
        Flow(
            year=year, amount=cost, item="programme", payer="fund", payee="provider", category="programme",
            price_year=price_year,
        )
    ]  # fmt: skip
    if person_hours > 0:
        flows.append(
            Flow(
                year=year, amount=person_hours * hourly_wage, item="participant_time", payer="employer",
                payee="provider", category="wage", price_year=price_year,
            )
        )  # fmt: skip
    return tuple(flows)


def by_payer(flows: Sequence[Flow]) -> pd.DataFrame:
    """The impact inventory of a set of flows: signed yuan by category and item (rows) and perspective (columns).

    Positive = cost, negative = saving; undiscounted. Raises whatever `accounts` raises.
    """
    return accounts(flows).groupby(["category", "item"], sort=False)[list(PERSPECTIVES)].sum().reset_index()
