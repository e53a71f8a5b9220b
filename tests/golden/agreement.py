"""Which numbers of R packages and papers evalkit meets: `make golden` prints cases met, not met and not covered.

A module of `methods/` says how evalkit computes the cases of one package:

    @covers("bacon/*", rtol=1e-8)
    def compute(case, data):           # case: Case, data: reader of the reference data by file name
        return {"2x2:…:weight": number, "TWFE": (estimate, std_error)}

It returns evalkit's number, or (estimate, standard error), for as many quantities as there are. Where a number cannot
or should not be met, `unmet` says why, and the test holds that it is truly not met.
"""

from __future__ import annotations

import csv
import importlib
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).resolve().parent
NUMBERS = (HERE / "did" / "numbers", HERE / "cea" / "numbers")
Found = Mapping[str, float | tuple[float, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call of an R package. numbers: quantity → (value, standard error), None where it gave none."""

    name: str
    package: str
    version: str
    data: str
    stochastic: str
    call: str
    numbers: Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """How the cases of a pattern are computed; rtol, se_rtol relative, atol absolute tolerances.

    atol may be a function of case and quantity, where a tolerance is a share of another of the case's numbers.
    """

    pattern: str
    compute: Callable[[Case, Callable[[str], pd.DataFrame]], Found]
    rtol: float = 1e-8
    se_rtol: float = 1e-8
    atol: float | Callable[[Case, str], float] = 1e-10
    unmet: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one case: quantities met, failed (with both numbers), explained as unmet, and not computed."""

    case: str
    met: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


METHODS: list[Method] = []


def covers(
    *patterns: str,
    rtol: float = 1e-8,
    se_rtol: float | None = None,
    atol: float | Callable[[Case, str], float] = 1e-10,
    unmet: Mapping[str, str] | None = None,
) -> Callable[[Callable[..., Found]], Callable[..., Found]]:
    """Register a function for the cases of these patterns.

    unmet   pattern of "case quantity" → why that number is not met
    """

    def register(compute: Callable[..., Found]) -> Callable[..., Found]:
        for pattern in patterns:
            METHODS.append(
                Method(
                    pattern=pattern,
                    compute=compute,
                    rtol=rtol,
                    se_rtol=se_rtol if se_rtol is not None else rtol,
                    atol=atol,
                    unmet=unmet or {},
                )
            )
        return compute

    return register


@cache
def cases() -> tuple[Case, ...]:
    """All cases, with their numbers."""
    facts: list[dict[str, str]] = []
    for folder in NUMBERS:
        with (folder / "cases.csv").open(newline="") as file:
            facts += csv.DictReader(file)
    numbers: dict[str, dict[str, tuple[float, float | None]]] = {}
    for source in (path for folder in NUMBERS for path in sorted(folder.glob("*.csv"))):
        if source.stem == "cases":
            continue
        with source.open(newline="") as file:
            for row in csv.DictReader(file):
                if row["value"]:
                    pair = (float(row["value"]), float(row["se"]) if row["se"] else None)
                    numbers.setdefault(row["case"], {})[row["quantity"]] = pair
    return tuple(
        Case(name=f["case"], numbers=numbers[f["case"]], **{k: f[k] for k in list(f) if k != "case"})
        for f in facts
        if f["case"] in numbers
    )


@cache
def load() -> tuple[Method, ...]:
    """Import every module of `methods/` once."""
    for path in sorted((HERE / "methods").glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"tests.golden.methods.{path.stem}")
    return tuple(METHODS)


def method_of(case: Case) -> Method | None:
    """The last registered method whose pattern fits."""
    return next((m for m in reversed(load()) if fnmatchcase(case.name, m.pattern)), None)


def reader(reference: Path) -> Callable[[str], pd.DataFrame]:
    """Reference data by file name."""
    folders = reference / "did" / "data", reference / "cea"
    return cache(lambda name: pd.read_csv(next(f / name for f in folders if (f / name).is_file())))


def judge(case: Case, method: Method, data: Callable[[str], pd.DataFrame]) -> Verdict:
    """Compute a case and compare every quantity."""
    found = method.compute(case, data)
    met, failed, unmet, absent = [], [], [], []
    for quantity, wanted in case.numbers.items():
        if quantity not in found:
            absent.append(quantity)
            continue
        atol = method.atol(case, quantity) if callable(method.atol) else method.atol
        problem = _difference(found[quantity], wanted, method, atol)
        excused = any(fnmatchcase(f"{case.name} {quantity}", p) for p in method.unmet)
        if problem is None:
            met.append(quantity)
        else:
            (unmet if excused else failed).append(f"{quantity}: {problem}")
    return Verdict(case=case.name, met=tuple(met), failed=tuple(failed), unmet=tuple(unmet), absent=tuple(absent))


def _difference(found: Any, wanted: tuple[float, float | None], method: Method, atol: float) -> str | None:
    value, se = found if isinstance(found, tuple) else (found, None)
    problems = []
    if not math.isclose(value, wanted[0], rel_tol=method.rtol, abs_tol=atol):
        problems.append(f"{value!r} for {wanted[0]!r}")
    if se is not None and wanted[1] is not None and not math.isclose(se, wanted[1], rel_tol=method.se_rtol):
        problems.append(f"se {se!r} for {wanted[1]!r}")
    return "; ".join(problems) or None


def main() -> None:
    data = reader(Path(os.environ["EVALKIT_REFERENCE"]))
    print(f"{'case':62} {'met':>5} {'not':>5} {'why':>5} {'absent':>6}")
    total = [0, 0, 0, 0]
    for case in cases():
        method = method_of(case)
        if method is None:
            total[3] += len(case.numbers)
            print(f"{case.name:62} {'not covered':>24}")
            continue
        verdict = judge(case, method, data)
        counts = [len(verdict.met), len(verdict.failed), len(verdict.unmet), len(verdict.absent)]
        total = [a + b for a, b in zip(total, counts)]
        print(f"{case.name:62} {counts[0]:5} {counts[1]:5} {counts[2]:5} {counts[3]:6}")
        for line in (*verdict.failed[:3], *verdict.unmet[:3]):
            print(f"    {line}")
    print(f"{'quantities':62} {total[0]:5} {total[1]:5} {total[2]:5} {total[3]:6}")


if __name__ == "__main__":
    # the methods register with the module by its name, of which `-m` runs a second copy
    importlib.import_module("tests.golden.agreement").main()
