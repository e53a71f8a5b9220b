"""Poisson with exposure: kernel, counts, separation, several outcomes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError


def test_concentrated_fit_equals_a_fit_with_dummies(count_panel):
    """Coefficient and fitted counts equal a plain Newton Poisson with every unit and period dummy written out."""
    panel = count_panel(n=8, t=6, starts=(3,), treated=3)
    y, e = panel.matrix().ravel(), np.log(panel.exposure).ravel()
    unit, time = np.indices(panel.matrix().shape).reshape(2, -1)
    x = np.column_stack(
        [panel.treated.ravel(), unit[:, None] == np.arange(8), time[:, None] == np.arange(1, 6)]
    ).astype(float)
    beta = np.zeros(x.shape[1])
    beta[1:9] = np.log(y.sum() / np.exp(e).sum())
    for _ in range(50):
        mu = np.exp(e + x @ beta)
        beta += np.linalg.solve(x.T @ (mu[:, None] * x), x.T @ (y - mu))
    path = did.ppml(panel)
    assert path.estimate[0] == pytest.approx(beta[0], rel=1e-10)
    expected = np.exp(e + x[:, 1:] @ beta[1:])
    np.testing.assert_allclose(did.counterfactual(panel).ravel(), expected, rtol=1e-10)
    assert path.mu0[0] == pytest.approx(expected[panel.treated.ravel()].sum(), rel=1e-10)


def test_estimate_is_the_log_of_observed_over_expected(count_panel):
    """θ = log(Σ observed / Σ μ0), and averted = Σ μ0 − Σ observed with standard error μ0 · se(θ)."""
    panel = count_panel()
    path = did.ppml(panel)
    assert path.observed[0] == panel.matrix()[panel.treated].sum()
    assert path.estimate[0] == pytest.approx(np.log(path.observed[0] / path.mu0[0]), rel=1e-12)
    averted = did.inference(path.averted(), panel)
    assert averted.estimate[0] == pytest.approx(path.mu0[0] - path.observed[0])
    assert averted.inference[0].std_error == pytest.approx(path.mu0[0] * path.inference[0].std_error, rel=1e-9)
    assert averted.inference[0].df == pytest.approx(path.inference[0].df)


def test_averted_is_observed_over_ratio_minus_observed_in_the_saturated_model(count_panel):
    """One treated unit, one effect a period: every cell's averted count is observed/RR − observed, to 1e-10."""
    panel = count_panel(n=6, treated=1)
    path = did.ppml_event_study(panel, Design(window=(0, 3)))
    observed = panel.matrix()[0, 8:]
    np.testing.assert_allclose(path.observed, observed)
    np.testing.assert_allclose(path.averted().estimate, observed / np.exp(path.estimate) - observed, rtol=1e-10)


