"""Conley-Taber and Ferman-Pinto: what they draw, their size where their assumptions hold, what they refuse."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design

ONE = Design(rule="conley_taber")


def test_one_treated_cluster_is_ranked_among_the_comparisons(linear_panel):
    """Conley-Taber, one treated of 12: p = (1 + more extreme placebo changes) / 12, from comparison paths by hand."""
    panel = linear_panel(n=12, treated=1, starts=(4,), effect=0.4)
    path = did.twfe(panel, ONE)
    y = panel.matrix()[1:]
    y = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    change = y[:, 4:].mean(axis=1) - y[:, :4].mean(axis=1)
    expected = (1 + (np.abs(change) >= abs(path.estimate[0])).sum()) / 12
    found = path.inference[0]
    assert found.p_value == pytest.approx(expected)
    assert found.p_attainable == pytest.approx(1 / 12)
    assert found.extra["enumerated"]
    assert np.isinf(found.conf_low)  # 1/12 > 5 %: no value can be rejected


@pytest.mark.parametrize("rule", ["conley_taber", "ferman_pinto"])
@pytest.mark.parametrize("method", ["twfe", "event_study", "att_gt"])
def test_intervals_invert_the_test(linear_panel, rule, method):
    """p of the effect tested against either end of its interval is about 5 %, for regressions and parts."""
    panel = linear_panel(n=24, treated=2, starts=(4,), effect=1.0)
    path = getattr(did, method)(panel, Design(rule=rule))
    i = next(i for i, x in enumerate(path.inference) if x.rule == rule and (path.terms[i].event_time or 0) >= 0)
    found = path.inference[i]
    assert found.conf_low < path.estimate[i] < found.conf_high
    for end in (found.conf_low, found.conf_high):
        moved = replace(panel, outcomes={"y": panel.matrix() - end * panel.treated})
        again = getattr(did, method)(moved, Design(rule=rule)).inference[i]
        assert again.p_value == pytest.approx(0.05, abs=0.02)


def test_never_the_automatic_verdict(linear_panel):
    """One treated cluster stays untestable by default; the tests on request carry no standard error and no money."""
    panel = linear_panel(n=24, treated=1)
    assert did.twfe(panel).inference[0].rule == "not_testable"
    for rule in ("conley_taber", "ferman_pinto"):
        found = did.twfe(panel, Design(rule=rule)).inference[0]
        assert found.std_error is None
        assert found.extra["money"] == "inference.note.no_money_model"
        assert found.p_value >= found.p_attainable


def test_ferman_pinto_corrects_for_size(count_panel):
    """Two small treated cities among large ones: noise falls with exposure, and the correction widens the interval."""
    rng = np.random.default_rng(2)
    n, t = 30, 12
    panel = did.log_rate(count_panel(n=n, t=t, treated=2, mean=60.0))
    exposure = np.exp(np.linspace(0, 4, n))[:, None] * np.ones((1, t))
    y = rng.normal(0, 1, (n, t)) / np.sqrt(exposure)
    sized = replace(panel, outcomes={"y": y}, exposure=exposure)
    flat = replace(sized, exposure=np.ones((n, t)))
    with_size, without = (did.inference(did.twfe(p), p, "ferman_pinto").inference[0] for p in (sized, flat))
    assert with_size.conf_high - with_size.conf_low > 1.3 * (without.conf_high - without.conf_low)


def test_firms_in_batches_are_refused(count_panel):
    """Clusters of several units have no path of their own to borrow: refused with the reason."""
    panel = count_panel(n=60, clusters=12)
    panel = replace(panel, cohort=np.where(panel.cluster < 2, 8, NEVER))
    for rule in ("conley_taber", "ferman_pinto"):
        found = did.ppml(panel, Design(rule=rule)).inference[0]
        assert found.refused == "inference.refused.no_unit_paths"


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["conley_taber", "ferman_pinto"])
def test_size_where_the_assumptions_hold(linear_panel, rule):
    """Independent alike clusters, two treated of 40, no effect: 5 % within four Monte Carlo errors."""
    rejected = [
        did.twfe(linear_panel(seed=s, n=40, treated=2, effect=0.0), Design(rule=rule, seed=s)).inference[0].p_value
        <= 0.05
        for s in range(400)
    ]
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * np.sqrt(0.05 * 0.95 / 400))
