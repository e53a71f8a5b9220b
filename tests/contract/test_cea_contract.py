"""What every user of evalkit.cea may rely on: laws that hold for each of its calls."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from evalkit import cea, text
from evalkit.core import from_plain, to_plain
from evalkit.sources import table

PACKAGE = Path(cea.__file__).parent
CURVES = [cea.ceac, cea.ceaf, cea.evpi, cea.expected_loss]


@pytest.mark.parametrize("curve", CURVES, ids=lambda f: f.__name__)
def test_curves_have_one_shape(curve: object) -> None:
    """Each is (psa, thresholds) → Curve with a Monte Carlo error per value, and leaves the Psa as it was."""
    rng = np.random.default_rng(1)
    psa = cea.psa_from_arrays(rng.normal(size=(50, 3)), rng.normal(size=(50, 3)), "abc", comparator="a")
    before = psa.cost.copy(), psa.effect.copy()
    found = curve(psa, [0.0, 1.0, 5.0])  # type: ignore[operator]
    assert found.threshold.shape == (3,) and set(found.values) == set(found.mc_error)
    assert all(v.shape == (3,) for v in found.values.values())
    np.testing.assert_array_equal(before[0], psa.cost)
    np.testing.assert_array_equal(before[1], psa.effect)


CALLS = {
    "averted_draws": "path n seed",
    "schedule": "date",
    "unit_costs": "benefits",
    "decide": "draws costs programme_cost",
    "net": "flows perspective",
    "present_value": "flows perspective",
    "in_prices": "flows price_year",
    "annuity": "years rate growth",
    "life_annuity": "age rate growth",
    "convert": "amount from_currency to_currency year",
    "psa": "strategies parameters effects",
    "psa_from_arrays": "cost effect strategies",
    "mixture": "models weights",
    "icer_table": "psa",
    "frontier": "psa",
    "inmb": "psa threshold",
    "nmb": "psa threshold",
    "icer_set": "psa method",
    "fieller": "inc_cost inc_effect var_cost var_effect cov",
    "ceac": "psa thresholds",
    "ceaf": "psa thresholds",
    "expected_loss": "psa thresholds",
    "evpi": "psa thresholds",
    "evppi": "psa parameters thresholds",
    "evsi": "psa parameters information thresholds",
    "enbs": "sample cost",
    "mc_errors": "psa threshold parameters",
    "returns": "averted_cost programme_cost",
    "payback": "flows perspective",
    "breakeven": "psa parameter threshold",
    "tornado": "psa threshold",
    "two_way": "psa parameters threshold",
    "budget_impact": "",
    "portfolio": "names saving",
    "daly": "",
    "morris": "outcome parameters",
    "sobol": "outcome parameters",
    "by_group": "groups averted saving",
}
"""Each public call with its leading parameters: a notebook written against them keeps working."""


@pytest.mark.parametrize("name", CALLS)
def test_calls_are_kept(name: str) -> None:
    """The leading parameters of every call keep name and order; what is optional is by keyword or at the end."""
    found = list(inspect.signature(getattr(cea, name)).parameters)
    assert found[: len(CALLS[name].split())] == CALLS[name].split()


@pytest.mark.parametrize("name", [n for n, p in CALLS.items() if "seed" in p.split() or n in ("psa", "mixture")])
def test_randomness_comes_from_a_seed(name: str) -> None:
    """A call that draws has a seed with a default, so that every run can be repeated."""
    seed = inspect.signature(getattr(cea, name)).parameters["seed"]
    assert isinstance(seed.default, int)


@pytest.mark.parametrize("factor", [0.25, 7.8])
def test_another_currency_scales_money_and_nothing_else(factor: float) -> None:
    """Costs and thresholds in another currency: shares, statuses and types stay, money scales."""
    rng = np.random.default_rng(4)
    cost, effect = rng.normal([0, 3, 8], 2, (400, 3)), rng.normal([0, 1, 2], 1, (400, 3))
    drawn = {"u": effect[:, 1]}
    one, two = (cea.psa_from_arrays(cost * f, effect, "abc", comparator="a", parameters=drawn) for f in (1.0, factor))
    np.testing.assert_allclose(cea.inmb(two, 4.0 * factor), factor * cea.inmb(one, 4.0), atol=1e-9)
    for curve in CURVES:
        a, b = curve(one, [1.0, 4.0]), curve(two, [factor, 4.0 * factor])
        scale = factor if a.unit == "CNY" else 1.0
        for s in a.values:
            np.testing.assert_allclose(b.values[s], scale * a.values[s], atol=1e-9)
    np.testing.assert_allclose(
        cea.evppi(two, "u", [4.0 * factor]).values["u"], factor * cea.evppi(one, "u", [4.0]).values["u"], rtol=1e-6
    )
    assert [r.status for r in cea.frontier(one)] == [r.status for r in cea.frontier(two)]


@pytest.mark.parametrize("curve", CURVES, ids=lambda f: f.__name__)
def test_curves_ignore_the_order_of_draws(curve: object) -> None:
    """Shuffling the draws of cost and effect together changes nothing."""
    rng = np.random.default_rng(1)
    cost, effect = rng.normal(size=(50, 3)), rng.normal(size=(50, 3))
    order = rng.permutation(50)
    one, two = (
        curve(cea.psa_from_arrays(c, e, "abc", comparator="a"), [0.0, 2.0])  # type: ignore[operator]
        for c, e in ((cost, effect), (cost[order], effect[order]))
    )
    for s in one.values:
        np.testing.assert_allclose(one.values[s], two.values[s], rtol=1e-12)


def test_nouns_are_frozen() -> None:
    """Schedule, UnitCosts, Draws, RatioSet and Returns cannot be changed."""
    for noun in (cea.Schedule, cea.UnitCosts, cea.Draws, cea.RatioSet, cea.Returns):
        assert dataclasses.is_dataclass(noun) and noun.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_a_curve_survives_json() -> None:
    """Curves come back from plain data as they went, NaN included."""
    psa = cea.psa_from_arrays(np.eye(2), np.eye(2), "ab", comparator="a")
    curve = cea.ceaf(psa, [0.0])
    back = from_plain(type(curve), to_plain(curve))
    for s in curve.values:
        np.testing.assert_array_equal(back.values[s], curve.values[s])


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.name)
def test_modules_stay_small_and_light(module: Path) -> None:
    """Under 300 lines, and nothing heavier than numpy, pandas and scipy.special before it is used."""
    source = module.read_text("utf-8")
    assert source.count("\n") < 300
    roots = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            roots |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            roots.add(node.module or "")
    allowed = {"numpy", "pandas", "scipy.special", "__future__", "collections.abc", "dataclasses", "typing"}
    allowed |= {"hashlib", "itertools", "pathlib"}
    assert roots <= allowed, roots - allowed


@pytest.mark.parametrize("folder", ["cea", "sources"])
def test_every_mistake_has_its_words(folder: str) -> None:
    """Each UserError of the module has expected, found and next in every language."""
    raised = {
        key
        for module in (PACKAGE.parent / folder).glob("*.py")
        for key in re.findall(r'UserError\(\s*"(\w+)"', module.read_text("utf-8"))
        if module.name != "__init__.py"
    }
    for lang in text.LANGUAGES:
        missing = [
            k for k in sorted(raised) for p in ("expected", "found", "next") if not text.has(f"problem.{k}.{p}", lang)
        ]
        assert not missing, (lang, missing)


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_word_that_data_need_is_there(lang: str) -> None:
    """Items, categories, parties, severities, perspectives, dominance words and notes can be said."""
    rules = table("benefits")
    keys = {f"cea.item.{i}" for i in rules["item"]} | {f"cea.category.{c}" for c in rules.category}
    keys |= {f"cea.party.{p}" for p in (*rules.payer, *rules.payee)}
    keys |= {f"cea.perspective.{p}" for p in cea.PERSPECTIVES}
    keys |= {f"cea.severity.{s}" for s in table("severity").severity}
    keys |= {f"cea.dominance.{cea.dominance(c, e)}" for c in (-1, 0, 1) for e in (-1, 0, 1)}
    for module in PACKAGE.glob("*.py"):
        keys |= set(re.findall(r'"(cea\.[a-z_]+\.[a-z_]+)"', module.read_text("utf-8")))
    assert not [k for k in sorted(keys) if not text.has(k, lang)]
