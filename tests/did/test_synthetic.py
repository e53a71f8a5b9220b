"""Synthetic difference-in-differences and synthetic control: identities, replications against refits, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError
from evalkit.data.sample import simulate_city
from evalkit.did.registry import fit_of
from evalkit.did.simplex import minimum, normal_equations, path_weights
from evalkit.did.synthetic import solve
from evalkit.did.synthetic_block import SCHEMES
from evalkit.did.synthetic_draws import bootstrap, jackknife, placebo
from tests.did.conftest import build_panel


def factor_panel(cohort, *, seed=1, periods=12, effect=0.0, **fields):
    """Two factors with loadings, noise and an effect from the start on."""
    rng = np.random.default_rng(seed)
    n = len(cohort)
    y = rng.normal(5, 1, (n, 1)) + rng.normal(0, 1, (n, 2)) @ rng.normal(0, 1, (2, periods)).cumsum(axis=1)
    y = y + rng.normal(0, 0.3, (n, periods))
    y = y + effect * (np.arange(periods)[None] >= np.asarray(cohort)[:, None])
    return build_panel({"y": y}, cohort, **fields)


BLOCK = [8] * 4 + [NEVER] * 12
STAGGERED = [7] * 3 + [9] * 2 + [NEVER] * 12


def weighted_of(panel, name="synthetic_did", design=None):
    sample, cohorts, _ = solve(panel, design or Design(), panel.primary, SCHEMES[name])
    return sample, cohorts


def even_time(w):
    time = np.zeros(len(w.time))
    time[w.block.before] = 1 / len(w.block.before)
    return time


def tau(w):
    return float(w.effects()[w.block.after].mean())


def test_equal_weights_are_difference_in_differences():
    """With all weights equal the estimate of one cohort is static two-way fixed effects."""
    panel = factor_panel(BLOCK)
    _, (w,) = weighted_of(panel)
    even = replace(w, unit=np.full_like(w.unit, 1 / len(w.unit)), time=even_time(w))
    assert tau(even) == pytest.approx(did.twfe(panel).estimate[0], abs=1e-12)


def test_without_constant_and_time_weights_it_is_synthetic_control():
    """Unit weights only, found without a constant and under synthetic control's ridge, give synthetic control."""
    panel = factor_panel(BLOCK)
    _, (w,) = weighted_of(panel)
    block = w.block
    past, own = block.y[np.ix_(block.control, block.before)], block.y[np.ix_(block.treated, block.before)].mean(axis=0)
    unit = path_weights(past.T, own, 1e-6 * block.noise, 1e-5 * block.noise, intercept=False)
    bare = replace(w, unit=unit, time=np.zeros_like(w.time))
    path = did.synthetic_control(panel)
    np.testing.assert_allclose(bare.effects(), path.estimate, atol=1e-12)
    assert tau(bare) == pytest.approx(float(path.combine("overall").estimate[0]), abs=1e-12)


def test_synthetic_control_recovers_a_treated_unit_made_of_donors():
    """A treated path that is a mixture of donors has no gap before the start and the true effect after it: exactly at
    the minimum, and within a tenth of the noise level where R's path stops.
    """
    panel = factor_panel([8, 8] + [NEVER] * 6, periods=12)
    y = panel.matrix().copy()
    y[:2] = 0.6 * y[3] + 0.4 * y[5]
    y[:2, 8:] -= 2.0
    path = did.synthetic_control(replace(panel, outcomes={"y": y}))
    late = np.array([t.event_time >= 0 for t in path.terms])
    truth = np.where(late, -2.0, 0.0)
    _, (w,) = weighted_of(replace(panel, outcomes={"y": y}), "synthetic_control")
    np.testing.assert_allclose(path.estimate, truth, atol=0.1 * w.block.noise)
    gram, linear = normal_equations(y[2:, :8].T, y[0, :8], intercept=False)
    unit = minimum(gram, linear[None], np.zeros((1, 6)), w.unit)[0]
    np.testing.assert_allclose(replace(w, unit=unit).effects(), truth, atol=1e-6)


@pytest.mark.parametrize("name", ["synthetic_did", "synthetic_control"])
def test_a_common_movement_enters_through_the_noise_level_alone(name):
    """Weights found under the same ridge and tolerance do not see what is common to all units in a period."""
    panel = factor_panel(BLOCK)
    moved = replace(panel, outcomes={"y": panel.matrix() + np.random.default_rng(5).normal(0, 20, (1, 12))})
    (_, (a,)), (_, (b,)) = weighted_of(panel, name), weighted_of(moved, name)
    assert b.block.noise > 5 * a.block.noise
    for past, later in ((slice(None, 8), slice(8, None)),):
        found = []
        for w in (a, b):
            y, block = w.block.y, w.block
            donors, own = y[block.control, past], y[block.treated, past].mean(axis=0)
            level = SCHEMES[name].intercept
            unit = path_weights(donors.T, own, a.unit_ridge, 1e-5 * a.block.noise, intercept=level)
            time = path_weights(donors, y[block.control, later].mean(axis=1), 1e-6, 1e-5, intercept=True)
            gap = y[block.treated].mean(axis=0) - unit @ y[block.control]
            found.append([*unit, *time, gap[later].mean() - time @ gap[past]])
        np.testing.assert_allclose(found[0], found[1], atol=1e-9)


