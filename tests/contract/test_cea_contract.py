"""What every user of evalkit.cea may rely on: laws that hold for each of its calls."""

from __future__ import annotations

import ast
import dataclasses
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
    """Schedule, UnitCosts, Draws and RatioSet cannot be changed."""
    for noun in (cea.Schedule, cea.UnitCosts, cea.Draws, cea.RatioSet):
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
