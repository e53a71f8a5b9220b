"""True money of the sample: the same arithmetic as an evaluation, on injuries that are known without error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit import cea, cli, data, plans, sources
from evalkit.core import UserError
from evalkit.data import sample as generator
from evalkit.data.sample.calibrate import table
from evalkit.study import truth
from evalkit.study.case import Case
from evalkit.study.economics import PERSPECTIVES
from evalkit.study.evaluation import follow_up

PROJECT = "GP441500-2023-001"
"""The one evaluated project whose city the tiny scale writes."""


def read(folder: Path) -> dict[str, Any]:
    return json.loads((folder / truth.TRUTH).read_text("utf-8"))


@pytest.fixture(scope="module", params=["effect", "null"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, bytes, Path]:
    """Scenario, truth.json as generated, and the workspace after `add_money`."""
    folder = generator.generate(
        "guangdong", tmp_path_factory.mktemp(request.param) / "ws", scenario=request.param, scale="tiny"
    )
    before = (folder / truth.TRUTH).read_bytes()
    assert truth.add_money(folder) == folder / truth.TRUTH
    return request.param, before, folder


def costs(n: int = 2, area: str = "guangdong_ex_shenzhen") -> cea.UnitCosts:
    return cea.unit_costs(cea.schedule("2024-12-31", area=area, price_year=2024), n=n, seed=1)


def test_npv_is_averted_times_unit_cost_less_programme_cost(made: tuple[str, bytes, Path]) -> None:
    """NPV, BCR and cost per injury averted of one project, by hand from the numbers in truth.json."""
    scenario, _, folder = made
    entry = read(folder)["projects"][PROJECT]
    averted = {group: row["averted"] for group, row in entry["by_severity"].items()}
    for perspective in PERSPECTIVES:
        money = entry["money"][perspective]
        factor = (1 + money["discount"]) ** -money["delay"]
        saved = factor * sum(averted[group] * money["unit_cost"][group] for group in averted)
        assert money["npv"] == pytest.approx(saved - money["programme_cost"], abs=0.05)
        assert money["bcr"] == pytest.approx(saved / money["programme_cost"], abs=1e-5)
        if scenario == "effect":
            assert money["icer"] == pytest.approx(-money["npv"] / (factor * entry["averted"]), rel=1e-5)
    paid_in = sources.table("cpi").query("name == 'cpi_guangdong' and valid_from == '2024-01-01'").value.iloc[0] / 100
    assert entry["money"]["fund"]["programme_cost"] == pytest.approx(entry["cost"] * paid_in, abs=0.01)
    assert (money["price_year"], money["discount"]) == (2024, 0.05)


def test_nothing_averted_loses_what_was_spent(made: tuple[str, bytes, Path]) -> None:
    """Null scenario: no injury averted, NPV is minus the cost, and no cost per injury but the word for it."""
    scenario, _, folder = made
    entry = read(folder)["projects"][PROJECT]
    if scenario == "effect":
        assert entry["averted"] > 0
        assert all(m["averted_cost"] > 0 for m in entry["money"].values())
        return
    assert entry["averted"] == 0
    for money in entry["money"].values():
        assert money["npv"] == -money["programme_cost"] < 0
        assert (money["bcr"], money["averted_cost"]) == (0.0, 0.0)
        assert (money["icer"], money["dominance"]) == (None, "dominated")


def test_money_is_added_and_nothing_else_moves(made: tuple[str, bytes, Path]) -> None:
    """A second run gives the same bytes; without the money the file is the generator's; no draft is left behind."""
    _, before, folder = made
    first = (folder / truth.TRUTH).read_bytes()
    assert truth.add_money(folder).read_bytes() == first
    facts = read(folder)
    assert [k for k, entry in facts["projects"].items() if entry.pop("money", None)] == [PROJECT]
    assert (json.dumps(facts, ensure_ascii=False, indent=1) + "\n").encode() == before
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_a_folder_without_truth_is_told_so(tmp_path: Path) -> None:
    """Real workspaces have no truth to price."""
    with pytest.raises(UserError) as error:
        truth.add_money(tmp_path)
    assert error.value.problems[0].key == "no_truth"


