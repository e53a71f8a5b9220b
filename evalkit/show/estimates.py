"""Figures of effects with intervals: event study and forest."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import INK, MUTED, PALETTE, own, said, y_title
from .lines import shade
from .rows import row_axes
from .words import reals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NULL = {"log_rate_ratio": 1.0, "rate_ratio": 1.0, "difference": 0.0}
"""Value of no effect as drawn, by measure; log rate ratios are drawn as rate ratios."""


def as_drawn(values: Any, measure: str, length: int) -> np.ndarray:
    """Numbers on the scale they are drawn on: log rate ratios are exponentiated."""
    array = np.array(reals(values, length))
    return np.exp(array) if measure == "log_rate_ratio" else array


def is_ratio(measure: str) -> bool:
    return NULL[measure] == 1.0


def limits(low: np.ndarray, high: np.ndarray, middle: np.ndarray, null: float, ratio: bool) -> tuple[float, float]:
    """Axis limits that show every estimate and most intervals: very wide ones are cut at three times the spread."""
    forward, back = (np.log, np.exp) if ratio else (lambda x: x, lambda x: x)
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = np.concatenate([forward(low), forward(high)])
        centre = np.append(forward(middle), forward(null))
    centre, ends = centre[np.isfinite(centre)], ends[np.isfinite(ends)]
    reach = max(np.ptp(centre), 3 * float(np.median(np.abs(ends - np.median(centre)))) if ends.size else 0.0, 0.05)
    bottom = max(ends.min(initial=centre.min()), centre.min() - reach)
    top = min(ends.max(initial=centre.max()), centre.max() + reach)
    room = max(0.06 * (max(top, centre.max()) - min(bottom, centre.min())), 0.02)
    return float(back(min(bottom, centre.min()) - room)), float(back(max(top, centre.max()) + room))


def event_study(data: dict[str, Any], lang: str) -> Figure:
    """Effects by period relative to the start.

    data
        event_time, estimate, conf_low, conf_high   lists; the base period has estimate 0 and no interval
        band_low, band_high   optional simultaneous band
        base        event time or list of event times of the base period; default -1
        n_treated   optional list: participating units behind each point, written under the axis
        selection   optional [first, last] event time of the selection window, hatched
        measure     "log_rate_ratio" (default; drawn as rate ratio on a logarithmic axis), "rate_ratio", "difference"
        y_label, x_label, unit, level     optional
        testable    False: no test is possible with this design, and the figure says so
    """
    measure = data.get("measure", "log_rate_ratio")
    figure, axes = canvas.sheet(3.1)
    time = np.array(data["event_time"], dtype=float)
    estimate, low, high, band_low, band_high = (
        as_drawn(data.get(k), measure, len(time))
        for k in ("estimate", "conf_low", "conf_high", "band_low", "band_high")
    )
    base = np.isin(time, np.atleast_1d(data.get("base", -1)))
    if window := data.get("selection"):
        shade(axes, window[0] - 0.5, window[1] + 0.5)
    axes.axhline(NULL[measure], color=MUTED, linewidth=0.9)
    axes.axvline(-0.5, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
    axes.fill_between(time, band_low, band_high, color="#c6dbef", alpha=0.7, linewidth=0, zorder=1)
    axes.plot(time[~base], estimate[~base], "o", color=PALETTE[0], zorder=4)
    axes.plot(time[base], estimate[base], "s", markerfacecolor="white", markeredgecolor=INK, zorder=5)
    _event_axes(axes, data, measure, (np.fmin(low, band_low), np.fmax(high, band_high), estimate), lang)
    cut = _upright(axes, time, low, high)
    notes = _event_notes(data, bool(np.isfinite(band_low).any()), bool(np.isfinite(low).any()), lang)
    canvas.footer(figure, [*notes, own("show.note.clipped", lang) if cut else ""])
    return figure


def _event_axes(axes: Axes, data: dict[str, Any], measure: str, ends: tuple[np.ndarray, ...], lang: str) -> None:
    low, high, middle = ends
    bottom, top = limits(low, high, middle, NULL[measure], is_ratio(measure))
    if is_ratio(measure):
        axes.set_yscale("log")
        canvas.ratio_ticks(axes.yaxis, bottom, top, lang)
    else:
        canvas.ticks_as_numbers(axes.yaxis, lang)
    axes.set_ylim(bottom, top)
    time = [int(t) for t in data["event_time"]]
    step = math.ceil((max(time) - min(time) + 1) / (9 if data.get("n_treated") else 12))
    shown = [t for t in time if t % step == 0]
    counts = dict(zip(time, data.get("n_treated") or [None] * len(time)))
    tick = [text.number(t, lang) + ("" if counts[t] is None else "\n" + text.number(counts[t], lang)) for t in shown]
    axes.set_xticks(shown, tick)
    default = "show.axis.event_time_n" if data.get("n_treated") else "show.axis.event_time"
    axes.set_xlabel(said(data.get("x_label", default), lang))
    words = "show.axis.rate_ratio" if is_ratio(measure) else "show.axis.difference"
    y_title(axes, canvas.with_unit(data.get("y_label", words), data.get("unit"), lang))


def _upright(axes: Axes, time: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    """Intervals as upright lines, with an arrow where one leaves the figure; tells whether any does."""
    bottom, top = axes.get_ylim()
    axes.vlines(time, np.maximum(low, bottom), np.minimum(high, top), color=PALETTE[0], linewidth=1.3, zorder=3)
    for beyond, edge, mark in ((low < bottom, bottom, "v"), (high > top, top, "^")):
        if beyond.any():
            axes.plot(time[beyond], np.full(beyond.sum(), edge), mark, color=PALETTE[0], clip_on=False, zorder=4)
    return bool((low < bottom).any() or (high > top).any())


def _event_notes(data: dict[str, Any], band: bool, intervals: bool, lang: str) -> list[str]:
    if data.get("testable") is False:
        spread = own("show.note.not_testable", lang)
    elif not intervals:
        spread = ""
    else:
        spread = own("show.note.interval", lang, level=canvas.level(data, lang))
    kind = own("show.note.band", lang, level=canvas.level(data, lang)) if band else own("show.note.pointwise", lang)
    return [
        spread,
        kind if intervals else "",
        own("show.note.base", lang),
        own("show.note.start", lang),
        own("show.note.selection", lang) if data.get("selection") else "",
    ]


def forest(data: dict[str, Any], lang: str) -> Figure:
    """Effects with intervals, one row per project, city or estimator.

    data
        rows      list of {"label", "estimate", "conf_low", "conf_high", "refused"?: label (why it is not tested:
                  the point becomes a hollow diamond and no interval is drawn), "summary"?: True (pooled row)}
        measure   "rate_ratio" (default), "log_rate_ratio" (exponentiated for drawing) or "difference"
        x_label, unit, digits (2), level     optional
    """
    measure, rows = data.get("measure", "rate_ratio"), data["rows"]
    n = len(rows)
    columns = {k: as_drawn([r.get(k) for r in rows], measure, n) for k in ("estimate", "conf_low", "conf_high")}
    names = [said(r["label"], lang, 18) for r in rows]
    figure, axes = canvas.sheet(0.75 + sum(0.13 + 0.16 * (w.count("\n") + 1) for w in names))
    refused = [bool(r.get("refused")) for r in rows]
    low = np.where(refused, np.nan, columns["conf_low"])
    high = np.where(refused, np.nan, columns["conf_high"])
    bottom, top = limits(low, high, columns["estimate"], NULL[measure], is_ratio(measure))
    if is_ratio(measure):
        axes.set_xscale("log")
        canvas.ratio_ticks(axes.xaxis, bottom, top, lang, most=5)
    else:
        canvas.ticks_as_numbers(axes.xaxis, lang)
    axes.set_xlim(bottom, top)
    axes.axvline(NULL[measure], color=MUTED, linewidth=0.9)
    ends = [(float(low[i]), float(high[i])) for i in range(n)]
    for i, row in enumerate(rows):
        _forest_row(axes, i, row, columns["estimate"][i], ends[i])
    words = "show.axis.rate_ratio" if is_ratio(measure) else "show.axis.difference"
    axes.set_xlabel(canvas.with_unit(data.get("x_label", words), data.get("unit"), lang))
    side = [
        _in_words(r, float(columns["estimate"][i]), ends[i], data.get("digits", 2), lang) for i, r in enumerate(rows)
    ]
    row_axes(axes, names, side, own("show.word.estimate", lang))
    cut = bool(((low < bottom) | (high > top)).any())
    canvas.footer(
        figure,
        [
            own("show.note.interval_horizontal", lang, level=canvas.level(data, lang))
            if np.isfinite(low).any()
            else "",
            own("show.note.refused", lang) if any(refused) else "",
            own("show.note.clipped", lang) if cut else "",
        ],
    )
    return figure


def _forest_row(axes: Axes, y: int, row: dict[str, Any], estimate: float, ends: tuple[float, float]) -> None:
    colour = INK if row.get("summary") else PALETTE[0]
    left, right = axes.get_xlim()
    axes.hlines(y, max(ends[0], left), min(ends[1], right), color=colour, linewidth=1.4, zorder=3)
    for beyond, x, mark in ((ends[0] < left, left, "<"), (ends[1] > right, right, ">")):
        if beyond:
            axes.plot([x], [y], mark, color=colour, markersize=6, clip_on=False, zorder=4)
    hollow = bool(row.get("refused"))
    axes.plot(
        [estimate],
        [y],
        "D" if row.get("summary") or hollow else "o",
        markersize=6 if hollow else 5.5,
        markerfacecolor="white" if hollow else colour,
        markeredgecolor=MUTED if hollow else colour,
        zorder=5,
    )


def _in_words(row: dict[str, Any], estimate: float, interval: tuple[float, float], digits: int, lang: str) -> str:
    low, high = interval
    point = text.number(estimate, lang, digits)
    if row.get("refused"):
        why = said(row["refused"], lang, 20)
        return why if math.isnan(estimate) else own("show.numbered", lang, label=point, value=why)
    if math.isnan(low) and math.isnan(high):
        return point
    ends = {"low": text.number(low, lang, digits), "high": text.number(high, lang, digits)}
    return own("show.estimate", lang, estimate=point, **ends)
