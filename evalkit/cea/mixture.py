"""Uncertainty about the model itself: in every draw one model holds, drawn by its weight."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..core import Psa, UserError
from .curves import psa_from_arrays
from .distributions import stream

SAME = ("strategies", "comparator", "currency", "price_year", "effect_unit", "perspective")


def mixture(models: Mapping[str, Psa], weights: Mapping[str, float], *, seed: int = 1) -> Psa:
    """One analysis over several models: each draw comes from one of them.

    Averaging the draws of models instead would understate the spread, hence acceptability and EVPI.

    Parameters
        models   Psa by name, equal in strategies, comparator, currency, price year, unit, perspective and draws
        weights  of every model, ≥ 0, summing to one
    Returns a Psa with all parameters, and the number of the model (0, 1, ...) as the parameter "model": its EVPPI is
    the value of knowing which model holds.
    Raises UserError("mixed_models"), ("unequal_draws"), ("weights_outside"), ("repeated_parameter") for one named
    "model".
    """
    found = list(models.values())
    if "model" in {n for p in found for n in p.parameter_names}:
        raise UserError("repeated_parameter", found="model")
    for fact in SAME:
        said = {str(getattr(p, fact)) for p in found}
        if len(said) > 1:
            raise UserError("mixed_models", fact=fact, found="; ".join(sorted(said)))
    if len({p.n for p in found}) > 1:
        raise UserError("unequal_draws", found=", ".join(f"{k} {p.n}" for k, p in models.items()), n=found[0].n)
    share = np.array([weights.get(k, -1.0) for k in models])
    if set(weights) != set(models) or (share < 0).any() or not np.isclose(share.sum(), 1.0):
        raise UserError("weights_outside", found=", ".join(f"{k} {v}" for k, v in weights.items()))
    first = found[0]
    which = np.searchsorted(np.cumsum(share)[:-1], stream(seed, "model").random(first.n), side="right")
    row = np.arange(first.n)
    cost, effect = (np.stack([getattr(p, a) for p in found])[which, row] for a in ("cost", "effect"))
    drawn: dict[str, np.ndarray] = {}
    for name in dict.fromkeys(n for p in found for n in p.parameter_names):
        columns = [_column(p, name) for p in found]
        known = next(c for c in columns if c is not None)
        drawn[name] = np.stack([known if c is None else c for c in columns])[which, row]
    facts = {fact: getattr(first, fact) for fact in (*SAME[2:], "horizon", "discount_cost", "discount_effect")}
    return psa_from_arrays(
        cost, effect, first.strategies, comparator=first.comparator, parameters=drawn | {"model": which}, seed=seed,
        **facts,
    )  # fmt: skip


def _column(psa: Psa, name: str) -> np.ndarray | None:
    if psa.parameters is None or name not in psa.parameter_names:
        return None
    return psa.parameters[:, psa.parameter_names.index(name)]
