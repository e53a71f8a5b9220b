"""R didimputation: effects, horizons, pre-trend coefficients and clustered standard errors (rule "analytic")."""

from __future__ import annotations

import numpy as np

import evalkit
from evalkit import did
from tests.golden.agreement import covers


def panel_of(parts, data):
    frame = data("mpdta.csv" if parts[1] == "mpdta" else "df_het_sub.csv").copy()
    columns = {}
    if parts[1] == "mpdta":
        frame["first"] = frame["first.treat"].where(frame["first.treat"] > 0)
        frame["st"], frame["w"] = frame["countyreal"] // 1000, np.exp(frame["lpop"])
        columns = {"unit": "countyreal", "outcome": "lemp", "cohort": "first"}
    else:
        frame["first"] = frame["g"].where((frame["g"] > 0) & (frame["g"] <= frame["year"].max()))
        columns = {"unit": "unit", "outcome": "dep_var", "cohort": "first"}
    name = parts[2]
    if name.endswith("cluster_state"):
        columns["cluster"] = "st" if parts[1] == "mpdta" else "state"
    if name.endswith("weights"):
        columns["weight"] = "w"
    if name.endswith("lpopyear"):
        columns["covariates"] = ("lpop",)
    return evalkit.panel(frame, time="year", **columns)


@covers(
    "didimputation/*",
    unmet={
        "didimputation/*/static_weights term:treat": "R multiplies the columns of its projection by w where its first "
        "stage weighs by w (√w would do): its influence weights are those of an estimator weighted by w². Ours are "
        "those of the estimate itself, equation (6) of the paper (`test_explained`)."
    },
)
def compute(case, data):
    parts = case.name.split("/")
    panel = panel_of(parts, data)
    first = {"mpdta": -3, "df_het": -5}[parts[1]] if parts[2].endswith("pretrends") else None
    design = evalkit.Design(
        rule="analytic",
        covariates=tuple(panel.covariates),
        window=None if first is None else (first, panel.n_periods),
    )
    path = did.imputation(panel, design)
    if parts[2].startswith("static"):
        whole = path.combine("overall")
        return {"term:treat": (float(whole.estimate[0]), float(whole.std_error[0]))}
    whole = path.combine("event_time")
    return {
        f"term:{t.event_time}": (float(e), float(s)) for t, e, s in zip(whole.terms, whole.estimate, whole.std_error)
    }
