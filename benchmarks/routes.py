"""Route B on the sample's own generator: the effect on yuan against the cash that was truly averted in the window.

    python benchmarks/routes.py --scenario null effect heterogeneous --seeds 150

Every seed gives the firms of a project, their claims and what the fund paid for each (`payments` of the sample: amounts
by grade and item, dated by decision, grade and end of the contract), of which route B sees the first fifteen months,
capped as in a report. True cash averted = injuries truly averted by severity × mean payment in the window of the same
severity after the start, over many other seeds. Route A prices the averted injuries of the strata with an estimate.

    covers_truth      intervals of route B that hold the true cash;  bias  mean of (B − truth), yuan
    sd_b, sd_a        spread of both routes' estimates;  cases_ratio  (sd_b / sd_a)²: how many times the cases B needs;
    cases_ratio_uncapped  the same without a cap
    within            runs in which B's interval holds what A, strata and amounts make of it
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial

import numpy as np
import pandas as pd
from common import Row, options, record, replicate, share
from npv_coverage import WINDOW, revision

from evalkit import cea, did
from evalkit.core import Design, Panel
from evalkit.data.check import quarter_of
from evalkit.data.sample.calibrate import N_AVERTABLE, pair_family, project_specs, scenario, stream, table
from evalkit.data.sample.claims import draw_claims
from evalkit.data.sample.fast import project_panel, project_truth
from evalkit.data.sample.firms import Firms, draw_firms
from evalkit.data.sample.payments import payments
from evalkit.study import evaluation, paid

YEARS = 1.25
DRAWS = 500
POOL = range(900_001, 900_041)
"""Seeds whose payments give the true mean payments."""


@cache
def prices() -> tuple[dict[str, float], cea.UnitCosts, int]:
    """Scheduled cash in the window, lifetime unit costs and their price year, once a process."""
    year = cea.price_years()[1]
    plan = cea.schedule(year, price_year=year)
    return cea.cash_in_window(plan, YEARS), cea.unit_costs(plan, n=DRAWS, seed=1), year


def paid_claims(seed: int, firms: Firms, panel: Panel) -> pd.DataFrame:
    """Avertable claims of a project with the yuan paid in the window: columns as `paid.paid_by_claim`."""
    claims = draw_claims(seed, firms)
    rows = payments(stream(seed, "benchmark/payments"), claims, firms.spec.place)
    injured = claims.injury_date.to_numpy()[rows.row]
    soon = (rows.paid - injured).dt.days.to_numpy() / 365.25 < YEARS
    first, last = cea.price_years()
    year = rows.paid.dt.year.clip(first, last)
    factor = year.map({y: float(cea.inflate(1.0, int(y), prices()[2])) for y in year.unique()})
    amount = np.bincount(rows.row, np.where(soon, rows.amount * factor, 0.0), len(claims))
    group = dict(zip(table("grades").grade, table("grades").group))
    frame = pd.DataFrame({
        "unit_id": np.array(panel.units)[claims.firm], "quarter": quarter_of(claims.injury_date),
        "severity": claims.grade.map(group), "amount": amount,
    })  # fmt: skip
    return frame[pair_family()[claims.pair] < N_AVERTABLE]


def uncapped(panel: Panel, claims: pd.DataFrame) -> Panel:
    """The panel with all yuan paid in the window as its outcome."""
    grid = claims.pivot_table(index="unit_id", columns="quarter", values="amount", aggfunc="sum")
    yuan = grid.reindex(index=panel.units, columns=panel.times).fillna(0.0).to_numpy()
    return replace(panel, outcomes={paid.OUTCOME: yuan}, outcome_unit="yuan")


@cache
def mean_paid() -> dict[str, float]:
    """Mean yuan paid in the window by severity for injuries after the start, over the seeds of POOL."""
    spec = project_specs("reference_project")[0]
    frames = []
    for seed in POOL:
        firms = draw_firms(seed, spec, scenario("null"))
        frames.append(paid_claims(seed, firms, project_panel(firms)).query("quarter >= @spec.start"))
    return pd.concat(frames).groupby("severity").amount.mean().to_dict()


def one(seed: int, name: str) -> Row:
    """One replication: both routes and the truth in yuan."""
    firms = draw_firms(seed, project_specs("reference_project")[0], scenario(name))
    panel, truth = project_panel(firms), project_truth(firms)
    cash, costs, _ = prices()
    design = Design(seed=seed, selection_window=WINDOW, outcomes=evaluation.testable_outcomes(panel))
    path = did.ppml(panel, design)
    expected = evaluation.expected_injuries(panel, path)
    draws = cea.averted_draws(path, DRAWS, seed, expected=expected)
    claims, single = paid_claims(seed, firms, panel), replace(design, outcomes=(paid.OUTCOME,))
    found = paid.paid_panel(panel, claims)
    yuan = did.inference(did.ppml(found.panel, single).averted(), found.panel)
    free = did.ppml(uncapped(panel, claims), single).averted()
    share_averted = 1 - float(np.exp(path.estimate[0]))
    averted = float(did.inference(path.averted(), panel).estimate[0])
    gap = cea.compare_routes(
        yuan, draws, costs, cash, observed=found.observed, pooled={k: v * share_averted for k, v in expected.items()},
        tail=found.excess * averted,
    )  # fmt: skip
    true = sum(row["averted"] * mean_paid()[s] for s, row in truth["by_severity"].items())
    return {"b": gap.paid, "free": float(free.estimate[0]), "a": gap.window, "low": gap.conf_low, "high": gap.conf_high,
            "truth": true, "within": gap.within}  # fmt: skip


def main() -> None:
    parser = options(__doc__, seeds=150, jobs=1, out="routes.csv")
    parser.add_argument("--scenario", nargs="+", default=["null", "effect", "heterogeneous"])
    args = parser.parse_args()
    commit = revision()
    for name in args.scenario:
        rows = replicate(partial(one, name=name), args)
        told = [r for r in rows if r["low"] is not None]
        b, a, truth = (np.array([r[k] for r in told]) for k in ("b", "a", "truth"))
        covers, error = share(r["low"] <= r["truth"] <= r["high"] for r in told)
        bias = b - truth
        found = {
            "covers_truth": covers, "covers_mc_error": error, "mean_truth": float(truth.mean()),
            "mean_b": float(b.mean()), "mean_a": float(a.mean()), "bias": float(bias.mean()),
            "bias_mc_error": float(bias.std() / np.sqrt(len(told))), "sd_b": float(b.std()), "sd_a": float(a.std()),
            "cases_ratio": float(b.var() / a.var()),
            "cases_ratio_uncapped": float(np.var([r["free"] for r in told]) / a.var()),
            "within": share(r["within"] for r in told)[0],
        }  # fmt: skip
        record({"scenario": name, "commit": commit, "replications": len(rows), **found}, args.out)


if __name__ == "__main__":
    main()
