"""Where the table stands in a sheet: title and unit lines above it, merged headers, totals and footers below.

What counts as a total, a footer or a unit is a word list in `layout.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core import Problem, Where
from .read import FileSpec, Grid, Source, grids
from .schema import ColumnSpec, TableSpec, layout
from .words import compact, map_unique, nearest, plain, word_set

_SEARCHED = 25
"""Rows at the top of a sheet among which the header is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawTable:
    """The rows of one sheet as found, before any value is interpreted.

    columns      canonical name → (n,) cells;  headers: canonical name → header as the person sees it
    rows         (n,) 1-based row numbers;  header_row: 1-based
    unit         money unit of the unit line ("" = none), on row unit_row; column_units: unit said in a header
    totals       grand-total rows: (row, canonical name → cell)
    counts       rows below the header by fate: kept, total, footer, blank, header
    marked       True if the sheet says that its numbers are synthetic
    ignored      headers that belong to no canonical column: their cells are not kept
    """

    table: TableSpec
    file: str
    sheet: str | None
    encoding: str
    header_row: int
    columns: dict[str, np.ndarray]
    headers: dict[str, str]
    rows: np.ndarray
    unit: str = ""
    unit_row: int | None = None
    column_units: dict[str, str] = field(default_factory=dict)
    totals: tuple[tuple[int, dict[str, Any]], ...] = ()
    counts: dict[str, int] = field(default_factory=dict)
    marked: bool = False
    ignored: tuple[str, ...] = ()

    def where(self, row: int | None = None, column: str | None = None) -> Where:
        """A place in this sheet; `column` is a canonical name, told by its header."""
        header = None if column is None else self.headers.get(column, self.table.column(column).header)
        return Where(file=self.file, sheet=self.sheet, row=None if row is None else int(row), column=header)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    first: int
    height: int
    matched: dict[str, int]
    seen: tuple[str, ...]


def read_tables(source: Source, table: TableSpec) -> tuple[list[RawTable], list[Problem]]:
    """Every sheet of a file that carries the headers of `table`, and what is wrong with its headers.

    Problems: no_header (no sheet carries them), missing_column, duplicate_header.
    Raises UserErrors for a file that cannot be opened (see `read.grids`).
    """
    sheets = grids(source)
    found = [(grid, header) for grid in sheets if (header := _find_header(grid, table)) is not None]
    if not found:
        sheet = sheets[0].sheet if len(sheets) == 1 else None
        wanted = [c.header for c in table.columns if c.required]
        return [], [
            Problem(
                key="no_header",
                where=Where(file=source.file, sheet=sheet),
                values={"columns": wanted, "rows": _SEARCHED},
            )
        ]
    problems = [p for grid, header in found for p in _header_problems(grid, header, table)]
    return [_cut(grid, header, table, source.spec) for grid, header in found], problems


def _find_header(grid: Grid, table: TableSpec) -> _Header | None:
    """The block of one to three rows that names most columns of the table; the first one wins."""
    best: _Header | None = None
    needed = min(2, len(table.columns))
    for first in range(min(_SEARCHED, len(grid.cells))):
        if best is not None and len(best.matched) == len(table.columns):
            break
        for height in (1, 2, 3):
            block = grid.cells[first : first + height]
            if len(block) < height:
                break
            matched = _match(block, table)
            if height > 1 and not _continues(block, matched, _match(block[:-1], table), table):
                break
            score = (len(matched), height if best is not None and best.first == first else 0)
            if len(matched) >= needed and (best is None or score > (len(best.matched), best.height)):
                seen = tuple(_shown(block[:, j]) for j in range(block.shape[1]))
                best = _Header(first=first, height=height, matched=matched, seen=seen)
    return best


