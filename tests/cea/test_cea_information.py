"""Value of knowing parameters and of collecting data; how the decision moves with one or two parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit import cea
from evalkit.core import Psa, UserError

GOLDEN = Path(__file__).parent.parent / "golden" / "cea"
VOI = pd.read_csv(GOLDEN / "synthetic_voi_evppi.csv")
TRUTH = pd.read_csv(GOLDEN / "synthetic_truth_evppi.csv")
SETS = sorted(VOI.pars.unique())


@pytest.mark.parametrize("pars", SETS)
def test_evppi_equals_voi(psa: Psa, pars: str) -> None:
    """Within 3 % of EVPI of R voi's additive model (its Gaussian process above four parameters), at every threshold."""
    method = "gam" if pars.count(",") < 4 else "gp"
    golden = VOI[(VOI.pars == pars) & (VOI.method == method)].sort_values("k")
    names = pars.split(",")
    found = cea.evppi(psa, [names], golden.k).values["+".join(names)]
    whole = cea.evpi(psa, golden.k).values["evpi"]
    assert (np.abs(found - golden.evppi) <= 0.03 * whole).all()


def generated(n: int, seed: int) -> Psa:
    """Fresh draws of the model behind the shipped ones: two correlated effects, benefit and programme costs."""
    rng = np.random.default_rng(seed)
    train, inspect = rng.multivariate_normal([6.0, 9.5], [[6.25, 5.25], [5.25, 12.25]], n).T

    def gamma(mean: float, se: float) -> np.ndarray:
        return rng.gamma((mean / se) ** 2, se**2 / mean, n)

    injury, share, disabled = gamma(38_000, 6_000), rng.beta(30, 170, n), gamma(165_000, 30_000)
    benefit = injury + share * disabled
    programme = gamma(410_000, 40_000), gamma(760_000, 90_000)
    zero = np.zeros(n)
    return cea.psa_from_arrays(
        np.c_[zero, programme[0] - train * benefit, programme[1] - inspect * benefit],
        np.c_[zero, train, inspect],
        ("none", "train", "inspect"),
        comparator="none",
        parameters={
            "att_train": train, "att_inspect": inspect, "c_injury": injury, "p_disab": share, "c_disab": disabled,
            "c_prog_train": programme[0], "c_prog_inspect": programme[1],
        },
        seed=1,
    )  # fmt: skip


@pytest.mark.parametrize("label", sorted(set(TRUTH.pars) - {"EVPI"}))
def test_evppi_is_near_the_truth(label: str) -> None:
    """The generating model's own EVPPI within 2 % of EVPI from 100,000 draws, give or take 1."""
    truth, whole = (TRUTH[TRUTH.pars == name].sort_values("k") for name in (label, "EVPI"))
    found = cea.evppi(generated(100_000, 7), [label.split("+")], truth.k).values[label]
    assert (np.abs(found - truth.value.to_numpy()) <= 0.02 * whole.value.to_numpy()).all()


def test_evppi_grows_with_the_set(psa: Psa) -> None:
    """EVPPI(A) ≤ EVPPI(A ∪ B) ≤ EVPI within Monte Carlo error."""
    k = np.array([1e4, 2e4, 4e4])
    curve = cea.evppi(psa, ["att_train", ["att_train", "att_inspect"], list(psa.parameter_names)], k)
    one, two, every = (curve.values[label] for label in curve.values)
    error = np.max([curve.mc_error[label] for label in curve.values], axis=0)
    assert (one <= two + error).all() and (two <= every + error).all()
    assert (every <= cea.evpi(psa, k).values["evpi"] + error).all()


def test_a_meaningless_parameter_stays_at_its_floor(psa: Psa) -> None:
    """Draws that have nothing to do with cost or effect are worth no more than shuffled ones, within error."""
    from dataclasses import replace

    noise = np.random.default_rng(3).normal(size=(psa.n, 1))
    wider = replace(psa, parameters=np.hstack([psa.parameters, noise]), parameter_names=(*psa.parameter_names, "noise"))
    curve = cea.evppi(wider, "noise", [2e4, 4e4])
    assert (curve.values["noise"] <= curve.floor["noise"] + 2 * curve.mc_error["noise"]).all()


def test_a_constant_parameter_is_worth_nothing(psa: Psa) -> None:
    """A parameter that does not vary has EVPPI zero, alone and beside another."""
    from dataclasses import replace

    wider = replace(
        psa, parameters=np.hstack([psa.parameters, np.ones((psa.n, 1))]), parameter_names=(*psa.parameter_names, "one")
    )
    curve = cea.evppi(wider, ["one", "att_train", ["att_train", "one"]], [2e4])
    assert curve.values["one"][0] == pytest.approx(0.0, abs=1e-6)
    assert curve.values["att_train+one"][0] == pytest.approx(curve.values["att_train"][0], rel=1e-9)


def test_evppi_of_a_straight_line_is_exact() -> None:
    """Net benefit linear in a normal parameter: the unit normal loss, within three Monte Carlo errors."""
    rng = np.random.default_rng(5)
    theta, noise = rng.normal(1.0, 2.0, 20_000), rng.normal(0.0, 5.0, 20_000)
    zero = np.zeros_like(theta)
    psa = cea.psa_from_arrays(
        np.c_[zero, zero], np.c_[zero, theta + noise], ("a", "b"), comparator="a", parameters={"theta": theta}, seed=1
    )
    found = cea.evppi(psa, "theta", [1.0])
    from math import erf, exp, pi, sqrt

    z = 1.0 / 2.0
    loss = 2.0 * (exp(-(z**2) / 2) / sqrt(2 * pi) - z * (1 - (1 + erf(z / sqrt(2))) / 2))
    assert found.values["theta"][0] == pytest.approx(loss, abs=3 * found.mc_error["theta"][0])


