"""Draws from parameters, effects and models: streams, points, correlation, number of draws, mixtures, mistakes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import cea
from evalkit.cea.points import points
from evalkit.core import Parameter, UserError, frozen_array

UNIT = Parameter(
    name="unit_cost", value=40_000, low=30_000, high=50_000, distribution="gamma", unit="CNY per case",
    price_year=2024, currency="CNY",
)  # fmt: skip
EFFECT = Parameter(name="averted", value=8.0, low=2.0, high=14.0, distribution="normal", unit="cases")
SHARE = Parameter(name="severe", value=0.15, low=0.1, high=0.2, distribution="beta", unit="probability")
GIVEN = (UNIT, EFFECT, SHARE)
MODELS = {
    "usual": lambda p: (0.0, 0.0),
    "programme": lambda p: (200_000 - p["averted"] * p["unit_cost"] * (1 + p["severe"]), p["averted"]),
}
SAMPLING = ("random", "lhs", "sobol")


def drawn(**change):
    return cea.psa(MODELS, change.pop("parameters", GIVEN), comparator="usual", **({"n": 1_024} | change))


def column(psa, name):
    return psa.parameters[:, psa.parameter_names.index(name)]


@pytest.mark.parametrize("sampling", SAMPLING)
def test_margins_are_those_of_the_parameters(sampling: str) -> None:
    """However points are spread, each parameter has its mean and its spread; price year and currency come with it."""
    psa = drawn(n=2**14, sampling=sampling)
    for p in GIVEN:
        found = column(psa, p.name)
        assert found.mean() == pytest.approx(p.value, rel=0.02)
        assert found.std() == pytest.approx((p.high - p.low) / (2 * 1.959964), rel=0.02)
    assert (psa.currency, psa.price_year, psa.comparator) == ("CNY", 2024, "usual")


@pytest.mark.parametrize("sampling", SAMPLING)
def test_a_parameter_that_joins_moves_no_other(sampling: str) -> None:
    """Same seed, one parameter more at the end: every draw stays; random and hypercube points whatever its place."""
    more = Parameter(name="another", value=1.0, low=0.5, high=1.5, distribution="lognormal")
    before, after = drawn(sampling=sampling), drawn(sampling=sampling, parameters=(*GIVEN, more))
    np.testing.assert_array_equal(before.cost, after.cost)
    if sampling != "sobol":
        np.testing.assert_array_equal(before.cost, drawn(sampling=sampling, parameters=(more, *GIVEN[::-1])).cost)


@given(st.integers(1, 400), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_hypercube_has_one_point_in_every_slice(n: int, seed: int) -> None:
    """Each quantity's points, sorted, fall one by one into n equal slices."""
    for u in points(["a", "b"], n, seed, "lhs").values():
        np.testing.assert_array_equal(np.floor(np.sort(u) * n), np.arange(n))


def test_sobol_points_are_a_net() -> None:
    """Of 2^10 points every box of a 32 × 32 grid over any two of the first quantities holds one."""
    found = points(["a", "b"], 1_024, 3, "sobol")
    boxes = np.floor(found["a"] * 32).astype(int) * 32 + np.floor(found["b"] * 32).astype(int)
    np.testing.assert_array_equal(np.sort(boxes), np.arange(1_024))


def test_even_points_leave_less_error() -> None:
    """Over 40 seeds the mean net saving varies less than half as much with a hypercube or Sobol points as at random."""
    spread = {s: np.std([drawn(n=256, seed=i, sampling=s).cost[:, 1].mean() for i in range(40)]) for s in SAMPLING}
    assert max(spread["sobol"], spread["lhs"]) < 0.5 * spread["random"]


def test_correlation_joins_scores_and_keeps_margins() -> None:
    """Normal scores have the correlation asked; each margin stays; uncorrelated parameters keep every draw."""
    plain, tied = drawn(n=50_000), drawn(n=50_000, correlation={("unit_cost", "averted"): 0.7})
    found = np.corrcoef(np.log(column(tied, "unit_cost")), column(tied, "averted"))[0, 1]
    assert found == pytest.approx(0.7, abs=0.02)
    np.testing.assert_allclose(column(tied, "averted").std(), column(plain, "averted").std(), rtol=0.02)
    np.testing.assert_array_equal(column(plain, "severe"), column(tied, "severe"))
    np.testing.assert_allclose(column(plain, "unit_cost"), column(tied, "unit_cost"), rtol=1e-9)