def _continues(block: np.ndarray, matched: dict[str, int], above: dict[str, int], table: TableSpec) -> bool:
    """True if the last row of the block still belongs to the header: words only, and no key of a data row in it."""
    if not _all_words(block[-1]) or any(_says_footer(cell) for cell in block[-1]):
        return False
    keys = [j for name, j in above.items() if name in table.key]
    return any(not plain(block[-1][j]) for j in keys) or bool(above and not keys and len(matched) > len(above))


def _all_words(row: np.ndarray) -> bool:
    """True for a row of words: no number and no date in it, something said."""
    texts = [plain(cell) for cell in row]
    return any(texts) and not any(
        isinstance(cell, (int, float)) or re.match(r"^[\d.,\-/%]+$", text) for cell, text in zip(row, texts) if text
    )


def _shown(parts: np.ndarray) -> str:
    """The header as a person reads it: the lowest filled cell of the block that is not just "total"."""
    said = [re.sub(r"\s+", "", str(part)) for part in parts if plain(part)]
    return next((part for part in reversed(said) if compact(part) not in word_set("totals")), said[-1] if said else "")


def _match(block: np.ndarray, table: TableSpec) -> dict[str, int]:
    """Canonical name → column index; an earlier alias beats a later one, a full header its bare form."""
    if len(block) == 1 and not _all_words(block[0]):
        return {}
    names = [_names(block, j) for j in range(block.shape[1])]
    matched: dict[str, int] = {}
    for column in table.columns:
        for alias in map(compact, column.headers):
            at = min(
                (
                    (ranks.index(alias), j)
                    for j, ranks in enumerate(names)
                    if alias in ranks and j not in matched.values()
                ),
                default=None,
            )
            if at is not None:
                matched[column.name] = at[1]
                break
    return matched


def _names(block: np.ndarray, j: int) -> list[str]:
    """Names a column answers to, best first: lowest cell, path from the top, top cell above a total."""
    parts = []
    for depth, row in enumerate(block):
        filled = [compact(cell) for cell in row[: j + 1]]
        last = depth == len(block) - 1
        parts.append(filled[j] if last or filled[j] else next((w for w in reversed(filled) if w), ""))
    said = [part for part in parts if part]
    if not said:
        return []
    own = [compact(cell) for cell in block[:, j] if compact(cell)]
    names = [own[-1], "".join(said)] if own else []
    if len(said) > 1 and said[-1] in word_set("totals"):
        names.append(said[0])
    return [name for full in names for name in (full, re.sub(layout()["header_suffix"], "", full).lstrip("*"))]


def _header_problems(grid: Grid, header: _Header, table: TableSpec) -> list[Problem]:
    row = header.first + header.height
    free = [seen for j, seen in enumerate(header.seen) if seen and j not in header.matched.values()]
    problems = [
        Problem(
            key="missing_column",
            where=Where(file=grid.file, sheet=grid.sheet, row=row, column=column.header),
            values={
                "column": column.header,
                "aliases": list(column.headers),
                "present": [s for s in header.seen if s],
                "near": _near(column, free),
            },
        )
        for column in table.columns
        if column.required and column.name not in header.matched
    ]
    for j in header.matched.values():
        if sum(compact(seen) == compact(header.seen[j]) for seen in header.seen) > 1:
            problems.append(
                Problem(
                    key="duplicate_header",
                    values={"column": header.seen[j]},
                    where=Where(file=grid.file, sheet=grid.sheet, row=row, column=header.seen[j]),
                )
            )
    return problems


def _near(column: ColumnSpec, free: list[str]) -> str:
    """The unmatched header closest to one of the names of a missing column; "–" if none is near."""
    return next((found for alias in column.headers if (found := nearest(alias, free))), "–")


