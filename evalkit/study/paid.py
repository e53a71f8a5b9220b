"""Benefits as they were paid: the effect on yuan itself (route B), where the office hands over payments by claim."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .. import cea, did
from ..core import Column, Exhibit, Panel
from ..data.check import quarter_of, recognised
from ..sources import parameter
from .build import column, facts, message, prose
from .case import Case
from .disclosure import HIDDEN, threshold
from .economics import known_mix, project_schedule, severity_of
from .evaluation import expected_injuries, grade_mix, headline

if TYPE_CHECKING:
    from .evaluation import Evaluation

OUTCOME = "paid"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Paid:
    """Payments of a project's firms within the same time after each injury.

    panel     the project's panel with the outcome "paid": yuan up to the cap by quarter of injury
    observed  mean yuan per comparable injury by severity, no cap;  excess  mean yuan above the cap per such injury
    above     comparable injuries above the cap, on which the excess rests
    """

    panel: Panel
    observed: dict[str, float]
    excess: float
    above: int
    cap: float


def window_years(case: Case) -> float:
    """Time after an injury within which its payments are complete for every injury of the panel."""
    return float(case.plan.settings["maturity_months"]) / 12


def cap_quantile() -> float:
    """Quantile of comparable injuries at which a single amount is capped; what lies above is the tail."""
    return parameter("paid_cap_quantile").value


def paid_by_claim(case: Case, price_year: int) -> pd.DataFrame:
    """Avertable recognised claims with the yuan the fund paid within the window, in prices of `price_year`.

    Columns unit_id, quarter, severity, amount. A payment without a date is placed in the middle of the month it is for.
    """
    claims = case.tables["claim"]
    own = claims[recognised(claims) & claims.situation.isin(case.plan.settings["avertable_situations"])]
    severity = own.grade.astype(str).map(severity_of(case))
    own = own.assign(quarter=quarter_of(own.injury_date), severity=severity, injured=pd.to_datetime(own.injury_date))
    benefit = case.tables["benefit"]
    rows = benefit[benefit.payer.fillna("fund") == "fund"].merge(own[["claim_id", "injured"]], on="claim_id")
    when = pd.to_datetime(rows.paid_date).fillna(pd.to_datetime(rows.period.astype(str) + "-15", errors="coerce"))
    soon = ((when - rows.injured).dt.days / 365.25 < window_years(case)).to_numpy()
    first, last = cea.price_years()
    year = when.dt.year.clip(first, last)
    factor = {y: float(cea.inflate(1.0, int(y), price_year)) for y in year.dropna().unique()}
    amount = (rows.amount.astype(float) * year.map(factor)).where(soon, 0.0)
    total = amount.groupby(rows.claim_id).sum()
    return own.assign(amount=own.claim_id.map(total).fillna(0.0))[["unit_id", "quarter", "severity", "amount"]]


def paid_panel(panel: Panel, claims: pd.DataFrame) -> Paid:
    """The panel of a project with yuan paid as its outcome; `claims` as `paid_by_claim`."""
    u, t = pd.Index(panel.units).get_indexer(claims.unit_id), pd.Index(panel.times).get_indexer(claims.quarter)
    inside = (u >= 0) & (t >= 0)
    u, t, rows = u[inside], t[inside], claims[inside]
    amount, free = rows.amount.to_numpy(float), ~panel.treated[u, t]
    cap = float(np.quantile(amount[free], cap_quantile())) if free.any() else float("inf")
    yuan = np.zeros((panel.n_units, panel.n_periods))
    np.add.at(yuan, (u, t), np.minimum(amount, cap))
    untreated = rows[free].groupby("severity").amount
    observed = {
        str(k): float(v) for k, v in untreated.mean()[untreated.size() >= parameter("paid_min_cases").value].items()
    }
    excess = float(np.maximum(amount[free] - cap, 0.0).mean()) if free.any() else 0.0
    return Paid(
        panel=replace(panel, outcomes={OUTCOME: yuan}, outcome_unit="yuan"),
        observed=observed,
        excess=excess,
        above=int((amount[free] > cap).sum()),
        cap=cap,
    )


def project_paid(case: Case, ev: Evaluation) -> Paid:
    """Payments of the project of `case` in the price year of its unit costs."""
    return paid_panel(ev.panel, paid_by_claim(case, ev.money.costs.price_year))


def routes(case: Case, ev: Evaluation, found: Paid) -> cea.RouteGap:
    """Route B beside route A for the project of `case`; `found` as `project_paid`."""
    money = ev.money
    design = replace(ev.design, outcomes=(OUTCOME,))
    path = did.inference(headline(found.panel, design).averted(), found.panel)
    ratio = float(np.exp(-ev.path.estimate[0]))
    expected = expected_injuries(ev.panel, ev.path)
    pooled = {k: expected[k] * (1 - 1 / ratio) for k in money.draws.zeroed if k in expected}
    cash = cea.cash_in_window(
        project_schedule(case, ev.row), window_years(case), n=2_000, seed=case.seed,
        mix=known_mix(case, grade_mix(case)), severity=severity_of(case),
    )  # fmt: skip
    return cea.compare_routes(
        path, money.draws, money.costs, cash, observed=found.observed, pooled=pooled,
        tail=found.excess * float(ev.averted.estimate[0]),
    )  # fmt: skip


def routes_exhibit(case: Case, ev: Evaluation) -> Exhibit | None:
    """The comparison as a list of values, or why it cannot be made."""
    if not len(case.tables.get("benefit", ())):
        return prose(case, "economics_routes", [message("routes.no_payments")])
    if ev.money.draws.refused:
        return prose(case, "economics_routes", [message("routes.refused")])
    found = project_paid(case, ev)
    gap = routes(case, ev, found)
    names = ("lifetime", "timing", "window", "mix", "amounts", "noise", "paid")
    items: list[tuple[Column, Any]] = [(column(f"route_{k}", "money"), getattr(gap, k)) for k in names]
    items.append((column("route_tail", "money"), HIDDEN if found.above < threshold(case) else gap.tail))
    if gap.conf_low is not None and gap.conf_high is not None:
        span = message("money.interval", low={"yuan": gap.conf_low}, high={"yuan": gap.conf_high})
        items.append((column("route_interval", "message"), span))
        items.append((column("route_within", "flag"), gap.within))
    notes = [
        message("note.routes", months=round(12 * window_years(case)), cap=100 * cap_quantile()),
        message("note.routes_prices", price_year=str(ev.money.costs.price_year)),
    ]
    if found.above < threshold(case):
        notes.append(message("note.suppressed", threshold=threshold(case)))
    return facts(case, "economics_routes", items, source="payments", notes=notes)
