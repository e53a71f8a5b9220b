"""The money of a place adds up its projects, says whose it is, and never concludes more than they do."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
from bench import Bench, cells, project_results

from evalkit import cea, text
from evalkit.assess.frames import rows_of
from evalkit.show import render
from evalkit.study.case import Case
from evalkit.study.economics import known_mix, premium_share, project_schedule, severity_of
from evalkit.study.evaluation import evaluate, grade_mix
from evalkit.study.funding import impact_table
from evalkit.study.province import cap_rows
from evalkit.study.roll_up import money_exhibits, payers_table, sets_table, words

pytestmark = pytest.mark.xdist_group("study")


def city(tiny: Bench, projects: int, **decision: object) -> Case:
    """The tiny city with several copies of its project, each with the given cells of its decision."""
    one = project_results(tiny)
    copies = {}
    for i in range(projects):
        other = copy.deepcopy(one)
        other["economics"]["decision"].update(decision)
        copies[f"P{i + 1}"] = other
    return replace(tiny.cases["city"], projects=copies)


def test_the_fund_line_of_the_payers_is_the_account_of_the_decision(tiny: Bench) -> None:
    """Programme cost by payer is the decision's own, and the three parties add up to society where nobody else pays."""
    found = project_results(tiny)["economics"]
    for party in ("fund", "employer", "society"):
        cost, saved, net = found["payers"][party]
        assert cost == pytest.approx(found["perspectives"][party]["programme_cost"], rel=1e-9)
        assert net == pytest.approx(saved - cost, rel=1e-9, abs=1e-6)
    parts = [found["payers"][p][2] for p in ("fund", "employer", "worker")]
    assert sum(parts) == pytest.approx(found["payers"]["society"][2], rel=1e-6)


def test_totals_by_payer_add_up(tiny: Bench) -> None:
    """The last rows are the sums over projects, one a payer."""
    shown = payers_table(city(tiny, 3)).data["rows"]
    assert len(shown) == 4 * 4
    for i, total in enumerate(shown[-4:]):
        for cell in (2, 3, 4):
            assert total[cell] == pytest.approx(sum(row[cell] for row in shown[i:12:4]), abs=1e-6)


@pytest.mark.parametrize(("low", "high", "word"), [(-9e5, 4e5, "covers"), (2e5, 4e5, "excludes")])
def test_a_total_says_insufficient_wherever_it_has_both_signs(tiny: Bench, low: float, high: float, word: str) -> None:
    """The ends of the total are sums of ends; with both signs it reads insufficient evidence in three languages."""
    said = words(city(tiny, 2, npv=(low + high) / 2, npv_low=low, npv_high=high))
    total = next(m for m in said if m.key.startswith("roll_up.total"))
    assert total.key == f"roll_up.total_{word}"
    assert (total.values["low"]["yuan"], total.values["high"]["yuan"]) == (2 * low, 2 * high)
    for lang, insufficient in (("zh-Hans", "证据不足"), ("zh-Hant", "證據不足"), ("en", "Insufficient evidence")):
        assert text.say(total, lang).startswith(insufficient) == (word == "covers")


def test_a_refused_project_shows_its_cost_and_no_mean(tiny: Bench) -> None:
    """Where degrees of freedom allow no mean, cost stands alone: no saving by payer, no dominance, no total."""
    case = city(tiny, 2, refused="cea.refused.low_df", npv=None, averted_cost=None, bcr=None)
    assert all(row[3] is None and row[4] is None for row in payers_table(case).data["rows"][:8])
    assert [row[5] for row in sets_table(case).data["rows"]] == [None, None]
    assert not [m for m in words(case) if m.key.startswith("roll_up.total")]


def test_no_threshold_gives_a_verdict(tiny: Bench) -> None:
    """The conclusion of a project in its city is the project's own, made at the fund's account alone."""
    found = project_results(tiny)["economics"]
    said = cells(tiny.section("city", "economics"), "economics_sets", "conclusion")
    assert [m["key"] for m in said] == [f"conclusion.{found['verdict']}"]


