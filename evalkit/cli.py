"""The command line: parse, call, print. Help texts are message keys, translated before anything is shown.

Exit codes: 0 all well; 1 our failure; 2 a mistake in files, settings or the question; 3 a stop gate;
130 interrupted from the keyboard.
Only typer and rich are imported here; every command imports what it needs.
"""

from __future__ import annotations

import locale
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from .text import DEFAULT, LANGUAGES, number, t, visible

app = typer.Typer(add_completion=False, no_args_is_help=True, help="cli.help", pretty_exceptions_enable=False)
INTERRUPTED = 130
WIDTH = 200
"""Characters of a line where the table of problems does not go to a terminal."""
_LOCALES = {"en": ("en",), "zh-Hant": ("zh_hk", "zh_mo", "zh_tw", "zh-hk", "zh-mo", "zh-tw", "zh_hant", "zh-hant")}
"""Languages that the locale of a system asks for, by the beginning of its name."""
Folder = Annotated[Path, typer.Argument(help="cli.run.workspace")]
Languages = Annotated[str, typer.Option(help="cli.run.languages", metavar="LANG,LANG")]


@app.callback()
def _root(lang: Annotated[str, typer.Option(help="cli.lang")] = "") -> None: ...


@app.command(help="cli.sample.help")
def sample(
    name: Annotated[str, typer.Argument(help="cli.sample.name")],
    folder: Annotated[Path, typer.Argument(help="cli.sample.folder")],
    seed: Annotated[int | None, typer.Option(help="cli.sample.seed")] = None,
    scenario: Annotated[str, typer.Option(help="cli.sample.scenario")] = "",
    scale: Annotated[str, typer.Option(help="cli.sample.scale")] = "",
) -> None:
    from .data.sample import generate
    from .study.truth import TRUTH, add_money

    given: dict[str, Any] = {"seed": seed, "scenario": scenario or None, "scale": scale or None}
    made = generate(name, folder, **{k: v for k, v in given.items() if v is not None})
    if (made / TRUTH).is_file():
        add_money(made)
    typer.echo(t("cli.sample.done", language(), folder=made))


@app.command(help="cli.run.help")
def run(
    workspace: Folder,
    out: Annotated[Path | None, typer.Option(help="cli.run.out")] = None,
    jobs: Annotated[int | None, typer.Option(help="cli.run.jobs", min=1)] = None,
    places: Annotated[str, typer.Option(help="cli.run.places", metavar="CODE,CODE")] = "",
    languages: Languages = "",
    deadline: Annotated[float, typer.Option(help="cli.run.deadline", min=1)] = 1800.0,
    memory: Annotated[int | None, typer.Option(help="cli.run.memory", min=0, metavar="MB")] = None,
    force: Annotated[bool, typer.Option("--force", help="cli.run.force")] = False,
    refresh_peers: Annotated[bool, typer.Option("--refresh-peers", help="cli.run.refresh_peers")] = False,
) -> None:
    from rich.console import Console

    from .pipeline.run import run as assess
    from .pipeline.workspace import load_workspace

    opened = load_workspace(workspace)
    try:
        report = assess(
            opened,
            out or Path("reports") / opened.name,
            places=_listed(places),
            jobs=jobs,
            languages=_languages(languages),
            lang=language(),
            deadline=deadline,
            memory=memory,
            force=force,
            refresh_peers=refresh_peers,
            console=Console(),
        )
    except KeyboardInterrupt:
        typer.echo(t("cli.problems.interrupted", language()), err=True)
        raise typer.Exit(INTERRUPTED) from None
    _print_report(report)
    raise typer.Exit(report.exit_code)


@app.command(help="cli.publish.help")
def publish(
    folder: Annotated[Path, typer.Argument(help="cli.publish.folder")],
    languages: Annotated[str, typer.Option(help="cli.publish.languages", metavar="LANG,LANG")] = "",
) -> None:
    from .pipeline.publish import publish as write

    written = write(folder.absolute(), _languages(languages))
    typer.echo(t("cli.publish.done", language(), count=len(written), path=folder / "index.html"))


