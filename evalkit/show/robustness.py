"""Figures of how far a result can be trusted: sensitivity, leave-one-out, power, roll-out, effects by cohort."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import INK, MUTED, PALETTE, SMALL, own, said, y_title
from .estimates import NULL, as_drawn, is_ratio, limits
from .rows import row_axes
from .words import label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TREATED, UNTREATED = "#4a90c4", "#eef3f8"
NAMED_ROWS = 45
"""Rows of a roll-out map that are named one by one; more are counted by start."""


def sensitivity(data: dict[str, Any], lang: str) -> Figure:
    """Robust intervals by the size of the divergence allowed, beside the interval under parallel trends.

    data
        size, conf_low, conf_high   lists (M̄ or M);  original [low, high];  estimate
        breakdown   size at which the interval reaches no effect; None = not shown, "Infinity" = none does
        measure     "log_rate_ratio" (drawn as rate ratio), "rate_ratio" or "difference" (default)
        x_label     default: M̄;  y_label, unit, level, digits (2)   optional
        approximate True: the covariance comes from control clusters, and the figure says so
    """
    measure = data.get("measure", "difference")
    figure, axes = canvas.sheet(3.0)
    n = len(data["size"]) + 1
    low, high, middle = (
        as_drawn(v, measure, n)
        for v in (
            [data["original"][0], *data["conf_low"]],
            [data["original"][1], *data["conf_high"]],
            [data["estimate"]] * n,
        )
    )
    at, digits = np.arange(n), data.get("digits", 2)
    bottom, top = limits(low, high, middle, NULL[measure], is_ratio(measure))
    _effect_axis(axes, measure, bottom, top, lang)
    axes.axhline(NULL[measure], color=MUTED, linewidth=0.9)
    axes.vlines(at, np.maximum(low, bottom), np.minimum(high, top), linewidth=2.2, zorder=3, color=_colours(n))
    for ends, beyond, edge, mark in ((low, low < bottom, bottom, "v"), (high, high > top, top, "^")):
        axes.scatter(at[~beyond], ends[~beyond], marker="_", s=80, color=np.array(_colours(n))[~beyond], zorder=4)
        if beyond.any():
            axes.plot(at[beyond], np.full(beyond.sum(), edge), mark, color=PALETTE[0], clip_on=False, zorder=4)
    axes.plot(at[:1], middle[:1], "o", color=PALETTE[1], zorder=5)
    names = [own("show.word.parallel", lang), *(text.number(float(s), lang, digits) for s in data["size"])]
    axes.set_xticks(at, names)
    axes.set_xlim(-0.6, n - 0.4)
    axes.set_xlabel(said(data.get("x_label", "show.axis.size"), lang))
    y_title(axes, canvas.with_unit(data.get("y_label", _axis_words(measure)), data.get("unit"), lang))
    cut = bool((low < bottom).any() or (high > top).any())
    canvas.footer(
        figure,
        [
            own("show.note.interval", lang, level=canvas.level(data, lang)),
            own("show.note.robust", lang),
            _breakdown_words(data.get("breakdown"), digits, lang),
            own("honest.note.control_paths", lang) if data.get("approximate") else "",
            own("show.note.clipped", lang) if cut else "",
        ],
    )
    return figure


def _colours(n: int) -> list[str]:
    return [PALETTE[1], *[PALETTE[0]] * (n - 1)]


def _axis_words(measure: str) -> str:
    return "show.axis.rate_ratio" if is_ratio(measure) else "show.axis.difference"


def _effect_axis(axes: Axes, measure: str, bottom: float, top: float, lang: str) -> None:
    """A vertical axis for effects: logarithmic for ratios."""
    if is_ratio(measure):
        axes.set_yscale("log")
        canvas.ratio_ticks(axes.yaxis, bottom, top, lang, most=6)
    else:
        canvas.ticks_as_numbers(axes.yaxis, lang)
    axes.set_ylim(bottom, top)


def _breakdown_words(value: Any, digits: int, lang: str) -> str:
    if value is None:
        return ""
    size = float(value)
    if math.isinf(size):
        return own("show.note.no_breakdown", lang)
    return own("show.note.breakdown", lang, value=text.number(size, lang, max(digits, 2)))


def leave_one_out(data: dict[str, Any], lang: str) -> Figure:
    """The estimate without each cluster in turn, in order of its value, against the one with all.

    data
        rows      list of {"label", "estimate": number or None, "treated": bool}
        full      the estimate with all;  conf_low, conf_high   optional, its interval, shaded
        measure   as in `sensitivity`;  x_label, unit, digits (2), level   optional
    """
    measure, digits = data.get("measure", "difference"), data.get("digits", 2)
    rows = sorted(data["rows"], key=lambda r: math.inf if r["estimate"] is None else r["estimate"])
    value = as_drawn([r["estimate"] for r in rows], measure, len(rows))
    full, low, high = (as_drawn([data.get(k)], measure, 1)[0] for k in ("full", "conf_low", "conf_high"))
    names = [said(r["label"], lang, 18) for r in rows]
    figure, axes = canvas.sheet(0.8 + sum(0.09 + 0.15 * (w.count("\n") + 1) for w in names))
    if is_ratio(measure):
        axes.set_xscale("log")
    if np.isfinite(low) and np.isfinite(high):
        axes.axvspan(low, high, color="#e3ecf5", linewidth=0, zorder=0)
    axes.axvline(NULL[measure], color=MUTED, linewidth=0.9)
    axes.axvline(full, color=INK, linewidth=1.1, linestyle=(0, (4, 2)), zorder=1)
    for i, row in enumerate(rows):
        face = PALETTE[0] if row.get("treated") else "white"
        axes.plot([value[i]], [i], "o", markerfacecolor=face, markeredgecolor=PALETTE[0], zorder=3)
    ends = np.array([v for v in (low, high, full, NULL[measure], *value) if np.isfinite(v)])
    bottom, top = limits(ends, ends, ends, NULL[measure], is_ratio(measure))
    if is_ratio(measure):
        canvas.ratio_ticks(axes.xaxis, bottom, top, lang, most=6)
    else:
        canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlim(bottom, top)
    axes.set_xlabel(canvas.with_unit(data.get("x_label", _axis_words(measure)), data.get("unit"), lang))
    row_axes(axes, names, [text.number(float(v), lang, digits) for v in value])
    canvas.footer(
        figure,
        [
            own("show.note.without", lang),
            own("show.note.full", lang),
            own("show.note.full_interval", lang, level=canvas.level(data, lang)) if np.isfinite(low) else "",
        ],
    )
    return figure


def power_curve(data: dict[str, Any], lang: str) -> Figure:
    """Probability of detecting an effect by its size, with the smallest effect detected with 80 %.

    data
        series   list of {"label"?, "share": [fractions of the rate], "power": [fractions], "mde"?: fraction}
        target   power asked for, 0.8;  limit   share above which the design is insufficient by itself, optional
        x_label  default: reduction of the rate
    """
    figure, axes = canvas.sheet(2.9)
    drawn, target, marks = [], data.get("target", 0.8), []
    top = max(100 * max(s["share"]) for s in data["series"])
    if (limit := data.get("limit")) is not None:
        axes.axvspan(100 * limit, max(top, 100 * limit), facecolor="#f3f3f3", linewidth=0, zorder=0)
        marks.append(own("show.note.insufficient", lang, limit=text.percent(limit, lang, 0)))
    axes.axhline(100 * target, color=MUTED, linewidth=1.0, linestyle=(0, (5, 3)))
    for i, series in enumerate(data["series"]):
        x, y = 100 * np.array(series["share"]), 100 * np.array(series["power"])
        axes.plot(x, y, color=PALETTE[i % len(PALETTE)], linestyle=canvas.DASHES[i % len(canvas.DASHES)], zorder=3)
        drawn.append((x[-1], y[-1], said(series["label"], lang, 14) if series.get("label") else "", PALETTE[i]))
        if series.get("mde") is not None:
            axes.plot([100 * series["mde"]], [100 * target], "o", color=PALETTE[i % len(PALETTE)], zorder=4)
            marks.append(_mde_words(series, target, lang))
    axes.set_xlim(0, top)
    axes.set_ylim(0, 102)
    for axis in (axes.xaxis, axes.yaxis):
        canvas.ticks_as_numbers(axis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.reduction"), lang))
    y_title(axes, said(data.get("y_label", "show.axis.power"), lang))
    canvas.end_labels(axes, [d for d in drawn if d[2]])
    canvas.footer(figure, marks)
    return figure


def _mde_words(series: dict[str, Any], target: float, lang: str) -> str:
    value = text.percent(series["mde"], lang, 1)
    words = own("show.note.mde", lang, power=text.percent(target, lang, 0), value=value)
    return own("show.numbered", lang, label=label(series["label"], lang), value=words) if series.get("label") else words


def rollout(data: dict[str, Any], lang: str) -> Figure:
    """Who was treated when: one row per unit or cluster in order of its start, one column per period.

    data
        rows       list of {"label", "start": period or None, "missing"?: [periods not observed], "count"?: units}
        time       list of periods;  selection   optional [first, last] period of selection
        x_label    default by the periods
    Above 45 rows those with the same start share a row, named by the start and their number.
    """
    time = list(data["time"])
    rows = sorted(data["rows"], key=lambda r: len(time) if r.get("start") is None else time.index(r["start"]))
    if len(rows) > NAMED_ROWS:
        rows = _by_start(rows, lang)
    names = [said(r["label"], lang, 18) for r in rows]
    figure, axes = canvas.sheet(0.7 + sum(0.06 + 0.145 * (w.count("\n") + 1) for w in names))
    cells = np.zeros((len(rows), len(time), 3))
    for i, row in enumerate(rows):
        start = len(time) if row.get("start") is None else time.index(row["start"])
        cells[i, :start], cells[i, start:] = _rgb(UNTREATED), _rgb(TREATED)
    axes.imshow(cells, aspect="auto", interpolation="nearest", zorder=0)
    for edge in np.arange(len(rows) + 1) - 0.5:
        axes.axhline(edge, color="white", linewidth=0.8)
    gaps = [(time.index(t), i) for i, r in enumerate(rows) for t in r.get("missing") or () if t in time]
    if gaps:
        axes.plot(*zip(*gaps), "x", color=MUTED, markersize=4, zorder=3)
    if window := data.get("selection"):
        axes.axvspan(
            time.index(window[0]) - 0.5,
            time.index(window[1]) + 0.5,
            facecolor="none",
            edgecolor="#7a7a7a",
            hatch="////",
            linewidth=0,
        )
    step = max(1, math.ceil(len(time) / 8))
    shown = list(range(0, len(time), step))
    axes.set_xticks(shown, [str(time[i]) for i in shown])
    axes.set_yticks(range(len(rows)), names, fontsize=SMALL)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    aids = [own("show.note.rollout", lang), own("show.note.unobserved", lang) if gaps else ""]
    canvas.footer(figure, [*aids, own("show.note.selection", lang) if data.get("selection") else ""])
    return figure


def _rgb(colour: str) -> tuple[float, ...]:
    return tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))


def _by_start(rows: list[dict[str, Any]], lang: str) -> list[dict[str, Any]]:
    groups: dict[Any, int] = {}
    for row in rows:
        groups[row.get("start")] = groups.get(row.get("start"), 0) + int(row.get("count", 1))
    return [
        {
            "label": own("show.word.never_n", lang, n=n)
            if start is None
            else own("show.word.start_n", lang, start=str(start), n=n),
            "start": start,
        }
        for start, n in groups.items()
    ]


def cohort_panels(data: dict[str, Any], lang: str) -> Figure:
    """Effects by period, one panel per cohort (start date), on a common scale.

    data
        panels    list of {"label", "event_time": [...], "estimate", "conf_low"?, "conf_high"?, "n_treated"?: number}
        measure, y_label, unit, level   as in `sensitivity`
    """
    panels, measure = data["panels"], data.get("measure", "difference")
    rows = -(-len(panels) // 2)
    figure, grid = canvas.sheet(0.7 + 1.4 * rows, rows, 2)
    every = np.atleast_1d(grid).ravel()
    drawn = [
        tuple(as_drawn(p.get(k), measure, len(p["event_time"])) for k in ("estimate", "conf_low", "conf_high"))
        for p in panels
    ]
    middle, low, high = (np.concatenate([d[i] for d in drawn]) for i in range(3))
    bottom, top = limits(low, high, middle, NULL[measure], is_ratio(measure))
    for axes, panel, (estimate, left, right) in zip(every, panels, drawn):
        time = np.array(panel["event_time"], dtype=float)
        title = said(panel["label"], lang, 26)
        if panel.get("n_treated") is not None:
            title = own("show.word.treated_n", lang, label=title, n=panel["n_treated"])
        axes.set_title(title, loc="left", fontsize=9.5, color=INK, pad=4)
        _effect_axis(axes, measure, bottom, top, lang)
        axes.axhline(NULL[measure], color=MUTED, linewidth=0.9)
        axes.axvline(-0.5, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
        axes.vlines(time, np.maximum(left, bottom), np.minimum(right, top), color=PALETTE[0], linewidth=1.2, zorder=3)
        axes.plot(time, estimate, "o", color=PALETTE[0], markersize=4, zorder=4)
        _whole_ticks(axes, time, lang)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    words = canvas.with_unit(data.get("y_label", _axis_words(measure)), data.get("unit"), lang)
    figure.suptitle(words, x=0.015, ha="left", fontsize=9.5)
    intervals = own("show.note.interval", lang, level=canvas.level(data, lang)) if np.isfinite(low).any() else ""
    canvas.footer(figure, [intervals, own("show.note.event_time", lang), own("show.note.start", lang)])
    return figure


def _whole_ticks(axes: Axes, time: np.ndarray, lang: str) -> None:
    step = max(1, math.ceil((time.max() - time.min() + 1) / 6))
    shown = [t for t in range(int(time.min()), int(time.max()) + 1) if t % step == 0]
    axes.set_xticks(shown, [text.number(t, lang) for t in shown])
    axes.set_xlim(time.min() - 0.6, time.max() + 0.6)
