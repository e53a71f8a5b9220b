"""Odd input is told by name and row, or gives the plain answer: never a traceback, never a silent NaN."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit import cea
from evalkit.core import Flow, Parameter, Psa, UserError
from evalkit.text import error_text

RNG = np.random.default_rng(7)
ZERO, COST, EFFECT = np.zeros(300), RNG.normal(5, 8, 300), RNG.normal(1, 1, 300)


def made(cost: np.ndarray = COST, effect: np.ndarray = EFFECT, **facts) -> Psa:
    return cea.psa_from_arrays(
        np.c_[ZERO, cost], np.c_[ZERO, effect], ("a", "b"), comparator="a",
        parameters={"u": cost + RNG.normal(size=300), "still": np.ones(300)}, seed=1, **facts,
    )  # fmt: skip


PSA = made()
GAMMA = Parameter(name="x", value=100.0, low=80.0, high=120.0, distribution="gamma", unit="CNY", source="t")
OTHER = Parameter(name="y", value=0.3, low=0.2, high=0.4, distribution="beta", unit="probability", source="t")
MODELS = {"a": lambda d: (0.0, 0.0), "b": lambda d: (d["x"], d["y"])}


def flow(**changed) -> Flow:
    return Flow(
        **{"year": 2023, "amount": 10.0, "item": "course", "payer": "fund", "payee": "provider",
           "category": "programme", "price_year": 2023, **changed}
    )  # fmt: skip


def arrays(cost=((0, 1), (0, 2)), effect=((0, 1), (0, 2)), **more) -> Psa:
    return cea.psa_from_arrays(cost, effect, ("a", "b"), comparator="a", **more)


def individuals(**changed):
    given = {"cost": np.arange(8.0), "effect": np.arange(8.0), "treated": [0, 1] * 4, "n": 100} | changed
    return cea.icer_bootstrap(**given)


def budget(**changed):
    given = {"spending": {2022: 3.0}, "saving": {2023: 5.0}, "levy": {2021: 1e2, 2022: 1e2}, "cap": 0.03} | changed
    return cea.budget_impact(**given)


MISTAKES = {
    "no thresholds": (lambda: cea.ceac(PSA, []), "threshold_outside"),
    "a square of thresholds": (lambda: cea.evppi(PSA, "u", [[1, 2], [3, 4]]), "threshold_outside"),
    "a word for a threshold": (lambda: cea.evpi(PSA, "high"), "not_a_number.*'row': 1"),
    "an infinite threshold of the net benefit": (lambda: cea.inmb(PSA, np.inf), "threshold_outside"),
    "no threshold of the tornado": (lambda: cea.tornado(PSA, np.nan), "threshold_outside"),
    "a negative threshold under risk aversion": (
        lambda: cea.risk_averse(PSA, [-1], aversion=1, budget=1), "threshold_outside"),
    "an aversion beyond numbers": (lambda: cea.risk_averse(PSA, [1], aversion=1e9, budget=1), "aversion_outside"),
    "no set of parameters": (lambda: cea.evppi(PSA, [], [1.0]), "unknown_draw"),
    "an empty set of parameters": (lambda: cea.evsi(PSA, [], {"year": 1.0}, [1.0]), "unknown_draw"),
    "one parameter twice over": (lambda: cea.two_way(PSA, ("u", "u")), "repeated_parameter"),
    "a level in per cent": (lambda: cea.tornado(PSA, 1.0, level=95), "level_outside"),
    "a study without a price": (
        lambda: cea.enbs(cea.evsi(PSA, "u", {"year": 1.0}, [1.0]), {"year": np.nan}), "not_a_number"),
    "a gap among a parameter's draws": (lambda: arrays(parameters={"wage": [1.0, np.nan]}), "'wage', 'row': 2"),
    "words among a parameter's draws": (lambda: arrays(parameters={"wage": ["1", "high"]}), "'wage', 'row': 2"),
    "no draws": (lambda: arrays(np.empty((0, 2)), np.empty((0, 2))), "unequal_draws"),
    "columns of other strategies": (lambda: arrays(pd.DataFrame({"a": [1, 2], "c": [1, 2]})), "unknown_strategy"),
    "a gap in a nullable column": (
        lambda: arrays(pd.DataFrame({"a": [1, 2], "b": [1, None]}, dtype="Int64")), "not_finite.*'row': 2"),
    "a seed below zero": (lambda: cea.psa(MODELS, [GAMMA, OTHER], comparator="a", n=9, seed=-1), "'seed'"),
    "a number of draws in words": (lambda: cea.psa(MODELS, [GAMMA, OTHER], comparator="a", n="many"), "'n'"),
    "half a draw": (lambda: cea.psa(MODELS, [GAMMA, OTHER], comparator="a", n=9.5), "value_outside"),
    "a model without an effect": (lambda: cea.psa({"a": lambda d: 1.0}, comparator="a", n=9), "not_a_pair"),
    "a model of three results": (lambda: cea.psa({"a": lambda d: (1, 2, 3)}, comparator="a", n=9), "not_a_pair"),
    "a correlation said twice": (
        lambda: cea.psa(MODELS, [GAMMA, OTHER], comparator="a", n=9, correlation={("x", "y"): 0.5, ("y", "x"): 0.1}),
        "correlation_outside"),
    "a ratio without a number": (lambda: cea.fieller(np.nan, 1, 1, 1, 0), "not_a_number"),
    "no degrees of freedom": (lambda: cea.fieller(1, 5, 1, 1, 0, df=0), "'df'"),
    "arms of unequal length": (lambda: individuals(effect=np.arange(7.0)), "unequal_draws"),
    "a gap among individuals": (lambda: individuals(cost=[np.nan, *range(7)]), "not_a_number"),
    "a third arm": (lambda: individuals(treated=[0, 1, 2, 0, 1, 2, 0, 1]), "choice_unknown"),
    "a cluster in both arms": (lambda: individuals(cluster=[1, 1, 2, 2, 3, 3, 4, 4]), "clusters_in_both_arms"),
    "an annuity of no length": (lambda: cea.annuity(np.nan, 0.05), "negative_years"),
    "an annuity for ever that grows": (lambda: cea.annuity(np.inf, 0.03, 0.05), "value_outside"),
    "an unknown timing": (lambda: cea.discount_factor(2025, 2023, 0.05, timing="middle"), "choice_unknown"),
    "a date that is none": (lambda: cea.discount_factor(np.nan, 2023, 0.05), "not_a_number"),
    "a life of no spread": (lambda: cea.life_annuity(40, 0.05, mode=86, scale=0), "'scale'"),
    "an infinite amount": (lambda: cea.net([flow(), flow(amount=np.inf)], "fund"), "'amount', 'row': 2"),
    "a year that is none": (lambda: cea.payback([flow(year=np.nan)], "fund"), "'year', 'row': 1"),
    "a payer nobody knows": (lambda: cea.net([flow(payer="us")], "fund"), "choice_unknown.*'course, 1'"),
    "yuan prices of dollars": (lambda: cea.in_prices([flow(currency="HKD")], 2024), "mixed_prices"),
    "prices of half a year": (lambda: cea.inflate(1.0, 2020.5, 2023), "year_outside_prices"),
    "a probability above one": (
        lambda: cea.schedule(2023, overrides={"p_termination": 1.5}), "probability_outside.*'p_termination'"),
    "a wage below zero": (lambda: cea.schedule(2023, overrides={"own_wage": -1}), "negative_money.*'own_wage'"),
    "a word for a wage": (lambda: cea.schedule(2023, overrides={"own_wage": "high"}), "not_a_number.*'own_wage'"),
    "fewer than no cases": (lambda: cea.unit_costs(cea.schedule(2023), n=9, mix={"10": -1}), "'mix 10'"),
    "a gap among savings": (lambda: cea.returns([1.0, np.nan, 2.0], 1.0), "'averted_cost', 'row': 2"),
    "one saving": (lambda: cea.returns([1.0], 1.0), "unequal_draws"),
    "no levy": (lambda: budget(levy={2021: 0.0, 2022: 1.0}), "'levy 2021'"),
    "a cap in per cent": (lambda: budget(cap=3), "'cap'"),
    "spending below zero": (lambda: budget(spending={2022: -3.0}), "'spending 2022'"),
    "a gap among projects": (lambda: cea.portfolio(("p",), [[np.nan]], (1,), 2), "'saving', 'row': 1"),
    "two projects of one name": (lambda: cea.portfolio(("p", "p"), [[1, 2]], (1, 1), 2), "portfolio_outside"),
    "a prior without spread": (lambda: cea.pool(("p", "q"), (0, 0), (1, 1), prior=(0, 0)), "'prior'"),
    "an age that is none": (lambda: cea.daly(deaths=1, age=np.nan, life_expectancy=30), "years_outside"),
    "deaths that are no number": (lambda: cea.daly(deaths=np.nan, age=40, life_expectancy=30), "not_a_number"),
    "a parameter named model": (
        lambda: cea.mixture({"m": arrays(parameters={"model": [1, 2]})}, {"m": 1.0}), "repeated_parameter"),
    "an outcome that never moves": (lambda: cea.sobol(lambda d: d["x"] * 0, [GAMMA, OTHER]), "outcome_constant"),
    "an outcome without numbers": (lambda: cea.morris(lambda d: d["x"] * np.nan, [GAMMA, OTHER]), "not_a_number"),
    "points that leave gaps": (lambda: cea.sobol(lambda d: d["x"], [GAMMA, OTHER], n=100), "no_power_of_two"),
    "a mean that is none": (lambda: cea.frontier_of_means({"a": (0, 0), "b": (np.nan, 1)}), "'b', 'row': 1"),
    "no window to fade from": (lambda: cea.fade(0.0, 24), "'window'"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_told(name: str) -> None:
    """Each names what is wrong and where, in words of all languages."""
    call, told = MISTAKES[name]
    with pytest.raises(UserError, match=told) as caught:
        call()
    for lang in ("en", "zh-Hans", "zh-Hant"):
        assert "{" not in error_text(caught.value, lang)


@pytest.mark.parametrize("distribution", ["beta", "weibull"])
def test_an_impossible_distribution_names_parameter_unit_and_row(distribution: str) -> None:
    """A beta of mean 1.2, a distribution nobody knows: second of two parameters."""
    odd = Parameter(name="q", value=1.2, low=1.1, high=1.3, distribution=distribution, unit="factor", source="t")
    with pytest.raises(UserError, match=r"q \(factor\)") as caught:
        cea.psa(MODELS, [GAMMA, odd], comparator="a", n=9)
    assert caught.value.problems[0].where.row == 2


def test_whole_decimal_and_nullable_numbers_count_as_numbers() -> None:
    """The same analysis from integers, decimals and nullable columns; a parameter of decimals."""
    plain = arrays()
    for kind in (int, Decimal):
        table = [[kind(v) for v in row] for row in ((0, 1), (0, 2))]
        assert np.array_equal(arrays(table, table).cost, plain.cost)
    nullable = pd.DataFrame({"a": [0, 0], "b": [1, 2]}, dtype="Int64")
    assert np.array_equal(arrays(nullable, nullable).cost, plain.cost)
    five = {"value": Decimal(5), "low": Decimal(4), "high": Decimal(6)}
    exact = Parameter(name="x", distribution="normal", unit="u", source="t", **five)  # type: ignore[arg-type]
    assert np.isfinite(cea.draw(exact, 5, 1)).all()


def test_columns_of_a_frame_are_taken_by_name() -> None:
    """A frame whose columns stand in another order gives the strategies their own numbers."""
    frame = pd.DataFrame({"b": [9.0, 8.0], "a": [1.0, 2.0]})
    assert arrays(frame, frame).cost.tolist() == [[1.0, 9.0], [2.0, 8.0]]


@pytest.mark.parametrize("name", ["b only", "b twice", "no effect"])
def test_nothing_to_decide_is_worth_nothing(name: str) -> None:
    """One strategy, two equal ones, one that costs more and does nothing: every value of information is nil."""
    equal = cea.psa_from_arrays(
        np.c_[COST, COST], np.c_[EFFECT, EFFECT], ("a", "b"), comparator="a", parameters={"u": COST}
    )
    alone = cea.psa_from_arrays(COST[:, None], EFFECT[:, None], ("a",), comparator="a", parameters={"u": COST})
    dearer = made(np.abs(COST) + 1, ZERO)
    psa = {"b only": alone, "b twice": equal, "no effect": dearer}[name]
    for curve in (cea.evpi(psa, [0, 2]), cea.evppi(psa, "u", [0, 2]), cea.evsi(psa, "u", {"year": 1.0}, [0, 2])):
        for value in curve.values.values():
            np.testing.assert_allclose(value, 0.0, atol=1e-9)


@pytest.mark.parametrize("method", ["fieller", "bca", "percentile"])
@pytest.mark.parametrize("cost", [COST, ZERO], ids=["dearer", "equal"])
def test_without_any_effect_no_ratio_is_excluded(method: str, cost: np.ndarray) -> None:
    """No draw with an effect, or none with a difference: the whole line, never a point."""
    assert cea.icer_set(made(cost, ZERO), method).type == "whole_line"


def test_equal_strategies_have_nowhere_to_flip() -> None:
    """A net benefit that is nil everywhere crosses nil nowhere."""
    psa = made(ZERO, ZERO)
    assert cea.tornado(psa, 1.0, parameters=["u"])[0].flips_at is None
    assert cea.breakeven(psa, "u", 1.0) is None


def test_new_data_on_what_does_not_vary_are_worth_nothing() -> None:
    """A constant parameter alone has no value of sample information, and beside another adds none within error."""
    both, one = (cea.evsi(PSA, names, {"year": 1.0}, [1.0]) for names in (["u", "still"], "u"))
    assert both.values["year"] == pytest.approx(one.values["year"], abs=3 * float(one.mc_error["year"][0]))
    assert cea.evsi(PSA, "still", {"year": 1.0}, [1.0]).values["year"][0] == pytest.approx(0.0, abs=1e-9)


def test_two_draws_are_enough_for_every_curve() -> None:
    """No division by n − 1, − 2 or − p anywhere on the way."""
    psa = arrays(parameters={"u": [1, 2]})
    curves = [*cea.threshold_curves(psa, [0, 1]).values(), cea.evppi(psa, "u", [0, 1])]
    assert all(np.isfinite(v).all() for c in curves if c.name != "ceaf" for v in c.values.values())


@pytest.mark.parametrize(("years", "rate", "factor"), [(5, 0.05, 4.3295), (10, 0.07, 7.0236), (15, 0.03, 11.9379)])
def test_annuity_factors_are_those_of_the_tables(years: int, rate: float, factor: float) -> None:
    """Present value of 1 a year in arrears, to four decimals as textbooks of economic evaluation print it."""
    assert round(cea.annuity(years, rate), 4) == factor


def test_annuity_is_its_sum_and_ends_in_the_perpetuity() -> None:
    """Whole and part years, any growth and timing, against the plain sum; 1/r for ever; a long one costs nothing."""
    for years, rate, growth in itertools.product((0, 0.4, 7, 33.25), (-0.1, 0.0, 0.05), (-0.02, 0.0, 0.05)):
        for timing, shift in (("start", 0.0), ("mid", 0.5), ("end", 1.0)):
            share = np.clip(years - np.arange(40), 0, 1)
            sum_ = (share * (1 + growth) ** np.arange(40) * (1 + rate) ** -(np.arange(40) + shift)).sum()
            assert cea.annuity(years, rate, growth, timing=timing) == pytest.approx(sum_, rel=1e-10, abs=1e-12)
    assert cea.annuity(np.inf, 0.05) == cea.annuity(1e9, 0.05) == pytest.approx(20.0)


def test_a_schedule_of_rates_may_change_within_a_year() -> None:
    """3 % to mid-2025, 5 % after."""
    found = cea.discount_factor(2026.25, 2024.0, {2024: 0.03, 2025.5: 0.05})
    assert found == pytest.approx(1.03**-1.5 * 1.05**-0.75)


def test_the_best_portfolio_is_the_best_of_all() -> None:
    """Every subset weighed, costs that fill the budget exactly included; its loss is that of the best of every draw."""
    rng = np.random.default_rng(3)
    for s in (1, 4, 8):
        saving, cost = rng.normal(0.3, 3, (60, s)), np.append(rng.uniform(0, 5, s - 1), 10 / 3)
        sets = np.array([m for m in itertools.product([0, 1], repeat=s) if np.dot(m, cost) <= 10 + 1e-9])
        found, value = cea.portfolio([f"p{j}" for j in range(s)], saving, cost, 10), saving @ sets.T
        assert found.value == pytest.approx(value.mean(axis=0).max())
        assert found.expected_loss == pytest.approx((value.max(axis=1) - saving @ np.array(found.chosen)).mean())
    thirds = cea.portfolio(("a", "b", "c"), np.ones((5, 3)), (100 / 3,) * 3, 100)
    assert thirds.chosen == (True, True, True)


def test_many_projects_stay_within_the_budget() -> None:
    """Beyond what can be weighed one by one the choice is still affordable and no worse than the best single one."""
    rng = np.random.default_rng(4)
    saving, cost = rng.normal(1, 2, (40, 25)), rng.uniform(1, 4, 25)
    found = cea.portfolio([f"p{j}" for j in range(25)], saving, cost, 12.0)
    assert found.spent <= 12.0 and found.value >= saving.mean(axis=0).max() and found.expected_loss >= 0


FILES = {
    "empty": ("costs.csv", "", "exchange_unreadable.*costs.csv"),
    "words": ("costs.csv", "a,b\n1,2\nx,2\n", "not_a_number.*costs.csv: a', 'row': 2"),
    "a gap": ("effects.csv", "a,b\n1,2\n1,\n", "not_a_number.*effects.csv: b', 'row': 2"),
    "ragged": ("costs.csv", "a,b\n1,2,3\n1,2,3\n", "exchange_unreadable"),
    "a name twice": ("costs.csv", "a,a\n1,2\n1,2\n", "repeated_parameter.*costs.csv"),
    "too short": ("costs.csv", "a,b\n1,2\n", "unequal_draws"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_broken_exchange_file_is_named(tmp_path: Path, name: str) -> None:
    """File, column and row of what cannot be read; never columns moved by one."""
    file, content, told = FILES[name]
    cea.write_psa(arrays(parameters={"u": [1, 2]}), tmp_path)
    (tmp_path / file).write_text(content, "utf-8")
    with pytest.raises(UserError, match=told):
        cea.read_psa(tmp_path, comparator="a")


def test_exchange_files_of_another_encoding_are_told_and_chinese_names_kept(tmp_path: Path) -> None:
    """GB 18030 is refused by name; UTF-8, with or without a mark, reads back to the same doubles."""
    psa = cea.psa_from_arrays(
        np.c_[ZERO, COST / 3],
        np.c_[ZERO, EFFECT * 1e-7],
        ("常规", "培训"),
        comparator="常规",
        parameters={"效果": EFFECT},
    )
    paths = cea.write_psa(psa, tmp_path)
    text = paths[1].read_text("utf-8")
    paths[1].write_text("\ufeff" + text, "utf-8")
    back = cea.read_psa(tmp_path, comparator="常规")
    assert back.strategies == psa.strategies and back.parameter_names == psa.parameter_names
    assert np.array_equal(back.cost, psa.cost) and np.array_equal(back.effect, psa.effect)
    paths[1].write_bytes(text.encode("gb18030"))
    with pytest.raises(UserError, match=r"exchange_unreadable.*costs\.csv"):
        cea.read_psa(tmp_path, comparator="常规")
