"""R sandwich: heteroskedasticity-robust and clustered errors on cluster sums; a row is a cluster of its own for HC.

cadjust = G/(G−1); clustered HC2 and HC3 carry its inverse by themselves. The time-series and two-way errors and the
leverage powers HC4 to HC5 are not evalkit methods.
"""

from __future__ import annotations

import numpy as np

from evalkit.did import linalg
from tests.golden.agreement import covers
from tests.golden.methods.clubsandwich import design_of, influence_of, system_of

RULE = {"HC0": "CR0", "HC1": "CR0", "HC2": "CR2", "HC3": "CR3"}


@covers("sandwich/*/CL_HC?_*", "sandwich/*/HC[0123]")
def compute(case, data):
    _, frame, model, how = case.name.split("/")
    clustered = how.startswith("CL_")
    system, names = system_of(f"{frame}/{model}", data, "own" if clustered else "row")
    beta, n, g, k = system.beta / system.scale, system.n_obs, system.n_clusters, system.n_params
    kind = how.removeprefix("CL_")[:3]
    influence, _ = influence_of(system, RULE[kind], names)
    if kind in ("HC2", "HC3") and not clustered:
        influence = _absorbed(case, data, system, names, kind)
    scale = np.sqrt((n - 1) / (n - k) if clustered else n / (n - k)) if kind == "HC1" else 1.0
    if clustered:
        adjusted = how.endswith("TRUE")
        scale *= {
            "HC2": 1.0 if adjusted else np.sqrt((g - 1) / g),
            "HC3": 1.0 if adjusted else np.sqrt((g - 1) / g),
        }.get(kind, np.sqrt(g / (g - 1)) if adjusted else 1.0)
    se = np.sqrt((influence**2).sum(axis=0)) * scale
    return {f"coef:{name}": (beta[j], se[j]) for j, name in enumerate(names)}


def _absorbed(case, data, system, names, kind):
    """Leverage of the absorbed unit effects (1/T in a balanced panel) added to that of the within design."""
    _, frame, model, _ = case.name.split("/")
    unit, absorbed = design_of(f"{frame}/{model}", data)[2], "twfe" in model
    x_gram = np.einsum("gij,ji->g", system.gram, system.bread)
    leverage = x_gram + (1 / np.bincount(unit)[unit] if absorbed else 0.0)
    power = 0.5 if kind == "HC2" else 1.0
    return system.score @ system.bread / (1 - leverage)[:, None] ** power / system.scale


@covers("summclust/*")
def jackknife(case, data):
    _, frame, model, name, kind = case.name.split("/")
    system, names = system_of(f"{frame}/{model}", data)
    j, beta = names.index(name), system.beta / system.scale
    influence = (linalg.cr3_influence(system) / system.scale)[:, j]
    if kind == "CRV3J":  # centred at the mean of the leave-one-out estimates
        influence = influence - influence.mean()
    return {f"coef:{name}": (beta[j], float(np.linalg.norm(influence)))}
