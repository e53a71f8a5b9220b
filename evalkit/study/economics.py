"""From an estimated effect to money: one set of draws, the fund first, other perspectives beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .. import cea, sources
from ..core import Decision, EffectPath, Exhibit, Flow, Gate, Message, Psa, Section, to_plain
from .build import column, facts, figure, message, prose, section, table
from .case import Case
from .information import information_figure, inventory_table, tornado_figure

PERSPECTIVES = ("fund", "employer", "society")
MONEY_COLUMNS = (
    column("programme_cost", "money"),
    column("averted_cost", "money"),
    column("npv", "money"),
    column("npv_interval", "message"),
    column("bcr", "number", 2),
    column("cost_per_injury", "message"),
    column("confidence", "percent", 0),
)
SAID = ("cea.note.flat_prior", "cea.note.zero_stratum")
"""Notes of `cea` that the table says in its own words."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Money:
    """Everything about the money of one programme: a decision per perspective, from the same draws.

    cash  benefits that the fund does not pay by calendar year, yuan of the price year; None without means
    """

    decisions: dict[str, Decision]
    psa: Psa | None
    costs: cea.UnitCosts
    draws: cea.Draws
    flows: tuple[Flow, ...]
    delay: float
    cash: dict[int, float] | None

    @property
    def fund(self) -> Decision:
        return self.decisions["fund"]


def project_money(
    case: Case, path: EffectPath, row: dict[str, Any], expected: dict[str, float], grades: pd.Series, delay: float
) -> Money:
    """Decision of one project, the fund, employers and society from one set of draws.

    path      joint count path by severity;  expected  injuries expected by severity for strata without a row
    grades    avertable cases by grade: the mix inside a severity group
    delay     years from the project's start to the middle of the follow-up
    """
    draws = cea.averted_draws(path, case.draws, case.seed, expected=expected)
    costs = project_unit_costs(case, row, grades)
    flows = project_flows(case, row, costs)
    out, psa = {}, None
    for perspective in PERSPECTIVES:
        out[perspective], drawn = cea.decide(draws, costs, flows, perspective=perspective, delay=delay, seed=case.seed)
        psa = drawn if perspective == "fund" else psa
    cash = None if draws.refused else cash_path(project_schedule(case, row), costs, draws, flows, delay)
    return Money(decisions=out, psa=psa, costs=costs, draws=draws, flows=flows, delay=delay, cash=cash)


def cash_path(
    benefits: cea.Schedule, costs: cea.UnitCosts, draws: cea.Draws, flows: Sequence[Flow], delay: float
) -> dict[int, float]:
    """Benefits that the fund does not pay by calendar year, undiscounted, at the estimate and central values.

    All injuries are averted `delay` years after the first of the programme's flows, the grades of a severity in the
    shares of `costs`: year → yuan of the price year.
    """
    at = min(float(np.floor(f.year)) for f in flows) + 0.5 + delay
    averted = dict(zip(draws.names, draws.estimate))
    detail = costs.detail.drop_duplicates("grade")
    out: dict[int, float] = {}
    for grade, severity, share in zip(detail.grade, detail.severity, detail.share):
        cases = averted.get(severity, 0.0) * share
        for year, amount in cea.net(cea.benefit_flows(benefits, grade, at), "fund").items():
            out[int(year)] = out.get(int(year), 0.0) - cases * float(amount)
    return dict(sorted(out.items()))


def project_schedule(case: Case, row: dict[str, Any]) -> cea.Schedule:
    """Benefits in force in the price year, with the wages of the project's area."""
    price_year = min(case.period, cea.price_years()[1])  # the report year's index is not out when the report is due
    places = case.plan.places.set_index("place")
    return cea.schedule(f"{price_year}-12-31", area=str(places.wage_area[row["place"]]), price_year=price_year)


def severity_of(case: Case) -> dict[str, str]:
    """Grade → severity group of the plan."""
    return {g: name for name, group in case.plan.settings["severity"].items() for g in group}


