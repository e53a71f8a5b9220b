"""Route B beside route A: the parts of the gap add up, and with certain amounts the two are one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import cea, did
from evalkit.core import Design, EffectPath, Panel, UserError
from evalkit.data import sample

WINDOW = 1.25
STRATA = ("ungraded", "g7_10", "g5_6", "g1_4", "death")


@pytest.fixture(scope="module")
def cash() -> dict[str, float]:
    """Cash of one injury in the first fifteen months, by severity."""
    return cea.cash_in_window(cea.schedule("2024-12-31", price_year=2024), WINDOW)


@pytest.fixture(scope="module")
def costs() -> cea.UnitCosts:
    return cea.unit_costs(cea.schedule("2024-12-31", price_year=2024), n=2_000, seed=1)


def averted_yuan(panel: Panel, yuan: np.ndarray, design: Design) -> EffectPath:
    paying = replace(panel, outcomes={"paid": yuan}, outcome_unit="yuan")
    return did.inference(did.ppml(paying, replace(design, outcomes=("paid",))).averted(), paying)


def test_a_long_window_is_a_lifetime_without_discounting() -> None:
    """Cash over 75 years is the unit cost at a rate of nil; none is paid in no time; more time never pays less."""
    plan = cea.schedule("2024-12-31", price_year=2024)
    undiscounted = cea.unit_costs(plan, n=2_000, seed=1, discount=0.0)
    whole = cea.cash_in_window(plan, 75)
    means = undiscounted.of("fund", STRATA).mean(axis=0)
    np.testing.assert_allclose([whole[s] for s in STRATA], means, rtol=1e-9)
    paths = np.array([[cea.cash_in_window(plan, y)[s] for s in STRATA] for y in (0.5, 1.25, 3, 10, 75)])
    assert (np.diff(paths, axis=0) >= 0).all()
    with pytest.raises(UserError, match="negative_years"):
        cea.cash_in_window(plan, -1)


def test_the_window_counts_dated_flows() -> None:
    """Cash of a grade in the window is the sum of its dated flows until then, at central values."""
    plan = cea.schedule("2024-12-31", price_year=2024)
    central = {n: replace(p, distribution="fixed") for n, p in plan.parameters.items()}
    fixed = cea.schedule("2024-12-31", price_year=2024, overrides=central)
    lump = [f for f in cea.benefit_flows(fixed, "9", 0.0) if f.payer == "fund" and f.year in (0.0,)]
    assert cea.cash_in_window(fixed, 1e-6, n=2, severity={"9": "g"})["g"] == pytest.approx(sum(f.amount for f in lump))


def test_with_one_certain_amount_the_two_routes_are_one(cash: dict[str, float], costs: cea.UnitCosts) -> None:
    """One severity that always pays the scheduled cash: B is A's cash in the window, nothing is left."""
    panel, _ = sample.simulate_project(3, "effect")
    panel = replace(panel, outcomes={"avertable.g7_10": panel.outcomes["avertable.g7_10"]})
    design = Design(seed=3, outcomes=("avertable.g7_10",))
    draws = cea.averted_draws(did.ppml(panel, design), 2_000, 3)
    paid = averted_yuan(panel, cash["g7_10"] * panel.outcomes["avertable.g7_10"], design)
    gap = cea.compare_routes(paid, draws, costs, cash)
    assert gap.paid == pytest.approx(gap.window, rel=1e-6)
    assert abs(gap.noise) < 1e-6 * abs(gap.window)
    assert (gap.mix, gap.amounts, gap.within) == (0.0, 0.0, True)


def test_the_parts_add_up(cash: dict[str, float], costs: cea.UnitCosts) -> None:
    """Lifetime, timing, mix, amounts and noise come to route B, whatever was observed, pooled or capped."""
    panel, _ = sample.simulate_project(5, "effect")
    design = Design(seed=5, outcomes=("avertable", "avertable.ungraded", "avertable.g7_10"))
    draws = cea.averted_draws(did.ppml(panel, design), 2_000, 5, expected={"g1_4": 3.0})
    paid = averted_yuan(panel, 2e4 * panel.outcomes["avertable"], design)
    gap = cea.compare_routes(
        paid, draws, costs, cash, observed={"g7_10": 5e4}, pooled={"g1_4": 0.2, "g7_10": 99.0}, tail=1_234.5
    )
    assert gap.lifetime + gap.timing + gap.mix + gap.amounts + gap.noise == pytest.approx(gap.paid)
    assert gap.paid == pytest.approx(paid.effects()[0].estimate + 1_234.5)
    assert gap.mix == pytest.approx(0.2 * cash["g1_4"])
    assert gap.conf_low < gap.paid < gap.conf_high
    with pytest.raises(UserError, match="one_row_needed"):
        cea.compare_routes(did.ppml(panel, design), draws, costs, cash)


def test_route_b_is_right_on_average_on_the_known_truth(cash: dict[str, float]) -> None:
    """Over simulated projects with random payments B's estimate centres on the cash truly averted, and its intervals
    hold it as a rule."""
    centre = np.array([cash[s] for s in STRATA])
    errors, held, spread = [], 0, []
    seeds = range(40, 64)
    for seed in seeds:
        panel, truth = sample.simulate_project(seed, "effect")
        rng = np.random.default_rng(seed)
        counts = [panel.outcomes[f"avertable.{s}"] for s in STRATA]
        shape = 2.0  # gamma payments: standard deviation 71 % of the mean
        yuan = sum(rng.gamma(shape * c + 1e-12) / shape * m for c, m in zip(counts, centre))
        row = averted_yuan(panel, yuan, Design(seed=seed)).effects()[0]
        true = sum(truth["by_severity"][s]["averted"] * cash[s] for s in STRATA)
        errors.append(row.estimate - true)
        spread.append(row.std_error)
        held += row.conf_low <= true <= row.conf_high
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(len(errors))
    assert held >= 0.8 * len(seeds)
    assert np.std(errors) < 2 * np.median(spread)
