"""Fund, training, projects, measures, activities, effects."""

from __future__ import annotations

import pandas as pd
import pytest

from evalkit import assess
from evalkit.core import UserError

A, B, PROVINCE = "440100", "440300", "440000"


def test_cap_is_tested_for_the_province_only(tiny, plan) -> None:
    """No city can be put to the 3 % test, and no city's score carries a target or a verdict on it."""
    with pytest.raises(UserError) as error:
        assess.fund_ratio(tiny, plan, place=A)
    assert error.value.problems[0].key == "cap_is_provincial"
    for city in (A, B):
        for score in assess.scores(tiny, plan, place=city, period=2025, codes=("I10",)):
            assert (score.target, score.status, score.group) == (None, "no_target", "reference")
            assert score.attainment is None and score.note == "score.reference_only"


def test_cap_counts_levy_alone_and_the_year_before(tiny, plan) -> None:
    """Interest is not levy; 2025 spending meets 2024 levy of all units, the provincial level included."""
    row = assess.fund_ratio(tiny, plan).set_index("year").loc[2025]
    assert row.levy_previous == 305e6 and row.prevention == 7e6
    assert row.room == pytest.approx(0.03 * 305e6 - 7e6) and row.status == "met"
    assert assess.fund_ratio(tiny, plan).set_index("year").status[2024] == "no_data"


def test_cap_breach_is_not_met(tiny, plan) -> None:
    """Spending beyond 3 % of last year's levy is not met, however little beyond."""
    extra = tiny.tables["ledger"].assign(
        amount=lambda f: f["amount"].mask(f["account"] == "prevention", f["amount"] * 1.31)
    )
    assert assess.fund_ratio(tiny.with_table("ledger", extra), plan).set_index("year").status[2025] == "not_met"


def test_coverage_takes_the_last_count_of_the_period(tiny, plan) -> None:
    """Coverage is per role and key industry at the last count up to the end of the period."""
    frame = assess.training_coverage(tiny, plan, place=A, period=2025).set_index(["role", "industry"])
    assert frame.coverage["team_leader", "machinery"] == 1.0 and frame.status["team_leader", "machinery"] == "met"
    assert frame.passed["deputy_head", "machinery"] == 18 and frame.gap["deputy_head", "machinery"] == 2
    assert frame.status["deputy_head", "machinery"] == "not_met" and len(frame) == 2


def test_coverage_before_the_due_year_is_open(tiny, plan) -> None:
    """Before 2025 a gap is provisional, not a failure."""
    frame = assess.training_coverage(tiny, plan, place=A, period=2024, by=())
    assert frame.coverage.tolist() == [0.6] and frame.status.tolist() == ["provisional"]


def test_unit_cost_leaves_publicity_out(tiny, plan) -> None:
    """Cost per passed hour by mode: publicity and projects without results are not in it."""
    frame = assess.unit_cost(tiny, plan, place=A).set_index("mode")
    assert frame.value["offline"] == pytest.approx(100 / 720) and frame.value["online"] == pytest.approx(104 / 1080)
    assert frame.projects.sum() == 2


def test_acceptance_counts_days_from_the_end(tiny, plan) -> None:
    """Day 60 is on time, day 61 is not, a failed acceptance is not, one not due is left open."""
    frame = assess.acceptance(tiny, plan, place=PROVINCE, period=2025).set_index("project_id")
    assert frame.on_time["P1"] and not frame.on_time["P2"] and not frame.on_time["P3"]
    assert pd.isna(frame.on_time["P4"]) and not frame.due["P4"]
    assert frame.days["P1"] == 60


def test_exceptions_name_what_a_supervisor_must_see(tiny, plan) -> None:
    """Each seeded irregularity is found, and nothing else."""
    frame = assess.exceptions(tiny, plan, place=PROVINCE)
    assert set(zip(frame.project_id, frame.finding)) == {
        ("P2", "late_acceptance"), ("P2", "paid_before_acceptance"), ("P2", "date_order"), ("P2", "over_contract"),
        ("P3", "date_order"), ("P3", "failed_but_paid"), ("P3", "over_budget"),
    }  # fmt: skip


def test_papers_are_matched_whole_in_any_separator(tiny, plan) -> None:
    """Papers on file count by name; unfinished projects are judged once they have ended."""
    frame = assess.artefacts(tiny, plan, place=PROVINCE, period=2025).groupby("project_id").present.sum()
    assert frame.to_dict() == {"P1": 12, "P2": 11, "P3": 2, "P4": 0}


