"""The three-table exchange form of value-of-information tools: parameters, costs, effects, one row a draw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from ..core import Psa, UserError
from .checks import numbers
from .curves import psa_from_arrays

NAMES = ("parameters", "costs", "effects")


def write_psa(psa: Psa, folder: str | Path) -> tuple[Path, ...]:
    """Write parameters.csv, costs.csv and effects.csv below `folder`; columns are named, never positional.

    Returns the paths. Numbers read back to the same doubles. Raises UserError("psa_without_parameters").
    """
    if psa.parameters is None:
        raise UserError("psa_without_parameters", n=psa.n)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    frames = (
        pd.DataFrame(psa.parameters, columns=list(psa.parameter_names)),
        pd.DataFrame(psa.cost, columns=list(psa.strategies)),
        pd.DataFrame(psa.effect, columns=list(psa.strategies)),
    )
    paths = tuple(target / f"{name}.csv" for name in NAMES)
    for frame, path in zip(frames, paths):
        frame.to_csv(path, index=False, float_format="%.17g")
    return paths


def read_psa(folder: str | Path, *, comparator: str, **facts: Any) -> Psa:
    """Read the three tables back into a Psa; strategies are matched by name, in the order of costs.csv.

    facts  currency, price_year, perspective, ... of `core.Psa`. Raises UserError("exchange_missing") naming the file,
    ("exchange_unreadable") where it is no table in UTF-8, ("not_a_number") naming file, column and row,
    ("exchange_strategies") where costs and effects name different strategies, and as `psa_from_arrays`.
    """
    paths = {name: Path(folder) / f"{name}.csv" for name in NAMES}
    absent = [path.name for path in paths.values() if not path.is_file()]
    if absent:
        raise UserError("exchange_missing", found=", ".join(absent), folder=str(folder))
    parameters, costs, effects = (_numbers(path) for path in paths.values())
    if set(costs.columns) != set(effects.columns):
        raise UserError("exchange_strategies", costs=", ".join(costs.columns), effects=", ".join(effects.columns))
    drawn = {str(c): parameters[c].to_numpy() for c in parameters}
    return psa_from_arrays(
        costs.to_numpy(), effects[costs.columns].to_numpy(), tuple(map(str, costs.columns)), comparator=comparator,
        parameters=drawn, **facts,
    )  # fmt: skip


def _numbers(path: Path) -> pd.DataFrame:
    """The table of numbers below the names in its first row, every number as written."""
    try:
        cells = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.EmptyDataError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise UserError("exchange_unreadable", file=path.name, found=str(error)) from None
    names = cells.iloc[0].tolist()
    if len(set(names)) < len(names):
        raise UserError("repeated_parameter", found=f"{path.name}: {', '.join(names)}")
    return pd.DataFrame(
        {name: numbers(f"{path.name}: {name}", cells[j].to_numpy()[1:]) for j, name in enumerate(names)}
    )