def known_mix(case: Case, grades: pd.Series) -> dict[str, float]:
    """Avertable cases by grade, those that occurred and that the plan groups."""
    return {g: float(n) for g, n in grades.items() if n > 0 and g in severity_of(case)}


def project_unit_costs(case: Case, row: dict[str, Any], grades: pd.Series) -> cea.UnitCosts:
    """Lifetime cost of an avertable injury under the schedule of the price year and the wages of the project's area."""
    return cea.unit_costs(
        project_schedule(case, row), n=case.draws, seed=case.seed, mix=known_mix(case, grades),
        severity=severity_of(case),
    )  # fmt: skip


def project_flows(case: Case, row: dict[str, Any], costs: cea.UnitCosts) -> tuple[Flow, ...]:
    """What the project cost: the fund's outlay, and the trainees' paid working time for employers and society."""
    paid_in = min(int(row.get("fiscal_year") or costs.price_year), costs.price_year)
    cost = float(cea.inflate(float(row.get("actual_cost") or row["budget"]), paid_in, costs.price_year))
    training = case.tables.get("training_summary", pd.DataFrame(columns=["project_id", "persons", "hours"]))
    own = training[training.project_id == row["project_id"]]
    hours = float((own.persons * own.hours).sum())
    wage = float(np.mean(costs.draws["own_wage"])) if "own_wage" in costs.draws else costs.parameters["own_wage"].value
    hourly = wage / sources.parameter("paid_hours_a_month").value
    return cea.programme_flows(
        cost, float(paid_in), price_year=costs.price_year, person_hours=hours, hourly_wage=hourly
    )


def decision_message(decision: Decision, gates: Sequence[Gate] = (), injuries: str = "") -> Message:
    """What the economic evaluation allows to be said. No verdict at a borrowed threshold.

    gates     diagnostics of the effect: a failed warning takes the conclusion away, as in `verdict.verdict_message`
    injuries  verdict on the primary outcome (`verdict.verdict`): money concludes nothing where injuries do not, for a
              project has one primary outcome and a few severe cases can move the amounts alone
    """
    if decision.refused or decision.npv is None or decision.npv_low is None or decision.npv_high is None:
        return message("decision.refused", cost={"yuan": decision.programme_cost})
    values = {
        "npv": {"yuan": decision.npv},
        "low": {"yuan": decision.npv_low},
        "high": {"yuan": decision.npv_high},
        "confidence": 100 * (decision.confidence or 0.0),
        "price_year": decision.price_year,
    }
    if decision.npv_low <= 0 <= decision.npv_high:
        return message("decision.insufficient", **values)
    if failed := [message(f"gate.{g.name}.title") for g in gates if g.passed is False and g.severity == "warn"]:
        return message("decision.withheld", reasons=failed, **values)
    if injuries in ("insufficient", "not_testable"):
        return message("decision.unsupported", **values)
    return message("decision.saves" if decision.npv_low > 0 else "decision.costs", **values)


def icer_words(found: dict[str, Any]) -> Message:
    """Cost per injury averted as words: a number only where a programme averts injuries at a net cost."""
    if found.get("refused"):
        return message("icer.refused")
    if found.get("icer") is not None:
        return message("icer.value", icer=found["icer"])
    return message(f"icer.{found['dominance']}")


