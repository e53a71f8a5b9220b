"""R did2s: second-stage effects, leads as the residual means it prints, GMM standard errors (rule "analytic")."""

from __future__ import annotations

import evalkit
from evalkit import did
from tests.golden.agreement import covers
from tests.golden.methods.didimputation import panel_of


@covers("did2s/*")
def compute(case, data):
    parts = case.name.split("/")
    where = "df_het" if parts[1] == "df_het" else "mpdta"
    suffix = "cluster_state" if where == "df_het" else "weights" if parts[2].endswith("weights") else ""
    panel = panel_of(["", where, f"{parts[2]}_{suffix}"], data)
    static = parts[2].startswith("static")
    window = None if static else (-panel.n_periods, panel.n_periods)
    path = did.two_stage(panel, evalkit.Design(rule="analytic", window=window))
    if static:
        whole = path.combine("overall")
        return {"coef:tr::1": (float(whole.estimate[0]), float(whole.std_error[0]))}
    whole = path.combine("event_time")
    return {
        f"coef:rel::{t.event_time}": (float(e), float(s))
        for t, e, s in zip(whole.terms, whole.estimate, whole.std_error)
    }
