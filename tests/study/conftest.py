"""The tiny sample and the real panel, each read once per session and opened as notebooks open them."""

from __future__ import annotations

import pytest
from bench import Bench, prepared_bench
from bench import tiny as make_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_tiny(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def zones(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """The public panel of 22 cities: one city and the overview."""
    folder = tmp_path_factory.mktemp("zones")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVALKIT_PRIVACY_KEY", "a key for tests only")
        bench = prepared_bench("ezunem", folder)
        bench.open("city", "city", place="c05")
        bench.open("province", "province")
    return bench
