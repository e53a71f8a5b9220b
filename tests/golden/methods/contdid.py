"""R contdid: overall effects, curve and slope at the deciles of the dose.

Its standard errors are interquartile ranges of 1,000 multiplier draws: within 10 percent of the influence function's.
"""

from __future__ import annotations

import numpy as np

import evalkit
from evalkit import did
from evalkit.core import DoseCurve
from tests.golden.agreement import covers

SLOPE = (
    "R divides the influence of a cohort's slope by treated and comparison units of the cell where its bread is of the "
    "treated alone: about half; with that division its number comes out (`test_explained`)"
)
LEVEL = (
    "R (ptetools) turns the sign of the comparison units' influence, which already carries its minus: a unit compared "
    "with before it starts is then added where it cancels; with that sign its numbers come out (`test_explained`)"
)


def study_of(case, data):
    """Panel and design of a case; R's splines live between the .1 and .99 quantiles of the dose where it prints."""
    frame = data(case.data).assign(cohort=lambda d: d["G"].where(d["G"] > 0))
    degree, knots = (int(part[-1]) for part in case.name.rsplit("/", 1)[1].split("_"))
    panel = evalkit.panel(frame, unit="id", time="time_period", outcome="Y", cohort="cohort", dose="D")
    low, high = np.quantile(panel.dose[panel.ever_treated], [0.1, 0.99])
    curve = DoseCurve(degree=degree, knots=knots, ends=(float(low), float(high)))
    return panel, evalkit.Design(control="not_yet", rule="analytic", dose=curve)


@covers(
    "contdid/dose/*",
    rtol=1e-8,
    se_rtol=0.1,
    unmet={"contdid/dose/* overall_acrt": SLOPE, "contdid/dose/* att.d_*": LEVEL},
)
def compute(case, data):
    panel, design = study_of(case, data)
    path = did.dose_response(panel, design)
    pairs = list(zip(path.estimate.tolist(), path.std_error.tolist()))
    row = {t.term: i for i, t in enumerate(path.terms)}
    found = {"overall_att": pairs[row["att"]], "overall_acrt": pairs[row["acrt"]]}
    for i in range(1, 10):
        share = f"{10 * i}%"
        found[f"dose_{share}"] = float(np.quantile(panel.dose[panel.ever_treated], i / 10))
        found[f"att.d_{share}"], found[f"acrt.d_{share}"] = pairs[row["att"] + i], pairs[row["acrt"] + i]
    return found
