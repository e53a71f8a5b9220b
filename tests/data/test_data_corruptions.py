"""The corruption study on a small seeded part: what it says of itself, and that clear mistakes are always found."""

from __future__ import annotations

import pandas as pd

from benchmarks import corruptions

CLEAR = [
    "negative", "text_in_number", "empty_required", "unknown_place", "unknown_word", "bad_date", "future_date",
    "claim_dates_turned", "scientific_id", "unknown_industry", "no_exposure", "row_twice", "header_misspelt",
    "unit_line_wrong", "file_empty", "file_cut", "byte_damaged", "encoding_declared_wrong", "key_misspelt",
    "value_wrong",
]  # fmt: skip


def test_clear_mistakes_are_found_at_their_place() -> None:
    """Twenty random corruptions of kinds that contradict a rule: all told, where they are, and nothing else.

    As problems; no insured persons where there is no case either, and an industry that nobody else has, as gates that
    name the cell for a look.
    """
    rows = list(corruptions.study(range(1000, 1020), CLEAR))
    assert {row["kind"] for row in rows} == set(CLEAR)
    assert [row for row in rows if not row["hits"] or row["told"] != row["hits"]] == []
    looked_at = {row["kind"] for row in rows if row["by"].startswith("gate.")}
    assert looked_at <= {"no_exposure", "unknown_industry"}


def test_harmless_changes_are_read_in_silence() -> None:
    """Other encodings, blanks and full-width digits are no mistakes."""
    rows = list(corruptions.study(range(4), ["other_encoding", "blanks_and_widths"]))
    assert [row["told"] for row in rows] == [0, 0, 0, 0]


def test_the_summary_is_that_of_the_rows() -> None:
    """The committed summary follows from the committed corruptions, of which there are at least two hundred."""
    rows = pd.read_csv(corruptions.HERE / "corruptions.csv", keep_default_na=False).to_dict("records")
    assert len(rows) >= 200
    made = corruptions.by_kind(rows)
    stored = pd.read_csv(corruptions.HERE / "corruptions_by_kind.csv")
    pd.testing.assert_frame_equal(made, stored, check_dtype=False)
    assert set(stored["kind"]) == {*corruptions.KINDS, "all but harmless"}
