"""The real public panel through the same command: the published estimate computed and moved by the data, no mark."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from e2e.real_runs import ROOT, Ran, digests, exhibits, numbers, parsed

pytestmark = pytest.mark.xdist_group("zones")
LANGUAGES = ("zh-Hans", "en")
PUBLISHED, USUAL_ERROR = -0.182, 0.078
"""Wooldridge, Introductory Econometrics, example 13.8: growth of log claims on enterprise zone and year dummies."""
PLACES = "440300|440100|guangdong|shenzhen|广东|深圳|ezunem|indiana|enterprise_zone|machinery_offline"
MAY_NAME_PLACES = ("plans", "data/sample", "text", "sources", "show/fonts")


def by_hand(workspace: Path) -> tuple[float, float, int]:
    """Estimate, usual standard error and n of the first difference, from the raw file by least squares."""
    raw = pd.read_csv(workspace / "raw" / "ezunem.csv").sort_values(["city", "year"])
    growth = np.log(raw.value).groupby(raw.city).diff()
    zone = raw.treated.groupby(raw.city).diff()
    kept = growth.notna().to_numpy()
    years = pd.get_dummies(raw.year[kept]).to_numpy(dtype=float)
    x, y = np.column_stack([zone[kept], years]), growth[kept].to_numpy()
    beta, *_ = np.linalg.lstsq(x, y, rcond=None)
    residual = y - x @ beta
    variance = residual @ residual / (len(y) - x.shape[1]) * np.linalg.inv(x.T @ x)
    return float(beta[0]), float(np.sqrt(variance[0, 0])), len(y)


def rows(results: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The table of first differences by estimator."""
    data = results["exhibits"]["programme_differences"]["data"]
    names = [c["name"] for c in data["columns"]]
    return {row[0]["key"].split(".")[-1]: dict(zip(names, row)) for row in data["rows"]}


def test_22_cities_and_an_overview(zones: Ran) -> None:
    """The same command, without a word about this panel, gives 22 city reports, an overview and an index, twice."""
    assert zones.code == 0, zones.said
    assert sorted(zones.results) == [*(f"city/c{i:02d}" for i in range(1, 23)), "province/all"]
    for lang in LANGUAGES:
        assert all(zones.report(name, lang).is_file() for name in zones.results)
        assert (zones.folder / ("index.html" if lang == "zh-Hans" else f"index.{lang}.html")).is_file()


def test_the_published_estimate_is_recomputed(zones: Ran) -> None:
    """First difference −0.182 with the usual error 0.078 on 176 observations, equal to least squares by hand."""
    results = zones.results["province/all"]
    usual = rows(results)["first_difference_usual"]
    estimate, error, n = by_hand(zones.workspace)
    assert usual["estimate"] == pytest.approx(-0.1818776, abs=1e-6)
    assert usual["std_error"] == pytest.approx(0.0781862, abs=1e-6)
    assert (round(usual["estimate"], 3), round(usual["std_error"], 3)) == (PUBLISHED, USUAL_ERROR)
    assert usual["n_obs"] == n == 176
    assert usual["estimate"] == pytest.approx(estimate, abs=1e-10)
    assert usual["std_error"] == pytest.approx(error, abs=1e-10)
    path = results["effects"]["first_difference"]
    assert path["estimate"][0] == results["values"]["first_difference"] == usual["estimate"]
    assert (path["terms"][0]["n_obs"], path["terms"][0]["n_clusters"]) == (176, 22)
    assert path["terms"][0]["n_treated_clusters"] == 10


def test_other_answers_stand_beside_it(zones: Ran) -> None:
    """The cluster-robust error that the router chose and the two-way estimate stand in the same table."""
    found = rows(zones.results["province/all"])
    usual, routed, levels = (found[k] for k in ("first_difference_usual", "first_difference_router", "twfe_log"))
    assert usual["rule"]["key"] == "inference.rule.usual"
    assert routed["rule"]["key"] == "inference.rule.cr3"
    assert routed["estimate"] == usual["estimate"]
    assert routed["std_error"] > usual["std_error"]
    assert routed["df"] < 22 - 1 < usual["df"]
    assert levels["n_obs"] == 198
    inference = zones.results["province/all"]["effects"]["first_difference"]["inference"][0]
    assert (inference["rule"], inference["reason"]) == ("cr3", "inference.reason.cr3")
    assert inference["effective_treated"] > 8 and inference["effective_control"] > 8


