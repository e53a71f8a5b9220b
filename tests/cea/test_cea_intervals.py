"""Fieller sets, dominance words."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import cea
from evalkit.cea.intervals import critical
from evalkit.core import UserError

GOLDEN = Path(__file__).parent.parent / "golden" / "cea"
CASES = list(csv.DictReader((GOLDEN / "fieller_cases.csv").open()))
NAMES = {"finite": "interval", "complement": "complement", "whole_line": "whole_line"}


def solved(row: dict[str, str], **changes: float) -> cea.RatioSet:
    v = {k: float(row[k]) for k in ("dC", "dE", "seC", "seE", "rho")} | changes
    cov = v["rho"] * v["seC"] * v["seE"]
    df = float(row["df"]) if row["df"] else None
    return cea.fieller(v["dC"], v["dE"], v["seC"] ** 2, v["seE"] ** 2, cov, df=df)


@pytest.mark.parametrize("row", CASES, ids=lambda r: r["case"])
def test_fieller_golden_cases(row: dict[str, str]) -> None:
    """Type and limits of the set agree with the independent solution of the quadratic."""
    found = solved(row)
    assert found.type == NAMES[row["type"]]
    if found.type == "whole_line":
        assert found.low is None and found.high is None
    else:
        assert (found.low, found.high) == pytest.approx((float(row["root_low"]), float(row["root_high"])), rel=1e-9)


@given(
    st.floats(-1e6, 1e6), st.floats(-50, 50), st.floats(1, 1e6), st.floats(0.1, 50), st.floats(-0.99, 0.99)
)  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_the_set_is_an_interval_exactly_where_the_effect_is_significant(
    dc: float, de: float, sc: float, se: float, rho: float
) -> None:
    """Finite if and only if |ΔE| / se > z, and its points are those whose net benefit is not significant."""
    found = cea.fieller(dc, de, sc**2, se**2, rho * sc * se)
    z = critical(0.95)
    assert (found.type == "interval") == (abs(de) / se > z)
    for ratio in np.linspace(-3, 3, 7) * (abs(dc) + sc) / max(abs(de), se):
        sd = math.sqrt(max(sc**2 - 2 * ratio * rho * sc * se + ratio**2 * se**2, 0))
        gap = abs(dc - ratio * de) - z * sd
        if abs(gap) > 1e-6 * (abs(dc) + sc):
            assert found.contains(ratio) == (gap < 0)


def test_money_in_another_currency_scales_the_set() -> None:
    """Fieller limits scale with the currency and keep their type."""
    row = CASES[0]
    yuan, other = solved(row), solved(row, dC=float(row["dC"]) / 1.1, seC=float(row["seC"]) / 1.1)
    assert other.type == yuan.type and other.high == pytest.approx(yuan.high / 1.1)  # type: ignore[operator]


def test_an_effect_exactly_on_the_edge_gives_a_half_line() -> None:
    """Where ΔE equals its critical value the set has one finite limit."""
    z = critical(0.95)
    found = cea.fieller(1.0, z, 1.0, 1.0, 0.0)
    assert found.type in ("interval", "complement") and found.contains(0.5)


def test_critical_values_are_students() -> None:
    """t with 5 df, the normal without."""
    assert critical(0.95, 5) == pytest.approx(2.570581835636314)
    assert critical(0.95) == critical(0.95, math.inf) == pytest.approx(1.959963984540054)


@pytest.mark.parametrize(
    ("inc_cost", "inc_effect", "word", "priced"),
    [
        (-5, 2, "dominant", False), (0, 2, "dominant", False), (5, -2, "dominated", False), (5, 0, "dominated", False),
        (6, 2, "cost_more_effect_more", True), (-6, -2, "cost_less_effect_less", False), (0, 0, "equal", False),
    ],
)  # fmt: skip
def test_only_more_for_more_has_a_price(inc_cost: float, inc_effect: float, word: str, priced: bool) -> None:
    """An ICER is a number in one quadrant only, so a negative one can never be printed."""
    assert cea.dominance(inc_cost, inc_effect) == word
    assert cea.icer(inc_cost, inc_effect) == (3.0 if priced else None)


def test_impossible_moments_are_refused() -> None:
    """A covariance larger than its variances, or a level of 95, is told."""
    with pytest.raises(UserError, match="covariance_outside"):
        cea.fieller(1, 1, 1, 1, 2)
    with pytest.raises(UserError, match="level_outside"):
        cea.fieller(1, 1, 1, 1, 0, level=95)
