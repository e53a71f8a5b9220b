"""Figures of the economic evaluation: plane of draws and acceptability curve. Money comes in yuan, drawn in 10,000."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import text
from . import canvas
from .canvas import DASHES, INK, MARKERS, MUTED, PALETTE, SMALL, own, said, y_title
from .lines import line_ends
from .words import reals

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WAN = 1e4
MOST_DRAWS = 1000
GROUND = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
"""Light ground behind words that stand on draws."""


def ce_plane(data: dict[str, Any], lang: str) -> Figure:
    """Draws of incremental cost (up) against injuries averted (right), with mean, ellipse and quadrant shares.

    data
        effect, cost   lists of draws: injuries averted; net cost in yuan (programme cost minus averted cost).
                       More than 1,000 are thinned by a fixed stride for drawing, after shares and ellipse
        total          optional number of draws behind them when the data are thinned already
        mean           optional [effect, cost]; cov: optional 2 × 2 covariance; both default to those of the draws
        shares         optional {"better_cheaper", "better_dearer", "worse_cheaper", "worse_dearer"}: fractions
        threshold      optional yuan per injury averted: a diagonal
        level          of the ellipse (0.95); x_label, y_label

    The ellipse is the normal one, (x − mean)ᵀ cov⁻¹ (x − mean) ≤ −2 ln(1 − level): a description of the cloud.
    """
    effect, cost = np.array(reals(data["effect"])), np.array(reals(data["cost"])) / WAN
    figure, axes = canvas.sheet(3.5)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.axvline(0, color=MUTED, linewidth=0.9)
    stride = max(1, math.ceil(len(effect) / MOST_DRAWS))
    axes.plot(effect[::stride], cost[::stride], "o", markersize=2.2, color=PALETTE[0], alpha=0.28, markeredgewidth=0)
    ring = _mean_and_ring(axes, effect, cost, data, lang)
    _plane_limits(axes, np.append(effect, ring[0]), np.append(cost, ring[1]))
    _quadrants(axes, data.get("shares") or quadrant_shares(effect, cost), lang)
    shown, total = (text.number(n, lang) for n in (len(effect[::stride]), data.get("total", len(effect))))
    lines = [
        own("show.note.ellipse", lang, level=canvas.level(data, lang)),
        own("show.note.draws", lang, shown=shown, total=total),
    ]
    if data.get("threshold") is not None:
        axes.axline((0, 0), slope=data["threshold"] / WAN, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
        lines.append(own("show.note.threshold_line", lang, amount=text.money(data["threshold"], lang)))
    canvas.ticks_as_numbers(axes.xaxis, lang)
    canvas.ticks_as_numbers(axes.yaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.averted"), lang))
    y_title(axes, said(data.get("y_label", "show.axis.net_cost"), lang))
    canvas.footer(figure, lines)
    return figure


def ce_planes(data: dict[str, Any], lang: str) -> Figure:
    """Several programmes on one plane: mean and ellipse of each, named at its mean.

    data
        rows   list of {"label" ("" for none), "mean": [effect, cost], "cov": 2 × 2}: injuries averted, net cost in yuan
        level  of the ellipses (0.95); x_label, y_label
    """
    figure, axes = canvas.sheet(3.5)
    axes.axhline(0, color=MUTED, linewidth=0.9)
    axes.axvline(0, color=MUTED, linewidth=0.9)
    rings = []
    for i, row in enumerate(data["rows"]):
        colour, centre = PALETTE[i % len(PALETTE)], np.array(row["mean"]) / [1, WAN]
        cov = np.array(row["cov"]) / [[1, WAN], [WAN, WAN**2]]
        rings.append(ellipse(centre, cov, data.get("level", 0.95)))
        axes.plot(*rings[-1], color=colour, linestyle=_dash(i), linewidth=1.3)
        axes.plot(*centre, MARKERS[i % len(MARKERS)], color=colour, markersize=6.5, markeredgecolor="white", zorder=5)
        axes.annotate(
            said(row["label"], lang, 14), tuple(centre), xytext=(6, 5), textcoords="offset points", fontsize=9.5,
            color=colour, bbox=GROUND, zorder=6,
        )  # fmt: skip
    x, y = np.hstack(rings)
    _plane_limits(axes, x, y)
    canvas.ticks_as_numbers(axes.xaxis, lang)
    canvas.ticks_as_numbers(axes.yaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.averted"), lang))
    y_title(axes, said(data.get("y_label", "show.axis.net_cost"), lang))
    canvas.footer(figure, [own("show.note.ellipse", lang, level=canvas.level(data, lang))])
    return figure


def _dash(i: int) -> Any:
    """Line style of the i-th line: another one when the colours begin anew."""
    return DASHES[(i + i // len(PALETTE)) % len(DASHES)]


def _mean_and_ring(axes: Axes, effect: np.ndarray, cost: np.ndarray, data: dict[str, Any], lang: str) -> np.ndarray:
    """Draw mean and ellipse, given or of the draws; returns the outline."""
    centre = np.array(data["mean"]) / [1, WAN] if data.get("mean") else np.array([effect.mean(), cost.mean()])
    cov = np.array(data["cov"]) / [[1, WAN], [WAN, WAN**2]] if data.get("cov") else np.cov(effect, cost)
    ring = ellipse(centre, cov, data.get("level", 0.95))
    axes.plot(*ring, color=INK, linewidth=1.3)
    axes.plot(*centre, "D", color=PALETTE[1], markersize=6.5, markeredgecolor="white", zorder=5)
    words = own("show.word.mean", lang)
    axes.annotate(words, tuple(centre), xytext=(7, 5), textcoords="offset points", fontsize=9, bbox=GROUND, zorder=6)
    return ring


def ellipse(mean: np.ndarray, cov: np.ndarray, level: float) -> np.ndarray:
    """Outline (2, 121) of the normal ellipse that holds `level` of the mass."""
    values, vectors = np.linalg.eigh(cov)
    turn = np.linspace(0, 2 * np.pi, 121)
    circle = np.sqrt(-2 * math.log(1 - level)) * np.array([np.cos(turn), np.sin(turn)])
    return mean[:, None] + vectors @ (np.sqrt(np.clip(values, 0, None))[:, None] * circle)


def quadrant_shares(effect: np.ndarray, cost: np.ndarray) -> dict[str, float]:
    """Share of draws by quadrant; better = injuries averted > 0, cheaper = net cost ≤ 0."""
    better, cheaper = effect > 0, cost <= 0
    return {
        "better_cheaper": float(np.mean(better & cheaper)),
        "better_dearer": float(np.mean(better & ~cheaper)),
        "worse_cheaper": float(np.mean(~better & cheaper)),
        "worse_dearer": float(np.mean(~better & ~cheaper)),
    }


def _plane_limits(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    """Show the bulk of the draws and the origin, with head room for the quadrant names."""
    for values, setter, room in ((x, axes.set_xlim, 0.06), (y, axes.set_ylim, 0.2)):
        low, high = np.quantile(values, [0.002, 0.998])
        low, high = min(low, 0.0), max(high, 0.0)
        span = high - low or 1.0
        setter(low - max(room * span, 0.0), high + max(room * span, 0.0))


def _quadrants(axes: Axes, shares: dict[str, float], lang: str) -> None:
    corners = {
        "better_dearer": (0.99, 0.985, "right", "top"),
        "better_cheaper": (0.99, 0.015, "right", "bottom"),
        "worse_dearer": (0.01, 0.985, "left", "top"),
        "worse_cheaper": (0.01, 0.015, "left", "bottom"),
    }
    for name, (x, y, ha, va) in corners.items():
        words = own(
            "show.numbered", lang, label=own(f"show.word.{name}", lang), value=text.percent(shares[name], lang, 0)
        )
        axes.text(
            x,
            y,
            words,
            transform=axes.transAxes,
            ha=ha,
            va=va,
            fontsize=SMALL,
            color=INK,
            zorder=6,
            bbox=GROUND,
        )


def ceac(data: dict[str, Any], lang: str) -> Figure:
    """Confidence that net saving is positive, by willingness to pay per injury averted.

    data
        threshold  list, yuan per injury averted
        series     list of {"label"?, "value": [fraction, …], "mc_error"?: [standard error, …]}
        marks      optional list of {"threshold": yuan, "label"}: vertical lines
        x_label, y_label, level (of the Monte Carlo ribbon, 0.95: value ± 1.96 mc_error)
    """
    from scipy.special import ndtri

    figure, axes = canvas.sheet(3.0)
    at = np.array(reals(data["threshold"])) / WAN
    reach = float(ndtri(0.5 + data.get("level", 0.95) / 2))
    drawn, errors = [], False
    for i, series in enumerate(data["series"]):
        value, colour = 100 * np.array(reals(series["value"])), PALETTE[i % len(PALETTE)]
        error = 100 * np.array(reals(series.get("mc_error"), len(at)))
        errors |= bool(np.isfinite(error).any())
        axes.fill_between(at, value - reach * error, value + reach * error, color=colour, alpha=0.25, linewidth=0)
        axes.plot(at, value, color=colour, linestyle=_dash(i), zorder=3)
        drawn.append((at, value))
    for mark in data.get("marks") or []:
        axes.axvline(mark["threshold"] / WAN, color=MUTED, linewidth=0.9, linestyle=(0, (1, 2)))
        axes.annotate(
            said(mark["label"], lang, 16),
            (mark["threshold"] / WAN, 1.5),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=SMALL,
            va="bottom",
            ha="left",
            color=INK,
        )
    axes.set_ylim(0, 100)
    axes.set_xlim(at.min(), max(at.max(), at.min() + 1))
    canvas.ticks_as_numbers(axes.xaxis, lang)
    canvas.ticks_as_numbers(axes.yaxis, lang)
    axes.set_xlabel(said(data.get("x_label", "show.axis.threshold"), lang))
    y_title(axes, said(data.get("y_label", "show.axis.confidence"), lang))
    line_ends(axes, data, drawn, lang)
    canvas.footer(figure, [own("show.note.mc_error", lang, level=canvas.level(data, lang)) if errors else ""])
    return figure
