"""Payments by claim become route B: same window for every injury, one price year, capped, and set beside route A."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from bench import Bench

from evalkit import cea, text
from evalkit.core import to_plain
from evalkit.show import render
from evalkit.study.case import Case
from evalkit.study.disclosure import HIDDEN, threshold
from evalkit.study.economics import project_schedule
from evalkit.study.evaluation import Evaluation, evaluate
from evalkit.study.paid import (
    cap_quantile,
    paid_by_claim,
    paid_panel,
    project_paid,
    routes,
    routes_exhibit,
    window_years,
)

pytestmark = pytest.mark.xdist_group("study")
PRICE_YEAR = 2024


@pytest.fixture(scope="module")
def case(tiny: Bench) -> Case:
    """The tiny project with payments: the scheduled cash of each grade, two payments within the window, one after."""
    bare = tiny.cases["project"]
    claims = bare.tables["claim"]
    plan = project_schedule(bare, {"place": bare.place})
    grades = sorted(set(claims.grade.astype(str)))
    cash = cea.cash_in_window(plan, window_years(bare), severity={g: g for g in grades})
    injured = pd.to_datetime(claims.injury_date)
    total = claims.grade.astype(str).map(cash).to_numpy() * np.random.default_rng(1).gamma(4.0, 0.25, len(claims))
    parts = [(0.4, 60), (0.6, 300), (5.0, 600)]
    frame = pd.concat(
        [
            pd.DataFrame(
                {
                    "claim_id": claims.claim_id, "place": claims.place, "item": "other",
                    "period": "2024-01", "amount": share * total, "payer": "fund",
                    "paid_date": injured + pd.Timedelta(days=days),
                }
            )
            for share, days in parts
        ]
    )  # fmt: skip
    by_employer = frame.assign(payer="employer", amount=1e9)
    tables = {**bare.canonical.tables, "benefit": pd.concat([frame, by_employer], ignore_index=True)}
    return replace(bare, canonical=replace(bare.canonical, tables=tables))


@pytest.fixture(scope="module")
def evaluation(case: Case) -> Evaluation:
    return evaluate(case)


def test_only_the_funds_payments_within_the_window_count(case: Case) -> None:
    """Two of three payments of a claim fall in its window; later ones and the employer's are left out."""
    found = paid_by_claim(case, PRICE_YEAR)
    benefit = case.tables["benefit"]
    own = benefit[benefit.payer == "fund"].groupby("claim_id").amount.sum() / 6
    claims = case.tables["claim"].set_index("claim_id")
    assert len(found) < len(claims)
    expected = own.loc[own.index.isin(case.tables["claim"].claim_id)].sum()
    assert 0.2 * expected < found.amount.sum() < 1.3 * expected
    assert found.amount.max() < 1e8


def test_amounts_are_in_one_price_year(case: Case) -> None:
    """The same payments in prices of an earlier year are worth less in every year by the index between the two."""
    now, then = (paid_by_claim(case, y).amount.sum() for y in (PRICE_YEAR, 2020))
    assert then / now == pytest.approx(float(cea.inflate(1.0, PRICE_YEAR, 2020)), rel=1e-9)


def test_the_cap_takes_the_tail_and_keeps_it(case: Case, evaluation: Evaluation) -> None:
    """Capped yuan plus the excess of comparable injuries are all yuan paid for them; the cap is a stated quantile."""
    claims = paid_by_claim(case, PRICE_YEAR)
    found = paid_panel(evaluation.panel, claims)
    panel = evaluation.panel
    inside = claims[claims.unit_id.isin(panel.units) & claims.quarter.isin(panel.times)]
    u, t = pd.Index(panel.units).get_indexer(inside.unit_id), pd.Index(panel.times).get_indexer(inside.quarter)
    free = ~panel.treated[u, t]
    amount = inside.amount.to_numpy()[free]
    assert found.cap == pytest.approx(np.quantile(amount, cap_quantile()))
    kept = found.panel.outcomes["paid"][~panel.treated].sum()
    assert kept + found.excess * free.sum() == pytest.approx(amount.sum())


def test_the_report_shows_both_routes_side_by_side(case: Case, evaluation: Evaluation) -> None:
    """The list holds the parts of the gap that add up, and reads in three languages."""
    gap = routes(case, evaluation, project_paid(case, evaluation))
    assert gap.lifetime + gap.timing + gap.mix + gap.amounts + gap.noise == pytest.approx(gap.paid)
    assert gap.conf_low < gap.paid < gap.conf_high
    shown = routes_exhibit(case, evaluation)
    values = {i["label"]: i["value"] for i in shown.data["items"]}
    assert values["col.route_paid"] == gap.paid
    few = project_paid(case, evaluation).above < threshold(case)
    assert (values["col.route_tail"] == to_plain(HIDDEN)) == few
    assert few, "an amount that rests on a few injuries is hidden, and this project has few above the cap"
    for lang in text.LANGUAGES:
        assert render(shown, lang)


def test_the_sample_shows_route_b(tiny: Bench) -> None:
    """The office's own payments by claim give the comparison in the project report, for nearly every claim."""
    case = tiny.cases["project"]
    found = paid_by_claim(case, PRICE_YEAR)
    assert (found.amount > 0).mean() > 0.95
    shown = next(e for e in tiny.section("project", "economics").exhibits if e.id == "economics_routes")
    assert {i["label"] for i in shown.data["items"]} >= {"col.route_lifetime", "col.route_paid", "col.route_interval"}


def test_without_payments_the_report_says_so(tiny: Bench) -> None:
    """No table of payments: one sentence in place of the comparison, never a silent gap."""
    bare = tiny.cases["project"]
    without = {name: frame for name, frame in bare.canonical.tables.items() if name != "benefit"}
    case = replace(bare, canonical=replace(bare.canonical, tables=without))
    shown = routes_exhibit(case, evaluate(bare))
    assert (shown.kind, shown.data["paragraphs"][0]["key"]) == ("prose", "routes.no_payments")
