"""Small helpers that keep the nouns frozen: read-only arrays and plain-data round trips."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

T = TypeVar("T")


def frozen_array(values: Any, dtype: Any = float) -> np.ndarray:
    """Copy `values` into a read-only array."""
    array = np.array(values, dtype=dtype, copy=True)
    array.setflags(write=False)
    return array


def to_plain(value: Any) -> Any:
    """Turn a noun into JSON data: dataclass → dict, array → list, non-finite float → string.

    JSON has no infinity, and a NaN silently read back as null loses its meaning, so non-finite
    numbers become "NaN", "Infinity", "-Infinity" and `from_plain` reads them back.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return [to_plain(v) for v in value.tolist()]
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, dict):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def from_plain(cls: type[T], data: Any) -> T:
    """Read a noun back from the plain data of `to_plain`; the inverse for every core type.

    Keys that the noun does not have are ignored, missing ones take its defaults. Raises TypeError where a field
    without a default is missing.
    """
    return _read(cls, data)


def _read(kind: Any, data: Any) -> Any:
    if kind is Any or kind is object:
        return data
    origin = get_origin(kind)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{f.name: _read(hints[f.name], data[f.name]) for f in dataclasses.fields(kind) if f.name in data})
    if kind is np.ndarray:
        return None if data is None else np.array(_floats(data))
    if kind is float:
        return float(data)
    args = get_args(kind)
    if args and type(None) in args:
        if data is None:
            return None
        rest = [a for a in args if a is not type(None)]
        return _read(rest[0], data) if len(rest) == 1 else data
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_read(args[0], d) for d in data)
        return tuple(_read(a, d) for a, d in zip(args, data))
    if origin is dict:
        return {k: _read(args[1], v) for k, v in data.items()} if args else data
    return data


def _floats(data: Any) -> Any:
    if isinstance(data, list):
        return [_floats(d) for d in data]
    return float(data) if isinstance(data, str) else data
