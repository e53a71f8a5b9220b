"""The command line: light help in every language, exit codes, problems as a table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from evalkit import cli


@pytest.fixture(autouse=True)
def _no_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EVALKIT_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.setenv(name, "")


def _run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        cli.main(list(words))
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out + said.err


@pytest.mark.parametrize("command", ["", "sample", "run", "publish", "check", "lab", "version"])
def test_help_speaks_every_language(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """Every command explains itself in Chinese first and in the other languages when asked, without a raw key."""
    words = [command] if command else []
    code, chinese = _run(capsys, *words, "--help")
    assert code == 0
    assert "选项" in chinese
    assert "cli." not in chinese
    code, traditional = _run(capsys, *words, "--help", "--lang", "zh-Hant")
    assert code == 0
    assert "選項" in traditional
    assert "选项" not in traditional
    code, english = _run(capsys, *words, "--help", "--lang", "en")
    assert code == 0
    assert "Options" in english
    assert not any("\u4e00" <= c <= "\u9fff" for c in english)


def test_help_is_light() -> None:
    """--help imports neither notebooks, plotting, statistics nor data readers."""
    code = """import sys
from evalkit.cli import main
try:
    main(["--help"])
except SystemExit:
    print(sorted(sys.modules), file=sys.stderr)"""
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr
    for heavy in (
        "papermill",
        "nbconvert",
        "nbformat",
        "jsonschema",
        "matplotlib",
        "scipy",
        "linearmodels",
        "pydantic",
    ):
        assert f"'{heavy}'" not in loaded, heavy


@pytest.mark.parametrize(
    ("asked", "environment", "locale", "expected"),
    [
        ("", "", "C.UTF-8", "zh-Hans"),
        ("", "", "en_GB.UTF-8", "en"),
        ("", "", "zh_HK.UTF-8", "zh-Hant"),
        ("", "zh-Hant", "en_HK.UTF-8", "zh-Hant"),
        ("", "en", "zh_CN.UTF-8", "en"),
        ("zh-Hans", "en", "", "zh-Hans"),
    ],
)
def test_the_language_is_settled_once(
    monkeypatch: pytest.MonkeyPatch, asked: str, environment: str, locale: str, expected: str
) -> None:
    """--lang wins over EVALKIT_LANG, which wins over the locale; Chinese is the default."""
    monkeypatch.setenv("EVALKIT_LANG", environment)
    monkeypatch.setenv("LANG", locale)
    assert cli._chosen(asked) == expected


@pytest.mark.parametrize(
    "words", [("run", "{folder}"), ("check", "{folder}"), ("publish", "{folder}"), ("lab", "{folder}")]
)
def test_mistakes_are_a_table_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...]
) -> None:
    """A folder that is no workspace (or no run) is told as expected, found, next step, without a traceback."""
    code, said = _run(capsys, *(w.format(folder=tmp_path) for w in words), "--lang", "en")
    assert code == 2
    assert "Traceback" not in said
    assert "Next step" in said


def test_an_unknown_language_is_a_mistake_of_the_user(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Unknown publishing languages list the known ones."""
    code, said = _run(capsys, "publish", str(tmp_path), "--languages", "fr")
    assert code == 2
    assert "zh-Hans" in said


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """`evalkit version` prints the version alone."""
    from evalkit import __version__

    assert _run(capsys, "version") == (0, f"{__version__}\n")
