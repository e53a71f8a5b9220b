"""R BCEA, dampack and voi, closed forms and a textbook model: costs, effects and decisions from the same draws."""

from __future__ import annotations

import math

import numpy as np

from evalkit import cea
from evalkit.cea.distributions import shape
from tests.golden.agreement import covers

PACKAGE_NAMES = {
    "synthetic_wi_psa.csv": ("none", "train", "inspect"),
    "input_bcea_vaccine.csv": ("Status quo", "Vaccination"),
}


def psa_of(case, data):
    frame, names = data(case.data), PACKAGE_NAMES[case.data]
    columns = [[c for c in frame if c.startswith(p)][: len(names)] for p in ("c_", "e_")]
    if len(names) == 3:
        columns = [[f"{p}_{s}" for s in names] for p in "ce"]
    cost, effect = (frame[c].to_numpy() for c in columns)
    drawn = {c: frame[c].to_numpy() for c in frame if c not in columns[0] + columns[1]}
    return cea.psa_from_arrays(cost, effect, names, comparator=names[0], parameters=drawn, seed=1)


def levels(case):
    """Thresholds that a case's quantities speak of."""
    return sorted({float(part[2:]) for q in case.numbers for part in q.split(":") if part.startswith("k=")})


@covers("bcea/*/by_k", rtol=1e-9, atol=1e-9)
def by_k(case, data):
    psa = psa_of(case, data)
    grid, last = levels(case), len(psa.strategies) - 1
    curves, numbers = cea.threshold_curves(psa, grid), {}
    # the package gives net benefits of the vaccine as they are, of the three strategies against the first
    absolute = case.data.startswith("input")
    for i, k in enumerate(grid):
        benefit, at = cea.nmb(psa, k), f"k={k:g}"
        gain = benefit[:, [last]] - benefit
        for j, s in enumerate(psa.strategies):
            label = f"vs_{s}" if absolute else f"{psa.strategies[last]}_vs_{s}"
            numbers[f"{at}:EIB_{label}"] = gain[:, j].mean()
            numbers[f"{at}:CEAC_{label}"] = (gain[:, j] > 0).mean()
            numbers[f"{at}:p_best_{s}"] = curves["ceac"].values[s][i]
            numbers[f"{at}:ENB_{s}"] = (benefit[:, j] if absolute else cea.inmb(psa, k)[:, j]).mean()
            if not math.isnan(curves["ceaf"].values[s][i]):
                numbers |= {f"{at}:ceaf": curves["ceaf"].values[s][i], f"{at}:best:{s}": 1}
        numbers[f"{at}:EVPI"] = curves["evpi"].values["evpi"][i]
    return numbers


@covers("bcea/*/risk_aversion", rtol=1e-9, unmet={"* r=1e-10:*": "the package loses digits at so small a rate"})
def risk_aversion(case, data):
    psa, numbers = psa_of(case, data), {}
    threshold = 25_000.0 if "vaccine" in case.name else 20_000.0
    for rate in {q.split(":")[0] for q in case.numbers}:
        found = cea.risk_averse(psa, [threshold], aversion=float(rate[2:]), budget=1.0)
        last = found.expected[psa.strategies[-1]][0]
        numbers |= {f"{rate}:EVPI": found.evpi[0], f"{rate}:EIB": last}
        for s in psa.strategies[:-1]:
            numbers[f"{rate}:EIB_{s}"] = last - found.expected[s][0]
    return numbers


@covers("bcea/vaccine/icer", rtol=1e-9)
def icer(case, data):
    return {"icer": cea.icer_table(psa_of(case, data)).icer.iloc[-1]}


@covers("dampack/work_injury/icers", "dampack/paltiel2006", "dampack/cdiff", "dampack/example/icers", rtol=1e-9)
def icers(case, data):
    value = {q: v for q, (v, _) in case.numbers.items()}
    means = {
        q.removesuffix(":cost"): (v, value[q.replace(":cost", ":effect")]) for q, v in value.items() if ":cost" in q
    }
    rows = cea.frontier(psa_of(case, data)) if case.data else cea.frontier_of_means(means)
    words = ("on_frontier", "extended_dominated", "dominated")
    numbers = {f"{r.strategy}:status": words.index(r.status) for r in rows}
    numbers |= {f"{r.strategy}:icer": r.icer for r in rows if r.icer is not None}
    return numbers | {f"{r.strategy}:{f}": getattr(r, f) for r in rows for f in ("cost", "effect")}


@covers("dampack/work_injury/expected_loss", rtol=1e-9)
def loss(case, data):
    grid = levels(case)
    found = cea.expected_loss(psa_of(case, data), grid).values
    return {f"k={k:g}:{s}": v[i] for s, v in found.items() for i, k in enumerate(grid)}


@covers("voi/work_injury/evpi", rtol=1e-9)
def evpi(case, data):
    grid = levels(case)
    found = cea.evpi(psa_of(case, data), grid).values["evpi"]
    return {f"k={k:g}": v for k, v in zip(grid, found)}


def share_of_evpi(case, quantity):
    """3 % of the EVPI that the other packages print at the same threshold."""
    from tests.golden.agreement import cases

    name = "bcea/vaccine/by_k" if "vaccine" in case.name else "voi/work_injury/evpi"
    known = next(c for c in cases() if c.name == name).numbers
    at = quantity.rpartition(":")[2]
    return 0.03 * known[f"{at}:EVPI" if "vaccine" in name else at][0]


