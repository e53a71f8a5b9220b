"""Effects by cohort and period: identities between estimators, counts, averted cases and rates, sparse counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError
from evalkit.did.inference import fit_path


def by_cell(path):
    """Estimates by (cohort, time)."""
    return {(t.cohort, t.time): e for t, e in zip(path.terms, path.estimate)}


def assert_same_cells(*paths, tolerance=1e-10):
    first = by_cell(paths[0])
    for path in paths[1:]:
        other = by_cell(path)
        assert first.keys() == other.keys()
        for cell, value in first.items():
            assert other[cell] == pytest.approx(value, abs=tolerance)


def counts(make_panel, *, n=40, t=8, mean=6.0, seed=1, starts=(3, 5, NEVER), drift=0.0):
    rng = np.random.default_rng(seed)
    cohort = np.array(starts)[np.arange(n) % len(starts)]
    exposure = np.exp(rng.normal(2, 0.7, (n, 1)) + drift * rng.normal(0, 1, (n, 1)) * np.arange(t) / t)
    exposure = exposure * np.ones((1, t))
    on = np.arange(t)[None] >= cohort[:, None]
    y = rng.poisson(exposure / exposure.mean() * mean * np.where(on, 0.7, 1)).astype(float)
    return make_panel({"cases": y}, cohort, exposure=exposure)


def test_sun_abraham_is_att_gt_is_etwfe_with_all_leads(linear_panel):
    """Balanced, equal weights, no covariates, never-treated controls, universal base: one estimator, to 1e-10."""
    panel = linear_panel(n=30, t=9, starts=(3, 5, 6), treated=18)
    design = Design(control="never")
    paths = [did.sunab(panel, design), did.att_gt(panel, design), did.etwfe(panel, design)]
    assert_same_cells(*paths)
    for axis in ("event_time", "cohort", "calendar", "overall"):
        whole = [p.combine(axis).estimate for p in paths]
        np.testing.assert_allclose(whole[1], whole[0], atol=1e-10)
        np.testing.assert_allclose(whole[2], whole[0], atol=1e-10)


def test_imputation_is_two_stage_is_etwfe_without_leads(linear_panel):
    """Balanced, equal weights, no covariates: one estimator, to 1e-10, also without a never-treated unit."""
    for treated in (18, 30):
        panel = linear_panel(n=30, t=9, starts=(3, 5, 6), treated=treated)
        paths = [did.imputation(panel), did.two_stage(panel), did.etwfe(panel)]
        assert_same_cells(*paths)


def test_jackknife_of_one_estimator_is_one_number(linear_panel):
    """CR3 leaves clusters out of the same linear estimator: ETWFE, imputation and two-stage cells agree."""
    panel = linear_panel(n=24, t=7, starts=(3, 4), treated=12)
    a, b, c = (fit_path(name, panel, Design(rule="cr3")) for name in ("etwfe", "imputation", "two_stage"))
    np.testing.assert_allclose(b.std_error, a.std_error, rtol=1e-9)
    np.testing.assert_allclose(c.std_error, a.std_error, rtol=1e-9)


def test_cohort_dummies_equal_unit_effects_on_a_balanced_panel(make_panel, linear_panel):
    """Without weights, covariates and exposure they are one model, linear and Poisson; moving exposure parts them."""
    panel = linear_panel(n=20, t=7, starts=(3, 4), treated=10)
    assert_same_cells(did.etwfe(panel), did.etwfe(panel, effects="cohort"))
    flat = replace(counts(make_panel), exposure=None)
    assert_same_cells(
        did.etwfe(flat, family="poisson"), did.etwfe(flat, family="poisson", effects="cohort"), tolerance=1e-8
    )
    moving = counts(make_panel, drift=1.5)
    a, b = (did.etwfe(moving, family="poisson", effects=e).estimate for e in ("unit", "cohort"))
    assert np.abs(a - b).max() > 1e-3


def test_a_covariate_constant_within_units_is_att_gt_by_regression_in_large_samples_of_the_model(make_panel):
    """Trends that depend on a covariate are taken up: noise-free truth comes back, linear and by imputation."""
    rng = np.random.default_rng(4)
    n, t = 30, 7
    cohort = np.array([3, 5, NEVER])[np.arange(n) % 3]
    x = rng.normal(0, 1, n) + 0.5 * (cohort == 3)
    on = np.arange(t)[None] >= cohort[:, None]
    y = rng.normal(0, 1, (n, 1)) + np.outer(x, np.linspace(0, 2, t)) + on * 1.5
    panel = make_panel({"y": y}, cohort, covariates={"x": np.repeat(x[:, None], t, axis=1)})
    for name in ("etwfe", "etwfe_cohort", "imputation", "two_stage"):
        path = fit_path(name, panel, Design(covariates=("x",)))
        np.testing.assert_allclose(path.estimate, 1.5, atol=1e-8)


def test_averted_is_observed_over_ratio_minus_observed_in_every_cell(make_panel):
    """Saturated Poisson: to 1e-10 in every cell; and totals are sums of cells."""
    panel = counts(make_panel)
    path = did.etwfe(panel, family="poisson")
    averted = path.averted().estimate
    np.testing.assert_allclose(averted, path.observed / np.exp(path.estimate) - path.observed, rtol=1e-10, atol=1e-10)
    whole = path.combine("overall")
    assert whole.observed[0] == panel.matrix()[panel.treated].sum()
    assert whole.averted().estimate[0] == pytest.approx(averted.sum(), rel=1e-12)
    assert whole.estimate[0] == pytest.approx(np.log(path.observed.sum() / path.mu0.sum()), rel=1e-12)


def test_rate_is_cases_over_the_exposure_of_all_units(make_panel):
    """Difference per 100,000 = −averted / exposure, units without a case in the denominator; errors scale alike."""
    panel = counts(make_panel)
    y = panel.matrix().copy()
    y[0] = 0
    panel = replace(panel, outcomes={"cases": y}, completeness=np.full(y.shape, 0.8))
    whole = did.inference(did.etwfe(panel, family="poisson").combine("overall"), panel)
    rate = did.inference(whole.rate(), panel)
    denominator = 0.8 * panel.exposure[panel.treated].sum()
    assert whole.exposure[0] == pytest.approx(denominator)
    assert rate.estimate[0] == pytest.approx(-whole.averted().estimate[0] / denominator * 1e5, rel=1e-10)
    expected = whole.inference[0].std_error * whole.mu0[0] / denominator * 1e5
    assert rate.inference[0].std_error == pytest.approx(expected, rel=1e-8)
    assert rate.tidy()["measure"].tolist() == ["rate"]


def test_static_poisson_is_the_pooled_model(make_panel):
    """One start date, one period after it: ETWFE-Poisson and static Poisson are the same model."""
    panel = counts(make_panel, starts=(7, NEVER), t=8)
    a, b = did.etwfe(panel, family="poisson").combine("overall"), did.ppml(panel)
    assert a.estimate[0] == pytest.approx(b.estimate[0], rel=1e-9)
    assert a.std_error[0] == pytest.approx(b.std_error[0], rel=1e-8)


def test_cells_without_a_case_and_cohorts_without_a_baseline(make_panel):
    """Ratio 0 with a defined μ0; no ratio where the cohort's past has no case; the rest as without those cells."""
    panel = counts(make_panel)
    y = panel.matrix().copy()
    y[panel.cohort == 3, 5] = 0
    y[panel.cohort == 5, :5] = 0
    path = did.etwfe(replace(panel, outcomes={"cases": y}), family="poisson")
    said = dict(zip([(t.cohort, t.time) for t in path.terms], zip(path.estimate, path.mu0, path.inference)))
    zero, none = said[2003, 2005], said[2005, 2006]
    assert np.isneginf(zero[0])
    assert zero[1] > 0
    assert zero[2].refused == "inference.refused.zero_observed"
    assert np.isposinf(none[0]) or np.isnan(none[0])
    assert none[1] == 0
    assert none[2].refused == "inference.refused.no_estimate"
    assert {"path.note.zero_observed", "path.note.no_baseline_case"} <= set(path.notes)
    whole = path.combine("overall")
    assert np.isfinite(whole.estimate[0])
    assert np.isfinite(whole.std_error[0])


