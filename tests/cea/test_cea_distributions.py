"""Distributions from a value and its range, and streams keyed by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit import cea
from evalkit.cea.distributions import shape, shares
from evalkit.core import Parameter, UserError

GOLDEN = Path(__file__).parent.parent / "golden" / "cea"


def made(name: str, distribution: str = "gamma", **change: float) -> Parameter:
    return Parameter(name=name, distribution=distribution, **({"value": 0.5, "low": 0.3, "high": 0.7} | change))


@pytest.mark.parametrize("row", list(pd.read_csv(GOLDEN / "distribution_moments.csv").itertuples()), ids=str)
def test_moments_give_the_golden_parameters(row: object) -> None:
    """Gamma, beta and lognormal parameters from mean and standard error."""
    found = shape(row.dist, row.mean, row.se)  # type: ignore[attr-defined]
    assert found == pytest.approx((row.p1, row.p2), rel=1e-12)  # type: ignore[attr-defined]


@pytest.mark.parametrize("distribution", ["beta", "gamma", "lognormal", "normal", "uniform"])
def test_draws_have_the_mean_and_spread_of_the_range(distribution: str) -> None:
    """The mean is the value; low and high are read as a 95 % interval (a uniform runs between them)."""
    drawn = cea.draw(made("x", distribution), 200_000, 4)
    spread = 0.4 / 12**0.5 if distribution == "uniform" else 0.4 / (2 * 1.96)
    assert drawn.mean() == pytest.approx(0.5, abs=0.002) and drawn.std() == pytest.approx(spread, rel=0.02)


def test_adding_a_parameter_moves_no_other_draw() -> None:
    """Streams are keyed by name: order and company do not matter, the seed does."""
    alone = cea.draw_all([made("b")], 100, 7)["b"]
    among = cea.draw_all([made("a"), made("c", "normal"), made("b")], 100, 7)
    np.testing.assert_array_equal(alone, among["b"])
    assert abs(np.corrcoef(among["a"], among["b"])[0, 1]) < 0.4
    assert not np.array_equal(alone, cea.draw_all([made("b")], 100, 8)["b"])


def test_a_parameter_without_a_range_is_certain() -> None:
    """Fixed values and missing ranges give constant draws."""
    assert np.ptp(cea.draw(made("x", "fixed"), 10, 1)) == 0
    assert np.ptp(cea.draw(Parameter(name="x", value=3.0, distribution="gamma"), 10, 1)) == 0


def test_shares_follow_the_observed_mix() -> None:
    """Shares sum to one, have the observed expectation and keep an unseen grade at zero."""
    drawn = shares({"10": 30, "9": 10, "8": 0}, 20_000, 1, "mix")
    np.testing.assert_allclose(drawn.sum(axis=1), 1)
    np.testing.assert_allclose(drawn.mean(axis=0), [0.75, 0.25, 0], atol=0.002)
    with pytest.raises(UserError, match="no_cases_in_mix"):
        shares({"10": 0}, 5, 1, "mix")


@pytest.mark.parametrize(
    ("parameter", "key"),
    [
        (made("x", value=0.9), "parameter_range"),
        (made("x", "cauchy"), "unknown_distribution"),
        (made("x", "beta", value=1.2, low=1.0, high=1.4), "distribution_outside"),
        (made("x", "gamma", value=0.0, low=-1, high=1), "distribution_outside"),
    ],
)
def test_impossible_parameters_are_told(parameter: Parameter, key: str) -> None:
    """A value outside its range, an unknown distribution, a probability above one name the parameter's mistake."""
    with pytest.raises(UserError, match=key):
        cea.draw(parameter, 5, 1)
