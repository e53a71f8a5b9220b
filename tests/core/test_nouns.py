"""Core nouns: frozen, and the same after a trip through JSON."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from evalkit.core import (
    NEVER,
    Design,
    EffectPath,
    Exhibit,
    Inference,
    Message,
    Panel,
    Psa,
    Term,
    UserError,
    UserErrors,
    Where,
    from_plain,
    frozen_array,
    to_plain,
)


def count_path() -> EffectPath:
    """Two event times of a count path with joint scores."""
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(9, 3)) * 0.05
    terms = tuple(
        Term(term=f"e={e}", outcome="injuries", measure="log_rate_ratio", event_time=e, n_obs=4, n_clusters=9)
        for e in (-2, 0, 1)
    )
    observed, mu0 = np.array([50.0, 80.0, 60.0]), np.array([50.0, 100.0, 90.0])
    return EffectPath(
        method="ppml",
        terms=terms,
        estimate=np.log(observed / mu0),
        scores=scores,
        vcov=scores.T @ scores,
        observed=observed,
        mu0=mu0,
        inference=(Inference(rule="cr3", df=5.0, conf_low=float("-inf")),) * 3,
    )


def test_json_round_trip_keeps_everything() -> None:
    """A path written to JSON and read back is equal, infinities and covariance included."""
    path = count_path()
    back = from_plain(EffectPath, json.loads(json.dumps(to_plain(path), allow_nan=False)))
    assert back.terms == path.terms and back.design == path.design and back.inference == path.inference
    for name in ("estimate", "vcov", "scores", "observed", "mu0"):
        np.testing.assert_array_equal(getattr(back, name), getattr(path, name))


def test_counts_combine_on_counts() -> None:
    """The overall rate ratio is the ratio of sums over treated periods, not a mean of log ratios."""
    overall = count_path().combine("overall")
    assert overall.estimate[0] == pytest.approx(np.log(140 / 190))
    assert overall.averted().estimate[0] == pytest.approx(50.0)


def test_averted_counts_are_combined_before() -> None:
    """Averted cases cannot be combined as if they were ratios: the order is ratios, combine, averted."""
    with pytest.raises(ValueError, match="combine the ratios first"):
        count_path().averted().combine("overall")


def test_delta_method_equals_a_numerical_derivative() -> None:
    """The combined covariance is the numerical derivative of log(Σ observed / Σ μ0) applied to the joint one."""
    path = count_path()
    post = np.array([1, 2])

    def theta(shift: np.ndarray) -> float:
        mu0 = path.observed[post] * np.exp(-(path.estimate[post] + shift))
        return float(np.log(path.observed[post].sum() / mu0.sum()))

    step = 1e-6
    gradient = np.array([(theta(step * e) - theta(-step * e)) / (2 * step) for e in np.eye(2)])
    expected = gradient @ path.vcov[np.ix_(post, post)] @ gradient
    assert path.combine("overall").vcov[0, 0] == pytest.approx(expected, rel=1e-8)


def test_averted_covariance_follows_the_counts() -> None:
    """The covariance of averted cases is the log-ratio covariance scaled by μ0 on both sides."""
    path = count_path()
    np.testing.assert_allclose(path.averted().vcov, np.diag(path.mu0) @ path.vcov @ np.diag(path.mu0))


def test_scores_reproduce_the_covariance_after_mapping() -> None:
    """vcov = scoresᵀ scores survives aggregation, so clusters can be summed later."""
    combined = count_path().combine("event_time")
    np.testing.assert_allclose(combined.scores.T @ combined.scores, combined.vcov)


def test_transform_remembers_the_way_back() -> None:
    """Two maps in a row keep their product, so a combined row can be re-derived from the estimator's own rows."""
    path = count_path()
    twice = path.select(lambda t: t.event_time >= 0).combine("overall")
    np.testing.assert_allclose(
        twice.transform @ path.estimate, [(100 * path.estimate[1] + 90 * path.estimate[2]) / 190]
    )


def test_band_is_wider_than_pointwise() -> None:
    """A simultaneous band over several rows is wider than the pointwise intervals that it holds."""
    path = _judged(count_path(), effective=9.0)
    band = path.band()
    assert band.kind == "simultaneous"
    assert band.df == 20
    assert 2.09 < band.critical < 3.5
    assert all(band.low < [i.conf_low for i in path.inference])


def test_no_band_with_few_effective_clusters() -> None:
    """Below 8 effective clusters the limits are the rows' own and say so; before inference there is none."""
    path = _judged(count_path(), effective=7.9)
    band = path.band()
    assert band.kind == "pointwise"
    assert band.reason == "band.reason.few_clusters"
    np.testing.assert_array_equal(band.high, [i.conf_high for i in path.inference])
    with pytest.raises(ValueError, match="inference"):
        dataclasses.replace(count_path(), inference=()).band()


def _judged(path, effective):
    rows = tuple(
        Inference(
            rule="cr3",
            std_error=float(se),
            df=20.0,
            conf_low=float(e - 2.086 * se),
            conf_high=float(e + 2.086 * se),
            effective_treated=effective,
            effective_control=12.0,
        )
        for e, se in zip(path.estimate, path.std_error)
    )
    return dataclasses.replace(path, inference=rows)


def test_nouns_cannot_be_changed() -> None:
    """Frozen means frozen: attributes and arrays refuse assignment."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        count_path().method = "other"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        frozen_array([1.0, 2.0])[0] = 3.0


def test_never_is_larger_than_every_period() -> None:
    """A never-treated unit is untreated in every period without a special case."""
    panel = Panel(
        units=("a", "b"),
        times=(1, 2, 3),
        outcomes={"y": np.zeros((2, 3))},
        cohort=np.array([1, NEVER]),
        cluster=np.array([0, 1]),
        cluster_names=("a", "b"),
    )
    np.testing.assert_array_equal(panel.treated, [[False, True, True], [False] * 3])
    assert panel.cluster_counts() == (2, 1, 1)


def test_figure_needs_alt_text() -> None:
    """A figure without a text alternative cannot exist."""
    with pytest.raises(ValueError, match="alt"):
        Exhibit(id="f", kind="figure", title=Message(key="x"), data={})


def test_psa_refuses_what_does_not_fit() -> None:
    """Draws of unequal shape and an unknown comparator are refused by name."""
    with pytest.raises(ValueError, match="fit together"):
        Psa(strategies=("a", "b"), cost=np.zeros((3, 2)), effect=np.zeros((4, 2)), comparator="a")
    with pytest.raises(ValueError, match="comparator"):
        Psa(strategies=("a", "b"), cost=np.zeros((3, 2)), effect=np.zeros((3, 2)), comparator="c")


def test_user_errors_carry_place_and_values() -> None:
    """One mistake is a list of one, with its place in the file."""
    with pytest.raises(UserErrors) as caught:
        raise UserError("negative", where=Where(file="a.xlsx", row=7), found=-1)
    problem = caught.value.problems[0]
    assert (problem.where.row, problem.values) == (7, {"found": -1})
    assert Design().control == "auto"


def test_a_single_name_is_a_list_of_one() -> None:
    """A design takes one outcome or covariate by its plain name."""
    assert Design(outcomes="cases", covariates="size") == Design(outcomes=("cases",), covariates=("size",))
