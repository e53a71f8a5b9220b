"""The economic section of a place: its evaluated projects together, the fund first, from their own results.

Nothing is estimated again. A total has no interval of its own: projects of one city may share comparison firms and
their errors go together, so the ends of their intervals are added up (as if all errors went the same way).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from .. import cea
from ..core import Exhibit, Message
from .build import column, figure, message, prose, table
from .case import Case
from .economics import MONEY_COLUMNS, money_cells

MARKS = "①②③④⑤⑥⑦⑧⑨⑩"
"""One a project in figures; with more projects than marks only the tables stand."""
CONCLUSIONS = ("saves", "costs", "insufficient", "unsupported", "withheld", "refused")
BREAKEVEN = ("averted_cases", "rate_ratio", "programme_cost")
SET_COLUMNS = (
    column("project_id"),
    column("evidence_level"),
    column("bcr", "number", 2),
    column("bcr_interval", "interval", 2),
    column("icer_set", "message"),
    column("dominance", "message"),
    column("conclusion", "message"),
)


def money_exhibits(case: Case) -> list[Exhibit | None]:
    """Everything about the money of the projects of `case`: conclusion, tables by project and payer, figures."""
    notes = [basis(case), message("note.confidence")]
    columns = (column("project_id"), *MONEY_COLUMNS)
    rows = [[code, *money_cells(d)] for code, d in decisions(case).items()]
    return [
        prose(case, "economics_words", words(case)),
        table(case, "economics_projects", columns, rows, source="economics", n=len(rows), notes=notes),
        sets_table(case),
        payers_table(case),
        breakeven_table(case),
        planes_figure(case),
        curves_figure(case),
    ]


def basis(case: Case, key: str = "note.money_basis") -> Message:
    """Perspective, price year, discount rate and draws of the projects' decisions."""
    found = [r["economics"] for r in case.projects.values()]
    prices = sorted({str(f["decision"]["price_year"]) for f in found})
    rates = sorted({f"{100 * f['discount']:g}" for f in found if f.get("discount") is not None})
    draws = sorted({int(f["decision"]["n_draws"]) for f in found})
    return message(key, price_year="/".join(prices), rate="/".join(rates) or "–", n=max(draws))


def decisions(case: Case) -> dict[str, dict[str, Any]]:
    return {code: r["economics"]["decision"] for code, r in case.projects.items()}


def words(case: Case) -> list[Message]:
    """What the place's projects cost and saved the fund together, and what each of them allows to be said."""
    found = decisions(case)
    spent = sum(d["programme_cost"] for d in found.values())
    out = [message("roll_up.spent", n=len(found), cost={"yuan": spent})]
    told = [d for d in found.values() if d["npv"] is not None]
    if told and len(found) > 1:
        low, high = (sum(d[end] for d in told) for end in ("npv_low", "npv_high"))
        values = {"n": len(told), "npv": {"yuan": sum(d["npv"] for d in told)}}
        word = "covers" if low <= 0 <= high else "excludes"
        out.append(message(f"roll_up.total_{word}", low={"yuan": low}, high={"yuan": high}, **values))
    said = Counter(r["economics"].get("verdict", "refused") for r in case.projects.values())
    if len(found) > 1:
        out.append(message("roll_up.conclusions", **{k: said.get(k, 0) for k in CONCLUSIONS}))
    for code, r in case.projects.items():
        if sentence := r["economics"].get("said"):
            out.append(message("roll_up.project", code=code, words=sentence))
    return out


def sets_table(case: Case) -> Exhibit:
    """One row per project: benefit-cost ratio, the set of the cost per injury, dominance and conclusion in words."""
    rows = []
    for code, r in case.projects.items():
        d = r["economics"]["decision"]
        span = None if d["bcr_low"] is None else [d["bcr_low"], d["bcr_high"]]
        kind = d["icer_set"].get("type")
        rows.append(
            [
                code,
                r["values"].get("evidence_level"),
                d["bcr"],
                span,
                message(f"ratio_set.{kind}") if kind else None,
                message(f"dominance.{d['dominance']}") if d["dominance"] and not d["refused"] else None,
                message(f"conclusion.{r['economics'].get('verdict', 'refused')}"),
            ]
        )
    notes = [basis(case), message("note.ratio_set"), message("note.conclusion")]
    return table(case, "economics_sets", SET_COLUMNS, rows, source="economics", n=len(rows), notes=notes)


