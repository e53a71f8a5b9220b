"""What a newcomer installs: environment.yml equals pyproject.toml, the lock is hashed and names no index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
CONDA_NAMES = {"matplotlib-base": "matplotlib"}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def test_environment_yml_equals_pyproject() -> None:
    """Every dependency of pyproject.toml stands in environment.yml with the same range, and nothing else."""
    env = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    assert set(env["channels"]) <= {"conda-forge", "nodefaults"}
    plain = [Requirement(d) for d in env["dependencies"] if isinstance(d, str)]
    conda = {CONDA_NAMES.get(r.name, r.name): r.specifier for r in plain if r.name not in {"python", "pip"}}
    wanted = {r.name: r.specifier for r in map(Requirement, project()["dependencies"])}
    assert conda == wanted
    python = next(r for r in plain if r.name == "python")
    assert str(python.specifier) == project()["requires-python"]


def test_lock_covers_every_dependency_with_hashes() -> None:
    """The lock pins every dependency in range, with hashes, and without an index address."""
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^--(extra-)?index-url", text, flags=re.M)
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", text, flags=re.M):
        pins.setdefault(name, []).append(version)
    blocks = re.split(r"\n(?=[a-z0-9])", text.split("\n\n", 1)[-1])
    assert all("--hash=sha256:" in b for b in blocks if "==" in b.splitlines()[0])
    extras = project()["optional-dependencies"]["dev"]
    for need in map(Requirement, [*project()["dependencies"], *extras]):
        name = need.name.lower().replace("_", "-")
        assert name in pins, f"{name} is not locked"
        assert any(need.specifier.contains(v) for v in pins[name]), f"{name} {pins[name]} outside {need.specifier}"
