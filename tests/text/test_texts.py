"""Words: the same keys and placeholders in every language, and nothing left untranslated."""

from __future__ import annotations

import string

import pytest

from evalkit import text


def placeholders(template: str) -> set[str]:
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_language_has_every_key(lang: str) -> None:
    """No language lacks a message that another has."""
    reference, other = text.catalogue(text.DEFAULT), text.catalogue(lang)
    assert set(reference) == set(other), sorted(set(reference) ^ set(other))[:20]


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_placeholders_agree(lang: str) -> None:
    """A message asks for the same values in every language."""
    reference, other = text.catalogue(text.DEFAULT), text.catalogue(lang)
    differ = [
        k
        for k in reference
        if k in other and k != "common.date" and placeholders(reference[k]) != placeholders(other[k])
    ]
    assert not differ, differ[:20]


def test_english_holds_no_chinese_and_chinese_is_chinese() -> None:
    """A sentence that was pasted into the wrong language is found."""
    han = lambda s: any("\u4e00" <= c <= "\u9fff" for c in s)  # noqa: E731
    allowed = {"common.synthetic"}
    quoting = ("problem.", "workspace.rule.")  # these name the words that stand in office files
    wrong = [k for k, v in text.catalogue("en").items() if han(v) and k not in allowed and not k.startswith(quoting)]
    assert not wrong, wrong[:20]


def test_missing_key_is_an_error() -> None:
    """A missing message never shows as an empty string or a raw key."""
    with pytest.raises(KeyError, match=r"no\.such\.key"):
        text.t("no.such.key", "en")


def test_numbers_read_the_same_in_every_language() -> None:
    """Digits are equal whatever the language; a minus that rounds to zero loses its sign."""
    assert text.number(-1234.5, "zh-Hans", 1) == text.number(-1234.5, "en", 1) == "−1,234.5"
    assert text.number(-0.001, "en", 1) == "0.0"
    assert text.percent(0.1234, "en") == "12.3%"
    assert text.number(None, "en") == text.t("common.missing", "en")
