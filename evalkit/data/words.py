"""How a cell is read as a word: one normal form, and work done once per distinct value."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from .schema import layout

_PROTECTED = re.compile(r'^="(.*)"$')
_BLANKS = re.compile(r"\s+")
_INVISIBLE = dict.fromkeys(
    c for c in range(0x2070) if unicodedata.category(chr(c)) in ("Cc", "Cf") and not chr(c).isspace()
) | {0xFEFF: None}
"""Characters without a shape: of web pages and chat programs, of terminals, and those that turn the writing round."""


def plain(value: Any) -> str:
    """A cell as one line of text: NFKC, outer blanks and invisible characters gone, line breaks made blanks, `="…"` and
    leading-apostrophe protection undone.

    Whole numbers lose their ".0": spreadsheets hold the code 440100 as 440100.0.
    """
    if value is None:
        return ""
    if isinstance(value, float):
        if value != value:
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    text = str(value).strip()
    if not text.isprintable():
        text = " ".join(text.translate(_INVISIBLE).splitlines())
    text = (text if text.isascii() else unicodedata.normalize("NFKC", text)).strip()
    if text.startswith('="') and (protected := _PROTECTED.match(text)):
        return protected.group(1).strip()
    return text.removeprefix("'").strip()


@lru_cache(maxsize=65536)
def _compact(text: str) -> str:
    return _BLANKS.sub("", plain(text)).lower()


def compact(value: Any) -> str:
    """A cell as a word to compare: `plain` without any blanks, lower case."""
    return _compact(value if isinstance(value, str) else plain(value))


def map_unique(values: np.ndarray, function: Callable[[Any], Any], dtype: Any = object) -> np.ndarray:
    """`function` of every cell, called once per distinct value.

    1, 1.0 and True are one value here, as they are in a spreadsheet.
    """
    codes, distinct = pd.factorize(values, use_na_sentinel=False)
    out = np.empty(len(distinct), dtype=dtype)
    for i, value in enumerate(distinct):
        out[i] = function(value)
    return out[codes] if len(distinct) else np.empty(0, dtype=dtype)


def missing_words() -> frozenset[str]:
    """Words that stand for a missing cell, in compact form."""
    return _word_set("missing")


@lru_cache(maxsize=16)
def _word_set(name: str) -> frozenset[str]:
    return frozenset(compact(word) for word in layout()[name])


def word_set(name: str) -> frozenset[str]:
    """A list of words of `layout.toml`, in compact form."""
    return _word_set(name)


def nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The known word closest to `word`, for "did you mean"; "" if none has a similarity of `cutoff` or more."""
    words = [w for w in dict.fromkeys(known) if w]
    found = difflib.get_close_matches(word, words, n=1, cutoff=cutoff)
    return found[0] if found else ""