@pytest.mark.parametrize("estimator", [did.ppml, did.ppml_event_study])
def test_exposure_in_other_units_leaves_ratio_and_averted(count_panel, estimator):
    """Exposure × 10 changes neither rate ratio, nor averted cases, nor their standard errors."""
    panel = count_panel()
    path, scaled = estimator(panel), estimator(replace(panel, exposure=panel.exposure * 10))
    np.testing.assert_allclose(path.estimate, scaled.estimate, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(path.averted().estimate, scaled.averted().estimate, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(path.std_error, scaled.std_error, rtol=1e-7, atol=1e-9)


def test_completeness_is_part_of_the_offset(count_panel):
    """Counts thinned by known completeness give the same rate ratio as the full counts."""
    panel = count_panel()
    share = np.random.default_rng(2).uniform(0.3, 1.0, panel.exposure.shape)
    thinned = replace(panel, outcomes={"cases": panel.matrix() * share}, completeness=share)
    path = did.ppml(thinned)
    again = did.ppml(replace(panel, outcomes={"cases": panel.matrix() * share}, exposure=panel.exposure * share))
    assert path.estimate[0] == pytest.approx(again.estimate[0], rel=1e-12)


def test_units_without_cases_change_nothing_and_are_listed(count_panel, make_panel):
    """An all-zero unit leaves estimate and covariance as they are and stands in the ledger."""
    panel = count_panel(clusters=7)
    zero = np.zeros((1, panel.n_periods))
    wider = make_panel(
        {"cases": np.vstack([panel.matrix(), zero])},
        [*panel.cohort, panel.cohort[0]],
        cluster=[*panel.cluster, panel.cluster[0]],
        exposure=np.vstack([panel.exposure, zero + 5]),
    )
    path, more = did.ppml(panel), did.ppml(wider)
    assert more.estimate[0] == pytest.approx(path.estimate[0], rel=1e-12)
    assert more.inference[0].std_error == pytest.approx(path.inference[0].std_error, rel=1e-10)
    assert "path.note.separation" in more.notes
    assert [(d.unit, d.reason) for d in did.separated(wider)] == [("u21", "separation")]


def test_a_period_without_cases_is_left_out(count_panel):
    """A period in which nobody had a case carries no information and does not break the fit."""
    panel = count_panel()
    y = panel.matrix().copy()
    y[:, 2] = 0
    keep = np.arange(panel.n_periods) != 2
    path = did.ppml(replace(panel, outcomes={"cases": y}))
    short = replace(
        panel,
        times=tuple(np.array(panel.times)[keep].tolist()),
        outcomes={"cases": y[:, keep]},
        exposure=panel.exposure[:, keep],
        cohort=np.where(panel.cohort == NEVER, NEVER, 7),
    )
    assert path.estimate[0] == pytest.approx(did.ppml(short).estimate[0], rel=1e-10)


def test_no_case_after_the_start_gives_zero_ratio_and_no_interval(count_panel):
    """Zero observed against a positive expectation: ratio 0, averted = expected, interval refused."""
    panel = count_panel()
    y = np.where(panel.treated, 0, panel.matrix())
    path = did.ppml(replace(panel, outcomes={"cases": y}))
    assert np.isneginf(path.estimate[0])
    assert path.mu0[0] > 0
    assert path.averted().estimate[0] == pytest.approx(path.mu0[0])
    assert path.inference[0].refused == "inference.refused.zero_observed"
    assert path.inference[0].std_error is None


def test_row_without_cases_carries_the_slope_of_its_expected_count(count_panel):
    """Its contrast is −∂ log μ0/∂β with unit effects following, checked by finite differences."""
    from evalkit.did.count_model import contrasts, solve
    from evalkit.did.ppml import EVENTS

    panel = count_panel(n=8, t=6, starts=(3,), treated=3)
    y = panel.matrix().copy()
    y[:3, 4] = 0
    solved = solve(replace(panel, outcomes={"cases": y}), Design(), "cases", EVENTS)
    row = next(r for r in solved.rows if r.event_time == 1)
    kept, x, beta = solved.kept, solved.x, solved.fit.beta
    offset = np.log(panel.exposure)

    def log_mu0(b):
        size = np.bincount(kept.unit, np.exp(offset[kept.index] + x @ b))
        unit_effect = np.log(np.bincount(kept.unit, y[kept.index]) / size)
        period = b[-5:][4 - 1]
        return np.log(np.exp(unit_effect[:3] + offset[:3, 4] + period).sum())

    step = 1e-6 * np.eye(len(beta))
    slope = [(log_mu0(beta + s) - log_mu0(beta - s)) / 2e-6 for s in step]
    found = contrasts(solved, solved.rows)[solved.rows.index(row)]
    np.testing.assert_allclose(found, -np.array(slope), atol=1e-7)


def test_an_outcome_without_baseline_cases_is_refused_beside_one_that_works(count_panel):
    """A rare outcome that cannot be estimated is refused without taking the others with it."""
    panel = count_panel()
    rare = np.zeros_like(panel.matrix())
    rare[0, -1] = 1.0
    both = replace(panel, outcomes={"cases": panel.matrix(), "death": rare})
    path = did.ppml(both, Design(outcomes=("cases", "death")))
    assert path.effect("att", "cases").p_value is not None
    assert np.isnan(path.effect("att", "death").estimate)
    assert path.effect("att", "death").inference.refused == "inference.refused.no_estimate"
    with pytest.raises(UserError, match="effect_not_identified"):
        did.ppml(both, Design(outcomes=("death",)))


def test_outcomes_are_estimated_jointly(count_panel):
    """Severity strata: each row equals its own fit, and strata that add up are positively correlated with the sum."""
    panel = count_panel()
    path = did.ppml(panel, Design(outcomes=("cases", "severe")))
    alone = did.ppml(replace(panel, outcomes={"severe": panel.outcomes["severe"]}))
    assert path.effect("att", "severe").estimate == pytest.approx(alone.estimate[0], rel=1e-12)
    assert path.effect("att", "severe").std_error == pytest.approx(alone.inference[0].std_error, rel=1e-10)
    correlation = path.vcov[0, 1] / np.prod(path.std_error)
    assert 0 < correlation < 1
    assert np.linalg.eigvalsh(path.vcov).min() > -1e-15


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (lambda p: {"outcomes": {"cases": -p.matrix()}}, "did_negative_count"),
        (lambda p: {"exposure": np.zeros_like(p.exposure)}, "did_count_without_exposure"),
        (lambda p: {"weight": np.ones_like(p.exposure)}, "weights_on_counts"),
    ],
)
def test_bad_counts_are_refused_by_name(count_panel, change, key):
    """Negative counts, cases without exposure and weights on counts are refused, each with its reason."""
    panel = count_panel()
    with pytest.raises(UserError, match=key):
        did.ppml(replace(panel, **change(panel)))


def test_combining_event_times_adds_counts(count_panel):
    """`combine` adds observed and μ0; its estimate is the log of the ratio of sums, never the mean of logs."""
    panel = count_panel()
    path = did.ppml_event_study(panel)
    overall = did.inference(path.combine("overall"), panel)
    post = [i for i, t in enumerate(path.terms) if t.event_time >= 0]
    assert overall.observed[0] == pytest.approx(path.observed[post].sum())
    assert overall.estimate[0] == pytest.approx(np.log(path.observed[post].sum() / path.mu0[post].sum()), rel=1e-12)
    assert overall.inference[0].std_error > 0


def test_units_whose_cases_all_leave_do_not_stay_without_any(count_panel):
    """A unit whose only cases lie in cells without an expected count leaves with them: the fit has a case per unit."""
    panel = count_panel(n=6, t=4, starts=(2,), treated=3)
    y = np.array([[3, 2, 2, 1], [2, 1, 1, 2], [0, 0, 1, 0], [2, 2, 0, 3], [1, 3, 0, 2], [4, 2, 0, 1.0]])
    full = did.etwfe(replace(panel, outcomes={"cases": y}), family="poisson")
    y[2, 2] = 0.0
    without = did.etwfe(replace(panel, outcomes={"cases": y}), family="poisson")
    assert [t.time for t in full.terms] == [t.time for t in without.terms] == [2003]
    np.testing.assert_allclose(full.estimate, without.estimate, rtol=1e-9)
