"""CPU of the decision: curves against the obvious loop, EVPPI against scikit-learn and statsmodels, the whole section.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/decision.py [--draws 1000000] [--peer PYTHON]
    → benchmarks/decision.csv

PYTHON is an interpreter with numpy, scikit-learn (1.9.1) and statsmodels (0.15.0); without it those rows are left out.
CPU seconds (user + system) of the call, inputs in memory, the two sides in turn, median of the ratios of five rounds.
One thread on both sides: with more, a peer's waiting threads would count as its CPU. new_mib is the most memory that
the call holds beside its inputs.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd

from evalkit import cea
from evalkit.cea.evppi import increments, value_of
from evalkit.cea.smooth import smooth

HERE = Path(__file__).resolve().parent
ROUNDS = 5


def cpu(call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def memory(call) -> float:
    """Most memory newly held during the call, MiB."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def draws(n: int) -> cea.Psa:
    rng = np.random.default_rng(1)
    cost = rng.normal([0, 1e6, 2e6, 3e6], 5e5, (n, 4))
    effect = rng.normal([0, 40, 60, 75], 20, (n, 4))
    cost[:, 0], effect[:, 0] = 0.0, 0.0
    return cea.psa_from_arrays(cost, effect, tuple("abcd"), comparator="a", seed=1)


def obvious(psa, thresholds) -> None:
    """One argmax per threshold, as a reader would write it."""
    for k in thresholds:
        benefit = k * psa.effect - psa.cost
        best = benefit.argmax(axis=1)
        np.bincount(best, minlength=4) / psa.n
        benefit.max(axis=1).mean() - benefit.mean(axis=0)


