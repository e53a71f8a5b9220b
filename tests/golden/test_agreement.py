"""Numbers of R packages, case by case (`agreement`); what is not met is said there with its reason."""

from __future__ import annotations

import pytest

from tests.golden import agreement

pytestmark = pytest.mark.reference
COVERED = [case for case in agreement.cases() if agreement.method_of(case) is not None]


@pytest.mark.parametrize("case", COVERED, ids=lambda case: case.name)
def test_case_is_met(case, reference):
    """Every quantity that evalkit computes equals the package's number, or is explained and truly differs."""
    method = agreement.method_of(case)
    verdict = agreement.judge(case, method, agreement.reader(reference))
    assert not verdict.failed, verdict.failed[:5]
    assert verdict.met or verdict.unmet, f"nothing of {case.name} was computed"
