"""Dated parameters and works."""

from __future__ import annotations

import pytest

from evalkit import sources, text
from evalkit.core import UserError

PARAMETER_TABLES = [t for t in sources.tables() if "valid_from" in sources.table(t).columns]


def test_a_dated_row_is_found_by_its_day() -> None:
    """The pool wage of a social-insurance year holds from July to June."""
    assert sources.parameter("pool_wage.shenzhen", "2024-06-30").value == 11010
    assert sources.parameter("pool_wage.shenzhen", "2024-07-01").value == 11181


def test_a_year_stands_for_its_last_day_and_no_date_for_the_latest_row() -> None:
    """Years, months and days name the same row where they should."""
    assert sources.day_of(2024) == sources.day_of("2024-12") == "2024-12-31"
    assert sources.parameter("cpi_guangdong", 2020).value == 102.6
    assert sources.parameter("cpi_guangdong") == sources.parameter("cpi_guangdong", 2024)


@pytest.mark.parametrize(
    ("name", "date", "key", "told"),
    [
        ("cpi_guangdon", None, "unknown_parameter", "cpi_guangdong"),
        ("pool_wage.dongguan", None, "unknown_parameter", "pool_wage.shenzhen"),
        ("cpi_guangdong", 2031, "no_parameter_for_date", "2024-12-31"),
        ("cpi_guangdong", "soon", "not_a_date", "soon"),
    ],
)
def test_a_mistake_lists_what_there_is(name: str, date: object, key: str, told: str) -> None:
    """An unknown name or date tells the names and periods that exist, in both languages."""
    with pytest.raises(UserError) as caught:
        sources.parameter(name, date)  # type: ignore[arg-type]
    assert caught.value.problems[0].key == key
    for lang in text.LANGUAGES:
        assert told in text.error_text(caught.value, lang)


def test_unknown_works_and_tables_are_user_errors() -> None:
    """A wrong key of a work or a data file says which there are."""
    with pytest.raises(UserError, match="unknown_work"):
        sources.work("nobody_1900")
    with pytest.raises(UserError, match="unknown_source_table"):
        sources.table("nothing")


@pytest.mark.parametrize("name", PARAMETER_TABLES)
def test_every_row_is_complete(name: str) -> None:
    """Every number has a unit, a known source, an ordered period and a range around its value."""
    frame = sources.table(name)
    assert (frame.unit != "").all()
    assert set(frame.source) <= set(sources.works())
    dated = frame[(frame.valid_from != "") & (frame.valid_to != "")]
    assert (dated.valid_from <= dated.valid_to).all()
    if "low" in frame:
        ranged = frame.dropna(subset=["low", "high"])
        assert ((ranged.low <= ranged.value) & (ranged.value <= ranged.high)).all()
        assert (frame.loc[frame.low.isna(), "distribution"] == "fixed").all()


@pytest.mark.parametrize("name", [t for t in PARAMETER_TABLES if "name" in sources.table(t).columns])
def test_periods_of_one_parameter_do_not_overlap(name: str) -> None:
    """On any day at most one row of a parameter holds."""
    for parameter, rows in sources.table(name).groupby("name"):
        ordered = rows.sort_values("valid_from")
        ends = ordered.valid_to.replace("", "9999-12-31").tolist()[:-1]
        assert all(e < s for e, s in zip(ends, ordered.valid_from.tolist()[1:])), parameter


def test_money_carries_its_currency() -> None:
    """A unit in yuan comes with the currency and, for parameters of cost, the price year."""
    frame = sources.table("costs")
    money = frame[frame.unit.str.startswith("CNY")]
    assert (money.currency == "CNY").all() and money.price_year.notna().all()


def test_only_rows_compared_with_the_law_are_verified() -> None:
    """Nothing but the text of the national regulation counts as verified so far."""
    for name in PARAMETER_TABLES:
        frame = sources.table(name)
        assert set(frame.loc[frame.verified, "source"]) <= {"reg_work_injury_2010"}


def test_works_have_a_title_and_a_citation() -> None:
    """A work can be printed as a reference; its key is its own."""
    for key, origin in sources.works().items():
        assert origin.key == key and origin.title and origin.citation


def test_tables_are_copies() -> None:
    """Changing a returned frame changes nobody else's."""
    frame = sources.table("cpi")
    frame["value"] = 0.0
    assert (sources.table("cpi").value > 0).all()
