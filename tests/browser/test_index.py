"""The index page in a real Chromium, used with the keyboard alone: sort, filter, change of language, reasons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from test_pages import opened

from evalkit.pipeline.pages import index_file
from evalkit.text import LANGUAGES, number, t

pytestmark = pytest.mark.browser
ROWS = "section[data-kind='city'] tbody tr:not([hidden])"
SORTS = "section[data-kind='city'] thead button"

FIRST_IN_SIGHT = """[...document.querySelectorAll('section[data-kind] tbody tr:not([hidden])')].find(
    row => row.getBoundingClientRect().bottom > document.querySelector('.bar').getBoundingClientRect().bottom).id"""


def index(folder: Path, lang: str = "zh-Hans") -> Path:
    return folder / index_file(lang)


def ids(page: Any, rows: str = ROWS) -> list[str]:
    return page.eval_on_selector_all(rows, "all => all.map(row => row.id)")


def keys(page: Any, column: int) -> list[str]:
    return page.eval_on_selector_all(ROWS, f"all => all.map(row => row.cells[{column}].dataset.sort)")


def tab_to(page: Any, selector: str, limit: int = 400) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(limit):
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")


def change(page: Any, lang: str) -> None:
    """Click on a language where it stands: Playwright's own click would scroll first."""
    box = page.locator(f".languages a[lang='{lang}']").bounding_box()
    with page.expect_navigation():
        page.mouse.click(box["x"] + 5, box["y"] + 5)


def outlined(page: Any) -> bool:
    return page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth) >= 2")


def test_tab_reaches_everything_in_the_order_of_the_page(chromium: Any, run_folder: Path) -> None:
    """Skip link first, then languages, filters and tables; whatever has the focus shows it and is in sight."""
    page, _, _ = opened(chromium, index(run_folder), 1200)
    visited: list[str] = []
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        visited.append(page.evaluate("document.activeElement.id || document.activeElement.getAttribute('href') || ''"))
        assert outlined(page), visited[-1]
        box = page.evaluate("(({top, bottom}) => [top, bottom])(document.activeElement.getBoundingClientRect())")
        assert box[1] > 0 and box[0] < 800, visited[-1]
    assert visited[:6] == ["#main", "index.zh-Hant.html", "index.en.html", "by-name", "by-kind", "by-status"]
    reachable = "a[href], button, select, input, summary, [tabindex='0']"
    assert len(visited) == page.locator(reachable).count()
    places = page.evaluate(
        f"[...document.querySelectorAll(\"{reachable}\")].map(e => e.id || e.getAttribute('href') || '')"
    )
    assert visited == places
    page.close()


def test_the_skip_link_leads_to_the_tables(chromium: Any, run_folder: Path) -> None:
    """Enter on the skip link moves the focus past languages and filters."""
    page, _, _ = opened(chromium, index(run_folder), 1200)
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    page.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_enter_on_a_head_sorts(chromium: Any, run_folder: Path, lang: str) -> None:
    """Enter sorts up, then down, then puts the order back; aria-sort and the live region say so; blanks come last."""
    page, said, _ = opened(chromium, index(run_folder, lang), 1200)
    before, columns = ids(page), page.locator(SORTS).count()
    assert len(before) == 4 and columns >= 5
    for column in range(columns):
        head = page.locator("section[data-kind='city'] thead th").nth(column)
        head.locator("button").focus()
        assert head.get_attribute("aria-sort") == "none"
        found: dict[str, list[str]] = {}
        for state in ("ascending", "descending", "none"):
            page.keyboard.press("Enter" if state != "descending" else "Space")
            assert head.get_attribute("aria-sort") == state
            found[state] = keys(page, column)
            told = t(f"page.said.{'original' if state == 'none' else state}", lang, column=head.inner_text().strip())
            assert told in page.inner_text("#shown")
        assert ids(page) == before
        up, down = ([k for k in found[x] if k] for x in ("ascending", "descending"))
        if all(k.lstrip("-").replace(".", "").isdigit() for k in up):
            assert [float(k) for k in up] == sorted(float(k) for k in up)
            assert [float(k) for k in down] == sorted((float(k) for k in down), reverse=True)
        blanks = found["none"].count("")
        assert found["ascending"][len(up) :] == found["descending"][len(down) :] == [""] * blanks
    assert said == []
    page.close()


def test_filters_narrow_the_tables(chromium: Any, run_folder: Path) -> None:
    """Typing a name in any language, a code, a kind or a status hides the other rows and says how many are left."""
    page, _, _ = opened(chromium, index(run_folder, "en"), 1200)
    everything = ids(page)
    tab_to(page, "#by-name")
    for typed in ("shantou", "汕头", "汕頭", "440500", "ＳＨＡＮ tou"):
        page.keyboard.type(typed)
        assert ids(page) == ["city-440500"], typed
        assert page.inner_text("#shown") == t("page.said.shown", "en", shown=1, total=4)
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
    page.keyboard.type("nowhere")
    assert page.inner_text("#shown") == t("page.said.none", "en", total=4)
    assert not page.locator("section[data-kind='city']").is_visible()
    tab_to(page, "#reset")
    page.keyboard.press("Enter")
    assert ids(page) == everything and page.evaluate("document.activeElement.id") == "by-name"
    tab_to(page, "#by-status")
    for status, left in (("failed", "city-440400"), ("withheld", "city-440600")):
        page.keyboard.type(t(f"run.status.{status}", "en"))
        page.keyboard.press("Enter")
        assert ids(page) == [left]
        page.wait_for_timeout(1100)
    page.close()


