"""The indicators on the synthetic province at full scale: orders of magnitude, ties between places, disclosure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from evalkit import assess
from evalkit.data.sample import SEED, duties, official
from evalkit.data.sample.world import draw_world

PROVINCE = "440000"


@dataclass(frozen=True)
class Official:
    tables: dict[str, pd.DataFrame]
    as_of: str = "2026-10-31"


@pytest.fixture(scope="module")
def world() -> Official:
    """The official tables as the generator makes them, without files."""
    drawn = draw_world(SEED, "effect", 1)
    return Official({
        "exposure_summary": official.exposure_summary(drawn), "case_summary": official.case_summary(drawn),
        "roster_summary": duties.roster_summary(drawn), "measure_status": duties.measure_status(drawn),
        "activity": duties.activity(drawn),
    })  # fmt: skip


def test_province_has_the_calibrated_rate(world, plan) -> None:
    """About 3.3 per mille in the plan's first years, falling by about three percent a year."""
    rate = assess.rates(world, plan, ("I01",), place=PROVINCE).set_index("year").value
    assert 3.1 < rate[2021] < 3.5
    yearly = np.polyfit(range(2016, 2026), np.log(rate), 1)[0]
    assert -0.045 < yearly < -0.02


def test_verdict_is_a_near_miss_that_depends_on_the_base(world, plan) -> None:
    """The decline lies near a fifth, its interval holds the target, and the base years do not agree."""
    rows = assess.key_industry_target(world, plan, place=PROVINCE)
    pooled = rows[rows.variant == "pooled"]
    assert pooled.decline.between(0.14, 0.24).all() and not pooled.secure.any()
    gate = {g.name: g for g in assess.gates(world, plan, place=PROVINCE, period=2025)}["base_year_sensitivity"]
    assert gate.passed is (pooled.status.nunique() == 1)


def test_measure_heads_and_coverage_are_complete(world, plan) -> None:
    """Every city answers on all 18 measures; coverage in 2025 is near, not full; one city missed its meeting."""
    roll = assess.measure_roll_up(world, plan, period=2025)
    assert len(roll) == 21 * 18 and (roll.status != "no_data").all()
    assert assess.training_coverage(world, plan, place=PROVINCE, period=2025, by=()).status.tolist() == ["near"]
    assert (assess.joint_meetings(world, plan, period=2024).status == "met").all()
    assert (assess.joint_meetings(world, plan, period=2025).status == "not_met").sum() <= 1


def test_release_edition_of_cases_by_city_and_industry_is_safe(world, plan) -> None:
    """City × industry counts leave with few cells hidden and their margins shown."""
    frame = assess.rates(world, plan, ("I01",), place=PROVINCE, by=("place", "industry", "year"), years=(2025, 2025))
    wide = frame.pivot(index="place", columns="industry", values="numerator").fillna(0)
    mask = assess.suppression(wide, threshold=10)
    small = int((wide < 10).to_numpy().sum())
    assert 0 < small <= int(mask.to_numpy().sum()) <= 4 * small
    assert not mask.loc[assess.TOTAL].any() and not mask[assess.TOTAL].any()
