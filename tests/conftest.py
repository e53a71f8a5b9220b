"""Shared by all tests: where the reference numbers are, and that a skip is a failure in CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "data_samples" / "guangdong"


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def sample() -> Path:
    return SAMPLE


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference numbers; skips with a reason where it is not given."""
    folder = os.environ.get("EVALKIT_REFERENCE")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EVALKIT_REFERENCE does not name the folder of reference numbers")
    return Path(folder)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """In CI nothing may be skipped: whatever a newcomer's machine may lack is there."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Let `--dist loadgroup` see the groups: xdist 3.8 writes them where pytest 9 no longer reads them."""
    if not getattr(config.option, "loadgroup", False):
        return
    for item in items:
        named = getattr(item, "_nodeid", item.nodeid)
        if named != item.nodeid:
            from _pytest.nodeid import NodeId

            item._id = NodeId.parse(named)
