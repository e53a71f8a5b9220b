"""How much one cluster carries: estimates without it, and effective numbers of clusters."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pandas as pd

from ..core import Design, Panel, Term, UserError
from .fit import Fit
from .linalg import cluster_system, estimable_without, leave_out
from .parts import part_of
from .registry import fit_of


def leave_one_out(panel: Panel, design: Design | None = None, estimator: str = "twfe") -> pd.DataFrame:
    """The estimates without each cluster in turn: does one of them carry the effect?

    Returns one row per cluster and effect: cluster, treated, term, outcome, estimate (without it), full (with it),
    change = estimate − full, and refused (message key) where nothing can be estimated without it. Of a linear
    regression the estimates come from its cluster sums, exactly; other estimators, Poisson among them, and clusters
    without which some effect is not identified, are truly re-fitted.
    Raises UserError("did_unknown_method"), and whatever the estimator raises on all clusters.
    """
    design = design or Design()
    full = fit_of(estimator, panel, design)
    codes = np.unique(panel.cluster)
    known = _from_sums(full)
    values = np.full((len(codes), len(full.path)), np.nan)
    for g, code in enumerate(codes):
        if known is not None and np.isfinite(known[g]).all():
            values[g] = known[g]
        else:
            values[g] = _refitted(estimator, drop_cluster(panel, int(code)), design, full)
    treated = [bool(panel.ever_treated[panel.cluster == code].any()) for code in codes]
    k, estimate = len(full.path), full.path.estimate
    gone = ~np.isfinite(values.ravel())
    return pd.DataFrame(
        {
            "cluster": np.repeat([panel.cluster_names[int(c)] for c in codes], k),
            "treated": np.repeat(treated, k),
            "term": [t.term for t in full.path.terms] * len(codes),
            "outcome": [t.outcome for t in full.path.terms] * len(codes),
            "estimate": values.ravel(),
            "full": np.tile(estimate, len(codes)),
            "change": (values - estimate).ravel(),
            "refused": ["inference.refused.hangs_on_one_cluster" if g else None for g in gone],
        }
    )


def _from_sums(fit: Fit) -> np.ndarray | None:
    """(G, k) estimates without each cluster, where every source is a linear regression; NaN where not identified."""
    if not fit.regressions or any(r.family != "linear" for r in fit.regressions):
        return None
    columns = []
    for r in fit.regressions:
        system = cluster_system(r)
        inverses = leave_out(system)
        beta = np.einsum("gij,gj->gi", inverses, system.moment.sum(axis=0) - system.moment)
        found = estimable_without(system, r.contrast, inverses)
        columns.append(np.where(found, beta @ (r.contrast / system.scale).T, np.nan))
    return np.hstack(columns)


def _refitted(estimator: str, panel: Panel, design: Design, full: Fit) -> np.ndarray:
    """(k,) the full path's effects on another panel; NaN where there are none."""
    try:
        path = fit_of(estimator, panel, design).path
    except UserError:
        return np.full(len(full.path), np.nan)
    found = {_key(t): e for t, e in zip(path.terms, path.estimate)}
    return np.array([found.get(_key(t), np.nan) for t in full.path.terms])


def _key(term: Term) -> tuple[object, ...]:
    """What a row stands for, whatever its counts."""
    return term.term, term.outcome


def drop_cluster(panel: Panel, code: int) -> Panel:
    """The panel without the units of one cluster; cluster codes and names stay as they are."""
    return keep_units(panel, panel.cluster != code)


def keep_units(panel: Panel, keep: np.ndarray) -> Panel:
    """The panel of the units where `keep` (N,) is True; cluster codes and names stay as they are."""
    changes = {}
    for f in fields(panel):
        value = getattr(panel, f.name)
        if isinstance(value, np.ndarray) and value.shape[:1] == (panel.n_units,):
            changes[f.name] = value[keep]
        elif isinstance(value, dict):
            changes[f.name] = {name: array[keep] for name, array in value.items()}
    return replace(panel, units=tuple(u for u, k in zip(panel.units, keep) if k), **changes)


def keep_periods(panel: Panel, keep: np.ndarray) -> Panel:
    """The panel of the periods where `keep` (T,) is True; starts still count the periods of the whole panel."""
    changes: dict[str, Any] = {}
    for f in fields(panel):
        value = getattr(panel, f.name)
        if isinstance(value, np.ndarray) and value.shape == (panel.n_units, panel.n_periods):
            changes[f.name] = value[:, keep]
        elif isinstance(value, dict):
            changes[f.name] = {name: array[:, keep] if array.ndim == 2 else array for name, array in value.items()}
    return replace(panel, times=tuple(t for t, k in zip(panel.times, keep) if k), **changes)


def effective_clusters(panel: Panel, design: Design | None = None, estimator: str = "twfe") -> tuple[float, float]:
    """G1*, G0*: effective numbers of treated and comparison clusters for an estimator's first effect.

    Inverse Herfindahl of partial leverage (`linalg.effective_pair`). Description only: routes no test, but a
    simultaneous band is shown only where both are at least 8. Raises UserError("did_unknown_method"), and
    whatever the estimator raises. Source: Carter, Schnepel and Steigerwald (2017).
    """
    fit = fit_of(estimator, panel, design or Design())
    part = part_of(fit.sources[0])
    rows = np.eye(part.width) if fit.path.transform is None else np.asarray(fit.path.transform)[:, : part.width]
    treated, control = part.effective(rows[part.live(rows)][:1])[0]
    return float(treated), float(control)
