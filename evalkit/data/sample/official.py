"""Official tables of all places as canonical frames: insured, cases, benefits, ledger. Money in yuan."""

from __future__ import annotations

import numpy as np
import pandas as pd

from . import base
from .calibrate import settings, severity, stream, table
from .timeline import months, years_from_reference
from .world import World

PROVINCE = "440000"


def wage_path() -> np.ndarray:
    """Mean monthly contribution wage (M,), yuan."""
    s = settings()["money"]
    return np.round(s["wage"] * (1 + s["wage_growth"]) ** years_from_reference(), 2)


def exposure_summary(world: World) -> pd.DataFrame:
    """Insured, payroll and premium by place, industry, month and type of insurance."""
    project = np.array([i == "construction" for i in world.cells.industries])
    parts = []
    for kind, insured in (("employee", world.cells.insured), ("special", world.special)):
        p, i, m = np.nonzero(insured)
        heads = insured[p, i, m]
        payroll = heads * wage_path()[m] * (1.0 if kind == "employee" else 0.6)
        rate = np.asarray(settings()["money"]["class_rate"])[table("mix").risk_class.to_numpy()[i] - 1]
        label = np.where(project[i], "project", kind) if kind == "employee" else np.full(len(i), kind)
        parts.append(_cells(p, i, m).assign(
            insured_type=label, insured=heads, payroll=payroll.round(-2),
            premium=(payroll * rate * settings()["money"]["rate_factor"]).round(-2)))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def case_summary(world: World) -> pd.DataFrame:
    """Recognised cases by place, industry, month of injury, situation and grade; empty cells are left out."""
    total = world.remainder + world.extract
    p, i, m, k = np.nonzero(total)
    _, rows, columns = severity()
    return _cells(p, i, m).assign(
        situation=table("situations").situation.to_numpy()[rows[k]],
        grade=table("grades").grade.to_numpy()[columns[k]],
        cases=total[p, i, m, k],
    )


def _cells(p: np.ndarray, i: np.ndarray, m: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "place": np.array(base.places())[p],
            "industry": np.array(base.industries())[i],
            "month": np.array(months())[m],
        }
    )


def yearly_cases(world: World) -> np.ndarray:
    """Recognised cases (P, Y) by year of injury."""
    return (world.remainder + world.extract).sum(axis=(1, 3)).reshape(len(base.places()), -1, 12).sum(axis=2)


def benefit_summary(world: World) -> pd.DataFrame:
    """Persons and benefits paid by place, year and item; cash, not commitments."""
    s, items, cases = settings()["money"], table("items"), yearly_cases(world)
    rng = stream(world.seed, "benefits")
    wage = wage_path().reshape(-1, 12).mean(axis=1) / s["wage"]
    noise = np.exp(0.05 * rng.standard_normal((*cases.shape, len(items))))
    base_amount = (cases * wage)[:, :, None] * s["cash_per_case"]
    amount = (base_amount * items.share.to_numpy() * noise).round(2)
    persons = rng.poisson(cases[:, :, None] * items.persons_per_case.to_numpy())
    p, y, k = (a.ravel() for a in np.indices(amount.shape))
    return pd.DataFrame(
        {
            "place": np.array(base.places())[p], "year": int(months()[0][:4]) + y, "item": items.item.to_numpy()[k],
            "persons": persons.ravel(), "amount": np.where(persons.ravel() > 0, amount.ravel(), 0.0),
        }
    )  # fmt: skip


def ledger(world: World, exposure: pd.DataFrame, benefits: pd.DataFrame, projects: pd.DataFrame) -> pd.DataFrame:
    """Monthly accounts of every city and of the provincial level (its own accounts, not the sum of the cities).

    Benefits of the months of a year add up to `benefits`; prevention spending covers the projects of the year, and
    its yearly budget stands in January.
    """
    s = settings()["money"]
    premium = exposure.pivot_table(index="place", columns="month", values="premium", aggfunc="sum")
    paid = benefits.pivot_table(index="place", columns="year", values="amount", aggfunc="sum")
    cities = list(base.places())
    levy = premium.loc[cities].to_numpy() * s["collected"] * np.exp(0.01 * _noise(world, "levy", premium.shape))
    spent = _spread(paid.loc[cities].to_numpy(), np.ones(12) / 12, world, "paid")
    cases = np.repeat(yearly_cases(world), 12, axis=1) / 12
    accounts = {"levy": levy, "interest": levy * s["interest_rate"], "benefits": spent,
                "appraisal": cases * s["appraisal_per_case"]}  # fmt: skip
    accounts = {k: np.vstack([v, v.sum(axis=0) * s["province_share"]]).round(2) for k, v in accounts.items()}
    prevention, budget = _prevention(world, projects, [*cities, PROVINCE])
    rows = {**accounts, "prevention": prevention}
    p, m = (a.ravel() for a in np.indices(prevention.shape))
    frames = [
        pd.DataFrame({
            "place": np.array([*cities, PROVINCE])[p], "month": np.array(months())[m], "account": name,
            "amount": values.ravel(), "budget": budget.ravel() if name == "prevention" else np.nan})
        for name, values in rows.items()
    ]  # fmt: skip
    return pd.concat(frames, ignore_index=True)


def _noise(world: World, name: str, shape: tuple[int, ...]) -> np.ndarray:
    return stream(world.seed, f"ledger/{name}").standard_normal(shape)


def _spread(yearly: np.ndarray, weight: np.ndarray, world: World, name: str) -> np.ndarray:
    """Yearly sums (P, Y) over months (P, 12 Y) with noisy weights, to the fen; December takes the rounding."""
    share = weight * np.exp(0.08 * _noise(world, name, (*yearly.shape, 12)))
    monthly = (yearly[:, :, None] * share / share.sum(axis=2, keepdims=True)).round(2)
    monthly[:, :, -1] = (yearly - monthly[:, :, :-1].sum(axis=2)).round(2)
    return monthly.reshape(len(yearly), -1)


def _prevention(world: World, projects: pd.DataFrame, places: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Prevention spending (P, M) and, in January, its budget of the year (P, M)."""
    s, years = settings()["money"], sorted({int(m[:4]) for m in months()})
    cost = projects.pivot_table(index="place", columns="fiscal_year", values="actual_cost", aggfunc="sum")
    cost = cost.reindex(index=places, columns=years).to_numpy(copy=True)
    first = int(np.flatnonzero(~np.isnan(cost).all(axis=0))[0])
    before = np.arange(first, 0, -1)
    cost[:, :first] = np.nanmean(cost[:, first : first + 2], axis=1)[:, None] * 0.9**before
    yearly = (np.nan_to_num(cost) * (1 + s["prevention_beyond_projects"])).round(2)
    rng = stream(world.seed, "ledger/execution")
    execution = np.clip(s["execution_mean"] + s["execution_sd"] * rng.standard_normal(yearly.shape), 0.65, 0.995)
    budget = np.full((len(places), len(years), 12), np.nan)
    budget[:, :, 0] = np.ceil(yearly / execution / 1e4) * 1e4
    return _spread(yearly, np.asarray(s["month_weight"]), world, "prevention"), budget.reshape(len(places), -1)
