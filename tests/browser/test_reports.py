"""Reports of a real run of the sample in a real Chromium: quiet, offline, readable on a phone and on paper."""

from __future__ import annotations

import shutil
import subprocess
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from e2e.real_runs import Ran
from test_pages import opened

from evalkit import text
from evalkit.pipeline.pages import index_file

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]
PHONE, DESK = 360, 1100
PAPER = 658
"""Width of an A4 page less the margins of 18 mm that the style sheet sets, at 96 px an inch."""
MISSING = "\U0010fffd"
"""A private-use character that no font has: what it is drawn as is what a missing glyph is drawn as."""


@pytest.fixture(scope="module")
def paths(ran: Ran) -> list[tuple[str, str, Path]]:
    """(name, language, file) of the largest and the smallest city, the project, the province and the index."""
    assert ran.code == 0, ran.said
    cities = sorted((n for n in ran.results if n.startswith("city/")), key=lambda n: ran.results[n]["values"]["cases"])
    others = [n for n in ran.results if not n.startswith("city/")]
    pages = [(n, lang, ran.report(n, lang)) for n in (cities[-1], cities[0], *others) for lang in text.LANGUAGES]
    return pages + [("index", lang, ran.folder / index_file(lang)) for lang in text.LANGUAGES]


def test_reports_are_quiet_offline_and_fit_a_phone(chromium: Any, paths: list[tuple[str, str, Path]]) -> None:
    """No console message, no request but the file itself and data, the right language, no sideways scroll at 360 px."""
    assert len(paths) == 15
    for name, lang, path in paths:
        page, said, asked = opened(chromium, path, PHONE)
        assert said == [], name
        assert {u.split(":")[0] for u in asked} <= {"file", "data"}, name
        assert [u for u in asked if u.startswith("file:")] == [path.as_uri()], name
        assert page.get_attribute("html", "lang") == lang
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, name
        assert page.evaluate("getComputedStyle(document.body).fontSize.replace('px', '') >= 14"), name
        page.close()


def test_every_picture_is_drawn_and_told(chromium: Any, paths: list[tuple[str, str, Path]]) -> None:
    """Each image has loaded, has an alternative text of its own and fits the page; reports have at least one."""
    for name, _, path in paths:
        page, _, _ = opened(chromium, path, PHONE)
        images = page.eval_on_selector_all(
            "img", "all => all.map(i => [i.alt, i.naturalWidth, i.getBoundingClientRect().width])"
        )
        assert bool(images) == (name != "index"), name
        alts = [alt for alt, _, _ in images]
        assert all(len(alt.strip()) > 10 for alt in alts), name
        assert len(set(alts)) == len(alts), name
        assert all(drawn > 200 and 0 < shown <= PHONE for _, drawn, shown in images), name
        page.close()


def test_reports_can_be_printed(chromium: Any, paths: list[tuple[str, str, Path]]) -> None:
    """In print every exhibit is still there, nothing is cut at the side of an A4 page, and a PDF comes out."""
    for name, _, path in paths:
        page, said, _ = opened(chromium, path, DESK)
        shown = page.locator(".ek-exhibit").count()
        page.emulate_media(media="print")
        page.set_viewport_size({"width": PAPER, "height": 1000})
        visible = page.eval_on_selector_all(".ek-exhibit", "all => all.filter(e => e.offsetHeight > 0).length")
        assert visible == shown, name
        assert page.evaluate("document.documentElement.scrollWidth") <= PAPER, name
        cut = page.eval_on_selector_all(
            ".ek-scroll, .scroll", "all => all.filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.ariaLabel)"
        )
        assert cut == [], name
        assert page.pdf(format="A4").startswith(b"%PDF"), name
        assert said == [], name
        page.close()


def has_chinese_fonts() -> bool:
    if shutil.which("fc-list") is None:
        return False
    found = subprocess.run(["fc-list", ":lang=zh-cn", "family"], capture_output=True, text=True, check=False)
    return bool(found.stdout.strip())


@pytest.fixture(scope="module")
def chinese_fonts() -> None:
    """What only a machine to look with has; in CI a skip is a failure."""
    if not has_chinese_fonts():
        pytest.skip("fc-list knows no font for Chinese text")


def test_no_character_of_a_report_is_a_box(
    chromium: Any, paths: list[tuple[str, str, Path]], chinese_fonts: None
) -> None:
    """Every Chinese character that a page shows is drawn differently from a character that no font has."""
    characters = sorted({c for _, _, path in paths for c in shown_text(chromium, path) if "\u3400" <= c <= "\u9fff"})
    assert len(characters) > 300
    page = chromium.new_page()
    drawings = drawn(page, [MISSING, "\U0010fffc", *characters])
    page.close()
    assert drawings[0] == drawings[1]
    assert [c for c, image in zip(characters, drawings[2:]) if image == drawings[0]] == []


def shown_text(chromium: Any, path: Path) -> str:
    page, _, _ = opened(chromium, path, DESK)
    words = page.inner_text("body")
    page.close()
    return words


def drawn(page: Any, characters: list[str]) -> list[bytes]:
    """Each character as the browser draws it with the fonts of a report."""
    from matplotlib.image import imread

    from evalkit.show.display import stylesheet

    box = "display:inline-block;width:32px;height:32px;font-size:24px;line-height:32px;overflow:hidden;font-weight:400"
    style = f"{stylesheet()} body.ek-report {{margin:0;padding:0;max-width:none}} b {{{box}}}"
    cells = "".join(f"<b>{c}</b>" for c in characters)
    page.set_viewport_size({"width": 32 * 32, "height": 32 * (len(characters) // 32 + 1)})
    page.set_content(f'<html lang="zh-Hans"><style>{style}</style><body class="ek-report">{cells}')
    boxes = page.eval_on_selector_all("b", "all => all.map(b => b.getBoundingClientRect()).map(r => [r.x, r.y])")
    image = (imread(BytesIO(page.screenshot(full_page=True))) * 255).astype(np.uint8)
    return [image[round(y) : round(y) + 32, round(x) : round(x) + 32].tobytes() for x, y in boxes]


def test_the_mark_of_synthetic_data_is_seen(chromium: Any, paths: list[tuple[str, str, Path]]) -> None:
    """On a phone the banner is the first thing below the top; on paper a mark lies across the page."""
    for name, lang, path in paths:
        page, _, _ = opened(chromium, path, PHONE)
        banner = page.locator(".banner").first
        assert text.t("common.synthetic", lang) in banner.inner_text(), name
        assert banner.bounding_box()["y"] < 400, name
        page.emulate_media(media="print")
        assert banner.is_visible(), name
        page.close()
