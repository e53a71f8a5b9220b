"""Exhibits as HTML and in notebooks: well formed, escaped, labelled, and the same numbers in every language."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from evalkit import text
from evalkit.core import Column, Exhibit, Message, Section, to_plain
from evalkit.show import check_exhibits, render
from evalkit.show import display as publish
from evalkit.show.bars import SHADES, SHAPES
from evalkit.show.checks import MissingWords
from evalkit.show.display import MIME, as_text, bundle, digest, stylesheet
from evalkit.show.words import MARKS, instant, label, period, width, wrap, written

VOID = {"img", "br", "meta"}


class Page(HTMLParser):
    """Reads a fragment strictly: every tag closed in order; keeps attributes and the text of cells."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data
        if {"td", "th"} & set(self.open):
            self.cells[-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


@pytest.mark.parametrize(("lang", "name", "sized"), [
    ("zh-Hans", "深圳市2025年机械制造行业工伤预防培训项目", "ek-long"),
    ("en", "Prevention training in machinery firms of Shenzhen, 2025", "ek-long"),
    ("zh-Hans", "培训", "ek-short"),
    ("zh-Hans", "−629.98万元 ～ −50.02万元", "ek-parts"),
    ("zh-Hans", "某一区间之外的全部数值", None),
    ("en", "in training", None),
    ("en", "GP440300-2025-001", "ek-short"),
])  # fmt: skip
def test_columns_of_words_get_the_room_they_need(table: Exhibit, lang: str, name: str, sized: str | None) -> None:
    """Long names have a least width, short words and codes stay whole, intervals of amounts break between the two, and
    English words may still part at spaces.
    """
    columns = [Column(name=n, label="show.word.target") for n in ("code", "title")]
    shown = replace(table, data={"columns": to_plain(columns), "rows": [["x", name], ["y", None]]})
    page = Page(render(shown, lang))
    assert [c.get("class") for c in page.all("td")] == [sized, sized]


def test_a_table_of_many_columns_is_set_closer(table: Exhibit) -> None:
    """From eight columns on, and not before."""
    for n, known in ((7, [None]), (8, ["ek-many"])):
        columns = [Column(name=f"c{i}", label="show.word.target", kind="int") for i in range(n)]
        page = Page(render(replace(table, data={"columns": to_plain(columns), "rows": [[1] * n]}), "en"))
        assert [t.get("class") for t in page.all("table")] == known


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_table_has_caption_scope_and_language(table: Exhibit, lang: str) -> None:
    """A table has a caption, scopes on all headers, right-aligned numbers, its anchor and its language."""
    page = Page(render(table, lang))
    assert page.all("figure")[0]["id"] == "T1_test"
    assert page.all("figure")[0]["lang"] == lang
    assert len(page.all("caption")) == 1
    assert all(h["scope"] in ("col", "row") for h in page.all("th"))
    assert sum(h["scope"] == "row" for h in page.all("th")) == 2
    assert sum(c.get("class") == "ek-number" for c in page.all("td")) == 2 * 5
    assert text.t("common.synthetic", lang) in page.words
    assert page.all("div")[0]["tabindex"] == "0"


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_hostile_cells_stay_words(table: Exhibit, lang: str) -> None:
    """Markup, quotes and formulas in data come out as the characters they are."""
    html = render(table, lang)
    page = Page(html)
    assert "<script" not in html
    assert "<b>" not in html
    assert '<script>alert("1")</script>' in page.cells
    assert '=HYPERLINK("x")&\'"' in page.cells


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_hostile_identifiers_cannot_leave_their_attribute(lang: str) -> None:
    """An id or alternative text with quotes stays inside its attribute."""
    exhibit = Exhibit(
        id='x" onload="alert(1)',
        kind="facts",
        title=Message(key="show.figure"),
        data={"items": [{"label": "show.figure", "value": '"><img src=x>'}]},
    )
    page = Page(render(exhibit, lang))
    assert not page.all("img")
    assert all("onload" not in attrs for _, attrs in page.tags)


def test_numbers_read_back_equal_in_every_language(table: Exhibit) -> None:
    """Whatever the language, a reader takes the same number from every cell."""
    zh, en = ([_amount(c) for c in Page(render(table, lang)).cells[9:]] for lang in ("zh-Hans", "en"))
    for a, b in zip(zh, en):
        assert a == pytest.approx(b, rel=1e-4)
    assert [12345.0] in zh
    assert [-0.5, 1.25] in zh


def test_status_does_not_rely_on_colour(table: Exhibit) -> None:
    """Different statuses carry different marks, hidden from screen readers, and their word."""
    html = render(table, "zh-Hans")
    assert '<span class="ek-status-mark" aria-hidden="true">●</span> 达到' in html
    assert '<span class="ek-status-mark" aria-hidden="true">■</span> 未达到' in html


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_figure_has_its_text_alternative(figure_data: Any, make_figure: Any, lang: str) -> None:
    """A figure is an image inside the page, with alternative text, size and caption."""
    page = Page(render(make_figure("ceac", figure_data["ceac"]), lang))
    image = page.all("img")[0]
    assert image["alt"] == text.t("show.figure", lang)
    assert str(image["src"]).startswith("data:image/png;base64,")
    assert int(str(image["width"])) == 1000
    assert len(page.all("figcaption")) == 1


def test_figure_names_missing_glyphs_in_its_notes(make_figure: Any) -> None:
    """The code point of a character that could not be drawn stands under the figure."""
    rows = [{"label": "甲\U00020000厂", "estimate": 0.9, "conf_low": 0.8, "conf_high": 1.0}]
    assert "U+20000" in Page(render(make_figure("forest", {"rows": rows}), "zh-Hans")).words


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_facts_and_prose(lang: str) -> None:
    """Facts are a list of terms and values, prose is paragraphs, both under a heading."""
    facts = Exhibit(
        id="S1",
        kind="facts",
        title=Message(key="show.figure"),
        data={
            "items": [
                {"label": "show.axis.share", "value": 0.256, "kind": "percent", "digits": 1},
                {"label": "show.axis.averted", "value": None, "kind": "number"},
                {"label": "show.word.target", "value": "met", "kind": "status"},
            ]
        },
    )
    page = Page(render(facts, lang))
    assert len(page.all("dt")) == len(page.all("dd")) == 3
    assert "25.6%" in page.words
    prose = Exhibit(
        id="P1",
        kind="prose",
        title=Message(key="show.figure"),
        release="internal",
        data={"paragraphs": [Message(key="common.synthetic_note")] * 2},
    )
    page = Page(render(prose, lang))
    assert len(page.all("p")) == 2
    assert text.t("show.internal", lang) in page.words


def test_plain_dict_renders_like_the_noun(table: Exhibit) -> None:
    """An exhibit read from results.json gives the same HTML and digest."""
    read = json.loads(json.dumps(to_plain(table)))
    assert render(read, "en") == render(table, "en")
    assert digest(read) == digest(table)


def test_mimebundle_carries_the_data_with_its_digest(table: Exhibit) -> None:
    """The bundle holds HTML, text and the payload, whose digest anyone can recompute."""
    content = bundle(table, "zh-Hans", styled=True)
    payload = content[MIME]
    again = json.dumps(payload["exhibit"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert payload["sha256"] == hashlib.sha256(again.encode()).hexdigest()
    assert content["text/html"].startswith("<style>")
    assert "12,345" in content["text/plain"]


def test_display_publishes_one_output_per_exhibit(table: Exhibit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A section of two exhibits makes two outputs, in order; only the first brings the style sheet."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", shown.append)
    facts = Exhibit(id="S1", kind="facts", title=Message(key="show.figure"), data={"items": []})
    publish(Section(key="x", exhibits=(table, facts)), "en")
    assert [s[MIME]["exhibit"]["id"] for s in shown] == ["T1_test", "S1"]
    assert ["<style>" in s["text/html"] for s in shown] == [True, False]


def test_check_accepts_what_can_be_said(table: Exhibit, figure_data: Any, make_figure: Any) -> None:
    """Complete exhibits pass."""
    check_exhibits([table, *(make_figure(f, d) for f, d in figure_data.items())])


def test_check_lists_everything_missing_at_once() -> None:
    """Missing keys, lacking values, unknown figures and kinds are all told together, with language and exhibit."""
    broken = [
        Exhibit(
            id="A", kind="prose", title=Message(key="no.such.key"), data={"paragraphs": [Message(key="show.year")]}
        ),
        Exhibit(
            id="B",
            kind="figure",
            title=Message(key="show.figure"),
            alt=Message(key="show.figure"),
            data={"figure": "pie", "y_label": "also.not.there"},
        ),
        Exhibit(
            id="A",
            kind="table",
            title=Message(key="show.figure"),
            data={
                "columns": [
                    Column(name="a", label="show.figure", kind="colour"),
                    Column(name="s", label="show.figure", kind="status"),
                ],
                "rows": [["x", "splendid"], ["a.csv"]],
            },
        ),
    ]
    with pytest.raises(MissingWords) as caught:
        check_exhibits(Section(key="x", exhibits=tuple(broken)))
    told = "\n".join(caught.value.problems)
    for words in (
        "no.such.key",
        "lacks the values ['year']",
        "unknown figure 'pie'",
        "also.not.there",
        "'colour'",
        "splendid",
        "id stands twice",
        "1 cells for 2 columns",
        "zh-Hans",
        "en: ",
    ):
        assert words in told, words
    assert "a.csv" not in told


def test_raw_keys_are_never_shown() -> None:
    """A label that looks like a key but is none raises; other strings are data."""
    with pytest.raises(KeyError):
        label("show.no_such", "en")
    assert label("Guangzhou Co., Ltd.", "en") == "Guangzhou Co., Ltd."
    assert label({"zh-Hans": "广州市", "en": "Guangzhou"}, "en") == "Guangzhou"


@pytest.mark.parametrize(
    ("value", "kind", "zh", "en"),
    [
        (1234, "int", "1,234", "1,234"),
        (-0.05, "percent", "−5.00%", "−5.00%"),
        ([0.1, 0.2], "interval", "0.10 ～ 0.20", "0.10 to 0.20"),
        (["-Infinity", "Infinity"], "interval", "−∞ ～ ∞", "−∞ to ∞"),
        ("2023Q2", "period", "2023年第二季度", "Q2 2023"),
        ("2023-02", "period", "2023年2月", "February 2023"),
        (True, "flag", "是", "yes"),
        (None, "flag", "未知", "unknown"),
        ({"key": "show.status.suppressed"}, "int", "已隐去", "suppressed"),
    ],
)
def test_cells_by_kind(value: Any, kind: str, zh: str, en: str) -> None:
    """Every kind of column is written as the language writes it."""
    assert (written(value, kind, "zh-Hans"), written(value, kind, "en")) == (zh, en)


def test_interval_of_fractions_is_written_in_percent() -> None:
    """The unit % says that an interval holds fractions."""
    assert written([0.1, 0.255], "interval", "en", 1, "%") == "10.0% to 25.5%"


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_status_has_mark_word_and_shape(lang: str) -> None:
    """A status is told by word and by a shape that the table of marks can draw."""
    for word, mark in MARKS.items():
        assert text.t(f"show.status.{word}", lang)
        assert mark in SHAPES
        assert mark in SHADES


def test_time_and_wrapping() -> None:
    """Periods find their place on the axis; labels break between Han characters and at spaces."""
    assert [instant(t) for t in (2023, "2023Q3", "2023-04")] == [2023, 2023.5, 2023.25]
    assert period(2023, "zh-Hans") == "2023年"
    assert wrap("机械制造企业培训", 8) == "机械制造\n企业培训"
    assert wrap("metal products and machinery", 14).split("\n") == ["metal products", "and machinery"]
    assert width("机a") == 3


def test_text_form_is_short_and_whole(table: Exhibit) -> None:
    """The plain text of a table has the header, every row and no markup of ours."""
    lines = as_text(table, "en").split("\n")
    assert len(lines) == 1 + 1 + 2 + 1 + 1


def test_style_sheet_asks_no_other_host() -> None:
    """The style sheet imports nothing, holds no address, and has the rules print and phones need."""
    css = stylesheet()
    assert "@import" not in css
    assert "url(" not in css
    for rule in ("table-header-group", "break-inside: avoid", "size: A4", "overflow-x: auto", ":focus-visible"):
        assert rule in css


def _amount(cell: str) -> list[float]:
    scale = 1e4 if "万元" in cell else 1.0
    digits = re.findall(r"[−]?[\d,]*\.?\d+", cell)
    return [float(d.replace("−", "-").replace(",", "")) * scale for d in digits]
