"""One project: estimated once, wired through, and cut into blocks that its cases can carry."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bench import PROJECT, WITH_PROJECT, Bench, cells, project_results
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import data, did, study
from evalkit.core import NEVER, Design, Panel
from evalkit.data.sample import simulate_project
from evalkit.study import effects, evaluation

pytestmark = pytest.mark.xdist_group("study")


def quarters(n: int) -> tuple[str, ...]:
    return tuple(f"{2019 + i // 4}Q{i % 4 + 1}" for i in range(n))


def panel(cases: np.ndarray, start: int, treated: int) -> Panel:
    """Firms × quarters with 2 person-years a cell; the first `treated` firms start in quarter `start`."""
    units = tuple(f"u{i}" for i in range(len(cases)))
    return Panel(
        units=units,
        times=quarters(cases.shape[1]),
        outcomes={evaluation.PRIMARY: cases.astype(float)},
        exposure=2.0 + np.arange(cases.size).reshape(cases.shape),
        cohort=np.where(np.arange(len(cases)) < treated, start, NEVER),
        cluster=np.arange(len(cases)),
        cluster_names=units,
        frequency="quarter",
        synthetic=True,
    )


def direct(bench: Bench) -> Any:
    """The headline estimate without `study`: the panel from the tables, the design by hand, the estimator."""
    case = bench.cases["project"]
    firms = data.firm_panel(case.canonical, case.plan, PROJECT)
    row = case.tables["project"].set_index("project_id").loc[PROJECT]
    strata = evaluation.testable_outcomes(firms)
    design = Design(selection_window=(row.selection_from, row.selection_to), seed=case.seed, outcomes=strata)
    return did.ppml(firms, design)


def test_the_reported_effect_is_the_estimator_on_the_firm_panel(tiny: Bench) -> None:
    """The table, results.json and the headline of a project all hold what did.ppml says of data.firm_panel."""
    path = direct(tiny)
    expected = path.effects()[0]
    section = tiny.section("project", "effect")
    assert section.effects["ppml"]["estimate"] == pytest.approx(path.estimate.tolist(), rel=1e-12)
    assert cells(section, "effect_estimates", "rate_ratio")[0] == pytest.approx(math.exp(expected.estimate), rel=1e-12)
    assert cells(section, "effect_estimates", "p_value")[0] == pytest.approx(expected.p_value, rel=1e-12)
    assert tiny.section("project", "summary").values["rate_ratio"] == pytest.approx(math.exp(expected.estimate))
    assert path.observed[0] == np.nansum(path_cases(tiny))


def path_cases(bench: Bench) -> np.ndarray:
    firms = data.firm_panel(bench.cases["project"].canonical, bench.cases["project"].plan, PROJECT)
    return firms.outcomes[evaluation.PRIMARY][firms.treated]


def test_city_and_province_repeat_the_project_without_estimating_it(
    tiny: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reports of a place read the finished project's numbers; no estimator of firms runs again."""
    monkeypatch.setattr(did, "ppml", lambda *_, **__: pytest.fail("estimated a second time"))
    values = project_results(tiny)["values"]
    for name, key in (("city", "effects"), ("province", "projects")):
        section = study.section(tiny.cases[name], key)
        for column in ("rate_ratio", "averted", "evidence_level"):
            assert cells(section, "effects_table", column) == [values[column]]
        forest = next(e.data for e in section.exhibits if e.kind == "figure")
        assert forest["rows"][0]["estimate"] == values["rate_ratio"]


