"""What linearmodels would cost on the main path: PanelOLS beside the fast path on the same 20-period panel.

    python benchmarks/panel_ols.py --units 10000 100000 --repeats 3

No environment besides our own: linearmodels is the oracle of the tests. Unit and period effects, clustered by unit,
PanelOLS with group_debias=True, auto_df=False, count_effects=False (without auto_df=False it counts the unit effects
that are nested in the clusters). Its "ingest" is the index it asks for. Estimates agree to 1e-10 standard errors; the
ratio of standard errors is that of the small-sample factors.
"""

from __future__ import annotations

import sys

import twfe
from race import extra, middle, options, race, script, write

WORKLOADS = {"twfe": 0, "covariates": 2}
SETUP = """
from linearmodels.panel import PanelOLS
frame["att"] = (frame["time"] >= frame["cohort"]).astype(float)
"""
WORK = """
names = ["att", *(f"x{{j}}" for j in range({k}))]
panel = clock("ingest", lambda: frame.set_index(["unit", "time"]))
model = lambda: PanelOLS(panel["y"], panel[names], entity_effects=True, time_effects=True)
how = dict(cov_type="clustered", cluster_entity=True, group_debias=True, auto_df=False, count_effects=False)
fit = clock("fit", lambda: model().fit(**how))
out = {{"att": [float(fit.params["att"]), float(fit.std_errors["att"])]}}
"""


def main() -> None:
    args = options(__doc__, "panel_ols.csv").parse_args()
    rows = []
    for n in args.units:
        for name in args.only or WORKLOADS:
            k = WORKLOADS[name]
            ours = script(twfe.OURS, twfe.OURS_WORK.format(k=k, method="twfe"))
            data = {"n": n, "covariates": k, "moving": True}
            peer = args.peer or sys.executable
            told = race(ours, script(SETUP, WORK.format(k=k)), peer, data, args.repeats, limit=args.limit, cap=args.cap)
            mine, other = told
            fit, both = middle(mine, "fit"), middle(mine, "ingest", "fit")
            theirs, all_theirs = middle(other, "fit"), middle(other, "ingest", "fit")
            own, their = (side[-1]["out"]["att"] for side in told)
            rows.append(
                {
                    "workload": name,
                    "units": n,
                    "cpu_ingest": middle(mine, "ingest"),
                    "cpu_fit": fit,
                    "extra_mb": extra(mine),
                    "peer_cpu": theirs,
                    "peer_extra_mb": extra(other),
                    "ratio_fit": theirs / fit,
                    "ratio_with_ingest": all_theirs / both,
                    "memory_ratio": extra(other) / extra(mine),
                    "gap_in_se": abs(own[0] - their[0]) / own[1],
                    "std_error_ratio": their[1] / own[1],
                }
            )
            write(rows, args.out, args.note)


if __name__ == "__main__":
    main()
