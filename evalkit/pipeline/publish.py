"""Published reports: nbconvert draws the exhibits of an executed notebook in the language asked for.

No kernel runs. Every number comes from the exhibit payloads of one execution, so all languages show the same ones.
What a published notebook shows:

- a Markdown cell that contains `evalkit:heading <message key>` becomes that heading in the report's language (the
  first one is the title of the report; a heading without exhibits after it is left out);
- outputs with an exhibit payload (`application/vnd.evalkit.exhibit+json`) become the exhibit;
- Markdown cells tagged `publish` are shown as they are, cleaned by an allow-list; everything else stays inside.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ..core import UserError
from .disk import move_into_place, remove
from .light import nbformat
from .pages import editions, index_file
from .report import exhibit_of, report_context, sanitised
from .results import NAME as RESULTS
from .results import read_results, write_text
from .stages import FOLDERS

nbformat()

from nbconvert.exporters.templateexporter import TemplateExporter  # noqa: E402
from traitlets import Enum, List, Unicode, default  # noqa: E402
from traitlets.config import Config  # noqa: E402

from ..show.spoken import marked  # noqa: E402
from ..text import DEFAULT  # noqa: E402

TEMPLATES = Path(__file__).resolve().parent / "templates"


class EvalkitHTMLExporter(TemplateExporter):
    """Exports an executed evalkit notebook as one self-contained HTML page without scripts.

    `jupyter nbconvert --to evalkit-html notebook.ipynb --EvalkitHTMLExporter.language=en` works too: results.json
    is looked for beside the notebook.
    """

    export_from_notebook = "evalkit HTML"
    output_mimetype = "text/html"
    language = Unicode(DEFAULT, help="language of the report").tag(config=True)
    edition = Enum(("public", "internal"), "public", help="whether internal exhibits are shown").tag(config=True)
    beside = List(Unicode(), help="languages of the reports beside this one, which has an index page then")

    @default("file_extension")
    def _file_extension_default(self) -> str:
        return ".html"

    @default("template_name")
    def _template_name_default(self) -> str:
        return "evalkit"

    @default("extra_template_basedirs")
    def _default_extra_template_basedirs(self) -> list[str]:
        return [str(TEMPLATES)]

    @property
    def default_config(self) -> Config:
        config = Config({"RegexRemovePreprocessor": {"enabled": False}, "TagRemovePreprocessor": {"enabled": False}})
        config.merge(super().default_config)
        return config

    def default_filters(self) -> Any:
        yield from super().default_filters()
        yield ("evalkit_exhibit", self._exhibit)
        yield ("evalkit_markdown", self._markdown)
        yield ("marked", lambda words: Markup(marked(words, self.language)))

    def from_notebook_node(  # type: ignore[override]
        self, nb: Any, resources: dict[str, Any] | None = None, **kw: Any
    ) -> tuple[str, dict[str, Any]]:
        """Convert an executed notebook. `resources["results"]` holds results.json, else it is read from beside the
        notebook. After the call, `resources["evalkit"]["rendered"]` lists the ids of the exhibits on the page."""
        resources = dict(resources or {})
        results = resources.pop("results", None) or _beside(resources)
        links = {"editions": editions(self.beside, lambda x: f"report.{x}.html"), "home": resources.pop("home", "")}
        self._context = {**report_context(nb, results, self.language, self.edition), **links}
        html, resources = super().from_notebook_node(nb, {**resources, "evalkit": self._context}, **kw)
        return html, {**resources, "evalkit": self._context}

    def _exhibit(self, output: Mapping[str, Any]) -> str:
        from ..show import render

        exhibit = exhibit_of(output)
        if exhibit is None or (self.edition == "public" and exhibit["release"] != "public"):
            return ""
        self._context["rendered"].append(exhibit["id"])
        return str(render(exhibit, self.language))

    def _markdown(self, cell: Mapping[str, Any]) -> str:
        if html := self._context["headings"].get(cell["id"]):
            return str(html)
        if "publish" in cell["metadata"].get("tags", ()):
            return sanitised(cell["source"])
        return ""


def publish(
    folder: Path,
    languages: Sequence[str] = (),
    *,
    only: Collection[str] | None = None,
    done: Callable[[str, list[Path]], None] = lambda name, paths: None,
) -> tuple[Path, ...]:
    """Write the reports of a run and its index pages, in one process and without a kernel.

    folder     a run (it holds run.json);  languages: default those of the run
    only       names of the tasks ("kind/id") to write, None = all;  done(name, paths): called after each task

    Every folder of reports appears complete, then the index pages, and only then withheld reports vanish. Returns
    the paths of the reports. Raises UserError where `folder` is no run, ValueError where a page does not show
    exactly the exhibits of results.json.
    """
    from .site import write_site

    if not (folder / "run.json").is_file():
        raise UserError("run_missing", folder=folder.name)
    run = json.loads((folder / "run.json").read_text("utf-8"))
    languages = tuple(languages) or tuple(run["languages"])
    exporters = {lang: EvalkitHTMLExporter(language=lang, beside=list(languages)) for lang in languages}
    annexes = {lang: EvalkitHTMLExporter(language=lang, edition="internal") for lang in languages}
    written: list[Path] = []
    for task in run["tasks"]:
        name = f"{task['kind']}/{task['id']}"
        if task["status"] != "ok" or (only is not None and name not in only):
            continue
        finished = _finished(folder / "internal" / FOLDERS[task["kind"]] / task["id"])
        inner = _annexes(finished, annexes)
        reports = _reports(finished, folder / FOLDERS[task["kind"]] / task["id"], exporters)
        done(name, [*reports, *inner])
        written += reports
    pages = write_site(folder, run, languages)
    for page in {*folder.glob("index*.html")} - {*pages}:
        page.unlink()
    for task in run["tasks"]:
        if task["status"] != "ok":
            remove(folder / FOLDERS[task["kind"]] / task["id"])
    return tuple(written)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Finished:
    """The executed notebook and the results of a finished task, read and compared once for all its pages."""

    folder: Path
    notebook: Any
    results: dict[str, Any]


def _finished(folder: Path) -> Finished:
    """Raises ValueError where an exhibit in the notebook is not the one in results.json."""
    found = Finished(
        folder=folder,
        notebook=nbformat().read(str(folder / "notebook.ipynb"), as_version=4),
        results=read_results(folder),
    )
    for cell in found.notebook.cells:
        for output in cell.get("outputs", ()):
            exhibit = exhibit_of(output)
            if exhibit is not None and exhibit != found.results["exhibits"][exhibit["id"]]:
                raise ValueError(f"exhibit {exhibit['id']} in the notebook is not the one in results.json")
    return found


def render_report(finished: Finished, exporter: EvalkitHTMLExporter) -> str:
    """One report of a finished task as HTML. Raises ValueError where exhibits are missing or shown twice."""
    results = finished.results
    home = f"../../{index_file(exporter.language)}#{results['kind']}-{finished.folder.name}" if exporter.beside else ""
    html, resources = exporter.from_notebook_node(finished.notebook, {"results": results, "home": home})
    _check_complete(results, resources["evalkit"]["rendered"], exporter.edition)
    return html


def _reports(finished: Finished, target: Path, exporters: Mapping[str, EvalkitHTMLExporter]) -> list[Path]:
    """Render every language first, then let the folder appear at once."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for lang, exporter in exporters.items():
        write_text(fresh / f"report.{lang}.html", render_report(finished, exporter))
    move_into_place(fresh, target)
    return [target / f"report.{lang}.html" for lang in exporters]


def _annexes(finished: Finished, exporters: Mapping[str, EvalkitHTMLExporter]) -> list[Path]:
    """The complete edition, internal exhibits included, stays under internal/."""
    if all(e["release"] == "public" for e in finished.results["exhibits"].values()):
        return []
    return [write_text(finished.folder / f"annex.{x}.html", render_report(finished, e)) for x, e in exporters.items()]


def _check_complete(results: Mapping[str, Any], rendered: Sequence[str], edition: str) -> None:
    wanted = [k for k, e in results["exhibits"].items() if edition == "internal" or e["release"] == "public"]
    if sorted(wanted) != sorted(rendered):
        missing, extra = set(wanted) - set(rendered), [r for r in rendered if rendered.count(r) > 1 or r not in wanted]
        raise ValueError(f"report and results.json differ: missing {sorted(missing)}, unexpected {sorted(set(extra))}")


def _beside(resources: Mapping[str, Any]) -> dict[str, Any] | None:
    path = Path(resources.get("metadata", {}).get("path") or ".") / RESULTS
    return read_results(path) if path.is_file() else None
