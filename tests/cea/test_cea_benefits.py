"""The benefit schedule and its present value."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit import cea, sources
from evalkit.cea.benefits import GRADES
from evalkit.core import Parameter, UserError

PLAIN = {"own_wage": 8000.0, "pension_growth": 0.0}
LUMP_SUMS = {
    2016: 623_900, 2017: 672_320, 2018: 727_920, 2019: 785_020, 2020: 847_180,
    2021: 876_680, 2022: 948_240, 2023: 985_660, 2024: 1_036_420, 2025: 1_083_760,
}  # fmt: skip


@pytest.mark.parametrize(("year", "amount"), LUMP_SUMS.items())
def test_death_lump_sum_is_twenty_times_last_years_income(year: int, amount: float) -> None:
    """One-off death grants of 2016-2025 as published (Regulation, article 39)."""
    rule = sources.table("benefits").query("item == 'death_grant'").iloc[0]
    assert rule.value * sources.parameter("disposable_income_urban", year - 1).value == amount


def test_the_schedule_pays_the_lump_sum_of_its_year() -> None:
    """The flow of a death in 2024 carries the published amount."""
    grant = [f for f in cea.benefit_flows(cea.schedule(2024), "death", 2024.5) if f.item == "death_grant"]
    assert [f.amount for f in grant] == [pytest.approx(1_036_420)]


@pytest.mark.parametrize(
    ("grade", "months"),
    list(zip(["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"], (27, 25, 23, 21, 18, 16, 13, 11, 9, 7))),
)
def test_disability_grants_are_months_of_own_wage(grade: str, months: int) -> None:
    """Articles 35-37: 27 to 7 months of the person's own wage."""
    plan = cea.schedule(2024, overrides=PLAIN)
    grant = [f.amount for f in cea.benefit_flows(plan, grade, 2024.5) if f.item == "disability_grant"]
    assert grant == [pytest.approx(8000 * months)]


@pytest.mark.parametrize(("wage", "counted"), [(2000.0, 0.6 * 9167), (90_000.0, 3 * 9167), (8000.0, 8000.0)])
def test_own_wage_is_kept_within_60_and_300_per_cent(wage: float, counted: float) -> None:
    """Article 64 clamps the wage that counts to the pool wage in force."""
    plan = cea.schedule(2024, overrides={"own_wage": wage})
    grant = [f.amount for f in cea.benefit_flows(plan, "10", 2024.5) if f.item == "disability_grant"]
    assert grant == [pytest.approx(7 * counted)]


def test_contingent_grants_wait_for_the_end_of_the_contract() -> None:
    """They are paid with the chance and at the time that the contract ends."""
    plan = cea.schedule(2024, overrides={**PLAIN, "p_termination": 0.5, "years_to_termination": 2.0})
    due = [f for f in cea.benefit_flows(plan, "7", 2024.5) if f.item in ("medical_grant", "employment_grant")]
    assert [(f.payer, f.amount, f.year) for f in due] == [
        ("fund", pytest.approx(0.5 * 6 * 8000), 2026.5),
        ("employer", pytest.approx(0.5 * 25 * 8000), 2026.5),
    ]


def test_a_pension_is_a_life_annuity_to_retirement_then_the_top_up() -> None:
    """Grade 1, no growth: 90 % of the wage while alive until 60, afterwards what exceeds the basic pension."""
    plan = cea.schedule(
        2024, overrides={**PLAIN, "leave_months.1": 0.0, "frailty_years.1": 0.0, "basic_pension_ratio": 0.4}
    )
    flows = cea.benefit_flows(plan, "1", 2024.25)
    life = {"mode": plan.parameters["gompertz_mode"].value, "scale": plan.parameters["gompertz_scale"].value}
    pv = {
        item: -cea.present_value([f for f in flows if f.item == item], "fund", base=2024.25, timing="start")
        for item in ("pension", "pension_top_up")
    }
    to_60 = cea.life_annuity(41, 0.05, to_age=60, **life)
    assert pv["pension"] == pytest.approx(12 * 8000 * 0.9 * to_60)
    after = cea.life_annuity(41, 0.05, to_age=116, **life) - to_60
    assert pv["pension_top_up"] == pytest.approx(12 * 8000 * 0.5 * after)


@pytest.mark.parametrize("grade", GRADES)
def test_flows_and_unit_costs_tell_the_same(grade: str) -> None:
    """Dated flows discounted to the injury give the present value of the unit cost, for every perspective."""
    plan = cea.schedule(2024)
    fixed = cea.schedule(2024, overrides={n: p.value for n, p in plan.parameters.items()})
    costs = cea.unit_costs(fixed, n=2, seed=1, severity={grade: "one"})
    flows = cea.benefit_flows(fixed, grade, 2024.25)
    for perspective in cea.PERSPECTIVES:
        pv = -cea.present_value(flows, perspective, base=2024.25, rate=0.05, timing="start")
        assert costs.of(perspective, ("one",))[0, 0] == pytest.approx(pv, abs=1e-6)


def test_the_four_perspectives_agree() -> None:
    """Fund, employer and worker add up to society in every draw."""
    costs = cea.unit_costs(cea.schedule(2024), n=50, seed=3)
    parts = sum(costs.values[:, :, costs.perspectives.index(p)] for p in ("fund", "employer", "worker"))
    np.testing.assert_allclose(parts, costs.values[:, :, costs.perspectives.index("society")], rtol=1e-9, atol=1e-6)


