"""The CHEERS 2022 checklist of an economic evaluation, filled from the run: each item with its value and its place in
the report, or why it does not apply. Husereau et al. (2022), BMC Medicine 20:23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import sources
from ..core import Exhibit, Message, to_plain
from .build import column, message, table
from .case import Case

if TYPE_CHECKING:
    from .evaluation import Evaluation

PLACES = {
    "title": (1,),
    "summary": (2, 23, 26),
    "design": (3, 5, 6, 7, 11, 12),
    "effect": (16, 17),
    "robustness": (18,),
    "economics": (8, 9, 10, 14, 15, 19, 20, 22, 24, 27),
}
"""Items by the section of the report in which they are answered."""
NOT_HERE = (4, 13, 21, 25, 28)
"""Items that do not apply or that the run cannot know, each with its reason (`cheers.<n>.why`)."""


def cheers_table(case: Case, ev: Evaluation) -> Exhibit:
    """28 items: number, topic, what holds here, and where it stands or why it does not apply."""
    where = {n: message(f"report.project.{place}") for place, items in PLACES.items() for n in items}
    where[1] = message("report.project.title")
    said = values(case, ev)
    rows: list[list[Any]] = []
    for n in range(1, 29):
        absent = n in NOT_HERE
        held = message(f"cheers.{n}.why") if absent else message(f"cheers.{n}.value", **said.get(n, {}))
        rows.append([n, message(f"cheers.{n}.topic"), held, message("cheers.not_applicable") if absent else where[n]])
    columns = (
        column("cheers_item", "int"),
        column("cheers_topic", "message"),
        column("cheers_value", "message"),
        column("cheers_where", "message"),
    )
    return table(case, "economics_cheers", columns, rows, notes=[message("note.cheers")])


def values(case: Case, ev: Evaluation) -> dict[int, dict[str, Any]]:
    """The run's own numbers and names by item."""
    fund, panel, money = ev.money.fund, ev.panel, ev.money
    clusters, treated, _ = panel.cluster_counts()
    place = message("name.plain", name=case.plan.place_name(case.place))
    rate = money.costs.discount
    found: dict[int, dict[str, Any]] = {
        1: {"title": ev.row["title"]},
        2: {"level": ev.level},
        5: {"enrolled": int(panel.ever_treated.sum()), "others": int((~panel.ever_treated).sum())},
        6: {"place": place, "first": str(panel.times[0]), "last": str(panel.times[-1])},
        9: {"years": 2 * ev.money.delay},
        10: {"rate": 100 * float(rate) if isinstance(rate, (int, float)) else 100 * base_rate()},
        12: {"clusters": clusters, "treated": treated},
        15: {"currency": fund.currency, "price_year": fund.price_year},
        16: {"strata": len(money.draws.names)},
        17: {"df": "–" if money.draws.df is None else f"{money.draws.df:.1f}"},
        18: {"strata": len(money.draws.names)},
        20: {"n": fund.n_draws, "seed": case.seed},
        22: unverified(ev),
        23: {"words": main_result(ev)},
        24: {"words": uncertainty(ev)},
    }
    return {n: to_plain(v) for n, v in found.items()}


def unverified(ev: Evaluation) -> dict[str, int]:
    """Parameters used, those and the rows of the benefit schedule that nobody compared with the primary source."""
    known = ev.money.costs.parameters
    marked = sum(name in known for name in ev.money.costs.unverified)
    return {"n": len(known), "unverified": marked, "rules": len(ev.money.costs.unverified) - marked}


def base_rate() -> float:
    """Discount rate of the sources, where the run used a schedule."""
    return float(sources.parameter("discount_rate").value)


def main_result(ev: Evaluation) -> Message:
    """Net saving and benefit-cost ratio in words, or why there is no mean."""
    fund = ev.money.fund
    if fund.refused or fund.npv is None:
        return message("cheers.refused")
    return message("cheers.npv", bcr="–" if fund.bcr is None else f"{fund.bcr:.2f}")


def uncertainty(ev: Evaluation) -> Message:
    """Interval and confidence of the net saving."""
    fund = ev.money.fund
    if fund.npv_low is None or fund.npv_high is None:
        return message("cheers.refused")
    if fund.confidence is None:
        return message("cheers.interval")
    return message("cheers.interval_confidence", confidence=100 * fund.confidence)
