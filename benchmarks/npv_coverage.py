"""Coverage of the fund's net present saving on the sample's own generator, with known truth.

    python benchmarks/npv_coverage.py --scenario null --seeds 1000 --examined 60
    python benchmarks/npv_coverage.py --scenario effect heterogeneous --seeds 1000 --examined 40
    python benchmarks/npv_coverage.py --scenario reporting_bias regression_to_mean --seeds 100
    python benchmarks/npv_coverage.py --scenario diverging_trend --seeds 150

For every seed the fast path of the sample (no files) gives the panel of a project and the injuries it truly averted by
severity. The joint Poisson path with CR3-Satterthwaite inference gives draws of averted injuries; those and draws of
the unit costs give an interval of the fund's NPV. True NPV: true averted injuries of every severity group × unit cost
with every parameter at its mean − cost. Grade shares inside a group are taken as given, the cost is certain.

    covers_truth        intervals that hold the true NPV, of those that exist (also where a mean is refused)
    truth_below, truth_above   true NPV below or above the interval
    covers_estimated    the same against the true NPV of the severity groups that carry an estimate: an evaluation
                        gives groups with fewer than ten expected cases effect 0, the rest is out of its reach
    no_mean             df < 3 or not testable: interval only
    bias, left_out      mean of (NPV at the estimated effect − true NPV), yuan; its part from groups without estimate
    icer_bounded        Fieller sets that are intervals; icer_covers_*: sets that hold the true ratio, by type (where
                        injuries are truly averted)

The design is the one of an evaluation: the selection window of the sample's projects is left out of the baseline. The
first `--examined` replications also get the named diagnostics of a project report and its verdict:

    fires_<name>      share in which the diagnostic fails; fires_any_warning: any that withholds a verdict
    excludes_nil      intervals of the rate ratio that exclude no change
    not_causal        verdicts without a causal reading: the interval covers no change, or a warning withholds it
    trends_pass       replications in which the sensitivity of parallel trends would allow evidence level B

In `reporting_bias` no diagnostic can fire in 80 %: with the injuries of one project even the likelihood-ratio test that
knows the severity mix sees a rise of 15 % in a third of the runs (`reporting_power.py`).

Monte Carlo standard errors stand beside the shares. `commit` is the revision that was measured.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from functools import cache, partial

import numpy as np
from common import Row, options, record, replicate, share

from evalkit import cea, did
from evalkit.core import Design, EffectPath, Panel
from evalkit.data import sample
from evalkit.study import evaluation
from evalkit.study.truth import at_means, known_effect
from evalkit.study.verdict import verdict

SCENARIOS = ("null", "effect", "heterogeneous")
BIASED = ("reporting_bias", "regression_to_mean", "diverging_trend")
WARNINGS = ("reporting_shift", "negative_control", "pre_period_length", "placebo_start", "selection_peak")
WINDOW = ("2022Q1", "2022Q2")
"""Selection window of the sample's projects."""
MIN_PRE_PERIODS = 8
COST = 400_000.0
"""Yuan; moves the NPV and its truth alike, so coverage does not depend on it."""


@cache
def prices(draws: int) -> tuple[cea.UnitCosts, cea.UnitCosts]:
    """Unit costs of the last price year, drawn and with every parameter at its mean, once a process."""
    year = cea.price_years()[1]
    drawn = cea.unit_costs(cea.schedule(year, price_year=year), n=draws, seed=1)
    return drawn, at_means(drawn)


def one(seed: int, scenario: str, draws: int, last_examined: int) -> Row:
    """One replication: interval of the fund's NPV, plug-in estimate and truth in yuan; diagnostics of the first."""
    panel, truth = sample.simulate_project(seed, scenario)
    design = Design(seed=seed, selection_window=WINDOW, outcomes=evaluation.testable_outcomes(panel))
    path = evaluation.headline(panel, design)
    effect = cea.averted_draws(path, draws, seed, expected=evaluation.expected_injuries(panel, path))
    drawn, fixed = prices(draws)
    delay = evaluation.follow_up(panel)
    decision, _ = cea.decide(effect, drawn, COST, delay=delay, seed=seed)
    averted = {group: row["averted"] for group, row in truth["by_severity"].items()}
    within = {group: 0.0 if group in effect.zeroed else n for group, n in averted.items()}
    plugged = dict(zip(effect.names, effect.estimate.tolist()))
    npv, reachable, estimate = (known_effect(a, fixed, COST, delay=delay).npv for a in (averted, within, plugged))
    factor = float(cea.discount_factor(delay, 0.0, fixed.discount, timing="start"))
    injuries = factor * sum(averted.values())
    ratio = -npv / injuries if injuries > 0 else None
    return {"low": decision.npv_low, "high": decision.npv_high, "refused": decision.refused, "df": effect.df,
            "truth": npv, "reachable": reachable, "estimate": estimate, "ratio": ratio, "set": decision.icer_set,
            "confidence": decision.confidence,
            "examined": examined(panel, design, path) if seed <= last_examined else None}  # fmt: skip


