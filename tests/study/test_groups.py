"""Who benefits: groups share out the cases, small ones stay hidden, and none is told apart that no table holds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from bench import Bench

from evalkit.core import Exhibit, to_plain
from evalkit.study.disclosure import HIDDEN, parts_hidden, threshold
from evalkit.study.evaluation import PRIMARY, Evaluation, evaluate
from evalkit.study.groups import FEWEST_FIRMS, firm_groups, group_table, people_groups

pytestmark = pytest.mark.xdist_group("study")


@pytest.fixture(scope="module")
def evaluation(tiny: Bench) -> Evaluation:
    return evaluate(tiny.cases["project"])


def test_groups_share_out_the_firms_and_the_cases(tiny: Bench, evaluation: Evaluation) -> None:
    """Firm groups hold every firm once; sexes and ages hold every avertable case once, on the exposure of all."""
    case, panel = tiny.cases["project"], evaluation.panel
    for _, panels in firm_groups(case, panel):
        assert sum(p.n_units for p in panels.values()) == panel.n_units
        assert sum(p.outcomes[PRIMARY].sum() for p in panels.values()) == panel.outcomes[PRIMARY].sum()
        assert all(len(p.cluster_names) == len(set(p.cluster.tolist())) for p in panels.values())
    for _, panels in people_groups(case, panel):
        total = np.sum([p.outcomes[PRIMARY] for p in panels.values()], axis=0)
        np.testing.assert_array_equal(total, panel.outcomes[PRIMARY])
        assert all(p.exposure is panel.exposure for p in panels.values())


def test_small_groups_are_hidden_and_cannot_be_had_from_the_total(tiny: Bench, evaluation: Evaluation) -> None:
    """Below the threshold of cases or firms every figure of a group is hidden, and never just one of a dimension."""
    case = tiny.cases["project"]
    rows = group_table(case, evaluation).data["rows"]
    hidden = [row for row in rows if row[3] == HIDDEN or row[3] == {"key": HIDDEN.key, "values": {}}]
    for row in rows:
        if row in hidden:
            assert all(cell is None or cell == row[3] for cell in row[3:])
        else:
            assert row[3] >= threshold(case)
            assert row[2] >= FEWEST_FIRMS
    for key in {row[0]["key"] for row in rows}:
        assert sum(row[0]["key"] == key for row in hidden) != 1


def test_observed_less_expected_is_what_was_averted(tiny: Bench, evaluation: Evaluation) -> None:
    """In every group shown averted is expected less observed, and the ratio is observed over expected."""
    rows = [r for r in group_table(tiny.cases["project"], evaluation).data["rows"] if isinstance(r[4], float)]
    assert rows
    for row in rows:
        assert row[5] == pytest.approx(row[4] - row[3])
        assert row[7] == pytest.approx(row[3] / row[4])


@pytest.mark.parametrize(
    ("total", "parts", "hidden"),
    [
        (22, [5, 16], [True, True]),
        (200, [90, 95], [False, False]),
        (89, [45, 44], [False, True]),
        (40, [2, 3], [True, True]),
    ],
)
def test_parts_of_a_printed_total_do_not_give_back_what_is_not_listed(
    tiny: Bench, total: float, parts: list[float], hidden: list[bool]
) -> None:
    """Severe injuries left out of a table are its total less its rows: where they are few another row is hidden."""
    assert threshold(tiny.cases["project"]) == 10
    assert parts_hidden(tiny.cases["project"], total, parts) == hidden


def test_migrant_workers_are_told_apart_where_the_claims_say_so(tiny: Bench, evaluation: Evaluation) -> None:
    """With the column the two groups share out the flagged cases; without it a note says that nobody knows."""
    bare, panel = tiny.cases["project"], evaluation.panel
    claim = bare.tables["claim"]
    assert "worker" not in dict(people_groups(bare, panel))
    assert any(n["key"] == "note.no_migrants" for n in notes(group_table(bare, evaluation)))
    worker = np.where(np.arange(len(claim)) % 3 > 0, "migrant", "other")
    tables = {**bare.canonical.tables, "claim": claim.assign(worker=worker)}
    case = replace(bare, canonical=replace(bare.canonical, tables=tables))
    groups = dict(people_groups(case, panel))["worker"]
    assert list(groups) == ["migrant", "other"]
    total = np.sum([p.outcomes[PRIMARY] for p in groups.values()], axis=0)
    np.testing.assert_array_equal(total, panel.outcomes[PRIMARY])
    shown = group_table(case, evaluation)
    assert sum(row[0]["key"] == "group_by.worker" for row in shown.data["rows"]) == 2
    assert not any(n["key"] == "note.no_migrants" for n in notes(shown))


def notes(shown: Exhibit) -> list[dict[str, Any]]:
    return [to_plain(n) for n in shown.notes]
