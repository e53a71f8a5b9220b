"""evalkit.toml: everything wrong is told in one go, in words, with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.core import UserErrors
from evalkit.pipeline.workspace import hashing_key, load_workspace, select_places
from evalkit.text import LANGUAGES, error_text


def _problems(workspace: Path, *changes: tuple[str, str]) -> dict[str, tuple[int | None, dict]]:
    path = workspace / "evalkit.toml"
    text = path.read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    with pytest.raises(UserErrors) as caught:
        load_workspace(workspace)
    for lang in LANGUAGES:
        assert error_text(caught.value, lang).count("\n") == len(caught.value.problems) - 1
    return {f"{p.key}:{p.where.column or ''}": (p.where.row, p.values) for p in caught.value.problems}


def test_a_good_workspace_opens(workspace: Path) -> None:
    """All settings, the workspace's own plan and its files are there."""
    opened = load_workspace(workspace)
    assert (opened.name, opened.period, opened.draws, opened.languages) == (
        "toy",
        1988,
        200,
        ("zh-Hans", "zh-Hant", "en"),
    )
    assert opened.places == ("c01", "c02", "c03")
    assert opened.sections == {"city": ("summary",), "province": ("summary",)}
    assert opened.files[0].table == "policy_panel"
    assert opened.privacy.public_threshold == 10


def test_several_problems_are_told_at_once(workspace: Path) -> None:
    """An unknown key and bad values are listed together, each with its line; the key meant is not missed as well."""
    found = _problems(
        workspace, ("seed = 7", "sede = 7"), ("draws = 200", 'draws = "many"'), ("period = 1988", "period = 12")
    )
    assert set(found) == {
        "workspace_unknown_key:workspace.sede",
        "workspace_value:workspace.draws",
        "workspace_value:workspace.period",
    }
    row, values = found["workspace_unknown_key:workspace.sede"]
    assert row == 8
    assert values["hint"].values == {"word": "seed"}
    assert "draws" in values["known"]


def test_rows_are_those_of_the_right_entry(workspace: Path) -> None:
    """A mistake in the second [[files]] entry is told at its row, not at the same key of the first."""
    more = '\n[[files]]\ntable = "ledger"\npth = "raw/x.csv"\nencoding = "latin"\n[files.units]\namount = 1\n'
    text = (workspace / "evalkit.toml").read_text("utf-8") + more
    rows = {key: text.splitlines().index(line) + 1 for key, line in {
        "workspace_unknown_key:files.pth": 'pth = "raw/x.csv"',
        "workspace_value:files.encoding": 'encoding = "latin"',
        "workspace_value:files.units.amount": "amount = 1",
    }.items()}  # fmt: skip
    found = _problems(workspace, ('path = "raw/*.csv"\n', f'path = "raw/*.csv"\n{more}'))
    assert {key: row for key, (row, _) in found.items()} == rows


def test_problems_that_need_the_plan_are_told_together(workspace: Path) -> None:
    """Unknown places (by name too), unknown tables and an early cut-off date come in one go."""
    found = _problems(
        workspace,
        ("draws = 200", 'places = ["c01", "City C", "x"]'),
        ('"policy_panel"', '"policy_pannel"'),
        ("1989-06-30", "1987-06-30"),
    )
    assert set(found) == {
        "workspace_place:workspace.places",
        "workspace_table:files.table",
        "workspace_value:workspace.as_of",
    }


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"[workspace\n", "workspace_syntax"),
        ("[工作区]".encode("gb18030"), "workspace_encoding"),
        (None, "workspace_missing"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_plainly(workspace: Path, content: bytes | None, key: str) -> None:
    """Broken TOML, another encoding and a missing file are mistakes of the user, not tracebacks."""
    path = workspace / "evalkit.toml"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(UserErrors) as caught:
        load_workspace(workspace)
    assert [p.key for p in caught.value.problems] == [key]
    for lang in LANGUAGES:
        assert error_text(caught.value, lang)


def test_places_are_chosen_in_the_order_of_the_plan(workspace: Path) -> None:
    """A choice keeps the plan's order; unknown codes are refused."""
    opened = load_workspace(workspace)
    assert select_places(opened, ("c03", "c01")) == ("c01", "c03")
    with pytest.raises(UserErrors):
        select_places(opened, ("c9",))


def test_a_synthetic_workspace_needs_no_secret(workspace: Path) -> None:
    """Its key follows from its name, so that everybody makes the same tables."""
    assert hashing_key(load_workspace(workspace)) == hashing_key(load_workspace(workspace))