def test_overall_effect_is_the_mean_of_cohorts_by_treated_exposure():
    """Cohorts' taus are averaged by treated units, and by treated exposure per period where there is exposure."""
    panel = factor_panel(STAGGERED)
    exposure = np.exp(np.random.default_rng(3).normal(0, 1, (17, 1))) * np.ones((1, 12))
    for one, size in ((panel, np.ones((17, 12))), (replace(panel, exposure=exposure), exposure)):
        _, cohorts = weighted_of(one)
        weight = [size[np.ix_(w.block.treated, w.block.after)].sum() / len(w.block.after) for w in cohorts]
        path = did.synthetic_did(one)
        each = path.combine("cohort")
        np.testing.assert_allclose(each.estimate, [tau(w) for w in cohorts], atol=1e-12)
        # periods of a cohort count alike, each by the cohort's exposure
        post = [w * len(c.block.after) for w, c in zip(weight, cohorts)]
        assert path.combine("overall").estimate[0] == pytest.approx(np.average(each.estimate, weights=post), abs=1e-12)


def test_jackknife_is_the_leave_one_out_with_kept_weights():
    """The closed form equals leaving each cluster out by hand with the rest of the weights adding up to 1."""
    panel = factor_panel(STAGGERED, cluster=[0, 1, 2, 3, 4, *range(5, 16), 15])
    sample, cohorts = weighted_of(panel)
    found = jackknife(cohorts, panel.cluster, 16)
    for g in range(16):
        by_hand = []
        for w in cohorts:
            stay = panel.cluster != g
            on, off = stay[w.block.treated], stay[w.block.control]
            unit = w.unit[off] / w.unit[off].sum()
            gap = w.block.y[w.block.treated[on]].mean(axis=0) - unit @ w.block.y[w.block.control[off]]
            by_hand.append(gap - w.time @ gap)
        np.testing.assert_allclose(found[g], np.concatenate(by_hand), atol=1e-10)
    assert sample.y.shape == (17, 12)


def test_placebos_of_one_unit_are_all_taken_and_are_refits():
    """With one treated unit every comparison unit is a placebo once; each equals the minimum found on its own."""
    panel = factor_panel([8] + [NEVER] * 9)
    _, (w,) = weighted_of(panel)
    found = placebo([w], None, seed=1)
    assert found.enumerated
    assert found.effects.shape == (9, 12)
    y = w.block.y[w.block.control]
    for i in (0, 4):
        rest = np.delete(np.arange(9), i)
        gram, linear = normal_equations(y[rest, :8].T, y[i, :8], intercept=True)
        unit = minimum(gram, linear[None], np.full((1, 8), 8 * w.unit_ridge**2), np.full(8, 1 / 8))[0]
        gram, linear = normal_equations(y[rest, :8], y[rest, 8:].mean(axis=1), intercept=True)
        time = minimum(gram, linear[None], np.full((1, 8), 8 * w.time_ridge**2), np.full(8, 1 / 8))[0]
        gap = y[i] - unit @ y[rest]
        np.testing.assert_allclose(found.effects[i], gap - time @ gap[:8], atol=1e-5)


def test_minimum_beats_every_neighbour():
    """No exchange of weight between two columns lowers the objective of the exact minimum, nor does R's path reach
    below it.
    """
    rng = np.random.default_rng(2)
    a, b, ridge = rng.normal(0, 1, (9, 6)), rng.normal(0, 1, 9), 0.4
    gram, linear = normal_equations(a, b, intercept=True)
    best = minimum(gram, linear[None], np.full((1, 6), 9 * ridge**2), np.full(6, 1 / 6))[0]

    def objective(x):
        return x @ gram @ x - 2 * linear @ x + 9 * ridge**2 * x @ x

    assert best.sum() == pytest.approx(1, abs=1e-12)
    assert (best >= 0).all()
    for i in range(6):
        for j in range(6):
            step = min(1e-4, best[i])
            moved = best.copy()
            moved[i] -= step
            moved[j] += step
            assert objective(moved) >= objective(best) - 1e-12
    close = path_weights(a, b, ridge, 1e-6, intercept=True)
    assert objective(best) <= objective(close) + 1e-12
    assert objective(close) == pytest.approx(objective(best), rel=1e-3)


