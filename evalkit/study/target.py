"""The −20 % target of the plan: arithmetic on final counts, with its sensitivity to the base year."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import assess
from ..core import Exhibit, Section, to_plain
from .build import column, figure, message, section, table
from .case import Case
from .city import bounds, industry, place_of, series_of
from .disclosure import counts_hidden, masked


def target(case: Case) -> Section:
    """The −20 % target: pooled verdict with base-year sensitivity, the path, and each key industry."""
    place = place_of(case)
    verdicts = assess.key_industry_target(case.canonical, case.plan, place=place)
    head = verdicts.iloc[0]
    exhibits = [target_figure(case, place), target_table(case, verdicts), target_industries(case, place)]
    values = {
        "decline": head.decline,
        "decline_interval": [head.conf_low, head.conf_high],
        "target_status": head.status,
    }
    return section("target", exhibits, values=to_plain(values))


def target_figure(case: Case, place: str) -> Exhibit:
    """Observed path by base year against the one that meets the target."""
    frame, rule = assess.target_path(case.canonical, case.plan, place=place), case.plan.settings["targets"]["decline"]
    bases = list(dict.fromkeys(frame.base))
    own = frame[(frame.base == bases[0])]
    path = own[own.path.notna()]
    payload = {
        "series": [
            {**series_of(own.rename(columns={"ratio": "value"})), "label": message("target.base", base=bases[0])}
        ],
        "path": {"time": path.year.tolist(), "value": path.path.tolist()},
        "band": [1 - rule["value"], 1 - rule["band"]],
    }
    last = own.iloc[-1]
    return figure(
        case,
        "target_path",
        "target_path",
        payload,
        source="official",
        base=bases[0],
        alt={"base": bases[0], "year": int(last.year), "ratio": float(last.ratio)},
    )


def target_table(case: Case, verdicts: pd.DataFrame) -> Exhibit:
    """One row per base year and variant: the verdict is the first."""
    columns = (
        column("base"),
        column("variant", "message"),
        column("base_rate", "number", unit="‰"),
        column("rate", "number", unit="‰"),
        column("decline", "percent", 1),
        column("interval", "interval", 1, "%"),
        column("status", "status"),
        column("provisional", "flag"),
    )
    rows = [
        [
            r.base,
            message(f"variant.{r.variant}"),
            r.base_rate,
            r.rate,
            r.decline,
            [r.conf_low, r.conf_high],
            r.status,
            bool(r.provisional),
        ]
        for r in verdicts.itertuples()
    ]
    return table(
        case,
        "target_verdicts",
        columns,
        rows,
        source="official",
        notes=[message("note.target_base"), message("note.target_not_effect")],
    )


def target_industries(case: Case, place: str) -> Exhibit:
    """Decline of each key industry from the headline base."""
    frame = assess.industry_targets(case.canonical, case.plan, place=place)
    first = frame[frame.base == frame.base.iloc[0]]
    columns = (
        column("industry", "message"),
        column("base_rate", "number", unit="‰"),
        column("rate", "number", unit="‰"),
        column("numerator", "int"),
        column("decline", "percent", 1),
        column("interval", "interval", 1, "%"),
        column("status", "status"),
    )
    hidden = counts_hidden(case, np.minimum(first.numerator, first.base_numerator).tolist(), total_known=False)
    rows = [
        masked(
            [industry(case, r.industry), r.base_rate, r.rate, r.numerator, r.decline, bounds(r), r.status],
            hide,
            (1, 2, 3, 4, 5, 6),
        )
        for r, hide in zip(first.itertuples(), hidden)
    ]
    return table(
        case,
        "target_industries",
        columns,
        rows,
        source="official",
        base=str(frame.base.iloc[0]),
        notes=[message("note.project_insured")],
    )
