"""ATT(g,t) from sums of the rows seen, against comparisons of the rows themselves and true re-fits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, Panel
from evalkit.did import att_gt_sections, att_gt_seen
from evalkit.did.att_gt import _sample, att_gt_fit
from evalkit.did.group_time import plan
from tests.did.conftest import build_panel

T = 6
RULES = ("analytic", "cr1", "cr2", "cr3")


def _panel(n: int = 90, clusters: int | None = 9, holes: float = 0.25, weighted: bool = False) -> Panel:
    rng = np.random.default_rng(7)
    cohort = np.array([2, 4, NEVER])[rng.permutation(np.arange(n) % 3)]
    cluster = np.arange(n) if clusters is None else rng.permutation(np.arange(n) % clusters)
    y = 1000 + 3 * rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, (n, T)).cumsum(axis=1)
    y[rng.random((n, T)) < holes] = np.nan
    y[:, 3] = np.where(np.isnan(y).all(axis=1), 1000.0, y[:, 3])
    weight = rng.uniform(0.5, 2, (n, T)) if weighted else None
    return build_panel({"y": y}, cohort, cluster=cluster, weight=weight)


DESIGNS = {
    "never": Design(control="never"),
    "varying": Design(control="not_yet", base="varying"),
    "anticipation": Design(control="not_yet", anticipation=1),
}


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("clusters", [None, 9])
def test_sums_say_what_the_rows_say(clusters, weighted, name):
    """Estimates, every covariance, degrees of freedom and counts are those of comparing the rows of each cell."""
    panel, design = _panel(clusters=clusters, weighted=weighted), DESIGNS[name]
    sample = _sample(panel, design, plan(panel, design), "y")
    a, b = att_gt_seen.solve(sample), att_gt_sections.solve(sample, "reg")
    assert (a.kept, a.refused) == (b.kept, b.refused)
    np.testing.assert_allclose(a.part.estimate, b.part.estimate, rtol=1e-10, atol=1e-10)
    rows = np.eye(a.part.width)
    for rule in RULES:
        np.testing.assert_allclose(a.part.vcov(rule, rows), b.part.vcov(rule, rows), rtol=1e-8, atol=1e-11)
    live = b.part.live(rows)
    np.testing.assert_array_equal(a.part.live(rows), live)
    np.testing.assert_allclose(a.part.df(rows[live]), b.part.df(rows[live]), rtol=1e-9)
    for told in ("clusters", "estimable", "effective"):
        np.testing.assert_allclose(getattr(a.part, told)(rows[live]), getattr(b.part, told)(rows[live]), rtol=1e-9)


def test_jackknife_is_the_true_one():
    """θ − θ without a cluster is a re-fit of the panel without it, also where a cell is lost with the cluster."""
    panel, design = _panel(), DESIGNS["varying"]
    fit = att_gt_fit(panel, design)
    table = did.leave_one_out(panel, design, "att_gt")
    wanted = -table["change"].to_numpy().reshape(9, -1) * np.sqrt(8 / 9)
    np.testing.assert_allclose(fit.sources[0].scores("cr3", fit.path.transform), wanted, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_many_units_are_crossed_not_listed(weighted, monkeypatch):
    """Cross products over blocks of units give what a list of clusters gives, and what the rows give."""
    panel, design = _panel(n=240, clusters=None, weighted=weighted), DESIGNS["never"]
    listed = att_gt_fit(panel, design)
    for module in (att_gt_seen, att_gt_sections):
        monkeypatch.setattr(module, "LISTED", 10)
    monkeypatch.setattr(att_gt_seen, "BLOCK", 17)
    crossed = att_gt_fit(panel, design)
    p, q, rows = crossed.sources[0], listed.sources[0], listed.path.transform
    assert p.scores("cr3", rows) is None
    for rule in ("analytic", "cr1"):
        np.testing.assert_allclose(p.vcov(rule, rows), q.vcov(rule, rows), rtol=1e-8, atol=1e-12)
    by_rows = att_gt_sections.solve(_sample(panel, design, plan(panel, design), "y"), "reg").part
    for rule in RULES:  # rows keep their stretch in single precision
        np.testing.assert_allclose(p.vcov(rule, rows), by_rows.vcov(rule, rows), rtol=1e-6, atol=1e-9)
    live = p.live(rows)
    np.testing.assert_allclose(p.df(rows[live]), by_rows.df(rows[live]), rtol=1e-9)


def test_a_period_without_treated_rows_is_refused():
    """A cell with no treated row in one of its periods has no estimate, and says why; the others stand."""
    panel = _panel()
    y = panel.matrix().copy()
    y[panel.cohort == 2, 5] = np.nan
    path = did.att_gt(replace(panel, outcomes={"y": y}), DESIGNS["never"])
    assert [(r.cohort, r.time, r.reason) for r in path.refused] == [(2002, 2005, "refused.no_treated")]
    assert (2002, 2005) not in {(t.cohort, t.time) for t in path.terms}