def test_bootstrap_draws_clusters_and_repeats_by_seed():
    """The same seed gives the same draws; another one others; their spread is that of the jackknife within a factor."""
    panel = factor_panel(BLOCK, seed=4)
    _, (w,) = weighted_of(panel)
    one, again, other = (bootstrap([w], np.arange(16), 16, seed=s, draws=200).effects for s in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.allclose(one, other)
    rule = {r: did.synthetic_did(panel, Design(rule=r)).combine("overall") for r in ("jackknife", "bootstrap")}
    se = {r: did.inference(p, panel, r).inference[0].std_error for r, p in rule.items()}
    assert 0.5 < se["bootstrap"] / se["jackknife"] < 2


@pytest.mark.parametrize(
    ("cohort", "cluster", "rule", "reason"),
    [
        ([8] + [NEVER] * 9, None, "jackknife", "one_treated_in_cohort"),
        ([8] + [NEVER] * 9, None, "bootstrap", "one_treated_in_cohort"),
        ([8] * 6 + [NEVER] * 5, None, "placebo", "placebo_controls"),
        ([8] * 4 + [NEVER] * 8, [0, 0, 1, 1, *range(2, 10)], "placebo", "placebo_clusters"),
        (BLOCK, None, "cr3", "no_cluster_scores"),
        (BLOCK, None, "wild", "no_cluster_scores"),
    ],
)
def test_a_rule_that_is_not_defined_is_refused_with_its_reason(cohort, cluster, rule, reason):
    """No number is made up where a variance is undefined: the reason is in the result, and no standard error."""
    panel = factor_panel(cohort, cluster=cluster)
    path = did.synthetic_did(panel, Design(rule=rule))
    for inference in did.inference(path.combine("overall"), panel, rule).inference:
        assert inference.rule == "refused"
        assert inference.refused == f"inference.refused.{reason}"
        assert inference.std_error is None


def test_one_treated_unit_gets_its_placebo_rank_and_no_p():
    """Auto inference of a single treated unit: not testable, rank among all placebos, smallest p attainable 1/n."""
    panel = factor_panel([8] + [NEVER] * 9, effect=50.0)
    path = did.synthetic_did(panel)
    (overall,) = did.inference(path.combine("overall"), panel).inference
    assert overall.rule == "not_testable"
    assert overall.p_value is None
    assert overall.extra["placebo_rank"] == 1
    assert overall.extra["placebo_of"] == 10
    assert overall.p_attainable == pytest.approx(0.1)


def test_a_long_series_of_one_unit_gets_moving_blocks():
    """From 40 periods on a single treated unit has a p over time, which sees a large effect and is at least 1/T."""
    panel = factor_panel([40] + [NEVER] * 12, periods=50, effect=30.0)
    (overall,) = did.inference(did.synthetic_did(panel).combine("overall"), panel).inference
    assert 1 / 50 <= overall.extra["moving_block_p"] <= 0.1
    assert overall.extra["moving_block_of"] == 50


def test_the_uncertainty_moves_with_the_treated_outcome():
    """Noise added to the treated units alone widens the jackknife's interval."""
    panel = factor_panel(BLOCK)
    y = panel.matrix().copy()
    y[:4] += np.random.default_rng(8).normal(0, 3, (4, 1)) * (np.arange(12) >= 8)
    se = [
        did.inference(did.synthetic_did(p).combine("overall"), p, "jackknife").inference[0].std_error
        for p in (panel, replace(panel, outcomes={"y": y}))
    ]
    assert se[1] > 2 * se[0]


def _placebo_errors(treated: float, others: float, seed: int) -> list[float]:
    """Standard errors with exposure and without: two treated units of one size among 30 of another."""
    rng = np.random.default_rng(seed)
    exposure = np.exp(np.r_[[np.log(treated)] * 2, rng.normal(others, 0.7, 30)])[:, None] * np.ones((1, 12))
    panel = build_panel(
        {"y": rng.normal(0, 1, (32, 12)) / np.sqrt(exposure / 20)}, [8, 8] + [NEVER] * 30, exposure=exposure
    )
    return [
        did.inference(did.synthetic_did(p).combine("overall"), p, "placebo").inference[0].std_error
        for p in (panel, replace(panel, exposure=None))
    ]


def test_placebos_scale_by_size():
    """A small treated unit among large ones is judged by its own size: its placebo error grows with 1/exposure."""
    scaled, plain = _placebo_errors(20.0, 6.0, 3)
    assert scaled > 1.5 * plain


def test_placebos_are_never_scaled_down():
    """A large treated unit among small ones keeps the placebo error of its panel: it is not taken to be calmer."""
    scaled, plain = _placebo_errors(50_000.0, 4.0, 4)
    assert scaled >= plain * (1 - 1e-12)


def test_placebos_of_equal_units_are_not_scaled():
    """With one exposure for all the placebo variance is that without exposure, R's."""
    panel = factor_panel(STAGGERED)
    errors = [
        did.inference(did.synthetic_did(p).combine("cohort"), p, "placebo").std_error
        for p in (panel, replace(panel, exposure=np.full((17, 12), 40.0)))
    ]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-12)


