"""How many mistakes in office files `evalkit check` finds, and where it says they are.

A clean workspace of three cities (two of workbooks, one of GB18030 text) is spoilt in one random place at a time: a
random kind of mistake, file, row and column. What the check tells is compared with what was done:

hit       told at the same file and, where the mistake has them, the same row and column; where two places contradict
          each other (twice the same key, injuries without insured persons) and the message names both, at either
noticed   told, but at another place (the total row, the other of two tables that differ)
extra     rows told that are no hit: consequences and false alarms

recall = hits / corruptions; precision = hits / rows told. A row is a problem (exit code 2) or a cell that a gate names
for a look (exit code 0). Kinds marked harmless must be read without a word.

    python benchmarks/corruptions.py --seeds 245

writes corruptions.csv (one row a corruption) and corruptions_by_kind.csv.
"""

from __future__ import annotations

import argparse
import csv
import functools
import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd

from evalkit import plans
from evalkit.core import Where
from evalkit.data import canonical, tables
from evalkit.data.locate import RawTable, read_tables
from evalkit.data.read import FileSpec, find, load
from evalkit.data.words import compact
from evalkit.pipeline.check import Checked, check
from evalkit.pipeline.workspace import load_workspace

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "data_samples" / "guangdong"
CITIES = ("440000", "440200", "441500", "445300")
ID = ("claim_id", "unit_id", "project_id", "activity_id", "person_id")


def clean_workspace(folder: Path, since: str = "2023") -> Path:
    """Three cities and the province of the Guangdong sample, from the year `since` on where a table has a time in every
    row of many, with the entries of evalkit.toml that find a file."""
    for source in sorted((SAMPLE / "raw").iterdir()):
        if source.name.startswith(CITIES):
            shutil.copytree(source, folder / "raw" / source.name)
    head, *entries = (SAMPLE / "evalkit.toml").read_text("utf-8").split("\n[[files]]\n")
    head = head.replace("draws = 10000", f"draws = 10000\nplaces = {list(CITIES[1:])}".replace("'", '"'))
    kept = [e for e in entries if any(folder.glob(e.split('path = "')[1].split('"')[0]))]
    (folder / "evalkit.toml").write_text("\n[[files]]\n".join([head, *kept]), "utf-8")
    for _, raw in sheets_of(folder):
        if time := LONG.get(raw.table.name):
            _shorten(Sheet.open(folder / raw.file), raw, time, since)
    return folder


LONG = {"exposure_summary": "month", "case_summary": "month", "exposure": "quarter", "claim": "injury_date"}
"""Long tables and their column of time."""


def _shorten(sheet: Sheet, raw: RawTable, time: str, since: str) -> None:
    """Leave out the rows before a year; a printed total becomes that of the rest."""
    early = {int(r) for r, v in zip(raw.rows, raw.columns[time]) if str(v) < since}
    for row, cells in raw.totals:
        for name in (n for n, cell in cells.items() if isinstance(_plain(cell), float)):
            left = [v for r, v in zip(raw.rows, raw.columns[name]) if int(r) not in early]
            sheet.rows[row - 1][sheet.column(raw, name)] = round(sum(_number(v) for v in left if compact(v)), 6)
    sheet.rows = [row for i, row in enumerate(sheet.rows, 1) if i not in early]
    sheet.save()


def _plain(cell: Any) -> Any:
    try:
        return _number(cell)
    except ValueError:
        return cell


@dataclass
class Sheet:
    """Rows of an office file as lists of cells, to be changed and saved in the format they came in."""

    path: Path
    rows: list[list[Any]]
    encoding: str = ""

    @classmethod
    def open(cls, path: Path, encoding: str = "") -> Sheet:
        if path.suffix == ".xlsx":
            page = openpyxl.load_workbook(path, read_only=True).worksheets[0]
            return cls(path, [list(row) for row in page.iter_rows(values_only=True)])
        encoding = encoding or "gb18030"
        text = path.read_bytes().decode(encoding)
        return cls(path, list(csv.reader(io.StringIO(text, newline=""))), encoding)

    def save(self, encoding: str = "") -> None:
        if self.path.suffix == ".xlsx":
            book = openpyxl.Workbook(write_only=True)
            page = book.create_sheet("Sheet1")
            for row in self.rows:
                page.append(row)
            book.save(self.path)
            return
        out = io.StringIO(newline="")
        csv.writer(out, lineterminator="\r\n").writerows(self.rows)
        self.path.write_bytes(out.getvalue().encode(encoding or self.encoding))

    def column(self, raw: RawTable, name: str) -> int:
        """Index of a canonical column."""
        wanted = compact(raw.headers[name])
        for row in (self.rows[raw.header_row - 1], self.rows[raw.header_row - 2]):
            for j, cell in enumerate(row):
                if compact(cell) == wanted:
                    return j
        raise KeyError(name)