@app.command(help="cli.check.help")
def check(
    workspace: Folder,
    out: Annotated[Path | None, typer.Option(help="cli.check.out", metavar="FILE.xlsx")] = None,
) -> None:
    from .core import UserErrors
    from .pipeline.check import check as examine
    from .pipeline.check import write_sheet
    from .pipeline.live import file_progress
    from .pipeline.pages import gate_words

    lang = language()
    with file_progress(lang) as progress:
        checked = examine(workspace, progress)
    if out is not None:
        write_sheet(checked.problems, out, workspace, lang)
    if checked.problems:
        raise UserErrors(checked.problems)
    typer.echo(t("cli.check.clean", lang, files=number(checked.files, lang), rows=number(checked.rows, lang)))
    for gate in checked.gates:
        line = gate_words({"name": gate.name, "passed": gate.passed, "detail": gate.detail}, lang)
        typer.echo(visible(line))
    raise typer.Exit(checked.exit_code)


@app.command(help="cli.lab.help")
def lab(
    workspace: Folder,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="cli.lab.no_browser")] = False,
    port: Annotated[int | None, typer.Option(help="cli.lab.port")] = None,
    ip: Annotated[str, typer.Option(help="cli.lab.ip")] = "",
) -> None:
    from .pipeline.lab import open_lab, working_copy
    from .pipeline.workspace import load_workspace

    folder = working_copy(load_workspace(workspace), Path("reports").absolute())
    typer.echo(t("cli.lab.opened", language(), folder=folder))
    raise typer.Exit(open_lab(folder, no_browser=no_browser, port=port, ip=ip))


@app.command(help="cli.version.help")
def version() -> None:
    from . import __version__

    typer.echo(__version__)


_MISUSE: Any = typer.BadParameter.__bases__
"""What a wrong use of the command line raises; typer brings its own copy of click, or uses the common one."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; mistakes of the user are told without a traceback."""
    from .core import GateStopped, UserErrors

    rest, asked = _without_lang(list(sys.argv[1:] if arguments is None else arguments))
    os.environ["EVALKIT_LANG"] = lang = _chosen(asked)
    try:
        sys.exit(_translated(lang)(args=rest, prog_name="evalkit", standalone_mode=False) or 0)
    except _MISUSE as error:
        if rest:
            _print_problems(UserErrors([_option_problem(error, rest)]), lang)
        sys.exit(2)
    except typer.Abort:
        sys.exit(INTERRUPTED)
    except UserErrors as error:
        _print_problems(error, lang)
        sys.exit(2)
    except GateStopped as error:
        typer.echo(t("cli.problems.gates", lang, gates=[g.name for g in error.gates]), err=True)
        sys.exit(3)
    except KeyboardInterrupt:
        typer.echo(t("cli.problems.interrupted", lang), err=True)
        sys.exit(INTERRUPTED)


def language() -> str:
    """Language of messages, settled by `main`: --lang, else EVALKIT_LANG, else the locale, else Chinese."""
    return _chosen("")


def _chosen(asked: str) -> str:
    if asked:
        return _languages(asked)[0]
    environment = os.environ.get("EVALKIT_LANG", "")
    if environment in LANGUAGES:
        return environment
    names = (os.environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    system = next((n for n in names if n), "")
    if sys.platform == "win32" and not system:
        system = locale.getlocale()[0] or ""
    return next((lang for lang, names in _LOCALES.items() if system.lower().startswith(names)), DEFAULT)


def _without_lang(arguments: list[str]) -> tuple[list[str], str]:
    """--lang may stand anywhere; it is taken out before the command is parsed."""
    rest, asked = [], ""
    words = iter(arguments)
    for word in words:
        if word == "--lang":
            asked = next(words, "")
        elif word.startswith("--lang="):
            asked = word.partition("=")[2]
        else:
            rest.append(word)
    return rest, asked


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.replace("，", ",").split(",") if part.strip())


def _languages(text: str) -> tuple[str, ...]:
    from .core import Problem, UserErrors

    unknown = [x for x in _listed(text) if x not in LANGUAGES]
    if unknown:
        values = [{"language": x, "known": list(LANGUAGES)} for x in unknown]
        raise UserErrors([Problem(key="language_unknown", values=v) for v in values])
    return _listed(text)


