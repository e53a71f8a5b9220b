"""From an effect path to a decision: one set of draws, refusals, break-even."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import cea
from evalkit.cea.bridge import Draws
from evalkit.cea.unit_costs import UnitCosts
from evalkit.core import Decision, EffectPath, Inference, Parameter, Psa, Term, UserError

N = 4000
OUTCOMES = ("avertable", "avertable.ungraded", "avertable.g7_10", "commute")


def path(
    *,
    observed: tuple[float, ...] = (450, 300, 150, 80),
    mu0: tuple[float, ...] = (515, 340, 175, 82),
    std_error: tuple[float, ...] = (0.06, 0.07, 0.09, 0.1),
    df: float | None = 8.0,
    rule: str = "cr3",
    outcomes: tuple[str, ...] = OUTCOMES,
) -> EffectPath:
    """A count path over severities with correlated errors."""
    s = np.array(std_error)
    corr = np.full((len(s), len(s)), 0.5) + 0.5 * np.eye(len(s))
    return EffectPath(
        method="ppml",
        terms=tuple(Term(term="overall", outcome=o, measure="log_rate_ratio") for o in outcomes),
        estimate=np.log(np.array(observed) / np.array(mu0)),
        vcov=np.outer(s, s) * corr,
        observed=np.array(observed, dtype=float),
        mu0=np.array(mu0, dtype=float),
        inference=tuple(Inference(rule=rule, std_error=e, df=df) for e in std_error),
    )


@pytest.fixture(scope="module")
def costs() -> UnitCosts:
    return cea.unit_costs(cea.schedule(2024), n=N, seed=1)


def decided(costs: UnitCosts, cost: float | Parameter = 8e5, **change: object) -> tuple[Decision, Psa | None]:
    return cea.decide(cea.averted_draws(path(**change), N, 1), costs, cost, delay=1.25)  # type: ignore[arg-type]


def test_draws_are_the_reported_t_on_the_count_scale() -> None:
    """Centre μ0 − observed, quantiles of Student's t with the reported df, joint over severities."""
    drawn = cea.averted_draws(path(), 100_000, 3)
    assert drawn.names == ("ungraded", "g7_10") and drawn.df == 8.0 and drawn.refused is None
    np.testing.assert_allclose(drawn.estimate, [40, 25])
    np.testing.assert_allclose(np.sqrt(np.diag(drawn.vcov)), [340 * 0.07, 175 * 0.09])
    low, high = np.quantile(drawn.values[:, 0], [0.025, 0.975])
    assert (high - low) / 2 == pytest.approx(2.306004135 * 340 * 0.07, rel=0.02)
    assert np.corrcoef(drawn.values.T)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_only_avertable_injuries_are_averted() -> None:
    """Commuting and the total row are no strata of their own."""
    assert "commute" not in cea.averted_draws(path(), 10).names


def test_the_smallest_df_counts() -> None:
    """Rows tested with different df are drawn with the smallest of those that carry an effect."""
    mixed = path()
    inference = tuple(replace(i, df=d) for i, d in zip(mixed.inference, (2.0, 9.0, 5.0, 1.0)))
    drawn = cea.averted_draws(replace(mixed, inference=inference), 10)
    assert drawn.df == 5.0 and drawn.refused is None


def test_a_reported_error_other_than_the_covariance_scales_it() -> None:
    """Where the router reported another standard error, draws follow what was reported."""
    p = path()
    wider = tuple(replace(i, std_error=2 * i.std_error) for i in p.inference)  # type: ignore[operator]
    ratio = cea.averted_draws(replace(p, inference=wider), 10).vcov / cea.averted_draws(p, 10).vcov
    np.testing.assert_allclose(ratio, 4)


SMALL = {"observed": (450, 300, 4, 80), "mu0": (515, 340, 6, 82)}


def test_a_stratum_with_few_expected_cases_has_no_effect() -> None:
    """Below ten expected cases: 0 in the base case, the pooled ratio as a scenario; strata without a row likewise."""
    base = cea.averted_draws(path(**SMALL), N, expected={"death": 3.0})  # type: ignore[arg-type]
    assert base.names == ("ungraded", "g7_10", "death") and base.zeroed == ("g7_10", "death")
    assert np.abs(base.values[:, 1:]).max() == 0
    pooled = cea.averted_draws(path(**SMALL), N, small="pooled", expected={"death": 3.0})  # type: ignore[arg-type]
    np.testing.assert_allclose(pooled.estimate, [40, 6 * 65 / 515, 3 * 65 / 515])
    np.testing.assert_allclose(pooled.values[:, 1] / 6, pooled.values[:, 2] / 3, atol=1e-9)  # a draw may be near zero


