"""The font of the figures: where it lies and which characters it holds."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

FAMILY = "Noto Sans SC Subset"
STEM = "NotoSansSCSubset-Regular"


def path(suffix: str = "ttf") -> Path:
    """File of the font, "ttf" for drawing or "woff2" for a web page."""
    return Path(str(files(__package__) / f"{STEM}.{suffix}"))


@lru_cache(maxsize=1)
def characters() -> frozenset[str]:
    """Every character the font can draw, white space included."""
    listed = (files(__package__) / "characters.txt").read_text("utf-8")
    return frozenset(listed) | {" ", "\u00a0", "\n"}
