"""Office files → grids of cells. The only place that opens spreadsheets; files are read, never written.

What a file is, is decided by its content, not its name: offices hold `.xls` files that are HTML or CSV. Rows keep
their place, so that row n of a grid is row n+1 as a person sees it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from ..core import UserError, Where

ENCODINGS: dict[str, str] = {
    "utf-8": "utf-8-sig",
    "gb18030": "gb18030",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "utf-16": "utf-16",
}
"""Encodings a workspace may declare → the codec that reads them."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSpec:
    """One `[[files]]` entry of a workspace.

    table     name of a canonical table;  path: glob below the workspace
    encoding  "auto", "utf-8" or "gb18030" (text files only)
    units     money unit by canonical column ("元", "万元", ...); must agree with the unit line of the file
    sheet     name of the sheet to read; None = every visible sheet that carries the table's headers
    """

    table: str
    path: str
    encoding: str = "auto"
    units: dict[str, str] = field(default_factory=dict)
    sheet: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Cells of one sheet as they stand in the file. `cells` is (rows, columns) of Python values; "" is empty."""

    file: str
    sheet: str | None
    encoding: str
    cells: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file found for a FileSpec: its path below the workspace (POSIX), its bytes and their digest."""

    spec: FileSpec
    file: str
    content: bytes
    sha256: str


def find(root: Path, spec: FileSpec) -> list[str]:
    """Paths below `root` that match the glob, sorted; lock files of office programs (~$…) are left out.

    Raises UserError("path_outside") for a path that leaves the workspace, "missing_file" when nothing matches.
    """
    pattern = spec.path
    if not pattern or Path(pattern).is_absolute() or ".." in Path(pattern).parts or re.match(r"[A-Za-z]:", pattern):
        raise UserError("path_outside", where=Where(file=pattern), path=pattern)
    base = root.resolve()
    found = sorted(p for p in root.glob(pattern) if p.is_file() and not p.name.startswith(("~$", ".")))
    for path in found:
        if not path.resolve().is_relative_to(base):
            raise UserError("path_outside", where=Where(file=path.name), path=pattern)
    if not found:
        raise UserError(
            "missing_file",
            where=Where(file=pattern),
            path=pattern,
            table=spec.table,
            present=_neighbours(root, pattern),
        )
    return [path.relative_to(root).as_posix() for path in found]


def _neighbours(root: Path, pattern: str) -> str:
    """What stands in the deepest folder of the pattern that exists, for the error message."""
    folder = root
    for part in Path(pattern).parts[:-1]:
        if "*" in part or not (folder / part).is_dir():
            break
        folder = folder / part
    names = sorted(p.name for p in folder.iterdir())[:8] if folder.is_dir() else []
    return ", ".join(names) or "∅"


def load(root: Path, spec: FileSpec, file: str) -> Source:
    """The bytes of a file, read once, with their SHA-256."""
    try:
        content = (root / file).read_bytes()
    except OSError as error:
        raise UserError("unreadable_file", where=Where(file=file), reason=type(error).__name__) from error
    return Source(spec=spec, file=file, content=content, sha256=hashlib.sha256(content).hexdigest())


def grids(source: Source) -> list[Grid]:
    """All sheets of a file.

    Raises UserErrors: empty_file, password_protected, unreadable_file, unknown_sheet, wrong_encoding,
    unknown_encoding.
    """
    content = source.content
    if not content.strip():
        raise UserError("empty_file", where=Where(file=source.file))
    if content.startswith((b"PK\x03\x04", _OLE)):
        return _workbook(source)
    text, encoding = decode(content, source.spec.encoding, source.file)
    head = text[:2000].lstrip().lower()
    if head.startswith("<") and "<t" in text.lower():
        return [_grid(source, None, f"html, {encoding}", rows) for rows in _html_tables(text)]
    return [_grid(source, None, encoding, _csv_rows(text))]


def _workbook(source: Source) -> list[Grid]:
    if source.content.startswith(_OLE) and _ENCRYPTED in source.content:
        raise UserError("password_protected", where=Where(file=source.file))
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(source.content)) as book:
            names = _sheet_names(book, source)
            kind = "xls" if source.content.startswith(_OLE) else "xlsx"
            return [
                _grid(source, name, kind, book.get_sheet_by_name(name).to_python(skip_empty_area=False))
                for name in names
            ]
    except CalamineError as error:
        key = "password_protected" if "assword" in f"{type(error).__name__} {error}" else "unreadable_file"
        raise UserError(key, where=Where(file=source.file), reason=type(error).__name__) from error


def _sheet_names(book: CalamineWorkbook, source: Source) -> list[str]:
    """Visible worksheets, or the one that was asked for."""
    visible = [
        s.name
        for s in book.sheets_metadata
        if s.visible == SheetVisibleEnum.Visible and s.typ == SheetTypeEnum.WorkSheet
    ]
    wanted = source.spec.sheet
    if wanted is None:
        return visible
    if wanted not in book.sheet_names:
        raise UserError(
            "unknown_sheet", where=Where(file=source.file, sheet=wanted), sheet=wanted, known=list(book.sheet_names)
        )
    return [wanted]


