"""Hand-made panels with known truth, and readers of reference data and golden numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from evalkit.core import NEVER, Design, Panel

GOLDEN = Path(__file__).resolve().parent.parent / "golden" / "did"


def build_panel(
    outcomes: dict[str, np.ndarray],
    cohort: Sequence[int],
    *,
    cluster: Sequence[int] | None = None,
    exposure: np.ndarray | None = None,
    **fields: object,
) -> Panel:
    """A Panel from arrays; every unit its own cluster unless told otherwise."""
    n, t = next(iter(outcomes.values())).shape
    codes = np.arange(n) if cluster is None else np.asarray(cluster)
    return Panel(
        units=tuple(f"u{i}" for i in range(n)),
        times=fields.pop("times", tuple(range(2000, 2000 + t))),
        outcomes=outcomes,
        cohort=np.asarray(cohort),
        cluster=codes,
        cluster_names=tuple(f"c{g}" for g in range(codes.max() + 1)),
        exposure=exposure,
        **fields,
    )


def _linear(
    seed: int = 1, n: int = 12, t: int = 8, starts: Sequence[int] = (4,), treated: int = 5, effect: float = 1.0
) -> Panel:
    rng = np.random.default_rng(seed)
    cohort = np.full(n, NEVER)
    cohort[:treated] = [starts[i % len(starts)] for i in range(treated)]
    on = np.arange(t)[None] >= cohort[:, None]
    y = rng.normal(0, 2, (n, 1)) + rng.normal(0, 1, (1, t)) + rng.normal(0, 0.5, (n, t)) + effect * on
    return build_panel({"y": y}, cohort)


def _counts(
    seed: int = 1,
    n: int = 21,
    t: int = 12,
    starts: Sequence[int] = (8,),
    treated: int = 8,
    rate_ratio: float = 0.85,
    clusters: int | None = None,
    mean: float = 40.0,
) -> Panel:
    rng = np.random.default_rng(seed)
    cluster = np.arange(n) if clusters is None else np.arange(n) % clusters
    groups = cluster.max() + 1
    by_cluster = np.full(groups, NEVER)
    by_cluster[: treated if clusters is None else groups // 2] = [
        starts[i % len(starts)] for i in range(treated if clusters is None else groups // 2)
    ]
    cohort = by_cluster[cluster]
    exposure = np.exp(rng.normal(3, 0.8, (n, 1))) * np.exp(0.02 * np.arange(t) * rng.normal(1, 1, (n, 1)))
    on = np.arange(t)[None] >= cohort[:, None]
    shock = 0.1 * rng.standard_normal((groups, t))[cluster]
    mu = exposure / exposure.mean() * mean * np.exp(rng.normal(0, 0.2, (n, 1)) + shock) * np.where(on, rate_ratio, 1)
    total = rng.poisson(mu).astype(float)
    part = rng.binomial(total.astype(int), 0.4).astype(float)
    return build_panel({"cases": total, "severe": part}, cohort, cluster=cluster, exposure=exposure)


def _asked(name: str, panel: Panel, **design: Any) -> tuple[Panel, Design]:
    """Panel and design with what an estimator asks for: a dose, or a covariate that says who is eligible."""
    number = np.arange(panel.n_units)
    if name == "dose_response":
        panel = replace(panel, dose=np.linspace(0.5, 2.0, panel.n_units)[(5 * number) % panel.n_units])
    if name == "triple_difference":
        eligible = np.repeat((number // 2 % 2 == 0)[:, None].astype(float), panel.n_periods, axis=1)
        panel, design = replace(panel, covariates={"eligible": eligible}), design | {"eligible": "eligible"}
    return panel, Design(**design)


@pytest.fixture(scope="session")
def asked() -> Callable[..., tuple[Panel, Design]]:
    return _asked


@pytest.fixture(scope="session")
def make_panel() -> Callable[..., Panel]:
    return build_panel


@pytest.fixture(scope="session")
def linear_panel() -> Callable[..., Panel]:
    """Factory: n units × t years, additive effects, `effect` on the treated."""
    return _linear


@pytest.fixture(scope="session")
def count_panel() -> Callable[..., Panel]:
    """Factory: counts with exposure, log-rate shocks of sd 0.1 by cluster and period, `rate_ratio` on the treated."""
    return _counts


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, dict[str, list[float | None]]]]:
    """Golden numbers of a package: case → quantity → [value, standard error]."""
    return lambda name: json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))["cases"]


@pytest.fixture(scope="session")
def frame(reference: Path) -> Callable[[str], pd.DataFrame]:
    """Reference data by file name."""
    return lambda name: pd.read_csv(reference / "did" / "data" / name)


def frame_panel(
    data: pd.DataFrame,
    unit: str,
    time: str,
    outcome: str,
    start: str,
    *,
    exposure: str | None = None,
    weight: str | None = None,
    cluster: str | None = None,
    covariates: Sequence[str] = (),
) -> Panel:
    """A Panel from a long frame; `start` holds the first treated period, missing or 0 for never."""
    times = np.sort(data[time].unique())
    wide = data.pivot(index=unit, columns=time)
    first = data.groupby(unit).first()
    place = {value: i for i, value in enumerate(times)}
    names, codes = np.unique(first[cluster].to_numpy() if cluster else first.index.to_numpy(), return_inverse=True)

    def matrix(name: str | None) -> np.ndarray | None:
        return None if name is None else wide[name].to_numpy(float)

    return Panel(
        units=tuple(str(u) for u in first.index),
        times=tuple(times.tolist()),
        outcomes={outcome: matrix(outcome)},
        cohort=np.array([place.get(s, NEVER) for s in first[start]]),
        cluster=codes,
        cluster_names=tuple(str(c) for c in names),
        exposure=matrix(exposure),
        weight=matrix(weight),
        covariates={name: matrix(name) for name in covariates},
    )


@pytest.fixture(scope="session")
def from_frame() -> Callable[..., Panel]:
    return frame_panel


@pytest.fixture(scope="session")
def castle(frame) -> pd.DataFrame:
    """US states 2000-2010 with the first full year under the law as `start`."""
    data = frame("castle.csv")
    data["start"] = data.groupby("sid").year.transform(lambda s: np.nan).astype(float)
    begun = data[data.post > 0].groupby("sid").year.min()
    data["start"] = data.sid.map(begun)
    return data


def _plain(
    x: np.ndarray,
    y: np.ndarray,
    cluster: np.ndarray,
    weight: np.ndarray | None = None,
    n_params: int | None = None,
    unit: np.ndarray | None = None,
):
    from evalkit.did.linalg import Regression

    root = np.ones(len(y)) if weight is None else np.sqrt(weight)
    p, g = x.shape[1], int(cluster.max()) + 1
    return Regression(
        x=x * root[:, None],
        y=y * root,
        root=root,
        unit=np.arange(len(y)) if unit is None else unit,
        cluster=cluster,
        time=np.zeros(len(y), dtype=int),
        n_clusters=g,
        contrast=np.eye(p),
        treated=np.ones((p, g), dtype=bool),
        control=np.ones((p, g), dtype=bool),
        n_params=n_params or p,
    )


@pytest.fixture(scope="session")
def plain():
    """Factory: a Regression of y (n,) on x (n, p) by cluster, no effects absorbed, every coefficient a contrast."""
    return _plain


@pytest.fixture(scope="session")
def standard_errors():
    """(p,) standard errors of a system's coefficients under an influence rule."""
    return lambda system, influence: np.sqrt(((influence(system) / system.scale) ** 2).sum(axis=0))