def test_one_set_of_draws_feeds_both_sides(costs: UnitCosts) -> None:
    """Effect and net cost are strongly negatively correlated, and NPV is what the draws say."""
    decision, psa = decided(costs)
    assert psa is not None
    assert np.corrcoef(psa.cost[:, 1], psa.effect[:, 1])[0, 1] < -0.7
    assert decision.npv == pytest.approx(-psa.cost[:, 1].mean())
    assert decision.confidence == pytest.approx((psa.cost[:, 1] < 0).mean())
    assert cea.ceac(psa, [0]).values["programme"][0] == pytest.approx(decision.confidence)
    assert decision.averted_cases == pytest.approx(65, abs=3 * psa.effect[:, 1].std() / N**0.5)


def test_npv_is_averted_cost_minus_programme_cost(costs: UnitCosts) -> None:
    """Net present saving, benefit-cost ratio and their intervals hang together."""
    d, _ = decided(costs)
    assert d.npv == pytest.approx(d.averted_cost - d.programme_cost)  # type: ignore[operator]
    assert d.bcr == pytest.approx(d.averted_cost / d.programme_cost)  # type: ignore[operator]
    assert d.bcr_low == pytest.approx((d.npv_low + 8e5) / 8e5) and d.npv_low < d.npv < d.npv_high  # type: ignore[operator]
    assert 0 < d.npv_mc_error < 0.05 * (d.npv_high - d.npv_low)  # type: ignore[operator]
    assert 0 < d.confidence_mc_error < 0.01  # type: ignore[operator]


def test_the_ledger_gives_the_same_saving(costs: UnitCosts) -> None:
    """Central flows of the averted injuries, discounted to the start, come to the decision's averted cost."""
    plan = cea.schedule(2024)
    fixed = cea.schedule(2024, overrides={n: p.value for n, p in plan.parameters.items()})
    exact = cea.unit_costs(fixed, n=N, seed=1)
    draws = cea.averted_draws(path(), N, 1)
    certain = replace(draws, values=np.tile(draws.estimate, (N, 1)))
    decision, _ = cea.decide(certain, exact, 8e5, delay=1.25)
    share = exact.detail.drop_duplicates("grade").set_index("grade")["share"]
    flows = cea.programme_flows(8e5, 2023.0, price_year=2024)
    for name, cases in zip(draws.names, draws.estimate):
        for grade in exact.detail.loc[exact.detail.severity == name, "grade"].unique():
            flows += cea.benefit_flows(fixed, grade, 2024.25, cases=cases * share[grade])
    npv = -cea.present_value(flows, "fund", base=2023, rate=0.05, timing="start")
    assert decision.npv == pytest.approx(npv, rel=1e-9)


def test_money_in_another_currency_changes_nothing_but_the_unit(costs: UnitCosts) -> None:
    """All amounts divided by four: NPV and ICER scale, BCR, confidence and dominance stay."""
    draws = cea.averted_draws(path(), N, 1)
    yuan, _ = cea.decide(draws, costs, 3e6)
    other, _ = cea.decide(draws, replace(costs, values=costs.values / 4), 3e6 / 4)
    assert other.npv == pytest.approx(yuan.npv / 4) and other.icer == pytest.approx(yuan.icer / 4)  # type: ignore[operator]
    assert (other.bcr, other.confidence) == pytest.approx((yuan.bcr, yuan.confidence))
    assert other.dominance == yuan.dominance


def test_same_seed_same_result(costs: UnitCosts) -> None:
    """The whole chain repeats exactly; another seed moves it."""
    first, _ = decided(costs)
    again = cea.unit_costs(cea.schedule(2024), n=N, seed=1)
    assert cea.decide(cea.averted_draws(path(), N, 1), again, 8e5, delay=1.25)[0] == first
    assert cea.decide(cea.averted_draws(path(), N, 2), again, 8e5, delay=1.25)[0].npv != first.npv