@dataclass(frozen=True)
class Target:
    """Where a mistake was made."""

    file: str
    row: int | None = None
    column: str | None = None
    harmless: bool = False


@dataclass
class Bench:
    """A clean workspace with its sheets, and the random choices of one corruption."""

    root: Path
    sources: list[tuple[FileSpec, RawTable]]
    rng: np.random.Generator

    def pick(self, options: list[Any]) -> Any:
        return options[int(self.rng.integers(len(options)))]

    def cells(self, fits: Callable[[Any], bool], names: tuple[str, ...] = ()) -> tuple[RawTable, str]:
        """A random sheet with a column that fits, and the column; every table has the same chance."""
        found: dict[str, list[tuple[RawTable, str]]] = {}
        for _, raw in self.sources:
            for column in raw.table.columns:
                if column.name in raw.headers and len(raw.rows) > 3 and fits(column) and column.name not in names:
                    found.setdefault(raw.table.name, []).append((raw, column.name))
        return self.pick(found[self.pick(sorted(found))])

    def change(self, raw: RawTable, name: str, new: Callable[[Any], Any], *, filled: bool = True) -> Target:
        """Change one random cell of a column."""
        sheet = Sheet.open(self.root / raw.file)
        j = sheet.column(raw, name)
        rows = [int(r) for r in raw.rows if not filled or compact(sheet.rows[int(r) - 1][j]) not in ("", "0", "0.0")]
        row = self.pick(rows)
        sheet.rows[row - 1][j] = new(sheet.rows[row - 1][j])
        sheet.save()
        return Target(raw.file, row, raw.headers[name])

    def files(self, fits: Callable[[FileSpec, RawTable], bool] = lambda *_: True) -> tuple[FileSpec, RawTable]:
        return self.pick([(spec, raw) for spec, raw in self.sources if fits(spec, raw)])

    def settings(self, old: str, new: str) -> Target:
        """Change one line of evalkit.toml."""
        path = self.root / "evalkit.toml"
        lines = path.read_text("utf-8").splitlines()
        row = self.pick([i for i, line in enumerate(lines) if line.startswith(old)])
        lines[row] = lines[row].replace(old, new, 1)
        path.write_text("\n".join(lines) + "\n", "utf-8")
        return Target("evalkit.toml", row + 1)


def _number(cell: Any) -> float:
    return float(str(cell).replace(",", ""))


def _numeric(column: Any) -> bool:
    return column.type in ("int", "number", "money")


def _digit(text: str, rng: np.random.Generator) -> str:
    at = [i for i, c in enumerate(text) if c.isdigit()][-int(rng.integers(1, 4))]
    return text[:at] + str((int(text[at]) + int(rng.integers(1, 10))) % 10) + text[at + 1 :]


def negative(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: _numeric(c) and c.minimum == 0), lambda v: -_number(v))


def text_in_number(b: Bench) -> Target:
    return b.change(*b.cells(_numeric), lambda v: f"约{v}")


def decimal_count(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type == "int"), lambda v: _number(v) + 0.5)


def empty_required(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.required), lambda v: None)


def empty_optional(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: not c.required and not c.personal), lambda v: None)


def unknown_place(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type == "place"), lambda v: f"{str(v).strip()[:-1]}洲市")


def other_place(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type == "place"), lambda v: "广州市")


def unknown_word(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type == "enum"), lambda v: f"{v}类")


def other_word(b: Bench) -> Target:
    raw, name = b.cells(lambda c: c.type == "enum" and c.required)
    words = [said[0] for said in raw.table.column(name).values.values()]
    return b.change(raw, name, lambda v: b.pick([w for w in words if w != v]))


def unknown_industry(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: bool(c.codes)), lambda v: f"{v}X")


def bad_date(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type in ("date", "month", "quarter", "year")), lambda v: "2024-13-45")


def future_date(b: Bench) -> Target:
    dated = {(t.name, c) for t in tables().values() for c in t.dated}
    raw, name = b.pick([(r, n) for _, r in b.sources for n in r.headers if (r.table.name, n) in dated])
    forms = {"date": "2027-03-01", "month": "2027-03", "quarter": "2027Q1", "year": "2027"}
    return b.change(raw, name, lambda v: forms[raw.table.column(name).type])


