"""R contdid: overall effects, curve and slope at the deciles of the dose; its standard errors are bootstrapped."""

from __future__ import annotations

import numpy as np

import evalkit
from evalkit import did
from evalkit.core import DoseCurve
from tests.golden.agreement import covers


@covers("contdid/dose/*", rtol=1e-8, se_rtol=0.15)
def compute(case, data):
    """Of the standard errors, bootstrapped in R, that of the overall effect is compared. Its one of the slope is half
    of what drawing units anew gives (.25 for a straight line, as ours), so slopes and curves are not.
    """
    frame = data(case.data).assign(cohort=lambda d: d["G"].where(d["G"] > 0))
    degree, knots = (int(part[-1]) for part in case.name.rsplit("/", 1)[1].split("_"))
    panel = evalkit.panel(frame, unit="id", time="time_period", outcome="Y", cohort="cohort", dose="D")
    dose = panel.dose[panel.ever_treated]
    low, high, *_ = np.quantile(dose, [0.1, 0.99])
    curve = DoseCurve(degree=degree, knots=knots, ends=(float(low), float(high)))
    path = did.dose_response(panel, evalkit.Design(control="not_yet", rule="analytic", dose=curve))
    row = {t.term: i for i, t in enumerate(path.terms)}
    found = {"overall_att": (float(path.estimate[row["att"]]), float(path.std_error[row["att"]]))}
    found["overall_acrt"] = float(path.estimate[row["acrt"]])
    for i in range(9):
        share = f"{10 * (i + 1)}%"
        found[f"dose_{share}"] = float(np.quantile(dose, (i + 1) / 10))
        found[f"att.d_{share}"] = float(path.estimate[row["att"] + 1 + i])
        found[f"acrt.d_{share}"] = float(path.estimate[row["acrt"] + 1 + i])
    return found
