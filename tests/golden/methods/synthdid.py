"""R synthdid and augsynth: estimates, weights, effect curves, jackknife; placebo standard errors at 10 percent.

Not covered: the ridge augmentation of augsynth, weights outside the simplex under a penalty chosen by cross-validation;
synthetic difference-in-differences, with its ridge term and level difference, answers the same lack of fit here.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import evalkit
from evalkit import did
from evalkit.did.simplex import minimum, normal_equations
from evalkit.did.synthetic import solve
from evalkit.did.synthetic_block import SCHEMES
from evalkit.did.synthetic_draws import jackknife
from tests.golden.agreement import covers

SIX = ("California", "Colorado", "Connecticut", "Delaware", "Georgia", "Idaho")


def panel_of(case, data):
    treated = SIX if "6treated" in case.name else SIX[:1]
    frame = data(case.data)
    frame = frame.assign(cohort=np.where(frame["State"].isin(treated), 1989.0, np.nan))
    return evalkit.panel(frame, unit="State", time="Year", outcome="PacksPerCapita", cohort="cohort")


def even(panel):
    """The block with equal weights: difference-in-differences."""
    _, (w,), _ = solve(panel, evalkit.Design(), panel.primary, SCHEMES["synthetic_did"])
    time = np.zeros(len(w.time))
    time[w.block.before] = 1 / len(w.block.before)
    return replace(w, unit=np.full_like(w.unit, 1 / len(w.unit)), time=time)


def difference_in_differences(panel):
    w = even(panel)
    row = np.zeros(len(w.time))
    row[w.block.after] = 1 / len(w.block.after)
    values = jackknife([w], np.arange(panel.n_units), panel.n_units) @ row
    se = float(np.sqrt((len(values) - 1) * values.var()))
    return {"tau": (float(w.effects() @ row), se)}


def estimator_of(case):
    return "synthetic_control" if "/sc" in case.name or "augsynth" in case.name else "synthetic_did"


def numbers(case, data, rule):
    panel = panel_of(case, data)
    name = estimator_of(case)
    path = getattr(did, name)(panel, evalkit.Design(rule=rule))
    overall = did.inference(path.combine("overall"), panel, rule).effect("overall")
    found = {"tau": (overall.estimate, overall.std_error)}
    (weights,) = did.synthetic_weights(panel, estimator=name)
    found |= {f"omega:{u}": float(x) for u, x in zip(weights.units, weights.unit_weights)}
    found |= {f"lambda:{t}": float(x) for t, x in zip(weights.times, weights.time_weights)}
    found |= {"zeta.omega": weights.unit_ridge, "zeta.lambda": weights.time_ridge, "noise.level": weights.noise}
    found |= {f"effect:{t.time}": float(e) for t, e in zip(path.terms, path.estimate)}
    return found, path, weights, overall


@covers("synthdid/*", rtol=1e-8)
def compute(case, data):
    if case.name.endswith("/did"):
        return difference_in_differences(panel_of(case, data))
    return numbers(case, data, "jackknife")[0]


@covers("synthdid/*_placebo_se", rtol=1e-8, se_rtol=0.1)
def compute_placebo(case, data):
    """R draws 500 times among the 38 placebos that there are; ours are all 38."""
    panel = panel_of(case, data)
    if "/did_" in case.name:
        return {"tau": (difference_in_differences(panel)["tau"][0], _even_placebo(panel))}
    return numbers(case, data, "placebo")[0]


@covers("augsynth/prop99/None_fe*", rtol=1e-2, atol=5e-3)
def compute_augmented(case, data):
    """The minimum itself, as the quadratic program of augsynth has it; fixedeff: with a constant, the mean gap before.

    R augsynth stops at 1e-3 or so of the minimum, hence 0.005 packs or shares beside 1 percent.
    """
    panel = panel_of(case, data)
    fixed = case.name.endswith("feTRUE")
    _, (w,), _ = solve(panel, evalkit.Design(), panel.primary, SCHEMES["synthetic_control"])
    block = w.block
    past, own = (block.y[np.ix_(i, block.before)] for i in (block.control, block.treated))
    gram, linear = normal_equations(past.T, own.mean(axis=0), intercept=fixed)
    unit = minimum(gram, linear[None], np.zeros((1, len(linear))), w.unit)[0]
    time = np.zeros(len(w.time))
    time[block.before] = fixed / len(block.before)
    effects = replace(w, unit=unit, time=time).effects()
    found = {f"att:{t}": float(e) for t, e in zip(panel.times, effects)}
    found |= {f"weight:{panel.units[i]}": float(x) for i, x in zip(block.control, unit)}
    found["avg_att"] = float(effects[block.after].mean())
    found["l2_imbalance"] = float(np.linalg.norm(effects[block.before]))
    return found


def _even_placebo(panel):
    y = panel.matrix()[~panel.ever_treated]
    start = int(panel.cohort.min())
    change = y[:, start:].mean(axis=1) - y[:, :start].mean(axis=1)
    n = len(change)
    return float((change - (change.sum() - change) / (n - 1)).std())
