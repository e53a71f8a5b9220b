"""A province of two cities small enough to compute by hand. The arithmetic stands in tests/golden/assess/tiny.toml."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import pytest

from evalkit import plans

A, B = "440100", "440300"


@dataclass(frozen=True)
class Tiny:
    """The least that assess asks of canonical tables."""

    tables: dict[str, pd.DataFrame]
    as_of: str = "2026-10-31"

    def with_table(self, name: str, frame: pd.DataFrame) -> Tiny:
        return Tiny({**self.tables, name: frame}, self.as_of)


@pytest.fixture(scope="session")
def plan():
    return plans.load("gd_2021_2025")


@pytest.fixture
def tiny() -> Tiny:
    """Fresh tables each time: a test may change them."""
    return Tiny({
        "exposure_summary": exposure(), "case_summary": cases(), "ledger": ledger(), "project": projects(),
        "training_summary": trainings(), "roster_summary": roster(), "activity": activities(),
        "measure_status": measure_status(),
    })  # fmt: skip


def months(year: int) -> list[str]:
    return [f"{year}-{m:02d}" for m in range(1, 13)]


def exposure() -> pd.DataFrame:
    """A: machinery 12,000, transport 6,000, construction (by project) 500. B: machinery 24,000, retail 12,000.

    From 2021 B also has 1,200 people insured singly in retail. December 2025: A's machinery jumps to 13,200.
    """
    lines = [
        (A, "machinery", "employee", 12_000), (A, "transport", "employee", 6_000), (A, "construction", "project", 500),
        (B, "machinery", "employee", 24_000), (B, "retail_catering", "employee", 12_000),
    ]  # fmt: skip
    special = (B, "retail_catering", "special", 1_200)
    rows = [
        (*line, m) for y in range(2016, 2026) for m in months(y) for line in (lines if y < 2021 else [*lines, special])
    ]
    frame = pd.DataFrame(rows, columns=["place", "industry", "insured_type", "insured", "month"])
    jump = (frame["place"] == A) & (frame["industry"] == "machinery") & (frame["month"] == "2025-12")
    return frame.assign(insured=frame["insured"].mask(jump, 13_200))


def cases() -> pd.DataFrame:
    """Half of a year's cases in March, half in November, so that mature months hold exactly half."""
    yearly = [
        # place, industry, situation, grade, cases in 2016-2018, 2019, 2020-2024, 2025
        (A, "machinery", "14(1)", "ungraded", 160, 150, 144, 96),
        (A, "machinery", "14(4)", "9", 4, 4, 4, 4),
        (A, "machinery", "15(1)", "death", 2, 2, 2, 2),
        (A, "transport", "14(6)", "8", 40, 38, 36, 30),
        (A, "construction", "14(1)", "5", 10, 10, 10, 10),
        (B, "machinery", "14(1)", "ungraded", 200, 190, 180, 140),
        (B, "machinery", "14(2)", "4", 20, 20, 20, 16),
        (B, "retail_catering", "14(6)", "death", 6, 6, 6, 6),
    ]
    rows = [
        (place, industry, f"{year}-{month}", situation, grade, n // 2)
        for place, industry, situation, grade, early, before, base, last in yearly
        for year in range(2016, 2026)
        for n in [last if year == 2025 else base if year >= 2020 else before if year == 2019 else early]
        for month in ("03", "11")
    ]
    return pd.DataFrame(rows, columns=["place", "industry", "month", "situation", "grade", "cases"])


def ledger() -> pd.DataFrame:
    """Levy 100 + 200 million in 2024 and 5 of the provincial level; prevention 2025: 4 + 2 + 1 million."""
    rows = [
        (A, "2024-06", "levy", 1e8, None), (B, "2024-06", "levy", 2e8, None), ("440000", "2024-06", "levy", 5e6, None),
        (A, "2024-07", "interest", 9e6, None), (A, "2025-01", "prevention", 1e6, 4.2e6),
        (A, "2025-09", "prevention", 3e6, None), (B, "2025-05", "prevention", 2e6, 4e6),
        ("440000", "2025-05", "prevention", 1e6, 1e6), (A, "2025-06", "levy", 1.1e8, None),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["place", "month", "account", "amount", "budget"])


STEPS = ("applied", "reviewed", "approved", "contracted", "started", "ended", "accepted", "paid_final")
ALL_PAPERS = "申报书、可研、评审、合同、方案、签到、试卷、影像、中期、决算、总结、验收"


def projects() -> pd.DataFrame:
    """P1 in order; P2 accepted after 61 days and paid before that; P3 failed but paid; P4 not yet due."""
    days = {
        "P1": "2025-01-05 2025-02-01 2025-03-01 2025-03-20 2025-04-01 2025-08-01 2025-09-30 2025-10-20",
        "P2": "2025-01-05 2025-02-01 2025-03-01 2025-03-20 2025-04-01 2025-08-01 2025-10-01 2025-09-15",
        "P3": "2025-01-05 2025-02-01 2025-01-20 2025-03-20 2025-04-01 2025-08-01 2025-09-01 2025-10-20",
        "P4": "2025-01-05 2025-02-01 2025-03-01 2025-03-20 2025-04-01 2026-10-15 - -",
    }
    frame = pd.DataFrame([[None if d == "-" else d for d in days[p].split()] for p in days], columns=list(STEPS)).apply(
        pd.to_datetime
    )
    return frame.assign(
        project_id=list(days), place=[A, A, B, A], fiscal_year=2025, title=[f"T{p}" for p in days],
        type=["training", "training", "training", "publicity"], mode=["offline", "online", "offline", "offline"],
        budget=[110.0, 110.0, 100.0, 50.0], contract_sum=[100.0, 100.0, 120.0, 50.0],
        actual_cost=[100.0, 104.0, 90.0, 40.0],
        acceptance=["passed", "passed_after_rework", "failed", "pending"],
        artefacts=[ALL_PAPERS, ALL_PAPERS.replace("、影像", ""), "申报书;合同", ""],
    )  # fmt: skip


def trainings() -> pd.DataFrame:
    rows = [
        ("P1", A, 2025, "offline", 100, 120, 8.0, 100, 90, 60.0, 80.0, 4.5),
        ("P2", A, 2025, "online", 300, 300, 4.0, 300, 270, 70.0, 80.0, 4.0),
        ("P3", B, 2025, "offline", 50, 60, 8.0, 50, 50, 60.0, 75.0, None),
    ]
    names = ["project_id", "place", "year", "mode", "persons", "person_times", "hours", "sat", "passed", "pre_mean",
             "post_mean", "satisfaction"]  # fmt: skip
    return pd.DataFrame(rows, columns=names)


def roster() -> pd.DataFrame:
    rows = [
        (A, "team_leader", "machinery", "2024-12-31", 100, 60), (A, "team_leader", "machinery", "2025-12-31", 100, 100),
        (A, "deputy_head", "machinery", "2025-12-31", 20, 18), (B, "team_leader", "transport", "2025-06-30", 50, 40),
        (A, "team_leader", "textile", "2025-12-31", 500, 0), (A, "deputy_head", "machinery", "2026-06-30", 20, 20),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["place", "role", "industry", "date", "roster", "passed"])


def activities() -> pd.DataFrame:
    rows = [
        ("H1", A, "2025-03-05", "joint_meeting", "none", 30, 0, 0.0),
        ("H2", A, "2024-03-05", "joint_meeting", "none", 30, 0, 0.0),
        ("H3", A, "2025-06-10", "safety_month", "park", 500, 40, 2000.0),
        ("H4", A, "2025-07-01", "six_enters", "school", 80, 1, 50.0),
        ("H5", B, "2025-06-10", "safety_month", "workshop", 100, 4, 200.0),
    ]
    return pd.DataFrame(rows, columns=["activity_id", "place", "date", "kind", "venue", "persons", "firms", "cost"])


def measure_status() -> pd.DataFrame:
    """A city's reports: 1 adopted in time; 9 late; 10 open; 7 done; 13 nothing in 2025; 18 not applicable."""
    rows = [
        (A, 1, 2022, "done", "2022-05-01", "文1"), (A, 9, 2023, "done", "2023-02-01", "文9"),
        (A, 10, 2025, "in_progress", "", ""), (A, 7, 2025, "done", "2025-03-05", ""),
        (A, 13, 2024, "done", "2024-05-01", ""), (A, 18, 2025, "not_applicable", "", ""),
        (A, 5, 2025, "overdue", "", ""),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["place", "measure_no", "year", "status", "done_date", "doc_no"])