def test_unit_costs_rise_with_severity() -> None:
    """The fund pays little for a minor injury and millions for grades 1-4."""
    costs = cea.unit_costs(cea.schedule(2024), n=500, seed=1)
    fund = [costs.parameter(s, "fund").value for s in ("ungraded", "g7_10", "g5_6", "g1_4")]
    assert fund == sorted(fund) and fund[-1] > 1e6 > fund[0] * 100


def test_the_observed_mix_moves_the_group() -> None:
    """A group made of one grade costs what that grade costs; a mixture lies between."""
    plan = cea.schedule(2024)
    mild, severe, both = (
        cea.unit_costs(plan, n=400, seed=1, mix=mix).parameter("g7_10", "fund").value
        for mix in ({"10": 50}, {"7": 50}, {"10": 25, "7": 25})
    )
    assert mild < both < severe


def test_one_severe_case_does_not_replace_the_prior_mix() -> None:
    """Expected shares are (cases + weight × prior share) ÷ (cases + weight); without weight, the cases alone."""

    def mean_shares(mix: dict[str, float], weight: float) -> dict[str, float]:
        plan = cea.schedule(2024, overrides={"mix_prior_weight": weight})
        detail = cea.unit_costs(plan, n=4_000, seed=1, mix=mix).detail
        return dict(zip(detail.grade, detail.share))

    given = {g: sources.parameter(f"grade_share.{g}").value for g in "1234"}
    one = mean_shares({"4": 1.0}, 10.0)
    for grade, share in given.items():
        expected = ((grade == "4") + 10 * share / sum(given.values())) / 11
        assert one[grade] == pytest.approx(expected, abs=0.01)
    assert mean_shares({"4": 1.0}, 0.0)["4"] == 1
    assert mean_shares({"1": 3_000.0}, 10.0)["1"] > 0.99


def test_discounting_lowers_and_growth_raises_a_pension() -> None:
    """The present value of grades 1-4 falls with the rate and rises with real pension growth."""

    def fund(discount: float, growth: float) -> float:
        plan = cea.schedule(2024, overrides={"pension_growth": growth})
        return cea.unit_costs(plan, n=50, discount=discount).parameter("g1_4", "fund").value

    assert fund(0.08, 0.0) < fund(0.05, 0.0) < fund(0.05, 0.02) < fund(0.0, 0.02)


def test_the_friction_method_counts_less_output() -> None:
    """Lost output until the post is filled again is less than lost earnings to retirement; the fund is unmoved."""
    human, friction = (cea.unit_costs(cea.schedule(2024, production=p), n=50) for p in ("human_capital", "friction"))
    for severity in ("g1_4", "death"):
        assert friction.parameter(severity, "society").value < human.parameter(severity, "society").value
        assert friction.parameter(severity, "fund").value == human.parameter(severity, "fund").value


def test_money_is_brought_to_the_price_year() -> None:
    """A schedule in prices of 2022 is the same schedule, cheaper by the index between."""
    now, then = (
        cea.unit_costs(cea.schedule(2024, price_year=y), n=50).of("fund", ("death",)).mean() for y in (2024, 2022)
    )
    assert now / then == pytest.approx(1.004 * 1.001)


def test_unverified_numbers_are_named() -> None:
    """What nobody compared with its source is listed; the national articles are not."""
    plan = cea.schedule(2024)
    assert "p_termination" in plan.unverified and "7/employment_grant" in plan.unverified
    assert "1/disability_grant" not in plan.unverified
    assert not cea.unit_costs(plan, n=10).parameter("death", "fund").verified


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda: cea.schedule(2009), "no_rules_for_date"),
        (lambda: cea.schedule(2024, overrides={"own_wages": 1.0}), "unknown_parameter"),
        (lambda: cea.schedule(2024, area="dongguan"), "unknown_parameter"),
        (lambda: cea.schedule(2024, price_year=2031), "year_outside_prices"),
        (lambda: cea.schedule(2024, production="vsl"), "unknown_production"),  # type: ignore[arg-type]
        (lambda: cea.unit_costs(cea.schedule(2024), n=5, mix={"11": 3}), "unknown_grade"),
        (lambda: cea.benefit_flows(cea.schedule(2024), "11", 2024.5), "unknown_grade"),
    ],
)
def test_mistakes_are_told(call: object, key: str) -> None:
    """A date outside the schedule, an unknown parameter, area, grade or method name the mistake."""
    with pytest.raises(UserError, match=key):
        call()  # type: ignore[operator]


def test_a_user_parameter_keeps_its_uncertainty() -> None:
    """An override with a range is drawn, a plain number is certain."""
    wage = Parameter(
        name="own_wage", value=8000, low=7500, high=8500, distribution="normal", currency="CNY", price_year=2024
    )
    drawn = cea.unit_costs(cea.schedule(2024, overrides={"own_wage": wage}), n=200).draws["own_wage"]
    certain = cea.unit_costs(cea.schedule(2024, overrides={"own_wage": 8000}), n=200).draws["own_wage"]
    assert drawn.std() == pytest.approx(255, rel=0.2) and np.ptp(certain) == 0
