"""R DIDmultiplegtDYN where treatment starts once and stays: ATT(g,t) by event time, under "cr2" with shares as given.

Effect_l is event time l − 1, Av_tot_eff the overall average. Its variance recentres switchers at their cohort's mean
and those not yet treated at their joint one, each times √(n/(n−1)): the "cr2" of ATT(g,t) with every unit a cluster.
Placebo_l compares with units untreated l − 1 periods after the start, so beyond the first only never-treated controls
make it a row of ours. For such a treatment "normalized" divides Effect_l by l, and "same_switchers" is
`combine("event_time", balanced=effects − 1)`.

Not covered: favara, whose treatment has several levels that change and whose outcome has holes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import chdtrc

import evalkit
from evalkit import did
from tests.golden.agreement import covers
from tests.golden.methods.fixest import mpdta


@covers("dyn/mpdta/*", rtol=1e-8)
def compute(case, data):
    panel, never = mpdta(data), case.name.endswith("never")
    path = did.att_gt(panel, evalkit.Design(control="never" if never else "not_yet", rule="cr2"))
    path = replace(path, shares=None)  # aggregates with the cohorts' shares as given
    found = {}
    late = path.combine("event_time").select(lambda t: t.event_time >= 0)
    for t, estimate, se in zip(late.terms, late.estimate, late.std_error):
        found[f"Effect_{t.event_time + 1}"] = (float(estimate), float(se))
        found[f"Effect_{t.event_time + 1}:Switchers"] = t.n_obs
    whole = path.combine("overall")
    found["Av_tot_eff"] = (float(whole.estimate[0]), float(whole.std_error[0]))
    found["Av_tot_eff:Switchers"] = sum(t.n_obs for t in late.terms)
    found["p_joint_effects"] = _joint(late)
    seen = path.select(lambda t: t.event_time < -1 and t.cohort - t.event_time - 2 <= panel.times[-1])
    early = seen.select(lambda t: never or t.event_time == -2).combine("event_time")
    for t, estimate, se in zip(early.terms, early.estimate, early.std_error):
        found[f"Placebo_{-t.event_time - 1}"] = (float(estimate), float(se))
        found[f"Placebo_{-t.event_time - 1}:Switchers"] = t.n_obs
    if never:
        found["p_joint_placebo"] = _joint(early)
    return found


def _joint(path):
    return float(chdtrc(len(path), path.estimate @ np.linalg.solve(path.vcov, path.estimate)))
