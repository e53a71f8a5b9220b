"""Words live in evalkit/text: no sentence for a reader in Python, and every message named there exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evalkit import text

ROOT = Path(__file__).resolve().parent.parent
HAN = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
SENTENCE = re.compile(r"(?:[A-Za-z]+['’]?[a-z]*[,;:]? ){2,}[A-Za-z]+")
"""Three words in a row or more."""
MARKUP = re.compile(r"<[^>]*>?|class=\S+")
PUNCTUATION = {
    "[、；;，,|/\\s]+", "，", "、", "。", "\u3000", "〓", "，。；：、）》”％‰", "０１２３４５６７８９",
    "（[^（）]{1,6}）|[^\\s\\u2e80-\\uffef]+|\\s+|[\\u2e80-\\uffef]",
}  # fmt: skip
"""Chinese punctuation, digits and patterns that reading and line breaking need."""
FOR_ENGINEERS = {
    "cea/unit_costs.py": {"CNY per case"},
    "core/panel.py": {" treated units in "},
    "pipeline/publish.py": {"whether internal exhibits are shown", "language of the report",
                            "languages of the reports beside this one, which has an index page then"},
    "show/bars.py": {"outside lower left"},
    "show/checks.py": {" lacks the values ", " cannot be said: ", " has the unknown kind ", " has the unknown status ",
                       "id stands twice", "figure without text alternative", "a row has "},
    "show/glyphs.py": {"; add them to show/fonts/extras.txt", "no glyph for "},
    "show/fonts/__init__.py": {"Noto Sans SC Subset"},
    "show/fonts/build.py": {"Noto Sans SC Subset"},
}  # fmt: skip
"""Names, help of traitlets, the repr of a panel, and what is told to whoever broke an exhibit; no reader meets them."""
BY_PLACE = ("t", "message", "own", "UserError")
BY_NAME = ("Message", "Problem")


@cache
def modules() -> dict[str, ast.Module]:
    package = ROOT / "evalkit"
    return {p.relative_to(package).as_posix(): ast.parse(p.read_text("utf-8")) for p in sorted(package.rglob("*.py"))}


def literals(tree: ast.Module) -> Iterator[str]:
    """String constants that may reach a reader: not docstrings, not what an error of ours says."""
    aside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            aside |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in aside:
            yield node.value


def test_no_chinese_in_python() -> None:
    """Python holds no Chinese beyond the punctuation it must know."""
    found = [(name, s) for name, tree in modules().items() for s in literals(tree) if HAN.search(s)]
    assert not [(name, s) for name, s in found if s not in PUNCTUATION]
    assert len(found) > 3


def test_no_sentence_in_python() -> None:
    """Python holds no English sentence that a reader could meet; those for engineers stand in a short list."""
    found = {
        name: {s for s in literals(tree) if SENTENCE.search(MARKUP.sub(" ", s))} for name, tree in modules().items()
    }
    assert sum(map(len, found.values())) > 5
    left = {name: s - FOR_ENGINEERS.get(name, set()) for name, s in found.items()}
    assert {name: s for name, s in left.items() if s} == {}


def keys_named() -> set[tuple[str, str]]:
    """(module, key) of the messages that calls name outright."""
    named = set()
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            name = node.func.id
            given = node.args[0] if name in BY_PLACE and node.args else None
            if name in BY_NAME:
                given = next((k.value for k in node.keywords if k.arg == "key"), None)
            if isinstance(given, ast.Constant) and isinstance(given.value, str):
                problem = name in ("UserError", "Problem")
                named.add((module, f"problem.{given.value}.expected" if problem else given.value))
    return named


def test_every_message_named_in_python_exists() -> None:
    """A key written out in a call is a message of the default language (and so, by parity, of all)."""
    named = keys_named()
    assert len(named) > 250
    assert not [(module, key) for module, key in sorted(named) if not text.has(key)]
