"""How well can a change of reporting be seen in the data of one project? Power of tests of the severity mix.

    python benchmarks/reporting_power.py --seeds 2000

The sample's scenario `reporting_bias` records 15 % more ungraded injuries of the treated; in `null`, `effect` and
`heterogeneous` nothing changes, so what fires there is size. The true effect hits all severities alike and the
untreated rate moves by batch, hence only the *mix* of ungraded and graded injuries in treated cells tells. Tests at
5 %, two-sided (and one-sided against a rise), from the weakest assumption to the strongest:

    gap        the diagnostic `reporting_shift`: gap of two Poisson effects, firm and quarter effects, CR3 by batch
    did        logit of the ungraded share, treated × after: group and calendar differences of the mix allowed
    within     the share of the treated against that of the others after the start: no group difference allowed
    pooled     the share of treated cells against all others: neither group nor calendar difference allowed
    known      likelihood-ratio test with the mix known without error: no valid test that is unbiased does better; its
               power is Φ(log 1.15 √(cases / 4) − 1.96), .34 at 490 cases (.46 one-sided)

The middle three use the delete-one-batch jackknife and Satterthwaite df on binomial variances. `mean`, `sd` of the log
ratio; `cases` mean recorded avertable injuries in treated cells; `cases_80` those at which `known` has a power of
80 % (two-sided): 4 (2.80 / log 1.15)² at an even mix.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from common import Row, options, record, replicate, share
from npv_coverage import WINDOW, revision
from scipy import stats

from evalkit.core import Design, Panel
from evalkit.data import sample
from evalkit.data.sample.calibrate import N_AVERTABLE, family_shares
from evalkit.study.evaluation import MINOR, PRIMARY, reporting_gap

SCENARIOS = ("reporting_bias", "null", "effect", "heterogeneous")
CASES_80 = 4 * ((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / np.log(1.15)) ** 2


def logit_contrast(panel: Panel, cells: list[tuple[np.ndarray, int]]) -> tuple[float, float, float]:
    """Signed sum of the logits of the ungraded share over sets of cells (N, T): estimate, jackknife SE, df."""
    n_clusters = int(panel.cluster.max()) + 1
    value, loo, spread = 0.0, np.zeros(n_clusters), np.zeros(n_clusters)
    for mask, sign in cells:
        minor, every = (
            np.bincount(panel.cluster, (panel.outcomes[name] * mask).sum(axis=1), n_clusters)
            for name in (MINOR, PRIMARY)
        )
        value += sign * _logit(minor.sum(), every.sum())
        loo += sign * _logit(minor.sum() - minor, every.sum() - every)
        spread += every / every.sum() ** 2
    error = np.sqrt((n_clusters - 1) / n_clusters * ((loo - value) ** 2).sum())
    return float(value), float(error), float(spread.sum() ** 2 / (spread**2).sum())


def _logit(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.log((part + 0.5) / (whole - part + 0.5))


def one(seed: int, scenario: str) -> Row:
    """p-values of every test in one replication: estimate, two-sided p, p against a rise."""
    panel, _ = sample.simulate_project(seed, scenario)
    treated, group = panel.treated, np.repeat(panel.ever_treated[:, None], panel.n_periods, axis=1)
    after = np.repeat(treated.any(axis=0)[None, :], panel.n_units, axis=0)
    found = {
        "did": logit_contrast(panel, [(treated, 1), (group & ~after, -1), (~group & after, -1), (~group & ~after, 1)]),
        "within": logit_contrast(panel, [(treated, 1), (~group & after, -1)]),
        "pooled": logit_contrast(panel, [(treated, 1), (~treated, -1)]),
    }
    gap = reporting_gap(panel, Design(selection_window=WINDOW))
    assert gap.std_error and gap.df
    found["gap"] = (gap.estimate, gap.std_error, gap.df)
    minor, every = (float(panel.outcomes[name][treated].sum()) for name in (MINOR, PRIMARY))
    p = family_shares()[0] / family_shares()[:N_AVERTABLE].sum()
    found["known"] = (float(_logit(minor, every) - np.log(p / (1 - p))), (every * p * (1 - p)) ** -0.5, np.inf)
    out: Row = {"cases": every}
    for name, (value, error, df) in found.items():
        t = value / error
        out[name] = (value, 2 * stats.t.sf(abs(t), df), stats.t.sf(t, df))
    return out


def main() -> None:
    parser = options(__doc__, seeds=1000, jobs=1, out="reporting_power.csv")
    parser.add_argument("--scenario", nargs="+", default=list(SCENARIOS))
    args = parser.parse_args()
    commit = revision()
    for scenario in args.scenario:
        rows = replicate(partial(one, scenario=scenario), args)
        cases = float(np.mean([r["cases"] for r in rows]))
        for test in ("gap", "did", "within", "pooled", "known"):
            value, two, rise = np.array([r[test] for r in rows]).T
            (fires, error), (fires_rise, _) = share(two < 0.05), share(rise < 0.05)
            record({
                "scenario": scenario, "test": test, "commit": commit, "first_seed": args.first,
                "replications": len(rows), "cases": cases, "mean": float(value.mean()), "sd": float(value.std()),
                "fires": fires, "fires_mc_error": error, "fires_one_sided": fires_rise, "cases_80": float(CASES_80),
            }, args.out)  # fmt: skip


if __name__ == "__main__":
    main()
