"""What moves a decision and what it would be worth to know more: inventory, tornado, value of information."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from .. import cea
from ..core import Exhibit, Message, Psa
from .build import column, figure, message, table
from .case import Case

if TYPE_CHECKING:
    from .economics import Money

PROGRAMME = "programme"
EFFECT = "averted."
SPLIT = {("wage", True): "paid_leave", ("nursing", False): "care"}
"""Kinds that are two things: what is paid over, and what is used up."""
WAGES = ("own_wage", "pool_wage", "disposable_income")


def inventory_table(case: Case, money: Money, frame: pd.DataFrame) -> Exhibit:
    """Who pays and who saves, by kind of cost (GB/T 6721 classes); `frame` as `cea.impact_inventory`."""
    columns = (
        column("cost_kind", "message"),
        *(column(f"perspective_{p}", "money") for p in cea.PERSPECTIVES),
    )
    rows: list[list[Any]] = [
        [
            message(
                "drawn.of",
                what=message(f"cost_kind.{SPLIT.get((r.category, bool(r.transfer)), r.category)}"),
                which=message(f"loss_class.{r.loss_class}"),
            ),
            *(float(getattr(r, p)) for p in cea.PERSPECTIVES),
        ]
        for r in frame.itertuples()
    ]
    rows.append([message("loss_class.total"), *(float(frame[p].sum()) for p in cea.PERSPECTIVES)])
    return table(
        case, "economics_inventory", columns, rows, source="economics", price_year=money.costs.price_year,
        notes=[message("note.inventory"), message("note.unverified", n=len(money.costs.unverified))],
    )  # fmt: skip


def drawn_name(name: str) -> Message:
    """A drawn parameter in words: "averted.g7_10", "medical_cost.7", "own_wage"."""
    stem, _, rest = name.partition(".")
    if stem == "averted":
        return message("drawn.averted", severity=message(f"outcome.avertable.{rest}"))
    if not rest:
        return message(f"drawn.{stem}")
    kind = message(f"kin.{rest}") if stem.startswith("dependant") else message(f"grade.{rest}")
    return message("drawn.of", what=message(f"drawn.{stem}"), which=kind)


def tornado_figure(case: Case, psa: Psa) -> Exhibit:
    """The parameters that move the expected net saving most, split where the decision flips."""
    bars = cea.tornado(psa, strategy=PROGRAMME, top=10)
    rows = [
        {
            "label": drawn_name(b.parameter),
            "low": b.low,
            "high": b.high,
            "outcome_low": b.outcome_low,
            "outcome_high": b.outcome_high,
            "flips_at": b.flips_at,
        }
        for b in bars
    ]
    flips = sum(b.flips_at is not None for b in bars)
    return figure(
        case, "economics_tornado", "tornado", {"rows": rows, "base": bars[0].base}, source="economics", n=psa.n,
        alt={"n": len(rows), "flips": flips, "first": rows[0]["label"]},
    )  # fmt: skip


def information_figure(case: Case, psa: Psa) -> Exhibit:
    """Value of knowing the effect, wages, or all else, at a threshold of nil: the fund's own account."""
    sets = {name: found for name, found in groups(psa).items() if found}
    curve = cea.evppi(psa, list(sets.values()), [0.0])
    rows: list[dict[str, Any]] = [
        {
            "label": message(f"drawn_group.{name}"),
            "value": float(curve.values[label][0]),
            "mc_error": float(curve.mc_error[label][0]),
            "floor": float(curve.floor[label][0]),
        }
        for name, label in zip(sets, curve.values)
    ]
    total = float(cea.evpi(psa, [0.0]).values["evpi"][0])
    sample = cea.evsi(psa, sets["effect"], {"year": 0.5}, [0.0])
    year = float(sample.values["year"][0])
    rows.append(
        {"label": message("drawn_group.one_more_year"), "value": year, "mc_error": float(sample.mc_error["year"][0])}
    )
    rows.sort(key=lambda r: -r["value"])
    return figure(
        case, "economics_information", "value_bars", {"rows": rows, "total": total}, source="economics", n=psa.n,
        notes=[message("note.information")], alt={"total": {"yuan": total}, "year": {"yuan": year}},
    )  # fmt: skip


def groups(psa: Psa) -> dict[str, list[str]]:
    """Drawn parameters by theme: the effect; wages and incomes; grades, care and pensions (the five that matter most).

    A theme of more than five names is represented by its five most influential: what they are worth together is a lower
    bound of the theme.
    """
    own = {"effect": [n for n in psa.parameter_names if n.startswith(EFFECT)]}
    own["wages"] = [n for n in psa.parameter_names if n in WAGES]
    rest = [n for n in psa.parameter_names if n not in (*own["effect"], *own["wages"], "programme_cost")]
    own["benefits"] = (
        [b.parameter for b in cea.tornado(psa, strategy=PROGRAMME, parameters=rest, top=5)] if rest else []
    )
    return own
