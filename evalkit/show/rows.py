"""Figures with one row per place or group: places side by side and coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import INK, MUTED, PALETTE, beside, own, said
from .words import label, real, reals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def row_axes(axes: Axes, names: list[str], side: list[str], heading: str = "") -> None:
    """Rows from top to bottom: names on the left, words on the right, faint rules between them."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, pad=9)
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", visible=True)
    axes.spines["left"].set_visible(False)
    for i, words in enumerate(side):
        beside(axes, words, (1.0, i), (8, 0), xycoords=("axes fraction", "data"))
    if heading:
        beside(axes, heading, (1.0, 1.0), (8, 3), xycoords="axes fraction", va="bottom", color=MUTED)


def dot_rank(data: dict[str, Any], lang: str) -> Figure:
    """Places side by side, each a point with its interval, in the order given (administrative order, as a rule).

    One colour for all: the figure compares, it does not award places.

    data
        rows        list of {"label", "value", "conf_low"?, "conf_high"?, "provisional"?, "highlight"?: True}
        x_label, unit, digits (2), level
        reference   optional {"value", "label"}: a dashed line, e.g. the province
        order       "code" (default): the figure says that this is not a ranking; "value": it does not
    """
    rows, digits = data["rows"], data.get("digits", 2)
    value, low, high = (np.array(reals([r.get(k) for r in rows])) for k in ("value", "conf_low", "conf_high"))
    figure, axes = canvas.sheet(0.8 + 0.215 * len(rows))
    axes.hlines(range(len(rows)), low, high, color=PALETTE[0], linewidth=1.3, zorder=3)
    for i, row in enumerate(rows):
        axes.plot(
            [value[i]],
            [i],
            "D" if row.get("highlight") else "o",
            markersize=6.5 if row.get("highlight") else 5,
            markerfacecolor="white" if row.get("provisional") else PALETTE[0],
            markeredgecolor=INK if row.get("highlight") else PALETTE[0],
            zorder=4,
        )
    canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlabel(canvas.with_unit(data["x_label"], data.get("unit"), lang))
    row_axes(axes, [said(r["label"], lang, 18) for r in rows], [text.number(float(v), lang, digits) for v in value])
    lines = []
    if (reference := data.get("reference")) and reference.get("value") is not None:
        axes.axvline(reference["value"], color=INK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=1)
        words = own(
            "show.numbered",
            lang,
            label=label(reference.get("label", "show.word.reference"), lang),
            value=text.number(reference["value"], lang, digits),
        )
        axes.annotate(
            words,
            (reference["value"], 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=9,
        )
    if np.isfinite(low).any():
        lines.append(own("show.note.interval_horizontal", lang, level=canvas.level(data, lang)))
    lines.append(own("show.note.provisional", lang) if any(r.get("provisional") for r in rows) else "")
    lines.append(own("show.note.order", lang) if data.get("order", "code") == "code" else "")
    canvas.footer(figure, lines)
    return figure


def coverage_bar(data: dict[str, Any], lang: str) -> Figure:
    """Coverage by group of people or place, against its target.

    data
        rows    list of {"label", "value": fraction, "numerator"?, "denominator"?, "target"?: fraction}
        target  optional fraction for all rows; x_label, digits (1)
    """
    rows = data["rows"]
    value = 100 * np.array(reals([r.get("value") for r in rows]))
    names = [said(r["label"], lang, 20) for r in rows]
    figure, axes = canvas.sheet(0.7 + sum(0.14 + 0.16 * (w.count("\n") + 1) for w in names))
    axes.barh(range(len(rows)), np.nan_to_num(value), 0.58, color="#6baed6", edgecolor="#2b5c8a", linewidth=0.6)
    targets = [r.get("target", data.get("target")) for r in rows]
    for i, target in enumerate(targets):
        if target is not None:
            axes.plot([100 * target] * 2, [i - 0.42, i + 0.42], color=INK, linewidth=1.6, linestyle=(0, (2, 1)))
    axes.set_xlim(0, max(100.0, float(np.nanmax(value, initial=0)) * 1.02))
    canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.coverage"), lang))
    row_axes(axes, names, [_covered(r, data.get("digits", 1), lang) for r in rows])
    canvas.footer(figure, [own("show.note.target", lang) if any(t is not None for t in targets) else ""])
    return figure


def _covered(row: dict[str, Any], digits: int, lang: str) -> str:
    share = text.percent(real(row.get("value")), lang, digits)
    if row.get("denominator") is None or row.get("numerator") is None:
        return share
    return f"{share}\n{text.number(row['numerator'], lang)}/{text.number(row['denominator'], lang)}"
