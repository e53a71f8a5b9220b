"""The registry of figures and their way onto paper: PNG and SVG, the same bytes for the same exhibit."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core import Exhibit
from . import bars, decision, estimates, lines, money, robustness, rows, synthetic
from .canvas import style, watermark
from .glyphs import GlyphError
from .words import canonical, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: dict[str, Callable[[dict[str, Any], str], Figure]] = {
    "trend": lines.trend,
    "target_path": lines.target_path,
    "event_study": estimates.event_study,
    "forest": estimates.forest,
    "small_multiples": lines.small_multiples,
    "stacked_bar": bars.stacked_bar,
    "coverage_bar": rows.coverage_bar,
    "ce_plane": money.ce_plane,
    "ce_planes": money.ce_planes,
    "ceac": money.ceac,
    "tornado": decision.tornado,
    "value_bars": decision.value_bars,
    "frontier": decision.frontier,
    "budget_path": decision.budget_path,
    "robust_decision": decision.robust_decision,
    "dot_rank": rows.dot_rank,
    "paths": lines.paths,
    "heat": bars.heat,
    "sensitivity": robustness.sensitivity,
    "leave_one_out": robustness.leave_one_out,
    "power_curve": robustness.power_curve,
    "rollout": robustness.rollout,
    "cohort_panels": robustness.cohort_panels,
    "synthetic_paths": synthetic.synthetic_paths,
    "synthetic_weights": synthetic.synthetic_weights,
}
"""Name in `exhibit.data["figure"]` → drawing function (data, language) → matplotlib Figure."""

DPI = 200
COLOURS = 200
PICTURES = "EVALKIT_PICTURES"
"""Environment variable: folder that the processes of one run share, so that no figure is drawn twice. It must not
outlive the run: nothing in it tells by which code a picture was drawn."""
_drawing = threading.Lock()


def figure_png(exhibit: Exhibit | Mapping[str, Any], lang: str, dpi: int = DPI) -> bytes:
    """A figure exhibit as PNG: 5 inches wide, `dpi` dots per inch, no date and no software name inside.

    Raises KeyError for an unknown figure, GlyphError where our own words hold a character without a glyph.
    Not for prose, facts and tables (ValueError).
    """
    essence, shared = _essence(exhibit), os.environ.get(PICTURES)
    if not shared:
        return _print(essence, lang, "png", dpi)
    path = Path(shared) / f"{hashlib.sha256(f'{lang} {dpi} {essence}'.encode()).hexdigest()}.png"
    with suppress(OSError):
        return path.read_bytes()
    png, own = _print(essence, lang, "png", dpi), path.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        own.write_bytes(png)
        own.replace(path)
    return png


def figure_svg(exhibit: Exhibit | Mapping[str, Any], lang: str) -> bytes:
    """The same figure as SVG with letters as outlines, for PDF; errors as in `figure_png`."""
    return _print(_essence(exhibit), lang, "svg", DPI)


def _essence(exhibit: Exhibit | Mapping[str, Any]) -> str:
    data = plain(exhibit)
    if data["kind"] != "figure":
        raise ValueError(f"exhibit {data['id']!r} is {data['kind']}, not a figure")
    return canonical({"data": data["data"], "synthetic": bool(data.get("synthetic"))})


@lru_cache(maxsize=64)
def _print(essence: str, lang: str, form: str, dpi: int) -> bytes:
    content = json.loads(essence)
    data = content["data"]
    if data["figure"] not in FIGURES:
        raise KeyError(f"no figure {data['figure']!r}; there are: {', '.join(FIGURES)}")
    with _drawing, style(), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Glyph .* missing")
        figure = FIGURES[data["figure"]](data, lang)
        if content["synthetic"]:
            watermark(figure, lang)
        try:
            return _svg(figure) if form == "svg" else _png(figure, dpi)
        except UserWarning as warning:
            raise GlyphError(chr(int(n)) for n in [str(warning).split()[1]]) from None


def _svg(figure: Figure) -> bytes:
    target = io.BytesIO()
    figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()


def _png(figure: Figure, dpi: int) -> bytes:
    """Print with a palette of colours: a quarter of the size of full colour, and no visible loss on line art.

    The octree keeps every colour of a figure but rounds the sheet, which is put back.
    """
    from PIL import Image

    figure.set_dpi(dpi)
    canvas: Any = figure.canvas
    canvas.draw()
    whole = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1)
    picture = whole.convert("RGB")
    drawn = picture.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    palette: list[int] = drawn.getpalette() or []
    sheet: Any = drawn.getpixel((0, 0))
    palette[3 * sheet : 3 * sheet + 3] = picture.getpixel((0, 0))  # type: ignore[assignment]
    drawn.putpalette(palette)
    target = io.BytesIO()
    drawn.save(target, "png", compress_level=6, dpi=(dpi, dpi))
    return target.getvalue()