@pytest.mark.parametrize(
    ("cost", "observed", "word"),
    [
        (1e5, (450, 300, 150, 80), "dominant"),
        (9e6, (450, 300, 150, 80), "cost_more_effect_more"),
        (8e5, (600, 400, 200, 80), "dominated"),
    ],
)
def test_dominance_words_and_no_negative_icer(
    costs: UnitCosts, cost: float, observed: tuple[float, ...], word: str
) -> None:
    """The ICER is a number only where more is paid for more, and then it is positive."""
    decision, _ = decided(costs, cost, observed=observed)
    assert decision.dominance == word
    assert (decision.icer is not None) == (word == "cost_more_effect_more")
    assert decision.icer is None or decision.icer > 0


def test_break_even_makes_the_saving_nil(costs: UnitCosts) -> None:
    """At the break-even programme cost, effect factor and rate ratio the net saving is zero."""
    draws = cea.averted_draws(path(), N, 1)
    d, _ = cea.decide(draws, costs, 8e5, delay=1.25)
    assert cea.decide(draws, costs, d.breakeven["programme_cost"], delay=1.25)[0].npv == pytest.approx(0, abs=1e-6)
    scaled = replace(draws, values=draws.values * d.breakeven["effect_factor"])
    assert cea.decide(scaled, costs, 8e5, delay=1.25)[0].npv == pytest.approx(0, abs=1e-6)
    uniform = np.tile(draws.mu0 * (1 - d.breakeven["rate_ratio"]), (N, 1))  # type: ignore[operator]
    assert uniform[0].sum() == pytest.approx(d.breakeven["averted_cases"])
    assert cea.decide(replace(draws, values=uniform), costs, 8e5, delay=1.25)[0].npv == pytest.approx(0, abs=1e-6)


def test_no_break_even_where_none_exists(costs: UnitCosts) -> None:
    """A programme dearer than every avertable injury has no break-even rate ratio; a harmful one no factor."""
    assert decided(costs, 1e9)[0].breakeven["rate_ratio"] is None
    assert decided(costs, observed=(600, 400, 200, 80))[0].breakeven["effect_factor"] is None


def test_a_free_programme_has_no_ratio(costs: UnitCosts) -> None:
    """BCR is null at cost 0."""
    d, _ = decided(costs, 0.0)
    assert d.bcr is None and d.bcr_low is None and d.npv == d.averted_cost


def test_an_uncertain_programme_cost_widens_the_interval(costs: UnitCosts) -> None:
    """A programme cost with a range is drawn with the rest."""
    cost = Parameter(name="programme_cost", value=8e5, low=0.1e5, high=15.9e5, distribution="gamma", price_year=2024)
    wide, narrow = (cea.decide(cea.averted_draws(path(std_error=(0.01,) * 4), N, 1), costs, c)[0] for c in (cost, 8e5))
    assert wide.npv_high - wide.npv_low > narrow.npv_high - narrow.npv_low  # type: ignore[operator]


@pytest.mark.parametrize("df", [0.7, 1.0, 2.9])
def test_below_three_df_there_is_no_mean(costs: UnitCosts, df: float) -> None:
    """Low df: interval and break-even only; no mean, confidence, ICER or Psa (so no CEAC, no EVPI)."""
    decision, psa = decided(costs, df=df)
    assert psa is None and decision.refused == "cea.refused.low_df"
    for name in ("npv", "averted_cost", "averted_cases", "bcr", "icer", "confidence"):
        assert getattr(decision, name) is None
    assert decision.npv_low < decision.npv_high and decision.breakeven["rate_ratio"] is not None  # type: ignore[operator]
    assert decision.icer_set["type"] in ("interval", "complement", "whole_line")


def test_three_df_are_enough(costs: UnitCosts) -> None:
    """At df 3 the mean exists and is given with its Monte Carlo error."""
    assert decided(costs, df=3.0)[0].refused is None


@pytest.mark.parametrize("change", [{"df": None}, {"rule": "not_testable"}])
def test_a_design_without_a_test_gets_break_even_only(costs: UnitCosts, change: dict) -> None:
    """One treated cluster: no interval, no mean, whatever the covariance pretends."""
    decision, psa = decided(costs, **change)
    assert psa is None and decision.refused == "cea.refused.not_testable"
    assert decision.npv_low is None and decision.npv is None and decision.breakeven["averted_cases"] > 0  # type: ignore[operator]


def test_without_any_stratum_nothing_is_claimed(costs: UnitCosts) -> None:
    """If every severity has too few expected cases, the total is not turned into money."""
    decision, psa = decided(costs, mu0=(9, 6, 3, 82), observed=(7, 5, 2, 80))
    assert psa is None and decision.refused == "cea.refused.no_stratum" and decision.npv is None
    alone = path(outcomes=("avertable",), observed=(450,), mu0=(515,), std_error=(0.06,))
    assert cea.averted_draws(alone, 10).refused == "cea.refused.no_stratum"


