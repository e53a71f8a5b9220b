"""The world without files: truth, scenarios and the independence of random streams."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.core import NEVER, Panel, UserError
from evalkit.data.sample import simulate_city, simulate_project
from evalkit.data.sample.calibrate import GROUPS, family_shares, project_specs, scenario, settings, stream
from evalkit.data.sample.cells import draw_cells
from evalkit.data.sample.fast import project_panel, project_truth
from evalkit.data.sample.firms import draw_firms
from evalkit.data.sample.timeline import n_mature, project_quarters

SCENARIOS = tuple(k for k in settings("scenarios") if k != "default")
SIMULATORS = {"project": simulate_project, "city": simulate_city}


def log_gap(panel: Panel, quarters: list[str], outcome: str | None = None) -> float:
    """Log rate ratio of ever treated to never treated units over some quarters."""
    at = [panel.times.index(q) for q in quarters]
    cases, exposure, treated = panel.matrix(outcome)[:, at], panel.exposure[:, at], panel.ever_treated
    rate = [cases[k].sum() / exposure[k].sum() for k in (treated, ~treated)]
    return float(np.log(rate[0] / rate[1]))


def years(*numbers: int) -> list[str]:
    return [f"{y}Q{q}" for y in numbers for q in (1, 2, 3, 4)]


@pytest.mark.parametrize("level", SIMULATORS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_panels_are_well_formed_in_every_scenario(name: str, level: str) -> None:
    """Whole counts, positive exposure, avertable = sum of its severities, mature quarters only, marked synthetic."""
    panel, truth = SIMULATORS[level](3, name)
    assert panel.primary == "avertable"
    assert panel.synthetic
    assert panel.times[-1] == "2025Q2"
    parts = sum(panel.matrix(f"avertable.{g}") for g in GROUPS)
    np.testing.assert_array_equal(panel.matrix("avertable"), parts)
    assert (panel.exposure > 0).all()
    assert set(panel.cohort[panel.ever_treated]) == {panel.times.index("2023Q1")}
    assert (panel.cohort[~panel.ever_treated] == NEVER).all()
    assert truth["averted"] == pytest.approx(sum(v["averted"] for v in truth["by_severity"].values()))


@pytest.mark.parametrize("level", SIMULATORS)
def test_same_seed_same_panel(level: str) -> None:
    """A seed decides everything, another seed gives another world."""
    one, again, other = (SIMULATORS[level](s, "effect")[0] for s in (5, 5, 6))
    np.testing.assert_array_equal(one.matrix(), again.matrix())
    assert (one.matrix() != other.matrix()).any()


@pytest.mark.parametrize("level", SIMULATORS)
@pytest.mark.parametrize("name", ["null", "regression_to_mean", "diverging_trend", "denominator_jump"])
def test_nothing_is_averted_where_the_programme_does_nothing(name: str, level: str) -> None:
    """The rate ratio is exactly 1 and nothing is averted, in the null and in the three pure biases."""
    truth = SIMULATORS[level](4, name)[1]
    assert truth["rate_ratio"] == 1.0
    assert truth["recorded_rate_ratio"] == 1.0
    assert truth["averted"] == 0.0


def test_effect_only_touches_avertable_injuries_of_treated_cells() -> None:
    """Effect and null share the world: all else is equal, and treated cells only lose injuries."""
    null, effect = simulate_project(7, "null")[0], simulate_project(7, "effect")[0]
    treated = effect.treated & effect.ever_treated[:, None]
    np.testing.assert_array_equal(null.matrix()[~treated], effect.matrix()[~treated])
    np.testing.assert_array_equal(null.matrix("commute"), effect.matrix("commute"))
    assert (effect.matrix() <= null.matrix()).all()
    assert effect.matrix()[treated].sum() < null.matrix()[treated].sum()


def test_effect_lasts_in_cities_and_fades_in_projects() -> None:
    """City programme 0.88 throughout; a project starts at 0.88 and is back at 1 after 24 months."""
    assert simulate_city(1, "effect")[1]["rate_ratio"] == pytest.approx(0.88)
    firms = draw_firms(1, project_specs("reference_project")[0], scenario("effect"))
    path = firms.ratio[np.flatnonzero(firms.enrolled)[0]]
    start = project_quarters().index("2023Q1")
    assert path[start] == pytest.approx(1 - 0.12 * np.mean([1 - m / 24 for m in (0.5, 1.5, 2.5)]))
    assert (path[:start] == 1).all()
    assert (path[start + 8 :] == 1).all()
    assert (np.diff(path[start:]) >= 0).all()


def test_truth_equals_a_recomputation_cell_by_cell() -> None:
    """The truth of a project is what a plain loop over firms, quarters and months gives."""
    spec = project_specs("reference_project")[0]
    firms = draw_firms(11, spec, scenario("effect"))
    before = after = 0.0
    for n in np.flatnonzero(firms.enrolled):
        for q, label in enumerate(project_quarters()[: n_mature(project_quarters()[0])]):
            if label < spec.start:
                continue
            since = 12 * (int(label[:4]) - int(spec.start[:4])) + 3 * (int(label[5]) - int(spec.start[5]))
            left = [max(0.0, 1 - (since + m + 0.5) / 24) for m in range(3)]
            before += firms.expected[n, q]
            after += firms.expected[n, q] * (1 - 0.12 * sum(left) / 3)
    truth = project_truth(firms)
    assert truth["rate_ratio"] == pytest.approx(after / before, rel=1e-12)
    assert truth["averted"] == pytest.approx(before - after, rel=1e-9)


@pytest.mark.parametrize("level", SIMULATORS)
def test_observed_counts_scatter_around_the_truth(level: str) -> None:
    """Over many seeds the injuries of treated cells add up to what the truth expects."""
    observed = expected = 0.0
    for seed in range(40):
        panel, truth = SIMULATORS[level](seed, "effect")
        observed += panel.matrix()[panel.treated & panel.ever_treated[:, None]].sum()
        expected += truth["expected_with"]
    assert abs(observed - expected) < 4 * np.sqrt(expected)


def test_reporting_bias_inflates_ungraded_records_only() -> None:
    """True ratio as in effect, recorded ratio higher by 15 % of the ungraded share; graded counts unchanged."""
    (bias, truth), (effect, plain) = simulate_city(2, "reporting_bias"), simulate_city(2, "effect")
    assert truth["rate_ratio"] == plain["rate_ratio"]
    share = family_shares()[0] / family_shares()[:5].sum()
    assert truth["recorded_rate_ratio"] == pytest.approx(plain["rate_ratio"] * (1 + 0.15 * share))
    np.testing.assert_array_equal(bias.matrix("avertable.g7_10"), effect.matrix("avertable.g7_10"))
    more = bias.matrix("avertable.ungraded").sum() - effect.matrix("avertable.ungraded").sum()
    assert more > 0


@pytest.mark.parametrize("level", SIMULATORS)
def test_regression_to_mean_selects_a_passing_peak(level: str) -> None:
    """The enrolled stand out in the selection window and neither before nor after it."""
    panels = [SIMULATORS[level](s, "regression_to_mean")[0] for s in range(15)]
    spans = (["2022Q1", "2022Q2"], years(2020, 2021), years(2024))
    window, before, after = np.mean([[log_gap(p, q) for q in spans] for p in panels], axis=0)
    assert window - before > 0.2
    assert abs(after - before) < 0.12


@pytest.mark.parametrize("level", SIMULATORS)
def test_diverging_trend_is_there_before_the_start(level: str) -> None:
    """The treated drift away at the same pace before and after the programme starts."""
    panels = [SIMULATORS[level](s, "diverging_trend")[0] for s in range(10)]
    gaps = np.mean([[log_gap(p, years(y)) for y in (2019, 2021, 2024)] for p in panels], axis=0)
    pace = settings("scenarios")["diverging_trend"]["trend_gap"][level]
    assert (gaps[1] - gaps[0]) / 2 == pytest.approx(pace, abs=0.05)
    assert (gaps[2] - gaps[1]) / 3 == pytest.approx(pace, abs=0.05)


def test_covid_shock_lowers_rates_by_city_in_lockdown_quarters_only() -> None:
    """Lockdown quarters are lower, by different amounts in different cities; all other quarters are as in effect."""
    names = [settings()["programme"]["industry"]]
    gap = draw_cells(3, scenario("covid_shock"), names).shock - draw_cells(3, scenario("effect"), names).shock
    moved = np.flatnonzero(np.abs(gap[:, 0]).sum(axis=0) > 0)
    assert len(moved) == len(scenario("covid_shock").lockdown)
    assert (gap[:, 0, moved] <= 0).all()
    assert gap[:, 0, moved[0]].std() > 0.1


@pytest.mark.parametrize("level", SIMULATORS)
def test_denominator_jump_adds_heads_and_no_injuries(level: str) -> None:
    """Counts equal those of null; exposure of treated cells is 15 % higher."""
    jump, null = SIMULATORS[level](9, "denominator_jump")[0], SIMULATORS[level](9, "null")[0]
    np.testing.assert_array_equal(jump.matrix(), null.matrix())
    treated = jump.treated & jump.ever_treated[:, None]
    assert jump.exposure[treated].sum() / null.exposure[treated].sum() == pytest.approx(1.15, abs=0.01)
    np.testing.assert_array_equal(jump.exposure[~treated], null.exposure[~treated])


def test_heterogeneous_effect_grows_with_size() -> None:
    """Large firms gain more than small ones; the truth weighs them by expected injuries."""
    firms = draw_firms(2, project_specs("reference_project")[0], scenario("heterogeneous"))
    start = project_quarters().index("2023Q1")
    first = firms.ratio[firms.enrolled, start]
    size = firms.size[firms.enrolled]
    assert first[size >= 300].max() < first[size < 100].min()
    truth = simulate_city(2, "heterogeneous")[1]
    assert 0.80 < truth["rate_ratio"] < np.exp(truth["mean_log_rate_ratio"]) < 0.97


def test_batches_are_enrolled_as_a_whole() -> None:
    """Assignment is by batch: no batch holds both enrolled and other firms, about half are enrolled."""
    panel = project_panel(draw_firms(1, project_specs()[0], scenario("effect")))
    share = np.array([panel.ever_treated[panel.cluster == b].mean() for b in np.unique(panel.cluster)])
    assert set(share) == {0.0, 1.0}
    assert share.mean() == pytest.approx(0.5, abs=0.05)


def test_streams_do_not_move_each_other() -> None:
    """A stream depends on its own name and seed alone; a cell does not depend on which others are drawn."""
    assert stream(1, "a").random() == stream(1, "a").random() != stream(1, "b").random()
    one, every = draw_cells(1, scenario("effect"), ["machinery"]), draw_cells(1, scenario("effect"))
    np.testing.assert_array_equal(one.rate[:, 0], every.rate[:, every.industries.index("machinery")])


def test_unknown_scenario_names_the_known_ones() -> None:
    """A misspelt scenario is an error that lists the scenarios."""
    with pytest.raises(UserError) as error:
        simulate_city(1, "efect")
    assert error.value.problems[0].values["known"] == list(SCENARIOS)
