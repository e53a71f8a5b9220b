"""Bias, coverage, size, power and refusals of the jackknife rule with staggered starts, estimator by estimator.

    python benchmarks/coverage_staggered.py --seeds 500

12 periods, three start dates (periods 5, 7, 9) and never-treated units; every unit is its own cluster. Errors follow an
AR(1) path of standard deviation 1 (linear) or 0.1 on the log rate (Poisson counts, 30 cases a cell on average, exposure
log-normal with standard deviation 1); `treated_sd` multiplies those of treated units. Odd seeds have no effect, even
ones an effect that grows with event time, to 0.6 ± 0.3 (linear, units differ with standard deviation 0.2) or to rate
ratio 0.75; truth is that of the units drawn, aggregated as the estimator aggregates.

    att_gt, imputation, etwfe_poisson   overall effect, CR3 with Satterthwaite df (the rule of "auto")
    event_study, att_gt_events          sup-t band over event times −4 to 2, which all cohorts reach; told where it is
                                        simultaneous (8 effective clusters on either side), else counted as refused:
                                        rejects if the band of any row is without 0, covers if all truths are in
    *_pointwise                         the same rows' own intervals one by one, shares over rows and seeds

size: rejections of no effect where there is none;  covers: intervals with the truth where there is an effect;  power:
rejections there, by row only of effects that are not zero. Shares are of those told and carry Monte Carlo errors
(pointwise: without the rows' dependence). Seeds 1 to 500 (the two cells with 3 treated: to 800; most is refused there).
Cells of the table are not run again; cells that are left are run in the order of `grid`. With `--bands` the band of the
event study alone is run again in one cell, on other seeds, and its rows are added:

    python benchmarks/coverage_staggered.py --bands 21 10 0 1 --first 501 --seeds 4000
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from common import Row, options, record, replicate, share

T, STARTS, WINDOW = 12, np.array([5, 7, 9]), (-4, 2)
KEYS = ("clusters", "treated", "rho", "treated_sd")
Answer = dict[str, tuple[Any, Any, Any, Any]]
"""Estimator → estimate, low, high, truth, each a number or one a row; nothing where it is refused."""


def grid() -> Iterator[Row]:
    """The cells of the study."""
    for clusters, some in ((21, (3, 6, 10)), (10, (6,)), (42, (6, 12, 21))):
        for treated in some:
            for rho in (0.0, 0.6):
                yield dict(zip(KEYS, (clusters, treated, rho, 1.0), strict=True))
    for treated in (6, 10):
        yield dict(zip(KEYS, (21, treated, 0.6, 2.0), strict=True))


def one(seed: int, cell: Row, bands: bool = False) -> Row:
    """Answers of all estimators on one linear and one count panel; or of the event study's band alone."""
    rng = np.random.default_rng([seed, *(int(10 * v) for v in cell.values())])
    n, treated = cell["clusters"], cell["treated"]
    cohort = np.full(n, T)
    cohort[rng.permutation(n)[:treated]] = STARTS[np.arange(treated) % len(STARTS)]
    event = np.arange(T)[None] - cohort[:, None]
    on = (event >= 0) & (cohort < T)[:, None]
    growth = np.where(on & (seed % 2 == 0), np.minimum(event + 1, 4) / 4, 0.0)
    spread = np.where(cohort < T, cell["treated_sd"], 1.0)[:, None]
    error = spread * _ar1(rng, n, cell["rho"])
    effect = growth * (0.6 + 0.2 * rng.normal(size=(n, 1)))
    y = rng.normal(size=(n, 1)) + 0.1 * np.arange(T) + error + effect
    if bands:
        return {"null": bool(seed % 2)} | _event_study(_panel({"y": y}, cohort), effect)
    answers = _linear(_panel({"y": y}, cohort), effect)
    exposure = np.repeat(rng.lognormal(0, 1, (n, 1)), T, axis=1)
    mu0 = (
        30 * exposure / exposure.mean() * np.exp(rng.normal(0, 0.3, (n, 1)) + 0.1 * spread * _ar1(rng, n, cell["rho"]))
    )
    log_ratio = growth * np.log(0.75)
    cases = rng.poisson(mu0 * np.exp(log_ratio)).astype(float)
    return {"null": bool(seed % 2)} | answers | _counts(_panel({"cases": cases}, cohort, exposure), mu0, log_ratio)


def _ar1(rng: np.random.Generator, n: int, rho: float) -> np.ndarray:
    out = rng.normal(size=(n, T))
    for t in range(1, T):
        out[:, t] = rho * out[:, t - 1] + np.sqrt(1 - rho**2) * out[:, t]
    return out


def _panel(outcomes: dict[str, np.ndarray], cohort: np.ndarray, exposure: np.ndarray | None = None) -> Any:
    from evalkit.core import NEVER, Panel

    names = tuple(f"u{i:02d}" for i in range(len(cohort)))
    return Panel(
        units=names, times=tuple(range(2001, 2001 + T)), outcomes=outcomes, exposure=exposure,
        cohort=np.where(cohort < T, cohort, NEVER), cluster=np.arange(len(cohort)), cluster_names=names,
    )  # fmt: skip


def _linear(panel: Any, effect: np.ndarray) -> Answer:
    from evalkit.core import Design
    from evalkit.did.inference import attach
    from evalkit.did.registry import fit_of

    design, out = Design(rule="cr3"), {}
    for name in ("att_gt", "imputation"):
        fit = fit_of(name, panel, design)
        cells = [_cells(panel, t.cohort, t.time) for t in fit.path.terms]
        truth = np.array([effect[at].mean() for at in cells])
        for axis in ("overall", "event_time") if name == "att_gt" else ("overall",):
            path = attach(fit.path.combine(axis), fit, panel, "cr3")
            aim = replace(fit.path, estimate=truth).combine(axis).estimate
            out |= _told(name, path, aim) if axis == "overall" else _band("att_gt_events", path, aim)
    return out | _event_study(panel, effect)