def test_every_perspective_reads_the_same_draws(costs: UnitCosts) -> None:
    """Averted costs of fund, employer and worker add up to society's."""
    draws = cea.averted_draws(path(), N, 1)
    saved = {p: cea.decide(draws, costs, 0.0, perspective=p)[0].averted_cost for p in cea.PERSPECTIVES}
    assert saved["fund"] + saved["employer"] + saved["worker"] == pytest.approx(saved["society"])  # type: ignore[operator]


def test_flows_of_the_programme_are_charged_to_who_pays_them(costs: UnitCosts) -> None:
    """The fund pays the project, employers the working time, society both; at its first flow nothing is discounted."""
    flows = cea.programme_flows(8e5, 2023.25, price_year=2024, person_hours=4000, hourly_wage=40.0)
    draws = cea.averted_draws(path(), N, 1)
    paid = {p: cea.decide(draws, costs, flows, perspective=p)[0].programme_cost for p in cea.PERSPECTIVES}
    assert paid == pytest.approx({"fund": 8e5, "employer": 1.6e5, "worker": 0.0, "society": 9.6e5})
    with pytest.raises(UserError, match="mixed_prices"):
        cea.decide(draws, costs, cea.programme_flows(8e5, 2023.25, price_year=2022))


def test_a_discount_of_zero_ignores_the_delay() -> None:
    """Without discounting, when an injury is averted does not matter."""
    free = cea.unit_costs(cea.schedule(2024), n=N, seed=1, discount=0.0)
    draws = cea.averted_draws(path(), N, 1)
    assert cea.decide(draws, free, 8e5)[0].npv == pytest.approx(cea.decide(draws, free, 8e5, delay=5)[0].npv)


def test_notes_say_what_was_assumed(costs: UnitCosts) -> None:
    """Benefits only, unverified unit costs and strata without effect are said with the result."""
    notes = decided(costs, **SMALL)[0].notes
    assert {"cea.note.benefits_only", "cea.note.unverified", "cea.note.zero_stratum"} <= set(notes)


def bad_path(**change: object) -> EffectPath:
    return replace(path(), **change)


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda: cea.averted_draws(bad_path(mu0=None)), "effect_without_counts"),
        (lambda: cea.averted_draws(bad_path(inference=())), "effect_without_inference"),
        (lambda: cea.averted_draws(bad_path(vcov=None)), "effect_without_covariance"),
        (lambda: cea.averted_draws(path(outcomes=("avertable.g7_10",) * 4)), "effect_rows_repeated"),
        (lambda: cea.averted_draws(path(), 10**7), "too_many_draws"),
        (lambda: cea.averted_draws(path(outcomes=("x", *OUTCOMES[1:]), **SMALL), 10, small="pooled"), "no_pooled_row"),
    ],
)
def test_effects_that_cannot_be_drawn_are_refused(call: object, key: str) -> None:
    """No counts, no inference, no covariance, several rows of one severity: each has its own message."""
    with pytest.raises(UserError, match=key):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("n", "cost", "perspective", "key"),
    [
        (N - 1, 8e5, "fund", "unequal_draws"),
        (N, -1.0, "fund", "negative_programme_cost"),
        (N, 8e5, "province", "unknown_perspective"),
        (N, Parameter(name="c", value=1.0, price_year=2019), "fund", "mixed_prices"),
    ],
)
def test_sides_that_do_not_fit_are_refused(costs: UnitCosts, n: int, cost: object, perspective: str, key: str) -> None:
    """Unequal draws, a negative cost, an unknown perspective and mixed price years are told."""
    with pytest.raises(UserError, match=key):
        cea.decide(cea.averted_draws(path(), n, 1), costs, cost, perspective=perspective)  # type: ignore[arg-type]


def test_a_severity_without_unit_cost_is_told(costs: UnitCosts) -> None:
    """An effect in a group that the schedule does not price names the group."""
    odd = path(outcomes=("avertable", "avertable.ungraded", "avertable.grave", "commute"))
    with pytest.raises(UserError, match="grave"):
        cea.decide(cea.averted_draws(odd, N, 1), costs, 8e5)


