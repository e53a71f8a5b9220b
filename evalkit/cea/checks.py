"""What comes in from outside, looked at once: numbers that are numbers, values in their range, names that are known."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core import UserError


def numbers(name: str, values: Any, *, finite: bool = True) -> np.ndarray:
    """Values of any numeric type (whole, decimal, nullable) as an array of floats, in their shape.

    Raises UserError("not_a_number") with `name` and the row (from 1) of the first text, gap or infinite value; with
    `finite` False only of text.
    """
    try:
        found = _floats(values)
    except (TypeError, ValueError):
        for row, value in enumerate(np.asarray(values, dtype=object).reshape(-1), 1):
            try:
                _floats([value])
            except (TypeError, ValueError):
                raise UserError("not_a_number", name=name, row=row, found=str(value)) from None
        raise UserError("not_a_number", name=name, row=1, found=type(values).__name__) from None
    odd = ~np.isfinite(found)
    if finite and odd.any():
        row = int(np.argwhere(np.atleast_1d(odd))[0][0]) + 1
        raise UserError("not_a_number", name=name, row=row, found=str(found[odd].flat[0]))
    return found


def _floats(values: Any) -> np.ndarray:
    """As floats; gaps of nullable columns as NaN."""
    if hasattr(values, "to_numpy"):
        try:
            return np.asarray(values.to_numpy(dtype=float, na_value=np.nan))
        except (TypeError, ValueError):
            return np.asarray(values.to_numpy(), dtype=float)
    return np.asarray(values, dtype=float)


def within(name: str, value: Any, low: float, high: float = np.inf) -> float:
    """A finite number from `low` to `high`, else UserError("value_outside") or ("not_a_number")."""
    given = numbers(name, value)
    if given.ndim:
        raise UserError("not_a_number", name=name, row=1, found=str(given.shape))
    found = float(given)
    if not low <= found <= high:
        raise UserError("value_outside", name=name, found=f"{found:g}", low=f"{low:g}", high=f"{high:g}")
    return found


def whole(name: str, value: Any, low: float, high: float = np.inf) -> int:
    """A whole number from `low` to `high`, else UserError("value_outside") or ("not_a_number")."""
    found = within(name, value, low, high)
    if found != int(found):
        raise UserError("value_outside", name=name, found=f"{found:g}", low=f"{low:g}", high=f"{high:g}")
    return int(value)


def one_of(name: str, value: Any, known: Iterable[str]) -> None:
    """Raises UserError("choice_unknown") where `value` is none of the known ones."""
    choices = tuple(known)
    if value not in choices:
        raise UserError("choice_unknown", name=name, found=str(value), known=", ".join(choices))


def level_of(value: float) -> float:
    """A confidence level. Raises UserError("level_outside")."""
    if not 0 < value < 1:
        raise UserError("level_outside", found=value)
    return value
