"""R bacondecomp: every 2×2 comparison with its weight, by type, and the coefficient."""

from __future__ import annotations

import numpy as np

import evalkit
from evalkit import did
from tests.golden.agreement import covers

KINDS = {
    "treated_never": "Treated vs Untreated",
    "earlier_later": "Earlier vs Later Treated",
    "later_earlier": "Later vs Earlier Treated",
    "later_always": "Later vs Always Treated",
}
COLUMNS = {
    "castle": {"unit": "state", "time": "year", "outcome": "l_homicide"},
    "math_reform": {"unit": "state", "time": "class", "outcome": "incearn_ln"},
    "mpdta": {"unit": "countyreal", "time": "year", "outcome": "lemp"},
}


def panel_of(case, data):
    name = case.name.split("/")[1]
    columns, frame = COLUMNS[name], data(case.data)
    if name == "mpdta":
        start = frame["first.treat"].where(frame["first.treat"] > 0)
    else:
        on = frame[{"castle": "post", "math_reform": "reform_math"}[name]] > 0
        start = frame[columns["time"]].where(on).groupby(frame[columns["unit"]]).transform("min")
    return evalkit.panel(frame.assign(start=np.asarray(start, dtype=float)), cohort="start", **columns)


@covers("bacon/castle/l_homicide", "bacon/math_reform", "bacon/mpdta", rtol=1e-8)
def compute(case, data):
    found = did.bacon(panel_of(case, data))
    numbers = {"twfe": found.estimate}
    for c in found.comparisons:
        label = f"2x2:treated={c.treated},untreated={99999 if c.control is None else c.control},{KINDS[c.kind]}"
        numbers |= {f"{label}:estimate": c.estimate, f"{label}:weight": c.weight}
    for row in found.by_kind().itertuples():
        label = f"type:{KINDS[row.kind]}"
        numbers |= {f"{label}:weight": row.weight, f"{label}:avg_estimate": row.estimate}
    return numbers
