"""axe-core finds nothing serious on the index and the reports, in three languages, at a desk and on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from e2e.real_runs import Ran
from test_pages import opened

from evalkit.pipeline.pages import index_file
from evalkit.text import LANGUAGES

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("e2e")]
GRAVE = ("serious", "critical")
WIDTHS = (360, 1200)


def checked(page: Any) -> tuple[list[dict[str, Any]], int]:
    """The violations that axe-core finds with all its rules, and how many rules found something to pass."""
    base = pytest.importorskip("axe_playwright_python.base")
    page.evaluate(Path(base.AXE_FILE_PATH).read_text("utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return found["violations"], len(found["passes"])


def grave(page: Any) -> list[tuple[str, str, list[str]]]:
    violations, passed = checked(page)
    assert passed > 15
    return [(v["id"], v["help"], [n["html"][:160] for n in v["nodes"][:3]]) for v in violations if v["impact"] in GRAVE]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_pages_of_a_real_run(chromium: Any, ran: Ran, lang: str) -> None:
    """Index, project, smallest and largest city and the province of the sample have no serious violation."""
    assert ran.code == 0, ran.said
    cities = sorted((n for n in ran.results if n.startswith("city/")), key=lambda n: ran.results[n]["values"]["cases"])
    names = [n for n in ran.results if not n.startswith("city/")] + [cities[0], cities[-1]]
    assert {n.split("/")[0] for n in names} == {"project", "city", "province"}
    paths = [ran.folder / index_file(lang), *(ran.report(n, lang) for n in names)]
    for path in paths:
        for width in WIDTHS:
            page, _, _ = opened(chromium, path, width)
            assert grave(page) == [], path
            page.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_index_in_every_state(chromium: Any, run_folder: Path, lang: str) -> None:
    """Sorted, filtered to nothing, with gates opened and with places that have no report: nothing serious either."""
    page, _, _ = opened(chromium, run_folder / index_file(lang), 1200)
    assert grave(page) == []
    page.locator("thead button").first.click()
    for summary in page.locator("summary").all():
        summary.click()
    assert grave(page) == []
    page.fill("#by-name", "nothing like it")
    assert grave(page) == []
    page.close()


def test_the_checker_bites(chromium: Any, run_folder: Path) -> None:
    """The same page with pale text, an unnamed button and a picture without words is found out."""
    page, _, _ = opened(chromium, run_folder / index_file("en"), 1200)
    page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend',"
        ' \'<p style="color:#ccc">pale words</p><button></button><img src="data:,">\')'
    )
    assert {v[0] for v in grave(page)} >= {"color-contrast", "button-name", "image-alt"}
    page.close()