def decision_section(case: Case, money: Money, gates: Sequence[Gate] = (), injuries: str = "") -> Section:
    """Tables and figures of the decision; the plain decision and unit costs go to results.json."""
    said = decision_message(money.fund, gates, injuries)
    inventory = cea.impact_inventory(money.draws, money.costs, money.flows, delay=money.delay, seed=case.seed)
    exhibits: list[Exhibit | None] = [
        prose(case, "economics_words", [said]),
        decision_table(case, money),
        inventory_table(case, money, inventory),
        unit_cost_table(case, money),
        breakeven_facts(case, money.fund),
    ]
    unverified = sorted(money.costs.unverified)
    plain: dict[str, Any] = {
        "decision": to_plain(money.fund),
        "verdict": said.key.removeprefix("decision."),
        "said": to_plain(said),
        "discount": money.costs.discount if isinstance(money.costs.discount, float) else None,
        "payers": payers(inventory),
        "cash": {"spent": spent_by_year(money.flows), "saved": money.cash},
        "perspectives": to_plain(money.decisions),
        "unit_costs": to_plain(money.costs.table().to_dict("records")),
        "unverified": unverified,
    }
    if money.psa is not None:
        plain |= {"plane": plane_of(money.psa), "ceac": curve_of(money.psa)}
        exhibits += [plane_figure(case, money.psa), ceac_figure(case, money.psa)]
        exhibits += [tornado_figure(case, money.psa), information_figure(case, money.psa)]
    return section("economics", exhibits, economics=plain, values={"npv": money.fund.npv, "bcr": money.fund.bcr})


def money_cells(found: dict[str, Any]) -> list[Any]:
    """A plain decision as the cells of `MONEY_COLUMNS`."""
    low, high = found["npv_low"], found["npv_high"]
    span = None if low is None else message("money.interval", low={"yuan": low}, high={"yuan": high})
    head = [found["programme_cost"], found["averted_cost"], found["npv"], span, found["bcr"]]
    return [*head, icer_words(found), found["confidence"]]


def decision_table(case: Case, money: Money) -> Exhibit:
    """One row per perspective."""
    columns = (column("perspective", "message"), *MONEY_COLUMNS)
    rows = [[message(f"perspective.{name}"), *money_cells(to_plain(d))] for name, d in money.decisions.items()]
    notes = [
        message("note.money_reading"),
        message("note.averted_draws"),
        message("note.confidence"),
        *(message(n) for n in money.fund.notes if n not in SAID),
    ]
    if money.draws.zeroed:
        notes.append(message("note.zeroed", names=[message(f"outcome.avertable.{z}") for z in money.draws.zeroed]))
    return table(case, "economics_decision", columns, rows, source="economics", n=money.fund.n_draws, notes=notes)


def unit_cost_table(case: Case, money: Money) -> Exhibit:
    """Present value of one injury by severity and perspective."""
    frame = money.costs.table()
    columns = (
        column("severity", "message"),
        *(column(f"perspective_{p}", "money") for p in PERSPECTIVES),
        column("unverified", "flag"),
    )
    rows = []
    for severity in money.costs.severities:
        own = frame[frame.severity == severity].set_index("perspective")
        rows.append(
            [
                message(f"outcome.avertable.{severity}"),
                *(float(own.value[p]) for p in PERSPECTIVES),
                not bool(own.verified.all()),
            ]
        )
    return table(
        case,
        "economics_costs",
        columns,
        rows,
        source="benefits",
        notes=[message("note.unverified", n=len(money.costs.unverified))],
        price_year=money.costs.price_year,
    )


def breakeven_facts(case: Case, decision: Decision) -> Exhibit:
    """Where the net saving is nil."""
    kinds = {
        "averted_cases": ("number", 1),
        "rate_ratio": ("number", 3),
        "programme_cost": ("money", 0),
        "effect_factor": ("number", 2),
        "unit_cost": ("money", 0),
    }
    items = [(column(f"breakeven_{k}", *kinds[k]), decision.breakeven.get(k)) for k in kinds]
    items.append((column("breakeven_premium_share", "percent", 0), premium_share(decision)))
    return facts(case, "economics_breakeven", items, source="economics", notes=[message("note.premium")])


