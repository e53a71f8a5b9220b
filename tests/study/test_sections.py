"""Every section of every report on the tiny sample: words, figures, places, and what must not be there."""

from __future__ import annotations

from typing import Any

import pytest
from bench import KINDS, WITH_PROJECT, Bench

from evalkit import assess, show, study, text
from evalkit.core import Section, to_plain
from evalkit.show.checks import messages

pytestmark = pytest.mark.xdist_group("study")
EVERY = [(name, key) for name, kind in KINDS.items() for key in study.SECTIONS[kind]]
ZONES = [(name, key) for name in ("city", "province") for key in study.SECTIONS[name]]


def unlisted(bench: Bench, name: str, key: str) -> bool:
    case = bench.cases[name]
    return key not in case.plan.settings["sections"][case.kind]


def shows_well(section: Section) -> None:
    show.check_exhibits(section)
    for exhibit in section.exhibits:
        for lang in text.LANGUAGES:
            html = show.render(exhibit, lang)
            assert f'id="{exhibit.id}"' in html
            assert (text.t("common.synthetic", lang) in html) == exhibit.synthetic


@pytest.mark.parametrize(("name", "key"), EVERY)
def test_every_section_of_the_sample_renders_in_every_language(tiny: Bench, name: str, key: str) -> None:
    """A listed section has exhibits, all with words in all languages and marked synthetic; an unlisted one is empty."""
    section = tiny.section(name, key)
    assert section.key == key
    assert bool(section.exhibits) != unlisted(tiny, name, key)
    assert all(e.synthetic for e in section.exhibits)
    shows_well(section)


@pytest.mark.parametrize(("name", "key"), ZONES)
def test_every_section_of_the_real_panel_renders_in_every_language(zones: Bench, name: str, key: str) -> None:
    """The same functions serve a plan with other sections: what it lists is there, unmarked, and the rest is empty."""
    section = zones.section(name, key)
    assert bool(section.exhibits) != unlisted(zones, name, key)
    assert not any(e.synthetic for e in section.exhibits)
    shows_well(section)


@pytest.mark.parametrize("name", KINDS)
def test_exhibit_ids_are_unique_and_figures_tell_what_they_show(tiny: Bench, name: str) -> None:
    """No id stands twice in a report; every figure's text alternative can be said and is more than its caption."""
    exhibits = [e for section in tiny.sections(name) for e in section.exhibits]
    ids = [e.id for e in exhibits]
    assert len(ids) == len(set(ids))
    figures = [e for e in exhibits if e.kind == "figure"]
    assert figures
    for figure in figures:
        for lang in text.LANGUAGES:
            said = text.say(figure.alt, lang)
            assert len(said) > 10
            assert said != text.say(figure.title, lang), figure.id


def test_a_section_the_plan_does_not_list_is_empty(tiny: Bench, zones: Bench) -> None:
    """A city of the sample has no series; a city of the zone panel has no target, whatever its tables hold."""
    assert tiny.section("city", "series") == Section(key="series")
    assert zones.section("city", "target") == Section(key="target")


def test_an_unknown_section_names_the_known_ones(tiny: Bench) -> None:
    """Asking for a section that no such report has is a programming error that lists what there is."""
    with pytest.raises(KeyError) as caught:
        study.section(tiny.cases["city"], "cap")
    assert all(key in str(caught.value) for key in study.SECTIONS["city"])


def test_the_cap_is_tested_for_the_province_alone(tiny: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A city report never asks for the 3 % test and holds neither its columns nor its verdict; the province has it."""
    monkeypatch.setattr(assess, "fund_ratio", lambda *_, **__: pytest.fail("the cap was tested for a city"))
    for name in ("city", "other_city"):
        sections = [study.section(tiny.cases[name], key) for key in study.SECTIONS["city"]]
        names = {c["name"] for s in sections for e in s.exhibits for c in to_plain(e)["data"].get("columns", ())}
        said = {m["key"] for s in sections for e in s.exhibits for m in messages(to_plain(e))}
        assert not {"cap", "cap_ratio", "cap_status", "room"} & (names | {k for s in sections for k in s.values})
        assert not {key for key in said if key.endswith((".cap", ".cap_ratio", ".cap_status"))}
    assert tiny.section("province", "cap").exhibits[0].id == "cap_table"
    assert tiny.section("province", "summary").values["cap_ratio"] > 0


def test_a_city_shows_its_own_projects_and_no_other(tiny: Bench) -> None:
    """Effects and money of a project stand in the report of its place, and a place without one says so."""
    assert {p["place"] for p in tiny.cases["city"].projects.values()} == {WITH_PROJECT}
    assert tiny.cases["other_city"].projects == {}
    assert [e.id for e in tiny.section("other_city", "effects").exhibits] == ["effects_none"]


def small_counts(section: Section, names: set[str], limit: int) -> list[Any]:
    """Counts below the limit that stand in columns of these names of public tables."""
    found = []
    for exhibit in section.exhibits:
        if exhibit.kind != "table" or exhibit.release != "public":
            continue
        for i, column in enumerate(exhibit.data["columns"]):
            if column["name"] in names or column["name"].startswith("severity_"):
                cells = [row[i] for row in exhibit.data["rows"]]
                found += [(exhibit.id, c) for c in cells if isinstance(c, (int, float)) and c < limit]
    return found


@pytest.mark.parametrize("name", KINDS)
def test_no_small_count_of_injuries_is_printed(tiny: Bench, name: str) -> None:
    """Public tables hold no count of injured people below the workspace's public threshold."""
    limit = tiny.cases[name].workspace.privacy.public_threshold
    counts = {"numerator", "cases", "observed", "cases_pre", "cases_post"}
    assert [x for section in tiny.sections(name) for x in small_counts(section, counts, limit)] == []


@pytest.mark.parametrize("name", KINDS)
def test_every_gate_of_a_report_has_its_words(tiny: Bench, name: str) -> None:
    """A gate reaches the index page and sometimes the verdict: its name and its detail can be said in all languages."""
    gates = {g.name for section in tiny.sections(name) for g in section.gates}
    missing = [
        f"gate.{gate}.{part}"
        for gate in sorted(gates)
        for part in ("title", "detail")
        if not all(text.has(f"gate.{gate}.{part}", lang) for lang in text.LANGUAGES)
    ]
    assert missing == []
