"""What every registered estimator must obey, by family."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest

from evalkit import did
from evalkit.core import NEVER, Design, EffectPath, Panel, from_plain, to_plain
from evalkit.did.inference import fit_path

COUNT = {"ppml", "ppml_event_study", "etwfe_poisson", "etwfe_poisson_cohort"}
ALL = sorted(did.ESTIMATORS)
SYNTHETIC = {"synthetic_control", "synthetic_did"}
ELIGIBLE = (0, 2, 3, 6, 8, 11, 13)
"""Units that the programme of their group reaches; only the triple difference looks at it."""
LINEAR = sorted(set(did.ESTIMATORS) - COUNT)


@pytest.fixture
def panel() -> Panel:
    """14 units in 10 clusters, two start dates, counts with exposure; also a fair linear outcome."""
    rng = np.random.default_rng(7)
    n, t = 14, 9
    cluster = np.r_[np.arange(10), [0, 1, 8, 9]]
    cohort = np.full(10, NEVER)
    cohort[:5] = [4, 4, 4, 6, 6]
    cohort = cohort[cluster]
    exposure = np.exp(rng.normal(4, 0.5, (n, 1))) * np.ones((1, t))
    on = np.arange(t)[None] >= cohort[:, None]
    y = rng.poisson(exposure * np.exp(rng.normal(0, 0.1, (n, t))) * np.where(on, 0.8, 1)).astype(float)
    return Panel(
        units=tuple(f"u{i}" for i in range(n)),
        times=tuple(f"{2020 + q // 4}Q{q % 4 + 1}" for q in range(t)),
        outcomes={"cases": y},
        cohort=cohort,
        cluster=cluster,
        cluster_names=tuple(f"c{g}" for g in range(10)),
        exposure=exposure,
        covariates={"eligible": np.repeat(np.isin(np.arange(n), ELIGIBLE)[:, None].astype(float), t, axis=1)},
        dose=np.linspace(0.5, 2.0, n)[(5 * np.arange(n)) % n],
        frequency="quarter",
    )


def _fit(name: str, panel: Panel, design: Design | None = None) -> EffectPath:
    design = design or Design()
    return fit_path(name, panel, replace(design, eligible="eligible") if name == "triple_difference" else design)


def _assert_same(a: EffectPath, b: EffectPath, factor: float = 1.0) -> None:
    np.testing.assert_allclose(a.estimate * factor, b.estimate, rtol=1e-7, atol=1e-9)
    for x, y in zip(a.inference, b.inference):
        assert x.rule == y.rule
        for name in ("std_error", "conf_low", "conf_high"):
            if getattr(x, name) is None:
                assert getattr(y, name) is None
            else:
                assert getattr(x, name) * factor == pytest.approx(getattr(y, name), rel=1e-6, abs=1e-9)
        if x.df is not None:
            assert x.df == pytest.approx(y.df, rel=1e-5)
            assert x.p_value == pytest.approx(y.p_value, rel=1e-5, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_result_is_complete(name, panel):
    """A path carries as many terms, estimates, scores, covariance rows and inferences as it has effects."""
    path = _fit(name, panel)
    k = len(path)
    assert path.method == name
    assert len(path.estimate) == len(path.inference) == k
    assert path.vcov.shape == (k, k)
    assert path.scores.shape == (10, k)
    np.testing.assert_allclose(path.scores.T @ path.scores, path.vcov, atol=1e-15)
    assert all(t.n_units == 14 and t.n_clusters == 10 for t in path.terms)
    assert len(path.tidy()) == k


@pytest.mark.parametrize("name", ALL)
def test_order_of_units_does_not_matter(name, panel):
    """Shuffled units give the same path."""
    order = np.random.default_rng(1).permutation(panel.n_units)
    shuffled = replace(
        panel,
        units=tuple(panel.units[i] for i in order),
        outcomes={"cases": panel.matrix()[order]},
        cohort=panel.cohort[order],
        cluster=panel.cluster[order],
        exposure=panel.exposure[order],
        covariates={"eligible": panel.covariates["eligible"][order]},
        dose=panel.dose[order],
    )
    _assert_same(_fit(name, panel), _fit(name, shuffled))


@pytest.mark.parametrize("name", ALL)
def test_names_of_clusters_do_not_matter(name, panel):
    """Relabelled clusters give the same path."""
    codes = np.random.default_rng(2).permutation(10)
    _assert_same(_fit(name, panel), _fit(name, replace(panel, cluster=codes[panel.cluster])))


@pytest.mark.parametrize("name", sorted(set(LINEAR) - SYNTHETIC))
def test_unit_and_period_shifts_do_not_matter(name, panel):
    """A constant per unit and a constant per period leave linear estimates as they are."""
    rng = np.random.default_rng(3)
    shift = rng.normal(0, 50, (14, 1)) + rng.normal(0, 50, (1, 9))
    _assert_same(_fit(name, panel), _fit(name, replace(panel, outcomes={"cases": panel.matrix() + shift})))


@pytest.mark.parametrize("name", sorted(SYNTHETIC))
def test_a_common_linear_trend_does_not_matter_to_synthetic_estimates(name, panel):
    """A line common to all units leaves synthetic estimates as they are, and so do constants per unit where there is a
    constant in the weights' problem (synthetic difference-in-differences). Any other common movement enters R's noise
    level, the ridge tied to it, and so the weights: `tests/did/test_synthetic.py` holds that it enters nowhere else.
    """
    shift = 30 + 20 * np.arange(9)[None]
    if name == "synthetic_did":
        shift = shift + np.random.default_rng(3).normal(0, 50, (14, 1))
    _assert_same(_fit(name, panel), _fit(name, replace(panel, outcomes={"cases": panel.matrix() + shift})))


@pytest.mark.parametrize("name", LINEAR)
def test_scale_carries_through(name, panel):
    """An outcome in other units scales estimates and intervals and leaves p-values alone."""
    scaled = replace(panel, outcomes={"cases": panel.matrix() * 1000})
    _assert_same(_fit(name, panel), _fit(name, scaled), factor=1000)


@pytest.mark.parametrize("name", sorted(COUNT - {"etwfe_poisson_cohort"}))
def test_exposure_scale_by_unit_and_period_does_not_matter(name, panel):
    """Exposure times a factor per unit and per period leaves ratios, counts and averted cases alone: unit and period
    effects take it up (cohort dummies do not, which is why they are a check and no headline).
    """
    rng = np.random.default_rng(4)
    factor = np.exp(rng.normal(0, 1, (14, 1)) + rng.normal(0, 1, (1, 9)))
    a, b = _fit(name, panel), _fit(name, replace(panel, exposure=panel.exposure * factor))
    _assert_same(a, b)
    np.testing.assert_allclose(a.mu0, b.mu0, rtol=1e-8)
    np.testing.assert_allclose(a.averted().estimate, b.averted().estimate, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(ALL) - {"synthetic_control"}))  # its donors must span the treated levels
def test_noise_free_truth_is_recovered(name, panel):
    """With no noise the effect comes back exactly and leads are zero; on untreated data all are zero."""
    base = np.exp(np.linspace(2, 4, 14))[:, None] * np.exp(0.1 * np.sin(np.arange(9)))[None]
    for truth in (0.0, -0.3):
        if name in COUNT:
            y = panel.exposure * base * np.exp(truth * panel.treated)
        elif name == "triple_difference":
            y = np.log(base) + truth * panel.treated * panel.covariates["eligible"]
        else:
            y = np.log(base) + truth * panel.treated
        path = _fit(name, replace(panel, outcomes={"cases": y}))
        for term, value in zip(path.terms, path.estimate):
            lead = (term.event_time is not None and term.event_time < 0) or term.term.startswith("acrt")
            assert value == pytest.approx(0.0 if lead else truth, abs=1e-8)


@pytest.mark.parametrize("name", ALL)
def test_nothing_is_mutated_and_the_same_seed_gives_the_same_result(name, panel):
    """Fitting leaves the panel untouched; fitting twice gives the same plain data."""
    before = copy.deepcopy(to_plain(panel))
    first, second = to_plain(_fit(name, panel)), to_plain(_fit(name, panel))
    assert to_plain(panel) == before
    assert first == second


@pytest.mark.parametrize("name", ALL)
def test_json_round_trip(name, panel):
    """Plain data read back gives the same path, and inference can be derived again from it."""
    import json

    design = Design(selection_window=("2020Q1", "2020Q1"), seed=3)
    path = _fit(name, panel, design)
    again = from_plain(EffectPath, json.loads(json.dumps(to_plain(path))))
    assert to_plain(again) == to_plain(path)
    _assert_same(path, did.inference(again, panel))


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    "rule", ["auto", "analytic", "cr1", "cr2", "cr3", "wild", "permutation", "conley_taber", "ferman_pinto", "usual"]
)
def test_every_rule_works_on_every_estimator(name, rule, panel):
    """Each rule gives an inference per row that is complete or refused with a reason."""
    design = Design(rule=rule, window=(-1, 1))
    for inference in _fit(name, panel, design).inference:
        assert inference.reason.startswith("inference.reason.")
        if rule == "permutation" or inference.rule in ("reference", "not_testable"):
            continue
        if name in SYNTHETIC and inference.rule == "refused":
            assert inference.refused.startswith("inference.refused.")
            continue
        if inference.rule == "refused":
            assert inference.refused in ("inference.refused.no_usual", "inference.refused.no_unit_paths")
            continue
        assert inference.p_value is not None
        assert inference.conf_low < inference.conf_high
