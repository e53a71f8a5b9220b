"""One execution, three languages: the numbers, dates and amounts of all published pages, read back and compared."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup, NavigableString, Tag
from e2e.real_runs import TOKEN, Ran, parsed

from evalkit import text
from evalkit.pipeline.pages import index_file
from evalkit.show.spoken import HAN, simplified_only
from evalkit.sources import works

pytestmark = pytest.mark.xdist_group("e2e")
MONTHS = [text.t(f"common.month_{i}", "en") for i in range(1, 13)]
MONTH = "|".join(MONTHS)
QUARTERS = {f"第{word}季": i for i, word in enumerate("一二三四", 1)}
UNITS = re.compile(r"人民[币幣]\s*|CNY\s*|[/每]10[万萬]人?|×\s*1(?:00)?,?000|(?:/|per )1(?:00)?,000|/100k")
BLOCKS = "h1, h2, h3, dt, dd, th, td, p, li, summary, figcaption, caption"


def neutral(words: str) -> str:
    """Words with days, months, quarters and amounts in one form, without the words of their units for all languages."""
    words = re.sub(r"(\d{4})年(\d{1,2})月(\d{1,2})日", lambda m: f"{m[1]}.{int(m[2]):02}{int(m[3]):02}", words)
    words = re.sub(rf"(\d{{1,2}}) ({MONTH}) (\d{{4}})", lambda m: _day(m[3], m[2], m[1]), words)
    words = re.sub(r"(\d{4})年(\d{1,2})月", lambda m: f"{m[1]}.{int(m[2]):02}", words)
    words = re.sub(rf"({MONTH}) (\d{{4}})", lambda m: f"{m[2]}.{MONTHS.index(m[1]) + 1:02}", words)
    words = re.sub(r"(\d{4})年(第[一二三四]季)度?", lambda m: f"{m[1]}.{QUARTERS[m[2]]}", words)
    return UNITS.sub("", re.sub(r"Q([1-4]) (\d{4})", r"\2.\1", words))


def _day(year: str, month: str, day: str) -> str:
    return f"{year}.{MONTHS.index(month) + 1:02}{int(day):02}"


def amounts(words: str, everything: bool) -> list[float]:
    """The numbers of a block, 万元 as yuan; of a sentence those that no wording can bring in or leave out."""
    words, found = neutral(words), []
    for match in TOKEN.finditer(words):
        digits = match[0].rstrip(",")
        value = float(digits.replace("−", "-").replace(",", ""))
        if everything or "." in digits or "," in digits:
            found.append(value * 1e4 if re.match(r"[万萬]元", words[match.end() :]) else value)
    return sorted(found)


def pages(ran: Ran, lang: str) -> dict[str, Path]:
    reports = {name: ran.report(name, lang) for name in ran.results}
    return {**reports, "index": ran.folder / index_file(lang)}


def blocks(page: BeautifulSoup) -> list[Tag]:
    return [b for b in page.select(BLOCKS) if not b.find_parent("nav") and not b.select(BLOCKS)]


def is_value(block: Tag) -> bool:
    """Whether the block is a value rather than words: then every digit of it counts."""
    return block.name in ("td", "dd") and not re.search(r"[A-Za-z]{3}", UNITS.sub("", neutral(block.get_text())))


def equal(one: float, other: float) -> bool:
    return one == pytest.approx(other, abs=50.01 if max(abs(one), abs(other)) >= 1e5 else 1e-9)


@pytest.mark.parametrize("lang", [x for x in text.LANGUAGES if x != "en"])
def test_the_numbers_read_back_are_equal(ran: Ran, lang: str) -> None:
    """Block by block, cover, headlines, tables, sentences, provenance and index hold the English numbers."""
    assert ran.code == 0, ran.said
    english, compared = pages(ran, "en"), Counter()
    for name, path in pages(ran, lang).items():
        for mine, yours in zip(blocks(parsed(path)), blocks(parsed(english[name])), strict=True):
            value = is_value(yours)
            a, b = amounts(mine.get_text(), value), amounts(yours.get_text(), value)
            where = f"{name}: {mine.get_text()!r} and {yours.get_text()!r}"
            assert len(a) == len(b) and all(map(equal, a, b)), where
            compared[name] += len(a)
    assert min(compared.values()) > 30 and compared.total() > 3000
    assert compared["index"] > 60


def test_pictures_tell_the_same_numbers(ran: Ran) -> None:
    """The text alternatives of every figure hold the same numbers in all languages."""
    for name, path in pages(ran, "en").items():
        told = [[amounts(i["alt"], False) for i in parsed(path)("img")]]
        told += [
            [amounts(i["alt"], False) for i in parsed(pages(ran, x)[name])("img")] for x in text.LANGUAGES if x != "en"
        ]
        assert told[0] == told[1] == told[2], name


def shown(page: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """(language, words) of everything a page says; @language where no mark can stand, in attributes and the title."""
    for node in page.html.descendants:
        if isinstance(node, NavigableString) and type(node) is NavigableString and node.parent.name != "script":
            at = "@" if node.parent.name == "title" else ""
            yield at + node.find_parent(lang=True)["lang"], str(node)
        elif isinstance(node, Tag):
            for name in ("aria-label", "alt", "title", "data-word", "data-mark"):
                if name in node.attrs:
                    yield f"@{(node if node.has_attr('lang') else node.find_parent(lang=True))['lang']}", node[name]


def quotes(ran: Ran) -> str:
    """What the files themselves say: every string of results.json and run.json, and the titles of the works cited."""
    strings: list[str] = [w.citation + w.title for w in works().values()]

    def gather(value: object) -> None:
        if isinstance(value, str):
            strings.append(value)
        elif isinstance(value, dict):
            named = "zh-Hant" in value
            for inner in () if named else value.values():
                gather(inner)
        elif isinstance(value, list):
            for inner in value:
                gather(inner)

    for content in (*ran.results.values(), json.loads(json.dumps(ran.run))):
        gather(content)
    return "\n".join(strings)


def test_only_quotes_are_in_another_language(ran: Ran) -> None:
    """Simplified characters on a Traditional page and any Chinese on an English one are quoted from the office files
    and marked as such; attributes and titles, which cannot be marked, hold nothing but quotes either."""
    known, marked = quotes(ran), 0
    for lang in ("zh-Hant", "en"):
        own = {text.t("common.language_name", x) for x in text.LANGUAGES}
        foreign = (lambda run: any(map(simplified_only, run))) if lang == "zh-Hant" else (lambda run: True)
        for name, path in pages(ran, lang).items():
            for spoken, words in shown(parsed(path)):
                for run in HAN.findall(words):
                    if words in own or not foreign(run):
                        continue
                    assert run in known, (name, lang, words)
                    assert spoken in ("zh-Hans", f"@{lang}"), (name, lang, words)
                    marked += 1
    assert marked > 50