def test_cohorts_without_two_periods_before_are_listed():
    """A cohort that starts in the second period is refused by name; without any other there is an error."""
    panel = factor_panel([1] * 2 + [8] * 3 + [NEVER] * 9)
    path = did.synthetic_did(panel)
    assert {r.reason for r in path.refused} == {"refused.few_before"}
    assert {t.cohort for t in path.terms} == {2008}
    with pytest.raises(UserError, match="synthetic_few_periods"):
        did.synthetic_did(factor_panel([1] * 3 + [NEVER] * 9))


def test_gaps_and_weights_are_errors():
    """A missing cell or analytic weights are refused at the door."""
    panel = factor_panel(BLOCK)
    y = panel.matrix().copy()
    y[3, 2] = np.nan
    with pytest.raises(UserError, match="needs_rectangle"):
        did.synthetic_did(replace(panel, outcomes={"y": y}))
    with pytest.raises(UserError, match="needs_no_weights"):
        did.synthetic_did(replace(panel, weight=np.ones((16, 12))))
    with pytest.raises(UserError, match="did_rule_by_replication"):
        did.twfe(panel, Design(rule="placebo"))


def test_a_period_with_all_time_weight_is_a_reference():
    """Where one period carries all of λ its effect is zero by construction and is labelled so, not tested."""
    panel = factor_panel([2] * 4 + [NEVER] * 12, periods=6)
    y = panel.matrix().copy()
    y[:, 0] = y[::-1, 1] * 3
    y[4:, 2:] = y[4:, 1:2] + 1.0
    panel = replace(panel, outcomes={"y": y})
    (w,) = did.synthetic_weights(panel)
    assert w.time_weights[1] == pytest.approx(1, abs=1e-10)
    path = did.synthetic_did(panel)
    assert path.estimate[1] == pytest.approx(0, abs=1e-10)
    assert [i.rule for i in path.inference] == ["placebo", "reference", *["placebo"] * 4]


def test_weights_shown_rebuild_the_estimate():
    """The weights and paths given to the reader give back every effect."""
    panel = factor_panel(STAGGERED)
    path = did.synthetic_did(panel)
    found = []
    for w in did.synthetic_weights(panel):
        assert w.unit_weights.sum() == pytest.approx(1, abs=1e-12)
        assert w.time_weights.sum() == pytest.approx(1, abs=1e-12)
        assert not w.time_weights[~w.before].any()
        gap = w.treated - w.synthetic
        found += list(gap - w.time_weights @ gap)
    np.testing.assert_allclose(found, path.estimate, atol=1e-12)


def test_auto_takes_the_jackknife_where_there_is_no_placebo():
    """Placebo by preference; with clusters of several units or too few comparison units the jackknife, and why."""
    rule = []
    for cohort, cluster in ((BLOCK, None), (BLOCK, [0, 0, 1, 1, *range(2, 14)]), ([8] * 6 + [NEVER] * 5, None)):
        panel = factor_panel(cohort, cluster=cluster)
        (found,) = did.inference(did.synthetic_did(panel).combine("overall"), panel).inference
        rule.append((found.rule, found.reason))
    late = ("jackknife", "inference.reason.synthetic_jackknife")
    assert rule == [("placebo", "inference.reason.synthetic_placebo"), late, late]


@pytest.mark.slow
def test_placebo_holds_its_size_on_cities_of_unequal_size():
    """Over 150 null panels of 21 cities, 8 treated, the router rejects at 5 % in at most 9.3 % (two Monte Carlo errors
    above), scaling by size included.
    """
    hits = 0
    for seed in range(2, 152):
        logs = did.log_rate(simulate_city(seed, "null")[0])
        (found,) = did.inference(did.synthetic_did(logs).combine("overall"), logs).inference
        hits += found.p_value < 0.05
    assert hits <= 14


def test_no_cluster_scores_where_parts_are_asked_for_others():
    """The part answers only for its own rules."""
    (part,) = fit_of("synthetic_did", factor_panel(BLOCK), Design()).sources
    with pytest.raises(ValueError, match="none of"):
        part.scores("cr3", np.eye(part.width)[:1])
