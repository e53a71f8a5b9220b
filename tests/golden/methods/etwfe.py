"""R etwfe: cohort dummies (its default) or unit effects (`ivar`), averaged by marginaleffects.

R counts the slopes of a covariate, redundant ones included, and with `ivar` the absorbed unit effects among K: the
factor √((N−1)/(N−K)) of its K is put on ours. Its response-scale effect Σ(μ1 − μ0)/n comes with the variance of the
interaction coefficients alone, cohort and period effects taken as known; that delta method is done here on our
coefficients and their covariance. `EffectPath.averted` has another convention: μ0 with all its error, the observed
count as given.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import evalkit
from evalkit import did
from evalkit.did.count_model import solve
from evalkit.did.linalg import cluster_system, cr1_influence
from evalkit.did.ppml import DUMMIES, etwfe_poisson_cohort_fit
from evalkit.did.registry import fit_of
from tests.golden.agreement import covers

AXES = {"simple": "overall", "group": "cohort", "calendar": "calendar", "event": "event_time"}


def panel_of(data, covariates=()):
    frame = data("mpdta.csv").copy()
    frame["first"] = frame["first.treat"].where(frame["first.treat"] > 0)
    frame["emp"] = np.exp(frame["lemp"])
    return lambda outcome: evalkit.panel(
        frame, unit="countyreal", time="year", outcome=outcome, cohort="first", covariates=covariates
    )


def aggregates(path, stretch=1.0):
    """Averages over treated observations by R's names."""
    found = {}
    for name, axis in AXES.items():
        whole = path.combine(axis)
        for term, value, se in zip(whole.terms, whole.estimate, whole.std_error):
            key = name if name == "simple" else f"{name}:{term.term.split('=')[1]}"
            found[key] = (float(value), float(se) * stretch if se > 0 else None)
    return found


@covers("etwfe/mpdta/*", rtol=1e-8, se_rtol=1e-5)
def linear(case, data):
    covariates = ("lpop",) if "lpop" in case.name else ()
    panel = panel_of(data, covariates)("lemp")
    control = "never" if "never" in case.name else "not_yet"
    effects = "unit" if "ivar" in case.name else "cohort"
    design = evalkit.Design(rule="cr1", control=control, covariates=covariates)
    path = did.etwfe(panel, design, effects=effects)
    more = (panel.n_units + 1 if effects == "unit" else 1) if covariates else 0
    stretch = factor(fit_of(path.method, panel, path.design).sources[0], more)
    if case.name.endswith("coef"):
        return {
            f".Dtreat:first_treat::{t.cohort}:year::{t.time}": (e, s * stretch)
            for t, e, s in zip(path.terms, path.estimate, path.std_error)
        }
    return aggregates(path, stretch)


@covers("etwfe/mpdta/poisson_*", rtol=1e-7, se_rtol=1e-5)
def poisson(case, data):
    covariates = ("lpop",) if "lpop" in case.name else ()
    panel = panel_of(data, covariates)("emp")
    design = evalkit.Design(rule="cr1", control="not_yet", covariates=covariates)
    if case.name.endswith("link"):
        path = did.etwfe(panel, design, family="poisson", effects="cohort")
        return aggregates(replace(path, observed=None, mu0=None))
    solved = solve(panel, design, "emp", DUMMIES)
    regression = etwfe_poisson_cohort_fit(panel, design).sources[0]
    system = cluster_system(regression)
    own = len(solved.live) * (1 + len(covariates))
    influence = (cr1_influence(system) / system.scale)[:, :own] * factor(regression, 1 if covariates else 0)
    mu1, mu0, x = solved.fit.mu, solved.mu0, solved.x[:, :own]
    event, post = solved.cells.event_time, solved.cells.post
    cohort, time = panel.cohort[solved.cells.unit], solved.cells.time
    groups = {"simple": post}
    groups |= {f"group:{panel.times[g]}": post & (cohort == g) for g in np.unique(cohort[post])}
    groups |= {f"calendar:{panel.times[t]}": post & (time == t) for t in np.unique(time[post])}
    groups |= {f"event:{e}": event == e for e in np.unique(event[post])}
    return {
        name: (float((mu1 - mu0)[on].mean()), float(np.linalg.norm(influence @ (mu1[on] @ x[on]) / on.sum())))
        for name, on in groups.items()
    }


def factor(regression, more):
    """From our K to R's, which counts `more`."""
    n, k = len(regression.y), regression.n_params
    return np.sqrt((n - k) / (n - k - more))
