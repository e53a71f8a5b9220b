"""Mistakes a person can mend, told so that they can mend them.

Two families. `UserError` (and `UserErrors`, several at once) is a mistake in the files, the settings
or the question asked: it is translated, shown without a traceback and ends with exit code 2.
`GateStopped` is a stop gate that did not pass: exit code 3. Everything else is a bug of ours and shows
everything: exit code 1.

`core` knows no language, so an error carries a message *key* with values; `text.error_text` puts it
into words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Place in an office file as the person sees it: 1-based rows, column header text.

    place  code of the city that the mistake concerns, where a check knows better than the row or the file tells
    """

    file: str | None = None
    sheet: str | None = None
    row: int | None = None
    column: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake: what was expected, what was found, where, and what to do next (by message key).

    `key` names an entry `problem.<key>` of the texts with the fields `expected`, `found`, `next`;
    `values` fill its placeholders.
    """

    key: str
    where: Where = field(default_factory=Where)
    values: dict[str, Any] = field(default_factory=dict)


class UserErrors(Exception):
    """One or more mistakes of the user, all told in one go."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.key} {p.values}" for p in self.problems))


class UserError(UserErrors):
    """A single mistake: `raise UserError("unknown_place", where=Where(...), place="X", known=[...])`."""

    def __init__(self, key: str, *, where: Where | None = None, **values: Any):
        super().__init__([Problem(key=key, where=where or Where(), values=values)])


class GateStopped(Exception):
    """A gate of severity `stop` did not pass; carries the gates so that the index can say why."""

    def __init__(self, gates: Sequence[Any]):
        self.gates = tuple(gates)
        super().__init__(", ".join(g.name for g in self.gates))
