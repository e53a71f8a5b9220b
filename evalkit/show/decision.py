"""Figures of a funding decision: what moves it, what knowing more is worth, the fund's path, how robust it is.

Money comes in yuan and is drawn in 10,000.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import DASHES, INK, MARKERS, MUTED, PALETTE, SMALL, own, said, y_title
from .money import WAN
from .rows import row_axes
from .words import real, reals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOW, HIGH = "#6baed6", "#e08214"
"""Bars towards the low and the high end of a parameter; the far side of zero is hatched."""


def tornado(data: dict[str, Any], lang: str) -> Figure:
    """One bar per parameter: the outcome at the low and the high end of its range, split where the decision flips.

    data
        rows     list of {"label", "low", "high" (parameter values), "outcome_low", "outcome_high" (yuan), "flips_at"?},
                 widest first
        base     expected outcome, yuan;  x_label;  digits of the parameter values (2)
    """
    rows, base = data["rows"], data["base"] / WAN
    figure, axes = canvas.sheet(0.95 + 0.3 * len(rows))
    for i, row in enumerate(rows):
        for end, colour in (("low", LOW), ("high", HIGH)):
            _swing(axes, i, base, row[f"outcome_{end}"] / WAN, colour)
    axes.axvline(base, color=INK, linewidth=1.1)
    axes.axvline(0, color=MUTED, linewidth=1.0, linestyle=(0, (4, 2)))
    canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.net_saving"), lang))
    row_axes(axes, [said(r["label"], lang, 20) for r in rows], [_range(r, data.get("digits", 2), lang) for r in rows])
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, 0.0), max(high, 0.0))
    canvas.footer(figure, [own("show.note.tornado", lang), own("show.note.flips", lang)])
    return figure


def _swing(axes: Axes, row: int, base: float, end: float, colour: str) -> None:
    """A half bar from the expected outcome to `end`; what lies on the other side of zero is hatched."""
    crosses = base * end < 0
    parts = [(base, 0.0, ""), (0.0, end, "////")] if crosses else [(base, end, "")]
    for start, stop, hatch in parts:
        axes.barh(row, stop - start, 0.58, left=start, color=colour, hatch=hatch, edgecolor=INK, linewidth=0.5)


def _range(row: dict[str, Any], digits: int, lang: str) -> str:
    def said_value(value: float) -> str:
        large = abs(value) >= 1000
        return text.number(value, lang, 0 if large else digits)

    return f"{said_value(row['low'])} – {said_value(row['high'])}"


def value_bars(data: dict[str, Any], lang: str) -> Figure:
    """What knowing each set of parameters would be worth, with its error and what noise alone would show.

    data
        rows    list of {"label", "value", "mc_error"?, "floor"?} in yuan, largest first
        total   optional value of perfect information, yuan;  x_label, level
    """
    from scipy.special import ndtri

    rows = data["rows"]
    value, error, floor = (np.array(reals([r.get(k) for r in rows])) / WAN for k in ("value", "mc_error", "floor"))
    figure, axes = canvas.sheet(0.95 + 0.28 * len(rows))
    at = np.arange(len(rows))
    axes.barh(at, value, 0.55, color="#6baed6", edgecolor="#2b5c8a", linewidth=0.6)
    reach = float(ndtri(0.5 + data.get("level", 0.95) / 2))
    axes.hlines(at, np.maximum(value - reach * error, 0), value + reach * error, color=INK, linewidth=1.2, zorder=4)
    axes.plot(floor, at, "|", color=PALETTE[1], markersize=13, markeredgewidth=2, zorder=5)
    if data.get("total") is not None:
        axes.axvline(data["total"] / WAN, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.set_xlim(0, None)
    canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.value_of_information"), lang))
    row_axes(axes, [said(r["label"], lang, 20) for r in rows], [text.number(float(v), lang, 1) for v in value])
    aids = [own("show.note.value_bars", lang, level=canvas.level(data, lang))]
    aids.append(own("show.note.evpi_line", lang) if data.get("total") is not None else "")
    canvas.footer(figure, aids)
    return figure


def frontier(data: dict[str, Any], lang: str) -> Figure:
    """Strategies by mean cost and effect, with the efficiency frontier.

    data
        rows     list of {"label", "cost" (yuan), "effect", "status": "on_frontier", "dominated", "extended_dominated"}
        x_label, y_label
    """
    rows = data["rows"]
    figure, axes = canvas.sheet(3.3)
    on = [r for r in rows if r["status"] == "on_frontier"]
    on.sort(key=lambda r: r["effect"])
    axes.plot([r["effect"] for r in on], [r["cost"] / WAN for r in on], color=PALETTE[0], zorder=2)
    for row in rows:
        alive = row["status"] == "on_frontier"
        axes.plot(
            row["effect"],
            row["cost"] / WAN,
            MARKERS[0] if alive else MARKERS[2],
            color=PALETTE[0] if alive else PALETTE[2],
            markerfacecolor=PALETTE[0] if alive else "white",
            zorder=3,
        )
        axes.annotate(
            said(row["label"], lang, 18),
            (row["effect"], row["cost"] / WAN),
            xytext=(6, -3),
            textcoords="offset points",
            fontsize=SMALL,
        )
    axes.margins(x=0.16, y=0.12)
    canvas.ticks_as_numbers(axes.xaxis, lang)
    canvas.ticks_as_numbers(axes.yaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.averted"), lang))
    y_title(axes, said(data.get("y_label", "show.axis.net_cost"), lang))
    canvas.footer(figure, [own("show.note.frontier", lang)])
    return figure


def budget_path(data: dict[str, Any], lang: str) -> Figure:
    """Prevention spending by year against its cap.

    data
        rows   list of {"year", "spending", "cap"} in yuan; y_label
    """
    rows = data["rows"]
    at = np.arange(len(rows))
    spending, cap = (np.array(reals([r.get(k) for r in rows])) / WAN for k in ("spending", "cap"))
    figure, axes = canvas.sheet(2.9)
    axes.bar(at, spending, 0.62, color="#8fc1de", edgecolor="#2b5c8a", linewidth=0.6)
    axes.plot(at, cap, color=PALETTE[1], linestyle=DASHES[1], marker=MARKERS[1])
    axes.set_xticks(at, [str(r["year"]) for r in rows])
    axes.set_ylim(0, None)
    canvas.ticks_as_numbers(axes.yaxis, lang)
    y_title(axes, said(data.get("y_label", "show.axis.spending"), lang))
    axes.set_xlabel(own("show.axis.year", lang))
    canvas.footer(figure, [own("show.note.cap", lang)])
    return figure


def robust_decision(data: dict[str, Any], lang: str) -> Figure:
    """The benefit-cost ratio over the robust set, and the confidence of a net saving, by size of the violation.

    data
        mbar          list;  bcr_low, bcr_high: lists;  confidence: list of fractions or None
        breakdown     optional M-bar at which the least favourable ratio reaches one;  x_label
    """
    mbar, low, high = (np.array(reals(data[k])) for k in ("mbar", "bcr_low", "bcr_high"))
    confidence = 100 * np.array(reals(data.get("confidence"), len(mbar)))
    both = bool(np.isfinite(confidence).any())
    figure, panels = canvas.sheet(3.9 if both else 2.7, rows=2 if both else 1)
    top = panels[0] if both else panels
    top.fill_between(mbar, low, high, color=PALETTE[0], alpha=0.25, linewidth=0)
    top.plot(mbar, low, color=PALETTE[0])
    top.plot(mbar, high, color=PALETTE[0], linestyle=DASHES[1])
    top.axhline(1, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
    y_title(top, own("show.axis.bcr_range", lang))
    if both:
        panels[1].plot(mbar, confidence, color=PALETTE[1], marker=MARKERS[1])
        panels[1].set_ylim(0, 100)
        y_title(panels[1], own("show.axis.confidence_worst", lang))
    for axes in np.atleast_1d(panels):
        canvas.ticks_as_numbers(axes.xaxis, lang)
        canvas.ticks_as_numbers(axes.yaxis, lang)
        if real(data.get("breakdown")) == real(data.get("breakdown")):
            axes.axvline(data["breakdown"], color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)))
    np.atleast_1d(panels)[-1].set_xlabel(said(data.get("x_label", "show.axis.mbar"), lang))
    aids = [own("show.note.robust_decision", lang)]
    if data.get("breakdown") is not None:
        aids.append(own("show.note.breakdown_decision", lang, value=text.number(data["breakdown"], lang, 2)))
    canvas.footer(figure, aids)
    return figure