def _grid(source: Source, sheet: str | None, encoding: str, rows: Sequence[Sequence[Any]]) -> Grid:
    columns = list(zip_longest(*rows, fillvalue="")) if rows else []
    cells = np.full((len(rows), len(columns)), "", dtype=object)
    for j, column in enumerate(columns):
        cells[:, j] = column
    return Grid(file=source.file, sheet=sheet, encoding=encoding, cells=cells)


def decode(content: bytes, declared: str, file: str) -> tuple[str, str]:
    """Text of a file and the encoding it was in.

    "auto" tries the byte-order mark, UTF-16 without one, UTF-8, then GB18030. A declared encoding must fit:
    GB18030 bytes are no UTF-8, and bytes that are UTF-8 with Chinese in them are not GB18030 (they would decode into
    nonsense). A few bytes that do not fit in a text that otherwise does are damage, not another encoding.

    Raises UserErrors: unknown_encoding, wrong_encoding, damaged_text (with the row of the first odd byte).
    """
    if declared != "auto" and declared.lower() not in ENCODINGS:
        raise UserError("unknown_encoding", where=Where(file=file), encoding=declared, known=["auto", *ENCODINGS])
    wanted = None if declared == "auto" else _CANONICAL.get(ENCODINGS[declared.lower()], ENCODINGS[declared.lower()])
    actual = _sniff(content)
    damaged = _damaged(content, actual, wanted)
    if damaged is not None:
        row = _row_of(content, _first_bad(content, ENCODINGS[damaged]))
        raise UserError("damaged_text", where=Where(file=file, row=row), encoding=damaged)
    if actual is None or (wanted not in (None, actual) and not content.isascii()):
        codec = ENCODINGS[wanted or "utf-8"]
        start = _first_bad(content, codec)
        start = next(i for i, byte in enumerate(content) if byte > 127) if start < 0 else start
        where = Where(file=file, row=None if wanted is None else _row_of(content, start))
        raise UserError("wrong_encoding", where=where, declared=declared, actual=actual or "?")
    return _text(content, actual), wanted or actual


_CANONICAL = {"utf-8-sig": "utf-8"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DAMAGE = 0.05
"""Share of the characters outside ASCII up to which bytes that do not fit are taken for damage."""


def _text(content: bytes, encoding: str) -> str:
    if encoding == "utf-16" and not content.startswith(_UTF16):
        return content.decode("utf-16-be" if content[::2].count(0) > content[1::2].count(0) else "utf-16-le")
    return content.decode(ENCODINGS[encoding])


def _sniff(content: bytes) -> str | None:
    """The encoding that fits all bytes; UTF-16 without a mark shows by its zero bytes."""
    for name in ("utf-16",) if content.startswith(_UTF16) or b"\0" in content[:4096] else ("utf-8", "gb18030"):
        try:
            _text(content, name)
            return name
        except UnicodeDecodeError:
            continue
    return None


def _damaged(content: bytes, actual: str | None, wanted: str | None) -> str | None:
    """The encoding that fits all but a few bytes, if none fits better."""
    if actual == "utf-8" or (actual is not None and actual == wanted) or b"\0" in content[:4096]:
        return None
    for name in ("utf-8",) if actual == "gb18030" else ("utf-8", "gb18030"):
        text = content.decode(ENCODINGS[name], "replace")
        bad = text.count("\ufffd")
        if bad and wanted in (None, name) and bad <= _DAMAGE * sum(not c.isascii() for c in text):
            return name
    return None


def _first_bad(content: bytes, codec: str) -> int:
    try:
        content.decode(codec)
    except UnicodeDecodeError as error:
        return error.start + (3 if codec == "utf-8-sig" and content.startswith(b"\xef\xbb\xbf") else 0)
    return -1


def _row_of(content: bytes, at: int) -> int:
    return content.count(b"\n", 0, at) + 1


def _csv_rows(text: str) -> list[list[str]]:
    sample = [line for line in text[:20000].splitlines() if line.strip()][:30]
    delimiter = max(",\t;|", key=lambda mark: sum(line.count(mark) for line in sample))
    csv.field_size_limit(10_000_000)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _html_tables(text: str) -> list[list[list[str]]]:
    parser = _TableParser()
    parser.feed(text)
    parser.close()
    return [rows for rows in parser.tables if rows]


class _TableParser(HTMLParser):
    """Collects the tables of a page; a cell that spans columns leaves empty cells behind it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tables: list[list[list[str]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table" or (tag == "tr" and not self.tables):
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th") and self.tables and self.tables[-1]:
            span = dict(attrs).get("colspan") or "1"
            self.tables[-1][-1] += [""] * (int(span) if span.isdigit() else 1)
            self._open, self._at = True, -(int(span) if span.isdigit() else 1)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th", "tr", "table"):
            self._open = False

    def handle_data(self, data: str) -> None:
        if self._open:
            self.tables[-1][-1][self._at] += data.strip()
