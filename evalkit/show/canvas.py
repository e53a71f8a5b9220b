"""The sheet every figure is drawn on: house style, axes, direct labels, footers, watermark.

matplotlib is imported inside the functions, so that reading results or printing help never pays for it.
Figures are 5 inches wide with type of 8.5 to 10 points: on a phone of 360 pixels it stays about 8 pixels high,
on A4 it prints at the size of a footnote or larger.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import fonts
from .glyphs import drawable
from .words import instant, label, wrap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 5.0
SMALL = 8.5
INK = "#222222"
MUTED = "#5f5f5f"
RULE = "#8a8a8a"
PALETTE = ("#08519c", "#d55e00", "#4d4d4d", "#009e73", "#a04a86", "#b8860b")
MARKERS = ("o", "s", "^", "D", "v", "P")
DASHES = ("-", (0, (5, 1.5)), (0, (2, 1.2)), "-.", (0, (1, 1)), (0, (7, 2)))
TINTS = ("#d3e3f3", "#8fc1de", "#4a90c4", "#1c5a9c", "#08264f", "#e08214", "#fdd9b5", "#8a8a8a")
HATCHES = ("", "", "", "", "", "////", "....", "xxxx")
STYLE: Any = {
    "font.family": [fonts.FAMILY, "DejaVu Sans"],
    "font.size": 10,
    "text.hinting": "no_hinting",
    "axes.titlesize": 10,
    "axes.labelsize": 9.5,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "lines.linewidth": 1.7,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "hatch.linewidth": 0.6,
    "hatch.color": "#9a9a9a",
    "svg.fonttype": "path",
    "svg.hashsalt": "evalkit",
    "text.parse_math": False,
    "axes.unicode_minus": True,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
    "path.simplify": True,
}


@lru_cache(maxsize=1)
def _register() -> None:
    from matplotlib import font_manager

    font_manager.fontManager.addfont(str(fonts.path()))


@contextmanager
def style() -> Iterator[None]:
    """House style for drawing and for printing: both must happen inside it."""
    import matplotlib

    _register()
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def sheet(height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """A figure `height` inches high with its axes (one, or an array of rows × columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns)


def said(value: Any, lang: str, limit: int = 0) -> str:
    """A label ready to draw: in words, without characters that cannot be drawn, wrapped at `limit`."""
    words = drawable(label(value, lang), lang)
    return wrap(words, limit) if limit else words


def own(key: str, lang: str, **values: Any) -> str:
    """One of our own sentences, ready to draw."""
    return drawable(text.t(key, lang, **values), lang)


def with_unit(words: Any, unit: Any, lang: str) -> str:
    """An axis title with its unit in brackets."""
    if not unit:
        return said(words, lang)
    return own("show.unit", lang, label=label(words, lang), unit=label(unit, lang))


def level(data: dict[str, Any], lang: str) -> str:
    """Level of the intervals in words, 95 % unless the data say otherwise."""
    value = data.get("level", 0.95)
    return text.percent(value, lang, 0 if abs(100 * value - round(100 * value)) < 1e-9 else 1)


def y_title(axes: Axes, words: str) -> None:
    """Title of the vertical axis, horizontal and above it, where it is read first."""
    axes.set_title(wrap(words, 62), loc="left", fontsize=9.5, color=INK, pad=7)


def footer(figure: Figure, aids: Sequence[str], listed: Sequence[str] = ()) -> None:
    """Reading aids under the axes as running text, then `listed` one a line; the figure grows by what they need."""
    running = "".join(a if a.endswith("。") else a + " " for a in aids if a).strip()
    if not (lines := [line for line in (running, *listed) if line]):
        return
    words = "\n".join(wrap(line, 78) for line in lines)
    figure.set_figheight(figure.get_figheight() + 0.165 * (words.count("\n") + 1))
    figure.supxlabel(words, x=0.015, ha="left", fontsize=SMALL, color=MUTED, linespacing=1.3)


def ticks_as_numbers(axis: Axis, lang: str, scale: float = 1.0) -> None:
    """Write ticks in the language's number form with as many digits as their spacing needs."""
    from matplotlib.ticker import Formatter

    class Numbers(Formatter):
        def format_ticks(self, values: Sequence[float]) -> list[str]:
            digits = _digits(tuple(float(v) for v in values), scale)
            return [text.number(float(v) / scale, lang, digits) for v in values]

        def __call__(self, x: float, pos: int | None = None) -> str:
            return self.format_ticks([x])[0]

    axis.set_major_formatter(Numbers())


