"""Triple difference: identities with plain difference-in-differences, weights of controls, refusals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError
from evalkit.did.influence import drop_cluster, keep_units
from tests.did.conftest import build_panel

DDD = Design(eligible="eligible")


def split_panel(
    starts=(4, 4, 6, 6, NEVER, NEVER, NEVER), *, per=10, periods=9, effect=-1.0, gap=0.3, shocks=1.0, seed=2
):
    """Groups of `per` units, half of them eligible; the gap between the halves moves alike in all groups."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(starts)), per)
    cohort = np.array(starts)[group]
    eligible = np.tile(np.arange(per) % 2, len(starts))
    time = np.arange(periods)[None]
    shock = rng.normal(0, shocks, (len(starts), periods)).cumsum(axis=1)[group]
    y = rng.normal(0, 2, (len(group), 1)) + shock + gap * time**2 * eligible[:, None]
    y = y + rng.normal(0, 0.3, y.shape) + effect * ((time >= cohort[:, None]) & (eligible[:, None] == 1))
    spread = np.repeat(eligible[:, None].astype(float), periods, axis=1)
    return build_panel({"y": y}, cohort, cluster=group, covariates={"eligible": spread})


def test_group_shocks_and_a_common_gap_cancel():
    """Shocks of whole groups and any path of the gap common to all groups leave no trace: only the effect is left."""
    panel = split_panel()
    shift = np.random.default_rng(4).normal(0, 30, (7, 9))[panel.cluster]
    shift = shift + np.random.default_rng(5).normal(0, 30, (1, 9)) * panel.covariates["eligible"]
    a, b = (
        did.triple_difference(panel, DDD),
        did.triple_difference(replace(panel, outcomes={"y": panel.matrix() + shift}), DDD),
    )
    np.testing.assert_allclose(a.estimate, b.estimate, atol=1e-9)
    np.testing.assert_allclose(a.vcov, b.vcov, atol=1e-9)
    late = np.array([t.event_time >= 0 for t in a.terms])
    np.testing.assert_allclose(a.estimate[late], -1.0, atol=0.6)


def test_without_covariates_it_is_the_difference_of_two_differences():
    """Against never-treated groups: ATT(g,t) among eligible units less ATT(g,t) among ineligible ones."""
    panel = split_panel()
    eligible = panel.covariates["eligible"][:, 0] == 1
    keep = [keep_units(panel, who) for who in (eligible, ~eligible)]
    parts = [did.att_gt(p, Design(control="never")).estimate for p in keep]
    path = did.triple_difference(panel, replace(DDD, control="never"))
    np.testing.assert_allclose(path.estimate, parts[0] - parts[1], atol=1e-10)


def test_with_covariates_it_is_not_the_difference_of_two_estimates():
    """Where groups move apart along a covariate whose level differs between the halves, each comparison on the
    covariates of the cohort's own eligible units finds the effect; two separate doubly robust estimates do not.
    """
    panel = split_panel(per=60, shocks=0.0)
    eligible = panel.covariates["eligible"]
    x = np.random.default_rng(9).normal(0, 1, (panel.n_units, 1)) + eligible
    y = panel.matrix() + x * np.arange(9)[None] * (panel.cohort < NEVER)[:, None]
    panel = replace(panel, outcomes={"y": y}, covariates={"eligible": eligible, "x": x})
    design = Design(covariates=("x",), control="never")
    path = did.triple_difference(panel, replace(design, eligible="eligible")).combine("overall")
    halves = [keep_units(panel, who) for who in (eligible[:, 0] == 1, eligible[:, 0] == 0)]
    apart = [did.att_gt(p, design).combine("overall").estimate[0] for p in halves]
    assert path.estimate[0] == pytest.approx(-1.0, abs=0.2)
    assert abs(apart[0] - apart[1] + 1.0) > 1.0


def test_control_cohorts_are_weighted_by_least_variance():
    """With two control cohorts the row's variance over units is no larger than with either of them alone."""
    panel = split_panel()
    units = replace(panel, cluster=np.arange(panel.n_units), cluster_names=panel.units)
    both = did.triple_difference(units, replace(DDD, control="not_yet", rule="analytic"))
    never = did.triple_difference(units, replace(DDD, control="never", rule="analytic"))
    row = [i for i, t in enumerate(both.terms) if t.cohort == 2004 and t.time in (2004, 2005)]
    assert (both.std_error[row] < never.std_error[row]).all()
    late = [i for i, t in enumerate(both.terms) if t.cohort == 2006 and t.time == 2007]
    np.testing.assert_allclose(both.estimate[late], never.estimate[late], atol=1e-12)