def test_a_period_without_comparison_cases_is_refused(make_panel):
    """No untreated unit has a case in the last period: its cells are refused with the reason, the others stay."""
    panel = counts(make_panel)
    y = panel.matrix().copy()
    y[panel.cohort == NEVER, 7] = 0
    path = did.etwfe(replace(panel, outcomes={"cases": y}), family="poisson")
    assert all(t.time != 2007 for t in path.terms)
    assert {(r.cohort, r.time, r.reason) for r in path.refused} == {
        (2003, 2007, "refused.no_comparison_case"),
        (2005, 2007, "refused.no_comparison_case"),
    }


def test_mostly_silent_firms_keep_their_exposure(make_panel):
    """Firms without a case change neither ratio nor counts, only exposure; the ledger lists them."""
    panel = counts(make_panel)
    more = make_panel(
        {"cases": np.vstack([panel.matrix(), np.zeros((60, 8))])},
        [*panel.cohort, *np.array([3, 5, NEVER])[np.arange(60) % 3]],
        exposure=np.vstack([panel.exposure, np.full((60, 8), 5.0)]),
    )
    a, b = (did.etwfe(p, family="poisson").combine("overall") for p in (panel, more))
    assert b.estimate[0] == pytest.approx(a.estimate[0], rel=1e-9)
    assert b.mu0[0] == pytest.approx(a.mu0[0], rel=1e-9)
    assert b.exposure[0] > a.exposure[0]
    assert len(did.separated(more)) == 60 + len(did.separated(panel))
    table = did.informative(more)
    assert table["units"].sum() == 100
    assert table["informative"].sum() == 100 - len(did.separated(more))
    assert table["exposure_silent"].sum() >= 60 * 8 * 5


