"""Fixtures over the real runs; each run is made once and shared by everything that reads it."""

from __future__ import annotations

import pytest
from e2e import real_runs
from e2e.real_runs import Ran


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return real_runs.tiny_run(tmp_path_factory)


@pytest.fixture(scope="session")
def again(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return real_runs.tiny_again(tmp_path_factory)


@pytest.fixture(scope="session")
def withheld(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return real_runs.tiny_withheld(tmp_path_factory)


@pytest.fixture(scope="session")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return real_runs.zones_run(tmp_path_factory)


@pytest.fixture(scope="session")
def perturbed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return real_runs.zones_perturbed(tmp_path_factory)
