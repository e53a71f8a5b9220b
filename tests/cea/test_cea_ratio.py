"""Sets for the ratio from draws and from individuals; returns and payback."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import cea
from evalkit.core import Flow, Psa, UserError


def made(mean: tuple[float, float], sd: tuple[float, float], rho: float, n: int = 20_000, seed: int = 1) -> Psa:
    """Draws of (ΔC, ΔE), normal, against a comparator at nil."""
    rng = np.random.default_rng(seed)
    cov = rho * sd[0] * sd[1]
    c, e = rng.multivariate_normal(mean, [[sd[0] ** 2, cov], [cov, sd[1] ** 2]], n).T
    zero = np.zeros(n)
    return cea.psa_from_arrays(np.c_[zero, c], np.c_[zero, e], ("usual", "programme"), comparator="usual")


STRONG = ((1_000.0, 0.01), (324.0, 0.001925), -0.71)


def test_fieller_of_draws_is_fieller_of_their_moments() -> None:
    """The set from a Psa is the one of the mean, variances and covariance of its increments."""
    psa = made(*STRONG)
    c, e = psa.cost[:, 1], psa.effect[:, 1]
    v = np.cov(c, e)
    assert cea.icer_set(psa) == cea.fieller(c.mean(), e.mean(), v[0, 0], v[1, 1], v[0, 1])


def test_draws_of_students_t_give_back_the_set_of_the_estimate() -> None:
    """A million t draws (8 df) around an estimate: the set of that estimate with its scale and t quantile."""
    psa, df = made((0.0, 0.0), STRONG[1], STRONG[2], n=1_000_000), 8
    root = np.sqrt(df / np.random.default_rng(3).chisquare(df, psa.n))[:, None]
    drawn = cea.psa_from_arrays(
        psa.cost * root + [0.0, 1_000.0], psa.effect * root + [0.0, 0.01], psa.strategies, comparator="usual"
    )
    c, e = STRONG[1]
    wanted = cea.fieller(1_000.0, 0.01, c**2, e**2, STRONG[2] * c * e, df=df)
    found = cea.icer_set(drawn, df=df)
    assert found.type == wanted.type and (found.low, found.high) == pytest.approx((wanted.low, wanted.high), rel=0.01)
    with pytest.raises(UserError, match="df_outside"):
        cea.icer_set(drawn, df=2)


def test_percentiles_of_a_strong_effect_are_those_of_the_ratio() -> None:
    """Where every draw averts injuries, the wedge of directions is the central interval of the ratios."""
    psa = made(*STRONG)
    found = cea.icer_set(psa, "percentile")
    ratios = psa.cost[:, 1] / psa.effect[:, 1]
    assert found.type == "interval"
    assert (found.low, found.high) == pytest.approx(np.quantile(ratios, [0.025, 0.975]), rel=2e-3)


def test_all_methods_agree_on_a_strong_effect() -> None:
    """With |ΔE|/se = 20 Fieller, BCa and percentile give nearly one interval."""
    psa = made((1_000.0, 1.0), (300.0, 0.05), 0.2, n=200_000)
    sets = [cea.icer_set(psa, m) for m in ("fieller", "bca", "percentile")]
    for s in sets[1:]:
        assert s.type == "interval" and (s.low, s.high) == pytest.approx((sets[0].low, sets[0].high), rel=0.02)


@pytest.mark.parametrize(("ratio", "kind"), [(4.0, "interval"), (0.2, "whole_line")])
@pytest.mark.parametrize("method", ["fieller", "bca", "percentile"])
def test_the_type_follows_the_evidence(method: str, ratio: float, kind: str) -> None:
    """Clear effects give an interval; where neither cost nor effect is known no value is excluded."""
    psa = made((ratio, ratio), (1.0, 1.0), 0.0)
    assert cea.icer_set(psa, method).type == kind


@pytest.mark.parametrize("method", ["fieller", "bca", "percentile"])
def test_a_sure_cost_and_an_unsure_effect_give_a_complement(method: str) -> None:
    """The number averted cannot be told from nil: the ratio may be very high or negative, but not near nil."""
    found = cea.icer_set(made((100.0, 1.0), (1.0, 1.0), 0.0), method)
    assert found.type == "complement" and found.low < 0 < found.high
    assert found.contains(100.0) and found.contains(-1e9) and not found.contains(1.0)


@given(st.floats(0.01, 100), st.floats(0.01, 100), st.sampled_from(["fieller", "bca", "percentile"]))
@settings(max_examples=30, deadline=None)
def test_units_scale_the_set(money: float, cases: float, method: str) -> None:
    """Another currency or unit of effect scales the limits and keeps the type."""
    psa = made((300.0, 1.0), (200.0, 0.7), 0.3, n=2_000)
    other = cea.psa_from_arrays(psa.cost * money, psa.effect * cases, psa.strategies, comparator="usual")
    a, b = cea.icer_set(psa, method), cea.icer_set(other, method)
    assert a.type == b.type
    if a.low is not None:
        assert (b.low, b.high) == pytest.approx((a.low * money / cases, a.high * money / cases), rel=1e-6)


def individuals(seed: int, m: int = 80, gain: float = 1.0):
    rng = np.random.default_rng(seed)
    treated = np.repeat([True, False], m)
    cost = rng.lognormal(5.0, 0.8, 2 * m) + 60.0 * treated
    effect = rng.normal(0.0, 1.0, 2 * m) + gain * treated
    return cost, effect, treated


def test_the_bootstrap_of_individuals_is_the_textbook_one() -> None:
    """BCa limits of two arms agree with those of the ratio itself, with jackknife acceleration, within resampling."""
    from scipy import stats

    cost, effect, treated = individuals(3)
    found = cea.icer_bootstrap(cost, effect, treated, n=20_000, seed=2)

    def ratio(ct, et, cc, ec, axis=-1):
        return (ct.mean(axis) - cc.mean(axis)) / (et.mean(axis) - ec.mean(axis))

    rng = np.random.default_rng(5)
    m = 80
    idx = [rng.integers(m, size=(20_000, m)) for _ in range(2)]
    ct, et, cc, ec = cost[:m], effect[:m], cost[m:], effect[m:]
    drawn = ratio(ct[idx[0]], et[idx[0]], cc[idx[1]], ec[idx[1]])
    estimate = ratio(ct, et, cc, ec)
    shift = stats.norm.ppf((drawn < estimate).mean())
    arms = []
    for arm in range(2):
        left = []
        for i in range(m):
            keep = np.arange(m) != i
            a = (ct[keep], et[keep], cc, ec) if arm == 0 else (ct, et, cc[keep], ec[keep])
            left.append(ratio(*a))
        arms.append((m - 1) / m * (np.mean(left) - np.array(left)))
    pull = np.concatenate(arms)
    a = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    z = shift + np.array([-1.959964, 1.959964])
    wanted = np.quantile(drawn, stats.norm.cdf(shift + z / (1 - a * z)))
    assert found.type == "interval" and (found.low, found.high) == pytest.approx(tuple(wanted), rel=0.08, abs=4)


def test_whole_clusters_are_resampled() -> None:
    """Rows that repeat within a cluster add nothing: doubled rows in clusters give the set of the single rows."""
    cost, effect, treated = individuals(1)
    label = np.arange(len(cost))
    one = cea.icer_bootstrap(cost, effect, treated, seed=4)
    two = cea.icer_bootstrap(
        np.repeat(cost, 2), np.repeat(effect, 2), np.repeat(treated, 2), cluster=np.repeat(label, 2), seed=4
    )
    assert (two.low, two.high) == pytest.approx((one.low, one.high))
    naive = cea.icer_bootstrap(np.repeat(cost, 2), np.repeat(effect, 2), np.repeat(treated, 2), seed=4)
    assert naive.high - naive.low < 0.85 * (one.high - one.low)


def test_mistakes_of_the_set_are_told() -> None:
    """An unknown method or strategy, too few samples, an arm of one."""
    psa = made(*STRONG, n=50)
    with pytest.raises(UserError, match="unknown_method"):
        cea.icer_set(psa, "delta")
    with pytest.raises(UserError, match="unknown_strategy"):
        cea.icer_set(psa, strategy="usual")
    with pytest.raises(UserError, match="bootstrap_outside"):
        cea.icer_bootstrap(*individuals(1), n=50)
    with pytest.raises(UserError, match="bootstrap_outside"):
        cea.icer_bootstrap([1.0, 2, 3], [1.0, 2, 3], [True, False, False])


def test_returns_are_saving_and_ratio() -> None:
    """NPV = averted − programme cost; BCR over a sure cost is the saving scaled; Fieller agrees with normal draws."""
    rng = np.random.default_rng(1)
    saved = rng.normal(1.5e6, 3e5, 100_000)
    found = cea.returns(saved, 1e6)
    assert found.npv == pytest.approx(saved.mean() - 1e6)
    assert (found.bcr_low, found.bcr_high) == pytest.approx(((found.npv_low + 1e6) / 1e6, (found.npv_high + 1e6) / 1e6))
    assert (found.bcr_set.low, found.bcr_set.high) == pytest.approx((found.bcr_low, found.bcr_high), rel=0.01)
    unsure = cea.returns(saved, rng.gamma(25.0, 4e4, 100_000))
    assert unsure.bcr == pytest.approx(1.5, rel=0.01) and unsure.bcr_high - unsure.bcr_low > 1.2
    free = cea.returns(saved, 0.0)
    assert free.bcr is None and free.bcr_set is None and free.npv == pytest.approx(saved.mean())


def test_returns_refuse_what_does_not_fit() -> None:
    """Unequal draws and negative programme costs are told."""
    with pytest.raises(UserError, match="unequal_draws"):
        cea.returns(np.ones(5), np.ones(4))
    with pytest.raises(UserError, match="negative_programme_cost"):
        cea.returns(np.ones(5), -1.0)


def flow(year: float, amount: float, averted: bool) -> Flow:
    return Flow(
        year=year, amount=amount, item="x", payer="fund", payee="provider", category="medical", averted=averted,
        price_year=2024,
    )  # fmt: skip


def test_payback_is_the_year_in_which_the_balance_turns() -> None:
    """100 spent, 40 a year saved: two and a half years undiscounted, later with discounting, never within two years."""
    flows = [flow(2023.0, 100.0, False), *(flow(2023.0 + t, 40.0, True) for t in (1, 2, 3))]
    assert cea.payback(flows, "fund", rate=0.0) == pytest.approx(2.5)
    assert cea.payback(flows, "fund", rate=0.05) == pytest.approx(2 + (100 - 40 / 1.05 - 40 / 1.05**2) / (40 / 1.05**3))
    assert cea.payback(flows[:3], "fund", rate=0.0) is None
    assert cea.payback(flows[1:], "fund", rate=0.0) == 0.0
    assert cea.payback([], "fund") is None


def test_payback_waits_for_the_last_outlay() -> None:
    """Money that came back and is spent again is not paid back until it stays."""
    flows = [flow(2020.0, 10.0, False), flow(2021.0, 20.0, True), flow(2022.0, 30.0, False), flow(2023.0, 40.0, True)]
    assert cea.payback(flows, "fund", rate=0.0) == pytest.approx(2.5)
