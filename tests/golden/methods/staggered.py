"""R staggered: the estimators of Callaway-Sant'Anna and Sun-Abraham, and their Neyman errors, as saturated regression.

Neyman's variance Σ_g a_g'S_g a_g / n_g with cohorts' own covariances S_g is the "cr2" of the regression saturated in
cohort × period (`sunab`), every unit a cluster: a cohort's mean has leverage 1/n_g. Its rows compare with the never
treated; comparisons with those not yet treated are linear in them.

Not covered: beta_plugin, the efficient estimator of Roth and Sant'Anna (2023), and the errors it refines. It adjusts
for every cohort's earlier outcomes, which is right only where timing was drawn by lot, and with cohorts much larger
than their number of earlier periods. The programmes evaluated here choose their cities and firms, cohorts of cities
count 1 to 10, and where firms were drawn by lot `imputation` uses all earlier periods already.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import evalkit
from evalkit import did
from tests.golden.agreement import covers
from tests.golden.methods.fixest import mpdta


@covers("staggered/mpdta/*/beta_1", "staggered/mpdta/staggered_*", rtol=1e-8)
def compute(case, data):
    panel = mpdta(data)
    path = did.sunab(panel, evalkit.Design(rule="cr2"))
    if "staggered_sa" not in case.name:
        path = _not_yet(path)
    found = {}
    if "eventstudy" in case.name:
        rows = path.combine("event_time").select(lambda t: t.event_time >= 0)
        names = [f"event{t.event_time}" for t in rows.terms]
    else:
        kind = case.name.split("/")[2].rsplit("_", 1)[-1] if "staggered_" in case.name else case.name.split("/")[2]
        rows, names = path.combine("overall" if kind == "simple" else kind), [kind]
        if kind != "simple":
            rows = rows.combine("overall", weights="size" if kind == "cohort" else "equal")
    for name, estimate, se in zip(names, rows.estimate, rows.std_error):
        found |= {name: float(estimate), f"{name}:se_neyman": float(se)}
    return found


def _not_yet(path):
    """θ(g,t) less the size-weighted mean, over cohorts untreated in t, of what they moved from g − 1 to t."""
    place = {(t.cohort, t.time): i for i, t in enumerate(path.terms)}
    size = {t.cohort: t.n_treated for t in path.terms}
    never = path.terms[0].n_units - sum(size.values())
    matrix = np.eye(len(path))
    for (g, time), row in place.items():
        later = [h for h in size if h > max(time, g)]
        for h in later if time >= g else ():
            share = size[h] / (never + sum(size[k] for k in later))
            matrix[row, place[h, time]] -= share
            matrix[row, place[h, g - 1]] += share
    return replace(
        path,
        estimate=matrix @ path.estimate,
        vcov=matrix @ path.vcov @ matrix.T,
        scores=path.scores @ matrix.T,
        inference=(),
    )
