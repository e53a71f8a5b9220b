"""Acceptability, loss, value of information, frontier: golden numbers and laws."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import cea
from evalkit.core import Psa, UserError

GOLDEN = Path(__file__).parent.parent / "golden" / "cea"
STRATEGIES = ("none", "train", "inspect")


@pytest.fixture(scope="module")
def psa() -> Psa:
    frame = pd.read_csv(GOLDEN / "synthetic_wi_psa.csv")
    cost, effect = (frame[[f"{p}_{s}" for s in STRATEGIES]].to_numpy() for p in "ce")
    drawn = {c: frame[c].to_numpy() for c in frame.columns[:7]}
    return cea.psa_from_arrays(cost, effect, STRATEGIES, comparator="none", parameters=drawn)


@pytest.fixture(scope="module")
def by_k() -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "synthetic_bcea_by_k.csv")


def test_ceac_and_ceaf_equal_bcea(psa: Psa, by_k: pd.DataFrame) -> None:
    """Share of draws in which each strategy is best, exactly; frontier of the best by mean."""
    curve, front = cea.ceac(psa, by_k.k), cea.ceaf(psa, by_k.k)
    for s in STRATEGIES:
        np.testing.assert_allclose(curve.values[s], by_k[f"p_best_{s}"], atol=1e-12)
    chosen = np.nanmax(np.stack([front.values[s] for s in STRATEGIES]), axis=0)
    np.testing.assert_allclose(chosen, by_k.ceaf, atol=1e-12)


def test_evpi_equals_bcea_and_voi(psa: Psa, by_k: pd.DataFrame) -> None:
    """Value of perfect information over all thresholds, two packages."""
    np.testing.assert_allclose(cea.evpi(psa, by_k.k).values["evpi"], by_k.EVPI, rtol=1e-9)
    voi = pd.read_csv(GOLDEN / "synthetic_voi_evpi.csv")
    np.testing.assert_allclose(cea.evpi(psa, voi.k).values["evpi"], voi.evpi, rtol=1e-9)


def test_net_benefit_equals_bcea(psa: Psa, by_k: pd.DataFrame) -> None:
    """Mean incremental net benefit of every strategy against none."""
    for row in by_k.itertuples():
        mean = cea.inmb(psa, row.k).mean(axis=0)
        np.testing.assert_allclose(mean, [row.ENB_none, row.ENB_train, row.ENB_inspect], rtol=1e-9, atol=1e-6)


def test_expected_loss_equals_dampack(psa: Psa) -> None:
    """Expected loss by strategy and threshold."""
    golden = pd.read_csv(GOLDEN / "synthetic_dampack_expected_loss.csv").pivot(
        index="WTP", columns="Strategy", values="Expected_Loss"
    )
    curve = cea.expected_loss(psa, golden.index)
    for s in STRATEGIES:
        np.testing.assert_allclose(curve.values[s], golden[s], rtol=1e-9)


def test_icers_equal_dampack(psa: Psa) -> None:
    """Costs, effects and ICERs along the frontier."""
    golden = pd.read_csv(GOLDEN / "synthetic_dampack_icers.csv")
    found = cea.icer_table(psa)
    assert found.strategy.tolist() == golden.Strategy.tolist() and set(found.status) == {"on_frontier"}
    np.testing.assert_allclose(found[["cost", "effect", "icer"]], golden[["Cost", "Effect", "ICER"]], rtol=1e-9)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["dampack_icers_hiv_paltiel2006", "dampack_icers_cdiff"])
def test_published_frontiers(reference: Path, name: str) -> None:
    """Paltiel 2006 and C. difficile: ICERs and who is dominated, strongly or by a mixture."""
    golden = pd.read_csv(reference / "cea" / f"{name}.csv").set_index("Strategy")
    rows = cea.frontier_of_means({s: (r.Cost, r.Effect) for s, r in golden.iterrows()})
    word = {"ND": "on_frontier", "D": "dominated", "ED": "extended_dominated"}
    assert {r.strategy: r.status for r in rows} == {s: word[v] for s, v in golden.Status.items()}
    for r in rows:
        if r.icer is not None:
            assert r.icer == pytest.approx(golden.ICER[r.strategy], rel=1e-9)


@pytest.mark.reference
def test_bcea_vaccine(reference: Path) -> None:
    """EVPI and acceptability of the BCEA vaccine example at 20,000 and 25,000."""
    frame = pd.read_csv(reference / "cea" / "input_bcea_vaccine.csv")
    cost = frame[[c for c in frame.columns if c.lower().startswith("c")][:2]].to_numpy()
    effect = frame[[c for c in frame.columns if c.lower().startswith("e")][:2]].to_numpy()
    psa = cea.psa_from_arrays(cost, effect, ("quo", "vaccination"), comparator="quo")
    curve = cea.evpi(psa, [20_000, 25_000]).values["evpi"]
    np.testing.assert_allclose(curve, [2.50562713995627, 2.41446695447437], rtol=1e-9)
    np.testing.assert_allclose(cea.ceac(psa, [20_000, 25_000]).values["vaccination"], [0.457, 0.529], atol=1e-12)


@given(st.integers(0, 10_000), st.integers(2, 5), st.floats(0, 1e5))
@settings(max_examples=40, deadline=None)
def test_laws_of_the_curves(seed: int, s: int, threshold: float) -> None:
    """CEAC sums to one, EVPI ≥ 0 and equals the smallest expected loss, for rounded draws full of ties too."""
    rng = np.random.default_rng(seed)
    cost, effect = np.round(rng.normal(size=(30, s)) * 1e3, -2), np.round(rng.normal(size=(30, s)), 1)
    names = [f"s{i}" for i in range(s)]
    psa = cea.psa_from_arrays(cost, effect, names, comparator="s0")
    assert sum(cea.ceac(psa, [threshold]).values.values())[0] == pytest.approx(1)
    loss = min(v[0] for v in cea.expected_loss(psa, [threshold]).values.values())
    value = cea.evpi(psa, [threshold]).values["evpi"][0]
    assert value >= 0 and value == pytest.approx(loss)
    direct = cea.nmb(psa, threshold)
    assert value == pytest.approx(direct.max(axis=1).mean() - direct.mean(axis=0).max(), abs=1e-6)


def test_exact_ties_are_shared_and_near_ties_are_not() -> None:
    """Equal strategies share a draw; five yuan in a million decide it."""
    cost, effect = np.full((10, 2), 1e6), np.ones((10, 2))
    tied = cea.psa_from_arrays(cost, effect, "ab", comparator="a")
    assert cea.ceac(tied, [0]).values["a"][0] == 0.5
    near = cea.psa_from_arrays(cost - [0, 5], effect, "ab", comparator="a")
    assert cea.ceac(near, [0]).values["b"][0] == 1 and cea.evpi(near, [0]).values["evpi"][0] == 0


def test_acceptability_does_not_depend_on_the_currency() -> None:
    """Money and threshold in another currency leave every share as it was and scale every amount."""
    rng = np.random.default_rng(2)
    cost, effect = rng.normal(size=(200, 3)) * 1e5, rng.normal(size=(200, 3)) * 10
    yuan = cea.psa_from_arrays(cost, effect, "abc", comparator="a")
    other = cea.psa_from_arrays(cost / 4, effect, "abc", comparator="a", currency="HKD")
    np.testing.assert_allclose(cea.ceac(yuan, [8e3]).values["b"], cea.ceac(other, [2e3]).values["b"])
    np.testing.assert_allclose(cea.evpi(yuan, [8e3]).values["evpi"], 4 * cea.evpi(other, [2e3]).values["evpi"])


def test_ceaf_is_not_the_most_probable_strategy() -> None:
    """With a skewed benefit the best on average wins few draws, and the frontier shows that share."""
    cost = np.column_stack([np.zeros(10), np.r_[-100.0, np.ones(9)]])
    psa = cea.psa_from_arrays(cost, np.zeros((10, 2)), "ab", comparator="a")
    front = cea.ceaf(psa, [0])
    assert np.isnan(front.values["a"][0]) and front.values["b"][0] == pytest.approx(0.1)


def test_normal_theory_is_the_limit() -> None:
    """Acceptability and EVPI of normal draws approach the closed form within Monte Carlo error."""
    for row in pd.read_csv(GOLDEN / "normal_inb_cases.csv").itertuples():
        rng = np.random.default_rng(5)
        cov = [[row.seC**2, row.rho * row.seC * row.seE], [row.rho * row.seC * row.seE, row.seE**2]]
        drawn = rng.multivariate_normal([row.dC, row.dE], cov, size=100_000)
        zero = np.zeros(len(drawn))
        psa = cea.psa_from_arrays(
            np.column_stack([zero, drawn[:, 0]]), np.column_stack([zero, drawn[:, 1]]), "ab", comparator="a"
        )
        accept, value = cea.ceac(psa, [row.k]), cea.evpi(psa, [row.k])
        assert abs(accept.values["b"][0] - row.CEAC) < 4 * accept.mc_error["b"][0]
        assert abs(value.values["evpi"][0] - row.EVPI_closed) < 5 * value.mc_error["evpi"][0]


@given(st.integers(0, 10_000), st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_the_hull_is_brute_force(seed: int, s: int) -> None:
    """A strategy is off the frontier exactly where another, or a mixture of two, does as much for less."""
    rng = np.random.default_rng(seed)
    means = {f"s{i}": (float(c), float(e)) for i, (c, e) in enumerate(rng.normal(size=(s, 2)))}
    found = {r.strategy for r in cea.frontier_of_means(means) if r.status == "on_frontier"}
    assert found == {n for n in means if not _beaten(n, means)}
    shuffled = dict(reversed(means.items()))
    assert cea.frontier_of_means(shuffled) == cea.frontier_of_means(means)


def _beaten(name: str, means: dict[str, tuple[float, float]]) -> bool:
    cost, effect = means[name]
    others = [v for n, v in means.items() if n != name]
    if any(c <= cost and e >= effect for c, e in others):
        return True
    for (c1, e1), (c2, e2) in itertools.permutations(others, 2):
        if e1 < effect < e2 and c1 + (c2 - c1) * (effect - e1) / (e2 - e1) < cost:
            return True
    return False


def test_the_cheapest_may_be_the_best() -> None:
    """One strategy that dominates all leaves a frontier of itself."""
    rows = cea.frontier_of_means({"a": (1.0, 5.0), "b": (2.0, 4.0), "c": (3.0, 5.0)})
    assert [(r.strategy, r.status) for r in rows] == [("a", "on_frontier"), ("b", "dominated"), ("c", "dominated")]


@pytest.mark.parametrize(
    ("cost", "effect", "names", "key"),
    [
        (np.zeros((5, 2)), np.zeros((4, 2)), "ab", "unequal_draws"),
        (np.zeros((5, 3)), np.zeros((5, 3)), "ab", "unequal_draws"),
        (np.full((5, 2), np.nan), np.zeros((5, 2)), "ab", "not_finite"),
        (np.zeros((5, 2)), np.zeros((5, 2)), "bc", "unknown_strategy"),
        (np.zeros((5, 2)), np.zeros((5, 2)), "aa", "unknown_strategy"),
    ],
)
def test_draws_that_do_not_fit_are_refused(cost: np.ndarray, effect: np.ndarray, names: str, key: str) -> None:
    """Unequal draws, missing values, a comparator that is not there or a repeated name are told."""
    with pytest.raises(UserError, match=key):
        cea.psa_from_arrays(cost, effect, tuple(names), comparator="a")


def test_parameters_must_have_as_many_draws(psa: Psa) -> None:
    """A parameter sample of another length is refused; a negative threshold too."""
    with pytest.raises(UserError, match="unequal_draws"):
        cea.psa_from_arrays(np.zeros((5, 2)), np.zeros((5, 2)), "ab", comparator="a", parameters={"x": np.ones(4)})
    with pytest.raises(UserError, match="threshold_outside"):
        cea.ceac(psa, [-1.0])
