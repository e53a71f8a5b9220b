"""One vocabulary: tidy columns, fields of the nouns and keys of results.json are the words of the glossary."""

from __future__ import annotations

import dataclasses
import json
import tomllib
from importlib.resources import files

import pytest

from evalkit import core
from evalkit.core import effects

ABOUT_WORDS = ("Column", "Exhibit", "Message", "Moments", "Origin", "Problem", "Section", "Where")
"""Nouns of what is shown, of mistakes and of files: they hold the vocabulary, they are not part of it."""
NOUNS = [
    noun
    for name in core.__all__
    if isinstance(noun := getattr(core, name), type) and dataclasses.is_dataclass(noun) and name not in ABOUT_WORDS
]
NEVER = {
    "gname", "g", "rel_time", "e", "ate", "tau", "treatment_effect", "pop", "w", "control_group", "ref", "delta",
    "coef", "se", "ci", "alpha", "arm", "k", "wtp", "lambda", "delta_c", "benefit", "roi", "mc", "owsa", "kpi",
    "city_id", "year_str",
}  # fmt: skip


def glossary() -> dict[str, str]:
    return tomllib.loads((files("evalkit.text") / "glossary.toml").read_text("utf-8"))


def results_keys() -> set[str]:
    return set(json.loads((files("evalkit") / "schemas" / "results.schema.json").read_text("utf-8"))["properties"])


def fields(noun: type) -> set[str]:
    return {field.name for field in dataclasses.fields(noun)}


def tidy_columns() -> set[str]:
    """Columns of a count path, which has them all."""
    one = core.frozen_array([1.0])
    term = core.Term(term="att", outcome="cases", measure="log_rate_ratio")
    path = core.EffectPath(method="ppml", terms=(term,), estimate=one, observed=one, mu0=one)
    return set(path.tidy().columns)


def test_tidy_columns_are_in_the_glossary() -> None:
    """Every column of a tidy path has a meaning, and the columns are those that the module names."""
    assert tidy_columns() == {*effects.COLUMNS, "observed", "mu0", "rate_ratio"}
    assert tidy_columns() <= set(glossary())


@pytest.mark.parametrize("noun", NOUNS, ids=lambda n: n.__name__)
def test_fields_of_nouns_are_in_the_glossary(noun: type) -> None:
    """Every field of a core noun has a meaning."""
    assert fields(noun) <= set(glossary())


def test_keys_of_results_are_in_the_glossary() -> None:
    """Every top-level key of results.json has a meaning."""
    assert results_keys() <= set(glossary())


def test_the_glossary_holds_nothing_else() -> None:
    """A word that nothing uses any more leaves the glossary, and no second word for the same thing gets in."""
    used = tidy_columns() | results_keys() | {name for noun in NOUNS for name in fields(noun)}
    assert set(glossary()) == used
    assert not NEVER & used
