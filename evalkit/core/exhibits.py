"""What a report shows, as data: drawn in any language and format without running anything again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A sentence to be said later in the reader's language: a message key and its values.

    A value that is a `Message`, or a plain dict {"key":..., "values":...}, is itself translated first;
    numbers are formatted by the locale (`{x:.2f}` style specifications are allowed in the texts).
    """

    key: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table exhibit. `label` is a message key; `kind` says how its cells are written.

    kinds: "text" (verbatim data), "message" (cells are message keys or Message), "int", "number" (with
    `digits`), "percent" (cells are fractions), "money" (yuan), "interval" (cells are [low, high]),
    "status" (cells are status words, drawn with a mark that does not rely on colour), "flag".
    """

    name: str
    label: str | Message
    kind: str = "text"
    digits: int = 2
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One thing shown: `kind` "prose", "facts" (label-value list), "table" or "figure".

    id       unique inside a report, e.g. "T5_rates"; also its HTML anchor
    title    Message of the caption
    data     JSON data only. prose: {"paragraphs": [Message...]}; facts: {"items": [{"label": key,
             "value": ..., "kind": ..., "digits": ...}]}; table: {"columns": [Column...], "rows": [[...]]};
             figure: {"figure": <name of a drawing function of show/figures>, ...its data}
    alt      Message of the text alternative, required for figures
    notes    Messages under the exhibit (definitions, provisional, small samples)
    source   Message naming the data source; unit, as_of, n: shown with it
    synthetic True puts the 合成数据 mark on it
    release  "public" may leave after disclosure control, "internal" never leaves
    """

    id: str
    kind: Literal["prose", "facts", "table", "figure"]
    title: Message
    data: dict[str, Any]
    alt: Message | None = None
    notes: tuple[Message, ...] = ()
    source: Message | None = None
    unit: str = ""
    as_of: str = ""
    n: int | None = None
    synthetic: bool = False
    release: Literal["public", "internal"] = "public"

    def __post_init__(self) -> None:
        if self.kind == "figure" and self.alt is None:
            raise ValueError(f"figure exhibit {self.id!r} needs a text alternative (alt)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section of a notebook: its exhibits and the nouns behind them, ready for results.json.

    `values` are headline numbers by vocabulary key (also used on the index page); `effects` and `economics`
    are plain data (`core.to_plain` of EffectPath, and of the economics summary).
    """

    key: str
    exhibits: tuple[Exhibit, ...] = ()
    scores: tuple[Any, ...] = ()
    gates: tuple[Any, ...] = ()
    effects: dict[str, Any] = field(default_factory=dict)
    economics: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    sources: tuple[str, ...] = ()
