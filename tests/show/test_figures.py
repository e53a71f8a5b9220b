"""Figures: all of them draw in every language, with every glyph, in the same bytes, and readable when small."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalkit import text
from evalkit.core import Exhibit, Message, to_plain
from evalkit.show import FIGURES, figure_png, figures
from evalkit.show.canvas import MUTED, PALETTE, SMALL, WIDTH, apart, style
from evalkit.show.estimates import as_drawn, limits
from evalkit.show.glyphs import GlyphError, gaps
from evalkit.show.money import ellipse, quadrant_shares

MATPLOTLIB_AT_REST = (
    "import sys, evalkit.show; sys.exit(any(m.split('.')[0] in ('matplotlib', 'IPython') for m in sys.modules))"
)


@pytest.mark.parametrize("lang", text.LANGUAGES)
@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_draws_without_a_warning(figure: str, lang: str, figure_data: Any, make_figure: Any) -> None:
    """Every registered figure becomes a PNG of the agreed width, with no warning of any library."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = Image.open(io.BytesIO(figure_png(make_figure(figure, figure_data[figure]), lang, dpi=100)))
    assert picture.width == 100 * WIDTH
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 5


@pytest.mark.parametrize("lang", text.LANGUAGES)
@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_is_clipped_and_type_stays_readable(figure: str, lang: str, figure_data: Any) -> None:
    """All words lie inside the sheet, and at 328 pixels of width none is smaller than 7.5 pixels."""
    with style():
        drawn = FIGURES[figure](figure_data[figure], lang)
        drawn.canvas.draw()
        extent = drawn.get_tightbbox()
        for words in drawn.findobj(lambda a: hasattr(a, "get_fontsize") and a.get_visible() and a.get_text().strip()):
            assert words.get_fontsize() * 328 / (72 * WIDTH) > 7.5, words.get_text()
    assert extent.x0 > -0.01
    assert extent.y0 > -0.01
    assert extent.x1 < WIDTH + 0.01
    assert extent.y1 < drawn.get_figheight() + 0.01


def test_bytes_are_the_same_every_time(figure_data: Any, make_figure: Any) -> None:
    """Two drawings of one exhibit give one PNG and one SVG, without date or software inside."""
    exhibit = make_figure("trend", figure_data["trend"])
    first = [figure_png(exhibit, "zh-Hans"), figures.figure_svg(exhibit, "zh-Hans")]
    figures._print.cache_clear()
    second = [figure_png(to_plain(exhibit), "zh-Hans"), figures.figure_svg(exhibit, "zh-Hans")]
    assert first == second
    assert b"Software" not in first[0]
    assert b"dc:date" not in first[1]


