"""Every computed indicator on tables small enough to work out by hand."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from evalkit import assess

GOLDEN = tomllib.loads((Path(__file__).parent.parent / "golden" / "assess" / "tiny.toml").read_text("utf-8"))["score"]
A, B, PROVINCE = "440100", "440300", "440000"


def found(tiny, plan, place: str, indicator: str, group: str = ""):
    scores = assess.scores(tiny, plan, place=place, period=2025, codes=(indicator,))
    (score,) = [s for s in scores if s.group == group]
    return score


@pytest.mark.parametrize("row", GOLDEN, ids=lambda r: f"{r['place']}-{r['indicator']}-{r.get('group', '')}")
def test_scores_equal_the_arithmetic(tiny, plan, row: dict) -> None:
    """Value, numerator, denominator and status are those worked out by hand."""
    score = found(tiny, plan, row["place"], row["indicator"], row.get("group", ""))
    assert score.value == pytest.approx(row["value"], rel=10 ** -row.get("digits", 9))
    for name in ("numerator", "denominator"):
        if name in row:
            assert getattr(score, name) == pytest.approx(row[name])
    assert score.status == row.get("status", score.status)


def test_every_computed_indicator_has_a_golden_row(plan) -> None:
    """A new computed indicator brings its row of hand arithmetic; I21 and I22 come from elsewhere."""
    computed = {i.code for i in plan.indicators if i.options.get("computed", True)}
    assert computed - {"I21", "I22"} == {row["indicator"] for row in GOLDEN}


def test_rates_carry_exact_intervals_and_the_provisional_flag(tiny, plan) -> None:
    """A rate's interval is the exact Poisson one over its denominator; 2025 is provisional, 2024 is not."""
    frame = assess.rates(tiny, plan, ("I01",), place=A).set_index("year")
    low, high = assess.exact_poisson(128)
    assert frame.conf_low[2025] == pytest.approx(float(low) / 18_100 * 1000)
    assert frame.conf_high[2025] == pytest.approx(float(high) / 18_100 * 1000)
    assert bool(frame.provisional[2025]) and not frame.provisional[2024]


def test_project_insured_industries_have_cases_without_a_rate(tiny, plan) -> None:
    """Construction shows its cases by industry and never a rate; it is in no pooled rate."""
    frame = assess.rates(tiny, plan, ("I01",), place=A, by=("year", "industry"), years=(2025, 2025))
    rows = frame.set_index("industry")
    assert rows.numerator["construction"] == 10 and pd.isna(rows.value["construction"])
    pooled = assess.rates(tiny, plan, ("I01",), place=A, years=(2025, 2025))
    assert pooled.numerator[0] == rows.numerator.drop("construction").sum()


def test_province_is_the_sum_of_its_cities(tiny, plan) -> None:
    """Cases and insured of the province are the sums over the cities, in every year."""
    cities = assess.rates(tiny, plan, place=PROVINCE, by=("place", "year")).groupby(["indicator", "year"])
    province = assess.rates(tiny, plan, place=PROVINCE).set_index(["indicator", "year"])
    pd.testing.assert_series_equal(cities.numerator.sum(), province.numerator, check_dtype=False)
    pd.testing.assert_series_equal(cities.denominator.sum(), province.denominator)


def test_missing_tables_leave_an_indicator_out(tiny, plan) -> None:
    """An indicator without its table is absent, not zero."""
    poorer = replace(tiny, tables={k: v for k, v in tiny.tables.items() if k != "roster_summary"})
    codes = {s.indicator for s in assess.scores(poorer, plan, place=A, period=2025)}
    assert "I13" not in codes and "I01" in codes


def test_tables_are_not_changed(tiny, plan) -> None:
    """Scoring leaves the canonical tables as they were."""
    before = {name: frame.copy() for name, frame in tiny.tables.items()}
    assess.scores(tiny, plan, place=PROVINCE, period=2025)
    for name, frame in tiny.tables.items():
        pd.testing.assert_frame_equal(frame, before[name])


def test_row_order_does_not_matter(tiny, plan) -> None:
    """Shuffled rows give the same scores."""
    mixed = replace(tiny, tables={k: v.sample(frac=1, random_state=3) for k, v in tiny.tables.items()})
    assert assess.scores(mixed, plan, place=A, period=2025) == assess.scores(tiny, plan, place=A, period=2025)


def test_unknown_denominator_names_itself(tiny, plan) -> None:
    """A denominator that does not exist raises."""
    with pytest.raises(KeyError, match="workers"):
        assess.rates(tiny, plan, place=A, denominator="workers")


def test_place_without_rows_has_no_numbers(tiny, plan) -> None:
    """A city that sent nothing gets no value anywhere: nothing is read as zero."""
    for score in assess.scores(tiny, plan, place="440200", period=2025):
        assert score.value is None and score.status == "no_data", score
