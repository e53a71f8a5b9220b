"""Money in words: a cost per injury averted is a number only where injuries are averted at a net cost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench import Bench, cells, project_results

from evalkit import cea, text
from evalkit.core import to_plain
from evalkit.study.economics import PERSPECTIVES, decision_message, icer_words
from evalkit.study.evaluation import Evaluation, evaluate

pytestmark = pytest.mark.xdist_group("study")
DEAR, CHEAP = 5e8, 1.0


@pytest.fixture(scope="module")
def project(tiny: Bench) -> Evaluation:
    return evaluate(tiny.cases["project"])


def moved(draws: cea.Draws, cases: float) -> cea.Draws:
    """The same draws around another number of averted cases."""
    shift = np.full(len(draws.names), cases / len(draws.names)) - draws.values.mean(axis=0)
    return replace(draws, values=draws.values + shift, estimate=draws.estimate + shift)


@pytest.mark.parametrize("perspective", PERSPECTIVES)
@pytest.mark.parametrize("cost", [CHEAP, 4e5, DEAR])
@pytest.mark.parametrize("averted", [-60.0, -3.0, 0.5, 8.0, 60.0])
def test_a_negative_ratio_is_never_printed(project: Evaluation, perspective: str, cost: float, averted: float) -> None:
    """Over savings and losses, averted and added injuries: a positive number, or words without one."""
    decision, _ = cea.decide(moved(project.money.draws, averted), project.money.costs, cost, perspective=perspective)
    words = icer_words(to_plain(decision))
    assert (words.key == "icer.value") == (decision.npv < 0 and averted > 0)
    for lang in text.LANGUAGES:
        said = text.say(words, lang)
        assert "−" not in said and "-" not in said.replace("cost-", "")
        assert any(c.isdigit() for c in said) == (words.key == "icer.value")
    if words.key == "icer.value":
        assert words.values["icer"] > 0


def test_dominance_has_the_right_words(project: Evaluation) -> None:
    """Cheaper and better dominates; dearer and no better is dominated."""
    draws, costs = project.money.draws, project.money.costs
    good, _ = cea.decide(moved(draws, 60.0), costs, CHEAP)
    bad, _ = cea.decide(moved(draws, -60.0), costs, DEAR)
    assert icer_words(to_plain(good)).key == "icer.dominant"
    assert icer_words(to_plain(bad)).key == "icer.dominated"


def test_the_sentence_follows_the_interval_of_the_net_saving(project: Evaluation) -> None:
    """Saves or costs only where the whole interval says so, insufficient where it covers nil, refused without one."""
    fund = project.money.fund
    for low, high, key in ((1.0, 9.0, "saves"), (-9.0, -1.0, "costs"), (-1.0, 1.0, "insufficient")):
        assert decision_message(replace(fund, npv=(low + high) / 2, npv_low=low, npv_high=high)).key.endswith(key)
    assert decision_message(replace(fund, npv=None)).key == "decision.refused"
    assert decision_message(replace(fund, refused="cea.refused.df")).key == "decision.refused"


def test_every_perspective_reads_the_same_draws(project: Evaluation) -> None:
    """Averted cases are the same for everybody; who pays differs, and society bears at least what the fund bears."""
    decisions = project.money.decisions
    assert tuple(decisions) == PERSPECTIVES
    assert len({round(d.averted_cases, 9) for d in decisions.values()}) == 1
    assert decisions["society"].programme_cost >= decisions["fund"].programme_cost


def test_net_saving_is_averted_cost_less_programme_cost(project: Evaluation) -> None:
    """The account closes in every perspective, and the table prints the account."""
    for decision in project.money.decisions.values():
        assert decision.npv == pytest.approx(decision.averted_cost - decision.programme_cost, rel=1e-9)


def test_a_city_prints_the_money_of_its_project(tiny: Bench) -> None:
    """The place's table, the province's and the project's own decision hold the same amounts."""
    found = project_results(tiny)["economics"]["decision"]
    for name in ("city", "province"):
        section = tiny.section(name, "economics")
        assert cells(section, "economics_projects", "npv") == [found["npv"]]
        assert cells(section, "economics_projects", "programme_cost") == [found["programme_cost"]]
    assert cells(tiny.section("project", "economics"), "economics_decision", "npv")[0] == found["npv"]


def test_money_concludes_nothing_where_the_injuries_do_not(project: Evaluation) -> None:
    """With an interval of one sign, money is put down to the project only if its primary outcome tells a change."""
    for low, high, key in ((1.0, 9.0, "saves"), (-9.0, -1.0, "costs")):
        told = replace(project.money.fund, npv=(low + high) / 2, npv_low=low, npv_high=high)
        assert decision_message(told, (), "lower").key == f"decision.{key}"
        assert decision_message(told, (), "insufficient").key == "decision.unsupported"
        assert decision_message(told, (), "not_testable").key == "decision.unsupported"