def test_sample_information_grows_towards_perfect_information(psa: Psa) -> None:
    """EVSI rises with the amount of data, stays below the EVPPI and reaches it with very much data."""
    names, k = ["att_train", "att_inspect"], [1e4, 2e4, 4e4]
    curve = cea.evsi(psa, names, {"little": 0.1, "same": 1.0, "much": 1e6}, k)
    whole = cea.evppi(psa, [names], k)
    error = whole.mc_error["att_train+att_inspect"]
    assert (curve.values["little"] <= curve.values["same"] + error).all()
    assert (curve.values["same"] <= curve.values["much"] + error).all()
    np.testing.assert_allclose(curve.values["much"], whole.values["att_train+att_inspect"], rtol=0.02)


def test_sample_information_of_a_normal_mean_is_the_closed_form() -> None:
    """Conjugate normal: preposterior standard deviation √(r/(1+r)) σ in the unit normal loss."""
    rng = np.random.default_rng(6)
    theta = rng.normal(0.0, 3.0, 50_000)
    zero = np.zeros_like(theta)
    psa = cea.psa_from_arrays(
        np.c_[zero, zero], np.c_[zero, theta], ("a", "b"), comparator="a", parameters={"theta": theta}, seed=1
    )
    found = cea.evsi(psa, "theta", {"half": 0.5}, [1.0])
    wanted = 3.0 * np.sqrt(0.5 / 1.5) / np.sqrt(2 * np.pi)
    assert found.values["half"][0] == pytest.approx(wanted, abs=4 * found.mc_error["half"][0])


def test_net_benefit_of_sampling_takes_the_cost_off(psa: Psa) -> None:
    """ENBS = EVSI × population − cost, study by study; a study without a price is refused."""
    sample = cea.evsi(psa, "att_train", {"year": 0.5, "cities": 1.0}, [2e4])
    net = cea.enbs(sample, {"year": 1e4, "cities": 5e4}, population=3)
    assert net.values["year"][0] == pytest.approx(3 * sample.values["year"][0] - 1e4)
    with pytest.raises(UserError, match="unknown_study"):
        cea.enbs(sample, {"year": 1e4})


def test_tornado_orders_splits_and_names_the_flip(psa: Psa) -> None:
    """Bars by width; the value at which a bar changes sign is the break-even of its parameter."""
    bars = cea.tornado(psa, 2e4, strategy="train")
    widths = [abs(b.outcome_high - b.outcome_low) for b in bars]
    assert widths == sorted(widths, reverse=True) and bars[0].parameter == "att_train"
    base = cea.inmb(psa, 2e4)[:, 1].mean()
    for bar in bars:
        assert bar.base == pytest.approx(base)
        crosses = bar.outcome_low * bar.outcome_high < 0
        assert (bar.flips_at is not None) == crosses
    even = cea.breakeven(psa, "att_train", 2e4, strategy="train")
    assert even == pytest.approx(bars[0].flips_at, rel=0.01)


def test_one_and_two_way_agree_with_a_linear_model() -> None:
    """On a model without noise and interaction both analyses give it back."""
    rng = np.random.default_rng(8)
    a, b = rng.normal(2, 1, 4_000), rng.normal(-1, 0.5, 4_000)
    zero = np.zeros_like(a)
    psa = cea.psa_from_arrays(
        np.c_[zero, 3 * b], np.c_[zero, 2 * a], ("x", "y"), comparator="x", parameters={"a": a, "b": b}, seed=1
    )
    one = cea.one_way(psa, "a", 10.0)
    slope = np.polyfit(one.value, one.inmb, 1)[0]
    assert slope == pytest.approx(20.0, rel=0.01)
    two = cea.two_way(psa, ("a", "b"), 10.0, points=7)
    np.testing.assert_allclose(two.inmb, 20 * two.a - 3 * two.b, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (lambda p: cea.evppi(p, "att_trian", [1e4]), "unknown_draw"),
        (lambda p: cea.evsi(p, "att_train", {"none": 0.0}, [1e4]), "information_outside"),
        (lambda p: cea.tornado(p, 1e4), "unknown_strategy"),
        (lambda p: cea.evppi(cea.psa_from_arrays(p.cost, p.effect, p.strategies, comparator="none"), "x", [1.0]),
         "psa_without_parameters"),
    ],
)  # fmt: skip
def test_mistakes_are_told(psa: Psa, call, key: str) -> None:
    """A wrong name, no data, an unnamed strategy, an analysis without parameters."""
    with pytest.raises(UserError, match=key):
        call(psa)


def test_same_seed_same_result_when_a_parameter_is_added(psa: Psa) -> None:
    """Streams are keyed by name: values and errors of a set do not move when another parameter joins."""
    from dataclasses import replace

    wider = replace(
        psa, parameters=np.hstack([psa.parameters, np.ones((psa.n, 1))]), parameter_names=(*psa.parameter_names, "one")
    )
    a, b = cea.evppi(psa, "att_train", [2e4]), cea.evppi(wider, "att_train", [2e4])
    assert a.values["att_train"] == b.values["att_train"] and a.mc_error["att_train"] == b.mc_error["att_train"]
