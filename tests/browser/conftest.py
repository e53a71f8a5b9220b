"""One Chromium for each module of browser tests, and the pages they look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.real_runs import Ran, tiny_run

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Closed after each module: Playwright keeps an event loop running, which later tests of a worker may need."""
    if not Path(CHROMIUM).exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published run with every kind of exhibit, hostile names and places that failed; or the one the user names."""
    if given := os.environ.get("EVALKIT_BROWSER_RUN"):
        return Path(given).absolute()
    from published_run import build

    return build(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return tiny_run(tmp_path_factory)
