"""The synthetic estimate beside a programme's headline: the number, its rule, or the reason why there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench import Bench, cells

from evalkit import did
from evalkit.core import NEVER, Design, Panel
from evalkit.study.synthetic import synthetic_of, synthetic_row


def panel_of(treated: int, untreated: int) -> Panel:
    """Log rates of cities over 10 years, the first `treated` from the seventh on."""
    n = treated + untreated
    rng = np.random.default_rng(6)
    return Panel(
        units=tuple(f"c{i}" for i in range(n)),
        times=tuple(range(2015, 2025)),
        outcomes={"y": rng.normal(0, 0.1, (n, 10)) + rng.normal(2, 1, (n, 1))},
        cohort=np.array([6] * treated + [NEVER] * untreated),
        cluster=np.arange(n),
        cluster_names=tuple(f"c{i}" for i in range(n)),
        outcome_unit="log_rate",
    )


def test_the_report_shows_it_under_the_headline(zones: Bench) -> None:
    """On 22 real cities both rows are there, the synthetic one by placebo variance, over all ten treated cities."""
    section = zones.section("province", "robustness")
    rule = cells(section, "robustness_synthetic", "rule")
    assert [m["key"] for m in rule] == ["inference.rule.cr3", "inference.rule.placebo"]
    assert cells(section, "robustness_synthetic", "n_treated_clusters") == [10, 10]
    path = section.effects["synthetic_did"]
    ratio = cells(section, "robustness_synthetic", "rate_ratio")[1]
    assert ratio == pytest.approx(float(np.exp(path["estimate"][0])), rel=1e-12)
    shown = [e.id for e in section.exhibits if e.id.startswith("synthetic_")]
    assert shown == ["synthetic_paths_1", "synthetic_weights_1", "synthetic_paths_2", "synthetic_weights_2"]


def test_the_number_is_the_estimators_own() -> None:
    """The row is `did.synthetic_did`, combined over treated cells, with the placebo's interval on the ratio scale."""
    panel = panel_of(4, 12)
    effect = did.inference(did.synthetic_did(panel).combine("overall"), panel, "placebo").effects()[0]
    row = synthetic_row(synthetic_of(panel, Design(window=(-2, 2))))
    assert row[1] == pytest.approx(np.exp(effect.estimate), rel=1e-12)
    np.testing.assert_allclose(row[2], np.exp([effect.conf_low, effect.conf_high]), rtol=1e-12)


@pytest.mark.parametrize(
    ("treated", "untreated", "key"),
    [
        (5, 5, "inference.refused.placebo_controls"),
        (1, 9, "inference.rule.not_testable"),
        (5, 1, "inference.rule.not_testable"),
    ],
)
def test_without_a_variance_the_estimate_stands_with_the_reason(treated: int, untreated: int, key: str) -> None:
    """Too few comparison places, or one treated: the ratio is shown without interval and p, and the row says why."""
    row = synthetic_row(synthetic_of(panel_of(treated, untreated), Design()))
    assert row[1] > 0
    assert row[3] is None
    assert row[-1].key == key


def test_a_place_with_a_gap_leaves_no_estimate() -> None:
    """Where a place is not observed throughout, the row is empty and says that."""
    panel = panel_of(4, 12)
    y = panel.matrix().copy()
    y[2, 3] = np.nan
    found = synthetic_of(replace(panel, outcomes={"y": y}), Design())
    assert found.path is None
    assert synthetic_row(found)[-1].key == "synthetic.absent.needs_rectangle"
