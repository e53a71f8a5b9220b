"""Figures of amounts and marks: stacked bars and the table of places by measures."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import HATCHES, INK, SMALL, TINTS, own, said, y_title
from .rows import row_axes
from .words import MARKS, reals, width

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_COLUMNS = 9
SHAPES = {
    "●": ("o", True), "▲": ("^", True), "△": ("^", False), "■": ("s", True), "◇": ("D", False), "○": ("o", False),
    "·": (".", True), "—": ("_", False),
}  # fmt: skip
"""matplotlib marker of each status mark, and whether it is filled."""
SHADES = {
    "●": "#dbe9f6", "▲": "#9ecae1", "△": "#edf4fa", "■": "#2b5c8a", "◇": "#f3f3f3", "○": "#ffffff", "·": "#ffffff",
    "—": "#ffffff",
}  # fmt: skip
"""Ground of a cell by mark: the graver, the darker, so that it is found in grey print as well."""


def stacked_bar(data: dict[str, Any], lang: str) -> Figure:
    """Parts of a whole by category.

    data
        categories  labels (years, places, grades); series: list of {"label", "value": [one per category]}
        y_label, unit; share: "share" draws every bar to 100 % (values are still amounts), "amount" is the default
        orientation optional "vertical" or "horizontal"; by default what fits the category names
    """
    names = [said(c, lang, 18) for c in data["categories"]]
    table = np.nan_to_num(np.array([reals(s["value"]) for s in data["series"]]))
    title = canvas.with_unit(data.get("y_label"), data.get("unit"), lang)
    if data.get("share", "amount") == "share":
        total = table.sum(axis=0)
        table, title = 100 * table / np.where(total > 0, total, 1), said("show.axis.share", lang)
    flat = lies_flat(data, names)
    figure, axes = canvas.sheet(0.9 + 0.3 * len(names) if flat else 3.2)
    bar, side = (axes.barh, "left") if flat else (axes.bar, "bottom")
    for i, (series, value) in enumerate(zip(data["series"], table)):
        look = {"color": TINTS[i % len(TINTS)], "hatch": HATCHES[i % len(HATCHES)], "edgecolor": "white"}
        start = {side: table[:i].sum(axis=0)}
        bar(range(len(names)), value, 0.72, **start, **look, linewidth=0.6, label=said(series["label"], lang, 30))
    canvas.ticks_as_numbers(axes.xaxis if flat else axes.yaxis, lang)
    if flat:
        row_axes(axes, names, [])
        axes.set_xlabel(title)
    else:
        thin = max(1, -(-len(names) // 10))
        axes.set_xticks(range(0, len(names), thin), names[::thin])
        y_title(axes, title)
    legend_below(figure, axes)
    return figure


def lies_flat(data: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether bars lie: asked for, or left open and the category names do not fit side by side."""
    crowded = max(width(line) for name in names for line in name.split("\n")) * len(names) > 56
    return {"horizontal": True, "vertical": False}.get(data.get("orientation", ""), crowded)


def legend_below(figure: Figure, axes: Axes) -> None:
    """Legend under the axes, read row by row, in as many columns as its longest label allows."""
    longest = max(width(str(c.get_label())) for c in axes.containers)
    columns = 4 if longest <= 10 else 3 if longest <= 16 else 2
    handles = by_rows(axes.containers, columns)
    labels = [str(h.get_label()) for h in handles]
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, handlelength=1.3, columnspacing=1.2)


def by_rows(items: Sequence[Any], columns: int) -> list[Any]:
    """Items reordered so that a legend, which fills column by column, reads row by row."""
    return [item for c in range(columns) for item in items[c::columns]]


def heat(data: dict[str, Any], lang: str) -> Figure:
    """Places × measures: a status mark or a number in every cell, shaded lightly.

    data
        rows, columns  labels
        cells          list of rows; status words (see `words.MARKS`) for scale "status", numbers for "number"
        scale          "status" (default) or "number": shading runs within each column from its least to its largest
        digits         number or list by column (1); numbers in more than nine columns do not fit

    Raises ValueError for more than nine columns of numbers.
    """
    names = [said(r, lang, 18) for r in data["rows"]]
    number, n = data.get("scale", "status") == "number", len(data["columns"])
    if number and n > MOST_COLUMNS:
        raise ValueError(f"numbers fit in at most {MOST_COLUMNS} columns, not {n}")
    heads = [said(c, lang, 62 // n) for c in data["columns"]]
    turned = n > MOST_COLUMNS or max(width(line) for h in heads for line in h.split("\n")) > 62 // n + 1
    figure, axes = canvas.sheet(
        0.45 + 0.235 * len(names) + (1.0 if turned else 0.16 * max(h.count("\n") for h in heads))
    )
    if turned:
        heads = [said(c, lang, 24) for c in data["columns"]]
    turn = {"rotation": 60, "ha": "left", "rotation_mode": "anchor"} if turned else {}
    axes.set_xticks(range(n), heads, fontsize=SMALL, **turn)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(names)), names)
    _bare_grid(axes, len(names), n)
    if number:
        _number_cells(axes, data, lang)
        canvas.footer(figure, [own("show.note.shade", lang)])
    else:
        canvas.footer(figure, ["　".join(_status_cells(axes, data["cells"], lang))])
    return figure


def _bare_grid(axes: Axes, rows: int, columns: int) -> None:
    """Cells with thin rules, no spines and no tick marks; first row on top."""
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    for edges, line in ((np.arange(rows + 1), axes.axhline), (np.arange(columns + 1), axes.axvline)):
        for edge in edges - 0.5:
            line(edge, color="#c4c4c4", linewidth=0.6)


def _status_cells(axes: Axes, cells: list[list[Any]], lang: str) -> list[str]:
    """Shade the cells and draw one shape per mark; returns what each shape means."""
    table = [["no_data" if word is None else word for word in row] for row in cells]
    _shades(axes, np.array([[_rgb(SHADES[MARKS[word]]) for word in row] for row in table]))
    for mark, (shape, filled) in SHAPES.items():
        at = [(x, y) for y, row in enumerate(table) for x, word in enumerate(row) if MARKS[word] == mark]
        colour = "white" if mark == "■" else INK
        face = colour if filled else "none"
        x, y = zip(*at) if at else ((), ())
        axes.plot(x, y, shape, markersize=6, markerfacecolor=face, markeredgecolor=colour, markeredgewidth=0.9)
    seen = {word for row in table for word in row}
    return [f"{MARKS[w]} {own(f'show.status.{w}', lang)}" for w in MARKS if w in seen]


def _number_cells(axes: Axes, data: dict[str, Any], lang: str) -> None:
    """Write the numbers; shade each column from its least (white) to its largest."""
    table = np.array([reals(row) for row in data["cells"]])
    digits = data.get("digits", 1)
    digits = digits if isinstance(digits, list) else [digits] * table.shape[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanmin(table, axis=0), np.nanmax(table, axis=0)
    place = np.nan_to_num((table - low) / np.where(high > low, high - low, 1))
    _shades(axes, 1 - place[:, :, None] * (1 - np.array([0.55, 0.74, 0.88])))
    for (y, x), value in np.ndenumerate(table):
        words = text.number(float(value), lang, digits[x])
        axes.text(x, y, words, ha="center", va="center_baseline", fontsize=SMALL, color=INK)


def _shades(axes: Axes, colours: np.ndarray) -> None:
    axes.imshow(colours, aspect="auto", interpolation="nearest", zorder=0)


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
