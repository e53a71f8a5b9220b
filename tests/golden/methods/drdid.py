"""R DRDID on two years of mpdta: its standard error is the root of Σ ψ²."""

from __future__ import annotations

import numpy as np

from evalkit.did.cross_section import section_effect
from evalkit.did.two_by_two import panel_effect
from tests.golden.agreement import covers
from tests.golden.methods.did import SIGN

ESTIMATORS = {
    "drdid_imp": "dr_improved",
    "drdid_trad": "dr",
    "ordid": "reg",
    "ipwdid_normTRUE": "ipw",
    "ipwdid_normFALSE": "ipw_raw",
    "reg_did": "reg",
    "ipw_did": "ipw_raw",
    "std_ipw_did": "ipw",
    "drdid": "dr",
}
LOW_LEVEL = {"drdid_rc1": "dr_simple", "drdid_imp_rc1": "dr_improved_simple"}


TRADITIONAL = ("lowlevel/drdid_rc", "lowlevel/drdid_rc1", "rc/lpop/*/drdid_trad")


@covers("drdid/*ipwdid_normFALSE", rtol=1e-6)  # R's logit stops early; weights that are not normalised show it
@covers("drdid/*", rtol=1e-8, unmet={f"drdid/mpdta2x2/{name} ATT": SIGN for name in TRADITIONAL})
def compute(case, data):
    frame = data(case.data)
    frame = frame[frame["year"].isin([2006, 2007]) & frame["first.treat"].isin([0, 2007])]
    frame = frame.sort_values(["countyreal", "year"])
    name = case.name.rsplit("/", 1)[1]
    followed = name.endswith("_panel") or "/panel/" in case.name
    method = LOW_LEVEL.get(name) or ESTIMATORS[name.removesuffix("_panel").removesuffix("_rc")]
    y, treated, level = (frame[c].to_numpy() for c in ("lemp", "first.treat", "lpop"))
    treated = treated == 2007
    x = np.column_stack([np.ones(len(y)), level])[:, : 1 if "/nocov/" in case.name else 2]
    weight = np.exp(level) if "/w_w/" in case.name else np.ones(len(y))
    if followed:
        before = slice(None, None, 2)
        fit = panel_effect(y[1::2] - y[before], treated[before], x[before], weight[before], method)
        psi = fit.influence((y[1::2] - y[before])[:, None], x[before], treated[before], weight[before])
        estimate = float(fit.estimate[0])
    else:
        section = section_effect(y, (frame["year"] == 2007).to_numpy(), treated, x, weight, method)
        psi, estimate = section.influence, section.estimate
    return {"ATT": (estimate, float(np.sqrt((psi**2).sum())))}