def test_another_language_opens_with_the_same_choice_at_the_same_place(chromium: Any, ran: Any) -> None:
    """Filter, sort and the row in sight are kept when the language changes, there and back."""
    page, said, asked = opened(chromium, index(ran.folder), 1200)
    page.set_viewport_size({"width": 1200, "height": 600})
    page.locator(SORTS).nth(3).press("Enter")
    page.fill("#by-name", "44")
    order, at = ids(page), ids(page)[-1]
    page.locator(f"#{at} summary, #{at} a").first.focus()
    change(page, "en")
    assert page.get_attribute("html", "lang") == "en"
    assert ids(page) == order and page.input_value("#by-name") == "44"
    assert page.evaluate("document.activeElement.id") == at
    assert page.locator(f"#{at}").bounding_box()["y"] < 600
    assert page.locator("th[aria-sort='ascending']").count() == 1
    change(page, "zh-Hant")
    assert page.get_attribute("html", "lang") == "zh-Hant"
    assert ids(page) == order and page.evaluate("document.activeElement.id") == at
    page.reload()
    assert ids(page) == order
    page.locator("#by-name").focus()
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    first = page.evaluate(FIRST_IN_SIGHT)
    change(page, "en")
    assert page.evaluate("document.activeElement.id") == first
    assert said == [] and {u.split(":")[0] for u in asked} == {"file"}
    page.close()


def test_a_report_leads_back_to_its_row_and_to_its_other_languages(chromium: Any, ran: Any) -> None:
    """From a report the keyboard reaches the same report in another language, and its row of the index."""
    name = next(n for n in ran.results if n.startswith("city/"))
    page, _, _ = opened(chromium, ran.report(name, "zh-Hans"), 1200)
    tab_to(page, ".languages a[lang='en']")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url == ran.report(name, "en").as_uri()
    tab_to(page, ".home a")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    row = page.locator(":target")
    assert page.get_attribute("html", "lang") == "en" and row.get_attribute("id") == name.replace("/", "-")
    page.close()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_index_says_why_a_place_has_no_report(chromium: Any, run_folder: Path, lang: str) -> None:
    """A failed or stopped place has its reason; problems stand with file, sheet, row, column and what to do."""
    page, _, _ = opened(chromium, index(run_folder, lang), 1200)
    row = page.locator("#city-440600")
    assert t("page.reason.problems", lang, n=3) in row.inner_text()
    tab_to(page, "#city-440600 .reason a")
    page.keyboard.press("Enter")
    box = page.locator("#why-city-440600").bounding_box()
    assert 0 <= box["y"] < 800
    table = page.locator("section.why:has(#why-city-440600) table")
    heads = [t(f"cli.problems.{x}", lang) for x in ("file", "sheet", "row", "column", "expected", "found", "next")]
    assert table.locator("th").all_inner_texts() == heads
    cells = table.locator("tbody tr").nth(1).locator("td").all_inner_texts()
    assert cells[1:4] == ["表1", "12", "人数"]
    assert cells[4:] == [t(f"problem.negative.{x}", lang, value=-3, more="") for x in ("expected", "found", "next")]
    stopped = page.locator("section.why:has(#why-city-440500)").inner_text()
    assert t("gate.totals_tie.title", lang) in stopped and number(4, lang) in stopped
    assert t("page.reason.cell_error", lang) in page.locator("section.why:has(#why-city-440400)").inner_text()
    page.locator("#by-status").select_option("stopped")
    page.locator("#why-city-440600 a").press("Enter")
    page.locator("#city-440600").wait_for(state="visible", timeout=5000)
    page.close()


def test_without_script_the_index_is_whole(chromium: Any, run_folder: Path) -> None:
    """Scripts switched off: every row is there, no dead button, no empty filter, the languages are links."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(index(run_folder).as_uri())
    assert page.locator(ROWS).count() == 4
    assert page.locator("button:visible, input:visible, select:visible").count() == 0
    page.locator(".languages a[lang='en']").click()
    assert page.get_attribute("html", "lang") == "en"
    context.close()


def test_the_policy_lets_only_our_script_run(chromium: Any, run_folder: Path, tmp_path: Path) -> None:
    """A script smuggled into the page does not run, nor ours with one character more."""
    html = index(run_folder).read_text("utf-8")
    for bad in (
        html.replace("</main>", "</main><script>document.title = 'owned'</script>"),
        html.replace('"use strict";', '"use strict"; document.title = "owned";'),
    ):
        assert bad != html
        path = tmp_path / "index.html"
        path.write_text(bad, "utf-8")
        page, said, _ = opened(chromium, path, 1200)
        assert page.title() != "owned" and any("Content Security Policy" in s for s in said)
        page.close()
