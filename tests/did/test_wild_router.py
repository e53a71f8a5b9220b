"""The wild bootstrap on request: every estimator is served, exactly up to 21 clusters, or refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.did import reader, wide_fit, wide_part
from evalkit.did.inference import fit_path, inference
from evalkit.did.registry import ESTIMATORS

COUNTS = ("ppml", "ppml_event_study", "etwfe_poisson", "etwfe_poisson_cohort")
DRAWS = ("att_gt", "dose_response", "imputation", "triple_difference", "two_stage")
REPLICATED = ("synthetic_control", "synthetic_did")
"""Their variance comes from replications: there are no cluster scores to give signs to."""
SERVED = sorted(set(ESTIMATORS) - set(REPLICATED))


@pytest.fixture
def whole(linear_panel, count_panel, asked):
    """Factory: a panel of g clusters with two start dates, and the estimator's overall path on it."""

    def build(name, g):
        if name in COUNTS:
            panel = count_panel(n=g, t=8, starts=(4, 6), treated=10)
        elif name == "first_difference":
            panel = linear_panel(n=g, t=2, starts=(1,), treated=10)
        else:
            panel = linear_panel(n=g, t=8, starts=(4, 6), treated=10, effect=0.4)
        panel, design = asked(name, panel, rule="cr1")
        path = fit_path(name, panel, design)
        return panel, path if len(path) == 1 else path.combine("overall")

    return build


@pytest.mark.parametrize("name", SERVED)
def test_21_clusters_are_enumerated_for_every_estimator(whole, name):
    """All 2^21 signs, p a multiple of 2/2^21, and an interval without zero exactly where p is at most 5 %."""
    panel, path = whole(name, 21)
    found = inference(path, panel, "wild").inference[0]
    assert found.rule == ("cluster_draws" if name in DRAWS else "wild")
    assert found.extra == {"draws": 2**21, "weights": "rademacher", "enumerated": True}
    assert found.p_value >= found.p_attainable == 2 / 2**21
    assert found.p_value * 2**20 == round(found.p_value * 2**20)
    assert found.conf_low < path.estimate[0] < found.conf_high
    assert (found.conf_low <= 0 <= found.conf_high) == (found.p_value > 0.05)


@pytest.mark.parametrize("name", REPLICATED)
def test_estimators_without_cluster_scores_are_refused_by_name(whole, name):
    """Synthetic estimators get no p and no interval, and the reason is that they have no cluster scores."""
    panel, path = whole(name, 21)
    found = inference(path, panel, "wild").inference[0]
    assert (found.rule, found.refused) == ("refused", "inference.refused.no_cluster_scores")
    assert found.p_value is None and found.conf_low is None


@pytest.mark.parametrize("name", SERVED)
def test_more_clusters_are_drawn_and_say_so(whole, name):
    """With 22 clusters 9,999 draws and the sample: told as drawn, smallest p 1/10,000, the same again by the seed."""
    panel, path = whole(name, 22)
    a, b = (inference(path, panel, "wild").inference[0] for _ in range(2))
    assert a.extra["draws"] == 10_000
    assert not a.extra["enumerated"]
    assert a.p_attainable == 1e-4
    assert (a.p_value, a.conf_low, a.conf_high) == (b.p_value, b.conf_low, b.conf_high)


@pytest.mark.parametrize("name", ["etwfe", "etwfe_poisson"])
def test_cluster_sums_of_large_panels_give_the_same_bootstrap(monkeypatch, whole, name):
    """p and interval from T × T sums are those of the regression written out."""
    panel, path = whole(name, 12)
    written = inference(path, panel, "wild").inference[0]
    monkeypatch.setattr(wide_fit, "NARROW", 0)
    monkeypatch.setattr(wide_part, "ALGEBRA", 10**12)
    summed = inference(path, panel, "wild").inference[0]
    assert summed.rule == written.rule == "wild"
    assert summed.p_value == pytest.approx(written.p_value, abs=1e-12)
    np.testing.assert_allclose([summed.conf_low, summed.conf_high], [written.conf_low, written.conf_high], rtol=1e-5)


def test_too_many_clusters_to_hold_are_refused(monkeypatch, whole):
    """Where cluster scores are not held there is nothing to draw: a typed refusal, no p and no interval."""
    panel, path = whole("etwfe", 24)
    monkeypatch.setattr(wide_fit, "NARROW", 0)
    monkeypatch.setattr(wide_part, "ALGEBRA", 0)
    monkeypatch.setattr(reader, "LISTED", 0)
    found = inference(path, panel, "wild").inference[0]
    assert found.refused == "inference.refused.too_many_clusters"
    assert found.p_value is None
    assert found.conf_low is None
