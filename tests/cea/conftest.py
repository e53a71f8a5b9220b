"""The synthetic work-injury analysis: 1,000 draws, three strategies, seven parameters (own data, free to ship)."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from evalkit import cea
from evalkit.core import Psa

GOLDEN = Path(__file__).parent.parent / "golden" / "cea"
STRATEGIES = ("none", "train", "inspect")


@pytest.fixture(scope="session")
def psa() -> Psa:
    frame = pd.read_csv(GOLDEN / "synthetic_wi_psa.csv")
    cost, effect = (frame[[f"{p}_{s}" for s in STRATEGIES]].to_numpy() for p in "ce")
    drawn = {c: frame[c].to_numpy() for c in frame.columns[:7]}
    return cea.psa_from_arrays(cost, effect, STRATEGIES, comparator="none", parameters=drawn, seed=1)
