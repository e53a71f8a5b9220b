"""Morris and Sobol by SALib, results by group, purchasing power."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from evalkit import cea
from evalkit.core import Parameter, UserError


def uniform(name: str, low: float = -np.pi, high: float = np.pi) -> Parameter:
    return Parameter(name=name, value=(low + high) / 2, low=low, high=high, distribution="uniform")


ISHIGAMI = [uniform(n) for n in ("a", "b", "c")]


def ishigami(p):
    return np.sin(p["a"]) + 7 * np.sin(p["b"]) ** 2 + 0.1 * p["c"] ** 4 * np.sin(p["a"])


def test_sobol_indices_of_the_ishigami_function() -> None:
    """First .314, .442, 0; total .558, .442, .244: closed forms of the textbook test function."""
    found = cea.sobol(ishigami, ISHIGAMI, n=4_096).set_index("parameter")
    assert found["first"].to_dict() == pytest.approx({"a": 0.3139, "b": 0.4424, "c": 0.0}, abs=0.02)
    assert found["total"].to_dict() == pytest.approx({"a": 0.5576, "b": 0.4424, "c": 0.2437}, abs=0.02)


def test_sobol_first_index_is_the_share_that_evppi_variance_gives() -> None:
    """Two ways to E-variance shares: SALib's design, and the smoothed draws of the same model."""
    given_ = [
        Parameter(name="cost", value=4e4, low=3e4, high=5e4, distribution="gamma"),
        Parameter(name="averted", value=8.0, low=2.0, high=14.0, distribution="normal"),
    ]

    def saving(p):
        return p["averted"] * p["cost"] - 2e5

    models = {"usual": lambda p: (0.0, 0.0), "programme": lambda p: (-saving(p), p["averted"])}
    psa = cea.psa(models, given_, comparator="usual", n=2**14, sampling="sobol")
    total = cea.inmb(psa, 0.0)[:, 1].var()
    found = cea.sobol(saving, given_, n=4_096).set_index("parameter")
    for name in ("cost", "averted"):
        share = cea.evppi_variance(psa, name, 0.0, strategy="programme") / total
        assert found["first"][name] == pytest.approx(share, abs=0.02)


def test_elementary_effects_of_a_straight_line() -> None:
    """A linear model moves by slope × range wherever it stands: no spread; an input without effect is last at nil."""
    found = cea.morris(lambda p: 3 * p["a"] - p["b"], [*(uniform(n, 0, 1) for n in "abc")])
    assert found.parameter.tolist() == ["a", "b", "c"]
    np.testing.assert_allclose(found.mu_star, [3 * 0.99, 0.99, 0.0], atol=1e-9)
    np.testing.assert_allclose(found.sigma, 0.0, atol=1e-9)


@pytest.mark.parametrize("call", [cea.morris, cea.sobol])
def test_correlated_inputs_are_refused(call) -> None:
    """Neither method holds for correlated inputs: the pair is named; a correlation of nil is none."""
    with pytest.raises(UserError, match="inputs_correlated") as caught:
        call(ishigami, ISHIGAMI, correlation={("a", "b"): 0.4})
    assert "a, b: 0.4" in caught.value.problems[0].values["found"]
    assert len(call(ishigami, ISHIGAMI, n=16, correlation={("a", "b"): 0.0})) == 3


def test_parameters_that_do_not_vary_are_left_out() -> None:
    """A fixed parameter has no index; with fewer than two that vary there is nothing to compare."""
    fixed = replace(ISHIGAMI[2], distribution="fixed")
    with pytest.raises(UserError, match="too_few_inputs"):
        cea.sobol(ishigami, [ISHIGAMI[0], fixed])


def test_a_missing_package_is_told(monkeypatch) -> None:
    """Without SALib the sentence names the extra to install."""
    monkeypatch.setitem(sys.modules, "SALib", None)
    with pytest.raises(UserError, match="extra_missing"):
        cea.morris(ishigami, ISHIGAMI)


def grouped(observed, **change):
    rng = np.random.default_rng(1)
    averted = rng.normal([2.0, 5.0, 9.0], 1.0, (4_000, 3))
    values = {"saving": 4e4, "programme_cost": [1e4, 2e4, 3e4], "min_cases": 10} | change
    return averted, cea.by_group(["small", "middle", "large"], averted, observed=observed, **values)


def test_groups_add_up_to_the_whole() -> None:
    """With nothing hidden, averted injuries and net saving sum to those of all groups together."""
    averted, found = grouped([30, 60, 90])
    assert not found.hidden.any()
    assert found.averted.sum() == pytest.approx(averted.sum(axis=1).mean())
    assert found.net_saving.sum() == pytest.approx((averted.sum(axis=1) * 4e4 - 6e4).mean())
    assert (found.net_low < found.net_saving).all() and (found.net_saving < found.net_high).all()


def test_a_small_group_is_hidden_and_cannot_be_got_back() -> None:
    """Three observed cases are hidden, and the next smallest group with them; so is a group without any."""
    _, found = grouped([3, 60, 90])
    assert found.hidden.tolist() == [True, True, False]
    assert found.loc[found.hidden, ["observed", "averted", "net_saving", "net_low"]].isna().all(axis=None)
    assert grouped([0, 60, 90])[1].hidden.tolist() == [True, True, False]


def test_groups_that_do_not_fit_are_told() -> None:
    """A column too many, or a name twice."""
    with pytest.raises(UserError, match="groups_outside"):
        grouped([3, 60])
    with pytest.raises(UserError, match="groups_outside"):
        cea.by_group(["a", "a"], np.ones((5, 2)), 1.0, [0, 0], [20, 20], min_cases=10)


def test_purchasing_power_is_not_the_market_rate() -> None:
    """100 HKD of 2023 buy what 61.7 yuan buy, and change for 90; there and back is nothing; other years are refused."""
    assert cea.convert(100.0, "HKD", "CNY", 2023, by="ppp") == pytest.approx(100 * 3.6476 / 5.9094)
    assert cea.convert(100.0, "HKD", "CNY", 2023) == pytest.approx(90.0)
    there = cea.convert(7.0, "CNY", "MOP", 2023, by="ppp")
    assert cea.convert(there, "MOP", "CNY", 2023, by="ppp") == pytest.approx(7.0)
    with pytest.raises(UserError, match="no_parameter_for_date"):
        cea.convert(1.0, "HKD", "CNY", 2020, by="ppp")
    with pytest.raises(UserError, match="unknown_conversion"):
        cea.convert(1.0, "HKD", "CNY", 2023, by="gold")