def test_processes_of_a_run_lend_each_other_pictures(
    figure_data: Any, make_figure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a shared folder a figure is drawn once a language; the picture is the one that would be drawn, and a folder
    that cannot be written to harms nothing."""
    exhibit = make_figure("trend", figure_data["trend"])
    alone = figure_png(exhibit, "en")
    monkeypatch.setenv(figures.PICTURES, str(tmp_path / "absent"))
    assert figure_png(exhibit, "en") == alone
    monkeypatch.setenv(figures.PICTURES, str(tmp_path))
    assert [figure_png(exhibit, "en"), figure_png(exhibit, "zh-Hans")][0] == alone
    (english,) = (p for p in tmp_path.iterdir() if p.read_bytes() == alone)
    assert len(list(tmp_path.iterdir())) == 2
    english.write_bytes(b"lent")
    assert figure_png(exhibit, "en") == b"lent"


def test_the_sheet_is_white_and_colours_stay(figure_data: Any, make_figure: Any) -> None:
    """The palette leaves the sheet pure white and no colour of the palette of series further off than 8 of 255."""
    picture = Image.open(io.BytesIO(figure_png(make_figure("trend", figure_data["trend"]), "en"))).convert("RGB")
    assert picture.getpixel((0, 0)) == (255, 255, 255)
    line = np.array([int(PALETTE[0][i : i + 2], 16) for i in (1, 3, 5)])
    assert np.abs(np.asarray(picture).astype(int) - line).max(axis=2).min() <= 8


def test_synthetic_mark_is_drawn(figure_data: Any, make_figure: Any) -> None:
    """The watermark changes the picture, in every language its own words."""
    for lang in text.LANGUAGES:
        with_mark = figure_png(make_figure("ceac", figure_data["ceac"]), lang)
        assert with_mark != figure_png(make_figure("ceac", figure_data["ceac"], synthetic=False), lang)


def test_figures_read_back_from_results(figure_data: Any, make_figure: Any) -> None:
    """An exhibit that went through JSON draws the same picture as the noun."""
    exhibit = make_figure("forest", figure_data["forest"])
    assert figure_png(json.loads(json.dumps(to_plain(exhibit))), "en") == figure_png(exhibit, "en")


def test_alternative_text_is_required() -> None:
    """A figure without a text alternative cannot be made."""
    with pytest.raises(ValueError, match="alt"):
        Exhibit(id="F", kind="figure", title=Message(key="show.figure"), data={"figure": "trend"})


def test_unknown_figure_lists_the_known(make_figure: Any) -> None:
    """A wrong figure name is answered with the names there are."""
    with pytest.raises(KeyError, match="event_study"):
        figure_png(make_figure("pie", {}), "en")


def test_rare_character_in_a_name_is_noted_not_boxed(figure_data: Any, make_figure: Any) -> None:
    """A firm whose name has no glyph is drawn with a mark, and its code point is collected."""
    rows = [{"label": "甲\U00020000厂", "estimate": 0.9, "conf_low": 0.8, "conf_high": 1.0}]
    exhibit = to_plain(make_figure("forest", {"rows": rows}))
    assert figure_png(exhibit, "zh-Hans")
    assert gaps(exhibit, "zh-Hans") == ("U+20000",)


def test_character_that_slips_through_is_an_error(figure_data: Any, make_figure: Any, monkeypatch: Any) -> None:
    """A glyph missing at the moment of drawing stops the figure with its code point."""

    def careless(data: dict[str, Any], lang: str) -> Any:
        drawn = FIGURES["ceac"](figure_data["ceac"], lang)
        drawn.text(0.5, 0.5, "\U00020000")
        return drawn

    monkeypatch.setitem(FIGURES, "careless", careless)
    with pytest.raises(GlyphError, match="U\\+20000"):
        figure_png(make_figure("careless", {}), "en")


def test_hostile_labels_are_drawn_as_they_are(make_figure: Any) -> None:
    """Dollar signs, backslashes and markup in data are never taken for a formula."""
    for words in ("$x^{$", r"\frac{1", "<b>&amp;", "100% $", "_a^b", "$\\alpha$"):
        rows = [{"label": words, "value": 0.5, "numerator": 1, "denominator": 2}]
        assert figure_png(make_figure("coverage_bar", {"rows": rows}), "en", dpi=60)


@pytest.mark.parametrize("figure", ["trend", "forest", "event_study", "dot_rank", "coverage_bar", "small_multiples"])
def test_gaps_in_data_are_drawn_as_gaps(figure: str, figure_data: Any, make_figure: Any) -> None:
    """Missing values leave a gap; nothing is drawn at zero and nothing fails."""
    hollow = _without_values(figure_data[figure])
    assert figure_png(make_figure(figure, hollow), "zh-Hans", dpi=60)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_table_of_numbers_draws_and_refuses_too_many_columns(lang: str, make_figure: Any) -> None:
    """Numbers with gaps are written into cells; more columns than can be read are refused."""
    heads = [{"zh-Hans": f"指标{i}（‰）", "en": f"Indicator {i} (‰)"} for i in range(5)]
    cells = [[1.5, None, -3.0, 0.0, 1e4], [2.5, None, 4.0, 0.0, 2e4]]
    data = {"rows": ["甲", "乙"], "columns": heads, "cells": cells, "scale": "number", "digits": [1, 1, 1, 1, 0]}
    assert figure_png(make_figure("heat", data), lang, dpi=60)
    wide = {**data, "columns": heads * 2, "cells": [row * 2 for row in cells]}
    with pytest.raises(ValueError, match="9 columns"):
        figure_png(make_figure("heat", wide), lang)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_bars_lie_down_for_long_names(lang: str, make_figure: Any) -> None:
    """Category names that do not fit side by side turn the bars; shares add to 100 %."""
    names = [{"zh-Hans": "机械制造企业的全部工伤" + str(i), "en": f"All injuries in machinery {i}"} for i in range(6)]
    data = {"categories": names, "series": [{"label": "show.table", "value": [1, 2, 3, 0, 5, 6]}], "share": "share"}
    assert figure_png(make_figure("stacked_bar", data), lang, dpi=60)


NOTHING = {"label": "show.table", "estimate": None, "conf_low": None, "conf_high": None}
EDGES: list[tuple[str, dict[str, Any]]] = [
    ("trend", {"series": [{"time": [2025], "value": [2.0]}], "y_label": "show.axis.share"}),
    ("trend", {"series": [{"time": [2024, 2025], "value": [0, 0]}], "y_label": "show.axis.share"}),
    ("trend", {"series": [{"time": [2024, 2025], "value": [None, None]}], "y_label": "show.axis.share"}),
    ("small_multiples", {"panels": [], "y_label": "show.axis.share"}),
    ("forest", {"rows": []}),
    ("forest", {"rows": [{**NOTHING, "refused": "show.word.not_testable"}]}),
    ("forest", {"rows": [{"label": "x", "estimate": 0.9, "conf_low": 0.0, "conf_high": "Infinity"}]}),
    (
        "event_study",
        {"event_time": [-1, 0], "estimate": [0, 0.1], "conf_low": [None, "-Infinity"], "conf_high": [None, "Infinity"]},
    ),
    ("event_study", {"event_time": [-1, 0], "estimate": [0, 0.1], "testable": False, "measure": "difference"}),
    ("ce_plane", {"effect": [1.0] * 9, "cost": [1e5] * 9}),
    ("ceac", {"threshold": [0.0], "series": [{"value": [0.5]}]}),
    ("dot_rank", {"rows": [{"label": "x", "value": None}], "x_label": "show.axis.share"}),
    ("coverage_bar", {"rows": []}),
    ("heat", {"rows": ["a"], "columns": ["b"], "cells": [[None]]}),
]


@pytest.mark.parametrize(("figure", "data"), EDGES)
def test_little_or_unbounded_data_draw(figure: str, data: dict[str, Any], make_figure: Any) -> None:
    """One point, nothing at all, zeros only and unbounded intervals draw without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert figure_png(make_figure(figure, data), "zh-Hans", dpi=60)


def test_palette_survives_grey_print() -> None:
    """Neighbouring series differ in lightness, and text colours reach 4.5 : 1 on white."""
    light = [_luminance(c) for c in PALETTE]
    assert all(abs(a - b) > 0.02 for a, b in pairwise(light))
    assert 1.05 / (_luminance(MUTED) + 0.05) > 4.5
    assert 1.05 / (light[0] + 0.05) > 4.5
    assert SMALL >= 8.5


def test_labels_are_pushed_apart() -> None:
    """Labels wanted at the same height neither overlap nor leave the sheet."""
    centres = sorted(apart([98.0, 98.0, 97.0], [10.0, 10.0, 10.0], 105.0))
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(centres))
    assert centres[-1] <= 100


