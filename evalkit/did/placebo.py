"""Effects where there can be none: before the start, and in clusters that were never treated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd

from ..core import NEVER, Design, EffectPath, Panel, UserError
from .inference import fit_path, inference
from .influence import keep_periods, keep_units
from .registry import RECTANGLE

LEADS = 4
PLACEMENTS = 99
COLUMNS = (
    "kind", "label", "outcome", "estimate", "std_error", "conf_low", "conf_high", "p_value", "df",
    "n_treated_clusters", "refused",
)  # fmt: skip


def placebo(
    panel: Panel,
    design: Design | None = None,
    estimator: str = "twfe",
    *,
    leads: Sequence[int] | None = None,
    n: int = PLACEMENTS,
) -> pd.DataFrame:
    """The overall effect beside placebo effects in time and in space, one row each and per outcome.

    kind "actual"  the effect itself
    kind "time"    label = periods: treatment is said to start that much earlier and all truly treated cells are left
                   out, so that only the pre-period speaks. `leads`: by default 1 to 4, as far as every cohort keeps two
                   baseline periods
    kind "space"   label = number of the placement: truly treated units are left out and as many clusters (as far as two
                   comparison clusters remain) of those never treated get the start dates; all placements where there
                   are at most `n`, else n random ones from `design.seed`
    Columns: kind, label, outcome, estimate, std_error, conf_low, conf_high, p_value, df, n_treated_clusters, refused
    (message key). A placement that identifies no effect is left out. Inference by `design.rule`.
    Raises UserError("did_unknown_method"), and whatever the estimator raises on the actual panel.
    A description: small placebo effects do not prove parallel trends. Their spread is comparable with the actual
    effect only where placements treat as many clusters.
    """
    design = design or Design()
    rows = _rows("actual", 0, overall(estimator, panel, design))
    for lead in _leads(panel, design) if leads is None else leads:
        rows += _tried("time", int(lead), estimator, earlier(panel, int(lead), estimator in RECTANGLE), design)
    for label, moved in enumerate(_moved(panel, design, n), start=1):
        rows += _tried("space", label, estimator, moved, design)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def overall(estimator: str, panel: Panel, design: Design) -> EffectPath:
    """The estimator's path with one row per outcome, its overall effect, and inference by the design's rule."""
    path = fit_path(estimator, panel, design)
    if len({t.outcome for t in path.terms}) == len(path) and all(t.event_time is None for t in path.terms):
        return path
    return inference(path.combine("overall"), panel, design.rule)


def earlier(panel: Panel, lead: int, rectangle: bool = False) -> Panel:
    """The panel with every start `lead` periods earlier and the truly treated cells unobserved.

    rectangle  leave out all periods from the first true start on instead, for estimators that take no gaps
    """
    if rectangle:
        first = int(panel.cohort[panel.ever_treated].min())
        early = keep_periods(panel, np.arange(panel.n_periods) < first)
        return replace(early, cohort=np.where(panel.cohort - lead < first, panel.cohort - lead, NEVER))
    hide = {name: np.where(panel.treated, np.nan, values) for name, values in panel.outcomes.items()}
    start = np.where(panel.ever_treated, panel.cohort - lead, panel.cohort)
    return replace(panel, outcomes=hide, cohort=start)


def _leads(panel: Panel, design: Design) -> range:
    first = int(panel.cohort[panel.ever_treated & (panel.cohort > 0)].min(initial=panel.n_periods))
    return range(1, min(LEADS, first - design.anticipation - 2) + 1)


def _moved(panel: Panel, design: Design, n: int) -> list[Panel]:
    """Panels of the never-treated units with start dates given to some of their clusters."""
    starts = [int(panel.cohort[panel.cluster == g].min()) for g in np.unique(panel.cluster[panel.ever_treated])]
    free = keep_units(panel, ~panel.ever_treated)
    controls = np.unique(free.cluster)
    m = min(len(starts), len(controls) - 2)
    if m < 1:
        return []
    starts = starts[:m]
    if len(set(starts)) == 1 and comb(len(controls), m) <= n:
        chosen = [np.array(c) for c in combinations(controls, m)]
    else:
        rng = np.random.default_rng(design.seed)
        chosen = [rng.choice(controls, m, replace=False) for _ in range(n)]
    out = []
    for clusters in chosen:
        cohort = np.full(free.n_units, NEVER)
        for g, start in zip(clusters, starts):
            cohort[free.cluster == g] = start
        out.append(replace(free, cohort=cohort))
    return out


def _tried(kind: str, label: int, estimator: str, panel: Panel, design: Design) -> list[dict[str, Any]]:
    try:
        return _rows(kind, label, overall(estimator, panel, design))
    except UserError:
        return []


def _rows(kind: str, label: int, path: EffectPath) -> list[dict[str, Any]]:
    out = []
    for e in path.effects():
        row = {name: getattr(e, name, None) for name in COLUMNS}
        out.append(row | {"kind": kind, "label": label, "refused": e.inference.refused if e.inference else None})
    return out
