"""A whole process: start, import, build a panel of 21 cities × 20 periods and fit it; evalkit beside diff-diff.

    python benchmarks/startup.py --peer V/bin/python --repeats 5

The peer in an environment of its own: python -m venv V && V/bin/pip install diff-diff==3.13.0. CPU seconds of the
process, user and system, medians; modules are compiled beforehand on both sides. ATT(g,t) with its event study on both
sides; ours also attaches the cluster jackknife with its degrees of freedom. "import" is the import alone, "libraries"
what no fit of ours can do without: pandas (which loads pyarrow, where it is installed) and scipy.special.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time

from race import HERE, options, write

DATA = """
import numpy as np
import pandas as pd
rng = np.random.default_rng(1)
cohort = np.r_[[2006] * 4, [2010] * 4, [np.nan] * 13]
frame = pd.DataFrame({"unit": np.repeat(np.arange(21), 20), "time": np.tile(np.arange(2000, 2020), 21)})
frame["cohort"], frame["y"] = np.repeat(cohort, 20), rng.normal(0, 1, 420)
"""
LIBRARIES = "import pandas, scipy.special"
CODES = {
    "libraries": (LIBRARIES, LIBRARIES),
    "import": ("import evalkit\nevalkit.panel, evalkit.did.att_gt", "import diff_diff"),
    "fit": (
        DATA + "import evalkit\n"
        "panel = evalkit.panel(frame, unit='unit', time='time', outcome='y', cohort='cohort')\n"
        "path = evalkit.did.att_gt(panel)\n"
        "evalkit.did.inference(path.combine('event_time'), panel)",
        DATA + "import warnings\nwarnings.simplefilter('ignore')\nfrom diff_diff import CallawaySantAnna\n"
        "frame['cohort'] = frame['cohort'].fillna(0).astype(int)\n"
        "CallawaySantAnna().fit(frame, outcome='y', unit='unit', time='time', first_treat='cohort',"
        " aggregate='event_study')",
    ),
}


def cost(python: str, code: str) -> tuple[float, float]:
    """CPU and wall seconds of one process."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(HERE.parent)}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([python, "-c", code], env=env, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - wall


def main() -> None:
    args = options(__doc__, "startup.csv").parse_args()
    rows = []
    for name, (ours, theirs) in CODES.items():
        mine, other = [], []
        for _ in range(args.repeats + 1):
            mine.append(cost(sys.executable, ours))
            if args.peer:
                other.append(cost(args.peer, theirs))
        mine, other = mine[1:], other[1:]  # the first one compiles
        own = statistics.median(c for c, _ in mine)
        peer = statistics.median(c for c, _ in other) if other else float("nan")
        walls = [statistics.median(w for _, w in side) if side else float("nan") for side in (mine, other)]
        costs = {"cpu": own, "wall": walls[0], "peer_cpu": peer, "peer_wall": walls[1]}
        rows.append({"workload": name, **costs, "ratio": peer / own})
    write(rows, args.out, args.note)


if __name__ == "__main__":
    main()