def test_limits_hold_every_estimate() -> None:
    """A huge interval is cut, an estimate never is."""
    middle, low, high = np.array([0.9, 1.1, 0.8]), np.array([0.8, 1.0, 1e-6]), np.array([1.0, 1.2, 1e6])
    bottom, top = limits(low, high, middle, 1.0, True)
    assert bottom < 0.8
    assert 1.2 < top < 50


def test_log_ratios_are_drawn_as_ratios() -> None:
    """The exponential is taken once, for the measure that asks for it."""
    assert as_drawn([0.0, None], "log_rate_ratio", 2)[0] == 1.0
    assert as_drawn([0.9], "rate_ratio", 1)[0] == 0.9


def test_ellipse_holds_its_share() -> None:
    """The ellipse contains its level of a normal cloud, and quadrant shares add to one."""
    rng = np.random.default_rng(1)
    cov = np.array([[4.0, -3.0], [-3.0, 9.0]])
    draws = rng.multivariate_normal([1, 2], cov, 20_000)
    centred = draws - [1, 2]
    inside = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(cov), centred) <= -2 * np.log(0.05)
    ring = ellipse(np.array([1.0, 2.0]), cov, 0.95) - np.array([[1.0], [2.0]])
    radius = np.einsum("ij,ik,kj->j", ring, np.linalg.inv(cov), ring)
    assert np.allclose(radius, -2 * np.log(0.05))
    assert abs(inside.mean() - 0.95) < 0.01
    assert sum(quadrant_shares(*draws.T).values()) == pytest.approx(1)


def test_nothing_heavy_is_imported_before_a_figure() -> None:
    """Importing `show` loads neither matplotlib nor IPython."""
    assert subprocess.run([sys.executable, "-c", MATPLOTLIB_AT_REST], check=False).returncode == 0


def _without_values(data: Any) -> Any:
    measured = {"value", "estimate", "conf_low", "conf_high", "numerator", "denominator", "band_low", "band_high"}
    if isinstance(data, dict):
        return {k: _hollow(v) if k in measured else _without_values(v) for k, v in data.items() if k != "target"}
    return [_without_values(v) for v in data] if isinstance(data, list) else data


def _hollow(value: Any) -> Any:
    return [None if i % 2 else v for i, v in enumerate(value)] if isinstance(value, list) else None


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("low", "high"), [(0.5, 1.02), (0.9, 1.1), (0.3, 3.0), (0.02, 40.0), (0.72, 0.99)])
def test_ticks_of_a_ratio_axis_spread_over_it(low: float, high: float) -> None:
    """The ticks of a rate-ratio axis are not huddled at one end."""
    from matplotlib.figure import Figure

    from evalkit.show.canvas import ratio_ticks

    axis = Figure().subplots().xaxis
    ratio_ticks(axis, low, high, "en", most=5)
    ticks = axis.get_major_locator()()
    assert len(ticks) >= 2
    assert np.log(ticks[-1] / ticks[0]) >= 0.5 * np.log(high / low)
