"""`evalkit check`: every bad input at once, each told once at its place, in every language; nothing is written."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from spoilt import Spoiler, spoilt_workspace

from benchmarks.corruptions import clean_workspace
from evalkit import cli
from evalkit.pipeline.check import check
from evalkit.text import LANGUAGES, problem_row


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> Spoiler:
    return spoilt_workspace(tmp_path_factory.mktemp("spoilt") / "ws")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clean_workspace(tmp_path_factory.mktemp("clean") / "ws")


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out + said.err


def _state(root: Path) -> dict[str, tuple[str, int, int]]:
    return {
        str(p): (
            hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "",
            p.stat().st_mtime_ns,
            p.stat().st_mode,
        )
        for p in root.rglob("*")
    }


def test_every_fault_is_told_once_and_nothing_else(spoilt: Spoiler) -> None:
    """One problem for every planted fault, at its file, row and column, and no consequence of it beside."""
    told = [(p.key, p.where.file, p.where.row, p.where.column) for p in check(spoilt.root).problems]
    assert len(spoilt.planted) == 22
    assert sorted(told, key=str) == sorted(spoilt.planted, key=str)


def test_faults_have_words_in_every_language(spoilt: Spoiler) -> None:
    """Expected, found and next step of every fault, with no placeholder left and no raw key."""
    for problem in check(spoilt.root).problems:
        rows = {lang: problem_row(problem, lang) for lang in LANGUAGES}
        for row in rows.values():
            words = [str(row[name]) for name in ("expected", "found", "next")]
            assert all(words)
            assert not any(mark in "".join(words) for mark in ("{", "problem.", "Message("))
        assert len({row["next"] for row in rows.values()}) == 3


@pytest.mark.parametrize(
    ("lang", "title"), [("zh-Hans", "发现22个问题"), ("zh-Hant", "22"), ("en", "Problems found: 22")]
)
def test_the_table_lists_every_fault(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, spoilt: Spoiler, lang: str, title: str
) -> None:
    """The table names the place of every fault in the language asked for, and the command ends with exit code 2."""
    monkeypatch.setenv("COLUMNS", "400")
    code, said = _run(capsys, "check", str(spoilt.root), "--lang", lang)
    assert code == 2
    assert title in said
    assert "Traceback" not in said
    for _, file, row, column in spoilt.planted:
        assert any(
            all(str(part) in line for part in (file, row, column) if part is not None) for line in said.splitlines()
        ), (file, row, column)


def test_a_misspelt_key_gets_a_suggestion(spoilt: Spoiler) -> None:
    """“Did you mean seed?” for a near key; the known keys for one that is near to nothing."""
    found = {p.values["name"]: p for p in check(spoilt.root).problems if p.key == "workspace_unknown_key"}
    assert "seed" in str(problem_row(found["sede"], "en")["next"])
    assert "draws" in str(problem_row(found["bootstrap_reps"], "en")["expected"])


def test_nothing_is_written(clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A check leaves every byte, time and mode of the workspace as it is, and makes no file in it."""
    before = _state(clean)
    assert check(clean).problems == ()
    assert _state(clean) == before


@pytest.mark.skipif(os.name != "posix", reason="needs modes of files")
def test_a_folder_that_cannot_be_written_is_enough(spoilt: Spoiler) -> None:
    """Checking needs read access only: no file of the workspace is ever opened for writing."""
    told = check(spoilt.root).problems
    paths = [spoilt.root, *spoilt.root.rglob("*")]
    modes = {p: p.stat().st_mode for p in paths}
    try:
        for p in paths:
            p.chmod(0o555 if p.is_dir() else 0o444)
        before = _state(spoilt.root)
        assert check(spoilt.root).problems == told
        assert _state(spoilt.root) == before
    finally:
        for p, mode in modes.items():
            p.chmod(mode)


def test_exit_codes(capsys: pytest.CaptureFixture[str], clean: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0 for a clean workspace, 3 for a stop gate that does not pass, 1 for a fault of ours, which shows itself."""
    assert _run(capsys, "check", str(clean), "--lang", "en")[0] == 0
    from evalkit.core import Gate
    from evalkit.data import canonical

    stopped = (Gate(name="no_identifiers", passed=False, severity="stop", detail={"n": 1}),)
    monkeypatch.setattr(canonical, "data_gates", lambda *_, **__: stopped)
    assert _run(capsys, "check", str(clean), "--lang", "en")[0] == 3
    monkeypatch.setattr(canonical, "data_gates", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        cli.main(["check", str(clean)])


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "words", [("run", "x", "--jbos", "3"), ("run",), ("run", "x", "--jobs", "many"), ("chek", "x"), ("check", "a", "b")]
)
def test_mistakes_in_the_command_are_told_in_the_language(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], lang: str
) -> None:
    """An unknown option, a missing or wrong argument and an unknown command are told like any other mistake."""
    code, said = _run(capsys, *words, "--lang", lang)
    assert code == 2
    assert {"zh-Hans": "下一步", "zh-Hant": "下一步", "en": "Next step"}[lang] in said
    assert "Traceback" not in said
    assert "--jbos" not in words or "--jobs" in said
    assert (lang == "en") == ("Expected" in said)


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A name with escape sequences or a changed direction of writing is spelt out, not obeyed."""
    root = clean_workspace(tmp_path / "ws")
    text = (root / "evalkit.toml").read_text("utf-8")
    path = r'path = "raw/\u001b[31m\u202e*.csv"'
    (root / "evalkit.toml").write_text(f'{text}\n[[files]]\ntable = "hazard"\n{path}\n', "utf-8")
    code, said = _run(capsys, "check", str(root), "--lang", "en")
    assert code == 2
    assert "\x1b[31m" not in said and "\u202e" not in said
    assert r"\x1b[31m" in said