def early_year(b: Bench) -> Target:
    return b.change(
        *b.cells(lambda c: c.type in ("date", "month", "quarter", "year")), lambda v: "19" + str(v).strip()[2:]
    )


def claim_dates_turned(b: Bench) -> Target:
    raw = next(r for _, r in b.sources if r.table.name == "claim")
    return b.change(raw, "decision_date", lambda v: "2018-01-05")


def project_dates_turned(b: Bench) -> Target:
    raw = b.pick([r for _, r in b.sources if r.table.name == "project"])
    return b.change(raw, b.pick(["approved", "contracted", "ended", "accepted"]), lambda v: "2019-01-05")


def scientific_id(b: Bench) -> Target:
    raw, name = b.cells(lambda c: c.name in ID)
    return b.change(raw, name, lambda v: b.pick(["4.40102E+17", 4.40102199003073e17]))


def id_digit(b: Bench) -> Target:
    raw, name = b.cells(lambda c: c.name in ID, names=("person_id",))
    return b.change(raw, name, lambda v: _digit(str(v), b.rng))


def amount_times_10000(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type == "money"), lambda v: _number(v) * 1e4)


def count_times_10(b: Bench) -> Target:
    return b.change(*b.cells(lambda c: c.type == "int" and c.minimum == 0), lambda v: int(_number(v) * 10))


def plausible_change(b: Bench) -> Target:
    return b.change(
        *b.cells(lambda c: c.type in ("int", "money") and c.minimum == 0), lambda v: round(_number(v) * 1.1 + 1)
    )


def no_exposure(b: Bench) -> Target:
    return b.change(b.pick([r for _, r in b.sources if r.table.name == "exposure_summary"]), "insured", lambda v: 0)


def row_twice(b: Bench) -> Target:
    _, raw = b.files()
    sheet, row = Sheet.open(b.root / raw.file), int(b.pick(list(raw.rows)))
    sheet.rows.insert(row, list(sheet.rows[row - 1]))
    sheet.save()
    return Target(raw.file, row + 1)


def row_gone(b: Bench) -> Target:
    _, raw = b.files()
    sheet = Sheet.open(b.root / raw.file)
    del sheet.rows[int(b.pick(list(raw.rows))) - 1]
    sheet.save()
    return Target(raw.file)


def _header(b: Bench, required: bool, new: Callable[[str], str | None]) -> Target:
    raw, name = b.cells(lambda c: c.required == required and c.personal != "drop")
    sheet = Sheet.open(b.root / raw.file)
    j = sheet.column(raw, name)
    top = (
        raw.header_row
        if compact(sheet.rows[raw.header_row - 1][j]) == compact(raw.headers[name])
        else raw.header_row - 1
    )
    changed = new(raw.headers[name])
    if changed is None:
        for row in sheet.rows[raw.header_row - 2 :]:
            row[j : j + 1] = []
    else:
        sheet.rows[top - 1][j] = changed
    sheet.save()
    return Target(raw.file, column=raw.table.column(name).header if not required else None)


def header_misspelt(b: Bench) -> Target:
    return _header(b, True, lambda h: h[:-1] + "値")


def optional_header_misspelt(b: Bench) -> Target:
    return _header(b, False, lambda h: h[:-1] + "値")


def optional_column_gone(b: Bench) -> Target:
    return _header(b, False, lambda h: None)


def column_in_other_unit(b: Bench) -> Target:
    raw, name = b.cells(lambda c: c.type == "money" and c.plausible is not None)
    sheet = Sheet.open(b.root / raw.file)
    j, factor = sheet.column(raw, name), b.pick([1e4, 1e-4])
    for row in (int(r) - 1 for r in raw.rows):
        if compact(sheet.rows[row][j]):
            sheet.rows[row][j] = _number(sheet.rows[row][j]) * factor
    sheet.save()
    return Target(raw.file, column=raw.headers[name])


def unit_line_wrong(b: Bench) -> Target:
    _, raw = b.files(lambda spec, raw: bool(spec.units) and raw.unit_row is not None)
    sheet = Sheet.open(b.root / raw.file)
    row = sheet.rows[raw.unit_row - 1]
    row[:] = ["单位：元" if "万元" in str(c) else c for c in row]
    sheet.save()
    return Target(raw.file, raw.unit_row)