def _cut(grid: Grid, header: _Header, table: TableSpec, spec: FileSpec) -> RawTable:
    start = header.first + header.height
    body = grid.cells[start:]
    fate = _fates(body, header, table)
    kept = np.flatnonzero(fate == "kept")
    unit, unit_row = _unit_line(grid.cells[: header.first])
    marks = [
        compact(cell)
        for cell in np.concatenate(
            [grid.cells[: header.first].ravel(), body[np.isin(fate, ("footer", "blank"))].ravel()]
        )
    ]
    totals = [
        (start + 1 + int(i), {name: body[i, j] for name, j in header.matched.items()})
        for i in np.flatnonzero(fate == "total")
        if _grand(body[i])
    ]
    return RawTable(
        table=table,
        file=grid.file,
        sheet=grid.sheet,
        encoding=grid.encoding,
        header_row=start,
        columns={name: body[kept, j] for name, j in header.matched.items()},
        headers={name: header.seen[j] for name, j in header.matched.items()},
        rows=kept + start + 1,
        unit=unit,
        unit_row=unit_row,
        column_units={name: said for name, j in header.matched.items() if (said := _header_unit(header.seen[j]))},
        totals=tuple(totals),
        counts={str(k): int(n) for k, n in zip(*np.unique(fate, return_counts=True))},
        marked=any(word in mark for mark in marks if mark for word in word_set("synthetic")),
        ignored=tuple(s for j, s in enumerate(header.seen) if s and j not in header.matched.values()),
    )


def _equals(word: Any) -> Callable[[Any], bool]:
    """A test for the same word, blanks and widths aside."""
    wanted = compact(word)
    return lambda value: compact(value) == wanted


def _fates(body: np.ndarray, header: _Header, table: TableSpec) -> np.ndarray:
    """What becomes of every row below the header: kept, total, footer, blank or header (repeated)."""
    fate = np.full(len(body), "kept", dtype="<U6")
    if not len(body):
        return fate
    matched = list(header.matched.values())
    empty = np.column_stack([map_unique(body[:, j], lambda v: not plain(v), bool) for j in matched])
    required = [i for i, name in enumerate(header.matched) if table.column(name).required]
    sparse = empty[:, required].mean(axis=1) >= 0.5 if required else empty.mean(axis=1) >= 0.5
    labels = sorted({0, min(matched), *(j for name, j in header.matched.items() if name in table.key)})
    total = np.any([map_unique(body[:, j], _says_total, bool) for j in labels], axis=0)
    foot = np.any([map_unique(body[:, j], _says_footer, bool) for j in range(body.shape[1])], axis=0)
    repeated = np.all([map_unique(body[:, j], _equals(header.seen[j]), bool) for j in matched], axis=0)
    fate[foot & sparse] = "footer"
    fate[total] = "total"
    fate[repeated] = "header"
    fate[empty.all(axis=1) & (fate == "kept")] = "blank"
    return fate


def _says_total(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    word = compact(value).rstrip(":")
    return (len(word) <= 16 and word.endswith(tuple(layout()["total_endings"]))) or word in word_set("totals")


def _says_footer(value: Any) -> bool:
    return isinstance(value, str) and compact(value).startswith(tuple(word_set("footers") | word_set("synthetic")))


def _grand(row: np.ndarray) -> bool:
    """True for the total of the whole sheet, False for the subtotal of a part or a page."""
    return any(compact(cell).rstrip(":") in word_set("grand_totals") for cell in row if isinstance(cell, str))


def _unit_line(cells: np.ndarray) -> tuple[str, int | None]:
    """Money unit of a line such as «单位:万元» above the header, and its row."""
    for i, row in enumerate(cells):
        for cell in row:
            said = re.search(layout()["unit_line"], compact(cell)) if isinstance(cell, str) else None
            for word in re.split(layout()["unit_separators"], said.group(1)) if said else ():
                if word in layout()["units"]:
                    return word, i + 1
    return "", None


def _header_unit(seen: str) -> str:
    """Money unit said in a header such as «金额(万元)»; "" if none."""
    said = re.search(layout()["header_suffix"], compact(seen))
    return said.group(1) if said and said.group(1) in layout()["units"] else ""
