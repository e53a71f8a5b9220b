"""Sheets as bytes of .xlsx and .csv files; the same sheet gives the same bytes every time."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from typing import Any

from .calibrate import settings
from .office import Sheet

_STAMP = (2025, 12, 20, 0, 0, 0)
_DAY = b"2025-12-20T00:00:00Z"
_ROW = re.compile(rb"<row [^>]*>.*?</row>", re.DOTALL)
_REFERENCE = re.compile(rb'<c r="[A-Z]+[0-9]+"')
_MODIFIED = re.compile(rb"(<dcterms:(created|modified)[^>]*>)[^<]*")


def csv_bytes(sheet: Sheet, encoding: str) -> bytes:
    """A sheet as csv with Windows line ends; a notice and the unit stand above the header."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([f"# {settings('office')['names']['notice']} {sheet.title}"])
    if sheet.unit_line:
        writer.writerow([sheet.unit_line])
    writer.writerow(sheet.header)
    writer.writerows(_body(sheet))
    return out.getvalue().encode(encoding)


def xlsx_bytes(sheet: Sheet, blanks: bool = False) -> bytes:
    """A sheet as a workbook: title, unit line, header (merged where the sheet says so), rows, total, footer."""
    from openpyxl import Workbook

    plain = sheet.merged is None and len(sheet.columns[0]) > 3000
    book = Workbook(write_only=plain)
    page = book.create_sheet("Sheet1") if plain else book.active
    page.append([sheet.title])
    if sheet.unit_line:
        page.append([sheet.unit_line])
    for names in _header(sheet):
        page.append(names)
    for row in _body(sheet):
        page.append(row)
    for _ in range(3 if blanks else 0):
        page.append([" "])
    if not plain:
        _merge(page, sheet)
    out = io.BytesIO()
    book.save(out)
    return _frozen(out.getvalue(), len(sheet.header) if plain else 0)


def _body(sheet: Sheet) -> Iterator[tuple[Any, ...]]:
    yield from zip(*sheet.columns)
    if sheet.total:
        yield sheet.total
    yield (sheet.footer[0], *[None] * (len(sheet.header) - 2), sheet.footer[1])


def _header(sheet: Sheet) -> list[list[Any]]:
    if sheet.merged is None:
        return [list(sheet.header)]
    first, last = sheet.merged
    above: list[Any] = [None if first < j <= last else name for j, name in enumerate(sheet.header)]
    above[first] = settings("office")["names"]["merged"]
    below = [name if first <= j <= last else None for j, name in enumerate(sheet.header)]
    return [above, below]


def _merge(page: Any, sheet: Sheet) -> None:
    """Merge the title over the table, and the header cells where there are two header rows."""
    width, row = len(sheet.header), 3 if sheet.unit_line else 2
    page.merge_cells(start_row=1, end_row=1, start_column=1, end_column=width)
    if sheet.merged is None:
        return
    first, last = sheet.merged
    page.merge_cells(start_row=row, end_row=row, start_column=first + 1, end_column=last + 1)
    for j in [j for j in range(width) if not first <= j <= last]:
        page.merge_cells(start_row=row, end_row=row + 1, start_column=j + 1, end_column=j + 1)


def _frozen(data: bytes, width: int) -> bytes:
    """The workbook with fixed dates in its properties and its archive; see `_short` for `width` > 0."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "docProps/core.xml":
                content = _MODIFIED.sub(rb"\g<1>" + _DAY, content)
            if width and name.startswith("xl/worksheets/"):
                content = _short(content, width)
            info = zipfile.ZipInfo(name, date_time=_STAMP)
            info.compress_type, info.external_attr, info.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            new.writestr(info, content)
    return out.getvalue()


def _short(page: bytes, width: int) -> bytes:
    """Leave out the optional cell references of rows without an empty cell: a third of the size for long tables."""

    def row(found: re.Match[bytes]) -> bytes:
        text = found.group(0)
        return _REFERENCE.sub(b"<c", text) if text.count(b"<c ") == width else text

    return _ROW.sub(row, page)