def curves(n: int) -> list[dict]:
    psa, rows = draws(n), []
    for m in (50, 200, 800):
        grid = np.linspace(0, 1e5, m)
        loop = grid[:: max(1, m // 50)]
        ours, theirs = [], []
        for _ in range(ROUNDS):
            ours.append(cpu(lambda grid=grid: cea.threshold_curves(psa, grid)))
            theirs.append(cpu(lambda loop=loop: obvious(psa, loop)) * m / len(loop))
        held = memory(lambda grid=grid: cea.threshold_curves(psa, grid)), memory(lambda: obvious(psa, [1e4]))
        size = f"{n} draws x 4, {m} thresholds"
        rows.append(row("ceac+ceaf+loss+evpi", size, "obvious loop", ours, theirs, held))
    return rows


PEER = r"""
import sys, time, warnings
import numpy as np
warnings.simplefilter("ignore")
kind, d, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(1)
x = rng.normal(size=(n, 2)); y = np.sin(x[:, 0]) + x[:, 1] + rng.normal(size=n)
x = x[:, :d]; columns = {1: 20, 2: 10}[d]; weights = np.logspace(-6, 6, 13)
if kind == "sklearn":
    from sklearn.linear_model import RidgeCV
    from sklearn.preprocessing import SplineTransformer
    def fit():
        own = [SplineTransformer(columns - 2, knots="quantile").fit_transform(x[:, [j]]) for j in range(d)]
        design = own[0] if d == 1 else (own[0][:, :, None] * own[1][:, None, :]).reshape(n, -1)
        return RidgeCV(weights).fit(design, y).predict(design)
else:
    from statsmodels.gam.api import BSplines, GLMGam
    def fit():
        def one(weight):
            return GLMGam(y, smoother=BSplines(x, df=[columns] * d, degree=[3] * d), alpha=[weight] * d).fit()
        tried = weights if kind == "statsmodels_gcv" else [1.0]
        return min((one(w) for w in tried), key=lambda r: r.gcv if len(tried) > 1 else 0.0).fittedvalues
fit()
for _ in sys.stdin:
    start = time.process_time(); fit(); print(time.process_time() - start, flush=True)
"""
PEERS = {
    "sklearn": "scikit-learn spline ridge, weight by cross-validation",
    "statsmodels": "statsmodels GAM, weight given",
    "statsmodels_gcv": "statsmodels GAM, weight by GCV",
}


def information(n: int, peer: str) -> list[dict]:
    """EVPPI against smoothers of the same number of columns a parameter: cubic B-splines, knots at quantiles.

    Ours smooths incremental cost and effect, choosing a weight for each, and gives 200 thresholds; a peer's time is one
    fit of one response (the net benefit at one threshold) and its fitted values. Of two parameters ours and
    scikit-learn's fit the product of the splines, statsmodels, which has none, their sum.
    """
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 2))
    y = np.sin(x[:, 0]) + x[:, 1] + rng.normal(size=n)
    zero, cost = np.zeros(n), 1.5 - x[:, 0] - 0.3 * y + rng.normal(size=n)
    psa = cea.psa_from_arrays(
        np.c_[zero, cost], np.c_[zero, y + 1.0], ("a", "b"), comparator="a",
        parameters={"u": x[:, 0], "v": x[:, 1]}, seed=1,
    )  # fmt: skip
    rows, grid = [], np.linspace(0, 3, 200)
    for d, names in ((1, "u"), (2, ["u", "v"])):
        for kind, package in PEERS.items():
            ask = [peer, "-c", PEER, kind, str(d), str(n)]
            theirs, alone, whole = [], [], []
            with subprocess.Popen(ask, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
                for _ in range(ROUNDS):
                    other.stdin.write("\n")
                    other.stdin.flush()
                    theirs.append(float(other.stdout.readline()))
                    alone.append(cpu(lambda d=d: value_of(psa, smooth(x[:, :d], increments(psa)).fitted, grid)))
                    whole.append(cpu(lambda names=names: cea.evppi(psa, [names], grid)))
                other.stdin.close()
            size = f"{n} draws, {d} parameter(s), 200 thresholds (peer: one response)"
            rows.append(row("evppi, value alone", size, package, alone, theirs))
            rows.append(row("evppi with errors and floor", size, package, whole, theirs))
    return rows


def section(n: int = 10_000) -> list[dict]:
    """All curves, EVPPI of two sets, tornado of twelve parameters on 10,000 draws and 40 parameters."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(n, 40))
    saved = 1e6 * (1 + 0.5 * z[:, 0] + z @ rng.normal(0, 0.05, 40))
    zero = np.zeros(n)
    psa = cea.psa_from_arrays(
        np.c_[zero, 8e5 - saved], np.c_[zero, 20 + 10 * z[:, 0]], ("a", "b"), comparator="a",
        parameters={f"p{j}": z[:, j] for j in range(40)}, seed=1,
    )  # fmt: skip

    def whole() -> None:
        cea.threshold_curves(psa, np.linspace(0, 3e5, 200))
        cea.evppi(psa, ["p0", ["p1", "p2"]], [0.0, 5e4])
        cea.evsi(psa, "p0", {"year": 0.5}, [0.0])
        cea.tornado(psa, top=12)
        cea.icer_table(psa)

    whole()
    return [row("decision section", f"{n} draws, 40 parameters", "", [cpu(whole) for _ in range(ROUNDS)], [])]


def row(
    workload: str, size: str, peer: str, ours: list[float], theirs: list[float], held: tuple[float, ...] = ()
) -> dict:
    ratios = [b / a for a, b in zip(ours, theirs)]
    return {
        "workload": workload,
        "size": size,
        "peer": peer,
        "cpu_s": round(float(np.median(ours)), 4),
        "peer_cpu_s": round(float(np.median(theirs)), 4) if theirs else "",
        "ratio": round(float(np.median(ratios)), 1) if ratios else "",
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "new_mib": round(held[0], 1) if held else "",
        "peer_new_mib": round(held[1], 1) if held else "",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--peer", default="")
    given = parser.parse_args()
    rows = section() + (information(100_000, given.peer) if given.peer else []) + curves(given.draws)
    frame = pd.DataFrame(rows)
    frame.to_csv(HERE / "decision.csv", index=False)
    print(frame.to_string(index=False), file=sys.stdout)


if __name__ == "__main__":
    main()