def test_jackknife_is_a_true_refit_without_each_cluster():
    """cr3 scores against one control cohort equal the estimate less the one without each group."""
    panel = split_panel()
    path = did.triple_difference(panel, replace(DDD, control="never", rule="cr3"))
    for g in range(7):
        without = did.triple_difference(drop_cluster(panel, g), replace(DDD, control="never"))
        change = np.sqrt(6 / 7) * (path.estimate - without.estimate)
        np.testing.assert_allclose(path.scores[g], change, atol=1e-8)


def test_ineligible_units_of_treated_groups_are_no_comparison_clusters():
    """Three groups run the programme and three do not: so many clusters stand behind an effect; one that does not run
    it is not testable, however many ineligible units treated groups have.
    """
    path = did.triple_difference(split_panel((4, 4, 4, NEVER, NEVER, NEVER)), DDD)
    assert {i.rule for i in path.inference} == {"cr3", "reference"}
    lone = did.triple_difference(split_panel((4, 4, 4, NEVER)), DDD)
    assert {i.refused for i in lone.inference if i.rule != "reference"} == {"inference.refused.one_control_cluster"}


def test_a_cohort_without_ineligible_units_is_refused():
    """Its cells are listed with the reason; the other cohort stands."""
    panel = split_panel()
    every = panel.covariates["eligible"].copy()
    every[panel.cohort == 6] = 1.0
    path = did.triple_difference(replace(panel, covariates={"eligible": every}), DDD)
    assert {t.cohort for t in path.terms} == {2004}
    assert {(r.cohort, r.reason) for r in path.refused} == {(2006, "refused.no_ineligible")}


def test_what_is_asked_for_must_be_there():
    """No eligibility, an unknown column, one that changes, unit gaps and cross-sections are refused by name."""
    panel = split_panel()
    moving = panel.covariates["eligible"].copy()
    moving[3, 5] = 1 - moving[3, 5]
    y = panel.matrix().copy()
    y[3, 2] = np.nan
    for changed, design, key in (
        (panel, Design(), "did_needs_eligibility"),
        (panel, Design(eligible="age"), "did_unknown_covariate"),
        (replace(panel, covariates={"eligible": moving}), DDD, "eligibility_not_constant"),
        (replace(panel, outcomes={"y": y}), DDD, "needs_rectangle"),
        (panel, replace(DDD, sampling="cross_section"), "needs_followed_units"),
    ):
        with pytest.raises(UserError, match=key):
            did.triple_difference(changed, design)


def test_units_without_part_in_a_cell_do_not_move_its_error():
    """A cohort already under treatment takes no part in a later cohort's cells: without it they keep estimate and
    error, also with several control cohorts (where R triplediff 0.2.4 multiplies the error by the others' share).
    """
    panel = split_panel((3, 3, 5, 5, 8, 8, NEVER, NEVER))
    design = replace(DDD, control="not_yet", rule="analytic")
    paths = [did.triple_difference(p, design) for p in (panel, keep_units(panel, panel.cohort != 3))]
    cells = [{(t.cohort, t.time): i for i, t in enumerate(p.terms)} for p in paths]
    rows = [[c[2005, t] for t in (2005, 2006, 2007)] for c in cells]
    np.testing.assert_allclose(paths[0].estimate[rows[0]], paths[1].estimate[rows[1]], rtol=1e-9)
    np.testing.assert_allclose(paths[0].std_error[rows[0]], paths[1].std_error[rows[1]], rtol=1e-9)


@pytest.mark.parametrize("control", ["never", "not_yet"])
def test_an_average_over_cohorts_carries_the_error_of_their_sizes(control):
    """A unit's score is w_i ∂θ/∂w_i of the whole average: effects, and weights of the cohorts (with control cohorts'
    weights of least variance taken as known, which moves it by no more than a tenth).
    """
    panel, rng = split_panel(), np.random.default_rng(8)
    weight = rng.uniform(0.5, 2, panel.n_units)
    panel = replace(panel, cluster=np.arange(panel.n_units), cluster_names=panel.units)

    def average(w):
        weighted = replace(panel, weight=np.repeat(w[:, None], panel.n_periods, axis=1))
        path = did.triple_difference(weighted, replace(DDD, control=control, rule="analytic"))
        return path.combine("cohort").combine("overall")

    found = average(weight)
    slopes = []
    for i in range(0, panel.n_units, 3):
        step = 1e-5 * weight[i] * (np.arange(panel.n_units) == i)
        up, down = (average(weight + sign * step).estimate[0] for sign in (1, -1))
        slopes.append((up - down) / 2e-5)
    score = found.scores[::3, 0]
    np.testing.assert_allclose(score, slopes, atol=1e-8 if control == "never" else 0.1 * np.abs(score).max())
