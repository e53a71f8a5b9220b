"""One bad city on the real sample: it and its projects are withheld, the others stand, the province runs without it."""

from __future__ import annotations

from bs4 import BeautifulSoup
from e2e.real_runs import KINDS, Ran, digests

from evalkit import plans
from evalkit.pipeline.ledger import read_ledger


def test_one_negative_count_withholds_one_city(ran: Ran, withheld: Ran) -> None:
    """Exit code 2; only the province runs; reports of the other cities keep their bytes; the city and its project have
    none and say why with file, row and column, on the screen, in run.json and on the index."""
    assert withheld.code == 2, withheld.said
    rows = list(read_ledger(withheld.folder))
    own = [r for r in rows if r["run"] == rows[-1]["run"]]
    bad = {t["kind"]: t for t in withheld.run["tasks"] if t["status"] != "ok"}
    place = bad["city"]["place"]
    assert set(bad) == {"city", "project"}
    assert bad["project"]["place"] == place
    assert {r["task"] for r in own if r["event"] == "started"} == {"province/440000"}
    assert {r["task"] for r in own if r["event"] == "withheld"} == {f"city/{place}", f"project/{bad['project']['id']}"}
    before, after = digests(ran.folder), digests(withheld.folder)
    gone = (f"cities/{place}/", f"projects/{bad['project']['id']}/")
    stay = {n for n in before if n.startswith(("cities/", "projects/")) and not n.startswith(gone)}
    assert stay and {n: before[n] for n in stay} == {n: after[n] for n in stay}
    assert not [n for n in after if n.startswith(gone)]
    (problem,) = bad["city"]["problems"]
    assert problem["where"]["row"] == 40 and place in problem["where"]["file"]
    index = (withheld.folder / "index.html").read_text("utf-8")
    assert problem["where"]["file"] in index and problem["where"]["column"] in index
    assert "Traceback" not in withheld.said
    assert problem["where"]["column"] in withheld.said


def test_the_province_report_says_which_city_is_missing(withheld: Ran) -> None:
    """In every language summary and index name the city whose data enter no figure; its rows are in no table."""
    place = next(t["place"] for t in withheld.run["tasks"] if t["kind"] == "city" and t["status"] != "ok")
    names = plans.load("gd_2021_2025").place_name(place)
    for lang, words in (("zh-Hans", "本版不完整"), ("zh-Hant", "本版並不完整"), ("en", "incomplete")):
        (summary,) = withheld.page("province/440000", lang).select("#summary_words")
        assert words in summary.get_text() and names[lang] in summary.get_text()
        index = withheld.folder / ("index.html" if lang == "zh-Hans" else f"index.{lang}.html")
        (row,) = BeautifulSoup(index.read_text("utf-8"), "html.parser").select("#province-440000")
        assert names[lang] in row.select_one(".status-ok .reason").get_text(), "the index says so at the province too"
    results = withheld.results_of("province/440000")
    assert all(place not in i["path"] for i in results["inputs"])
    complete = next(g for g in results["gates"] if g["name"] == "places_complete")
    assert complete["passed"] is False
    assert set(KINDS) == {t["kind"] for t in withheld.run["tasks"]}
