"""Two groups, two periods: every influence is the derivative of its estimate, and weights add up to the estimate."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.did import two_by_two
from evalkit.did.cross_section import section_effect
from evalkit.did.propensity import NotEstimable, logit, pieces_of, tilting
from evalkit.did.two_by_two import panel_effect

N = 60


@pytest.fixture
def sample():
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(N), rng.normal(0, 1, (N, 2))])
    treated = rng.random(N) < 1 / (1 + np.exp(-x @ [-0.5, 0.5, -0.3]))
    return {
        "x": x,
        "treated": treated,
        "weight": rng.uniform(0.5, 2, N),
        "change": x @ [1.0, 0.5, 2.0] + rng.normal(0, 1, N) + treated,
        "after": rng.random(N) < 0.5,
    }


def _numeric(estimate, weight):
    """(n,) central differences of an estimate in every weight, times the weight."""
    out = np.empty(len(weight))
    for i in range(len(weight)):
        step = 1e-5 * weight[i]
        up, down = weight.copy(), weight.copy()
        up[i] += step
        down[i] -= step
        out[i] = (estimate(up) - estimate(down)) / (2 * step) * weight[i]
    return out


@pytest.mark.parametrize("method", two_by_two.METHODS)
def test_influence_of_a_followed_unit_is_the_derivative_in_its_weight(method, sample):
    """ψ_i = w_i ∂θ/∂w_i, all of it: means, regression and propensity score."""
    s = sample

    def estimate(weight):
        return float(panel_effect(s["change"], s["treated"], s["x"], weight, method).estimate[0])

    fit = panel_effect(s["change"], s["treated"], s["x"], s["weight"], method)
    psi = fit.influence(s["change"][:, None], s["x"], s["treated"], s["weight"])[:, 0]
    np.testing.assert_allclose(psi, _numeric(estimate, s["weight"]), atol=2e-8)
    assert psi.sum() == pytest.approx(0, abs=1e-10)
    pull = fit.response(s["x"], s["treated"], s["weight"])
    assert pull @ s["change"] == pytest.approx(estimate(s["weight"]), rel=1e-10)


@pytest.mark.parametrize("method", ["dr", "dr_simple", "ipw", "ipw_raw", "reg"])
def test_influence_of_a_row_is_the_derivative_in_its_weight(method, sample):
    """The same for rows seen once (unnormalised weighting takes the mean weight as given: tried at equal weights)."""
    s = sample
    s["weight"] = np.ones(N) if method == "ipw_raw" else s["weight"]
    y = s["change"] * (1 + s["after"])

    def fit(weight):
        return section_effect(y, s["after"], s["treated"], s["x"], weight, method)

    found = fit(s["weight"])
    np.testing.assert_allclose(found.influence, _numeric(lambda w: fit(w).estimate, s["weight"]), atol=2e-8)
    assert found.response @ y == pytest.approx(found.estimate, rel=1e-9)


@pytest.mark.parametrize("method", ["dr_improved", "dr_improved_simple"])
def test_improved_rows_have_weights_that_add_up(method, sample):
    """The improved estimators leave what vanishes in large samples out of the variance, not out of the estimate."""
    s = sample
    found = section_effect(s["change"], s["after"], s["treated"], s["x"], s["weight"], method)
    assert found.response @ s["change"] == pytest.approx(found.estimate, rel=1e-9)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


def test_the_sign_of_drdid_is_not_ours(sample):
    """R DRDID's traditional cross-section variance adds the before-period gradient: not the derivative."""
    s = sample
    found = section_effect(s["change"], s["after"], s["treated"], s["x"], s["weight"], "dr_simple")
    before, w = ~s["after"], s["weight"] / s["weight"].mean()
    odds = np.exp(s["x"] @ logit(pieces_of(s["x"], s["treated"], w))[0])
    own, control = w * before * s["treated"], w * before * ~s["treated"]
    other = control * odds
    bread = np.linalg.inv((s["x"] * control[:, None]).T @ s["x"])
    rest = s["change"] - s["x"] @ (bread @ (s["x"].T @ (control * s["change"])))
    gap = own @ s["x"] / own.sum() - other @ s["x"] / other.sum()
    flipped = found.influence - 2 * (s["x"] * (control * rest)[:, None]) @ bread @ gap
    assert abs((flipped**2).sum() / (found.influence**2).sum() - 1) > 1e-3


def test_improved_weights_balance_the_covariates(sample):
    """Tilting gives controls exactly the treated units' means of the covariates; no gradient is left."""
    s = sample
    gamma = tilting(pieces_of(s["x"], s["treated"], s["weight"]))
    odds = s["weight"] * np.exp(s["x"] @ gamma) * ~s["treated"]
    treated = s["weight"] * s["treated"]
    np.testing.assert_allclose(odds @ s["x"], treated @ s["x"], rtol=1e-9)


def test_estimators_coincide_without_covariates(sample):
    """With a constant alone all five are the difference of mean changes."""
    s = sample
    one = np.ones((N, 1))
    on = s["treated"]
    wanted = np.average(s["change"][on], weights=s["weight"][on]) - np.average(
        s["change"][~on], weights=s["weight"][~on]
    )
    for method in two_by_two.METHODS:
        fit = panel_effect(s["change"], on, one, s["weight"], method)
        assert fit.estimate[0] == pytest.approx(wanted, rel=1e-9)


def test_many_rows_start_from_some(sample):
    """A first fit on a part of many rows does not change the scores."""
    s = sample
    x, treated = np.tile(s["x"], (2500, 1)), np.tile(s["treated"], 2500)
    many = logit(pieces_of(x, treated, np.ones(len(x))))
    few = logit(pieces_of(s["x"], s["treated"], np.ones(N)))
    np.testing.assert_allclose(many[0], few[0], rtol=1e-9)
    np.testing.assert_allclose(many[1] * 2500, few[1], rtol=1e-9)


def test_what_cannot_be_estimated_is_typed(sample):
    """Perfect prediction, collinear covariates and an empty group are reasons, not numbers."""
    s = sample
    apart = np.column_stack([np.ones(N), s["treated"] * 2.0 - 1])
    twice = np.column_stack([s["x"], s["x"][:, 1]])
    for x, treated, method, reason in (
        (apart, s["treated"], "ipw", "overlap"),
        (apart, s["treated"], "dr_improved", "overlap"),
        (apart, s["treated"], "reg", "collinear"),
        (twice, s["treated"], "dr", "collinear"),
        (s["x"], np.ones(N, dtype=bool), "dr", "no_control"),
        (s["x"], np.zeros(N, dtype=bool), "dr", "no_treated"),
    ):
        with pytest.raises(NotEstimable) as caught:
            panel_effect(s["change"], treated, x, None, method)
        assert caught.value.reason == reason
        with pytest.raises(NotEstimable):
            section_effect(s["change"], s["after"], treated, x, None, method)
    with pytest.raises(ValueError, match="none of"):
        panel_effect(s["change"], s["treated"], s["x"], None, "magic")
    with pytest.raises(ValueError, match="none of"):
        section_effect(s["change"], s["after"], s["treated"], s["x"], None, "magic")
