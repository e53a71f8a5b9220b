"""What prevention gives back: net present value and benefit-cost ratio of draws, and the time until it is earned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core import Flow, UserError
from .checks import numbers
from .discounting import Rate, Timing, discount_factor, when
from .intervals import RatioSet, fieller
from .ledger import Perspective, accounts, weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Returns:
    """Net present value (money) and benefit-cost ratio with central intervals at `level`.

    bcr      mean averted cost ÷ mean programme cost; bcr_low, bcr_high of the draws' ratios, None where a draw of the
             programme cost is nil
    bcr_set  Fieller's set of the ratio, right also where the programme cost is uncertain
    """

    npv: float
    npv_low: float
    npv_high: float
    npv_mc_error: float
    bcr: float | None
    bcr_low: float | None
    bcr_high: float | None
    bcr_set: RatioSet | None
    level: float


def returns(averted_cost: Any, programme_cost: Any, *, df: float | None = None, level: float = 0.95) -> Returns:
    """NPV and BCR of a programme from draws made elsewhere (`decide` makes them from an effect).

    averted_cost (n,) present money; programme_cost (n,) or one number ≥ 0, same prices; df of the inference for the
    Fieller set. NPV = averted − programme cost. The return on prevention of ISSA is the BCR of the employers.
    Raises UserError("unequal_draws") also with fewer than two, ("not_a_number"), ("negative_programme_cost"),
    ("level_outside").
    """
    saved, spent = numbers("averted_cost", averted_cost), numbers("programme_cost", programme_cost)
    if saved.ndim != 1 or saved.size < 2 or spent.shape not in ((), saved.shape):
        raise UserError("unequal_draws", found=f"{saved.shape}; {spent.shape}", n=saved.size)
    spent = np.broadcast_to(spent, saved.shape)
    if not (spent >= 0).all():
        raise UserError("negative_programme_cost", found=float(spent.min()))
    v, mean = np.cov(saved, spent), float(spent.mean())
    ratio = fieller(
        float(saved.mean()), mean, float(v[0, 0]), float(v[1, 1]), float(v[0, 1]), df=df, level=level
    )  # fmt: skip
    tails = [(1 - level) / 2, (1 + level) / 2]
    low, high = np.quantile(saved - spent, tails)
    ends = np.quantile(saved / spent, tails) if (spent > 0).all() else (None, None)
    return Returns(
        npv=float((saved - spent).mean()),
        npv_low=float(low),
        npv_high=float(high),
        npv_mc_error=float((saved - spent).std() / np.sqrt(len(saved))),
        bcr=float(saved.mean()) / mean if mean > 0 else None,
        bcr_low=None if ends[0] is None else float(ends[0]),
        bcr_high=None if ends[1] is None else float(ends[1]),
        bcr_set=ratio if mean > 0 else None,
        level=level,
    )


def payback(
    flows: Iterable[Flow], perspective: Perspective, *, rate: Rate | None = None, timing: Timing = "mid"
) -> float | None:
    """Years from the first flow until discounted savings have made up for what was spent, for good.

    flows of programme and averted costs; rate, timing as in `discount_factor` (rate 0: the plain payback time).
    Between two dates the balance is taken to move in a straight line. 0 where nothing was ever spent net; None where
    the money does not come back within the flows. Raises UserError("unknown_perspective") and as `accounts`.
    """
    frame = accounts(flows)
    weight("fund", "worker", True, perspective)
    if frame.empty:
        return None
    date = when(frame["year"].to_numpy(dtype=float), timing)
    start = float(date.min())
    worth = -frame[perspective].to_numpy(dtype=float) * discount_factor(date, start, rate, timing="start")
    dates, place = np.unique(date, return_inverse=True)
    balance = np.cumsum(np.bincount(place, worth))
    short = np.flatnonzero(balance < -1e-9 * np.abs(worth).sum())
    if not len(short):
        return 0.0
    last = int(short[-1])
    if last == len(balance) - 1:
        return None
    part = -balance[last] / (balance[last + 1] - balance[last])
    return float(dates[last] + part * (dates[last + 1] - dates[last]) - start)