def test_measures_are_judged_by_their_days(tiny, plan) -> None:
    """Due-date logic for a city: on time, late, overdue, yearly duty missed, adoption, not applicable."""
    frame = assess.measures(tiny, plan, place=A, period=2025).set_index("measure_no")
    assert len(frame) == 18
    assert frame.status[1] == "done" and frame.on_time[1] and frame.role[1] == "adopt"
    assert frame.status[9] == "done_late" and frame.reported[9] == "done" and frame.corrected[9]
    assert frame.status[10] == "overdue" and frame.due[10]
    assert frame.status[7] == "done" and frame.due_date[7] == pd.Timestamp("2025-12-31")
    assert frame.status[13] == "no_data", "a report of 2024 does not do for 2025"
    assert frame.status[18] == "not_applicable" and not frame.applicable[18]
    assert frame.role[10] == "carry_out"


def test_measures_are_not_overdue_before_their_day(tiny, plan) -> None:
    """In 2022 measure 10 (due 2023) is in progress; an early report of overdue is corrected."""
    early = type(tiny)({**tiny.tables, "measure_status": tiny.tables["measure_status"].assign(year=2022)}, "2022-12-20")
    frame = assess.measures(early, plan, place=A, period=2022).set_index("measure_no")
    assert frame.status[10] == "in_progress" and not frame.due[10]
    assert frame.status[5] == "in_progress" and frame.corrected[5]
    assert assess.measures(early, plan, place=PROVINCE, period=2022).set_index("measure_no").role[1] == "issue"


def test_measure_totals_add_up_to_the_cities(tiny, plan) -> None:
    """For each measure the statuses of all cities sum to 21."""
    frame = assess.measure_totals(tiny, plan, period=2025)
    words = ["done", "done_late", "in_progress", "not_started", "overdue", "no_data", "not_applicable"]
    assert (frame[words].sum(axis=1) == 21).all() and len(frame) == 18
    assert frame.set_index("measure_no").cities[18] == 20


def test_joint_meetings_are_one_a_year_in_every_city(tiny, plan) -> None:
    """A city with a meeting in the year has met the duty, every other has not; last year's meeting does not count."""
    frame = assess.joint_meetings(tiny, plan, period=2025).set_index("place")
    assert len(frame) == 21 and frame.status[A] == "met" and frame.meetings[A] == 1 and frame.status[B] == "not_met"
    assert len(assess.joint_meetings(tiny, plan, period=2025, place=A)) == 1


def test_six_venues_are_all_listed(tiny, plan) -> None:
    """All six venues stand in the table, those not entered with zero; any event with a venue counts."""
    frame = assess.six_enters(tiny, plan, place=A, period=2025).set_index("venue")
    assert list(frame.index) == ["workshop", "enterprise", "park", "community", "street", "school"]
    assert frame.events.to_dict()["school"] == 1 and frame.held["park"] and not frame.held["workshop"]
    kinds = assess.activity_summary(tiny, plan, place=PROVINCE, period=2025).set_index("kind")
    assert kinds.persons["safety_month"] == 600 and kinds.events["exchange"] == 0


def test_ratio_is_never_printed_where_it_means_nothing() -> None:
    """A saving programme and one that averts nothing show words; a costly one shows its cost per injury averted."""
    head = {"place": A, "period": "2025", "programme_cost": 100.0}
    costly, bcr = assess.economic_scores(**head, averted_cost=40.0, averted=3.0, bcr=0.4)
    assert costly.value == pytest.approx(20.0) and bcr.value == 0.4
    saving, _ = assess.economic_scores(**head, averted_cost=140.0, averted=3.0, dominance="dominant")
    assert (saving.value, saving.note, saving.status) == (None, "score.dominant", "no_target")
    worse, _ = assess.economic_scores(**head, averted_cost=-20.0, averted=-1.0)
    assert (worse.value, worse.note) == (None, "score.no_injury_averted")
    unknown, none = assess.economic_scores(**head, averted_cost=None, averted=None, note="score.not_testable")
    assert (unknown.value, unknown.note, none.status) == (None, "score.not_testable", "no_data")


def test_effect_score_keeps_the_sign() -> None:
    """More injuries than expected stay negative; a refused effect is no data with its reason."""
    assert assess.effect_score(place=A, period="2025", averted=-3.0).value == -3.0
    refused = assess.effect_score(place=A, period="2025", averted=None, note="score.not_testable")
    assert (refused.status, refused.note) == ("no_data", "score.not_testable")
