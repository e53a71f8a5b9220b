"""R fwildclusterboot: enumerated p-values within the two draws that tie with the sample; drawn ones within noise.

Intervals are compared in `test_wild`: ends of an enumerated interval are jumps between draws, which ties displace.
Types 11 to 33 come with their columns in another order (the place of the interval holds other numbers).
"""

from __future__ import annotations

import numpy as np

from evalkit.did import wild
from tests.golden.agreement import covers
from tests.golden.methods.clubsandwich import system_of


def _result(case, data, n=9_999):
    _, frame, model, name, how = case.name.split("/")
    system, names = system_of(f"{frame}/{model}", data)
    contrast = np.eye(len(system.scale))[names.index(name)]
    draw, _, rest = how.partition("_")
    kind = rest[:2] if rest[:2] in ("11", "13", "31", "33") else "11"
    kind_of_weights = {"norm": "normal"}.get(draw, draw)
    result = wild.bootstrap(
        system, contrast, kind=kind, null_imposed="nullFALSE" not in rest, weights=kind_of_weights, n=n
    )
    g, rows, k = system.n_clusters, system.n_obs, system.n_params
    factor = 1.0 if kind[1] == "1" else np.sqrt(g / (g - 1) * (rows - 1) / (rows - k))
    return result, factor, rest


ONE_SIDED = (
    "puts the small-sample factor into the sample's jackknife variance and not into the draws' (`test_wild` meets the "
    "package's p in that way); here the factor is on both sides"
)


@covers(
    "wildboot/*",
    rtol=1e-8,
    atol=2 / 2**10 + 1e-9,
    unmet={"wildboot/*_13_null* p": ONE_SIDED, "wildboot/*_33_null* p": ONE_SIDED},
)
def enumerated(case, data):
    result, factor, rest = _result(case, data)
    if rest in ("p_less", "p_greater"):
        return {"p": result.tails[rest == "p_greater"]}
    if rest == "p_equal":
        return {"p": result.p_value}
    out = {"p": result.p_value, "t_stat": result.statistic / factor}
    return out | ({"n_draws": float(result.draws)} if rest.startswith("fnw11") else {})


@covers("wildboot/*/webb", "wildboot/*/norm", rtol=1e-8, atol=0.006)
def drawn(case, data):
    result, factor, _ = _result(case, data, n=99_999)
    return {"p": result.p_value, "t_stat": result.statistic / factor}


@covers("wildboot/mortality14/*/rademacher*", rtol=1e-8, atol=2 / 2**14 + 1e-9)
def many(case, data):
    return enumerated(case, data)
