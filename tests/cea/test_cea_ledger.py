"""Flows by payer and payee."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evalkit import cea
from evalkit.core import Flow, UserError

FLOW = Flow(
    year=2023,
    amount=100.0,
    item="grant",
    payer="fund",
    payee="worker",
    category="grant",
    transfer=True,
    price_year=2024,
)
PROGRAMME = cea.programme_flows(500_000, 2023.25, price_year=2024, person_hours=4000, hourly_wage=37.4)


def flows() -> tuple[Flow, ...]:
    return (*cea.benefit_flows(cea.schedule(2024), "3", 2023.5), *PROGRAMME)


def test_transfers_sum_to_zero_for_society() -> None:
    """What one party pays another receives: society sees resources only."""
    frame = cea.accounts(flows())
    moved = frame[frame.transfer]
    assert len(moved) and moved["society"].abs().max() == 0
    assert moved[["fund", "employer", "worker"]].sum(axis=1).abs().max() < 1e-9


def test_society_is_the_sum_of_its_parties() -> None:
    """Every perspective comes from one ledger."""
    frame = cea.accounts(flows())
    assert frame[["fund", "employer", "worker"]].sum().sum() == pytest.approx(frame["society"].sum())


def test_discounting_at_zero_is_the_plain_sum() -> None:
    """At rate 0 the present value is the sum of the signed amounts, whatever the base year."""
    for perspective in cea.PERSPECTIVES:
        total = cea.present_value(flows(), perspective, base=2010, rate=0.0)
        assert (
            total
            == pytest.approx(cea.net(flows(), perspective).sum())
            == pytest.approx(cea.accounts(flows())[perspective].sum())
        )


def test_averted_costs_enter_with_the_opposite_sign() -> None:
    """A cost avoided is a gain to its payer."""
    paid, avoided = FLOW, replace(FLOW, averted=True)
    assert cea.net([paid], "fund").tolist() == [100.0]
    assert cea.net([avoided], "fund").tolist() == [-100.0] and cea.net([avoided], "worker").tolist() == [100.0]


def test_participants_time_is_no_cost_of_the_fund() -> None:
    """Working time in training counts for employer and society only."""
    base = {"base": 2023.25, "timing": "start"}
    assert cea.present_value(PROGRAMME, "fund", **base) == pytest.approx(500_000)
    assert cea.present_value(PROGRAMME, "employer", **base) == pytest.approx(4000 * 37.4)
    assert cea.present_value(PROGRAMME, "society", **base) == pytest.approx(500_000 + 4000 * 37.4)


def test_flows_move_to_another_price_year_with_the_index() -> None:
    """Nominal amounts of different years meet in one price year."""
    moved = cea.in_prices([replace(FLOW, price_year=2022)], 2024)[0]
    assert moved.amount == pytest.approx(100 * 1.004 * 1.001) and moved.price_year == 2024


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"amount": -1.0}, "negative_flow"),
        ({"price_year": 2023}, "mixed_prices"),
        ({"currency": "HKD"}, "mixed_prices"),
        ({"payee": "provider"}, "transfer_outside"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, key: str) -> None:
    """Negative amounts, mixed prices and transfers to providers are told."""
    with pytest.raises(UserError, match=key):
        cea.accounts([FLOW, replace(FLOW, **change)])


def test_an_unknown_perspective_lists_the_known() -> None:
    """A perspective nobody has is refused even for an empty ledger."""
    with pytest.raises(UserError, match="unknown_perspective"):
        cea.net([FLOW], "province")  # type: ignore[arg-type]


def test_a_negative_flow_is_told_with_unit_and_row() -> None:
    """The sentence names the item, the money it is in and its place in the list."""
    with pytest.raises(UserError) as caught:
        cea.accounts([FLOW, replace(FLOW, amount=-1.0, item="nursing")])
    assert caught.value.problems[0].values == {"item": "nursing", "amount": -1.0, "unit": "CNY 2024", "row": 2}