def effect(df: float | None = None, refused: str | None = None) -> cea.Draws:
    return cea.Draws(
        names=("g7_10", "death"), values=frozen_array(np.empty((0, 2))), estimate=frozen_array([6.0, 1.0]),
        vcov=frozen_array([[4.0, 0.8], [0.8, 1.0]]), mu0=frozen_array([60.0, 5.0]), df=df, refused=refused,
        method="ppml",
    )  # fmt: skip


@pytest.mark.parametrize("df", [None, 8.0])
def test_an_effect_comes_with_its_covariance(df: float | None) -> None:
    """Averted injuries by severity have the estimate, the covariance (× df/(df − 2)) and are drawn jointly."""
    models = {"usual": lambda p: (0, 0), "programme": lambda p: (0, p["averted.g7_10"] + p["averted.death"])}
    psa = cea.psa(models, (), effect(df), comparator="usual", n=2**17, sampling="sobol")
    both = np.column_stack([column(psa, "averted.g7_10"), column(psa, "averted.death")])
    factor = 1.0 if df is None else df / (df - 2)
    np.testing.assert_allclose(both.mean(axis=0), [6.0, 1.0], rtol=0.01)
    np.testing.assert_allclose(np.cov(both.T), factor * effect().vcov, rtol=0.04)


def test_draws_double_until_they_are_precise() -> None:
    """The automatic number ends where both errors are small enough, at no fewer draws for a smaller error."""
    psa = drawn(n="auto", error=0.01)
    table = cea.mc_errors(psa, 0.0).set_index(["measure", "name"])
    worst = max(v[0] for v in cea.expected_loss(psa, [0.0]).values.values())
    assert table.mc_error["inmb", "programme"] <= 0.01 * worst and table.mc_error["evpi", "evpi"] <= 0.01 * worst
    assert drawn(n="auto", error=0.005).n > psa.n and "cea.note.draws_capped" not in psa.notes
    capped = drawn(n="auto", error=1e-6)
    assert capped.n == 200_000 and "cea.note.draws_capped" in capped.notes


def test_errors_are_the_spread_over_seeds() -> None:
    """Reported Monte Carlo errors equal the standard deviation over 200 seeds within 15 %."""
    tables = [cea.mc_errors(drawn(n=500, seed=i), 5_000.0).set_index(["measure", "name"]) for i in range(200)]
    for key in (("inmb", "programme"), ("icer", "programme"), ("ceac", "programme"), ("evpi", "evpi")):
        spread = np.std([t.value[key] for t in tables])
        assert np.mean([t.mc_error[key] for t in tables]) == pytest.approx(spread, rel=0.15), key


def test_the_error_of_evppi_is_reported_beside_the_others() -> None:
    """Named parameters get a row of their own."""
    table = cea.mc_errors(drawn(), 0.0, ["averted", ["averted", "unit_cost"]])
    rows = table[table.measure == "evppi"]
    assert rows.name.tolist() == ["averted", "averted+unit_cost"] and (rows.mc_error > 0).all()


def test_a_mixture_has_the_spread_of_its_models() -> None:
    """Mean is the weighted mean; variance holds the distance between models, which averaging draws would lose."""
    low, high = (
        drawn(n=20_000),
        drawn(n=20_000, parameters=(UNIT, replace(EFFECT, value=2.0, low=-4.0, high=8.0), SHARE)),
    )
    both = cea.mixture({"a": low, "b": high}, {"a": 0.3, "b": 0.7})
    one, two, all_ = (p.effect[:, 1] for p in (low, high, both))
    assert all_.mean() == pytest.approx(0.3 * one.mean() + 0.7 * two.mean(), abs=0.1)
    assert all_.var() == pytest.approx(
        0.3 * one.var() + 0.7 * two.var() + 0.21 * (one.mean() - two.mean()) ** 2, rel=0.03
    )
    assert both.parameter_names[-1] == "model" and column(both, "model").mean() == pytest.approx(0.7, abs=0.02)
    from_one = column(both, "model") == 0
    np.testing.assert_array_equal(both.cost[from_one], low.cost[from_one])


