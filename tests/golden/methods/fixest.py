"""R fixest: two-way fixed effects, event studies, Sun-Abraham and Poisson with an offset, clustered standard errors.

Its default small-sample factor G/(G−1) · (N−1)/(N−K), fixed effects nested in the clusters not counted in K, is our
cr1; the variants are ours times the ratio of factors. Rows that hang on one cluster have no interval here and their
statistics are not compared. Not covered: iid and HC1-HC3, which take a unit's periods for independent, two-way
clusters, Newey-West and Driscoll-Kraay, which need many periods (`methods.md` 1: clusters are units of assignment, with
shocks that last; 10 to 20 periods), logit, coefficients of covariates, fit statistics, regressions without unit
effects, and partly treated periods.
"""

from __future__ import annotations

import numpy as np
from scipy.special import fdtrc, stdtr, stdtrit

import evalkit
from evalkit import did
from evalkit.did.registry import fit_of
from tests.golden.agreement import covers

REGIONS = ("midwest", "south", "west")


def mpdta(data, **columns):
    frame = data("mpdta.csv").copy()
    frame["g"] = frame["first.treat"].where(frame["first.treat"] > 0)
    frame["st"] = frame["countyreal"] // 1000
    frame["w"] = np.exp(frame["lpop"])
    for t in range(2003, 2007):
        frame[f"lpop{t}"] = frame["lpop"] * (frame["year"] == t)
    return evalkit.panel(frame, unit="countyreal", time="year", outcome="lemp", cohort="g", **columns)


def stagg(data):
    frame = data("base_stagg.csv").copy()
    frame["g"] = frame["year_treated"].where(frame["year_treated"] <= frame["year"].max())
    return evalkit.panel(frame, unit="id", time="year", outcome="y", cohort="g", covariates=("x1",))


def castle(data, outcome="l_homicide", **columns):
    frame = data("castle.csv").copy()
    frame["homicide_c"] = frame["homicide_c"].astype(float)
    return evalkit.panel(frame, unit="sid", time="year", outcome=outcome, cohort="effyear", **columns)


def regional(data):
    """castle with a column for each region and year but the first."""
    frame = data("castle.csv").astype({"popwt": float})
    columns = {f"{r}×{t}": frame[r] * (frame["year"] == t) * 1.0 for r in REGIONS for t in range(2001, 2011)}
    return evalkit.panel(
        frame.assign(**columns),
        unit="sid",
        time="year",
        outcome="l_homicide",
        cohort="effyear",
        weight="popwt",
        covariates=tuple(columns),
    )


def panel_of(case, data):
    _, source, model, variant = case.name.split("/")
    if source == "mpdta":
        if model == "twfe_lpopyear":
            return mpdta(data, covariates=tuple(f"lpop{t}" for t in range(2003, 2007)))
        weight = {"weight": "w"} if model == "twfe_w" else {}
        cluster = {"cluster": "st"} if variant.startswith("cluster_st") else {}
        return mpdta(data, **weight, **cluster)
    if source == "base_stagg":
        return stagg(data)
    if source == "medicaid":
        return evalkit.panel(data("ehec_data.csv"), unit="stfips", time="year", outcome="dins", cohort="yexp2")
    if source == "base_did":
        frame = data("base_did.csv").copy()
        frame["g"] = np.where(frame["treat"] == 1, 6, np.nan)
        return evalkit.panel(frame, unit="id", time="period", outcome="y", cohort="g", covariates=("x1",))
    if model == "fepois_offset":
        return castle(data, "homicide_c", exposure="population")
    if model == "twfe_regionyear_w":
        return regional(data)
    return castle(data)


def said(effect, std_error, name, stretch=1.0):
    """Coefficient, and where our router gives an interval, statistic, p and interval with the variant's factor."""
    found = {f"coef:{name}": (effect.estimate, float(std_error) * stretch)}
    if effect.std_error is not None:
        df, t = effect.inference.df, effect.inference.statistic / stretch
        found[f"stat:{name}"], found[f"p:{name}"] = t, 2 * float(stdtr(df, -abs(t)))
        half = float(stdtrit(df, 0.975)) * float(std_error) * stretch
        found[f"ci95lo:{name}"], found[f"ci95hi:{name}"] = effect.estimate - half, effect.estimate + half
    if stretch == 1.0 and effect.std_error is not None:
        found[f"p:{name}"] = effect.p_value
        found[f"ci95lo:{name}"], found[f"ci95hi:{name}"] = effect.conf_low, effect.conf_high
    return found