def premium_share(decision: Decision) -> float | None:
    """Share of the averted benefits that lower levies may take back before the fund's net saving is nil.

    The fund's account net of premium is (1 − share) × averted cost − programme cost. None where means are refused or
    nothing is saved to begin with.
    """
    if decision.refused or decision.averted_cost is None or decision.averted_cost <= decision.programme_cost:
        return None
    return 1 - decision.programme_cost / decision.averted_cost


def spent_by_year(flows: Sequence[Flow]) -> dict[int, float]:
    """What the fund spends on the programme by calendar year, yuan of the price year."""
    return {int(year): float(amount) for year, amount in cea.net(flows, "fund").items()}


def payers(inventory: pd.DataFrame) -> dict[str, list[float]]:
    """By perspective: cost of prevention, costs averted, net saving; present yuan at the point estimate."""
    spent = inventory.loss_class == "prevention"
    out: dict[str, list[float]] = {}
    for party in cea.PERSPECTIVES:
        cost, saved = float(inventory[party][spent].sum()), -float(inventory[party][~spent].sum())
        out[party] = [cost, saved, saved - cost]
    return out


def plane_of(psa: Psa) -> dict[str, Any]:
    """Mean, covariance and quadrant shares of all draws of (injuries averted, net cost)."""
    effect, cost = psa.effect[:, 1] - psa.effect[:, 0], psa.cost[:, 1] - psa.cost[:, 0]
    shares = {
        "better_cheaper": float(((effect > 0) & (cost <= 0)).mean()),
        "better_dearer": float(((effect > 0) & (cost > 0)).mean()),
        "worse_cheaper": float(((effect <= 0) & (cost <= 0)).mean()),
        "worse_dearer": float(((effect <= 0) & (cost > 0)).mean()),
    }
    return {"mean": [float(effect.mean()), float(cost.mean())], "cov": np.cov(effect, cost).tolist(), "shares": shares}


def plane_figure(case: Case, psa: Psa) -> Exhibit:
    """Draws of net cost and injuries averted, thinned for drawing; shares and ellipse rest on all of them."""
    step, whole = max(1, psa.n // 600), plane_of(psa)
    payload = {
        "effect": np.round((psa.effect[:, 1] - psa.effect[:, 0])[::step], 2).tolist(),
        "cost": np.round((psa.cost[:, 1] - psa.cost[:, 0])[::step]).tolist(),
        "total": psa.n,
        **whole,
    }
    saving = whole["shares"]["better_cheaper"] + whole["shares"]["worse_cheaper"]
    return figure(
        case,
        "economics_plane",
        "ce_plane",
        payload,
        source="economics",
        n=psa.n,
        notes=[basis_of(psa)],
        alt={"n": psa.n, "confidence": 100 * saving},
    )


def basis_of(psa: Psa) -> Message:
    """Perspective, price year, discount rate and number of draws behind a figure."""
    rate = "–" if psa.discount_cost is None else f"{100 * psa.discount_cost:g}"
    return message("note.money_basis", price_year=str(psa.price_year), rate=rate, n=psa.n)


def curve_of(psa: Psa) -> dict[str, Any]:
    """Confidence of net benefit over willingness to pay per injury averted, with its Monte Carlo error."""
    thresholds = np.linspace(0, 300_000, 61)
    curve = cea.ceac(psa, thresholds)
    value = curve.values["programme"]
    error = curve.mc_error.get("programme", np.zeros_like(value))
    return {"threshold": thresholds.tolist(), "series": {"value": value.tolist(), "mc_error": error.tolist()}}


def ceac_figure(case: Case, psa: Psa) -> Exhibit:
    """Confidence of net benefit over willingness to pay per injury averted: a curve, not a verdict."""
    curve = curve_of(psa)
    payload = {"threshold": curve["threshold"], "series": [curve["series"]]}
    at_zero = {"at_zero": 100 * curve["series"]["value"][0]}
    notes = [basis_of(psa), message("note.curves")]
    return figure(case, "economics_ceac", "ceac", payload, source="economics", n=psa.n, notes=notes, alt=at_zero)
