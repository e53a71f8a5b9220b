"""The joint test of leads with few clusters: Hotelling's approximation on the CR2 covariance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from evalkit import did
from evalkit.core import Design
from evalkit.text import LANGUAGES, has


def _words(found):
    return all(has(found.refused, language) for language in LANGUAGES)


def test_one_lead_is_the_cr2_t_test(linear_panel):
    """A single lead: F = t² of CR2, p that of t with Satterthwaite's degrees of freedom."""
    panel = linear_panel(n=21, treated=8)
    path = did.event_study(panel, Design(rule="cr2", window=(-2, 3)))
    found = did.pretrend_test(path, panel)
    row = next(r for r, t in zip(path.inference, path.terms) if t.event_time == -2)
    assert found.rows == ("event_time=-2",)
    assert found.statistic == pytest.approx(row.statistic**2, rel=1e-9)
    assert found.p_value == pytest.approx(row.p_value, rel=1e-9)
    assert (found.df_num, found.df_denom) == (1, pytest.approx(row.df, rel=1e-9))


def test_balanced_two_groups_give_the_closed_form(linear_panel):
    """Two groups of m clusters, one start: Hotelling's T² of two means with η = 2(m − 1) degrees of freedom."""
    m, t = 10, 6
    panel = linear_panel(n=2 * m, t=t, treated=m, starts=(4,))
    found = did.pretrend_test(did.event_study(panel), panel)
    y, on = panel.matrix(), panel.ever_treated
    change = y[:, :3] - y[:, 3:4]
    gap = change[on].mean(axis=0) - change[~on].mean(axis=0)
    v = (np.cov(change[on].T) + np.cov(change[~on].T)) / m
    eta, q = 2 * (m - 1), 3
    f = (eta - q + 1) / (eta * q) * float(gap @ np.linalg.solve(v, gap))
    assert found.df_num == q
    assert found.df_denom == pytest.approx(eta - q + 1, rel=1e-9)
    assert found.statistic == pytest.approx(f, rel=1e-9)
    assert found.p_value == pytest.approx(stats.f.sf(f, q, eta - q + 1), rel=1e-8)


def test_size_with_few_clusters(linear_panel):
    """True null, 12 clusters, three leads: the 5 % test rejects about 5 %, the χ² test far more."""
    rejects, naive = 0, 0
    for seed in range(400):
        panel = linear_panel(seed=seed, n=12, t=6, treated=6, starts=(4,))
        path = did.event_study(panel, Design(rule="cr2"))
        rejects += did.pretrend_test(path, panel).p_value <= 0.05
        leads = [i for i, t in enumerate(path.terms) if t.event_time < -1]
        beta = path.estimate[leads]
        wald = float(beta @ np.linalg.solve(path.vcov[np.ix_(leads, leads)], beta))
        naive += stats.chi2.sf(wald, len(leads)) <= 0.05
    assert 0.015 <= rejects / 400 <= 0.085
    assert naive / 400 > 0.12


def test_diverging_trend_is_found(linear_panel):
    """A trend of one unit of outcome a period in the treated before the start is rejected."""
    panel = linear_panel(n=21, treated=8)
    y = panel.matrix() + panel.ever_treated[:, None] * np.arange(8.0)
    moved = replace(panel, outcomes={"y": y})
    assert did.pretrend_test(did.event_study(moved), moved).p_value < 1e-4


def test_scale_and_reference_level_change_nothing(linear_panel):
    """Outcome times 7 plus 3: the same F, degrees of freedom and p."""
    panel = linear_panel(n=21, treated=8)
    moved = replace(panel, outcomes={"y": 7 * panel.matrix() + 3})
    a, b = (did.pretrend_test(did.event_study(p), p) for p in (panel, moved))
    assert (a.statistic, a.df_denom, a.p_value) == pytest.approx((b.statistic, b.df_denom, b.p_value), rel=1e-8)


def test_counts_and_combined_paths_are_served(count_panel):
    """Poisson leads, and leads averaged over cohorts after `combine("event_time")`, have a test."""
    panel = count_panel(n=24, treated=12, starts=(5, 7))
    assert 0 < did.pretrend_test(did.ppml_event_study(panel, Design(window=(-3, 3))), panel).p_value < 1
    path = did.etwfe(panel, Design(control="never"), family="poisson").combine("event_time")
    found = did.pretrend_test(path.select(lambda t: t.event_time >= -4), panel)
    assert found.df_num == 3
    assert 0 < found.p_value < 1


def test_what_cannot_be_tested_is_refused_by_name(linear_panel, count_panel):
    """No leads, no regression, one treated cluster, more leads than clusters carry: each has its reason."""
    panel = linear_panel(n=21, treated=8)
    cases = {
        "no_leads": (did.twfe(panel), panel),
        "not_one_regression": (did.att_gt(panel).combine("event_time"), panel),
    }
    alone = linear_panel(n=12, treated=1)
    cases["one_treated_cluster"] = (did.event_study(alone), alone)
    few = linear_panel(n=6, treated=2, t=8, starts=(6,))
    cases["few_clusters_for_leads"] = (did.event_study(few), few)
    for reason, (path, of) in cases.items():
        found = did.pretrend_test(path, of)
        assert found.refused == f"inference.refused.{reason}"
        assert np.isnan(found.p_value)
        assert _words(found)