def test_anticipation_moves_the_start_of_effects(linear_panel):
    """Cells after notice have effects of their own and leave the baseline."""
    panel = linear_panel(n=24, t=8, starts=(4, 5), treated=12)
    y = panel.matrix() + 3.0 * (np.arange(8)[None] == panel.cohort[:, None] - 1)
    panel = replace(panel, outcomes={"y": y})
    for name in ("etwfe", "imputation", "two_stage"):
        path = fit_path(name, panel, Design(anticipation=1))
        early = [e for t, e in zip(path.terms, path.estimate) if t.event_time == -1]
        assert len(early) == 2
        assert min(early) > 2
    assert_same_cells(*(fit_path(n, panel, Design(anticipation=1)) for n in ("etwfe", "imputation", "two_stage")))


def test_weights_on_counts_are_refused(make_panel):
    """Exposure is the weight of a count model."""
    panel = replace(counts(make_panel), weight=np.ones((40, 8)))
    with pytest.raises(UserError, match="weights_on_counts"):
        did.etwfe(panel, family="poisson")


@pytest.mark.parametrize("name", ["etwfe", "etwfe_poisson", "sunab", "imputation", "two_stage"])
def test_scaling_the_treated_outcome_moves_the_uncertainty(make_panel, name):
    """Mutation: treated outcomes times three must show in the standard errors (of a count model, in the ratio's)."""
    panel = counts(make_panel)
    scaled = replace(panel, outcomes={"cases": np.where(panel.treated, 3.0, 1.0) * panel.matrix()})
    for rule in ("analytic", "cr1", "cr3"):
        a, b = (fit_path(name, p, Design(rule=rule)).combine("overall") for p in (panel, scaled))
        before, after = (p.std_error[0] * (np.exp(p.estimate[0]) if p.is_count else 1.0) for p in (a, b))
        assert abs(after / before - 1) > 0.05
