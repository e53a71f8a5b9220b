"""Make the font of the figures: a static subset of Noto Sans SC as TTF and WOFF2, byte for byte repeatable.

    python -m evalkit.show.fonts.build NotoSansSC-Regular.ttf

Characters: printable ASCII, GB2312, Big5 level 1 and `extras.txt`, as far as the source font has them; the
result is listed in `characters.txt`. The family is renamed (`FAMILY`) so that a font of the same name on a
reader's machine is never taken for ours. Licence: SIL Open Font License 1.1, see `OFL.txt`; the reserved
name is "Source", which the subset does not use. Provenance of the source font: `README.md`.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fontTools.ttLib import TTFont

FOLDER = Path(__file__).resolve().parent
FAMILY = "Noto Sans SC Subset"
STEM = "NotoSansSCSubset-Regular"
SOURCE_SHA256 = "5cf8b2a0576d5680284ab03a7a8219499d59bbe981a79bb3dc0031f251c39736"
KEPT_NAMES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 14)


def encoded(codec: str, first: range, second: range) -> set[str]:
    """Characters of a two-byte character set, by asking the codec for every pair of bytes."""
    found = set()
    for high in first:
        for low in second:
            try:
                found.add(bytes((high, low)).decode(codec))
            except UnicodeDecodeError:
                continue
    return found


def big5_level_1() -> set[str]:
    """Frequently used characters of Big5: rows A4 to C6 (up to C67E)."""
    upper = encoded("big5", range(0xA4, 0xC6), range(0x40, 0xFF))
    return upper | encoded("big5", range(0xC6, 0xC7), range(0x40, 0x7F))


def extras() -> set[str]:
    lines = (FOLDER / "extras.txt").read_text("utf-8").splitlines()
    return set("".join(line for line in lines if not line.startswith("#")))


def wanted() -> set[str]:
    """Every character the subset should hold."""
    ascii_ = {chr(c) for c in range(0x20, 0x7F)} | {"\u00a0", "\u202f"}
    return ascii_ | encoded("gb2312", range(0xA1, 0xF8), range(0xA1, 0xFF)) | big5_level_1() | extras()


def subset(source: Path) -> TTFont:
    """Cut the source font down to the wanted characters. Raises ValueError if it is not the font of record."""
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont

    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    if digest != SOURCE_SHA256:
        raise ValueError(f"source font has sha256 {digest}, expected {SOURCE_SHA256}")
    font = TTFont(source, recalcTimestamp=False)
    options = Options(
        layout_features=["kern"],
        name_IDs=list(KEPT_NAMES),
        hinting=False,
        notdef_outline=True,
        glyph_names=False,
        drop_tables=["vhea", "vmtx", "BASE", "STAT", "gasp", "prep"],
    )
    cutter = Subsetter(options)
    cutter.populate(unicodes=[ord(c) for c in wanted()])
    cutter.subset(font)
    rename(font)
    return font


def rename(font: TTFont) -> None:
    """Give the subset its own family name; licence, copyright and authors stay."""
    words = {1: FAMILY, 3: f"subset;{STEM}", 4: f"{FAMILY} Regular", 6: STEM}
    for record in font["name"].names:
        if record.nameID in words:
            record.string = words[record.nameID]


def build(source: Path, folder: Path = FOLDER) -> None:
    """Write the TTF, the WOFF2 and `characters.txt` into `folder`."""
    font = subset(source)
    held = "".join(chr(c) for c in sorted(font.getBestCmap()) if c > 0x20)
    lines = [held[i : i + 100] for i in range(0, len(held), 100)]
    (folder / "characters.txt").write_text("\n".join(lines) + "\n", "utf-8")
    font.save(folder / f"{STEM}.ttf", reorderTables=True)
    font.flavor = "woff2"
    font.save(folder / f"{STEM}.woff2")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
