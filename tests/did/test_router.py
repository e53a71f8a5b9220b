"""The inference router: what it reports, what it refuses, and the procedures beside it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, UserError
from evalkit.did import wild
from evalkit.did.linalg import cluster_system
from evalkit.did.registry import ESTIMATORS
from evalkit.text import LANGUAGES, has


def _keys(path) -> set[str]:
    found = set(path.notes)
    for inference in path.inference:
        found |= {inference.reason} | ({inference.refused} if inference.refused else set())
        found |= {v for v in inference.extra.values() if isinstance(v, str) and v.startswith("inference.")}
    return found


@pytest.mark.parametrize(("treated", "df"), [(2, 1.22), (3, 2.71), (4, 4.53), (6, 9.27), (8, 14.96), (10, 18.81)])
def test_degrees_of_freedom_of_21_unweighted_clusters(count_panel, treated, df):
    """Satterthwaite df of the unweighted model with 21 clusters, by number treated (values of the size study)."""
    path = did.twfe(did.log_rate(count_panel(treated=treated)))
    assert path.inference[0].df == pytest.approx(df, abs=0.01)
    assert path.inference[0].effective_treated == pytest.approx(treated)
    assert path.inference[0].effective_control == pytest.approx(21 - treated)


@pytest.mark.parametrize("estimator", ["twfe", "ppml", "event_study"])
@pytest.mark.parametrize(("treated", "reason"), [(1, "one_treated_cluster"), (20, "one_control_cluster")])
def test_one_treated_or_control_cluster_is_not_testable(count_panel, estimator, treated, reason):
    """One cluster on a side: effect and placebo rank of 21, no standard error, p or interval, whatever df is."""
    panel = count_panel(treated=treated)
    panel = panel if estimator == "ppml" else did.log_rate(panel)
    path = getattr(did, estimator)(panel)
    for inference in path.inference:
        if inference.rule == "reference":
            continue
        assert inference.rule == "not_testable"
        assert inference.refused == f"inference.refused.{reason}"
        assert inference.std_error is inference.p_value is inference.conf_low is None
        assert inference.p_attainable == pytest.approx(1 / 21)
        assert 1 <= inference.extra["placebo_rank"] <= 21


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("estimator", ["twfe", "event_study", "att_gt", "imputation"])
def test_an_outcome_that_the_model_fits_exactly_is_not_judged(linear_panel, estimator, scale):
    """Rounding is no uncertainty: no p-value from it, in whatever unit; a millionth of noise is judged as ever."""
    panel = linear_panel()
    exact = scale * (np.arange(panel.n_units)[:, None] + 0.3 * np.arange(panel.n_periods) + 1.5 * panel.treated)
    noise = scale * 1e-6 * np.random.default_rng(1).normal(size=exact.shape)
    for outcome, judged in ((exact, False), (exact + noise, True)):
        path = getattr(did, estimator)(replace(panel, outcomes={"y": outcome}), Design(seed=1))
        overall = did.inference(path.combine("overall"), panel) if len(path) > 1 else path
        found = did.inference(overall, replace(panel, outcomes={"y": outcome})).inference[0]
        assert (found.p_value is not None) == judged
        assert judged or found.refused == "inference.refused.no_variation"


def test_many_units_of_one_cluster_are_still_one_cluster(count_panel):
    """Firms enrolled in one batch are one treated cluster: not testable, however many they are."""
    panel = count_panel(n=60, clusters=12)
    cohort = np.where(panel.cluster == 0, 8, NEVER)
    path = did.ppml(replace(panel, cohort=cohort))
    assert path.terms[0].n_treated == 5
    assert path.inference[0].rule == "not_testable"
    assert path.inference[0].extra["placebo_of"] == 12


def test_a_late_event_time_of_one_cluster_is_refused_alone(linear_panel):
    """In a staggered panel the event time that only one cluster reaches is refused; the others stand."""
    panel = linear_panel(n=14, treated=5, starts=(5,))
    cohort = panel.cohort.copy()
    cohort[0] = 3
    path = did.event_study(replace(panel, cohort=cohort))
    last = path.effect("event_time=4")
    assert last.n_treated_clusters == 1
    assert last.inference.rule == "not_testable"
    assert last.std_error is None
    assert path.effect("event_time=0").std_error > 0
    whole = did.inference(path.combine("overall"), replace(panel, cohort=cohort)).inference[0]
    assert whole.refused == "inference.refused.hangs_on_one_cluster"
    shown = did.event_study(replace(panel, cohort=cohort), Design(window=(-2, 2))).combine("overall")
    assert did.inference(shown, replace(panel, cohort=cohort)).inference[0].std_error > 0


def test_low_df_prints_the_interval_with_a_randomisation_p_beside_it(count_panel):
    """Two treated clusters: the interval stands, a studentised p and the note on money stand beside it."""
    panel = count_panel(treated=2)
    for path in (did.twfe(did.log_rate(panel)), did.ppml(panel)):
        inference = path.inference[0]
        assert inference.rule == "cr3"
        assert inference.df < 3
        assert inference.conf_low < path.estimate[0] < inference.conf_high
        assert 0.001 <= inference.extra["studentised_p"] <= 1
        assert inference.extra["money"] == "inference.note.no_money_means"


def test_low_df_of_clusters_with_many_units_promises_no_randomisation(count_panel):
    """Two treated batches of firms: the interval stands, the reason promises no p-value beside it."""
    panel = count_panel(n=60, clusters=12)
    inference = did.ppml(replace(panel, cohort=np.where(panel.cluster < 2, 8, NEVER))).inference[0]
    assert inference.df < 4
    assert inference.reason == "inference.reason.cr3_low_df_alone"
    assert "studentised_p" not in inference.extra


def test_usual_df_are_those_of_the_rows_own_outcome(linear_panel):
    """Two outcomes, one observed less often: each row's textbook error equals the one it has when estimated alone."""
    panel = linear_panel(n=14, treated=5)
    y = panel.matrix()
    panel = replace(panel, outcomes={"y": y, "part": np.where(np.arange(y.shape[1]) == 1, np.nan, y)})
    joint = did.twfe(panel, Design(outcomes=("y", "part"), rule="usual"))
    for i, name in enumerate(("y", "part")):
        alone = did.twfe(panel, Design(outcomes=(name,), rule="usual")).inference[0]
        assert joint.inference[i].df == alone.df
        assert joint.inference[i].std_error == pytest.approx(alone.std_error)