def file_gone(b: Bench) -> Target:
    _, raw = b.files()
    (b.root / raw.file).unlink()
    return Target(raw.file)


def file_empty(b: Bench) -> Target:
    _, raw = b.files()
    (b.root / raw.file).write_bytes(b"")
    return Target(raw.file)


def file_cut(b: Bench) -> Target:
    _, raw = b.files()
    content = (b.root / raw.file).read_bytes()
    (b.root / raw.file).write_bytes(content[: int(len(content) * b.rng.uniform(0.3, 0.9))])
    return Target(raw.file)


def file_twice(b: Bench) -> Target:
    _, raw = b.files()
    path = b.root / raw.file
    copy = path.with_name(f"{path.stem}(1){path.suffix}")
    shutil.copy(path, copy)
    return Target(copy.relative_to(b.root).as_posix() if copy.name > path.name else raw.file)


def byte_damaged(b: Bench) -> Target:
    _, raw = b.files(lambda spec, raw: raw.file.endswith(".csv"))
    path = b.root / raw.file
    lines = path.read_bytes().split(b"\n")
    row = int(b.pick(list(raw.rows)))
    lines[row - 1] = b"\xff" + lines[row - 1]
    path.write_bytes(b"\n".join(lines))
    return Target(raw.file, row)


def encoding_declared_wrong(b: Bench) -> Target:
    spec, raw = b.files(lambda spec, raw: raw.file.endswith(".csv"))
    path = b.root / "evalkit.toml"
    text = path.read_text("utf-8")
    start = text.index(f'path = "{spec.path}"')
    path.write_text(text[:start] + text[start:].replace('encoding = "auto"', 'encoding = "utf-8"', 1), "utf-8")
    return Target(raw.file)


def other_encoding(b: Bench) -> Target:
    _, raw = b.files(lambda spec, raw: raw.file.endswith(".csv"))
    Sheet.open(b.root / raw.file).save(b.pick(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]))
    return Target(raw.file, harmless=True)


def blanks_and_widths(b: Bench) -> Target:
    raw, name = b.cells(lambda c: c.type in ("place", "enum", "int"))
    wide = str.maketrans("0123456789", "０１２３４５６７８９")
    done = b.change(raw, name, lambda v: f"　{str(v).translate(wide)}\u200b\t")
    return Target(done.file, done.row, done.column, harmless=True)


def key_misspelt(b: Bench) -> Target:
    old, new = b.pick(
        [("seed", "sede"), ("as_of", "asof"), ("encoding", "encodng"), ("draws", "drawz"), ("path", "pth")]
    )
    return b.settings(f"{old} =", f"{new} =")


def value_wrong(b: Bench) -> Target:
    old, new = b.pick([
        ("period = 2025", 'period = "2025"'), ('as_of = "2026', 'as_of = "2o26'),
        ('encoding = "auto"', 'encoding = "big5"'), ('table = "ledger"', 'table = "ledgers"'),
        ("public_threshold = 10", "public_threshold = 0"),
    ])  # fmt: skip
    return b.settings(old, new)


KINDS: dict[str, Callable[[Bench], Target]] = {
    f.__name__: f
    for f in (
        negative, text_in_number, decimal_count, empty_required, unknown_place, unknown_word, unknown_industry,
        bad_date, future_date, early_year, claim_dates_turned, project_dates_turned, scientific_id, id_digit,
        other_place, other_word, amount_times_10000, count_times_10, plausible_change, empty_optional, no_exposure,
        row_twice, row_gone, header_misspelt, optional_header_misspelt, optional_column_gone, column_in_other_unit,
        unit_line_wrong, file_gone, file_empty, file_cut, file_twice, byte_damaged,
        encoding_declared_wrong, other_encoding, blanks_and_widths,
        key_misspelt, value_wrong,
    )
}  # fmt: skip


def remembering(read: Callable[..., Any]) -> Callable[..., Any]:
    """Reads a file again only when its bytes have changed: a corruption touches one file of forty."""
    kept: dict[Any, Any] = {}

    @functools.wraps(read)
    def again(root: Path, spec: FileSpec, file: str, plan: Any, key: bytes) -> Any:
        name = (repr(spec), file, hash((root / file).read_bytes()))
        if name not in kept:
            kept[name] = read(root, spec, file, plan, key)
        return kept[name]

    return again


Told = tuple[str, Where, Where]


