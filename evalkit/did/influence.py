"""How much one cluster carries: estimates without it, and effective numbers of clusters."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pandas as pd

from ..core import Design, Panel, UserError
from .linalg import cluster_system, effective_pair
from .registry import fit_of


def leave_one_out(panel: Panel, design: Design | None = None, estimator: str = "twfe") -> pd.DataFrame:
    """Re-fit without each cluster in turn: does one of them carry the effect?

    Returns one row per cluster and effect: cluster, treated, term, outcome, estimate (without it), full (with it),
    change = estimate − full, and refused (message key) where nothing can be estimated without it. A true re-fit, also
    for Poisson. Raises UserError("did_unknown_method"), and whatever the estimator raises on all clusters.
    """
    design = design or Design()
    full = fit_of(estimator, panel, design).path
    rows = []
    for code in np.unique(panel.cluster):
        without = {}
        try:
            path = fit_of(estimator, drop_cluster(panel, int(code)), design).path
            without = {(t.term, t.outcome): e for t, e in zip(path.terms, path.estimate)}
        except UserError:
            pass
        for term, estimate in zip(full.terms, full.estimate):
            value = without.get((term.term, term.outcome), np.nan)
            rows.append(
                {
                    "cluster": panel.cluster_names[int(code)],
                    "treated": bool(panel.ever_treated[panel.cluster == code].any()),
                    "term": term.term,
                    "outcome": term.outcome,
                    "estimate": float(value),
                    "full": float(estimate),
                    "change": float(value - estimate),
                    "refused": None if np.isfinite(value) else "inference.refused.hangs_on_one_cluster",
                }
            )
    return pd.DataFrame(rows)


def drop_cluster(panel: Panel, code: int) -> Panel:
    """The panel without the units of one cluster; cluster codes and names stay as they are."""
    keep = panel.cluster != code
    changes = {}
    for f in fields(panel):
        value = getattr(panel, f.name)
        if isinstance(value, np.ndarray) and value.shape[:1] == (panel.n_units,):
            changes[f.name] = value[keep]
        elif isinstance(value, dict):
            changes[f.name] = {name: array[keep] for name, array in value.items()}
    return replace(panel, units=tuple(u for u, k in zip(panel.units, keep) if k), **changes)


def effective_clusters(panel: Panel, design: Design | None = None, estimator: str = "twfe") -> tuple[float, float]:
    """G1*, G0*: effective numbers of treated and comparison clusters for an estimator's first effect.

    Inverse Herfindahl of partial leverage (`linalg.effective_pair`). Description only: routes no test, but a
    simultaneous band is shown only where both are at least 8. Raises UserError("did_unknown_method"), and
    whatever the estimator raises. Source: Carter, Schnepel and Steigerwald (2017).
    """
    r = fit_of(estimator, panel, design or Design()).regressions[0]
    system = cluster_system(r)
    return effective_pair(system, r.contrast[0], r.treated[0], r.control[0])
