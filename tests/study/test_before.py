"""Periods before the start tell of a peak and of trends apart, and a failed check takes the conclusion away."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench import Bench

from evalkit.core import NEVER, Design, Gate, Panel
from evalkit.study.before import placebo_start, selection_peak
from evalkit.study.economics import decision_message
from evalkit.study.evaluation import evaluate

pytestmark = pytest.mark.xdist_group("study")
PERIODS, START = 14, 10


def panel(rate: np.ndarray) -> Panel:
    """24 clusters of one unit, half of them enrolled in period 10 at `rate` (T,) times the rate of the others."""
    rng = np.random.default_rng(3)
    enrolled = np.arange(24) < 12
    mean = np.where(enrolled[:, None], rate, 1.0) * 200.0
    return Panel(
        units=tuple(map(str, range(24))),
        times=tuple(range(PERIODS)),
        outcomes={"avertable": rng.poisson(mean).astype(float)},
        exposure=np.ones((24, PERIODS)),
        cohort=np.where(enrolled, START, NEVER),
        cluster=np.arange(24),
        cluster_names=tuple(map(str, range(24))),
    )


def bump(first: int, last: int) -> np.ndarray:
    rate = np.ones(PERIODS)
    rate[first : last + 1] = 1.5
    return rate


def test_a_peak_in_the_selection_window_is_seen() -> None:
    """High in the window only: the peak fails, as information; the pre-period outside it does not look apart."""
    design = Design(selection_window=(6, 7))
    peak = selection_peak(panel(bump(6, 7)), design, "avertable")
    assert (peak.passed, peak.severity) == (False, "info")
    assert placebo_start(panel(bump(6, 7)), design, "avertable").passed is True
    assert selection_peak(panel(np.ones(PERIODS)), design, "avertable").passed is True


def test_without_a_declared_window_a_late_peak_is_a_warning() -> None:
    """Nobody declared a window: the last four periods before the start are examined, and a peak warns."""
    peak = selection_peak(panel(bump(6, 9)), Design(), "avertable")
    assert (peak.passed, peak.severity) == (False, "warn")


def test_the_start_does_not_matter_to_either() -> None:
    """What happens from the start on changes neither check."""
    after = np.ones(PERIODS)
    after[START:] = 0.2
    assert placebo_start(panel(after), Design(), "avertable").passed is True
    assert selection_peak(panel(after), Design(), "avertable").passed is True


def test_all_recorded_injuries_count_and_every_batch_alike() -> None:
    """A peak that only the other recorded injuries show is seen; one huge batch alone does not make a peak."""
    calm, high = panel(np.ones(PERIODS)), panel(bump(6, 7))
    design = Design(selection_window=(6, 7))
    both = replace(calm, outcomes={**calm.outcomes, "commute": high.outcomes["avertable"]})
    assert selection_peak(both, design, "avertable", "no_such_outcome").passed is True
    assert selection_peak(both, design, "avertable", "commute").passed is False
    scale = np.where(np.arange(24) == 0, 500.0, 1.0)[:, None]
    cases = calm.outcomes["avertable"] * scale
    cases[0, 6:8] *= 1.5
    one = replace(calm, outcomes={"avertable": cases}, exposure=calm.exposure * scale)
    assert selection_peak(one, design, "avertable").passed is True


def test_few_injuries_are_compared_as_a_ratio_of_counts() -> None:
    """Enrolled batches of a fifth of the size, one injury a span and no peak: logs of counts that small would see one,
    the Poisson ratio does not; a threefold rise is seen all the same."""
    fired = {}
    for rise in (1.0, 3.0):
        found = []
        for seed in range(40):
            rng, enrolled = np.random.default_rng(seed), np.arange(24) < 12
            size = np.where(enrolled, 0.2, 1.0)[:, None] * np.ones((24, PERIODS))
            rate = np.where(enrolled[:, None], np.where(np.isin(np.arange(PERIODS), (6, 7)), rise, 1.0), 1.0)
            few = replace(panel(np.ones(PERIODS)), outcomes={"avertable": rng.poisson(rate * size).astype(float)})
            peak = selection_peak(replace(few, exposure=size), Design(selection_window=(6, 7)), "avertable")
            found.append(peak.passed is False)
        fired[rise] = np.mean(found)
    assert fired[1.0] <= 0.1
    assert fired[3.0] >= 0.3


def test_trends_apart_before_the_start_are_seen() -> None:
    """A drift of ten per cent a period fails; two usable periods are too few to tell."""
    drift = 0.9 ** np.arange(PERIODS)
    assert placebo_start(panel(drift), Design(), "avertable").passed is False
    assert placebo_start(panel(drift), Design(selection_window=(2, 9)), "avertable").passed is None


def test_a_failed_check_takes_the_funding_conclusion_away(tiny: Bench) -> None:
    """An interval that excludes nil concludes nothing where a warning failed; one that covers nil stays as it was."""
    fund = evaluate(tiny.cases["project"]).money.fund
    failed = (Gate(name="placebo_start", severity="warn", passed=False),)
    told = replace(fund, npv=5.0, npv_low=1.0, npv_high=9.0)
    assert decision_message(told, failed).key == "decision.withheld"
    assert decision_message(told, (replace(failed[0], severity="info"),)).key == "decision.saves"
    assert decision_message(replace(told, npv_low=-1.0), failed).key == "decision.insufficient"
