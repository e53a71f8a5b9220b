"""Named scenarios beside the base case."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit import cea, text
from evalkit.core import EffectPath, Inference, Term

OUTCOMES = ("avertable", "avertable.ungraded", "avertable.g7_10")


def path() -> EffectPath:
    s = np.array([0.05, 0.06, 0.08])
    mu0, observed = np.array([515.0, 340, 175]), np.array([450.0, 300, 150])
    return EffectPath(
        method="ppml",
        terms=tuple(Term(term="overall", outcome=o, measure="log_rate_ratio") for o in OUTCOMES),
        estimate=np.log(observed / mu0),
        vcov=np.outer(s, s) * (0.5 + 0.5 * np.eye(3)),
        observed=observed,
        mu0=mu0,
        inference=tuple(Inference(rule="cr3", std_error=float(e), df=9.0) for e in s),
    )


@pytest.fixture(scope="module")
def found() -> dict:
    return cea.scenarios(path(), cea.schedule(2024), 8e5, window=2.5, n=500, expected={"death": 4.0})


def test_scenarios_move_the_saving_the_way_they_should(found: dict) -> None:
    """Less discounting, a lasting effect and pooled small strata raise the saving; their opposites lower it."""
    npv = {name: d.npv for name, d in found.items()}
    assert npv["discount_low"] > npv["discount_3"] > npv["base"] > npv["discount_high"]
    assert npv["fade_36_months"] > npv["fade_24_months"] > npv["base"]
    assert npv["small_pooled"] > npv["base"]
    assert "cea.note.persistence" in found["fade_24_months"].notes


def test_the_base_scenario_is_the_decision(found: dict) -> None:
    """The base row is what `decide` gives with the same draws, whichever severities were priced."""
    draws = cea.averted_draws(path(), 500, 1, expected={"death": 4.0})
    full = cea.unit_costs(cea.schedule(2024), n=500, seed=1)
    assert cea.decide(draws, full, 8e5, delay=1.25)[0].npv == pytest.approx(found["base"].npv)


def test_a_fading_tail_is_half_a_rectangle() -> None:
    """Two fading years after a two-year window add half of the observed effect, two thirds of a year in."""
    assert cea.fade(2.0, 24) == [(1.0, 1.0), (0.5, pytest.approx(2 + 2 / 3))]


def test_the_table_has_words_for_every_row(found: dict) -> None:
    """One row a scenario, each with its name in every language."""
    frame = cea.decision_table(found)
    assert frame.name.tolist() == list(found)
    assert all(text.has(f"cea.scenario.{n}", lang) for n in frame.name for lang in text.LANGUAGES)
