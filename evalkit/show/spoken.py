"""Words quoted from the office files inside a page of another language, marked so that a screen reader changes its
voice and the page its font."""

from __future__ import annotations

import re
from functools import cache
from html import escape

HAN = re.compile("[\\u3400-\\u9fff]+")
QUOTED = "zh-Hans"
"""The language of the office files."""


def marked(words: str, lang: str) -> str:
    """Words as HTML: escaped, and Chinese that is not the language of the page inside <span lang="zh-Hans">.

    On an English page that is every run of Han characters, on a Traditional one each run with a character that
    stands in Simplified Chinese only. Not for attributes.
    """
    safe = escape(str(words))
    return safe if lang == QUOTED else HAN.sub(lambda run: _marked(run[0], lang), safe)


def _marked(run: str, lang: str) -> str:
    if lang == "zh-Hant" and not any(map(simplified_only, run)):
        return run
    return f'<span lang="{QUOTED}">{run}</span>'


@cache
def simplified_only(character: str) -> bool:
    """Whether a Han character is in the national standard of Simplified Chinese (GB 2312) and not in Big5."""
    return bool(HAN.fullmatch(character)) and _in(character, "gb2312") and not _in(character, "big5")


def _in(character: str, charset: str) -> bool:
    try:
        character.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
