"""Figures of something over time: trend, target path, six panels, treated against control."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from . import canvas
from .canvas import DASHES, INK, MARKERS, MUTED, PALETTE, own, said, y_title
from .words import instant, reals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CIRCLED = "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳"


def draw_series(
    axes: Axes, at: np.ndarray, series: dict[str, Any], index: int = 0, nudge: float = 0.0, size: float = 5
) -> np.ndarray:
    """One line with intervals as bars; provisional points hollow. Returns the values (NaN = missing)."""
    n = len(at)
    value = np.array(reals(series["value"]))
    low, high = (np.array(reals(series.get(k), n)) for k in ("conf_low", "conf_high"))
    hollow = np.array([bool(p) for p in series.get("provisional") or [False] * n])
    colour, marker = PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]
    axes.plot(at + nudge, value, color=colour, linestyle=DASHES[index % len(DASHES)], zorder=3)
    axes.vlines(at + nudge, low, high, color=colour, linewidth=1.1, alpha=0.75, zorder=2)
    for mask, face in ((~hollow, colour), (hollow, "white")):
        axes.plot(
            at[mask] + nudge,
            value[mask],
            linestyle="none",
            marker=marker,
            markersize=size,
            markerfacecolor=face,
            markeredgecolor=colour,
            markeredgewidth=1.4,
            zorder=4,
        )
    return value


def line_ends(axes: Axes, data: dict[str, Any], drawn: list[tuple[np.ndarray, np.ndarray]], lang: str) -> None:
    """Name each line at its right end; a single line without a label needs none."""
    ends = []
    for i, (series, (at, value)) in enumerate(zip(data["series"], drawn)):
        known = np.flatnonzero(np.isfinite(value))
        if known.size and series.get("label"):
            last = known[-1]
            ends.append((at[last], value[last], said(series["label"], lang, 14), PALETTE[i % len(PALETTE)]))
    canvas.end_labels(axes, ends)


def mark_events(axes: Axes, events: list[dict[str, Any]], lang: str) -> list[str]:
    """Numbered vertical lines at policy events; returns the lines that explain the numbers."""
    lines = []
    for i, event in enumerate(sorted(events, key=lambda e: instant(e["time"]))):
        x, mark = instant(event["time"]), CIRCLED[i % len(CIRCLED)]
        axes.axvline(x, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.annotate(
            mark,
            (x, 1.0),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="top",
            fontsize=9.5,
            color=INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )
        lines.append(own("show.note.event", lang, mark=mark, year=str(event["time"]), label=said(event["label"], lang)))
    return lines


def notes_of(series: list[dict[str, Any]], data: dict[str, Any], lang: str) -> list[str]:
    """The reading aids that lines with intervals and provisional points need."""
    intervals = any(v is not None for s in series for v in s.get("conf_low") or ())
    provisional = any(any(s.get("provisional") or ()) for s in series)
    return [
        own("show.note.interval", lang, level=canvas.level(data, lang)) if intervals else "",
        own("show.note.provisional", lang) if provisional else "",
    ]


def from_zero(axes: Axes, data: dict[str, Any]) -> None:
    """Start the vertical axis at zero unless the data ask for a free baseline; leave room above."""
    low, high = axes.get_ylim()
    if not any(np.nanmax(np.abs(line.get_ydata()), initial=0) > 0 for line in axes.lines):
        low, high = 0.0, 1.0
    axes.set_ylim(
        0 if data.get("baseline", "zero") == "zero" and low > -0.2 * high else low, high + 0.06 * (high - low)
    )


def trend(data: dict[str, Any], lang: str) -> Figure:
    """Rates or counts over time with intervals.

    data
        series    list of {"label", "time": [2016, …] or ["2023Q1", …], "value", "conf_low"?, "conf_high"?,
                  "provisional"?: [bool, …]}; at most six, labelled at the line end
        y_label, unit     labels; unit goes in brackets
        events    optional list of {"time", "label"}: numbered vertical marks, explained below
        target    optional {"value": number, "label"?}: a dashed line
        level     of the intervals, 0.95; baseline: "zero" (default) or "free"
    """
    figure, axes = canvas.sheet(3.0)
    nudges = (np.arange(len(data["series"])) - (len(data["series"]) - 1) / 2) * 0.07
    drawn = []
    times = max((s["time"] for s in data["series"]), key=len)
    canvas.time_axis(axes, times, lang)
    for i, series in enumerate(data["series"]):
        at = np.array([instant(t) for t in series["time"]])
        drawn.append((at + nudges[i], draw_series(axes, at, series, i, nudges[i])))
    lines, aids = mark_events(axes, data.get("events") or [], lang), []
    if target := data.get("target"):
        axes.axhline(target["value"], color=INK, linewidth=1.1, linestyle=(0, (5, 3)))
        aids.append(own("show.note.target", lang))
    from_zero(axes, data)
    canvas.ticks_as_numbers(axes.yaxis, lang)
    y_title(axes, canvas.with_unit(data["y_label"], data.get("unit"), lang))
    line_ends(axes, data, drawn, lang)
    canvas.footer(figure, [*notes_of(data["series"], data, lang), *aids], lines)
    return figure


def target_path(data: dict[str, Any], lang: str) -> Figure:
    """A rate relative to its base year against the path to the target (key industries: 0.8 in 2025).

    data
        series   as in `trend`, values as ratio to the base year (base year = 1)
        path     optional {"time": […], "value": […]}: the path by year
        band     optional [low, high] ratios at the end of the path, e.g. [0.80, 0.82] for a fall of 18-20 %
        y_label  optional; level
    """
    figure, axes = canvas.sheet(3.0)
    times = max((s["time"] for s in data["series"]), key=len)
    canvas.time_axis(axes, times, lang)
    lines: list[str] = []
    if band := data.get("band"):
        axes.axhspan(*band, color="#c9c9c9", alpha=0.55, linewidth=0, zorder=0)
    if path := data.get("path"):
        x = [instant(t) for t in path["time"]]
        axes.plot(x, path["value"], color=INK, linestyle=(0, (1, 1.5)), linewidth=1.6, zorder=2)
        lines = [own("show.note.path", lang)]
    axes.axhline(1.0, color=MUTED, linewidth=0.8)
    drawn = [
        (at_s := np.array([instant(t) for t in s["time"]]), draw_series(axes, at_s, s, i))
        for i, s in enumerate(data["series"])
    ]
    canvas.ticks_as_numbers(axes.yaxis, lang)
    y_title(axes, said(data.get("y_label", "show.axis.ratio_to_base"), lang))
    line_ends(axes, data, drawn, lang)
    canvas.footer(figure, [*notes_of(data["series"], data, lang), *lines])
    return figure


def small_multiples(data: dict[str, Any], lang: str) -> Figure:
    """The same measure in several small panels, one per industry.

    data
        panels   list of {"label", "time", "value", "conf_low"?, "conf_high"?, "provisional"?, "target"?: number};
                 two per row; a panel whose values are all null is drawn empty with its `note` (label) in it
        y_label, unit, level, baseline as in `trend`
        scale    "free" (default; said in the figure) or "shared"
    """
    panels = data["panels"]
    rows = -(-len(panels) // 2)
    figure, grid = canvas.sheet(0.6 + 1.45 * rows, max(rows, 1), 2)
    every = np.atleast_1d(grid).ravel()
    for axes, panel in zip(every, panels):
        _panel(axes, panel, data, lang)
    for axes in every[len(panels) :]:
        axes.set_axis_off()
    if data.get("scale") == "shared":
        top = max(a.get_ylim()[1] for a in every[: len(panels)])
        for axes in every[: len(panels)]:
            axes.set_ylim(top=top)
    figure.suptitle(canvas.with_unit(data["y_label"], data.get("unit"), lang), x=0.015, ha="left", fontsize=9.5)
    lines = [
        "" if data.get("scale") == "shared" else own("show.note.free_scale", lang),
        own("show.note.target", lang) if any(p.get("target") is not None for p in panels) else "",
    ]
    canvas.footer(figure, [*notes_of(panels, data, lang), *lines])
    return figure


def _panel(axes: Axes, panel: dict[str, Any], data: dict[str, Any], lang: str) -> None:
    axes.set_title(said(panel["label"], lang, 26), loc="left", fontsize=9.5, color=INK, pad=4)
    at = canvas.time_axis(axes, panel["time"], lang, most=4)
    axes.set_xlabel("")
    value = draw_series(axes, at, panel, size=3.6)
    if not np.isfinite(value).any():
        axes.set_yticks([])
        axes.text(
            0.5,
            0.5,
            said(panel.get("note", "show.status.no_data"), lang, 22),
            transform=axes.transAxes,
            ha="center",
            va="center",
            fontsize=9,
            color=MUTED,
        )
        return
    if panel.get("target") is not None:
        axes.axhline(panel["target"], color=INK, linewidth=1.0, linestyle=(0, (5, 3)))
    from_zero(axes, data)
    axes.yaxis.set_major_locator(_few())
    canvas.ticks_as_numbers(axes.yaxis, lang)


def _few() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10])


def paths(data: dict[str, Any], lang: str) -> Figure:
    """Average outcome of participants and of the comparison group over time.

    data
        time      list of periods; series: list of {"label", "value"}, participants first
        start     period in which the programme starts; selection: optional [first, last] period of selection
        y_label   default "log rate"; unit
    """
    figure, axes = canvas.sheet(3.0)
    at = canvas.time_axis(axes, data["time"], lang)
    half = (at[1] - at[0]) / 2 if len(at) > 1 else 0.5
    lines = []
    if window := data.get("selection"):
        shade(axes, instant(window[0]) - half, instant(window[1]) + half)
        lines.append(own("show.note.selection", lang))
    if data.get("start") is not None:
        axes.axvline(instant(data["start"]) - half, color=INK, linewidth=1.1, linestyle=(0, (4, 2)))
        lines.append(own("show.note.start", lang))
    drawn = []
    for i, series in enumerate(data["series"]):
        value = np.array(reals(series["value"]))
        axes.plot(at, value, color=PALETTE[i], linestyle=DASHES[i], marker=MARKERS[i], markersize=3.2, zorder=3)
        drawn.append((at, value))
    canvas.ticks_as_numbers(axes.yaxis, lang)
    y_title(axes, canvas.with_unit(data.get("y_label", "show.axis.log_rate"), data.get("unit"), lang))
    line_ends(axes, data, drawn, lang)
    canvas.footer(figure, lines)
    return figure


def shade(axes: Axes, low: float, high: float) -> None:
    """Hatch the selection window."""
    axes.axvspan(low, high, facecolor="#eeeeee", edgecolor="#b0b0b0", hatch="////", linewidth=0, zorder=0)
