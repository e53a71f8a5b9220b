"""R triplediff: three doubly robust comparisons a cell, least-variance weights of control cohorts, aggregates.

With two periods, and in a cell with several control cohorts, R takes the sample variance of the influence function
(n − 1), elsewhere its mean square (n): ours is the mean square, times √(n/(n−1)) in those two. Where a cell with
several control cohorts leaves other cohorts out, R 0.2.4 also misses the factor n/(units of the cell) that it gives to
cells with one (`test_triple_difference`); the two cohorts of these cases leave nobody out.
"""

from __future__ import annotations

import numpy as np

import evalkit
from evalkit import did
from tests.golden.agreement import covers
from tests.golden.methods.did import numbers_of

SIZES = (
    "in the influence of the cohorts' weights R takes for the k-th cohort the indicator of the k-th (cohort, period) "
    "cell, which is the first cohort's every time; with that indicator its number comes out (`test_explained`), and "
    "ours is the derivative of the average (`test_triple_difference`)"
)


def path_of(case, data):
    """Panel and path under the rule "analytic", as the case asks."""
    frame = data(case.data)
    _, where, kind = case.name.split("/")
    method, covariates, *control = kind.split("_")
    names = ("cov1", "cov2", "cov3", "cov4") if covariates == "cov" else ()
    frame = frame.assign(cohort=frame["state"].where(frame["state"] > 0) * (2 if where == "two" else 1))
    panel = evalkit.panel(frame, unit="id", time="time", outcome="y", cohort="cohort", covariates=("partition", *names))
    design = evalkit.Design(
        rule="analytic",
        control="not_yet" if control == ["notyettreated"] else "never",
        adjustment=method,
        covariates=names,
        eligible="partition",
    )
    return panel, did.triple_difference(panel, design)


@covers("ddd/*", rtol=1e-6, unmet={"ddd/multi/* group:overall": SIZES})  # R's logit stops early
def compute(case, data):
    panel, path = path_of(case, data)
    factor = np.sqrt(panel.n_units / (panel.n_units - 1))
    if case.name.startswith("ddd/two/"):
        (row,) = [i for i, t in enumerate(path.terms) if t.event_time == 0]
        return {"ATT": (float(path.estimate[row]), float(path.std_error[row]) * factor)}
    found = {name.replace("dynamic", "eventstudy"): pair for name, pair in numbers_of(path).items()}
    starts = np.unique(panel.cohort)
    for t in path.terms if case.name.endswith("_notyettreated") else ():
        start, time = panel.times.index(t.cohort), panel.times.index(t.time)
        if (starts > max(start, time)).sum() > 1:  # control cohorts
            estimate, se = found[f"ATT({t.cohort},{t.time})"]
            found[f"ATT({t.cohort},{t.time})"] = (estimate, se * factor)
    return found