def test_every_rule_of_the_appendix_is_there(zones: Ran) -> None:
    """The overview lists the clustered errors, the bootstrap and the permutation for its headline."""
    data = zones.results["province/all"]["exhibits"]["robustness_rules"]["data"]
    assert [row[0]["key"].split(".")[-1] for row in data["rows"]] == ["cr3", "cr2", "cr1", "wild", "permutation"]


def test_the_pages_print_the_estimate(zones: Ran) -> None:
    """The overview and every city's page print −0.1819 and 0.0782 in both languages."""
    for name in zones.results:
        for lang in LANGUAGES:
            row = exhibits(zones.page(name, lang))["programme_differences"].select("tbody tr")[0]
            printed = [x for cell in row.select("td") for x in numbers(cell)]
            assert printed[:2] == [-0.1819, 0.0782], name
            assert printed[-1] == 176


def test_another_value_gives_another_estimate(zones: Ran, perturbed: Ran) -> None:
    """Claims of one zone city in one year up by a half: the estimate moves to what least squares says of those data."""
    assert perturbed.code == 0, perturbed.said
    assert set(perturbed.results) == {"province/all"}
    estimate, error, _ = by_hand(perturbed.workspace)
    usual = rows(perturbed.results["province/all"])["first_difference_usual"]
    assert usual["estimate"] == pytest.approx(estimate, abs=1e-10)
    assert usual["std_error"] == pytest.approx(error, abs=1e-10)
    first = zones.results["province/all"]
    assert abs(usual["estimate"] - first["values"]["first_difference"]) > 1e-3
    assert perturbed.results["province/all"]["values"]["rate_ratio"] != first["values"]["rate_ratio"]


def test_real_data_are_not_called_synthetic(zones: Ran) -> None:
    """No mark in run.json, results.json, on a page or on an exhibit."""
    assert zones.run["synthetic"] is False
    for name, results in zones.results.items():
        assert results["synthetic"] is False
        assert not any(e["synthetic"] for e in results["exhibits"].values())
        for lang in LANGUAGES:
            page = zones.page(name, lang)
            assert "合成数据" not in page.get_text() and "SYNTHETIC" not in page.get_text()
            assert not page.select(".ek-synthetic, .ek-mark")
    for index in ("index.html", "index.en.html"):
        assert "合成数据" not in parsed(zones.folder / index).get_text()


def test_the_files_are_as_before(zones: Ran) -> None:
    """The public data are read, not written, and results name them with their digest."""
    assert digests(zones.workspace) == zones.before
    entry = zones.results["province/all"]["inputs"][0]
    assert zones.before[entry["path"]] == entry["sha256"]


def test_each_city_tells_its_own_story(zones: Ran) -> None:
    """A city's page shows its own series: its change is the one in the raw file, and starts differ as they did."""
    raw = pd.read_csv(zones.workspace / "raw" / "ezunem.csv").pivot(index="year", columns="city", values="value")
    for city in raw:
        values = zones.results[f"city/{city}"]["values"]
        assert values["own_change"] == pytest.approx(raw[city].iloc[-1] / raw[city].iloc[0] - 1, rel=1e-12)
    starts = {r["values"].get("start") for name, r in zones.results.items() if name.startswith("city/")}
    assert starts == {None, 1984, 1985}


def test_no_code_knows_a_place_or_a_programme() -> None:
    """Outside plans, samples, texts and sources no line of code names a place, a programme or a data set.

    A docstring or comment may cite a regulation or say whose price index it is.
    """
    package = ROOT / "evalkit"
    found = []
    for path in sorted(package.rglob("*")):
        relative = path.relative_to(package).as_posix()
        if path.suffix in (".py", ".toml", ".csv", ".json", ".j2", ".css") and not relative.startswith(MAY_NAME_PLACES):
            found += [f"{relative}: {line}" for line in code_lines(path) if re.search(PLACES, line, re.IGNORECASE)]
    assert found == []


def code_lines(path: Path) -> list[str]:
    """Lines of code; in Python without comments and docstrings."""
    if path.suffix != ".py":
        return path.read_text("utf-8").splitlines()
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [s for s in body if not is_words(s)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree).splitlines()


def is_words(statement: Any) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
