"""Intervals against published numbers and their definitions."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import pdtr, pdtrc

from evalkit import assess
from evalkit.assess.intervals import log_interval

GOLDEN = tomllib.loads((Path(__file__).parent.parent / "golden" / "assess" / "intervals.toml").read_text("utf-8"))


@pytest.mark.parametrize("row", GOLDEN["exact"], ids=lambda r: str(r["count"]))
def test_exact_poisson_equals_the_published_limits(row: dict) -> None:
    """Exact Poisson limits are those of the printed tables."""
    low, high = assess.exact_poisson(row["count"])
    assert float(low) == pytest.approx(row["low"], rel=1e-3, abs=5e-5)
    assert float(high) == pytest.approx(row["high"], rel=1e-3)


@pytest.mark.parametrize("row", GOLDEN["wilson"], ids=lambda r: f"{r['passed']}/{r['n']}")
def test_wilson_equals_the_published_limits(row: dict) -> None:
    """Wilson limits are those of Newcombe's table, to its four decimals."""
    low, high = assess.wilson(row["passed"], row["n"])
    assert float(low) == pytest.approx(row["low"], abs=5.1e-5)
    assert float(high) == pytest.approx(row["high"], abs=5.1e-5)


@given(st.integers(1, 5000), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
def test_exact_poisson_limits_leave_half_of_alpha_outside(count: int, level: float) -> None:
    """At each limit the count is just as extreme as the level says: the definition of the exact interval."""
    low, high = (float(v) for v in assess.exact_poisson(count, level))
    assert pdtrc(count - 1, low) == pytest.approx((1 - level) / 2, rel=1e-6)
    assert pdtr(count, high) == pytest.approx((1 - level) / 2, rel=1e-6)


@given(st.integers(5, 20_000))
def test_byar_stays_close_to_exact(count: int) -> None:
    """Byar's formula is within 1 % of the exact limits from five cases up."""
    for approximate, exact in zip(assess.byar(count), assess.exact_poisson(count)):
        assert float(approximate) == pytest.approx(float(exact), rel=0.01)


def test_byar_by_hand() -> None:
    """Ten cases: 10(1 − 1/90 − z/(3√10))³ and 11(1 − 1/99 + z/(3√11))³."""
    low, high = assess.byar(10)
    assert float(low) == pytest.approx(4.7874, abs=2e-3)
    assert float(high) == pytest.approx(18.392, abs=2e-3)


def test_rate_ratio_by_hand() -> None:
    """30 and 20 cases over equal exposure: 1.5 × exp(±1.96 √(1/30 + 1/20))."""
    ratio, low, high = assess.rate_ratio(30, 1000, 20, 1000)
    reach = 1.959963984540054 * math.sqrt(1 / 30 + 1 / 20)
    assert (float(ratio), float(low), float(high)) == pytest.approx(
        (1.5, 1.5 * math.exp(-reach), 1.5 * math.exp(reach))
    )


def test_year_variance_widens_with_its_own_degrees_of_freedom() -> None:
    """Where the year variance is all there is, the interval uses Student's t with its degrees of freedom."""
    low, high = log_interval(1.0, 0.0, year_variance=0.04, year_df=3)
    assert math.log(float(high)) == pytest.approx(3.182446305284263 * 0.2)
    assert float(low) == pytest.approx(1 / float(high))


def test_what_cannot_be_computed_is_missing() -> None:
    """No log-normal interval at zero cases, no proportion of nobody, no negative counts."""
    assert np.isnan(assess.rate_ratio(0, 10, 5, 10)[0])
    assert all(np.isnan(v) for v in assess.wilson(0, 0))
    with pytest.raises(ValueError, match="negative"):
        assess.exact_poisson([-1, 2])
    with pytest.raises(ValueError, match="between"):
        assess.wilson(3, 2)
