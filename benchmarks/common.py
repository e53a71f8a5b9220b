"""What the Monte Carlo studies of this folder share: options, replications, shares with their error, csv rows."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

Row = dict[str, Any]
HERE = Path(__file__).parent


def options(description: str | None, *, seeds: int, jobs: int, out: str) -> argparse.ArgumentParser:
    """Parser with the options that every study has; `out` is a file of this folder."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=jobs)
    parser.add_argument("--out", type=Path, default=HERE / out)
    return parser


def replicate(one: Callable[[int], Row], args: argparse.Namespace) -> list[Row]:
    """One row a seed, in the order of the seeds, in `args.jobs` processes (1: in this one)."""
    seeds = range(args.first, args.first + args.seeds)
    if args.jobs == 1:
        return [one(seed) for seed in seeds]
    with ProcessPoolExecutor(args.jobs) as pool:
        return list(pool.map(one, seeds, chunksize=20))


def share(flags: Iterable[Any]) -> tuple[float, float]:
    """Share of true flags and its Monte Carlo standard error √(p(1 − p)/n); NaN without any flag."""
    values = np.array(list(flags), dtype=bool)
    p = float(values.mean()) if len(values) else math.nan
    return p, math.sqrt(p * (1 - p) / len(values)) if len(values) else math.nan


def record(row: Row, out: Path) -> None:
    """Append a row to a csv file and print it. A file with other columns is left alone: ValueError."""
    new = not out.exists()
    if not new and out.read_text("utf-8").partition("\n")[0].strip().split(",") != list(row):
        raise ValueError(f"{out.name} has other columns")
    with out.open("a", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(row))
        if new:
            writer.writeheader()
        writer.writerow({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()})
    width = max(map(len, row)) + 2
    for key, value in row.items():
        sys.stdout.write(f"{key:>{width}}  {value:.4g}\n" if isinstance(value, float) else f"{key:>{width}}  {value}\n")