def payers_table(case: Case) -> Exhibit:
    """Cost and saving of every project by who bears them; totals by payer where there are several projects."""
    columns = (
        column("project_id", "message"),
        column("party", "message"),
        column("programme_cost", "money"),
        column("saved_cost", "money"),
        column("npv", "money"),
    )
    rows: list[list[Any]] = []
    total = {p: [0.0, 0.0, 0.0] for p in cea.PERSPECTIVES}
    for code, r in case.projects.items():
        for party in cea.PERSPECTIVES:
            cells = r["economics"]["payers"][party]
            if r["economics"]["decision"]["refused"]:
                cells = [cells[0], None, None]
            rows.append([message("name.plain", name=code), message(f"payer.{party}"), *cells])
            total[party] = [a + (b or 0.0) for a, b in zip(total[party], cells)]
    if len(case.projects) > 1:
        rows += [[message("loss_class.total"), message(f"payer.{p}"), *total[p]] for p in cea.PERSPECTIVES]
    notes = [basis(case, "note.payers_basis"), message("note.payers")]
    return table(case, "economics_payers", columns, rows, source="economics", n=len(case.projects), notes=notes)


def breakeven_table(case: Case) -> Exhibit:
    """Where each project's net saving is nil, beside what was estimated."""
    columns = (
        column("project_id"),
        column("averted", "number", 1),
        column("breakeven_averted_cases", "number", 1),
        column("rate_ratio", "number", 3),
        column("breakeven_rate_ratio", "number", 3),
        column("programme_cost", "money"),
        column("breakeven_programme_cost", "money"),
    )
    rows = []
    for code, r in case.projects.items():
        d = r["economics"]["decision"]
        cases, ratio, dearest = (d["breakeven"].get(k) for k in BREAKEVEN)
        averted, found = d["averted_cases"], r["values"].get("rate_ratio")
        rows.append([code, averted, cases, found, ratio, d["programme_cost"], dearest])
    notes = [basis(case), message("note.breakeven")]
    return table(case, "economics_breakevens", columns, rows, source="economics", n=len(rows), notes=notes)


def drawn(case: Case, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Projects that hand over the part `name` of their figures; none where a figure could not tell them apart."""
    found = [(code, part) for code, r in case.projects.items() if (part := r["economics"].get(name))]
    return found if len(found) <= len(MARKS) else []


def key_notes(case: Case, codes: list[str]) -> list[Message]:
    """What the numbered marks of a figure stand for."""
    return [message("note.mark", mark=MARKS[i], code=code) for i, code in enumerate(codes)] if len(codes) > 1 else []


def planes_figure(case: Case) -> Exhibit | None:
    """Net cost and injuries averted of every project: mean and ellipse of its draws."""
    found = drawn(case, "plane")
    if not found:
        return None
    codes = [code for code, _ in found]
    single = len(found) == 1
    rows = [{"label": "" if single else MARKS[i], "mean": p["mean"], "cov": p["cov"]} for i, (_, p) in enumerate(found)]
    saving = sum(p["mean"][1] <= 0 for _, p in found)
    return figure(
        case, "economics_planes", "ce_planes", {"rows": rows}, source="economics", n=len(rows),
        notes=[basis(case), message("note.planes"), *key_notes(case, codes)], alt={"n": len(rows), "saving": saving},
    )  # fmt: skip


def curves_figure(case: Case) -> Exhibit | None:
    """Confidence of a net benefit over willingness to pay, one line a project."""
    found = drawn(case, "ceac")
    if not found:
        return None
    codes, single = [code for code, _ in found], len(found) == 1
    series = [{**part["series"], **({} if single else {"label": MARKS[i]})} for i, (_, part) in enumerate(found)]
    at_zero = [100 * s["value"][0] for s in series]
    return figure(
        case, "economics_curves", "ceac", {"threshold": found[0][1]["threshold"], "series": series},
        source="economics", n=len(series), notes=[basis(case), message("note.curves"), *key_notes(case, codes)],
        alt={"n": len(series), "low": min(at_zero), "high": max(at_zero)},
    )  # fmt: skip
