"""Large panels: T × T algebra gives the numbers of the regressions written out."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from evalkit.core import NEVER, Design
from evalkit.did import wide_fit, wide_part
from evalkit.did.inference import fit_path

LINEAR = ("etwfe", "sunab", "twfe", "event_study")
COUNTS = ("ppml", "ppml_event_study", "etwfe_poisson")
twfe = import_module("evalkit.did.twfe")


def panel_of(make_panel, *, clusters=None, sparse=False, seed=1, n=60, t=7):
    """Three start dates and never treated; sparse counts leave units, cells and periods without a case."""
    rng = np.random.default_rng(seed)
    cluster = np.arange(n) if clusters is None else np.arange(n) % clusters
    cohort = np.array([3, 4, 5, NEVER, NEVER])[(np.arange(n) if clusters is None else cluster) % 5]
    exposure = np.exp(rng.normal(0, 1, (n, 1)) + rng.normal(0, 0.2, (n, t)))
    exposure[rng.random((n, t)) < 0.03] = 0.0
    on = np.arange(t)[None] >= cohort[:, None]
    y = rng.poisson(exposure * (0.4 if sparse else 8) * np.where(on, 0.7, 1)).astype(float)
    return make_panel({"cases": y}, cohort, cluster=cluster, exposure=exposure)


def both(monkeypatch, name, panel, design, *, algebra):
    """The path by the regression written out, and by T × T sums."""
    written = fit_path(name, panel, design)
    monkeypatch.setattr(wide_fit, "NARROW", 0)
    monkeypatch.setattr(twfe, "GROUPED", 0)
    monkeypatch.setattr(twfe, "structured", lambda *_: False)
    monkeypatch.setattr(wide_part, "ALGEBRA", algebra)
    return written, fit_path(name, panel, design)


def assert_alike(a, b, *, df=True, rtol=1e-8):
    assert [t.term for t in a.terms] == [t.term for t in b.terms]
    assert a.notes == b.notes
    np.testing.assert_allclose(b.estimate, a.estimate, rtol=rtol, atol=1e-9)
    np.testing.assert_allclose(b.std_error, a.std_error, rtol=rtol, atol=1e-10)
    for x, y, s, t in zip(a.inference, b.inference, a.terms, b.terms):
        assert s == replace(t, weight=s.weight)
        assert s.weight == pytest.approx(t.weight, rel=1e-12)
        assert x.rule == y.rule
        if df and x.df is not None:
            assert y.df == pytest.approx(x.df, rel=1e-6)
            assert y.effective_treated == pytest.approx(x.effective_treated, rel=1e-6)
    if a.is_count:
        np.testing.assert_allclose(b.observed, a.observed)
        np.testing.assert_allclose(b.mu0, a.mu0, rtol=rtol, atol=1e-10)
        np.testing.assert_allclose(b.exposure, a.exposure)


@pytest.mark.parametrize("rule", ["cr1", "cr2", "cr3"])
@pytest.mark.parametrize("clusters", [None, 20])
@pytest.mark.parametrize("name", [*LINEAR, *COUNTS])
def test_cluster_sums_equal_the_regression(monkeypatch, make_panel, name, clusters, rule):
    """Estimates, counts, every covariance rule and degrees of freedom agree, unbalanced and by clusters of units."""
    panel = panel_of(make_panel, clusters=clusters)
    if name in LINEAR:
        y = np.where(panel.exposure > 0, panel.matrix(), np.nan)
        panel = replace(panel, outcomes={"cases": y}, weight=np.where(panel.exposure > 0, panel.exposure, 1.0))
    assert_alike(*both(monkeypatch, name, panel, Design(rule=rule), algebra=10**12))


@pytest.mark.parametrize("control", ["never", "auto"])
@pytest.mark.parametrize("name", COUNTS)
def test_sparse_counts_are_separated_alike(monkeypatch, make_panel, name, control):
    """Silent units, rows without a case, cohorts without a baseline case: the same rows, μ0 and covariance."""
    for seed in range(4):
        panel = panel_of(make_panel, sparse=True, seed=seed)
        y = panel.matrix().copy()
        y[panel.cohort == 3, 4] = 0
        y[panel.cohort == 5, :5] = 0
        panel = replace(panel, outcomes={"cases": y})
        with monkeypatch.context() as patch:
            written, wide = both(patch, name, panel, Design(rule="cr1", control=control), algebra=10**12)
        assert_alike(written, wide, rtol=1e-6)


@pytest.mark.parametrize(("clusters", "listed"), [(None, True), (20, True), (None, False)])
@pytest.mark.parametrize("name", [*LINEAR, *COUNTS])
def test_one_step_jackknife_is_the_jackknife(monkeypatch, make_panel, name, clusters, listed):
    """With too many clusters for full algebra, cr1 and cr3 are the same numbers."""
    if not listed:
        monkeypatch.setattr("evalkit.did.reader.LISTED", 0)
    panel = panel_of(make_panel, clusters=clusters)
    for rule in ("cr1", "cr3"):
        with monkeypatch.context() as patch:
            written, wide = both(patch, name, panel, Design(rule=rule), algebra=0)
        assert_alike(written, wide, df=False, rtol=1e-6)
        for a, b in zip(written.inference, wide.inference):
            if rule == "cr3" and a.df is not None:
                assert b.df == pytest.approx(a.df, rel=1e-3)
                near = 1e-6 if listed else 0.05  # described by cohort there
                assert b.effective_treated == pytest.approx(a.effective_treated, rel=near)
                assert b.effective_control == pytest.approx(a.effective_control, rel=near)
