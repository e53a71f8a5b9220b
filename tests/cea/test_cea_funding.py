"""Risk aversion, life years, budget, portfolio, pooling, exchange and the decision over a robust set."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import cea
from evalkit.core import Psa, UserError

GOLDEN = Path(__file__).parent.parent / "golden" / "cea"


def test_risk_aversion_equals_bcea(psa: Psa) -> None:
    """Expected incremental utility and EVPI at four rates; the smallest is the risk-neutral one."""
    for row in pd.read_csv(GOLDEN / "synthetic_bcea_riskaversion.csv").itertuples():
        found = cea.risk_averse(psa, [2e4], aversion=row.r, budget=1.0)
        train, inspect = found.expected["train"][0], found.expected["inspect"][0]
        tolerance = 1e-4 if row.r < 1e-9 else 1e-9
        np.testing.assert_allclose(
            [found.evpi[0], inspect, inspect - train], [row.EVPI_20000, row.X1, row.X2], tolerance
        )
    neutral = cea.risk_averse(psa, [2e4], aversion=0.0, budget=1.0)
    assert neutral.evpi[0] == pytest.approx(cea.evpi(psa, [2e4]).values["evpi"][0])


def test_risk_aversion_scales_with_the_budget(psa: Psa) -> None:
    """Ten times the budget at the same aversion is a tenth of the rate."""
    assert cea.risk_averse(psa, [2e4], aversion=1.0, budget=1e7).rate == 1e-7
    with pytest.raises(UserError, match="aversion_outside"):
        cea.risk_averse(psa, [2e4], aversion=1.0, budget=0.0)


@pytest.mark.parametrize("row", list(pd.read_csv(GOLDEN / "daly_yll_cases.csv").itertuples()), ids=str)
def test_years_lost_equal_the_published_formula(row) -> None:
    """Closed form with and without age weights."""
    assert cea.years_lost(row.age, row.L, rate=row.r, age_weight=row.K) == pytest.approx(row.YLL_formula, rel=1e-12)


def test_daly_adds_death_and_disability() -> None:
    """Without discounting: 2 deaths × 30 years + 4 cases × 0.5 × 10 years."""
    found = cea.daly(deaths=2, age=45, life_expectancy=30, disabled=4, disability_weight=0.5, duration=10, rate=0.0)
    assert found == {"yll": 60.0, "yld": 20.0, "daly": 80.0}
    with pytest.raises(UserError, match="disability_weight_outside"):
        cea.daly(age=45, life_expectancy=30, disabled=1, disability_weight=1.5)


def test_budget_against_the_cap_of_the_year_before() -> None:
    """3 % of last year's levy; balance cumulates; net saving as a share of payroll."""
    found = cea.budget_impact(
        {2022: 20.0, 2023: 40.0},
        {2023: 70.0},
        {2021: 1000.0, 2022: 1000.0},
        cap=0.03,
        payroll={2023: 3000.0},
        balance=5,
    )
    assert found.within.tolist() == [True, False] and found.room.tolist() == [10.0, -10.0]
    assert found.balance.tolist() == [-15.0, 15.0]
    assert found.rate_equivalent.iloc[1] == pytest.approx(0.01) and pd.isna(found.rate_equivalent.iloc[0])
    with pytest.raises(UserError, match="levy_missing"):
        cea.budget_impact({2021: 1.0}, {}, {2021: 1.0}, cap=0.03)


@settings(max_examples=40, deadline=None)
@given(
    value=st.lists(st.floats(-5, 10), min_size=4, max_size=6),
    size=st.lists(st.integers(0, 100), min_size=6, max_size=6),
)
def test_portfolio_equals_brute_force(value: list[float], size: list[int]) -> None:
    """The chosen set saves as much as the best of all sets within the budget."""
    cost = np.array(size[: len(value)], dtype=float)
    saving = np.array([value, value])
    found = cea.portfolio([str(i) for i in range(len(value))], saving, cost, budget=100.0)
    sets = [np.array(s) for s in product([0, 1], repeat=len(value))]
    best = max(float(s @ saving[0]) for s in sets if s @ cost <= 100.0)
    assert found.value == pytest.approx(best, abs=1e-9) and found.spent <= 100.0
    assert found.expected_loss == pytest.approx(0.0, abs=1e-9)


def test_portfolio_loss_is_what_the_best_of_each_draw_would_add() -> None:
    """Two projects of which one fits, each better in half of the draws by one: the loss is a half."""
    saving = np.array([[2.0, 1.0], [1.0, 2.0 - 1e-9]])
    found = cea.portfolio(["a", "b"], saving, [60.0, 60.0], budget=100.0)
    assert found.chosen == (True, False) and found.expected_loss == pytest.approx(0.5)
    np.testing.assert_allclose(found.chosen_share, [0.5, 0.5])


def test_pooling_shrinks_noisy_places_most() -> None:
    """Posterior means lie between raw and centre; the noisier the estimate, the nearer the centre."""
    found = cea.pool(["a", "b", "c"], [-0.6, -0.6, 0.1], [0.5, 0.05, 0.1])
    assert found.raw[0] < found.mean[1] < found.mean[0] < 0.1
    assert (found.sd < found.std_error).all()
    assert found.rank.sum() == pytest.approx(6.0)


def test_pooling_covers_known_effects() -> None:
    """Effects drawn from the model itself are inside 95 % intervals 93-97 % of the time (3,000 intervals)."""
    rng = np.random.default_rng(11)
    inside = []
    for seed in range(300):
        m, tau = rng.normal(-0.05, 0.15), abs(rng.normal(0, 0.15))
        s = rng.uniform(0.03, 0.3, 10)
        theta = rng.normal(m, tau, 10)
        found = cea.pool([str(i) for i in range(10)], rng.normal(theta, s), s, n=1_000, seed=seed)
        inside.append((found.low <= theta) & (theta <= found.high))
    assert 0.93 < np.mean(inside) < 0.97


def test_exchange_form_round_trip(psa: Psa, tmp_path: Path) -> None:
    """Numbers, names and the order of strategies come back; swapped columns are matched by name."""
    cea.write_psa(psa, tmp_path)
    effects = pd.read_csv(tmp_path / "effects.csv")
    effects[effects.columns[::-1]].to_csv(tmp_path / "effects.csv", index=False, float_format="%.17g")
    back = cea.read_psa(tmp_path, comparator="none")
    assert back.strategies == psa.strategies and back.parameter_names == psa.parameter_names
    for name in ("cost", "effect", "parameters"):
        np.testing.assert_array_equal(getattr(back, name), getattr(psa, name))
    (tmp_path / "costs.csv").unlink()
    with pytest.raises(UserError, match="exchange_missing"):
        cea.read_psa(tmp_path, comparator="none")