@covers("voi/*/evppi", rtol=0.0, atol=share_of_evpi)
def evppi(case, data):
    psa, grid = psa_of(case, data), levels(case)
    sets = sorted({q.rpartition(":")[0] for q in case.numbers})
    found = cea.evppi(psa, [s.split(",") for s in sets], grid).values
    return {f"{s}:k={k:g}": found[s.replace(",", "+")][i] for s in sets for i, k in enumerate(grid)}


@covers("voi/work_injury/evppi_variance", rtol=0.0, atol=0.03 * 69980980615.8146)
def evppi_variance(case, data):
    psa = psa_of(case, data)
    return {q: cea.evppi_variance(psa, q, 20_000.0, strategy="inspect", against="train") for q in case.numbers}


@covers("fieller", rtol=1e-9)
def fieller(case, data):
    numbers = {}
    for at in {q.rpartition(":")[0] for q in case.numbers}:
        v = {k: float(x) if x else None for k, x in (pair.split("=") for pair in at.split(","))}
        found = cea.fieller(
            v["dC"], v["dE"], v["seC"] ** 2, v["seE"] ** 2, v["rho"] * v["seC"] * v["seE"], df=v["df"]
        )  # fmt: skip
        numbers[f"{at}:type"] = ("interval", "complement", "whole_line").index(found.type)
        numbers |= {f"{at}:{f}": getattr(found, f) for f in ("low", "high") if getattr(found, f) is not None}
    return numbers


@covers("moments", rtol=1e-9)
def moments(case, data):
    numbers, names = {}, {"gamma": ("shape", "scale"), "beta": ("alpha", "beta"), "lognormal": ("meanlog", "sdlog")}
    for at in {q.rpartition(":")[0] for q in case.numbers}:
        kind, mean, error = at.split(",")
        given = [q.rpartition(":")[2] for q in case.numbers if q.startswith(f"{at}:")]
        numbers |= {f"{at}:{n}": v for n, v in zip(given or names[kind], shape(kind, float(mean), float(error)))}
    return numbers


@covers("years_lost", rtol=1e-9)
def years_lost(case, data):
    numbers = {}
    for at in {q.rpartition(":")[0] for q in case.numbers}:
        v = {k: float(x) for k, x in (pair.split("=") for pair in at.split(","))}
        numbers[f"{at}:formula"] = cea.years_lost(v["age"], v["L"], rate=v["r"], age_weight=v["K"])
        numbers[f"{at}:mid_year"] = cea.annuity(v["L"], v["r"], timing="mid")
    return numbers


@covers("normal/inb", rtol=2e-4, atol=2e-4)
def normal(case, data):
    """From 2^16 Sobol points of two correlated normal parameters."""
    from evalkit.core import Parameter

    numbers = {}
    for at in {q.rpartition(":")[0] for q in case.numbers}:
        v = {k: float(x) for k, x in (pair.split("=") for pair in at.split(","))}
        spread = 1.959963984540054
        given = [
            Parameter(name=n, value=v[n], low=v[n] - spread * v[s], high=v[n] + spread * v[s], distribution="normal")
            for n, s in (("dC", "seC"), ("dE", "seE"))
        ]
        models = {"usual": lambda p: (0.0, 0.0), "programme": lambda p: (p["dC"], p["dE"])}
        psa = cea.psa(
            models, given, comparator="usual", correlation={("dC", "dE"): v["rho"]}, n=2**16, seed=1, sampling="sobol"
        )  # fmt: skip
        curves = cea.threshold_curves(psa, [v["k"]])
        numbers[f"{at}:CEAC"] = curves["ceac"].values["programme"][0]
        numbers[f"{at}:EVPI"] = curves["evpi"].values["evpi"][0]
    return numbers


MOVES = np.array([[1251, 350, 116, 17], [0, 731, 512, 15], [0, 0, 1312, 437], [0, 0, 0, 1]], dtype=float)
"""Yearly moves between the states of the HIV model; Briggs, Claxton, Sculpher (2006), exercise 2.5."""
STATE_COST, MONO, LAMIVUDINE, RATIO = np.array([2756.0, 3052.0, 9007.0, 0.0]), 2278.0, 2086.5, 0.509


@covers("briggs/hiv", rtol=1e-7)
def hiv(case, data):
    """A chain of 20 years; 6 % on costs, none on life years; the second drug works for two years."""
    base = MOVES / MOVES.sum(axis=1, keepdims=True)
    milder = np.triu(base, 1) * RATIO
    milder += np.diag(1 - milder.sum(axis=1))
    factor = cea.discount_factor(np.arange(1, 21), 0, 0.06, timing="start")
    means = {}
    for name, years in (("mono", 0), ("comb", 2)):
        state, cost, life = np.array([1.0, 0, 0, 0]), 0.0, 0.0
        for year in range(20):
            state = state @ (milder if year < years else base)
            drugs = MONO + (LAMIVUDINE if year < years else 0.0)
            alive = state[:3].sum()
            cost += factor[year] * (state @ STATE_COST + drugs * alive)
            life += alive
        means[name] = (float(cost), float(life))
    rows = cea.frontier_of_means(means)
    numbers = {f"cost_{r.strategy}": r.cost for r in rows} | {f"ly_{r.strategy}": r.effect for r in rows}
    return numbers | {"icer": rows[-1].icer}
