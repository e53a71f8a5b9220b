"""The packaged font holds every character that we write and every name that the plans bring."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from evalkit import text
from evalkit.show import fonts
from evalkit.show.fonts import build
from evalkit.show.glyphs import GETA, GlyphError, code_point, drawable, lacking

PACKAGE = Path(text.__file__).resolve().parent.parent


def test_character_list_is_what_the_font_holds() -> None:
    """`characters.txt` and the character maps of TTF and WOFF2 agree."""
    for suffix in ("ttf", "woff2"):
        held = {chr(c) for c in TTFont(fonts.path(suffix)).getBestCmap()}
        assert {c for c in fonts.characters() if c > " "} == {c for c in held if c > " "}


def test_font_is_free_and_says_so() -> None:
    """The licence text is beside the font, its name records carry it, and the family name is our own."""
    names = {n.nameID: str(n) for n in TTFont(fonts.path())["name"].names}
    assert "SIL Open Font License" in names[13]
    assert names[1] == fonts.FAMILY == build.FAMILY
    assert "SIL OPEN FONT LICENSE Version 1.1" in (fonts.path().parent / "OFL.txt").read_text("utf-8")


def test_character_sets_are_held() -> None:
    """All of GB2312's and Big5 level 1's Han characters, and printable ASCII, are there."""
    han = {c for c in build.wanted() if "\u4e00" <= c <= "\u9fff"}
    assert len(han) > 9000
    assert not lacking("".join(han) + "".join(map(chr, range(0x20, 0x7F))))


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("text/*/*.toml")), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_font_covers_every_text(path: Path) -> None:
    """No message holds a character without a glyph."""
    words = "".join(str(v) for v in _leaves(tomllib.loads(path.read_text("utf-8"))))
    assert not lacking(words), sorted(map(code_point, lacking(words)))


@pytest.mark.parametrize(
    "path",
    sorted(PACKAGE.glob("plans/*/*.csv")) + sorted(PACKAGE.glob("plans/*/*.toml")),
    ids=lambda p: f"{p.parent.name}/{p.name}",
)
def test_font_covers_every_plan(path: Path) -> None:
    """Names of places, industries and measures can be drawn, Traditional ones too."""
    words = path.read_text("utf-8").replace("\ufeff", "").replace("\t", "").replace("\r", "")
    assert not lacking(words), sorted(map(code_point, lacking(words)))


def test_missing_glyph_in_data_is_marked_and_in_our_words_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data keep a visible mark in place of the character; our own sentence raises with the code point."""
    rare = "\U00020000"
    assert drawable(f"甲{rare}乙", "zh-Hans") == f"甲{GETA}乙"
    monkeypatch.setattr("evalkit.show.glyphs.own_characters", lambda lang: frozenset(rare))
    with pytest.raises(GlyphError, match="U\\+20000"):
        drawable(rare, "zh-Hans")


def _leaves(table: dict) -> list:  # type: ignore[type-arg]
    return [leaf for v in table.values() for leaf in (_leaves(v) if isinstance(v, dict) else [v])]