def _translated(lang: str) -> Any:
    """The click command with every help text put into words."""
    from typer import rich_utils

    for name in ("ARGUMENTS", "OPTIONS", "COMMANDS"):
        setattr(rich_utils, f"{name}_PANEL_TITLE", t(f"cli.{name.lower()}", lang))
    rich_utils.REQUIRED_LONG_STRING = f"[{t('cli.required', lang)}]"
    rich_utils.DEFAULT_STRING = f"[{t('cli.default', lang)}]"
    group = typer.main.get_command(app)
    for command in (group, *group.commands.values()):  # type: ignore[attr-defined]
        command.help = t(command.help, lang)
        helper = command.get_help_option(command.context_class(command))
        if helper is not None:
            helper.help = t("cli.show_help", lang)
        for parameter in command.params:
            parameter.help = t(parameter.help, lang) if getattr(parameter, "help", None) in _keys() else None
    return group


def _keys() -> set[str]:
    from .text import catalogue

    return set(catalogue(DEFAULT))


def _print_report(report: Any) -> None:
    from .pipeline.outcome import task_row
    from .pipeline.pages import index_file, reason
    from .pipeline.run import ALIKE
    from .text import local

    lang = language()
    count = {s: sum(o.status == s for o in report.outcomes) for s in ("ok", "stopped", "withheld", "failed")}
    if report.halted:
        first = next(o for o in report.outcomes if o.status == "failed")
        typer.echo(t("cli.run.halted", lang, first=ALIKE, reason=reason(task_row(first), lang)), err=True)
        return
    if report.withheld:
        _print_withheld(report, lang)
    for outcome in report.outcomes:
        if outcome.status != "ok" and outcome.task.place not in report.withheld:
            name = local(outcome.task.title, lang)
            typer.echo(t("cli.run.failed", lang, name=name, reason=reason(task_row(outcome), lang)))
    typer.echo(t("cli.run.done", lang, **count, seconds=number(report.seconds, lang, 1)))
    if kept := sum(o.kept for o in report.outcomes):
        typer.echo(t("cli.run.kept", lang, kept=kept))
    if report.peers_behind:
        typer.echo(t("cli.run.peers_behind", lang, edition=report.peers_edition))
    page = report.folder / index_file(lang)
    typer.echo(t("cli.run.index", lang, path=page if page.exists() else report.folder / "index.html"))


def _print_withheld(report: Any, lang: str) -> None:
    """The problems of the withheld cities as `check` prints them, then their names."""
    from .core import UserErrors
    from .data import capped
    from .text import local

    titles = {o.task.place: o.task.title for o in report.outcomes if o.task.kind == "city"}
    _print_problems(UserErrors(capped(p for own in report.withheld.values() for p in own)), lang)
    names = [local(titles.get(place, place), lang) for place in report.withheld]
    typer.echo(t("cli.run.withheld", lang, places=names), err=True)


def _print_problems(error: Any, lang: str) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from .text import problem_row

    rows = [problem_row(p, lang) for p in error.problems]
    names = ["file", "sheet", "row", "column", "expected", "found", "next"]
    names = [n for n in names if any(r[n] not in (None, "") for r in rows)]
    table = Table(title=t("cli.problems.title", lang, count=len(rows)), title_justify="left", show_lines=True)
    for name in names:
        table.add_column(t(f"cli.problems.{name}", lang), overflow="fold")
    for row in rows:
        table.add_row(*(Text("" if row[n] is None else visible(str(row[n]))) for n in names))
    console = Console(stderr=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDTH
    console.print(table)


def _option_problem(error: Any, words: Sequence[str]) -> Any:
    """A mistake in the command itself, in the words of the other mistakes."""
    from .core import Problem

    context = getattr(error, "ctx", None)
    command = context.command_path if context else "evalkit"
    values: dict[str, Any] = {"command": f"{command} --help"}
    if hasattr(error, "option_name"):
        known = sorted(o for p in context.command.params for o in p.opts) if context else []
        near = next(iter(get_close_matches(error.option_name, known, n=1)), "–")
        values |= {"option": error.option_name, "known": known, "near": near}
        return Problem(key="option_unknown", values=values)
    if getattr(error, "param", None) is not None:
        name = error.param.opts[0] if error.param.opts else error.param.name
        key = "option_missing" if hasattr(error, "param_type") else "option_value"
        return Problem(key=key, values={**values, "option": name, "help": error.param.help or name})
    known = [command.callback.__name__ for command in app.registered_commands if command.callback]
    return Problem(key="command_unclear", values={**values, "known": known, "words": " ".join(words)})
