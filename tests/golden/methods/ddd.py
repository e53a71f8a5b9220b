"""R triplediff: three doubly robust comparisons a cell, least-variance weights of control cohorts, aggregates."""

from __future__ import annotations

import numpy as np

import evalkit
from evalkit import did
from tests.golden.agreement import covers
from tests.golden.methods.did import numbers_of

SIZES = (
    "triplediff lets in about 4 % of the variance that estimating the cohorts' weights adds, for a reason not found; "
    "ours carries all of it, as its other aggregates do (`test_triple_difference` holds the number between the two)"
)


@covers("ddd/*", rtol=1e-6, unmet={"ddd/multi/* group:overall": SIZES})  # R's logit stops early
def compute(case, data):
    frame = data(case.data)
    _, where, kind = case.name.split("/")
    method, covariates, *control = kind.split("_")
    names = ("cov1", "cov2", "cov3", "cov4") if covariates == "cov" else ()
    frame = frame.assign(cohort=frame["state"].where(frame["state"] > 0) * (2 if where == "two" else 1))
    panel = evalkit.panel(frame, unit="id", time="time", outcome="y", cohort="cohort", covariates=("partition", *names))
    path = did.triple_difference(
        panel,
        evalkit.Design(
            rule="analytic",
            control="not_yet" if control == ["notyettreated"] else "never",
            adjustment=method,
            covariates=names,
            eligible="partition",
        ),
    )
    factor = np.sqrt(panel.n_units / (panel.n_units - 1))  # of R's variance with two periods
    if where == "two":
        (row,) = [i for i, t in enumerate(path.terms) if t.event_time == 0]
        return {"ATT": (float(path.estimate[row]), float(path.std_error[row]) * factor)}
    found = {name.replace("dynamic", "eventstudy"): pair for name, pair in numbers_of(path).items()}
    if control == ["notyettreated"]:
        # R gives the factor to this cell too, which has two control cohorts, and not to aggregates of it
        estimate, se = found["ATT(2,2)"]
        found["ATT(2,2)"] = (estimate, se * factor)
    return found
