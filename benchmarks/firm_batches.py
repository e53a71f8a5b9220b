"""Degrees of freedom of counts of firms in batches: identity on the response beside error components, on one fit.

    python benchmarks/firm_batches.py --seeds 1500

Firm × quarter Poisson counts with exposure, a batch is a cluster; log-rate shocks of batch and firm follow AR(1) paths
(0.6). Sizes are log-normal with the given standard deviation of logs; "city_by_industry" has the insured counts of 21
cities × 6 industries, the case that the identity was chosen for. Odd seeds have no effect, even ones a rate
ratio of 0.8: of the same estimate and jackknife standard error, the share of intervals without the truth is told for
both rules (`size_*`: without effect, `covers_*`: with it), and the median degrees of freedom. `treated_sd` multiplies
the shocks of treated clusters. Cells that stand in the table already are not run again.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from common import Row, options, record, replicate, share

QUARTERS, FIRMS, START = 12, 12, 6
EFFECT = np.log(0.8)
KEYS = ("design", "batches", "treated", "size_log_sd", "shock_sd", "treated_sd", "mean_cases")


def grid() -> Iterator[Row]:
    """The cells of the study."""
    for batches, treated in ((6, 3), (12, 6), (12, 3), (24, 12)):
        for skew in (0.0, 1.0, 1.8):
            for shock in (0.0, 0.1, 0.3):
                yield _cell("firms", batches, treated, skew, shock)
    for batches, treated in ((6, 2), (12, 6), (24, 12)):
        yield _cell("firms", batches, treated, 1.8, 0.3, treated_sd=2.0)
        yield _cell("firms", batches, treated, 1.8, 0.1, mean_cases=5.0)
    for treated in (2, 3, 6, 10):
        for which in ("largest", "mixed"):
            yield _cell(f"city_by_industry_{which}", 21, treated, 1.2, 0.1, mean_cases=20.0)
    for skew in (0.0, 1.8):
        for shock in (0.0, 0.3):
            yield _cell("firms", 32, 4, skew, shock)


def _cell(
    design: str, batches: int, treated: int, skew: float, shock: float, treated_sd: float = 1.0, mean_cases: float = 0.5
) -> Row:
    return dict(zip(KEYS, (design, batches, treated, skew, shock, treated_sd, mean_cases), strict=True))


def simulate(seed: int, cell: Row) -> tuple[Any, float]:
    """A panel and its log rate ratio."""
    from evalkit.core import NEVER, Panel

    rng = np.random.default_rng([seed, int(1000 * cell["size_log_sd"]), cell["batches"], cell["treated"]])
    g, per = cell["batches"], 6 if cell["design"].startswith("city") else FIRMS
    batch = np.repeat(np.arange(g), per)
    if cell["design"].startswith("city"):
        scale = np.exp(cell["size_log_sd"] * np.linspace(2, -2, g))[batch]
        size = scale * rng.lognormal(0, 0.5, len(batch))
        order = np.arange(g) if cell["design"].endswith("largest") else rng.permutation(g)
    else:
        size, order = rng.lognormal(0, cell["size_log_sd"], len(batch)), rng.permutation(g)
    on = np.isin(batch, order[: cell["treated"]])
    spread = cell["shock_sd"] * np.where(on, cell["treated_sd"], 1.0)[:, None]
    log_rate = spread * (_ar1(rng, g)[batch] + 0.5 * _ar1(rng, len(batch))) + rng.normal(0, 0.3, len(batch))[:, None]
    truth = 0.0 if seed % 2 else EFFECT
    post = on[:, None] & (np.arange(QUARTERS) >= START)
    exposure = np.repeat((size / size.mean())[:, None], QUARTERS, axis=1)
    y = rng.poisson(cell["mean_cases"] * exposure * np.exp(log_rate + truth * post)).astype(float)
    panel = Panel(
        units=tuple(f"u{i:04d}" for i in range(len(batch))),
        times=tuple(f"{2020 + q // 4}Q{q % 4 + 1}" for q in range(QUARTERS)),
        outcomes={"cases": y}, exposure=exposure, cohort=np.where(on, START, NEVER), cluster=batch,
        cluster_names=tuple(f"b{i:02d}" for i in range(g)), frequency="quarter", exposure_unit="person_years",
        outcome_unit="cases", synthetic=True,
    )  # fmt: skip
    return panel, truth


def _ar1(rng: np.random.Generator, n: int, rho: float = 0.6) -> np.ndarray:
    out = rng.normal(size=(n, QUARTERS))
    for t in range(1, QUARTERS):
        out[:, t] = rho * out[:, t - 1] + np.sqrt(1 - rho**2) * out[:, t]
    return out


def one(seed: int, cell: Row) -> Row:
    """Distance of the estimate from the truth in standard errors, and both degrees of freedom; None where refused."""
    from scipy.stats import t as student

    from evalkit.core import Design, UserError
    from evalkit.did.linalg import satterthwaite
    from evalkit.did.parts import part_of
    from evalkit.did.registry import fit_of

    panel, truth = simulate(seed, cell)
    row: Row = {"seed": seed, "null": truth == 0.0, "told": False}
    try:
        fit = fit_of("ppml", panel, Design())
    except UserError:
        return row
    part, own = part_of(fit.sources[0]), np.eye(1)
    estimate = float(fit.path.estimate[0])
    if not np.isfinite(estimate) or not part.estimable(own).all():
        return row
    distance = abs(estimate - truth) / float(np.sqrt(part.vcov("cr3", own)[0, 0]))
    df = {"identity": satterthwaite(part.system, part.contrast(own), part.weights)[0], "components": part.df(own)[0]}
    row |= {"told": True, "estimate": estimate - truth}
    return (
        row
        | {f"df_{k}": v for k, v in df.items()}
        | {f"out_{k}": distance > student.ppf(0.975, v) for k, v in df.items()}
    )


def summarise(rows: list[Row]) -> Row:
    told = [r for r in rows if r["told"]]
    null, effect = [r for r in told if r["null"]], [r for r in told if not r["null"]]
    out: Row = {"replications": len(rows), "refused": len(rows) - len(told)}
    out["bias"] = float(np.mean([r["estimate"] for r in told]))
    for rule in ("identity", "components"):
        out[f"df_{rule}"] = float(np.median([r[f"df_{rule}"] for r in told]))
        out[f"size_{rule}"], out[f"size_{rule}_mc_error"] = share(r[f"out_{rule}"] for r in null)
        out[f"covers_{rule}"], out[f"covers_{rule}_mc_error"] = share(not r[f"out_{rule}"] for r in effect)
    return out


def main() -> None:
    args = options(__doc__, seeds=1500, jobs=2, out="firm_batches.csv").parse_args()
    done: set[tuple[str, ...]] = set()
    if args.out.exists():
        with args.out.open(encoding="utf-8") as handle:
            done = {tuple(row[k] for k in KEYS) for row in csv.DictReader(handle)}
    for cell in grid():
        if tuple(f"{v:.5g}" if isinstance(v, float) else str(v) for v in cell.values()) not in done:
            record({**cell, **summarise(replicate(partial(one, cell=cell), args))}, args.out)


if __name__ == "__main__":
    main()
