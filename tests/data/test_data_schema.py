"""The canonical tables as data."""

from __future__ import annotations

import pytest

from evalkit import data, text
from evalkit.core import UserError
from evalkit.data.words import compact

CANONICAL = {
    "city", "enterprise", "exposure", "site", "claim", "benefit", "project", "training", "target_roster", "activity",
    "ledger", "rate_band", "measure_status", "expert", "review", "supplier", "survey", "hazard", "cases_hkmo",
}  # fmt: skip
SUMMARIES = {"exposure_summary", "case_summary", "benefit_summary", "enrolment", "roster_summary", "training_summary"}


def test_all_canonical_tables_are_there() -> None:
    """The tables of the canonical model and the official summaries all have a schema."""
    assert set(data.tables()) >= CANONICAL | SUMMARIES | {"policy_panel"}


@pytest.mark.parametrize("spec", data.tables().values(), ids=lambda t: t.name)
def test_tables_are_consistent(spec: data.TableSpec) -> None:
    """Keys and rules name columns of their table, and no header means two columns."""
    chains = (*spec.order, *spec.sequence, *spec.at_most, *spec.usually_at_most)
    assert {*spec.key, *spec.dated, *(c for chain in chains for c in chain)} <= set(spec.names)
    headers = [compact(h) for c in spec.columns for h in {compact(h): h for h in c.headers}.values()]
    assert len(headers) == len(set(headers))
    assert all(c.values for c in spec.of_type("enum"))
    for column in spec.of_type("money"):
        if column.plausible:
            assert column.plausible.high / column.plausible.low <= 1e4
            assert column.plausible.per in ("", *spec.names)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_tables_have_names(lang: str) -> None:
    """Every table has a name in every language."""
    for name in data.tables():
        assert text.t(f"table.{name}", lang)


def test_unknown_table_lists_known_ones() -> None:
    """A misspelt table name is told with the names there are."""
    with pytest.raises(UserError) as caught:
        data.table("clam")
    assert "claim" in caught.value.problems[0].values["known"]
