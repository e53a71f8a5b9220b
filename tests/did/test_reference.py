"""Numbers of R fixest, clubSandwich, summclust and fwildclusterboot under the conventions named in the golden files."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit import did
from evalkit.core import Design
from evalkit.did import linalg, wild
from evalkit.did.cells import within
from evalkit.did.poisson import fit_poisson

pytestmark = pytest.mark.reference
CR1 = Design(rule="cr1")


def _same(path, row, pair, rtol=1e-8):
    np.testing.assert_allclose([path.estimate[row], path.std_error[row]], pair, rtol=rtol)


@pytest.mark.parametrize(
    ("case", "cluster", "weight"),
    [
        ("twfe/cluster_countyreal", None, None),
        ("twfe/cluster_st", "st", None),
        ("twfe_w/cluster_countyreal", None, "w"),
    ],
)
def test_twfe_on_mpdta_equals_fixest(frame, from_frame, golden, case, cluster, weight):
    """Static TWFE, clustered by county or state, weighted or not: estimate and CR1 to 1e-8."""
    data = frame("mpdta.csv").assign(st=lambda d: d.countyreal // 1000, w=lambda d: np.exp(d.lpop))
    panel = from_frame(data, "countyreal", "year", "lemp", "first.treat", cluster=cluster, weight=weight)
    _same(did.twfe(panel, CR1), 0, golden("fixest")[f"fixest/mpdta/{case}"]["coef:post"])


def test_interval_of_cr1_uses_clusters_minus_one(frame, from_frame, golden):
    """p-value of the state-clustered estimate: t with G − 1 degrees of freedom."""
    data = frame("mpdta.csv").assign(st=lambda d: d.countyreal // 1000)
    found = did.twfe(from_frame(data, "countyreal", "year", "lemp", "first.treat", cluster="st"), CR1)
    assert found.inference[0].df == 28
    assert found.inference[0].p_value == pytest.approx(0.11802641023097477, rel=1e-8)


@pytest.mark.parametrize("case", ["mpdta", "castle"])
def test_event_study_equals_fixest(frame, castle, from_frame, golden, case):
    """All leads and lags of one regression, estimate and CR1 to 1e-8, rows of single-cluster cohorts included."""
    if case == "mpdta":
        panel = from_frame(frame("mpdta.csv"), "countyreal", "year", "lemp", "first.treat")
        numbers = golden("fixest")["fixest/mpdta/event_i/cluster_countyreal"]
    else:
        panel = from_frame(castle, "sid", "year", "l_homicide", "effyear")
        numbers = golden("fixest")["fixest/castle/event_i/cluster_sid"]
    path = did.event_study(panel, CR1)
    row = {term.event_time: i for i, term in enumerate(path.terms)}
    for quantity, pair in numbers.items():
        _same(path, row[int(quantity.split("::")[1].split(":")[0])], pair)


def test_time_varying_covariate_equals_fixest(frame, from_frame, golden):
    """TWFE with a covariate, by way of PanelOLS, on the staggered simulated panel."""
    data = frame("base_stagg.csv")
    data["start"] = data.year_treated.where(data.year_treated <= data.year.max())
    panel = from_frame(data, "id", "year", "y", "start", covariates=["x1"])
    path = did.twfe(panel, Design(rule="cr1", covariates=("x1",)))
    _same(path, 0, golden("fixest")["fixest/base_stagg/twfe/cluster_id"]["coef:post"])


def test_castle_cr1_cr2_cr3(castle, from_frame, golden):
    """Castle TWFE: CR1 = fixest, CR2 and df = clubSandwich, CR3 without its factor = 0.0605, the true jackknife."""
    panel = from_frame(castle, "sid", "year", "l_homicide", "start")
    _same(did.twfe(panel, CR1), 0, golden("fixest")["fixest/castle/twfe/cluster_sid"]["coef:post"])
    numbers = golden("clubsandwich")["clubsandwich/castle/lm_twfe/CR2"]
    path = did.twfe(panel, Design(rule="cr2"))
    _same(path, 0, numbers["coef:post"])
    assert path.inference[0].df == pytest.approx(numbers["Satterthwaite:df:post"][0], rel=1e-8)
    assert path.inference[0].p_value == pytest.approx(numbers["Satterthwaite:p:post"][0], rel=1e-8)
    assert path.inference[0].conf_low == pytest.approx(numbers["ci95lo:post"][0], rel=1e-7)
    assert did.twfe(panel, Design(rule="cr3")).std_error[0] * np.sqrt(50 / 49) == pytest.approx(0.0605, abs=5e-5)


def test_usual_standard_error_equals_fixest_iid(castle, from_frame, golden):
    """Rule "usual" on TWFE counts the absorbed unit effects, as an iid covariance does."""
    path = did.twfe(from_frame(castle, "sid", "year", "l_homicide", "start"), Design(rule="usual"))
    _same(path, 0, golden("fixest")["fixest/castle/twfe/iid"]["coef:post"])


def test_poisson_with_exposure_equals_fepois(castle, from_frame, golden):
    """Castle homicides with population as exposure: estimate and CR1 to 1e-7."""
    panel = from_frame(castle, "sid", "year", "homicide_c", "start", exposure="population")
    _same(did.ppml(panel, CR1), 0, golden("fixest")["fixest/castle/fepois_offset/cluster_sid"]["coef:post"], 1e-7)


def test_poisson_with_continuous_regressors_equals_fepois(frame, plain, golden, standard_errors):
    """The Poisson kernel with two continuous regressors, state and year effects, clustered by state."""
    data = frame("mortality_rates.csv").query("cause == 'Motor Vehicle'").dropna(subset=["beertaxa", "legal", "count"])
    data = data.sort_values(["state", "year"])
    unit = np.unique(data.state, return_inverse=True)[1]
    years = np.unique(data.year)[1:]
    x = np.column_stack([data.legal, data.beertaxa, data.year.to_numpy()[:, None] == years]).astype(float)
    y = data["count"].to_numpy(float)
    fit = fit_poisson(y, np.log(data["pop"].to_numpy(float)), x, unit)
    inner = within(x, unit, fit.mu)
    response = within(x @ fit.beta + (y - fit.mu) / fit.mu, unit, fit.mu)
    system = linalg.cluster_system(plain(inner, response, unit, fit.mu, n_params=x.shape[1] + 1))
    numbers = golden("fixest")["fixest/mortality/fepois_offset/cluster_state"]
    for j, name in enumerate(["legal", "beertaxa"]):
        found = [fit.beta[j], standard_errors(system, linalg.cr1_influence)[j]]
        np.testing.assert_allclose(found, numbers[f"coef:{name}"], rtol=1e-7)


def _grunfeld(frame, plain, absorb):
    data = frame("grunfeld.csv")
    firm = np.unique(data.firm, return_inverse=True)[1]
    x = np.column_stack([data.value, data.capital]).astype(float)
    y = data.inv.to_numpy(float)
    if not absorb:
        return linalg.cluster_system(plain(np.column_stack([x, np.ones(len(x))]), y, firm))
    years = np.unique(data.year)[1:]
    x = np.column_stack([x, data.year.to_numpy()[:, None] == years])
    return linalg.cluster_system(plain(within(x, firm), within(y, firm), firm, n_params=x.shape[1] + 10))


def _mortality(frame, plain, states=None):
    data = frame("mortality_rates.csv").query("cause == 'Motor Vehicle' and 1970 <= year <= 1983")
    data = data.dropna(subset=["beertaxa"]).sort_values(["state", "year"])
    if states:
        data = data[data.state.isin(np.sort(data.state.unique())[:states])]
    unit = np.unique(data.state, return_inverse=True)[1]
    years = np.unique(data.year)[1:]
    x = np.column_stack([data.legal, data.beertaxa, data.year.to_numpy()[:, None] == years]).astype(float)
    y = data.mrate.to_numpy(float)
    return linalg.cluster_system(plain(within(x, unit), within(y, unit), unit, n_params=x.shape[1] + unit.max() + 1))


@pytest.mark.parametrize(
    ("case", "rule", "factor"),
    [
        ("ols/CR1S", "cr1_influence", 1.0),
        ("ols/CR2", "cr2_influence", 1.0),
        ("ols/CR3", "cr3_influence", np.sqrt(10 / 9)),
        ("lm_twfe/CR2", "cr2_influence", 1.0),
    ],
)
def test_grunfeld_equals_clubsandwich(frame, plain, golden, standard_errors, case, rule, factor):
    """CR1S, CR2, CR3 (clubSandwich's has no (G−1)/G factor) and Satterthwaite df on ten firms."""
    numbers = golden("clubsandwich")[f"clubsandwich/grunfeld/{case}"]
    system = _grunfeld(frame, plain, absorb="twfe" in case)
    found = standard_errors(system, getattr(linalg, rule)) * factor
    df = linalg.satterthwaite(system, np.eye(len(found))[:2])
    for j, name in enumerate(["value", "capital"]):
        assert found[j] == pytest.approx(numbers[f"coef:{name}"][1], rel=1e-8)
        if rule == "cr2_influence":
            assert df[j] == pytest.approx(numbers[f"Satterthwaite:df:{name}"][0], rel=1e-8)


def test_mortality_equals_clubsandwich(frame, plain, golden, standard_errors):
    """CR2 and df with 50 states, two continuous regressors, absorbed states."""
    numbers = golden("clubsandwich")["clubsandwich/mortality/lm_twfe/CR2"]
    system = _mortality(frame, plain)
    found, df = standard_errors(system, linalg.cr2_influence), linalg.satterthwaite(system, np.eye(15)[:2])
    for j, name in enumerate(["legal", "beertaxa"]):
        assert found[j] == pytest.approx(numbers[f"coef:{name}"][1], rel=1e-8)
        assert df[j] == pytest.approx(numbers[f"Satterthwaite:df:{name}"][0], rel=1e-8)


def test_jackknife_equals_summclust(frame, plain, golden, standard_errors):
    """CR3 with the (G−1)/G factor equals summclust's CRV3 on OLS and on a fit with absorbed states."""
    numbers = golden("summclust")
    found = standard_errors(_grunfeld(frame, plain, absorb=False), linalg.cr3_influence)
    for j, name in enumerate(["value", "capital"]):
        assert found[j] == pytest.approx(numbers[f"summclust/grunfeld/ols/{name}/CRV3"][f"coef:{name}"][1], rel=1e-8)
    found = standard_errors(_mortality(frame, plain, 14), linalg.cr3_influence)
    assert found[0] == pytest.approx(numbers["summclust/mortality14/twfe/legal/CRV3"]["coef:legal"][1], rel=1e-8)


@pytest.mark.parametrize(
    ("model", "name", "position"),
    [
        ("grunfeld/ols", "value", 0),
        ("grunfeld/ols", "capital", 1),
        ("grunfeld/twfe", "value", 0),
        ("grunfeld/twfe", "capital", 1),
        ("mortality14/twfe", "legal", 0),
    ],
)
def test_wild_bootstrap_equals_fwildclusterboot(frame, plain, golden, model, name, position):
    """Enumerated Rademacher p within 2/2^G (ties of the identity draw); Webb p within Monte Carlo error."""
    if model.startswith("mortality"):
        system = _mortality(frame, plain, 14)
    else:
        system = _grunfeld(frame, plain, absorb=model.endswith("twfe"))
    g = system.n_clusters
    contrast = np.eye(len(system.scale))[position]
    numbers = golden("wildboot")
    exact = wild.bootstrap(system, contrast, weights="rademacher")
    expected = numbers[f"wildboot/{model}/{name}/rademacher_fnw11_nullTRUE"]
    assert exact.draws == 2**g
    assert abs(exact.p_value - expected["p"][0]) <= 2 / 2**g + 1e-12
    drawn = wild.bootstrap(system, contrast, weights="webb", n=19_999)
    assert drawn.p_value == pytest.approx(numbers[f"wildboot/{model}/{name}/webb"]["p"][0], abs=0.012)


def test_wild_interval_equals_fwildclusterboot(frame, plain, golden):
    """Interval by inversion, 2^14 Rademacher draws: within 1 % of its width of the published ends."""
    expected = golden("wildboot")["wildboot/mortality14/twfe/legal/rademacher_fnw11_nullTRUE"]
    found = wild.bootstrap(_mortality(frame, plain, 14), np.eye(15)[0])
    width = expected["ci95hi"][0] - expected["ci95lo"][0]
    assert found.weights == "rademacher"
    assert found.conf_low == pytest.approx(expected["ci95lo"][0], abs=0.01 * width)
    assert found.conf_high == pytest.approx(expected["ci95hi"][0], abs=0.01 * width)