@pytest.mark.parametrize("projects", [1, 3, 10, 11])
def test_figures_name_every_project_or_stand_back(tiny: Bench, projects: int) -> None:
    """Up to ten projects share a plane and a curve figure with a key; with more only the tables remain."""
    case = city(tiny, projects)
    shown = {e.id: e for e in money_exhibits(case) if e is not None}
    assert ("economics_planes" in shown) == ("economics_curves" in shown) == (projects <= 10)
    for exhibit in shown.values():
        assert render(exhibit, "en")
    if projects in (3, 10):
        keys = [n for n in shown["economics_planes"].notes if n.key == "note.mark"]
        assert [n.values["code"] for n in keys] == list(case.projects)


def test_the_share_given_back_leaves_the_fund_with_nothing(tiny: Bench) -> None:
    """Net of premium: with that share of averted benefits handed back the fund's account is nil; none if it loses."""
    fund = evaluate(tiny.cases["project"]).money.fund
    told = replace(fund, averted_cost=5e5, programme_cost=2e5, refused=None)
    share = premium_share(told)
    assert share is not None
    assert (1 - share) * 5e5 - 2e5 == pytest.approx(0.0, abs=1e-6)
    assert premium_share(replace(told, averted_cost=1e5)) is None
    assert premium_share(replace(told, refused="cea.refused.low_df")) is None


def test_the_cash_of_a_project_is_its_lifetime_cost_before_discounting(tiny: Bench) -> None:
    """Over all years what the fund does not pay is averted injuries × unit cost at a rate of nil, near enough."""
    case = tiny.cases["project"]
    ev = evaluate(case)
    money = ev.money
    assert money.cash is not None
    plain = cea.unit_costs(
        project_schedule(case, ev.row), n=case.draws, seed=case.seed, discount=0.0, severity=severity_of(case),
        mix=known_mix(case, grade_mix(case)),
    )  # fmt: skip
    lifetime = float(money.draws.estimate @ plain.of("fund", money.draws.names).mean(axis=0))
    assert sum(money.cash.values()) == pytest.approx(lifetime, rel=0.1)
    assert min(money.cash) >= int(money.flows[0].year)


def test_the_budget_impact_adds_up_and_reads_in_all_languages(tiny: Bench) -> None:
    """Net is saved less spent, the balance adds it up into the years after, the levy equivalent is net by payroll."""
    case = tiny.cases["province"]
    shown = impact_table(case, cap_rows(case))
    assert shown is not None
    names = [c["name"] for c in shown.data["columns"]]
    *years, later = [dict(zip(names, row)) for row in shown.data["rows"]]
    assert len(years) == len(cap_rows(case))
    for before, row in zip([None, *years], years):
        assert row["cash_net"] == pytest.approx(row["cash_saved"] - row["project_spending"])
        assert row["cash_balance"] == pytest.approx((before or {"cash_balance": 0.0})["cash_balance"] + row["cash_net"])
    assert later["cash_balance"] == pytest.approx(years[-1]["cash_balance"] + later["cash_net"])
    insured = rows_of(case.canonical, "exposure_summary", case.plan, case.plan.province)
    payroll = insured.payroll[insured.month.astype(str).str[:4] == str(case.period)].sum()
    assert years[-1]["rate_equivalent"] == pytest.approx(1e6 * years[-1]["cash_net"] / payroll)
    assert sum(r["project_spending"] for r in years) > 0
    for lang in text.LANGUAGES:
        assert render(shown, lang)


def test_projects_without_means_have_no_budget_impact(tiny: Bench) -> None:
    """Where no project carries a mean there is no table."""
    case = tiny.cases["province"]
    silent = {}
    for code, results in case.projects.items():
        silent[code] = copy.deepcopy(results)
        silent[code]["economics"]["cash"]["saved"] = None
    assert impact_table(replace(case, projects=silent), cap_rows(case)) is None
