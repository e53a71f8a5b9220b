"""Characters the font lacks: an error in our own words, a visible mark and a note in data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from .. import text
from . import fonts

GETA = "〓"
"""Printers' mark for a character that the type case lacks; it stands in for it in figures."""


class GlyphError(Exception):
    """Our own words hold characters the packaged font cannot draw; `code_points` names them."""

    def __init__(self, missing: Iterable[str]):
        self.code_points = tuple(code_point(c) for c in sorted(set(missing)))
        super().__init__("no glyph for " + ", ".join(self.code_points) + "; add them to show/fonts/extras.txt")


def code_point(character: str) -> str:
    return f"U+{ord(character):04X}"


def lacking(words: str) -> set[str]:
    """Characters of `words` that the font does not hold."""
    return set(words) - fonts.characters()


@lru_cache(maxsize=8)
def own_characters(lang: str) -> frozenset[str]:
    """Characters of all messages of a language: what we write ourselves, as opposed to data."""
    return frozenset("".join(text.catalogue(lang).values()))


def drawable(words: str, lang: str) -> str:
    """`words` with every character of data that has no glyph replaced by 〓.

    Raises GlyphError where the character belongs to our own words.
    """
    missing = lacking(words)
    if not missing:
        return words
    if ours := missing & own_characters(lang):
        raise GlyphError(ours)
    return "".join(GETA if c in missing else c for c in words)


def gaps(exhibit: Mapping[str, Any], lang: str) -> tuple[str, ...]:
    """Code points of data characters that a figure exhibit shows as 〓, sorted; () for other kinds."""
    if exhibit["kind"] != "figure":
        return ()
    missing = lacking("".join(strings(exhibit["data"], lang)))
    return tuple(code_point(c) for c in sorted(missing))


def strings(value: Any, lang: str) -> Iterable[str]:
    """Every string of plain data that `lang` may show: of a name in several languages only that language."""
    if isinstance(value, str):
        yield value
    elif text.is_names(value):
        yield str(text.local(value, lang))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from strings(inner, lang)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from strings(inner, lang)