def _event_study(panel: Any, effect: np.ndarray) -> Answer:
    from evalkit.core import Design
    from evalkit.did.inference import attach
    from evalkit.did.registry import fit_of

    fit = fit_of("event_study", panel, Design(rule="cr3", window=WINDOW))
    event = np.arange(T)[None] - panel.cohort[:, None]
    truth = np.array([effect[event == t.event_time].mean() for t in fit.path.terms])
    return _band("event_study", attach(fit.path, fit, panel, "cr3"), truth)


def _counts(panel: Any, mu0: np.ndarray, log_ratio: np.ndarray) -> Answer:
    from evalkit.core import Design
    from evalkit.did.inference import attach
    from evalkit.did.registry import fit_of

    fit = fit_of("etwfe_poisson", panel, Design(rule="cr3"))
    cells = [_cells(panel, t.cohort, t.time) for t in fit.path.terms]
    expected = np.array([mu0[at].sum() for at in cells])
    caused = np.array([(mu0 * np.exp(log_ratio))[at].sum() for at in cells])
    aim = replace(fit.path, observed=caused, mu0=expected, estimate=np.log(caused / expected)).combine("overall")
    return _told("etwfe_poisson", attach(fit.path.combine("overall"), fit, panel, "cr3"), aim.estimate)


def _cells(panel: Any, cohort: Any, time: Any) -> tuple[np.ndarray, int]:
    return np.flatnonzero(panel.cohort == panel.times.index(cohort)), panel.times.index(time)


def _told(name: str, path: Any, truth: np.ndarray) -> Answer:
    row = path.inference[0]
    if row.conf_low is None:
        return {name: ()}  # type: ignore[dict-item]
    return {name: (path.estimate[0], row.conf_low, row.conf_high, truth[0])}


def _band(name: str, path: Any, truth: np.ndarray) -> Answer:
    def inside(term: Any) -> bool:
        return bool(WINDOW[0] <= term.event_time <= WINDOW[1])

    path, truth = path.select(inside), truth[path.rows(inside)]
    live = [i for i, row in enumerate(path.inference) if row.conf_low is not None]
    low, high = (np.array([getattr(path.inference[i], end) for i in live]) for end in ("conf_low", "conf_high"))
    out: Row = {f"{name}_pointwise": (path.estimate[live], low, high, truth[live]) if live else ()}
    band = path.band()
    some = band.kind == "simultaneous" and len(live) > 0
    out[name] = (path.estimate[live], band.low[live], band.high[live], truth[live]) if some else ()
    return out


def summarise(rows: list[Row], name: str) -> Row:
    """Shares over seeds of one estimator; a band counts as a whole, pointwise rows one by one."""
    told = [(r["null"], *(np.atleast_1d(v) for v in r[name])) for r in rows if r[name]]
    reject: dict[bool, list[Any]] = {True: [], False: []}
    covers: list[Any] = []
    for null, _, low, high, truth in told:
        out, held = (low > 0) | (high < 0), (low <= truth) & (truth <= high)
        alone = name.endswith("pointwise")
        moved = truth != 0
        reject[null] += list(out if null else out[moved]) if alone else [out.any()]
        covers += [] if null else list(held) if alone else [held.all()]
    bias = [float(np.mean(estimate - truth)) for _, estimate, _, _, truth in told]
    out: Row = {"replications": len(rows), "refused": 1 - len(told) / len(rows)}
    out["bias"] = float(np.mean(bias)) if bias else np.nan
    out["bias_mc_error"] = float(np.std(bias) / np.sqrt(len(bias))) if bias else np.nan
    out["size"], out["size_mc_error"] = share(reject[True])
    out["covers"], out["covers_mc_error"] = share(covers)
    out["power"], out["power_mc_error"] = share(reject[False])
    return out


def main() -> None:
    parser = options(__doc__, seeds=500, jobs=2, out="coverage_staggered.csv")
    parser.add_argument("--bands", nargs=4, type=float, metavar=tuple(key.upper() for key in KEYS))
    args = parser.parse_args()
    if args.bands:
        clusters, treated, rho, sd = args.bands
        cell = dict(zip(KEYS, (int(clusters), int(treated), rho, sd), strict=True))
        rows = replicate(partial(one, cell=cell, bands=True), args)
        for name in sorted(key for key in rows[0] if key != "null"):
            record({"estimator": name, **cell, **summarise(rows, name)}, args.out)
        return
    done: set[tuple[str, ...]] = set()
    if args.out.exists():
        with args.out.open(encoding="utf-8") as handle:
            done = {tuple(row[k] for k in KEYS) for row in csv.DictReader(handle)}
    cells = list(grid())
    for place, cell in enumerate(cells, start=1):
        if tuple(f"{v:.5g}" if isinstance(v, float) else str(v) for v in cell.values()) in done:
            continue
        rows = replicate(partial(one, cell=cell), args)
        for name in sorted(key for key in rows[0] if key != "null"):
            record({"estimator": name, **cell, **summarise(rows, name)}, args.out)
        sys.stderr.write(f"[{'#' * place}{'.' * (len(cells) - place)}] {place}/{len(cells)}\n")


if __name__ == "__main__":
    main()