def told(checked: Checked) -> list[Told]:
    """Every place that a check names: key of the problem or gate, place, and the second place if it names two."""
    rows = [(p.key, p.where, Where(file=p.values.get("file"), row=p.values.get("row"))) for p in checked.problems]
    for gate in checked.gates:
        items = gate.detail.get("items")
        for item in items if isinstance(items, list) else [""]:
            v = item["values"] if isinstance(item, dict) else {}
            file = item.partition(": ")[0] if isinstance(item, str) else v.get("file")
            where = Where(file=file, row=v.get("row"), column=v.get("column"), sheet=repr(item))
            rows.append((f"gate.{gate.name}", where, Where()))
    return rows


def hits(target: Target, where: Where) -> bool:
    """Whether a place that was told is the one of the mistake."""
    if target.row is None and target.column is None:
        return where.file in (target.file, Path(target.file).parent.as_posix())
    row = target.row in (None, where.row)
    column = target.column is None or where.column is None or target.column in where.column.split("+")
    if target.row is None and where.column is None:
        return False
    return where.file == target.file and row and column


def sheets_of(root: Path) -> list[tuple[FileSpec, RawTable]]:
    workspace = load_workspace(root)
    return [
        (spec, raw)
        for spec in workspace.files
        for file in find(root, spec)
        for raw in read_tables(load(root, spec, file), tables()[spec.table])[0]
    ]


def study(seeds: range, kinds: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """One corruption a seed; kinds in turn, so that every kind has the same number."""
    names = kinds or list(KINDS)
    read, canonical._read = canonical._read, remembering(canonical._read)
    try:
        with tempfile.TemporaryDirectory() as folder:
            clean = clean_workspace(Path(folder) / "clean")
            sources, usual = sheets_of(clean), set(told(check(clean)))
            for seed in seeds:
                yield _one(seed, names[seed % len(names)], clean, sources, usual)
    finally:
        canonical._read = read


def _one(seed: int, kind: str, clean: Path, sources: list[Any], usual: set[Any]) -> dict[str, Any]:
    root = clean.with_name("spoilt")
    shutil.copytree(clean, root)
    try:
        target = KINDS[kind](Bench(root, sources, np.random.default_rng(seed)))
        rows = [row for row in told(check(root)) if row not in usual]
    finally:
        shutil.rmtree(root)
    right = [key for key, where, other in rows if hits(target, where) or hits(target, other)]
    return {
        "seed": seed, "kind": kind, "file": target.file, "row": target.row or "", "column": target.column or "",
        "harmless": int(target.harmless), "told": len(rows), "hits": len(right), "by": right[0] if right else "",
        "else_by": "+".join(sorted({key for key, *_ in rows} - set(right))),
    }  # fmt: skip


def by_kind(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Recall and precision of every kind, and of all."""
    frame = pd.DataFrame(rows)
    frame["found"] = (frame["hits"] > 0).astype(int)
    frame["problem"] = (frame["found"] & ~frame["by"].str.startswith("gate.")).astype(int)
    frame["noticed"] = (frame["told"] > 0).astype(int)
    frame["extra"] = frame["told"] - frame["hits"]
    made = frame[frame["harmless"] == 0]
    total = made.assign(kind="all but harmless")
    sums = pd.concat([frame, total]).groupby("kind", sort=False).agg(
        n=("seed", "size"), hit=("found", "sum"), as_problem=("problem", "sum"), noticed=("noticed", "sum"),
        rows_told=("told", "sum"), hit_rows=("hits", "sum"), extra=("extra", "sum"),
    )  # fmt: skip
    sums["recall"] = (sums["hit"] / sums["n"]).round(3)
    sums["precision"] = (sums["hit_rows"] / sums["rows_told"]).round(3)
    return sums.drop(columns="hit_rows").reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=6 * len(KINDS))
    parser.add_argument("--kinds", default="")
    parser.add_argument("--out", type=Path, default=HERE)
    args = parser.parse_args()
    plans.load("gd_2021_2025")
    rows = []
    for row in study(range(args.seeds), args.kinds.split(",") if args.kinds else None):
        rows.append(row)
        sys.stdout.write(f"{row}\n")
        sys.stdout.flush()
    pd.DataFrame(rows).to_csv(args.out / "corruptions.csv", index=False)
    summary = by_kind(rows)
    summary.to_csv(args.out / "corruptions_by_kind.csv", index=False)
    sys.stdout.write(summary.to_string(index=False) + "\n")


if __name__ == "__main__":
    main()