def sampled(rng: np.random.Generator, df: float, truth: np.ndarray, root: np.ndarray, mu0: np.ndarray) -> Draws:
    """Draws from one data set: an estimate around the truth, its covariance estimated with `df`."""
    estimate = truth + root @ rng.standard_normal(2)
    scale = root @ root.T * rng.chisquare(df) / df
    theta = np.sqrt(np.diag(scale)) / mu0
    p = EffectPath(
        method="ppml",
        terms=tuple(
            Term(term="overall", outcome=f"avertable.{s}", measure="log_rate_ratio") for s in ("ungraded", "g7_10")
        ),
        estimate=np.log((mu0 - estimate) / mu0),
        vcov=scale / np.outer(mu0, mu0),
        observed=mu0 - estimate,
        mu0=mu0,
        inference=tuple(Inference(rule="cr3", std_error=float(s), df=df) for s in theta),
    )
    return cea.averted_draws(p, 2000, int(rng.integers(2**31)))


@pytest.mark.parametrize("df", [4.0, 15.0])
@pytest.mark.parametrize("truth", [(0.0, 0.0), (40.0, 25.0)])
def test_the_interval_of_the_net_saving_covers(df: float, truth: tuple[float, float]) -> None:
    """Over 400 data sets the 95 % interval holds the true NPV in 95 % of them, at a null and at an effect."""
    plan = cea.schedule(2024)
    fixed = cea.schedule(2024, overrides={n: p.value for n, p in plan.parameters.items()})
    exact = cea.unit_costs(fixed, n=2000, seed=1)
    price = exact.of("fund", ("ungraded", "g7_10"))[0]
    rng = np.random.default_rng(11)
    root = np.array([[24.0, 0.0], [8.0, 13.0]])
    mu0 = np.array([340.0, 175.0])
    known = float(np.array(truth) @ price) - 8e5
    hits = 0
    for _ in range(400):
        d, _ = cea.decide(sampled(rng, df, np.array(truth), root, mu0), exact, 8e5)
        hits += d.npv_low <= known <= d.npv_high  # type: ignore[operator]
    assert 0.92 <= hits / 400 <= 0.98


ODD = {
    "a covariance that cannot be": (
        lambda c: cea.averted_draws(replace(path(), vcov=np.full((4, 4), 0.01) - 0.009 * np.eye(4)[::-1]), 10),
        "correlation_outside"),
    "a covariance with gaps": (
        lambda c: cea.averted_draws(replace(path(), vcov=np.full((4, 4), np.nan)), 10), "'vcov', 'row': 1"),
    "half a draw": (lambda c: cea.averted_draws(path(), 10.5), "value_outside"),
    "expected injuries below zero": (
        lambda c: cea.averted_draws(path(), 10, expected={"death": -1.0}), "expected death"),
    "a rule nobody knows": (lambda c: cea.averted_draws(path(), 10, small="none"), "choice_unknown"),
    "a programme without a cost": (lambda c: decided(c, None), "'programme_cost'"),
    "an infinite cost": (lambda c: decided(c, np.inf), "'programme_cost'"),
    "injuries averted before the start": (
        lambda c: cea.decide(cea.averted_draws(path(), N, 1), c, 1e5, delay=-1.0), "'delay'"),
    "shares that come to nothing": (
        lambda c: cea.decide(cea.averted_draws(path(), N, 1), c, 1e5, delay=[(0.0, 1.0)]), "'delay'"),
    "a level in per cent": (
        lambda c: cea.decide(cea.averted_draws(path(), N, 1), c, 1e5, level=95), "level_outside"),
    "no severity to price": (lambda c: cea.unit_costs(cea.schedule(2024), n=9, severity={}), "unknown_grade"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_input_of_the_decision_is_told(costs: UnitCosts, name: str) -> None:
    """Never a traceback, never a clipped covariance, never a number of nothing."""
    call, told = ODD[name]
    with pytest.raises(UserError, match=told):
        call(costs)


def test_unknown_degrees_of_freedom_carry_no_mean() -> None:
    """A df that is no number is refused like a low one."""
    assert cea.averted_draws(path(df=float("nan")), 10).refused == "cea.refused.low_df"


def test_any_number_is_a_cost_and_a_delay(costs: UnitCosts) -> None:
    """Whole numbers of numpy and decimals give the decision of the plain number."""
    drawn = cea.averted_draws(path(), N, 1)
    plain = cea.decide(drawn, costs, 800_000.0, delay=1.0)[0].npv
    assert cea.decide(drawn, costs, np.int64(800_000), delay=np.int64(1))[0].npv == plain
