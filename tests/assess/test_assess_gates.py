"""Gates that the indicators judge, and the peers of a place."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from evalkit import assess, text
from evalkit.core import Score

A, B, PROVINCE = "440100", "440300", "440000"


def judged(tiny, plan, place: str = PROVINCE) -> dict:
    return {g.name: g for g in assess.gates(tiny, plan, place=place, period=2025)}


def test_every_gate_of_the_plan_is_judged_and_worded(tiny, plan) -> None:
    """All gates that the plan lists come back, with words in every language that their details fill."""
    gates = judged(tiny, plan)
    assert list(gates) == list(plan.settings["gates"])
    for gate in gates.values():
        for lang in text.LANGUAGES:
            assert text.t(f"gate.{gate.name}.title", lang)
            assert "{" not in text.t(f"gate.{gate.name}.detail", lang, **gate.detail)


def test_clean_tables_pass(tiny, plan) -> None:
    """Complete denominators, known industries, insurance by project apart, cap at the province: all passed."""
    gates = judged(tiny, plan)
    for name in ("cap_province_only", "denominator_months", "unknown_industry", "project_insured_apart"):
        assert gates[name].passed is True
    assert gates["base_year_sensitivity"].passed is True
    assert gates["provisional_counts"].passed is False and gates["provisional_counts"].detail["mature"] == "2025-07"
    assert gates["submission_date"].passed is None


def test_cap_gate_stops_a_verdict_on_a_city(plan) -> None:
    """A city's score with a target or a verdict on the cap fails the gate, and the gate stops the report."""
    verdict = Score(indicator="I10", place=A, period="2025", value=0.04, target=0.03, status="not_met")
    gate = assess.cap_gate(plan, A, (verdict,))
    assert gate.passed is False and gate.severity == "stop"
    assert assess.cap_gate(plan, PROVINCE, (replace(verdict, place=PROVINCE),)).passed is True


def test_missing_month_is_counted(tiny, plan) -> None:
    """One month missing in one city × industry fails the gate of denominators and is counted."""
    frame = tiny.tables["exposure_summary"]
    gone = (frame["place"] == A) & (frame["industry"] == "transport") & (frame["month"] == "2025-04")
    gate = judged(tiny.with_table("exposure_summary", frame[~gone]), plan)["denominator_months"]
    assert gate.passed is False and gate.detail["missing"] == 1


@pytest.mark.parametrize(("share", "passed"), [(0.01, True), (0.05, False)])
def test_unknown_industry_has_a_limit(tiny, plan, share: float, passed: bool) -> None:
    """Cases of an industry the plan does not know may be two percent at most."""
    frame = tiny.tables["case_summary"]
    total = frame.loc[frame["month"].str.startswith("2025"), "cases"].sum()
    odd = pd.DataFrame(
        [(A, "", "2025-03", "14(1)", "ungraded", round(total * share / (1 - share)))], columns=frame.columns
    )
    gate = judged(tiny.with_table("case_summary", pd.concat([frame, odd])), plan)["unknown_industry"]
    assert gate.passed is passed


def test_insurance_by_project_in_a_rated_industry_fails(tiny, plan) -> None:
    """People insured by project in an industry with a rate would be a false denominator."""
    frame = tiny.tables["exposure_summary"]
    moved = frame.assign(industry=frame["industry"].mask(frame["insured_type"] == "project", "machinery"))
    assert judged(tiny.with_table("exposure_summary", moved), plan)["project_insured_apart"].passed is False


def test_base_years_that_disagree_fail(tiny, plan) -> None:
    """If one base year says met and another does not, no single word may stand."""
    frame = tiny.tables["case_summary"]
    low = frame["month"].str.startswith("2020")
    mixed = tiny.with_table("case_summary", frame.assign(cases=frame["cases"].mask(low, frame["cases"] * 3 // 4)))
    gate = judged(mixed, plan)["base_year_sensitivity"]
    assert gate.passed is False and gate.detail["n"] > 1


def test_early_edition_is_in_time(tiny, plan) -> None:
    """Data that end before 20 December can be sent in time."""
    early = type(tiny)(tiny.tables, "2025-11-30")
    assert judged(early, plan)["submission_date"].passed is True


def test_gates_survive_missing_tables(tiny, plan) -> None:
    """Without tables a gate cannot be judged; it never passes by default."""
    gates = judged(type(tiny)({}, tiny.as_of), plan)
    for name in ("denominator_months", "unknown_industry", "project_insured_apart", "base_year_sensitivity"):
        assert gates[name].passed is None


def test_peers_hold_every_place(tiny, plan) -> None:
    """Reference tables cover all places with data, the province among them, and equal the places' own numbers."""
    tables = assess.peers(tiny, plan, 2025)
    assert set(tables) == {"rates", "rates_industry", "target", "unit_cost", "coverage", "spend"}
    rates = tables["rates"].query("indicator == 'I01' and year == 2025").set_index("place").value
    own = assess.rates(tiny, plan, ("I01",), place=A, years=(2025, 2025)).value[0]
    assert rates[A] == pytest.approx(own) and PROVINCE in rates.index
    assert tables["unit_cost"].set_index("mode").projects["offline"] == 2


def test_peers_pass_a_policy_panel_on(tiny, plan) -> None:
    """A policy panel is handed on as it is, whatever else there is."""
    panel = pd.DataFrame({"place": [A], "period": [2025], "outcome": ["x"], "value": [1.0]})
    tables = assess.peers(type(tiny)({"policy_panel": panel}, tiny.as_of), plan, 2025)
    assert set(tables) == {"policy_panel"} and len(tables["policy_panel"]) == 1
