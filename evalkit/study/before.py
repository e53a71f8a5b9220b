"""What the periods before the start say of a design: were units chosen at a peak, and were trends apart already?

Both compare enrolled and other units among periods before the start only, as if the programme had begun there. Failing
takes a causal reading away; passing proves nothing and raises no evidence level (`methods.md` 2 and 4).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import did
from ..core import NEVER, Design, Gate, Panel, UserError
from ..did.influence import keep_periods
from ..sources import parameter
from .verdict import verdict


def selection_peak(panel: Panel, design: Design, *outcomes: str) -> Gate:
    """Were the enrolled chosen at a peak? The selection window against the periods before it.

    outcomes  all injuries that are recorded, not only those a programme averts: firms are chosen for what is recorded.
              Names that the panel does not have are left out.
    Batches are chosen by their own rate, so every batch counts alike: the change of its log rate from the periods
    before the window to the window, enrolled against other. Below `peak_min_cases` of the sources a batch in the window
    the Poisson ratio of the same two spans stands in, for logs of small counts mislead.
    Fails where the interval of the ratio lies above no change: what follows a peak is a return, not an effect. With a
    declared window it is information, for the window is no part of the baseline; without one the last `peak_periods`
    of the sources before the start are examined and a failure is a warning. Not examined (`passed` None) with fewer
    than two periods before the window, or where the comparison is not testable.
    """
    window, (low, high) = design.selection_window, _places(panel, design)
    word = _rise(panel, [n for n in outcomes if n in panel.outcomes], low, high + 1) if low >= 2 else None
    return Gate(
        name="selection_peak",
        severity="warn" if window is None else "info",
        passed=None if word is None else word != "higher",
        detail={"first": str(panel.times[max(low, 0)]), "last": str(panel.times[max(high, 0)])},
    )


def placebo_start(panel: Panel, design: Design, outcome: str) -> Gate:
    """Did the two groups part before anything was done? As if it had begun in the middle of the usable pre-period.

    Usable: before the start and outside the selection window. Fails where the interval of the ratio excludes no change.
    """
    first = _start(panel)
    low, high = _places(panel, design) if design.selection_window else (first, first)
    usable = [t for t in range(first) if not low <= t <= high]
    word = _as_if(panel, outcome, usable[len(usable) // 2], first, usable) if len(usable) >= 4 else None
    return Gate(
        name="placebo_start",
        severity="warn",
        passed=None if word is None else word == "insufficient",
        detail={"start": str(panel.times[usable[len(usable) // 2]]) if usable else "–"},
    )


def _start(panel: Panel) -> int:
    return int(panel.cohort[panel.ever_treated].min())


def _places(panel: Panel, design: Design) -> tuple[int, int]:
    """First and last period of the selection window, or of the last periods before the start; −1 outside the panel."""
    first = _start(panel)
    if design.selection_window is None:
        return first - int(parameter("peak_periods").value), first - 1
    low, high = (panel.times.index(w) if w in panel.times else -1 for w in design.selection_window)
    return low, min(high, first - 1)


def _as_if(panel: Panel, outcome: str, start: int, stop: int, keep: list[int] | None = None) -> str | None:
    """Verdict of a programme that began in period `start`, seen until before `stop`; None where not testable."""
    kept = np.array([t for t in range(stop) if keep is None or t in keep])
    alone = replace(panel, outcomes={outcome: panel.outcomes[outcome]})
    earlier = replace(
        keep_periods(alone, np.isin(np.arange(panel.n_periods), kept)),
        cohort=np.where(panel.ever_treated, int(np.searchsorted(kept, start)), panel.cohort),
    )
    try:
        word = verdict(did.ppml(earlier, Design(outcomes=(outcome,))).effects()[0])
    except UserError:
        return None
    return None if word == "not_testable" else word


def _rise(panel: Panel, outcomes: list[str], low: int, stop: int) -> str | None:
    """Verdict of the change from the periods before `low` to those from `low` until before `stop`, by batch."""
    spans = _two_spans(panel, outcomes, low, stop)
    try:
        if spans.outcomes["recorded"][:, 1].mean() < parameter("peak_min_cases").value:
            path = did.ppml(spans, Design(outcomes=("recorded",)))
        else:
            path = did.twfe(did.log_rate(spans), Design())
    except UserError:
        return None
    word = verdict(path.effects()[0])
    return None if word == "not_testable" else word


def _two_spans(panel: Panel, outcomes: list[str], low: int, stop: int) -> Panel:
    """Enrolled and other units summed by cluster, over the periods before `low` and over `low` until before `stop`."""
    assert panel.exposure is not None
    groups, code = np.unique(np.column_stack([panel.cluster, panel.ever_treated]), axis=0, return_inverse=True)
    code = code.ravel()

    def total(values: np.ndarray) -> np.ndarray:
        parts = (values[:, :low], values[:, low:stop])
        return np.column_stack([np.bincount(code, np.nansum(p, axis=1), len(groups)) for p in parts])

    return Panel(
        units=tuple(f"{panel.cluster_names[c]}/{e}" for c, e in groups),
        times=("before", "window"),
        outcomes={"recorded": total(np.sum([panel.outcomes[n] for n in outcomes], axis=0))},
        exposure=total(panel.exposure),
        cohort=np.where(groups[:, 1] == 1, 1, NEVER),
        cluster=groups[:, 0],
        cluster_names=panel.cluster_names,
    )
