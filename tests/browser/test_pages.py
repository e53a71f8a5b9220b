"""Published pages in a real Chromium. EVALKIT_BROWSER_RUN=<results folder> points the tests at another run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.text import LANGUAGES

pytestmark = pytest.mark.browser
PAGES_LOOKED_AT = 8


def _pages(folder: Path) -> list[Path]:
    reports = sorted(p for kind in ("province", "cities", "projects") for p in (folder / kind).glob("*/report.*.html"))
    step = max(len(reports) // PAGES_LOOKED_AT, 1)
    return [*sorted(folder.glob("index*.html")), *reports[::step]]


def opened(chromium: Any, path: Path, width: int) -> tuple[Any, list[str], list[str]]:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    page.wait_for_load_state()
    return page, said, asked


def test_pages_are_silent_offline_and_narrow(chromium: Any, run_folder: Path) -> None:
    """No console message, no request beyond the file itself and data, no overflow at 360 px, the right language."""
    paths = _pages(run_folder)
    assert len(paths) >= 6
    for path in paths:
        page, said, asked = opened(chromium, path, 360)
        assert said == [], path
        assert [u for u in asked if not u.startswith(("file:", "data:"))] == [], path
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 360, f"{path} is {wide} px wide"
        named = next((x for x in LANGUAGES if f".{x}." in path.name), "zh-Hans")
        assert page.get_attribute("html", "lang") == named, path
        assert page.evaluate("document.scripts.length") == path.name.startswith("index"), path
        assert page.evaluate("document.querySelectorAll('[onerror],[onload],[onclick],[onmouseover]').length") == 0
        assert "owned" not in page.title() or "<script" in page.title()
        page.close()


def test_pages_have_one_main_and_named_parts(chromium: Any, run_folder: Path) -> None:
    """One main, a skip link that leads to it, unique ids, captions and alternative texts, links that exist."""
    for path in _pages(run_folder):
        page, _, _ = opened(chromium, path, 1000)
        assert page.locator("main").count() == 1, path
        assert page.locator("h1").count() == 1, path
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == "#main", path
        ids = page.eval_on_selector_all("[id]", "elements => elements.map(e => e.id)")
        assert len(ids) == len(set(ids)), path
        assert page.locator("img:not([alt]), img[alt='']").count() == 0, path
        for target in page.eval_on_selector_all("a[href]", "links => links.map(a => a.getAttribute('href'))"):
            if target.startswith("#"):
                assert page.locator(f"[id='{target[1:]}']").count() == 1, (path, target)
            elif not target.startswith(("https:", "mailto:")):
                assert (path.parent / target.partition("#")[0]).is_file(), (path, target)
        page.close()


def test_wide_tables_scroll_by_keyboard_inside_their_frame(chromium: Any, run_folder: Path) -> None:
    """What is wider than its frame lies in a box that can be focused, so that the keyboard can scroll it."""
    find = """[...document.querySelectorAll('main *')]
        .filter(e => e.scrollWidth > e.clientWidth + 1 && e.tabIndex < 0)
        .filter(e => ['auto', 'scroll'].includes(getComputedStyle(e).overflowX)).map(e => e.outerHTML.slice(0, 80))"""
    for path in _pages(run_folder):
        page, _, _ = opened(chromium, path, 360)
        assert page.evaluate(find) == [], path
        page.close()
