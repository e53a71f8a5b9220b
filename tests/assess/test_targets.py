"""The target of the plan: path, verdict, base years, intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import assess
from evalkit.assess.targets import year_variance

PROVINCE = "440000"


@given(st.lists(st.integers(2010, 2024), min_size=1, max_size=6), st.floats(0.01, 0.9))
def test_path_ends_at_the_target_whatever_the_base(base: list[int], decline: float) -> None:
    """The path starts at 1 in the last base year and ends at 1 − target in the last year."""
    path = assess.path_value(np.arange(2005, 2027), base, 2025, decline)
    year = dict(zip(range(2005, 2027), path))
    assert year[2025] == pytest.approx(1 - decline)
    assert year[max(base)] == pytest.approx(1.0)
    assert np.isnan(year[max(base) - 1]) and np.isnan(year[2026])
    steps = [year[y + 1] / year[y] for y in range(max(base), 2025)]
    assert steps == pytest.approx([steps[0]] * len(steps))


def test_plan_path_ends_at_eighty_percent_in_2025_for_every_base(tiny, plan) -> None:
    """All bases of the plan walk to 0.8 in 2025; the band ends at 0.82."""
    frame = assess.target_path(tiny, plan, place=PROVINCE)
    last = frame[frame.year == 2025]
    assert list(last.base) == ["2020", "2019", "2018-2020"]
    assert last.path.to_numpy() == pytest.approx(0.8) and last.band.to_numpy() == pytest.approx(0.82)
    assert bool(last.provisional.all())


@pytest.mark.parametrize(
    ("decline", "word"),
    [(0.2, "met"), (0.35, "met"), (0.1999, "near"), (0.18, "near"), (0.1799, "not_met"), (-0.1, "not_met"),
     (float("nan"), "no_data"), (None, "no_data")],
)  # fmt: skip
def test_words_of_the_verdict(decline: float | None, word: str) -> None:
    """Twenty percent is met, from eighteen it is near, nothing is rounded up."""
    assert assess.verdict(decline, 0.20, 0.18) == word


def test_verdict_follows_the_counts(tiny, plan) -> None:
    """Two cases more in 2025 move the decline by exactly two cases' worth."""
    before = assess.key_industry_target(tiny, plan, place=PROVINCE).iloc[0]
    frame = tiny.tables["case_summary"]
    chosen = (frame["month"] == "2025-03") & (frame["industry"] == "machinery") & (frame["situation"] == "14(2)")
    more = tiny.with_table("case_summary", frame.assign(cases=frame["cases"] + 2 * chosen))
    after = assess.key_industry_target(more, plan, place=PROVINCE).iloc[0]
    assert before.decline - after.decline == pytest.approx(2 / before.denominator / (before.base_rate / 1000))


def test_construction_is_outside_the_pool_and_says_so(tiny, plan) -> None:
    """The industry insured by project has counts, no decline and the status no_data."""
    rows = assess.industry_targets(tiny, plan, place=PROVINCE)
    one = rows[(rows.industry == "construction") & (rows.base == "2020")].iloc[0]
    assert one.numerator == 10 and np.isnan(one.decline) and one.status == "no_data"
    scores = assess.scores(tiny, plan, place=PROVINCE, period=2025, codes=("I06",))
    (score,) = [s for s in scores if s.group == "construction"]
    assert (score.value, score.note) == (None, "score.project_insured")


def test_year_variance_is_zero_for_a_smooth_series_and_counts_a_jump(plan) -> None:
    """A series on its trend adds nothing; one that strays adds its variance less Poisson, with n − 2 df."""
    years = np.arange(2016, 2021)
    smooth = pd.DataFrame({"year": years, "cases": 1e6 * 0.97 ** (years - 2016), "insured": 1e8})
    assert year_variance(plan, smooth) == (0.0, 3.0)
    log_jump = np.array([0.1, -0.1, 0.1, -0.1, 0.1])
    rough = smooth.assign(cases=smooth.cases * np.exp(log_jump))
    x = np.column_stack([np.ones(5), years - 2016])
    residual = log_jump - x @ np.linalg.lstsq(x, log_jump, rcond=None)[0]
    expected = residual @ residual / 3 - float((1 / rough.cases).mean())
    assert year_variance(plan, rough)[0] == pytest.approx(expected, rel=1e-6)


def test_interval_is_wider_where_years_stray(tiny, plan) -> None:
    """Year-to-year variance before the plan widens the interval of the decline."""
    frame = tiny.tables["case_summary"]
    odd = frame["month"].str[:4].isin(["2017", "2019"])
    rough = tiny.with_table("case_summary", frame.assign(cases=frame["cases"] + (frame["cases"] // 2) * odd))
    calm, wild = (assess.key_industry_target(t, plan, place=PROVINCE).iloc[0] for t in (tiny, rough))
    assert wild.decline == pytest.approx(calm.decline)
    assert wild.year_variance > calm.year_variance and wild.conf_low < calm.conf_low


def test_verdict_says_when_the_interval_holds_the_target(tiny, plan) -> None:
    """A decline of a quarter on three hundred cases is met, and not secure."""
    row = assess.key_industry_target(tiny, plan, place=PROVINCE).iloc[0]
    assert row.status == "met" and not row.secure
    (score,) = [s for s in assess.scores(tiny, plan, place=PROVINCE, period=2025, codes=("I06",)) if s.group == ""]
    assert score.note == "score.target_inside_interval"


def test_final_year_needs_no_second_verdict(tiny, plan) -> None:
    """Once every month is fifteen months old there are no mature-months rows and nothing is provisional."""
    late = type(tiny)(tiny.tables, "2027-03-31")
    frame = assess.key_industry_target(late, plan, place=PROVINCE)
    assert set(frame.variant) == {"pooled", "standardised"} and not frame.provisional.any()


def test_missing_base_year_gives_no_verdict(tiny, plan) -> None:
    """A base year without data is no_data, not a comparison with what is left."""
    frame = tiny.tables["exposure_summary"]
    gap = tiny.with_table("exposure_summary", frame[~frame["month"].str.startswith("2020")])
    gap = gap.with_table("case_summary", gap.tables["case_summary"][lambda f: ~f["month"].str.startswith("2020")])
    words = assess.key_industry_target(gap, plan, place=PROVINCE).set_index(["variant", "base"]).status
    assert words["pooled", "2020"] == "no_data" and words["pooled", "2018-2020"] == "no_data"
    assert words["pooled", "2019"] == "met"
