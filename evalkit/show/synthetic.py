"""Figures of synthetic estimates: the treated beside their synthetic path, and who makes that path up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import DASHES, INK, PALETTE, TINTS, own, said, y_title
from .lines import line_ends
from .rows import row_axes
from .words import instant, label, reals

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_UNITS = 20
"""Comparison units that are drawn one by one; the others with a weight share a row."""


def synthetic_paths(data: dict[str, Any], lang: str) -> Figure:
    """Mean of the treated and the weighted mean of comparison units, with the weights of periods at the foot.

    data
        time         list of periods;  treated, synthetic   lists, one number a period
        time_weight  list, one weight a period, zero outside the periods before; all zero: none are drawn
        start        first period under treatment
        y_label      default log rate;  unit   optional
    The distance of the two lines does not matter where periods have weights: the effect is its change.
    """
    figure, axes = canvas.sheet(3.2)
    at = canvas.time_axis(axes, data["time"], lang)
    step = float(np.diff(at).min()) if len(at) > 1 else 1.0
    axes.axvline(instant(data["start"]) - step / 2, color=INK, linewidth=1.1, linestyle=(0, (4, 2)))
    drawn = []
    for i, name in enumerate(("treated", "synthetic")):
        value = np.array(reals(data[name]))
        axes.plot(at, value, color=PALETTE[i], linestyle=DASHES[i], zorder=3)
        drawn.append((at, value))
    canvas.ticks_as_numbers(axes.yaxis, lang)
    weight = np.array(reals(data["time_weight"]))
    if weighted := bool((weight > 0).any()):
        low, high = axes.get_ylim()
        axes.set_ylim(low - 0.28 * (high - low), high)
        foot, reach = axes.get_ylim()[0], 0.22 * (high - low)
        axes.bar(at, reach * weight / weight.max(), 0.8 * step, bottom=foot, color=TINTS[1], linewidth=0, zorder=1)
    y_title(axes, canvas.with_unit(data.get("y_label", "show.axis.log_rate"), data.get("unit"), lang))
    series = [{"label": "show.word.treated"}, {"label": "show.word.synthetic"}]
    line_ends(axes, {"series": series}, drawn, lang)
    canvas.footer(
        figure,
        [
            own("show.note.start", lang),
            own("show.note.time_weights", lang, value=text.percent(float(weight.max()), lang, 0)) if weighted else "",
            own("show.note.level_gap", lang) if weighted else "",
        ],
    )
    return figure


def synthetic_weights(data: dict[str, Any], lang: str) -> Figure:
    """Shares of the comparison units in the synthetic path, in order of size, beside the share of equal weights.

    data
        rows      list of {"label", "weight": fraction}
        digits    optional, of the percentages (1)
    Units without weight are counted only; above 20 units with weight the smaller ones share a row.
    """
    rows = sorted((r for r in data["rows"] if r["weight"] > 0), key=lambda r: -r["weight"])
    shown = rows[:MOST_UNITS]
    names = [said(r["label"], lang, 18) for r in shown]
    value = [100 * float(r["weight"]) for r in shown]
    if rest := rows[MOST_UNITS:]:
        names.append(own("show.word.others_n", lang, n=text.number(len(rest), lang)))
        value.append(100 * float(sum(r["weight"] for r in rest)))
    figure, axes = canvas.sheet(0.8 + sum(0.09 + 0.15 * (w.count("\n") + 1) for w in names))
    axes.barh(range(len(names)), value, 0.62, color=[TINTS[2]] * len(shown) + [TINTS[0]] * bool(rest), linewidth=0)
    axes.axvline(100 / len(data["rows"]), color=INK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=3)
    canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlim(0, 1.05 * max([*value, 100 / len(data["rows"])]))
    axes.set_xlabel(label("show.axis.unit_weight", lang))
    row_axes(axes, names, [text.number(v, lang, data.get("digits", 1)) for v in value])
    without = len(data["rows"]) - len(rows)
    canvas.footer(
        figure,
        [
            own("show.note.equal_weights", lang),
            own("show.note.without_weight", lang, n=text.number(without, lang)) if without else "",
        ],
    )
    return figure