@lru_cache(maxsize=64)
def _digits(ticks: tuple[float, ...], scale: float) -> int:
    """Decimals at which ticks are written without loss, at most 4."""
    shown = np.asarray(ticks) / scale
    return next((d for d in range(5) if np.allclose(shown, np.round(shown, d), atol=1e-9)), 4)


def ratio_ticks(axis: Axis, low: float, high: float, lang: str, most: int = 7) -> None:
    """Ticks of a logarithmic rate-ratio axis at numbers people use: 0.5, 0.8, 1, 1.25, 2 …"""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    fine = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0]
    tight = [0.8, 0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15, 1.2]
    decades = [1e-4, 1e-3, 0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4]
    coarse = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    middle = [0.1, 0.15, 0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 4.0, 6.0, 8.0]
    chosen = [1.0]
    for candidates in (decades, coarse, middle, fine, tight):
        inside = [c for c in candidates if low <= c <= high]
        spread = len(inside) > 1 and np.log(inside[-1] / inside[0]) >= 0.5 * np.log(high / low)
        if len(chosen) <= len(inside) <= most and (spread or len(chosen) < 2):
            chosen = inside
    axis.set_major_locator(FixedLocator(chosen))
    axis.set_major_formatter(FixedFormatter([text.number(c, lang, 2 if c >= 0.01 else 4) for c in chosen]))
    axis.set_minor_locator(NullLocator())


def time_axis(axes: Axes, times: Sequence[Any], lang: str, most: int = 10) -> np.ndarray:
    """Scale the horizontal axis in years and title it; returns positions of `times`."""
    at = np.array([instant(t) for t in times])
    years = np.arange(math.floor(at.min()), math.floor(at.max()) + 1)
    step = max(1, math.ceil(len(years) / most))
    shown = years[(years - years[-1]) % step == 0]
    axes.set_xticks(shown, [str(int(y)) for y in shown])
    room = 0.045 * (at.max() - at.min()) or 0.5
    axes.set_xlim(at.min() - room, at.max() + room)
    word = str(times[0])
    key = "quarter" if "Q" in word else "month" if "-" in word else "year"
    axes.set_xlabel(own(f"show.axis.{key}", lang))
    return at


def end_labels(axes: Axes, ends: Sequence[tuple[float, float, str, str]], size: float = 9) -> None:
    """Direct labels right of line ends (x, y, words, colour), pushed apart where they would overlap."""
    low, high = (axes.transData.transform((0, v))[1] for v in axes.get_ylim())
    points = axes.figure.bbox.height / axes.figure.dpi * 72 * 0.68 / (high - low)
    at = [(axes.transData.transform((0, y))[1] - low) * points for _, y, _, _ in ends]
    heights = [(words.count("\n") + 1) * size * 1.25 for _, _, words, _ in ends]
    centres = apart(at, heights, points * (high - low) + size)
    for i, (x, y, words, colour) in enumerate(ends):
        centre = centres[i]
        beside(axes, words, (x, y), (7, centre - at[i]), fontsize=size, color=colour)


def beside(axes: Axes, words: str, at: tuple[float, float], shift: tuple[float, float], **options: Any) -> None:
    """Words to the right of a point, `shift` (right, up) in points from it; they may stand outside the axes."""
    usual = {"textcoords": "offset points", "va": "center", "ha": "left", "fontsize": SMALL, "annotation_clip": False}
    axes.annotate(words, at, xytext=shift, **{**usual, **options})


def apart(at: Sequence[float], heights: Sequence[float], top: float) -> list[float]:
    """Centres of labels wanted at `at`, moved up until none overlaps, then down where they pass `top`."""
    centres, floor = list(at), -math.inf
    order = sorted(range(len(centres)), key=lambda i: at[i])
    for i in order:
        centres[i] = max(at[i], floor + heights[i] / 2)
        floor = centres[i] + heights[i] / 2
    for i in reversed(order):
        centres[i] = min(centres[i], top - heights[i] / 2)
        top = centres[i] - heights[i] / 2
    return centres


def watermark(figure: Figure, lang: str) -> None:
    """Write 合成数据 across the whole figure, above everything, light enough to read through."""
    ratio = figure.get_figheight() / figure.get_figwidth()
    figure.text(
        0.5,
        0.54,
        own("common.synthetic", lang),
        rotation=math.degrees(math.atan(min(ratio, 1.0))) * 0.8,
        ha="center",
        va="center",
        fontsize=34 if lang.startswith("zh") else 30,
        color="#777777",
        alpha=0.17,
        zorder=1000,
    ).set_in_layout(False)