def test_knowing_a_sure_model_is_worth_nothing() -> None:
    """With all weight on one model the mixture is that model."""
    psa = drawn()
    np.testing.assert_array_equal(cea.mixture({"a": psa, "b": psa}, {"a": 1.0, "b": 0.0}).cost, psa.cost)


@pytest.mark.parametrize(
    ("change", "key", "told"),
    [
        ({"parameters": (UNIT, replace(SHARE, high=1.2, value=0.9, distribution="normal"))}, "probability_outside",
         {"name": "severe", "unit": "probability", "row": 2}),
        ({"parameters": (replace(SHARE, value=1.1, low=None, high=None, distribution="fixed"),)}, "probability_outside",
         {"name": "severe", "row": 1}),
        ({"parameters": (replace(UNIT, low=-90_000, high=90_000, distribution="normal"),)}, "negative_money",
         {"name": "unit_cost", "unit": "CNY per case", "row": 1}),
        ({"parameters": (*GIVEN, replace(UNIT, name="wage", price_year=2020))}, "mixed_prices", {}),
        ({"parameters": (*GIVEN, replace(UNIT, name="wage", currency="HKD"))}, "mixed_prices", {}),
        ({"currency": "MOP"}, "mixed_prices", {}),
        ({"parameters": (*GIVEN, UNIT)}, "repeated_parameter", {"found": "unit_cost"}),
        ({"correlation": {("unit_cost", "averted"): 1.5}}, "correlation_outside", {}),
        ({"correlation": {("unit_cost", "averted"): 0.9, ("averted", "severe"): 0.9, ("unit_cost", "severe"): -0.9}},
         "correlation_outside", {}),
        ({"correlation": {("unit_cost", "wage"): 0.5}}, "unknown_draw", {"found": "wage"}),
        ({"sampling": "halton"}, "unknown_sampling", {}),
        ({"n": 1}, "too_many_draws", {}),
        ({"effects": effect(2.0, "cea.refused.low_df")}, "effect_without_means", {"method": "ppml"}),
    ],
)  # fmt: skip
def test_mistakes_name_the_parameter(change: dict, key: str, told: dict) -> None:
    """Probabilities above one, negative money, mixed prices, impossible correlations: told with name, unit and row."""
    with pytest.raises(UserError, match=key) as caught:
        drawn(**change)
    found = caught.value.problems[0].values
    assert {k: found[k] for k in told} == told


def test_mixed_prices_name_parameter_unit_and_row() -> None:
    """The sentence says which parameter, its unit and its place in the list."""
    with pytest.raises(UserError) as caught:
        drawn(parameters=(*GIVEN, replace(UNIT, name="wage", price_year=2020)))
    assert caught.value.problems[0].values["found"].startswith("wage (CNY per case, 4): CNY 2020")


def test_models_must_fit() -> None:
    """Another comparator, a strategy with too few draws, money that is not finite are told by name."""
    with pytest.raises(UserError, match="unknown_strategy"):
        cea.psa(MODELS, GIVEN, comparator="nothing", n=10)
    with pytest.raises(UserError, match=r"unequal_draws.*programme"):
        cea.psa(MODELS | {"programme": lambda p: (np.zeros(3), 0)}, GIVEN, comparator="usual", n=10)
    with pytest.raises(UserError, match=r"not_finite.*programme"):
        cea.psa(MODELS | {"programme": lambda p: (np.inf, 0)}, GIVEN, comparator="usual", n=10)
    other = drawn(parameters=tuple(replace(p, price_year=None, currency=None) for p in GIVEN), price_year=2020)
    with pytest.raises(UserError, match="mixed_models"):
        cea.mixture({"a": drawn(), "b": other}, {"a": 0.5, "b": 0.5})
    with pytest.raises(UserError, match="unequal_draws"):
        cea.mixture({"a": drawn(), "b": drawn(n=512)}, {"a": 0.5, "b": 0.5})
    with pytest.raises(UserError, match="weights_outside"):
        cea.mixture({"a": drawn(), "b": drawn()}, {"a": 0.5, "b": 0.6})
