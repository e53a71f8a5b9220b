"""Effects by dose: identities with plain effects, known curves, true refits, and what is not identified."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, DoseCurve, UserError
from evalkit.did.influence import drop_cluster
from evalkit.did.registry import fit_of
from tests.did.conftest import build_panel


def dosed(cohort=(4,) * 30 + (6,) * 20 + (NEVER,) * 30, *, noise=0.2, curve=lambda d: 2 * d - d**2, seed=3, **fields):
    """Units with a dose each; a treated unit moves by the curve at its dose."""
    rng = np.random.default_rng(seed)
    n, cohort = len(cohort), np.asarray(cohort)
    dose = rng.uniform(0.1, 1.9, n)
    y = rng.normal(0, 2, (n, 1)) + rng.normal(0, 1, (1, 9)) + rng.normal(0, 1, (n, 9)) * noise
    y = y + curve(dose)[:, None] * (np.arange(9)[None] >= cohort[:, None])
    return build_panel({"y": y}, cohort, dose=dose, **fields)


def by_term(path):
    return {t.term: float(e) for t, e in zip(path.terms, path.estimate)}


def test_a_known_curve_comes_back():
    """Without noise a quadratic response and its slope are found at every dose by a spline of degree two or more."""
    panel = dosed(noise=0.0)
    for curve in (DoseCurve(at=(0.3, 1.0, 1.7), degree=2), DoseCurve(at=(0.3, 1.0, 1.7), degree=3, knots=2)):
        found = by_term(did.dose_response(panel, Design(dose=curve)))
        for d in curve.at:
            assert found[f"att,dose={d:g}"] == pytest.approx(2 * d - d**2, abs=1e-8)
            assert found[f"acrt,dose={d:g}"] == pytest.approx(2 - 2 * d, abs=1e-7)


def test_the_mean_over_doses_is_the_plain_effect():
    """For one start date "att" is the mean of ATT(g,t) after the start, whatever the bins or the curve."""
    panel = dosed((4,) * 30 + (NEVER,) * 30)
    plain = did.att_gt(panel).combine("overall").estimate[0]
    for curve in (DoseCurve(), DoseCurve(degree=3, knots=2), DoseCurve(cuts=(0, 0.5, 1, 2))):
        assert did.dose_response(panel, Design(dose=curve)).estimate[0] == pytest.approx(plain, abs=1e-10)


def test_a_bin_is_the_plain_effect_of_its_units():
    """ATT of a bin equals ATT(g,t) with only that bin's units treated; bins average to "att" by their units."""
    panel = dosed((4,) * 30 + (NEVER,) * 30)
    path = did.dose_response(panel, Design(dose=DoseCurve(cuts=(0, 0.5, 1, 2))))
    counts = [t.n_treated for t in path.terms[1:]]
    assert path.estimate[0] == pytest.approx(np.average(path.estimate[1:], weights=counts), abs=1e-12)
    keep = np.flatnonzero(~panel.ever_treated | ((panel.dose >= 0.5) & (panel.dose < 1)))
    part = build_panel({"y": panel.matrix()[keep]}, panel.cohort[keep])
    assert by_term(path)["att,dose=0.5-1"] == pytest.approx(
        float(did.att_gt(part).combine("overall").estimate[0]), abs=1e-10
    )


def test_jackknife_is_a_true_refit():
    """cr3 scores are the estimate less the one without each cluster, on the same basis."""
    panel = dosed(cluster=np.arange(80) % 16)
    curve = DoseCurve(at=(0.5, 1.5), degree=2)
    path = did.dose_response(panel, Design(dose=curve, rule="cr3"))
    dose = panel.dose[panel.ever_treated]
    for g in (0, 7):
        smaller = drop_cluster(panel, g)
        kept = smaller.dose[smaller.ever_treated]
        if (kept.min(), kept.max()) != (dose.min(), dose.max()):
            continue
        change = np.sqrt(15 / 16) * (path.estimate - did.dose_response(smaller, Design(dose=curve)).estimate)
        np.testing.assert_allclose(path.scores[g], change, atol=1e-9)


def test_influence_is_the_derivative_of_the_estimate():
    """Analytic standard errors, slopes and mean doses included, are those of a bootstrap of units within 15 percent."""
    panel = dosed((4,) * 150 + (6,) * 100 + (NEVER,) * 150, noise=1.0)
    design = Design(dose=DoseCurve(at=(0.5, 1.5), degree=2), rule="analytic", control="not_yet")
    rng, drawn = np.random.default_rng(2), []
    for _ in range(250):
        i = rng.integers(0, 400, 400)
        again = build_panel({"y": panel.matrix()[i]}, panel.cohort[i], dose=panel.dose[i])
        drawn.append(fit_of("dose_response", again, design).path.estimate)
    np.testing.assert_allclose(did.dose_response(panel, design).std_error, np.std(drawn, axis=0), rtol=0.15)


def test_without_undosed_units_it_is_refused():
    """Every unit dosed from one period on: not identified, and said so; staggered starts leave the not-yet-dosed."""
    with pytest.raises(UserError, match="dose_no_untreated"):
        did.dose_response(dosed((4,) * 40))
    with pytest.raises(UserError, match="dose_no_untreated"):
        did.dose_response(dosed((4,) * 20 + (6,) * 20), Design(control="never"))
    path = did.dose_response(dosed((4,) * 20 + (6,) * 20))
    assert path.terms[0].n_treated == 20
    assert "path.note.dose_slopes" in path.notes


def test_what_cannot_be_read_is_refused_by_name():
    """No dose, a treated unit without one, bad bins, covariates, weights, gaps, too few doses."""
    panel = dosed()
    none = panel.dose.copy()
    none[2] = 0.0
    y = panel.matrix().copy()
    y[3, 2] = np.nan
    for changed, design, key in (
        (replace(panel, dose=None), Design(), "dose_missing"),
        (replace(panel, dose=none), Design(), "dose_not_positive"),
        (panel, Design(dose=DoseCurve(cuts=(0.5, 1.0))), "dose_shape"),
        (panel, Design(dose=DoseCurve(degree=0)), "dose_shape"),
        (replace(panel, covariates={"x": y}), Design(covariates=("x",)), "dose_no_covariates"),
        (replace(panel, weight=np.ones((80, 9))), Design(), "needs_no_weights"),
        (replace(panel, outcomes={"y": y}), Design(), "needs_rectangle"),
        (dosed((4,) * 3 + (NEVER,) * 9), Design(dose=DoseCurve(degree=3)), "dose_few"),
    ):
        with pytest.raises(UserError, match=key):
            did.dose_response(changed, design)


def test_a_cohort_with_too_few_doses_is_listed():
    """The other cohort stands, the small one is in `refused` with its reason."""
    path = did.dose_response(dosed((4,) * 30 + (6,) * 2 + (NEVER,) * 30), Design(dose=DoseCurve(degree=2)))
    assert [(r.cohort, r.reason) for r in path.refused] == [(2006, "refused.few_doses")]
    assert path.terms[0].n_treated == 30
