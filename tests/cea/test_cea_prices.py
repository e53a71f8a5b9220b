"""Price years, currencies, discounting, annuities."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit import cea
from evalkit.cea.discounting import paid_share
from evalkit.core import UserError


def test_inflation_chains_the_index() -> None:
    """Prices of 2020 in prices of 2023 multiply the three indices between."""
    assert cea.inflate(100.0, 2020, 2023) == pytest.approx(100 * 1.008 * 1.022 * 1.004)
    assert cea.inflate(cea.inflate(100.0, 2016, 2024), 2024, 2016) == pytest.approx(100)
    assert cea.price_years() == (2014, 2024)


@pytest.mark.parametrize("years", [(2013, 2020), (2020, 2025)])
def test_prices_are_never_extrapolated(years: tuple[int, int]) -> None:
    """A year outside the series is the user's to mend."""
    with pytest.raises(UserError, match="year_outside_prices"):
        cea.inflate(1.0, *years)


def test_currencies_follow_the_dated_rate_and_the_peg() -> None:
    """100 MOP of 2023 are 87.38 yuan, and conversion there and back is nothing."""
    assert cea.convert(100.0, "MOP", "CNY", 2023) == pytest.approx(87.38, abs=0.005)
    assert cea.convert(cea.convert(5.0, "CNY", "HKD", 2020), "HKD", "CNY", 2020) == pytest.approx(5.0)
    with pytest.raises(UserError, match="unknown_currency"):
        cea.convert(1.0, "USD", "CNY", 2023)


def test_a_schedule_of_equal_rates_is_one_rate() -> None:
    """A schedule that never changes discounts like a single rate, before and after its first year."""
    years = np.array([2019, 2023, 2030.25])
    np.testing.assert_allclose(
        cea.discount_factor(years, 2021, {2020: 0.05, 2025: 0.05}), cea.discount_factor(years, 2021, 0.05), rtol=1e-12
    )


def test_a_schedule_that_changes_multiplies_its_pieces() -> None:
    """Two years at 5 % and one at 3 %."""
    found = cea.discount_factor(2026, 2023, {2020: 0.05, 2025: 0.03}, timing="start")
    assert found == pytest.approx(1.05**-2 * 1.03**-1)


def test_timing_moves_whole_years_only() -> None:
    """A calendar year is placed by the timing; a date is taken as it is."""
    assert cea.discount_factor(2024, 2023, 0.05, timing="mid") == pytest.approx(1.05**-1.5)
    assert cea.discount_factor(2024, 2023, 0.05, timing="end") == pytest.approx(1.05**-2)
    assert cea.discount_factor(2024.25, 2023, 0.05, timing="end") == pytest.approx(1.05**-1.25)


@pytest.mark.parametrize("rate", [0.03, 0.05, 0.08])
@pytest.mark.parametrize("years", [1, 7, 30])
def test_annuity_is_the_textbook_formula(years: int, rate: float) -> None:
    """a(n, r) = (1 − (1+r)^−n)/r; with growth, the growing annuity; n/(1+r) where growth equals the rate."""
    assert cea.annuity(years, rate) == pytest.approx((1 - (1 + rate) ** -years) / rate)
    growth = 0.02
    expected = (1 - ((1 + growth) / (1 + rate)) ** years) / (rate - growth)
    assert cea.annuity(years, rate, growth) == pytest.approx(expected)
    assert cea.annuity(years, rate, rate) == pytest.approx(years / (1 + rate))
    assert cea.annuity(years, 0.0) == pytest.approx(years)


def test_part_years_pay_their_part() -> None:
    """Two and a half years without discounting pay two and a half."""
    assert cea.annuity(2.5, 0.0) == pytest.approx(2.5)
    np.testing.assert_allclose(paid_share(0.5, 2.25, 4), [0.5, 1, 0.25, 0])


def test_life_annuity_at_rate_zero_is_life_expectancy() -> None:
    """Undiscounted, one a year for life comes to the expected years left; survival starts at one and falls."""
    mode, scale = 83.4, 9.4
    fine = np.arange(0, 70, 0.001)
    left = float(cea.survival(fine, 40, mode, scale).sum() * 0.001)
    assert cea.life_annuity(40, 0.0, mode=mode, scale=scale) == pytest.approx(left, rel=1e-3)
    assert cea.survival(0, 40, mode, scale) == 1.0
    assert cea.life_annuity(40, 0.05, mode=mode, scale=scale) < cea.annuity(left, 0.05, timing="mid")


@pytest.mark.parametrize("rate", [-1.0, 1.5, 5.0])
def test_a_rate_in_per_cent_is_refused(rate: float) -> None:
    """5 instead of 0.05 is told, not used."""
    with pytest.raises(UserError, match="rate_outside"):
        cea.discount_factor(2024, 2023, rate)
