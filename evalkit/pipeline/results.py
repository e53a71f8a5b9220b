"""results.json: everything one notebook found out, as a pure function of inputs, code and parameters.

No clock time and no machine path gets in (those are in run.json and the ledger), keys are sorted and floats are
written by their shortest repr, so the same inputs give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from .. import __version__
from ..core import Exhibit, Section, to_plain
from ..study.case import Case
from .light import jsonschema

NAME = "results.json"
SCHEMA_VERSION = "1"
_PACKAGES = ("numpy", "pandas", "scipy", "linearmodels")


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The JSON Schema of results.json."""
    return json.loads((files("evalkit") / "schemas" / "results.schema.json").read_text("utf-8"))


def results(case: Case, sections: Sequence[Section]) -> dict[str, Any]:
    """The content of results.json for `case`.

    Raises ValueError where two sections bring different things under the same exhibit id, effect, economics or
    value name: one of them would vanish without a word.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "evalkit": __version__,
        **_identity(case),
        "inputs": [to_plain(i) for i in inputs_used(case.canonical)],
        "peers_edition": case.peers_edition,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        "sources": sorted({source for s in sections for source in s.sources}),
        "sections": [{"key": s.key, "exhibits": [e.id for e in s.exhibits]} for s in sections],
        "exhibits": _joined("exhibit", ({e.id: _exhibit(e)} for s in sections for e in s.exhibits)),
        "scores": [to_plain(x) for s in sections for x in s.scores],
        "gates": [to_plain(x) for s in sections for x in s.gates],
        "effects": _joined("effect", (to_plain(s.effects) for s in sections)),
        "economics": _joined("economics", (to_plain(s.economics) for s in sections)),
        "values": _joined("value", (to_plain(s.values) for s in sections)),
    }


def validate(content: dict[str, Any]) -> None:
    """Check the content of a results.json. Raises ValueError naming every place that breaks the schema."""
    validator = jsonschema().Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(content), key=lambda e: list(map(str, e.absolute_path)))
    if errors:
        lines = [f"{'/'.join(map(str, e.absolute_path)) or '.'}: {e.message[:200]}" for e in errors]
        raise ValueError("results.json does not follow its schema: " + "; ".join(lines))


def write_results(case: Case, sections: Sequence[Section]) -> Path:
    """Validate and write `results.json` into `case.out` by renaming a finished file. Returns its path."""
    content = results(case, sections)
    validate(content)
    return write_json(Path(case.out) / NAME, content)


def read_results(path: Path) -> dict[str, Any]:
    """Read a results.json (or the folder that holds it) and check it against the schema.

    Raises FileNotFoundError, or ValueError where the file is not JSON or breaks the schema.
    """
    path = path / NAME if path.is_dir() else path
    content = json.loads(path.read_text("utf-8"))
    validate(content)
    return content


def write_json(path: Path, content: Any) -> Path:
    """Write JSON so that a reader sees the old file or the whole new one."""
    return write_text(path, _text(content))


def file_digest(content: Any) -> str:
    """SHA-256 of the file that `write_json` makes of `content`: what `sha256sum results.json` prints."""
    return hashlib.sha256(_text(content).encode("utf-8")).hexdigest()


def _text(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False) + "\n"


def write_text(path: Path, text: str) -> Path:
    """Write a UTF-8 file by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, "utf-8", newline="\n")
        os.replace(temporary, path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    return path


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content: Any) -> str:
    """SHA-256 of JSON data in its canonical form."""
    plain = json.dumps(to_plain(content), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode("utf-8")).hexdigest()


def inputs_used(canonical: Any) -> tuple[Any, ...]:
    """The input files that gave at least one row to these (restricted) canonical tables, by path."""
    if canonical is None:
        return ()
    used: set[tuple[str, str]] = set()
    for name, table in canonical.tables.items():
        if "source_file" in table:
            used |= {(name, str(f)) for f in table["source_file"].dropna().unique()}
    chosen = [i for i in canonical.inputs if (i.table, i.path) in used]
    return tuple(sorted(chosen, key=lambda i: (i.path, i.table, i.sheet or "")))


def _identity(case: Case) -> dict[str, Any]:
    title = getattr(case.workspace, "title", {})
    values = {"kind": case.kind, "place": case.place, "project": case.project}
    facts = {"period": case.period, "as_of": case.as_of, "seed": case.seed, "draws": case.draws}
    privacy = getattr(case.workspace, "privacy", None)
    limits = {k: getattr(privacy, k) for k in ("public_threshold", "internal_threshold") if privacy is not None}
    return {
        **values,
        **facts,
        "workspace": getattr(case.workspace, "name", "") or "workspace",
        "plan": case.plan.id,
        "synthetic": bool(case.synthetic),
        "names": {"title": dict(title), "place": _place_name(case), "project": _project_name(case)},
        "parameters": to_plain({**values, **facts, **limits, "plan": case.plan.id}),
    }


def _place_name(case: Case) -> dict[str, str]:
    return {k: str(v) for k, v in case.plan.place_name(case.place).items()} if case.place else {}


def _project_name(case: Case) -> str:
    table = case.canonical.tables.get("project") if case.project and case.canonical is not None else None
    if table is None:
        return case.project
    titles = table.loc[table["project_id"].astype(str) == case.project, "title"]
    return str(titles.iloc[0]) if len(titles) else case.project


def _exhibit(exhibit: Exhibit) -> dict[str, Any]:
    return to_plain(exhibit)


def _joined(what: str, parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        if twice := {key for key in set(part) & set(merged) if part[key] != merged[key]}:
            raise ValueError(f"{what} {', '.join(sorted(twice))} differs between sections")
        merged |= part
    return merged
