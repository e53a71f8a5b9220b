"""Power, placebos, families of outcomes, leave-one-out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError
from evalkit.did.influence import drop_cluster


def test_power_is_what_the_headline_test_has(make_panel):
    """At the minimum detectable effect the cluster jackknife rejects in about 80 % of new panels of that kind."""
    rng = np.random.default_rng(1)
    cohort = np.r_[np.full(8, 6), np.full(13, NEVER)]

    def panel(effect: float, t: int = 10):
        y = rng.normal(0, 2, (21, 1)) + rng.normal(0, 1, (1, t)) + rng.normal(0, 0.5, (21, t))
        return make_panel({"y": 10 + y + effect * (np.arange(t)[None] >= cohort[:, None])}, cohort)

    # the errors of 40 more units make the estimated variance precise; the design is that of 21
    many = [did.power(panel(0.0)) for _ in range(12)]
    mde = float(np.median([c.mde for c in many]))
    rejected = [did.twfe(panel(mde)).inference[0].p_value < 0.05 for _ in range(150)]
    assert np.mean(rejected) == pytest.approx(0.8, abs=0.12)
    curve = many[0]
    assert curve.size < 0.08 and (np.diff(curve.power) >= 0).all() and curve.power[-1] > 0.99
    assert curve.mde_share == pytest.approx(curve.mde / 10, rel=0.2) and not curve.insufficient


def test_power_of_a_plan_uses_only_what_is_known(count_panel):
    """Outcomes after the planned start do not exist; more clusters and longer follow-up detect smaller effects."""
    panel = did.log_rate(count_panel(seed=3, treated=0, t=8))
    few = did.power(panel, treated=4, periods=4)
    assert few.mde > did.power(panel, treated=10, periods=4).mde
    assert few.mde > did.power(panel, treated=4, periods=12).mde
    named = did.power(panel, treated=["c1", "c5", "c7", "c9"], periods=4, effect_grid=[-0.1, 0.2])
    assert named.n_treated_clusters == 4 and named.effect.tolist() == [0.1, 0.2]
    assert named.share == pytest.approx(1 - np.exp([-0.1, -0.2]))
    assert list(named.tidy().columns) == ["effect", "share", "power"]


def test_power_of_counts_and_its_refusals(count_panel):
    """Counts work with exposure; one treated cluster is refused; a noisy design is insufficient by itself."""
    panel = count_panel(seed=3)
    assert did.power(panel, estimator="ppml").mde > 0
    assert did.power(did.log_rate(panel), treated=1, periods=4).refused == "inference.refused.one_treated_cluster"
    rare = count_panel(seed=3, mean=0.5)
    assert did.power(rare, estimator="ppml").insufficient
    for key, options in (
        ("power_few_periods", {"design": Design(anticipation=6)}),
        ("power_unknown_cluster", {"treated": ["nowhere"], "periods": 2}),
        ("power_unknown_cluster", {"treated": 99, "periods": 2}),
        ("power_needs_periods", {"treated": 3}),
    ):
        with pytest.raises(UserError, match=key):
            did.power(panel, **options)


def test_placebo_in_time_sees_the_pre_period_only(linear_panel):
    """A change of the treated outcomes after the start moves the actual effect and no placebo in time."""
    panel = linear_panel(t=8, starts=(5,))
    changed = replace(panel, outcomes={"y": panel.matrix() + 50 * panel.treated})
    a, b = (did.placebo(p).set_index(["kind", "label"]).estimate for p in (panel, changed))
    assert b["actual"].item() == pytest.approx(a["actual"].item() + 50)
    np.testing.assert_allclose(a["time"], b["time"])
    assert len(a["time"]) == 3


def test_placebo_in_space_leaves_the_treated_out(linear_panel):
    """Placements are made of never-treated clusters: whatever happens to the treated, they stay."""
    panel = linear_panel(n=9, treated=3, t=6)
    wild = replace(panel, outcomes={"y": panel.matrix() + 99 * panel.ever_treated[:, None] * np.arange(6)})
    a, b = (did.placebo(p) for p in (panel, wild))
    space = a[a.kind == "space"]
    assert len(space) == 20 and (space.n_treated_clusters == 3).all()  # 6 choose 3
    np.testing.assert_allclose(space.estimate, b[b.kind == "space"].estimate)
    assert space.std_error.notna().all()


def test_placebo_works_for_event_studies_and_counts(count_panel):
    """Any registered estimator: the overall effect of its path."""
    panel = count_panel()
    for name in ("event_study", "ppml"):
        found = did.placebo(panel, estimator=name, leads=(1, 2), n=3)
        assert found.kind.value_counts().to_dict() == {"space": 3, "time": 2, "actual": 1}
        assert found.estimate.notna().all()


def test_families_of_outcomes_hold_together(count_panel):
    """Simultaneous intervals contain the pointwise ones, adjusted p are no smaller; negative controls apart."""
    panel = count_panel(n=60, treated=30)
    rng = np.random.default_rng(1)
    panel = replace(panel, outcomes=panel.outcomes | {"traffic": rng.poisson(20, (60, 12)).astype(float)})
    path, found = did.outcomes(did_counts(panel), names=("cases", "severe"), negative_controls=("traffic",))
    assert path.vcov.shape == (3, 3) and found.family.tolist() == ["outcome", "outcome", "negative_control"]
    assert (found.band_low <= found.conf_low + 1e-12).all() and (found.band_high >= found.conf_high - 1e-12).all()
    assert (found.p_adjusted >= found.p_value - 0.01).all()
    alone = found.iloc[2]
    assert alone.adjustment == "none" and alone.p_adjusted == pytest.approx(alone.p_value)


def did_counts(panel):
    """Equal exposure, so that the effective numbers of clusters carry a joint distribution."""
    return replace(panel, exposure=np.ones_like(panel.exposure))


def test_few_clusters_fall_back_to_bonferroni(count_panel):
    """Below eight effective clusters the family uses Bonferroni and Holm; above, the joint distribution."""
    small = did.outcomes(count_panel(treated=4), names=("cases", "severe"))[1]
    assert set(small.adjustment) == {"bonferroni"}
    assert small.p_adjusted.min() == pytest.approx(min(1, 2 * small.p_value.min()))
    large = did.outcomes(did_counts(count_panel(n=60, treated=30)), names=("cases", "severe"))[1]
    assert set(large.adjustment) == {"sup_t"}
    wider = (large.band_high - large.band_low) / (large.conf_high - large.conf_low)
    assert (wider > 1).all() and (wider < 1.2).all()


def test_step_down_p_of_a_single_outcome_is_its_own():
    """Westfall-Young of independent statistics: known values, monotone in the statistic."""
    from evalkit.core import maximal_draws
    from evalkit.did.outcomes import _holm, _step_down

    draws = maximal_draws(np.eye(2), 1e6, 1)
    p = _step_down(np.array([1.0, 2.5]), draws)
    assert p[1] == pytest.approx(1 - (1 - 0.01242) ** 2, abs=0.003)
    assert p[0] == pytest.approx(0.3173, abs=0.01)
    assert _holm(np.array([0.04, 0.01, 0.03])).tolist() == pytest.approx([0.06, 0.03, 0.06])


@pytest.mark.parametrize("name", ["twfe", "event_study", "first_difference", "ppml"])
def test_leave_one_out_is_a_true_refit(name, count_panel, linear_panel):
    """The closed form from cluster sums gives the estimates of a re-fit without each cluster."""
    panel = count_panel(n=10, clusters=8) if name == "ppml" else linear_panel(n=10, starts=(3, 5))
    found = did.leave_one_out(panel, estimator=name)
    for code, cluster in enumerate(panel.cluster_names):
        path = getattr(did, name)(drop_cluster(panel, code))
        mine = found[found.cluster == cluster].set_index("term").estimate
        for term, estimate in zip(path.terms, path.estimate):
            assert mine[term.term] == pytest.approx(estimate, abs=1e-9)


@pytest.mark.parametrize("name", sorted(did.ESTIMATORS))
def test_diagnostics_work_for_every_estimator(name, count_panel, linear_panel, asked):
    """Leave-one-out, placebo and effective clusters need nothing but the registry."""
    counts = "ppml" in name or "poisson" in name
    panel = count_panel(n=16, treated=8, starts=(6, 8)) if counts else linear_panel(n=16, treated=8, starts=(4, 5))
    panel, design = asked(name, panel)
    found = did.leave_one_out(panel, design, estimator=name)
    if name == "dose_response":  # the doses shown are quantiles of those that are left
        found = found[found.term == "att"]
    assert found.cluster.nunique() == 16 and found.estimate.notna().mean() > 0.9
    assert set(did.placebo(panel, design, estimator=name, leads=(1,), n=2).kind) == {"actual", "time", "space"}
    assert min(did.effective_clusters(panel, design, estimator=name)) > 1


@pytest.mark.parametrize("name", ["att_gt", "sunab"])
def test_cohort_estimators_reach_the_same_sensitivity_analysis(name, linear_panel):
    """Combined over event time with inference, they are one joint event study; imputation is refused by name."""
    panel = linear_panel(seed=4, n=60, t=10, starts=(4, 5, 6), treated=30)
    path = getattr(did, name)(panel)
    if any(t.cohort is not None and t.event_time is not None for t in path.terms):
        path = did.inference(path.combine("event_time"), panel)
    shown = path.select(lambda t: -3 <= t.event_time <= 3)
    plain = did.event_study(panel).select(lambda t: -3 <= t.event_time <= 3)
    assert did.honest(shown).breakdown == pytest.approx(did.honest(plain).breakdown, rel=0.25)
    with pytest.raises(UserError, match="honest_asymmetric"):
        did.honest(did.imputation(panel))
