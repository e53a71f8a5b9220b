"""R did (and fastdid, its second implementation): ATT(g,t), their standard errors, four aggregations, Wald pre-test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import chdtrc

import evalkit
from evalkit import did
from evalkit.core import Panel
from tests.golden.agreement import covers

MPDTA = {"unit": "countyreal", "time": "year", "outcome": "lemp", "cohort": "first.treat", "covariates": ("lpop",)}


def path_of(case, data):
    """The path under the rule "analytic", as the case asks."""
    parts = case.name.split("/")
    frame = data(case.data).copy()
    design = evalkit.Design(rule="analytic", control="never", base="varying")
    if parts[1] == "castle":
        frame["popwt"] = frame["popwt"].astype(float)
        columns = {"unit": "sid", "time": "year", "outcome": "l_homicide", "cohort": "effyear"}
        columns["weight"] = "popwt" if "w_popwt" in parts else None
    elif parts[1] == "medicaid":
        columns = {"unit": "stfips", "time": "year", "outcome": "dins", "cohort": "yexp2"}
        columns["weight"] = "W" if "w_W" in parts else None
    else:
        columns = dict(MPDTA)
    cohort = columns["cohort"]
    frame[cohort] = frame[cohort].where(frame[cohort] > 0)
    if "lpop" in case.call and parts[1] == "mpdta" and "xformla=~lpop" in case.call:
        design = replace(design, covariates=("lpop",))
    else:
        columns.pop("covariates", None)
    for word, change in (
        ("notyettreated", {"control": "not_yet"}),
        ("universal", {"base": "universal"}),
        ("ant1", {"anticipation": 1}),
        ("ipw", {"adjustment": "ipw"}),
        ("reg", {"adjustment": "reg"}),
    ):
        if word in parts:
            design = replace(design, **change)
    return did.att_gt(_panel(parts, frame, columns), _sampled(parts, design))


def _panel(parts, frame, columns) -> Panel:
    if "cluster_state" in parts:
        frame["stfips"] = frame["countyreal"] // 1000
        columns["cluster"] = "stfips"
    if "weights_pop" in parts:
        frame["w"] = np.exp(frame["lpop"])
        columns["weight"] = "w"
    if "fix_weights" in parts:
        first = frame["year"] if "varying" in parts else 2003
        frame["w"] = np.exp(frame["lpop"]) * (1 + (frame["countyreal"] % 7) * (first - 2003) / 10)
        columns["weight"] = "w"
    if "unbalanced" in parts:
        frame = frame.drop(frame.index[6::37])
        columns["missing"] = "keep"
    if "rc" in parts or "rc_cluster" in parts:
        frame["row"] = np.arange(len(frame))
        columns |= {"unit": "row", "missing": "keep"}
        if "rc_cluster" in parts:
            columns["cluster"] = "countyreal"
    return evalkit.panel(frame, **columns)


def _sampled(parts, design):
    if {"rc", "rc_cluster"} & set(parts) or ("fix_weights" in parts and "varying" in parts):
        return replace(design, sampling="cross_section")
    return design


def numbers_of(path, balanced=()):
    """Quantities by R's names."""
    found = {}

    def put(name, part):
        found[name] = (float(part.estimate[0]), float(part.std_error[0]))

    for i, t in enumerate(path.terms):
        found[f"ATT({t.cohort},{t.time})"] = (float(path.estimate[i]), float(path.std_error[i]))
    put("simple:overall", path.combine("overall"))
    kinds = (("event_time", "dynamic", "equal"), ("cohort", "group", "size"), ("calendar", "calendar", "equal"))
    for axis, name, weights in kinds:
        rows = path.combine(axis)
        put(f"{name}:overall", rows.combine("overall", weights=weights))
        for i, t in enumerate(rows.terms):
            value = {"event_time": t.event_time, "cohort": t.cohort, "calendar": t.time}[axis]
            found[f"{name}:{value}"] = (float(rows.estimate[i]), float(rows.std_error[i]))
    for k in balanced:
        rows = path.combine("event_time", balanced=k)
        put(f"balance_e={k}:overall", rows.combine("overall", weights="equal"))
        for i, t in enumerate(rows.terms):
            found[f"balance_e={k}:{t.event_time}"] = (float(rows.estimate[i]), float(rows.std_error[i]))
    pre = path.rows(lambda t: t.event_time < 0)
    pre = pre[path.std_error[pre] > 0]
    if len(pre):
        v, b = path.vcov[np.ix_(pre, pre)], path.estimate[pre]
        if np.linalg.cond(v) < 1e12:
            found["pretest_W"] = float(b @ np.linalg.solve(v, b))
            found["pretest_p"] = round(float(chdtrc(len(b), found["pretest_W"])), 5)  # as R prints it
    return found


SIGN = (
    "DRDID 1.2.3 (1.3.0 too) adds the influence of the before-period regression (inf.treat.or, inf.cont.or), which the "
    "estimate subtracts; with its sign the number comes out, ours is the derivative of the estimate, and over samples "
    "with a misspecified propensity its error is 8 percent short (coverage .928 against .948; `test_explained`)"
)


@covers("did/*", rtol=1e-8, unmet={"did/mpdta/unbalanced/dr/lpop *": SIGN})
def compute(case, data):
    if "balance_e" in case.name:
        plain = replace(case, name="did/mpdta/nevertreated/dr/lpop/varying/ant0", call="xformla=~lpop")
        return numbers_of(path_of(plain, data), (0, 1))
    return numbers_of(path_of(case, data))


@covers("did/mpdta/boot_county", se_rtol=0.08)
def compute_drawn(case, data):
    """Standard errors are interquartile ranges of multiplier draws: off by 7 percent for the cohort of 20 counties."""
    return numbers_of(path_of(case, data))


@covers("did/mpdta/boot_state_cluster", se_rtol=0.12)
def compute_drawn_by_state(case, data):
    """The same with 29 states: 3 to 10 percent off the analytic number (README of the reference)."""
    return numbers_of(path_of(replace(case, name="did/mpdta/cluster_state/nevertreated/dr/nocov"), data))


@covers("fastdid/*", rtol=1e-8, se_rtol=2e-6)  # its logit stops early: R did has our standard errors to 1e-8
def compute_fast(case, data):
    """fastdid: simple, by event time, by cohort before and after, by period before and after; plain names."""
    method = case.name.split("/")[2].split("_")[0]
    covariates = "xformla=~lpop" if "lpop" in case.call else "xformla=~1"
    plain = replace(case, name=f"did/mpdta/nevertreated/{method}/universal", call=covariates)
    path = path_of(plain, data)
    found = {
        f"group_time:{t.cohort},{t.time}": (float(e), float(se))
        for t, e, se in zip(path.terms, path.estimate, path.std_error)
    }
    for half, keep in (("post", lambda t: t.event_time >= 0), ("pre", lambda t: t.event_time < -1)):
        rows = path.select(keep)
        rows = replace(
            rows, terms=tuple(replace(t, event_time=0 if half == "pre" else t.event_time) for t in rows.terms)
        )
        for axis, name in (("overall", "simple"), ("cohort", "group"), ("calendar", "time")):
            part = rows.combine(axis)
            for t, e, se in zip(part.terms, part.estimate, part.std_error):
                value = {"overall": half, "cohort": f"{t.cohort},{half}", "calendar": f"{t.time},{half}"}[axis]
                found[f"{name}:{value}"] = (float(e), float(se))
    part = path.combine("event_time")
    for t, e, se in zip(part.terms, part.estimate, part.std_error):
        found[f"dynamic:{t.event_time}"] = (float(e), float(se))
    return found
