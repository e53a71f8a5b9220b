"""From an estimated effect to draws of averted injuries, jointly over severities, on the count scale.

On the log scale with Student's t the mean of the averted count does not exist. On the count scale averted = μ0 −
observed is the estimate and −μ0 its derivative in log(observed/μ0), so the draws are a multivariate t around it with
the covariance and the degrees of freedom of the inference that was reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core import MONEY_DF, EffectPath, Inference, UserError, frozen_array
from .checks import numbers, one_of, whole, within
from .distributions import stream

MAX_DRAWS = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """Draws of averted injuries by severity.

    names     severity groups (k,);  values (n, k) averted cases, positive = fewer injuries; (0, k) without a covariance
    estimate  (k,) and vcov (k, k) they are drawn around;  df of the reported inference, the smallest over the rows used
    mu0       (k,) injuries expected without the programme
    zeroed    severities with too few expected cases: effect 0 here (base case) unless pooled
    refused   message key where means, curves and values of information may not be formed, else None
    """

    names: tuple[str, ...]
    values: np.ndarray
    estimate: np.ndarray
    vcov: np.ndarray
    mu0: np.ndarray
    df: float | None
    refused: str | None
    zeroed: tuple[str, ...] = ()
    small: str = "zero"
    method: str = ""
    seed: int | None = None

    @property
    def n(self) -> int:
        return self.values.shape[0]


def averted_draws(
    path: EffectPath,
    n: int = 10_000,
    seed: int = 1,
    *,
    primary: str = "avertable",
    small: Literal["zero", "pooled"] = "zero",
    min_expected: float = 10.0,
    expected: Mapping[str, float] | None = None,
) -> Draws:
    """Averted injuries by severity as draws from the joint estimate.

    Parameters
        path          count path with inference, one row an outcome: "<primary>.<severity>" for the strata and, if it is
                      there, "<primary>" for all of them. Other outcomes (commuting, disease) are left out
        n, seed       number of draws (at most 200,000) and seed
        small         a stratum with fewer than `min_expected` injuries expected: "zero" gives it effect 0 (base case),
                      "pooled" the proportional effect of all strata together (a scenario)
        expected      injuries expected by severity for strata that have no row of their own
    Returns Draws (values in cases). `refused` is set where the design is not testable, df < 3 or no stratum carries an
    estimate; values then serve an interval at most.
    Raises UserError("effect_without_counts"), ("effect_without_inference"), ("effect_without_covariance"),
    ("effect_rows_repeated"), ("too_many_draws"), ("no_pooled_row"), ("value_outside"), ("choice_unknown"), and
    ("not_a_number") or ("correlation_outside") for what is no covariance.
    """
    if not 2 <= whole("n", n, -np.inf) <= MAX_DRAWS:
        raise UserError("too_many_draws", found=n, limit=MAX_DRAWS)
    one_of("small", small, ("zero", "pooled"))
    within("min_expected", min_expected, 0.0)
    for severity, cases in (expected or {}).items():
        within(f"expected {severity}", cases, 0.0)
    n, rows = int(n), _rows(path, primary)
    names = tuple(dict.fromkeys([*(k for k in rows if k), *(expected or {})]))
    mu0 = np.array([path.mu0[rows[k]] if k in rows else (expected or {})[k] for k in names])  # type: ignore[index]
    live = np.array([k in rows and m >= min_expected for k, m in zip(names, mu0)], dtype=bool)
    use = list(rows.values())
    mapping = _mapping(path, rows, names, live, mu0, small)
    estimate, vcov = _count_scale(path, use)
    df, refused = _licence(path, [i for i, m in zip(use, np.abs(mapping).sum(axis=0)) if m > 0])
    centre = mapping @ estimate
    spread = np.zeros((len(names),) * 2) if vcov is None else mapping @ vcov @ mapping.T
    drawable = vcov is not None and df is not None
    values = _multivariate_t(centre, spread, df, n, seed) if drawable else np.empty((0, len(names)))  # type: ignore[arg-type]
    return Draws(
        names=names,
        values=frozen_array(values),
        estimate=frozen_array(centre),
        vcov=frozen_array(spread),
        mu0=frozen_array(mu0),
        df=df,
        refused=refused,
        zeroed=tuple(k for k, a in zip(names, live) if not a),
        small=small,
        method=path.method,
        seed=seed,
    )


def _rows(path: EffectPath, primary: str) -> dict[str, int]:
    """Row of the path by severity; "" is the row of all severities together."""
    if not path.is_count:
        raise UserError("effect_without_counts", method=path.method)
    if len(path.inference) != len(path):
        raise UserError("effect_without_inference", method=path.method)
    rows: dict[str, int] = {}
    for i, term in enumerate(path.terms):
        if term.outcome != primary and not term.outcome.startswith(primary + "."):
            continue
        severity = term.outcome[len(primary) + 1 :]
        if severity in rows:
            raise UserError("effect_rows_repeated", outcome=term.outcome)
        rows[severity] = i
    return rows


def _mapping(
    path: EffectPath,
    rows: dict[str, int],
    names: tuple[str, ...],
    live: np.ndarray,
    mu0: np.ndarray,
    small: str,
) -> np.ndarray:
    """(k, rows used) linear map from averted counts of the rows to averted counts by severity."""
    columns = list(rows)
    matrix = np.zeros((len(names), len(columns)))
    for i, name in enumerate(names):
        if live[i]:
            matrix[i, columns.index(name)] = 1.0
        elif small == "pooled":
            if "" not in rows:
                raise UserError("no_pooled_row", severity=name)
            matrix[i, columns.index("")] = mu0[i] / path.mu0[rows[""]]  # type: ignore[index]
    return matrix


def _count_scale(path: EffectPath, use: list[int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Averted counts and their covariance, its diagonal made equal to the reported standard errors."""
    averted = path if path.terms and path.terms[0].measure == "averted" else path.averted()
    estimate = averted.estimate[use]
    if averted.vcov is None:
        if all(path.inference[i].std_error is None for i in use):
            return estimate, None
        raise UserError("effect_without_covariance", method=path.method)
    assert path.vcov is not None
    told = [i for i in use if path.inference[i].std_error is not None]
    known = numbers("vcov", path.vcov[np.ix_(told, told)])
    least = np.linalg.eigvalsh(known).min(initial=0.0)
    if least < -1e-8 * np.abs(known).max(initial=0.0):
        raise UserError("correlation_outside", found=f"vcov: {least:g}")
    own = np.sqrt(np.clip(np.diag(path.vcov)[use], 0, None))
    reported = np.array([s if (s := path.inference[i].std_error) is not None else o for i, o in zip(use, own)])
    ratio = np.divide(reported, own, out=np.ones_like(own), where=own > 0)
    return estimate, averted.vcov[np.ix_(use, use)] * np.outer(ratio, ratio)


def _licence(path: EffectPath, live: list[int]) -> tuple[float | None, str | None]:
    """Smallest df over the rows that count, and the reason why means may not be formed."""
    if not live:
        return None, "cea.refused.no_stratum"
    inferences: list[Inference] = [path.inference[i] for i in live]
    if any(inf.std_error is None or inf.df is None or inf.rule == "not_testable" for inf in inferences):
        return None, "cea.refused.not_testable"
    df = min(float(inf.df) for inf in inferences if inf.df is not None)
    return df, None if df >= MONEY_DF else "cea.refused.low_df"


def _multivariate_t(centre: np.ndarray, scale: np.ndarray, df: float, n: int, seed: int) -> np.ndarray:
    """(n, k) draws centre + z √(df/χ²), z ~ N(0, scale): intervals are those of the reported t."""
    rng = stream(seed, "effect")
    values, vectors = np.linalg.eigh(scale)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    z = rng.standard_normal((n, len(centre))) @ root.T
    if not np.isinf(df):
        z /= np.sqrt(rng.chisquare(df, n) / df)[:, None]
    return centre + z
