"""Sensitivity, power and design as exhibits: complete, and drawn in every language."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from evalkit import did, text
from evalkit.core import NEVER, Design, Panel
from evalkit.show import check_exhibits, figure_png, render
from evalkit.study import robustness

PLAN = SimpleNamespace(settings={"outcomes": {"y": {"name": "y"}}})
PRIVACY = SimpleNamespace(public_threshold=10)
CASE = SimpleNamespace(as_of="2026-10-31", synthetic=True, plan=PLAN)


def panel(treated: int = 14, n: int = 40) -> Panel:
    rng = np.random.default_rng(3)
    cohort = np.full(n, NEVER)
    cohort[:treated] = [5, 6] * (treated // 2)
    y = rng.normal(0, 0.1, (n, 9)) - 0.3 * (np.arange(9)[None] >= cohort[:, None])
    return Panel(
        units=tuple(f"u{i}" for i in range(n)),
        times=tuple(f"{2022 + q // 4}Q{q % 4 + 1}" for q in range(9)),
        outcomes={"y": 1 + y},
        cohort=cohort,
        cluster=np.arange(n),
        cluster_names=tuple(f"c{i}" for i in range(n)),
        covariates={"size": np.repeat(rng.gamma(5, 1, (n, 1)), 9, axis=1)},
        outcome_unit="log_rate",
        frequency="quarter",
    )


@pytest.fixture(scope="module")
def exhibits():
    p = panel()
    window = Design(window=(-4, 3))
    path = did.event_study(p, window)
    few = did.honest(did.event_study(panel(4), window))
    cohorts = did.event_study(p)  # no cohort × time rows: the panels stay empty unless an estimator has them
    return [
        robustness.sensitivity_figure(CASE, did.honest(path), measure="log_rate"),
        robustness.leave_one_out_figure(CASE, did.leave_one_out(p), did.twfe(p)),
        robustness.power_figure(CASE, {"power.note.insufficient": did.power(p)}),
        robustness.rollout_figure(CASE, p, Design(selection_window=("2022Q1", "2022Q2"))),
        robustness.balance_table(CASE, p),
    ], (few, cohorts)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_exhibits_are_complete_and_drawn(exhibits, lang):
    """Titles, alternatives, notes and columns exist in every language, and every figure draws."""
    made = exhibits[0]
    check_exhibits(made)
    for exhibit in made:
        assert render(exhibit, lang)
        if exhibit.kind == "figure":
            assert figure_png(exhibit, lang)[:4] == b"\x89PNG"


def test_a_refused_analysis_is_noted_not_drawn_as_numbers(exhibits):
    """Too few treated clusters: no interval in the data, the reason in the notes."""
    found = robustness.sensitivity_figure(CASE, exhibits[1][0])
    assert found.data["size"] == [] and found.notes[-1].key == "honest.refused.few_treated"


def test_rollout_has_a_row_per_cluster_or_unit():
    """Clusters that start together share a row; otherwise units have their own."""

    p = panel()
    assert len(robustness.rollout_figure(CASE, p).data["rows"]) == 40
    pairs = replace(p, cluster=np.arange(40) // 20, cluster_names=("a", "b"))
    assert len(robustness.rollout_figure(CASE, pairs).data["rows"]) == 40
    same = replace(pairs, cohort=np.where(np.arange(40) < 20, 5, NEVER))
    rows = robustness.rollout_figure(CASE, same).data["rows"]
    assert [(r["label"], r["start"], r["count"]) for r in rows] == [("a", "2023Q2", 20), ("b", None, 20)]


def test_balance_before_the_start():
    """Means over the common pre-period by group, standardised by the pooled spread; the effect leaves no trace."""
    p = panel()
    frame = did.balance(p).set_index(["variable", "kind"])
    row = frame.loc[("y", "outcome")]
    y = p.matrix()[:, :5].mean(axis=1)
    one, zero = y[:14], y[14:]
    assert row.treated_mean == pytest.approx(one.mean()) and row.control_mean == pytest.approx(zero.mean())
    spread = np.sqrt((one.var(ddof=1) + zero.var(ddof=1)) / 2)
    assert row.std_difference == pytest.approx((one.mean() - zero.mean()) / spread)
    assert set(frame.index.get_level_values("kind")) == {"outcome", "trend", "covariate"}


def test_balance_of_counts_shows_rates_and_no_small_count():
    """With exposure the table gives rates per thousand; an outcome with nine cases in a group is left out of it."""
    p = panel()
    cases = {"y": np.full((40, 9), 2.0), "rare": np.where(np.arange(40)[:, None] == 0, 1.0, 0.0) * np.ones(9)}
    counts = replace(p, outcomes=cases, exposure=np.full((40, 9), 50.0), outcome_unit="cases")
    plan = SimpleNamespace(settings={"outcomes": {n: {"name": n} for n in cases}})
    case = SimpleNamespace(**vars(CASE) | {"plan": plan, "workspace": SimpleNamespace(privacy=PRIVACY)})
    shown = robustness.balance_table(case, counts)
    names = {str(row[0]["values"].get("name")) for row in shown.data["rows"]}
    assert "y" in names and "rare" not in names
    assert shown.data["rows"][0][2] == pytest.approx(40.0), "2 cases in 50 person-years"