def examined(panel: Panel, design: Design, path: EffectPath) -> Row:
    """Which diagnostics fail, what the interval of the rate ratio says, and whether level B were open."""
    single = replace(design, outcomes=(evaluation.PRIMARY,))
    found = evaluation.other_outcomes(panel, single)
    gates = evaluation.examine(panel, design, path, found, MIN_PRE_PERIODS)
    span = evaluation.event_span(panel)
    blocks = evaluation.coarser(panel, single, span) if span else None
    trends = evaluation.examined(panel, single, span, did.ppml_event_study(*blocks) if blocks else None)
    warned = any(g.passed is False and g.severity == "warn" for g in gates)
    excludes = verdict(path.effects()[0]) in ("lower", "higher")
    return {g.name: g.passed is False for g in gates if g.name in WARNINGS} | {
        "any_warning": warned, "excludes_nil": excludes, "open": excludes and not warned, "trends": trends.passed,
    }  # fmt: skip


def diagnosed(rows: list[Row]) -> Row:
    """Shares over the replications that were examined."""
    seen = [r["examined"] for r in rows if r["examined"] is not None]
    fires = {f"fires_{name}": share(r[name] for r in seen)[0] for name in (*WARNINGS, "any_warning")}
    not_causal, error = share(not r["open"] for r in seen)
    return {"examined": len(seen), **fires, "excludes_nil": share(r["excludes_nil"] for r in seen)[0],
            "not_causal": not_causal, "not_causal_mc_error": error,
            "trends_pass": share(r["trends"] for r in seen)[0]}  # fmt: skip


def ratio_covered(row: Row) -> bool:
    """True where the Fieller set of the replication holds the true cost per injury averted."""
    return cea.RatioSet(**row["set"]).contains(row["ratio"])


def summarise(rows: list[Row]) -> Row:
    """Shares over replications with their Monte Carlo standard errors; amounts in yuan."""
    told = [r for r in rows if r["low"] is not None]
    low, high, truth, reachable, estimate = (
        np.array([r[k] for r in told]) for k in ("low", "high", "truth", "reachable", "estimate")
    )
    covers, covers_error = share((low <= truth) & (truth <= high))
    estimated, estimated_error = share((low <= reachable) & (reachable <= high))
    saves, saves_error = share(low > 0)
    bounded, bounded_error = share(r["set"]["type"] == "interval" for r in told)
    ratios = [r for r in told if r["ratio"] is not None]
    inside = share(ratio_covered(r) for r in ratios if r["set"]["type"] == "interval")
    outside = share(ratio_covered(r) for r in ratios if r["set"]["type"] != "interval")
    error = estimate - truth
    return {
        "replications": len(rows), "no_interval": len(rows) - len(told),
        "no_mean": sum(r["refused"] is not None for r in rows),
        "covers_truth": covers, "covers_mc_error": covers_error,
        "truth_below": share(truth < low)[0], "truth_above": share(truth > high)[0],
        "covers_estimated": estimated, "covers_estimated_mc_error": estimated_error,
        "says_saves": saves, "says_saves_mc_error": saves_error,
        "mean_truth": float(truth.mean()), "mean_estimate": float(estimate.mean()), "bias": float(error.mean()),
        "bias_mc_error": float(error.std() / np.sqrt(len(told))), "left_out": float((reachable - truth).mean()),
        "sd_estimate": float(estimate.std()), "mean_width": float((high - low).mean()),
        "median_df": float(np.median([r["df"] for r in told])),
        "icer_bounded": bounded, "icer_bounded_mc_error": bounded_error,
        "icer_covers_bounded": inside[0], "icer_covers_bounded_mc_error": inside[1],
        "icer_covers_unbounded": outside[0], "icer_covers_unbounded_mc_error": outside[1],
        **diagnosed(rows),
    }  # fmt: skip


def revision() -> str:
    """Short name of the commit that is measured."""
    found = subprocess.run(["git", "rev-parse", "--short=9", "HEAD"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def main() -> None:
    parser = options(__doc__, seeds=300, jobs=1, out="npv_coverage.csv")
    parser.add_argument("--scenario", nargs="+", default=list(SCENARIOS))
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--examined", type=int, default=None, help="replications with diagnostics; all by default")
    args = parser.parse_args()
    commit = revision()
    last = args.first - 1 + (args.seeds if args.examined is None else args.examined)
    for scenario in args.scenario:
        began = time.process_time()
        rows = replicate(partial(one, scenario=scenario, draws=args.draws, last_examined=last), args)
        seconds = time.process_time() - began
        head = {"scenario": scenario, "commit": commit, "draws": args.draws}
        record({**head, **summarise(rows), "cpu_seconds": round(seconds, 1)}, args.out)


if __name__ == "__main__":
    main()