def test_enough_df_prints_no_extras(count_panel):
    """With many treated clusters only the working covariance of df is told beside the interval."""
    inference = did.twfe(did.log_rate(count_panel(treated=10))).inference[0]
    assert inference.reason == "inference.reason.cr3"
    assert inference.extra == {"working": "inference.note.working_response"}
    assert set(inference.size) == {"treated_sd_1", "treated_sd_2", "sd_falls_with_size", "sd_rises_with_size"}


def test_every_key_of_every_result_has_words(count_panel, linear_panel):
    """All reasons, refusals and notes that the router can give exist in every language."""
    keys = {f"method.{name}" for name in ESTIMATORS}
    for treated in (1, 2, 10, 20):
        panel = count_panel(treated=treated)
        for rule in ("auto", "cr1", "wild", "permutation", "usual"):
            keys |= _keys(did.ppml(panel, Design(rule=rule)))
        keys |= _keys(did.ppml_event_study(panel)) | _keys(did.twfe(did.log_rate(panel)))
    keys |= _keys(did.twfe(linear_panel(starts=(3, 5))))
    keys |= {f"inference.scenario.{s}" for s in did.twfe(linear_panel()).inference[0].size}
    keys |= {f"inference.rule.{r}" for r in ("cr1", "cr2", "cr3", "wild", "permutation", "usual", "not_testable")}
    missing = {(key, lang) for key in keys for lang in LANGUAGES if not has(key, lang)}
    assert not missing