def test_all_sections_of_a_project_share_one_estimation(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many sections ask, the panel is built and the headline estimated once for a case."""
    calls: list[str] = []

    def counted(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            calls.append(name)
            return function(*args, **more)

        return call

    monkeypatch.setattr(data, "firm_panel", counted("panel", data.firm_panel))
    monkeypatch.setattr(did, "ppml_event_study", counted("events", did.ppml_event_study))
    fresh = replace(tiny.cases["project"], draws=100)
    for key in study.SECTIONS["project"]:
        study.section(fresh, key)
    assert sorted(calls) == ["events", "panel"]


def test_averted_cases_are_expected_less_observed(tiny: Bench) -> None:
    """The averted table, the headline value and the city's row hold μ0 − observed of the same path."""
    path = direct(tiny)
    averted = float(path.mu0[0] - path.observed[0])
    assert tiny.section("project", "summary").values["averted"] == pytest.approx(averted, rel=1e-9)
    assert cells(tiny.section("project", "effect"), "effect_averted", "averted")[0] == pytest.approx(averted, rel=1e-9)


def test_severity_rows_carry_only_strata_with_cases_enough(tiny: Bench) -> None:
    """A stratum enters the joint estimate with 10 expected and 3 observed treated cases, never with fewer."""
    firms, _ = simulate_project(3, "effect")
    kept = evaluation.testable_outcomes(firms)
    assert kept[0] == evaluation.PRIMARY
    for name in (n for n in firms.outcomes if n.startswith(evaluation.PRIMARY + ".")):
        cases, post = firms.outcomes[name], firms.treated
        expected = cases[~post].sum() / firms.exposure[~post].sum() * firms.exposure[post].sum()
        assert (name in kept) == bool(expected >= 10 and cases[post].sum() >= 3), name


@settings(deadline=None, max_examples=40)
@given(
    span=st.sampled_from([1, 2, 4]),
    start=st.integers(5, 14),
    after=st.integers(4, 12),
    seed=st.integers(0, 10_000),
)
def test_coarser_blocks_keep_cases_and_exposure(span: int, start: int, after: int, seed: int) -> None:
    """Blocks begin at the start of treatment, hold the sums of whole blocks, and mix no treated with untreated time."""
    length = start + after
    fine = panel(np.random.default_rng(seed).poisson(1.5, (6, length)), start, treated=3)
    wide, design = evaluation.coarser(fine, Design(selection_window=(fine.times[4], fine.times[4])), span)
    head = start % span
    blocks = (length - head) // span
    kept = slice(head, head + blocks * span)
    assert wide.n_periods == blocks
    cases, exposure = fine.outcomes[evaluation.PRIMARY], fine.exposure
    assert wide.outcomes[evaluation.PRIMARY].sum(axis=1) == pytest.approx(cases[:, kept].sum(axis=1))
    assert wide.exposure.sum(axis=1) == pytest.approx(exposure[:, kept].sum(axis=1))
    assert wide.times == fine.times[kept][::span]
    assert wide.times[int(wide.cohort[0])] == fine.times[start]
    assert (wide.cohort[3:] == NEVER).all()
    treated_cases = cases[:3, start : kept.stop].sum()
    assert wide.outcomes[evaluation.PRIMARY][wide.treated].sum() == treated_cases
    assert set(design.selection_window) <= set(wide.times)


def test_a_selection_window_before_the_first_block_is_gone() -> None:
    """Periods left out at the head cannot be left out twice: no block at the other end is taken for them."""
    fine = panel(np.ones((4, 18)), 9, treated=2)
    for window, expected in (((0, 0), None), ((0, 1), ("2019Q2", "2019Q2")), ((3, 5), ("2019Q2", "2020Q2"))):
        named = tuple(fine.times[w] for w in window)
        _, design = evaluation.coarser(fine, Design(selection_window=named), 4)
        assert design.selection_window == expected


def test_one_quarter_blocks_change_nothing() -> None:
    """A span of one is the panel itself, and the design with it."""
    fine = panel(np.arange(48).reshape(4, 12), 7, treated=2)
    window = (fine.times[2], fine.times[4])
    wide, design = evaluation.coarser(fine, Design(selection_window=window), 1)
    assert wide.times == fine.times
    assert np.array_equal(wide.outcomes[evaluation.PRIMARY], fine.outcomes[evaluation.PRIMARY])
    assert design.selection_window == window


@pytest.mark.parametrize(("cases_a_quarter", "span"), [(6, 1), (3, 2), (2, 4), (1, 0)])
def test_few_cases_mean_coarser_points(cases_a_quarter: int, span: int) -> None:
    """With fewer than 5 treated cases a quarter the event study goes to half-years, years, and then to none."""
    cases = np.zeros((4, 24))
    cases[0] = cases_a_quarter
    cases[2:] = 9
    assert evaluation.event_span(panel(cases, 12, treated=2)) == span


def test_a_follow_up_shorter_than_a_block_has_no_point() -> None:
    """Blocks that would hold no treated time are not used, however many cases a year would have."""
    cases = np.full((4, 14), 1.0)
    assert evaluation.event_span(panel(cases, 12, treated=2)) == 0
    assert evaluation.event_span(panel(3 * cases, 12, treated=2)) == 1


def test_a_small_project_shows_a_coarser_event_study(tiny: Bench) -> None:
    """The smallest city's project cannot carry quarters: its figure has wider points and says so; a large one can."""
    ev = evaluation.evaluate(tiny.cases["project"])
    assert ev.span in (2, 4)
    figure = next(e for e in tiny.section("project", "effect").exhibits if e.id == "effect_events")
    wide, design = evaluation.coarser(ev.panel, ev.design, ev.span)
    left_out = {t for t in wide.times if design.selection_window[0] <= t <= design.selection_window[1]}
    assert len(figure.data["event_time"]) == wide.n_periods - len(left_out)
    assert figure.title.values["span"] == ev.span
    counts = wide.outcomes[evaluation.PRIMARY][wide.ever_treated].sum(axis=0)
    assert counts.min() >= 5
    large, _ = simulate_project(1, "effect")
    assert evaluation.event_span(large) == 1


@pytest.mark.parametrize(("name", "key"), [("project", "effect"), ("province", "programme")])
def test_the_event_study_marks_the_period_it_compares_with(tiny: Bench, name: str, key: str) -> None:
    """The base that the figure marks is the one the estimator used: a point at zero, before the start, no interval."""
    figure = next(e for e in tiny.section(name, key).exhibits if e.data.get("figure") == "event_study")
    assert figure.data["base"]
    for base in figure.data["base"]:
        index = figure.data["event_time"].index(base)
        assert base < 0
        assert figure.data["estimate"][index] == 0
        assert figure.data["conf_low"][index] is None


def test_a_project_without_cases_for_any_spacing_has_no_event_study(
    tiny: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no spacing carries 5 cases a point, the figure is left out and the other exhibits stay."""
    monkeypatch.setattr(evaluation, "event_span", lambda _: 0)
    section = study.section(replace(tiny.cases["project"], draws=100), "effect")
    assert "effect_events" not in [e.id for e in section.exhibits]
    assert "effect_estimates" in [e.id for e in section.exhibits]
    assert "events" not in section.effects


def test_batches_hold_the_cases_and_exposure_of_their_firms() -> None:
    """Summing firms to batches loses nothing and keeps who is treated."""
    firms, _ = simulate_project(2, "effect")
    batches = evaluation.batch_panel(firms)
    assert batches.n_units == len(np.unique(firms.cluster))
    assert batches.outcomes[evaluation.PRIMARY].sum() == firms.outcomes[evaluation.PRIMARY].sum()
    assert batches.exposure.sum() == pytest.approx(firms.exposure.sum())
    assert batches.outcomes[evaluation.PRIMARY][batches.treated].sum() == path_total(firms)


def path_total(firms: Panel) -> float:
    return float(firms.outcomes[evaluation.PRIMARY][firms.treated].sum())


def test_intervals_of_ratios_are_exponentials_of_the_log_interval(tiny: Bench) -> None:
    """What is printed as a rate ratio is the exponential of the estimate and of both ends of its interval."""
    effect = evaluation.evaluate(tiny.cases["project"]).effect
    low, high = effects.ratio_interval(effect)
    assert (low, high) == pytest.approx((math.exp(effect.conf_low), math.exp(effect.conf_high)))
    assert low < effects.ratio(effect) < high
    assert tiny.cases["project"].place == WITH_PROJECT
