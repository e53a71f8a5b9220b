"""Money of a synthetic workspace's truth: what its projects truly saved, valued exactly as an evaluation would.

The generator knows the injuries that a project averted but no prices. Here they meet the unit costs of `cea` with every
parameter at its mean, the register's cost, and the price year, discount rate and delay of `economics.project_money`.
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import cea, data, plans
from ..core import Decision, Flow, UserError, Where, frozen_array
from ..data.layout import ordinal
from .case import Case
from .economics import PERSPECTIVES, project_flows, project_unit_costs
from .evaluation import project_row

TRUTH, SETTINGS = "truth.json", "evalkit.toml"
_TABLES = ("project", "training_summary")
_DRAWS = 2
"""Equal draws: the smallest number that has a covariance, which is nil."""


def add_money(folder: Path | str) -> Path:
    """Write the true money of every project into the truth.json of a synthetic workspace; returns its path.

    Parameters
        folder  workspace with truth.json, evalkit.toml and its office files (register of projects, trainings)
    Every project gets `money`: by perspective (fund, employer, society) npv, bcr, icer (None where `dominance` says
    why), dominance, price_year, discount, delay, programme_cost, averted_cost and unit_cost by severity; yuan of
    price_year. Projects whose register is not among the files (cities outside the scale) and programmes of cities get
    none. Running it again gives the same bytes; the file is replaced in one step.
    Convention: NPV = Σ averted × unit cost × (1 + discount)^−delay − programme cost, all severity groups included,
    also those that an evaluation has too few cases to estimate.
    Raises UserError("no_truth") where the folder has no truth.json, and what `data.ingest` and `plans.load` raise.
    Not for workspaces of real data: nobody knows their truth.
    """
    path = Path(folder) / TRUTH
    if not path.is_file():
        raise UserError("no_truth", where=Where(file=TRUTH), folder=path.parent.name)
    facts = json.loads(path.read_text("utf-8"))
    case = _register(path.parent)
    known = set(case.tables["project"].project_id)
    for project, truth in facts["projects"].items():
        if project in known:
            truth["money"] = project_truth(replace(case, project=project), truth)
    _replace(path, json.dumps(facts, ensure_ascii=False, indent=1) + "\n")
    return path


def project_truth(case: Case, truth: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """True money of one project by perspective, rounded to fen; `truth` is its entry of truth.json."""
    row = project_row(case)
    costs = at_means(project_unit_costs(case, row, pd.Series(dtype=float)))
    flows, delay = project_flows(case, row, costs), true_delay(case, str(truth["start"]))
    averted, without = (
        {group: float(value[key]) for group, value in truth["by_severity"].items()}
        for key in ("averted", "expected_without")
    )
    return {p: _entry(known_effect(averted, costs, flows, p, delay, without), costs, delay) for p in PERSPECTIVES}


def at_means(costs: cea.UnitCosts) -> cea.UnitCosts:
    """The unit costs with every parameter at its mean and the given grade shares: no draws, two equal rows.

    Not the mean of `costs` over its draws: present values are not linear in the parameters (within 2 % of each other).
    """
    fixed = {name: replace(p, distribution="fixed") for name, p in costs.parameters.items()}
    plan = cea.schedule(costs.date, price_year=costs.price_year, overrides=fixed)
    groups = dict(zip(costs.detail.grade, costs.detail.severity))
    return cea.unit_costs(plan, n=_DRAWS, seed=costs.seed, discount=costs.discount, severity=groups)


def known_effect(
    averted: Mapping[str, float],
    costs: cea.UnitCosts,
    programme_cost: float | Sequence[Flow],
    perspective: str = "fund",
    delay: float = 0.0,
    without: Mapping[str, float] | None = None,
) -> Decision:
    """The decision of a programme whose averted injuries by severity are known without error.

    Parameters
        averted         injuries by severity group;  without  injuries expected without the programme (for break-even)
        costs           unit costs at the means (`at_means`)
        programme_cost  as in `cea.decide`;  delay  years from the start to the averted injuries
    Same conventions as an estimated effect: it is `cea.decide` on draws that are all equal.
    """
    names = tuple(averted)
    centre = np.array([averted[k] for k in names])
    draws = cea.Draws(
        names=names,
        values=frozen_array(np.tile(centre, (costs.n, 1))),
        estimate=frozen_array(centre),
        vcov=frozen_array(np.zeros((len(names), len(names)))),
        mu0=frozen_array(np.array([(without or {}).get(k, 0.0) for k in names])),
        df=float("inf"),
        refused=None,
    )
    return cea.decide(draws, costs, programme_cost, perspective=perspective, delay=delay)[0]


def true_delay(case: Case, start: str) -> float:
    """Years from the beginning of quarter `start` to the middle of the mature follow-up (`evaluation.follow_up`)."""
    first = ordinal(start, "quarter")
    last = ordinal(data.last_mature_quarter(case.plan, case.as_of), "quarter")
    assert first is not None and last is not None
    return (last + 1 - first) / 4 / 2


def _entry(decision: Decision, costs: cea.UnitCosts, delay: float) -> dict[str, Any]:
    """One perspective of truth.json. Rounded, so that the last bits of a processor do not show."""
    unit = costs.of(decision.perspective, costs.severities)[0]
    return {
        "npv": _rounded(decision.npv, 2),
        "bcr": _rounded(decision.bcr, 6),
        "icer": _rounded(decision.icer, 2),
        "dominance": decision.dominance,
        "price_year": decision.price_year,
        "discount": costs.discount,
        "delay": delay,
        "programme_cost": _rounded(decision.programme_cost, 2),
        "averted_cost": _rounded(decision.averted_cost, 2),
        "unit_cost": {s: _rounded(float(u), 2) for s, u in zip(costs.severities, unit)},
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits) + 0.0


def _register(root: Path) -> Case:
    """The workspace with its register of projects and trainings; no other office file is read."""
    settings = tomllib.loads((root / SETTINGS).read_text("utf-8-sig"))
    about = settings["workspace"]
    plan = plans.load(about["plan"], root)
    files = [data.FileSpec(**entry) for entry in settings["files"] if entry["table"] in _TABLES]
    canonical = data.ingest(root, files, plan, as_of=about["as_of"], key=b"", synthetic=bool(about["synthetic"]))
    return Case(
        kind="project", workspace=None, plan=plan, canonical=canonical, period=about["period"], as_of=about["as_of"],
        lang=about["language"], seed=about["seed"], draws=_DRAWS, synthetic=bool(about["synthetic"]),
    )  # fmt: skip


def _replace(path: Path, content: str) -> None:
    """Write a file so that a reader sees the old or the new one, never a part."""
    handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode("utf-8"))
        os.chmod(draft, path.stat().st_mode & 0o777)
        os.replace(draft, path)
    finally:
        Path(draft).unlink(missing_ok=True)
