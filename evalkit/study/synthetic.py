"""Synthetic difference-in-differences beside the headline of a programme over places: robustness, never the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .. import did
from ..core import Design, Effect, EffectPath, Exhibit, Panel, UserError
from ..did import SyntheticWeights
from .build import figure, message, table
from .case import Case
from .effects import ESTIMATE_COLUMNS, ratio_row

RULE = "placebo"
"""The variance: comparison places in the place of the treated. With one treated place the router says not testable."""
ABSENT = ("needs_rectangle", "synthetic_few_periods", "no_comparison_unit", "no_treated_unit")
"""Mistakes of the design that leave no estimate, told in the row (`synthetic.absent.*`); any other is raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthetic:
    """The estimate over all places, its weights by start date; `absent`: message key of why there is none."""

    path: EffectPath | None = None
    weights: tuple[SyntheticWeights, ...] = ()
    absent: str = ""

    @property
    def effect(self) -> Effect | None:
        return None if self.path is None else self.path.effects()[0]


def synthetic_of(logs: Panel, design: Design) -> Synthetic:
    """Synthetic difference-in-differences of a panel of log rates (N, T), all start dates in one effect.

    One treated or one comparison place: not testable, as in `methods.md` 1, with its placebo rank; otherwise placebo
    variance. Never raises where the panel does not carry the method, but says why.
    """
    try:
        path = did.synthetic_did(logs, replace(design, window=None)).combine("overall")
        weights = did.synthetic_weights(logs, replace(design, window=None))
    except UserError as error:
        key = error.problems[0].key
        if key not in ABSENT:
            raise
        return Synthetic(absent=f"synthetic.absent.{key}")
    routed = did.inference(path, logs)
    few = routed.effects()[0].inference
    tested = few is not None and few.rule == "not_testable"
    return Synthetic(path=routed if tested else did.inference(path, logs, RULE), weights=weights)


def synthetic_exhibits(case: Case, headline: Effect, found: Synthetic, y_label: str) -> list[Exhibit]:
    """The estimate under the headline, then paths and weights of every start date. y_label: key of the axis title."""
    rows = [ratio_row("estimator.log_rate", headline), synthetic_row(found)]
    notes = [message("synthetic.reading")]
    if len(found.weights) > 1:
        notes.append(message("synthetic.cohorts", n=len(found.weights)))
    exhibits = [table(case, "robustness_synthetic", ESTIMATE_COLUMNS, rows, notes=notes, source="model")]
    for i, weights in enumerate(found.weights):
        exhibits += _figures(case, weights, y_label, i)
    return exhibits


def synthetic_row(found: Synthetic) -> list[Any]:
    """A row of `ESTIMATE_COLUMNS`: the estimate with its rule, or with why it has no interval, or why there is none."""
    label = "estimator.synthetic_did_city"
    if (effect := found.effect) is None:
        return [message(label), *[None] * (len(ESTIMATE_COLUMNS) - 2), message(found.absent)]
    row = ratio_row(label, effect)
    if effect.inference is not None and effect.inference.rule == "refused":
        row[-1] = message(effect.inference.refused or "inference.rule.refused")
    return row


def _figures(case: Case, weights: SyntheticWeights, y_label: str, i: int) -> list[Exhibit]:
    start = str(weights.cohort)
    paths: dict[str, Any] = {
        "time": [str(t) for t in weights.times],
        "start": str(weights.start),
        "y_label": y_label,
        "treated": weights.treated.tolist(),
        "synthetic": weights.synthetic.tolist(),
        "time_weight": weights.time_weights.tolist(),
    }
    rows = [{"label": case.plan.place_name(u), "weight": float(w)} for u, w in zip(weights.units, weights.unit_weights)]
    drawn = [
        figure(case, "synthetic_paths", "synthetic_paths", paths, source="model", cohort=start),
        figure(
            case, "synthetic_weights", "synthetic_weights", {"rows": rows}, source="model", n=len(rows), cohort=start
        ),
    ]
    return [replace(e, id=f"{e.id}_{i + 1}") for e in drawn]
