"""Base of the province: employees and injury rate by city and industry in the reference month."""

from __future__ import annotations

from functools import cache

import numpy as np

from .calibrate import settings, stream, table


@cache
def places() -> tuple[str, ...]:
    """City codes, in file order."""
    return tuple(table("cities").place)


@cache
def industries() -> tuple[str, ...]:
    """Industry codes, in file order."""
    return tuple(table("mix").industry)


@cache
def special_share() -> np.ndarray:
    """People without a labour relation (I,) by industry, as a share of all employees of a city."""
    s = settings()["insured"]
    return np.array([s["special"]["share"] * s["special_mix"].get(i, 0.0) for i in industries()])


@cache
def industry_mix() -> np.ndarray:
    """Share of a city's employees by industry (P, I): the mix of its region, slightly different in every city."""
    mix, cities = table("mix"), table("cities")
    rng = stream(0, "mix")
    noise = rng.standard_normal((len(cities), len(mix))) * settings()["insured"]["mix_jitter_sd"]
    share = mix[list(cities.region)].to_numpy().T * np.exp(noise)
    return share / share.sum(axis=1, keepdims=True)


@cache
def base_insured() -> np.ndarray:
    """Employees (P, I); with the people without a labour relation they make up the insured of cities.csv."""
    total = table("cities").insured.to_numpy(float) / (1 + special_share().sum())
    return total[:, None] * industry_mix()


@cache
def base_rate() -> np.ndarray:
    """Cases per insured employee and year (P, I), scaled so that every city has its rate of cities.csv."""
    cities, rate = table("cities"), table("mix").rate.to_numpy() / 1000
    risk = settings()["insured"]["special"]["risk"]
    cases = (industry_mix() + risk * special_share()) @ rate
    per_head = cases / (1 + special_share().sum())
    return (cities.rate.to_numpy() / 1000 / per_head)[:, None] * rate[None, :]


def cell(values: np.ndarray, place: str, industry: str) -> float:
    """One element of a (P, I) array by code."""
    return float(values[places().index(place), industries().index(industry)])
