"""Facts of the plan as data: what the text of the plan says, and that words and data agree."""

from __future__ import annotations

import pytest

from evalkit import plans, text
from evalkit.core import UserError

KEY = {"mining", "metallurgy", "machinery", "construction", "transport", "hazchem"}


@pytest.fixture(scope="module")
def plan():
    return plans.load("gd_2021_2025")


def test_eighteen_measures_with_their_days(plan) -> None:
    """Eighteen measures, numbered; each has a day or is a yearly duty; nine are the province's."""
    m = plan.measures.set_index("no")
    assert list(m.index) == list(range(1, 19))
    assert ((m.due_date != "") | (m.recurring == 1)).all()
    assert set(m.index[m.provincial == 1]) == {1, 2, 3, 4, 5, 6, 8, 16, 17}
    once = {1: 2022, 2: 2023, 3: 2024, 4: 2023, 5: 2025, 6: 2025, 8: 2021, 9: 2022, 10: 2023, 16: 2022, 17: 2022}
    assert {n: int(d[:4]) for n, d in m.due_date.items() if m.recurring[n] == 0} == once
    assert m.due_date[11] == "2025-12-31"


def test_measures_are_worded_as_in_the_data(plan) -> None:
    """The sentence of a measure is the same in the texts and in the table, in both languages."""
    for row in plan.measures.itertuples():
        key = f"measure.gd_2021_2025.{row.no}"
        assert text.t(key, "zh-Hans") == row.zh_hans and text.t(key, "en") == row.en


def test_departments_of_the_measures_have_names(plan) -> None:
    """Every lead, co-lead and participant has a name; eight departments in all."""
    codes = {
        c for column in ("lead", "co_lead", "participants") for v in plan.measures[column] for c in v.split("|") if c
    }
    assert len(codes) == 8 and all(text.has(f"department.{c}", lang) for c in codes for lang in text.LANGUAGES)


def test_six_key_industries_and_their_divisions(plan) -> None:
    """Six key industries; a division of the classification belongs to one industry only."""
    assert set(plan.key_industries) == KEY
    crosswalk = plan.extra["crosswalk"]
    assert crosswalk.division.is_unique and crosswalk.division.str.len().eq(2).all()
    listed = {(d, i.industry) for i in plan.industries.itertuples() for d in i.divisions.split("|")}
    assert listed == set(zip(crosswalk.division, crosswalk.industry))
    assert set(plan.settings["exclude_from_rates"]) == set(
        plan.industries.loc[plan.industries.rate_unit == "project", "industry"]
    )


def test_twenty_one_cities_with_valid_codes(plan) -> None:
    """Twenty-one cities and the province; no code of another region, none of those not in use; nine are in the Bay."""
    assert len(plan.cities) == 21 and plan.province == "440000"
    assert all(c.startswith("44") and c.endswith("00") and len(c) == 6 for c in plan.cities)
    assert not {"441000", "441100"} & set(plan.cities)
    places = plan.places.set_index("place")
    assert places.gba.sum() == 9 and places.en["445200"] == "Jieyang" and places.en["441400"] == "Meizhou"
    words = [w for a in plan.places.aliases for w in a.split("|")]
    assert len(words) == len(set(words)), "a word names one place only"


def test_fixed_numbers_of_the_plan(plan) -> None:
    """20 % by 2025, 3 % for the province, one meeting, full coverage by the end of 2025, 20 December, three phases."""
    t = plan.settings["targets"]
    assert (t["decline"]["value"], t["decline"]["last"], t["decline"]["band"]) == (0.20, 2025, 0.18)
    assert next(iter(t["decline"]["bases"].values())) == [2020] and [2019] in t["decline"]["bases"].values()
    assert [2018, 2019, 2020] in t["decline"]["bases"].values()
    assert (t["cap"]["value"], t["cap"]["level"]) == (0.03, "province")
    assert (t["training_coverage"]["value"], t["training_coverage"]["due"]) == (1.0, "2025-12-31")
    assert (
        t["meetings"]["value"] == 1 and plan.settings["due_day"] == "12-20" and plan.settings["maturity_months"] == 15
    )
    assert [(p["first"], p["last"]) for p in plan.settings["phases"]] == [(2021, 2022), (2023, 2024), (2025, 2025)]
    assert len(plan.settings["diseases"]) == 3 and len(plan.settings["activities"]["six_enters"]) == 6


def test_numbers_that_are_ours_say_so(plan) -> None:
    """A default of the toolkit is never marked as read in the plan."""
    for name, target in plan.settings["targets"].items():
        assert (target["source"] == "default") != target["verified"], name


def test_severity_groups_partition_the_grades(plan) -> None:
    """Every grade belongs to one severity group."""
    grades = [g for group in plan.settings["severity"].values() for g in group]
    assert sorted(grades) == sorted(["ungraded", "death", *map(str, range(1, 11))])
    assert list(plan.settings["severity"]) == ["ungraded", "g7_10", "g5_6", "g1_4", "death"]


def test_dictionary_is_complete_and_worded(plan) -> None:
    """25 indicators; names and definitions in every language; selections exist; targets agree with the plan's."""
    assert [i.code for i in plan.indicators] == [f"I{n:02d}" for n in range(1, 26)]
    for i in plan.indicators:
        assert all(
            text.has(f"indicator.{i.code}.{part}", lang) for part in ("name", "definition") for lang in text.LANGUAGES
        )
        assert i.kind != "rate" or i.numerator in plan.settings["selections"]
    assert plan.indicator("I06").target == plan.settings["targets"]["decline"]["value"]
    assert plan.indicator("I06").target_low == plan.settings["targets"]["decline"]["band"]
    assert plan.indicator("I10").target == plan.settings["targets"]["cap"]["value"]


@pytest.mark.parametrize(
    ("prefix", "codes"),
    [
        ("phase", lambda p: [x["code"] for x in p.settings["phases"]]),
        ("disease", lambda p: p.settings["diseases"]),
        ("severity_group", lambda p: p.settings["severity"]),
        ("venue", lambda p: p.settings["activities"]["six_enters"]),
        ("kind", lambda p: p.settings["activities"]["campaigns"]),
        ("artefact", lambda p: p.settings["artefacts"]["required"]),
        ("role", lambda p: p.settings["targets"]["training_coverage"]["roles"]),
        ("gate", lambda p: [f"{g}.title" for g in p.settings["gates"]]),
    ],
)
def test_codes_of_the_plan_have_words(plan, prefix: str, codes) -> None:
    """Whatever the plan lists by code can be said in every language."""
    for code in codes(plan):
        assert all(text.has(f"{prefix}.{code}", lang) for lang in text.LANGUAGES), code


def test_unknown_plan_lists_the_known_ones() -> None:
    """A plan that does not exist raises a mistake with words in every language."""
    with pytest.raises(UserError) as error:
        plans.load("gd_1999")
    for lang in text.LANGUAGES:
        assert "gd_2021_2025" in text.error_text(error.value, lang)


def test_workspace_plan_must_carry_its_id(tmp_path) -> None:
    """A folder plan/ under another id is a mistake, not a silent swap."""
    (tmp_path / "plan").mkdir()
    (tmp_path / "plan" / "plan.toml").write_text('id = "other"\n', "utf-8")
    with pytest.raises(UserError) as error:
        plans.load("mine", tmp_path)
    assert error.value.problems[0].key == "plan_id_differs" and text.error_text(error.value, "en")
