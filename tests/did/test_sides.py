"""The linear structure of parts that are no regression, and what the router draws from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design
from evalkit.did.facts import shares_of
from evalkit.did.registry import fit_of
from evalkit.did.sides import response_of, sides_of


@pytest.fixture
def staggered(linear_panel):
    """16 units, cohorts of three and two, effect 0.5."""
    return linear_panel(n=16, treated=6, starts=(3, 5), effect=0.5)


def _overall(panel, method="att_gt"):
    path = getattr(did, method)(panel).combine("overall")
    fit = fit_of(method, panel, Design())
    return path, fit, shares_of(fit, np.asarray(path.transform))[0]


def test_sides_carry_estimate_and_scores(staggered):
    """ATT(g,t) without covariates: Σ load·y is the estimate, and the scores by sides are the part's own CR2 and CR3."""
    path, _, share = _overall(staggered)
    row = share.rows[0].copy()
    sides, part = sides_of(share.part, row), share.part
    y = staggered.matrix()
    errors = np.einsum("gst,gt->gs", sides.load, y)
    assert errors.sum() == pytest.approx(path.estimate[0])
    estimated = part.width - len(fit_of("att_gt", staggered, Design()).path)
    row[part.width - estimated :] = 0.0  # the sizes of cohorts as given
    for rule, power, factor in (("cr2", 0.5, 1.0), ("cr3", 1.0, np.sqrt(15 / 16))):
        own = part.scores(rule, row[None])[:, 0]
        sides = sides_of(part, row)
        found = sides.scores(np.einsum("gst,gt->gs", sides.load, y)[None], power)[0] * factor
        np.testing.assert_allclose(found, own, atol=1e-12)


def test_response_is_the_estimate_for_regressions_and_parts(staggered):
    """Weights on every unit's path reproduce the estimate: TWFE, event study, ATT(g,t); none for firms in clusters."""
    for method in ("twfe", "event_study", "att_gt", "sunab"):
        path = getattr(did, method)(staggered)
        fit = fit_of(method, staggered, Design())
        share = shares_of(fit, np.asarray(path.transform) if path.transform is not None else np.eye(len(path)))[0]
        i = int(np.flatnonzero(np.abs(path.estimate) > 0)[-1])
        response = response_of(share.part, staggered, share.rows[i])
        found = (response.load * staggered.matrix()[response.at]).sum()
        assert found == pytest.approx(path.estimate[i], abs=1e-10)
    paired = replace(staggered, cluster=np.arange(16) // 2)
    fit = fit_of("att_gt", paired, Design())
    share = shares_of(fit, np.asarray(fit.path.transform))[0]
    assert response_of(share.part, paired, share.rows[0]) is None


def test_simulated_size_of_a_part_is_that_of_the_regression(linear_panel):
    """One cohort: ATT(g,t) averaged over its periods and Sun-Abraham share one design, so one simulated size."""
    panel = linear_panel(n=20, treated=6, starts=(4,))
    part = did.inference(did.att_gt(panel).combine("overall"), panel).inference[0]
    assert set(part.size) == {"treated_sd_1", "treated_sd_2", "sd_falls_with_size", "sd_rises_with_size"}
    twfe = did.twfe(panel).inference[0]
    assert part.size["treated_sd_1"] == pytest.approx(twfe.size["treated_sd_1"], abs=0.03)
    few = linear_panel(n=20, treated=2, starts=(4,))
    shown = did.inference(did.att_gt(few).combine("overall"), few).inference[0]
    assert shown.size["treated_sd_1"] < 0.03


def test_low_df_of_a_part_gets_its_randomisation_p(linear_panel):
    """Two treated clusters: ATT(g,t) has the studentised p beside its interval, near that of two-way fixed effects."""
    panel = linear_panel(n=16, treated=2, starts=(4,), effect=0.3)
    part = did.inference(did.att_gt(panel).combine("overall"), panel).inference[0]
    assert part.reason == "inference.reason.cr3_low_df"
    assert part.extra["money"] == "inference.note.no_money_means"
    whole = did.twfe(panel).inference[0]
    assert part.extra["studentised_p"] == pytest.approx(whole.extra["studentised_p"], abs=0.25)


@pytest.mark.parametrize("method", ["att_gt", "imputation", "sunab", "etwfe", "two_stage"])
def test_cluster_draws_serve_every_part(staggered, method):
    """The bootstrap of an estimator that is no regression: p and interval from cluster draws, labelled so."""
    path = getattr(did, method)(staggered).combine("overall")
    found = did.inference(path, staggered, "wild").inference[0]
    assert found.rule in ("cluster_draws", "wild")
    assert found.extra["draws"] == 2**16
    assert found.conf_low < path.estimate[0] < found.conf_high
    headline = did.inference(path, staggered).inference[0]
    ratio = (found.conf_high - found.conf_low) / (headline.conf_high - headline.conf_low)
    assert 0.5 < ratio < 1.5


def test_rows_over_several_outcomes_are_drawn_jointly(count_panel):
    """A difference of two outcomes' effects is tested on their joint scores."""
    panel = count_panel(treated=8)
    path = did.ppml(panel, Design(outcomes=("cases", "severe")))
    gap = replace(
        path,
        terms=path.terms[:1],
        estimate=path.estimate[:1] - path.estimate[1:],
        transform=np.array([[1.0, -1.0]]),
        observed=None,
        mu0=None,
        vcov=None,
        scores=None,
        inference=(),
    )
    found = did.inference(gap, panel, "wild").inference[0]
    assert found.rule == "cluster_draws"
    assert 0 < found.p_value <= 1


def test_a_row_without_df_is_not_tested(linear_panel):
    """A cohort of one cluster leaves ATT(g,t) no degrees of freedom: refused with its reason, for that cohort alone."""
    panel = linear_panel(n=12, treated=4, starts=(4,))
    cohort = panel.cohort.copy()
    cohort[0] = 2
    for inference, term in zip((path := did.att_gt(replace(panel, cohort=cohort))).inference, path.terms):
        if term.cohort == panel.times[2] and inference.rule != "reference":
            assert inference.refused == "inference.refused.one_treated_cluster"
            assert inference.std_error is None
    assert NEVER in cohort