@pytest.mark.parametrize("area", ["guangdong_ex_shenzhen", "shenzhen"])
def test_unit_costs_at_means_are_close_to_the_mean_of_their_draws(area: str) -> None:
    """Parameters at their means give unit costs without spread, within 2 % of the mean over draws of the same area."""
    drawn = costs(4_000, area)
    fixed = truth.at_means(drawn)
    assert np.ptp(fixed.values, axis=0).max() == 0
    assert (fixed.price_year, fixed.discount, fixed.severities) == (2024, 0.05, drawn.severities)
    for perspective in PERSPECTIVES:
        means = drawn.of(perspective, drawn.severities).mean(axis=0)
        np.testing.assert_allclose(fixed.of(perspective, drawn.severities)[0], means, rtol=0.02)


def test_unit_costs_at_means_are_the_dated_flows_of_the_grades() -> None:
    """One injury of a group costs the discounted flows of its grades, weighted with their shares."""
    plan = cea.schedule("2024-12-31", price_year=2024)
    fixed = truth.at_means(cea.unit_costs(plan, n=2, seed=1))
    shares = sources.parameters("grade_share")
    groups = cea.grade_groups()
    members = [g for g in groups if groups[g] == "g7_10"]
    weight = np.array([shares[f"grade_share.{g}"].value for g in members])
    worth = [
        -cea.present_value(cea.benefit_flows(plan, g, 0.0), "fund", base=0.0, rate=0.05, timing="start")
        for g in members
    ]
    assert fixed.of("fund", ("g7_10",))[0, 0] == pytest.approx(weight @ worth / weight.sum(), rel=1e-9)


def test_prices_and_generator_share_the_grades() -> None:
    """The shares of grades that unit costs use are those from which the sample draws its injuries."""
    drawn = table("grades").set_index("grade")
    given = sources.parameters("grade_share")
    assert {g: float(s) for g, s in drawn.share.items()} == {
        name.removeprefix("grade_share."): p.value for name, p in given.items()
    }
    assert dict(drawn.group) == cea.grade_groups()


def test_delay_is_the_one_of_the_evaluation() -> None:
    """True money stands as far from the start as the middle of the follow-up that an evaluation observes."""
    panel, _ = generator.simulate_project(1, "null")
    about = {"plan": plans.load("gd_2021_2025"), "period": 2025, "as_of": "2026-10-31", "lang": "en", "seed": 1}
    tables = {"project": pd.DataFrame()}
    canonical = data.Canonical(tables=tables, inputs=(), gates=(), as_of="2026-10-31", synthetic=True)
    case = Case(kind="project", workspace=None, canonical=canonical, draws=2, synthetic=True, **about)
    start = str(panel.times[int(panel.cohort[panel.ever_treated].min())])
    assert truth.true_delay(case, start) == follow_up(panel)


def test_known_effect_agrees_with_draws_around_it() -> None:
    """A decision without uncertainty lies where a decision with draws is centred."""
    drawn = costs(20_000)
    averted = {"ungraded": 40.0, "g7_10": 30.0, "g5_6": 0.0}
    sure = truth.known_effect(averted, truth.at_means(drawn), 500_000.0, delay=1.25)
    centre = np.array(list(averted.values()))
    spread = np.diag([25.0, 16.0, 0.0])
    values = np.random.default_rng(1).multivariate_normal(centre, spread, drawn.n)
    draws = cea.Draws(
        names=tuple(averted), values=values, estimate=centre, vcov=spread, mu0=10 * centre, df=np.inf, refused=None
    )
    decision, _ = cea.decide(draws, drawn, 500_000.0, delay=1.25)
    assert decision.npv is not None
    assert sure.npv == pytest.approx(decision.npv, abs=4 * (decision.npv_mc_error or 0))
    assert decision.npv_low < sure.npv < decision.npv_high
    with_more = truth.known_effect({**averted, "g5_6": 1.0}, truth.at_means(drawn), 500_000.0, delay=1.25)
    assert with_more.npv > sure.npv


def test_the_command_prices_the_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`evalkit sample` leaves a truth with money, the same as generating and pricing apart."""
    with pytest.raises(SystemExit) as left:
        cli.main(["sample", "guangdong", str(tmp_path / "a"), "--scale", "tiny", "--lang", "en"])
    assert (left.value.code or 0) == 0
    apart = generator.generate("guangdong", tmp_path / "b", scale="tiny")
    assert truth.add_money(apart).read_bytes() == (tmp_path / "a" / truth.TRUTH).read_bytes()
    assert "money" in read(apart)["projects"][PROJECT]
