"""A panel of 20 million rows as an office might send it: shuffled, text ids, a tenth of firms with holes, 21 cities.

    python benchmarks/large.py --units 1000000

No peer finishes it within the memory of the others' races; the table says what each step costs. "drop": firms with
holes leave (the default), then TWFE, event study and ATT(g,t), clustered by firm; "cities": the same by the 21 cities;
"keep": by the 21 cities, firms with holes stay.
"""

from __future__ import annotations

import sys

from race import extra, middle, options, run, script, write

SETUP = """
import evalkit
from evalkit import did
"""
WORK = """
columns = dict(unit="unit", time="time", outcome="y", cohort="cohort"{more})
panel = clock("ingest", lambda: evalkit.panel(frame, **columns))
design = evalkit.Design(control="not_yet", base="varying")
out["units"], out["dropped"] = panel.n_units, len(panel.dropped)
path = clock("att_gt", lambda: did.att_gt(panel, design).combine("event_time"))
{also}
"""
ALSO = """
path = clock("twfe", lambda: did.twfe(panel))
path = clock("event_study", lambda: did.event_study(panel))
"""
WORKLOADS = {
    "drop": ("", ALSO),
    "cities": (', cluster="city"', ALSO),
    "keep": (', cluster="city", missing="keep"', ALSO),
}


def main() -> None:
    args = options(__doc__, "large.csv").parse_args()
    rows = []
    for n in args.units:
        for name in args.only or WORKLOADS:
            more, also = WORKLOADS[name]
            data = {"n": n, "order": "shuffled", "labels": "text", "holes": 0.1}
            code = script(SETUP, WORK.format(more=more, also=also))
            done = [r for _ in range(args.repeats) if (r := run(sys.executable, code, data, runs=1)) is not None]
            if not done:
                continue
            steps = {s: middle(done, s) if s in done[0]["clocks"] else float("nan") for s in STEPS}
            walls = sum(middle(done, s, which=1) for s in done[0]["clocks"])
            told = {k: done[0]["out"][k] for k in ("units", "dropped")}
            rows.append({"workload": name, **told, **steps, "wall_all": walls, "extra_mb": extra(done)})
            write(rows, args.out, args.note)


STEPS = ("ingest", "att_gt", "twfe", "event_study")

if __name__ == "__main__":
    main()