@pytest.mark.parametrize("estimator", ["att_gt", "imputation", "etwfe", "sunab"])
@pytest.mark.parametrize("crossed", [False, True])
def test_aggregates_count_the_treated_of_all_their_cohorts(linear_panel, estimator, crossed):
    """Treated units of several cohorts add up; a cluster with two cohorts counts once: as in the pooled event study."""
    panel = linear_panel()
    n = panel.n_units
    last = panel.n_periods
    cohort = np.array([last - 3, last - 2, last - 1, NEVER])[np.arange(n) % 4]
    cluster = (np.arange(n) // 2 if crossed else np.arange(n)).astype(np.int64)
    names = tuple(f"c{i}" for i in range(cluster.max() + 1))
    panel = replace(panel, cohort=cohort, cluster=cluster, cluster_names=names)
    path = getattr(did, estimator)(panel, Design())
    overall = did.inference(path.combine("overall"), panel).effects()[0]
    assert overall.n_treated == (cohort < NEVER).sum()
    assert overall.n_treated_clusters == len(np.unique(cluster[cohort < NEVER]))
    whole = {t.event_time: t for t in did.event_study(panel, Design()).terms if t.event_time is not None}
    for term in did.inference(path.combine("event_time"), panel).terms:
        if term.event_time is not None and term.event_time >= 0:
            there = whole[term.event_time]
            assert (term.n_treated, term.n_treated_clusters) == (there.n_treated, there.n_treated_clusters)


def test_inference_after_combine_equals_the_static_effect_of_the_same_contrast(linear_panel):
    """Balanced panel, one date, unweighted: mean of lags minus mean of leads is the static effect, se included."""
    panel = linear_panel(n=16)
    path = did.event_study(panel)
    leads = [i for i, t in enumerate(path.terms) if t.event_time < 0]
    lags = [i for i, t in enumerate(path.terms) if t.event_time >= 0]
    matrix = np.zeros((1, len(path)))
    matrix[0, lags], matrix[0, leads] = 1 / len(lags), -1 / len(leads)
    contrast = replace(
        path,
        terms=path.combine("overall").terms,
        estimate=matrix @ path.estimate,
        transform=matrix,
        vcov=None,
        scores=None,
        inference=(),
    )
    found, static = did.inference(contrast, panel), did.twfe(panel)
    assert found.estimate[0] == pytest.approx(static.estimate[0])
    assert found.inference[0].std_error == pytest.approx(static.inference[0].std_error, rel=1e-8)
    assert found.inference[0].df == pytest.approx(static.inference[0].df, rel=1e-6)


def test_wild_bootstrap_equals_explicit_enumeration(linear_panel):
    """p by cluster sums equals re-estimating on every one of 2^G explicit bootstrap samples."""
    panel = linear_panel(n=8, t=5, starts=(3,), treated=3, effect=0.4)
    r = ESTIMATORS["twfe"](panel, Design()).regressions[0]
    x, y, c = r.x, r.y, r.contrast[0]
    null = np.delete(x, 0, axis=1)
    restricted = null @ np.linalg.lstsq(null, y, rcond=None)[0]
    bread = np.linalg.pinv(x.T @ x)

    def t_of(response):
        beta = bread @ x.T @ response
        e = response - x @ beta
        scores = np.array([c @ bread @ x[r.cluster == g].T @ e[r.cluster == g] for g in range(8)])
        return abs(c @ beta) / np.sqrt((scores**2).sum())

    drawn = [
        t_of(restricted + np.array(signs)[r.cluster] * (y - restricted)) for signs in product([1.0, -1.0], repeat=8)
    ]
    expected = np.mean(np.array(drawn) >= t_of(y) * (1 - 1e-9))
    found = wild.bootstrap(cluster_system(r), c, weights="rademacher")
    assert found.p_value == pytest.approx(expected, abs=1e-12)
    assert found.p_attainable == 2 / 256


def test_wild_interval_inverts_the_test(linear_panel):
    """p at either end of the interval is about 1 − level; inside it is larger."""
    r = ESTIMATORS["twfe"](linear_panel(n=14), Design()).regressions[0]
    system = cluster_system(r)
    found = wild.bootstrap(system, r.contrast[0])
    for end in (found.conf_low, found.conf_high):
        assert wild.bootstrap(system, r.contrast[0], null=end).p_value == pytest.approx(0.05, abs=0.01)
    assert wild.bootstrap(system, r.contrast[0], null=(found.conf_low + found.conf_high) / 2).p_value > 0.05


def test_permutation_is_exact_only_under_random_assignment(count_panel):
    """A p-value comes out only where assignment was random; otherwise a placebo rank."""
    panel = count_panel(n=9, treated=2, rate_ratio=0.4)
    observed = did.inference(did.ppml(panel), panel, "permutation").inference[0]
    assert observed.p_value is None
    assert observed.extra["placebo_of"] == 36
    assert observed.extra["enumerated"]
    random = did.ppml(panel, Design(rule="permutation", assignment="random")).inference[0]
    assert random.p_value == pytest.approx(random.extra["placebo_rank"] / 36)
    assert random.p_attainable == pytest.approx(1 / 36)


def test_scaling_the_treated_outcome_moves_the_uncertainty_or_refuses(linear_panel, count_panel):
    """Treated units twice as noisy: the standard error moves; a method that cannot see it must refuse."""
    for treated in (1, 2, 5):
        panel = linear_panel(treated=treated, n=12)
        noisy = np.where(panel.ever_treated[:, None], 5.0, 1.0) * panel.matrix()
        for estimator in ("twfe", "event_study", "first_difference"):
            calm = getattr(did, estimator)(panel)
            loud = getattr(did, estimator)(replace(panel, outcomes={"y": noisy}))
            for before, after in zip(calm.inference, loud.inference):
                assert before.std_error is None if treated == 1 else True
                if before.std_error is not None:
                    assert after.std_error > 1.5 * before.std_error
    panel = count_panel(treated=3)
    rng = np.random.default_rng(1)
    noisy = np.round(panel.matrix() * np.where(panel.treated, np.exp(rng.normal(0, 0.8, panel.matrix().shape)), 1))
    assert did.ppml(replace(panel, outcomes={"cases": noisy})).std_error[0] > 1.2 * did.ppml(panel).std_error[0]


def test_leave_one_out_names_the_cluster_that_carries_the_result(linear_panel):
    """Re-fits without each cluster: the jackknife of them is CR3, and an outlier shows as the largest change."""
    panel = linear_panel()
    y = panel.matrix().copy()
    y[2, 4:] += 20.0
    panel = replace(panel, outcomes={"y": y})
    table = did.leave_one_out(panel)
    assert table.loc[table.change.abs().idxmax(), "cluster"] == "c2"
    spread = np.sqrt(11 / 12 * (table.change**2).sum())
    assert did.twfe(panel).inference[0].std_error == pytest.approx(spread, rel=1e-9)


def test_leave_one_out_says_what_cannot_be_estimated(linear_panel):
    """Without the only treated cluster there is no estimate, and the table says why."""
    table = did.leave_one_out(linear_panel(treated=1))
    assert table.set_index("cluster").refused["c0"] == "inference.refused.hangs_on_one_cluster"
    assert table.refused.notna().sum() == 1


def test_simulated_size_sees_a_liberal_design(count_panel):
    """The design's own size is near 5 % with many equal clusters and is far below it with two treated."""
    many = did.simulated_size(did.log_rate(count_panel(treated=10)), n=2_000)
    assert 0.03 < many["treated_sd_1"] < 0.065
    assert many["treated_sd_2"] != many["treated_sd_1"]
    few = did.simulated_size(did.log_rate(count_panel(treated=2)), n=2_000)
    assert few["treated_sd_1"] < 0.02


def test_effective_clusters_of_unequal_exposure_are_fewer(count_panel):
    """Unweighted: as many as there are; weighted by exposure: fewer."""
    panel = count_panel(treated=8)
    treated, control = did.effective_clusters(did.log_rate(panel))
    assert (treated, control) == (pytest.approx(8), pytest.approx(13))
    treated, control = did.effective_clusters(panel, estimator="ppml")
    assert treated < 7.5
    assert control < 12


def test_clusters_that_hold_both_sides_are_testable(count_panel):
    """Treated and comparison units inside every cluster: all clusters count on both sides."""
    panel = count_panel(n=24, clusters=6)
    cohort = np.where(np.arange(24) // 6 % 2 == 0, 8, NEVER)
    inference = did.ppml(replace(panel, cohort=cohort)).inference[0]
    assert inference.rule == "cr3"
    assert inference.effective_control > 1


def test_placements_stay_within_strata(count_panel):
    """Where assignment was stratified, every placement keeps the number treated in each stratum."""
    from evalkit.did.permutation import _placements

    cohorts = np.array([4, NEVER, NEVER, 4, 4, NEVER])
    strata = np.array([0, 0, 0, 1, 1, 1])
    draws, enumerated = _placements(cohorts, strata, seed=1)
    assert not enumerated
    for draw in draws:
        assert [(draw[strata == s] == 4).sum() for s in (0, 1)] == [1, 2]
    assert len({tuple(draw) for draw in draws}) == 9


def test_gap_of_two_estimates_uses_their_joint_jackknife(count_panel):
    """Gap = difference; its standard error is that of the differences of the leave-one-out estimates."""
    panel = did.log_rate(count_panel())
    weighted = replace(panel, weight=panel.exposure)
    found = did.gap(did.twfe(panel), did.twfe(weighted))
    tables = [did.leave_one_out(p).change for p in (panel, weighted)]
    assert found.estimate == pytest.approx(did.twfe(panel).estimate[0] - did.twfe(weighted).estimate[0])
    assert found.std_error == pytest.approx(np.sqrt(20 / 21 * ((tables[0] - tables[1]) ** 2).sum()), rel=1e-9)
    assert found.conf_low < found.estimate < found.conf_high


def test_gap_is_refused_where_one_side_cannot_be_tested(count_panel):
    """One treated cluster: the gap has an estimate and nothing else."""
    panel = count_panel(treated=1)
    found = did.gap(did.twfe(did.log_rate(panel)), did.ppml(panel))
    assert found.std_error is None
    assert found.inference.refused == "inference.refused.one_treated_cluster"


def test_unknown_method_lists_those_there_are(count_panel):
    """A path of an unregistered estimator, or an unknown name, is refused with the list of names."""
    panel = count_panel()
    with pytest.raises(UserError, match="did_unknown_method"):
        did.inference(replace(did.ppml(panel), method="magic"), panel)
    with pytest.raises(UserError, match="did_unknown_method"):
        did.leave_one_out(panel, estimator="magic")


@pytest.mark.slow
def test_size_and_coverage_of_the_router(count_panel):
    """400 panels of 21 clusters: null rejected in at most 7.5 %, the true ratio covered in at least 92 %."""
    for treated in (2, 6, 10):
        null = [did.twfe(did.log_rate(count_panel(seed=s, treated=treated, rate_ratio=1.0))) for s in range(400)]
        assert np.mean([p.inference[0].p_value < 0.05 for p in null]) <= 0.075
        true = [did.ppml(count_panel(seed=s, treated=treated, rate_ratio=0.8)).inference[0] for s in range(200)]
        assert np.mean([i.conf_low < np.log(0.8) < i.conf_high for i in true]) >= 0.92


@pytest.mark.parametrize("call", [did.simulated_size, did.effective_clusters, did.leave_one_out])
def test_an_unknown_estimator_is_told_by_name(linear_panel, call):
    """Every call that takes an estimator's name lists the known ones instead of failing with a KeyError."""
    with pytest.raises(UserError, match="did_unknown_method"):
        call(linear_panel(n=6, treated=3), Design(), estimator="tfwe")


@pytest.mark.parametrize("estimator", [did.twfe, did.att_gt, did.imputation])
@pytest.mark.parametrize("rule", ["auto", "cr1", "cr2", "wild"])
def test_an_outcome_fitted_exactly_is_not_judged(linear_panel, estimator, rule):
    """Where only rounding is left of the residuals no standard error, interval or p-value is given."""
    panel = linear_panel(n=12, starts=(4, 5), treated=6)
    panel = replace(panel, outcomes={"y": np.where(panel.treated, 1.1, 0.1)})
    path = estimator(panel, Design(rule=rule))
    judged = [i for i in path.inference if i.rule != "reference"]
    assert {i.refused for i in judged} == {"inference.refused.no_variation"}
    assert all(i.std_error is None and i.p_value is None and i.conf_low is None for i in judged)
    assert all(has(f"inference.{part}.no_variation", lang) for part in ("refused", "reason") for lang in LANGUAGES)