def stretch_of(variant, path, panel):
    """From our factor to the variant's. Of region × year effects R counts every level, also the three regions that the
    units' effects hold already.
    """
    regression = fit_of(path.method, panel, path.design).sources[0]
    n, k, g = len(regression.y), regression.n_params, len(np.unique(regression.cluster))
    effects, regional = len(np.unique(regression.unit)), sum("×" in name for name in panel.covariates)
    counted = k + (len(REGIONS) if regional else 0)
    groups, size = np.sqrt((g - 1) / g), np.sqrt((n - k) / (n - 1))
    plain = np.sqrt((n - k) / (n - counted))
    return {
        "noadj": groups * size,
        "noGadj": groups * plain,
        "noKadj": size,
        "none": size * np.sqrt((n - 1) / (n - k + len(np.unique(regression.time)) + regional)),
        "full": size * np.sqrt((n - 1) / (n - counted - effects + 1)),
    }.get(variant.partition("_ssc_")[2], plain)


@covers("fixest/mpdta/twfe*/cluster_*", "fixest/base_stagg/twfe/cluster_*", "fixest/castle/twfe/cluster_*")
@covers("fixest/castle/twfe_regionyear_w/cluster_*")
@covers("fixest/*/event_i/cluster_*")
@covers("fixest/castle/fepois_offset/cluster_*", rtol=1e-7)
def regressions(case, data):
    _, source, model, variant = case.name.split("/")
    panel = panel_of(case, data)
    design = evalkit.Design(rule="cr1", covariates=tuple(panel.covariates))
    fit = {"fepois_offset": did.ppml, "event_i": did.event_study}.get(model, did.twfe)
    path = fit(panel, design)
    stretch, found = stretch_of(variant, path, panel), {}
    for effect, se, term in zip(path.effects(), path.std_error, path.terms):
        if se == 0:
            continue
        name = "post" if term.event_time is None else f"e::{term.event_time}:ev"
        name = f"period::{term.event_time + 6}:treat" if source == "base_did" else name
        found |= said(effect, se, name, stretch)
    if path.is_count:  # R takes the normal distribution there
        found = {k: v for k, v in found.items() if k.startswith(("coef", "stat"))}
    return found


@covers("fixest/*/sunab/*")
def sun_abraham(case, data):
    axis = case.name.split("/")[-1]
    panel = panel_of(case, data)
    path = did.sunab(panel, evalkit.Design(rule="cr1", covariates=tuple(panel.covariates)))
    found = {}
    if axis in ("att", "cohort"):
        whole = path.combine("overall" if axis == "att" else "cohort")
        names = ["ATT"] if axis == "att" else [f"cohort::{t.cohort}" for t in whole.terms]
    elif axis in ("event", "period"):
        whole = path.combine("event_time")
        names = [f"year::{t.event_time}" for t in whole.terms]
    else:
        whole, names = path, [f"year::{t.event_time}:cohort::{t.cohort}" for t in path.terms]
    whole = did.inference(whole, panel, "cr1")
    for effect, se, name in zip(whole.effects(), whole.std_error, names):
        if se > 0:
            found |= said(effect, se, name)
    if axis == "fit":
        return {"nobs": float(path.terms[0].n_units * panel.n_periods)}
    return found


@covers("fixest/mpdta/event_i/wald_pre", rtol=1e-8)
def wald(case, data):
    """All leads are zero by the plain F test; evalkit's own is `did.pretrend_test`, with its CR2 degrees of freedom."""
    panel = panel_of(case, data)
    path = did.event_study(panel, evalkit.Design(rule="cr1"))
    early = path.select(lambda t: t.event_time < -1)
    k, df = len(early), early.inference[0].df
    f = float(early.estimate @ np.linalg.solve(early.vcov, early.estimate)) / k
    return {"stat": f, "p": float(fdtrc(k, df, f)), "df1": k, "df2": df}
