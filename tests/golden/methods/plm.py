"""R plm: pooled, within and first-difference estimates with their heteroskedasticity- and cluster-robust errors.

Arellano = clusters by firm (HC1: n/(n−k); sss: Stata's factor), white1 = every row its own. Leverage types of
arellano, white2, time-series and spatial errors, random effects and specification tests are not evalkit methods.
"""

from __future__ import annotations

import numpy as np

from tests.golden.agreement import covers
from tests.golden.methods.clubsandwich import influence_of, system_of

MODEL = {"within_twoways": "twoways"}


def _system(case, data, cluster):
    model = case.name.split("/")[2]
    return system_of(f"grunfeld/{MODEL.get(model, model)}", data, cluster)


FD = "divides the 190 differences by 200 rows less 3 coefficients: a factor below one (`test_explained`)"
DEMEANED = (
    "leverage of the doubly demeaned regressors alone (`test_explained`); here the period effects' leverage counts too"
)


@covers(
    "plm/grunfeld/*/vcovHC_arellano_*",
    "plm/grunfeld/*/vcovHC_white1_*",
    unmet={
        "plm/grunfeld/fd/vcovHC_*_HC1 *": FD,
        "plm/grunfeld/within_twoways/vcovHC_white1_HC[23] *": DEMEANED,
    },
)
def robust(case, data):
    _, how, kind = case.name.split("/")[3].split("_")
    system, names = _system(case, data, "own" if how == "arellano" else "row")
    beta, n, k = system.beta / system.scale, system.n_obs, len(names)
    if how == "arellano" and kind in ("HC2", "HC3"):
        return {f"coef:{name}": beta[j] for j, name in enumerate(names)}
    rule = {"sss": "CR1S", "HC2": "CR2", "HC3": "CR3"}.get(kind, "CR0")
    influence, _ = influence_of(system, rule, names)
    se = np.sqrt((influence**2).sum(axis=0) * (n / (n - k) if kind == "HC1" else 1.0))
    return {f"coef:{name}": (beta[j], se[j]) for j, name in enumerate(names)}


@covers("plm/grunfeld/within", "plm/grunfeld/within_twoways", "plm/grunfeld/fd", "plm/grunfeld/pooling")
def estimates(case, data):
    system, names = _system(case, data, "own")
    return {f"coef:{name}": b for name, b in zip(names, system.beta / system.scale)}
