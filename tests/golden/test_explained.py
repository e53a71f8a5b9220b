"""What the explained differences of `methods/` rest on: with the package's own step its number comes out."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.did.cells import within
from evalkit.did.cross_section import section_effect
from evalkit.did.dose_curve import Basis
from evalkit.did.propensity import logit, pieces_of
from tests.golden import agreement
from tests.golden.methods import clubsandwich, contdid, ddd

pytestmark = pytest.mark.reference
CASES = {case.name: case for case in agreement.cases()}


@pytest.fixture
def data(reference):
    return agreement.reader(reference)


def _named(start):
    return [CASES[name] for name in sorted(CASES) if name.startswith(start)]


@pytest.mark.parametrize("case", _named("ddd/multi/"), ids=lambda case: case.name)
def test_triplediff_lets_the_first_cohort_stand_for_all(case, data):
    """R's error of `group:overall`: in the weights' influence the indicator is that of the first cohort every time."""
    panel, path = ddd.path_of(case, data)
    each = path.combine("cohort")
    starts = np.unique(panel.cohort[panel.ever_treated])
    share = np.array([(panel.cohort == g).mean() for g in starts])
    first = (panel.cohort == starts[0])[:, None] - share
    weights = first / share.sum() - first.sum(axis=1, keepdims=True) * share / share.sum() ** 2
    influence = each.scores @ share / share.sum() + weights @ each.estimate / panel.n_units
    assert np.linalg.norm(influence) == pytest.approx(case.numbers["group:overall"][1], rel=1e-8)


def _added(y, after, treated, x, method):
    """The fit, and its influence with the cost of the before-period regression added instead of subtracted."""
    fit = section_effect(y, after, treated, x, None, method)
    own, control = 1.0 * (~after & treated), 1.0 * (~after & ~treated)
    other = control * np.exp(x @ logit(pieces_of(x, treated, np.ones(len(y))))[0])
    bread = np.linalg.inv((x * control[:, None]).T @ x)
    rest = y - x @ (bread @ (x.T @ (control * y)))
    gap = own @ x / own.sum() - other @ x / other.sum()
    return fit, fit.influence - 2 * (x * (control * rest)[:, None]) @ bread @ gap


@pytest.mark.parametrize(("method", "name"), [("dr", "drdid_rc"), ("dr_simple", "drdid_rc1")])
def test_drdid_adds_what_the_derivative_subtracts(method, name, data):
    """With that one gradient's sign turned R's standard error of repeated cross-sections comes out."""
    frame = data("mpdta.csv")
    frame = frame[frame["year"].isin([2006, 2007]) & frame["first.treat"].isin([0, 2007])]
    x = np.column_stack([np.ones(len(frame)), frame["lpop"]])
    after, treated = (frame["year"] == 2007).to_numpy(), (frame["first.treat"] == 2007).to_numpy()
    fit, influence = _added(frame["lemp"].to_numpy(), after, treated, x, method)
    value, se = CASES[f"drdid/mpdta2x2/lowlevel/{name}"].numbers["ATT"]
    assert fit.estimate == pytest.approx(value, rel=1e-9)
    assert np.linalg.norm(influence) == pytest.approx(se, rel=1e-9)
    assert np.linalg.norm(fit.influence) > 1.0003 * se


def test_did_hands_that_sign_on(data):
    """Every ATT(g,t) of the panel with holes has R's error where units' sums of the influence take that sign."""
    frame = data("mpdta.csv")
    frame = frame.drop(frame.index[6::37]).sort_values(["countyreal", "year"])
    start, year = frame["first.treat"].to_numpy(), frame["year"].to_numpy()
    for name, (value, se) in CASES["did/mpdta/unbalanced/dr/lpop"].numbers.items():
        if not name.startswith("ATT("):
            continue
        g, t = (int(part) for part in name[4:-1].split(","))
        base = g - 1 if t >= g else t - 1
        part = frame[np.isin(year, (t, base)) & np.isin(start, (0, g))]
        x = np.column_stack([np.ones(len(part)), part["lpop"]])
        after, treated = (part["year"] == t).to_numpy(), (part["first.treat"] == g).to_numpy()
        fit, influence = _added(part["lemp"].to_numpy(), after, treated, x, "dr")
        unit = np.unique(part["countyreal"], return_inverse=True)[1]
        assert fit.estimate == pytest.approx(value, rel=1e-8)
        assert np.linalg.norm(np.bincount(unit, influence)) == pytest.approx(se, rel=1e-8)


def test_the_derivative_has_the_size_of_the_errors():
    """Where the propensity is misspecified, over samples our mean standard error is the estimates' spread, within its
    Monte Carlo error; with DRDID's sign it is 7 percent short, four times that error.
    """
    rng, found = np.random.default_rng(11), []
    for _ in range(1_600):
        z = rng.normal(size=1_200)
        x, after = np.column_stack([np.ones(len(z)), z]), rng.random(len(z)) < 0.5
        treated = rng.random(len(z)) < 1 / (1 + np.exp(1.4 - 0.9 * z - 0.6 * z**2))
        spread = np.where(~after & ~treated, 0.5 + np.abs(z), 1.0)
        y = 1 + z + 0.5 * after * z + treated * (0.5 + after) + spread * rng.normal(size=len(z))
        fit, turned = _added(y, after, treated, x, "dr")
        found.append((fit.estimate, np.linalg.norm(fit.influence), np.linalg.norm(turned)))
    estimate, ours, theirs = np.array(found).T
    noise = 1 / np.sqrt(2 * len(estimate))
    assert abs(ours.mean() / estimate.std() - 1) < 2 * noise
    assert theirs.mean() / estimate.std() - 1 < -3 * noise


@pytest.mark.parametrize("case", _named("contdid/dose/"), ids=lambda case: case.name)
def test_contdid_turns_a_sign_and_divides_by_too_many(case, data):
    """R's bootstrapped errors: levels with the comparison units' influence turned, the mean slope divided by all units
    of the cell; within 10 percent each, and less than 3 percent apart on average.
    """
    panel, design = contdid.study_of(case, data)
    y, cohort, dose, spec = panel.matrix(), panel.cohort, panel.dose, design.dose
    own = dose[panel.ever_treated]
    at = np.quantile(own, np.arange(1, 10) / 10)
    inner = np.quantile(own, np.linspace(0, 1, spec.knots + 2)[1:-1])
    basis = Basis(spec=spec, knots=inner, low=float(own.min()), high=float(own.max()))
    shown = basis.values(at, 0, spec.ends)
    level, slope = np.zeros((len(y), len(at))), np.zeros(len(y))
    for g in np.unique(cohort[panel.ever_treated]):
        on = np.flatnonzero(cohort == g)
        ends = float(dose[on].min()), float(dose[on].max())
        x, steep = (basis.values(dose[on], order, ends) for order in (0, 1))
        share = len(on) / len(own) / (panel.n_periods - g)
        for t in range(g, panel.n_periods):
            change, off = y[:, t] - y[:, g - 1], cohort > t
            beta = np.linalg.lstsq(x, change[on], rcond=None)[0]
            moved = x * (change[on] - x @ beta)[:, None] @ np.linalg.inv(x.T @ x)
            level[on] += share * moved @ shown.T
            level[off] += share * ((change[off] - change[off].mean()) / off.sum())[:, None]
            mean = steep @ beta - (steep @ beta).mean() + len(on) * moved @ steep.mean(axis=0)
            slope[on] += share * mean / (len(on) + off.sum())
    wanted = np.array([case.numbers[f"att.d_{10 * i}%"][1] for i in range(1, 10)])
    ratio = np.linalg.norm(level, axis=0) / wanted
    assert np.abs(ratio - 1).max() < 0.1 and abs(ratio.mean() - 1) < 0.03
    assert np.linalg.norm(slope) == pytest.approx(case.numbers["overall_acrt"][1], rel=0.1)


def _two_way(model, data, own):
    """(n, own) regressors and (n,) outcome without unit and period effects; units."""
    y, x, unit, *_ = clubsandwich.design_of(model, data)
    x, y = within(x, unit), within(y, unit)
    years = x[:, own:]
    left = [v - years @ np.linalg.lstsq(years, v, rcond=None)[0] for v in (x[:, :own], y)]
    return left[0], left[1], unit


def test_clubsandwich_leaves_absorbed_effects_out_of_the_jackknife(data):
    """CR3 of its two-way plm fit is (I − H)⁻¹ with H of the demeaned regressor alone."""
    x, y, unit = _two_way("castle/within", data, 1)
    bread = np.linalg.inv(x.T @ x)
    rest = y - x @ (bread @ (x.T @ y))
    groups = [np.flatnonzero(unit == g) for g in np.unique(unit)]
    score = [x[i].T @ np.linalg.solve(np.eye(len(i)) - x[i] @ bread @ x[i].T, rest[i]) for i in groups]
    wanted = CASES["clubsandwich/castle/plm_within/CR3"].numbers["coef:post"][1]
    assert np.linalg.norm(np.array(score) @ bread) == pytest.approx(wanted, rel=1e-8)


def test_clubsandwich_takes_the_root_on_the_scale_of_the_counts(data):
    """CR2 of its Poisson fit: A = D(D(Φ − XMX')D)^−½ D with Φ = diag μ, D its root and X times μ."""
    z, x, unit, names, _, mu = clubsandwich.design_of("mortality/glm_poisson", data)
    bread = np.linalg.inv((x * mu[:, None]).T @ x)
    rest, score = mu * (z - x @ (bread @ (x.T @ (mu * z)))), []
    for i in (np.flatnonzero(unit == g) for g in np.unique(unit)):
        root, own = np.sqrt(mu[i]), x[i] * mu[i][:, None]
        value, axis = np.linalg.eigh(root[:, None] * (np.diag(mu[i]) - own @ bread @ own.T) * root)
        power = np.where(value > 1e-10 * value.max(), value, np.inf) ** -0.5
        score.append(x[i].T @ (root * ((axis * power) @ (axis.T @ (root * rest[i])))))
    se = np.linalg.norm(np.array(score) @ bread, axis=0)
    numbers = CASES["clubsandwich/mortality/glm_poisson/CR2"].numbers
    np.testing.assert_allclose(se, [numbers[f"coef:{name}"][1] for name in names], rtol=1e-7)


@pytest.mark.parametrize(("kind", "power"), [("HC2", 1), ("HC3", 2)])
def test_plm_takes_leverage_of_the_demeaned_regressors_alone(kind, power, data):
    """white1 with leverage of the doubly demeaned regressors, without that of unit and period effects."""
    x, y, _ = _two_way("grunfeld/twoways", data, 2)
    bread = np.linalg.inv(x.T @ x)
    rest, leverage = y - x @ (bread @ (x.T @ y)), np.einsum("ij,jk,ik->i", x, bread, x)
    se = np.linalg.norm((x * (rest / (1 - leverage) ** (power / 2))[:, None]) @ bread, axis=0)
    numbers = CASES[f"plm/grunfeld/within_twoways/vcovHC_white1_{kind}"].numbers
    np.testing.assert_allclose(se, [numbers[f"coef:{name}"][1] for name in ("value", "capital")], rtol=1e-8)


@pytest.mark.parametrize("how", ["arellano", "white1"])
def test_plm_counts_rows_that_differencing_took(how):
    """HC1 of its first differences is HC0 times √(190/197): 190 differences, 200 rows less 3 coefficients."""
    plain, scaled = (CASES[f"plm/grunfeld/fd/vcovHC_{how}_{kind}"].numbers for kind in ("HC0", "HC1"))
    ratio = [scaled[name][1] / plain[name][1] for name in plain]
    np.testing.assert_allclose(ratio, np.sqrt(190 / 197), rtol=1e-10)


def test_didimputation_projects_with_squared_weights(data):
    """Its static error under weights w: untreated cells get −w z (Σ w² zz')⁻¹ Σ w z ω where equation (6) has
    −w z (Σ w zz')⁻¹ Σ z ω.
    """
    frame = data("mpdta.csv")
    y, w = frame["lemp"].to_numpy(), np.exp(frame["lpop"].to_numpy())
    start, time = frame["first.treat"].to_numpy(), frame["year"].to_numpy()
    on, unit = (start > 0) & (time >= start), np.unique(frame["countyreal"], return_inverse=True)[1]
    z = np.column_stack([unit[:, None] == np.arange(unit.max() + 1), time[:, None] == np.unique(time)[1:]]).astype(
        float
    )
    omega = on * w / w[on].sum()
    gram = (z[~on] * w[~on, None]).T @ z[~on]
    rest = y - z @ np.linalg.solve(gram, z[~on].T @ (w * y)[~on])
    value, se = CASES["didimputation/mpdta/static_weights"].numbers["term:treat"]
    assert omega @ rest == pytest.approx(value, rel=1e-8)
    squared = (z[~on] * w[~on, None] ** 2).T @ z[~on]
    pull = np.where(on, omega, -w * (z @ np.linalg.solve(squared, z[on].T @ (w * omega)[on])))
    cell = np.unique(np.column_stack([start, time, on]), axis=0, return_inverse=True)[1].ravel()
    mean = np.bincount(cell, pull**2 * rest) / np.bincount(cell, pull**2)
    influence = np.bincount(unit, pull * (rest - on * mean[cell]))
    assert np.linalg.norm(influence) == pytest.approx(se, rel=1e-8)
