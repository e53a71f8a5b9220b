"""Sets for the incremental cost-effectiveness ratio from draws or from individuals: Fieller, BCa, percentile.

The draws are directions on the plane of effect and cost. Quantiles are taken of their angle to the mean's direction,
not of the ratio, which jumps from +∞ to −∞ where the effect changes sign: the set is the wedge between two directions,
and its type follows as for Fieller's set. Where all draws lie on one side the wedge has the quantiles of the ratio.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from scipy.special import ndtr, ndtri

from ..core import Psa, UserError
from .checks import numbers
from .curves import against
from .distributions import stream
from .intervals import RatioSet, critical, fieller

Method = Literal["fieller", "bca", "percentile"]
BLOCK = 2_000_000


def icer_set(
    psa: Psa, method: Method = "fieller", *, strategy: str | None = None, df: float | None = None, level: float = 0.95
) -> RatioSet:
    """Confidence set of ΔC/ΔE of a strategy against the comparator, from the draws.

    Parameters
        method    "fieller" from the mean and covariance of the draws; "bca" and "percentile" from their directions:
                  nothing is resampled, the draws are the replicates. For "bca" the bias correction is the share of
                  draws below the mean's direction; the acceleration is nil, as for a normal estimate whose covariance
                  does not depend on its mean (`icer_bootstrap` estimates it from individuals)
        strategy  the only other one without a name
        df        for "fieller", of draws that follow Student's t: their covariance is taken back to its scale, times
                  (df − 2)/df, and the quantile is t's; normal without
    Returns a RatioSet (money per unit of effect): interval, complement or whole line.
    Raises UserError("unknown_strategy"), ("unknown_method"), ("level_outside"), ("df_outside") for df ≤ 2, where t has
    no variance. With a weak effect read Fieller's.
    """
    cost, effect = _increments(psa, strategy)
    if method == "fieller":
        if df is not None and not df > 2:
            raise UserError("df_outside", found=df)
        v = np.cov(cost, effect) * (1.0 if df is None or np.isinf(df) else (df - 2) / df)
        return fieller(
            float(cost.mean()), float(effect.mean()), float(v[0, 0]), float(v[1, 1]), float(v[0, 1]), df=df, level=level
        )
    return wedge(cost, effect, (float(cost.mean()), float(effect.mean())), _known(method), level=level)


def icer_bootstrap(
    cost: Any,
    effect: Any,
    treated: Any,
    *,
    cluster: Any = None,
    method: Literal["bca", "percentile"] = "bca",
    n: int = 2_000,
    seed: int = 1,
    level: float = 0.95,
) -> RatioSet:
    """Confidence set of ΔC/ΔE from individual data: firms or workers, or their clusters, resampled within each arm.

    Parameters
        cost, effect, treated  (m,) money, units of effect, True in the programme;  cluster (m,) labels of what is
                               resampled (all of one arm), every row by itself without
        n, seed                bootstrap samples (≥ 100) and seed;  level  of the set
    Bias correction from the share of samples below the estimate, acceleration from the empirical influence
    of the clusters of both arms. Source: Efron (1987); Briggs, Wonderling, Mooney (1997).
    Raises UserError("bootstrap_outside") with fewer than two clusters in an arm or fewer than 100 samples,
    ("unknown_method"), ("level_outside"), ("unequal_draws"), ("not_a_number"), ("clusters_in_both_arms"). Not for data
    in which assignment was not random: estimate the effect first.
    """
    data = _individuals(cost, effect, treated, cluster)
    arms = [_cluster_sums(*data, arm) for arm in (True, False)]
    if n < 100 or min(map(len, arms)) < 2:
        raise UserError("bootstrap_outside", found=f"{n}; {len(arms[0])}, {len(arms[1])}")
    rng = stream(seed, "icer_bootstrap")
    drawn = [_resampled(sums, n, rng) for sums in arms]
    inc_cost, inc_effect = (drawn[0] - drawn[1]).T
    means = [_mean(sums.sum(axis=0)) for sums in arms]
    centre = means[0] - means[1]
    centre_pair = (float(centre[0]), float(centre[1]))
    if _known(method) == "percentile":
        return wedge(inc_cost, inc_effect, centre_pair, "percentile", level=level)
    pull = np.concatenate([_pull(sums, mean, centre) * sign for sums, mean, sign in zip(arms, means, (1, -1))])
    spread = float((pull**2).sum()) ** 1.5
    acceleration = float((pull**3).sum()) / (6 * spread) if spread > 0 else 0.0
    return wedge(inc_cost, inc_effect, centre_pair, "bca", level=level, acceleration=acceleration)


def _pull(sums: np.ndarray, mean: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(clusters,) how much each turns the direction of the estimate, up to a factor: its empirical influence."""
    off = (sums[:, :2] - mean * sums[:, 2:]) / sums[:, 2].sum()
    return np.asarray(off[:, 0] * centre[1] - off[:, 1] * centre[0])


def wedge(
    cost: np.ndarray,
    effect: np.ndarray,
    centre: tuple[float, float],
    method: str,
    *,
    level: float,
    acceleration: float = 0.0,
) -> RatioSet:
    """The set between two quantiles of the angle of (effect, cost) to the direction of `centre` (ΔC, ΔE).

    The whole line where the centre has no direction or no draw has an effect: there is no ratio to exclude.
    """
    if not (np.any(centre) and effect.any()):
        return RatioSet(type="whole_line", low=None, high=None, level=level)
    scale = float(np.hypot(*centre) and (cost.std() / effect.std() if effect.std() > 0 and cost.std() > 0 else 1.0))
    scale = scale or 1.0
    angle = _turn(cost / scale, effect, (centre[0] / scale, centre[1]))
    z = critical(level) * np.array([-1.0, 1.0])
    if method == "bca":
        below = ((angle < 0).mean() + (angle <= 0).mean()) / 2
        shift = ndtri(np.clip(below, 0.5 / len(angle), 1 - 0.5 / len(angle)))
        z = shift + (shift + z) / (1 - acceleration * (shift + z))
    low, high = np.quantile(angle, ndtr(z))
    if high - low >= np.pi:
        return RatioSet(type="whole_line", low=None, high=None, level=level)
    ends = np.arctan2(centre[0] / scale, centre[1]) + np.array([low, high])
    first, second = (float(v) for v in np.tan(ends) * scale)
    turns = np.floor((ends - np.pi / 2) / np.pi)
    if turns[0] == turns[1]:
        return RatioSet(type="interval", low=first, high=second, level=level)
    return RatioSet(type="complement", low=second, high=first, level=level)


def _turn(cost: np.ndarray, effect: np.ndarray, centre: tuple[float, float]) -> np.ndarray:
    """Angle from the direction of `centre` to that of every draw, in (−π, π]."""
    c, e = centre
    return np.arctan2(cost * e - effect * c, effect * e + cost * c)


def _increments(psa: Psa, strategy: str | None) -> tuple[np.ndarray, np.ndarray]:
    j, base = against(psa, strategy), psa.strategies.index(psa.comparator)
    return psa.cost[:, j] - psa.cost[:, base], psa.effect[:, j] - psa.effect[:, base]


def _known(method: str) -> str:
    if method not in ("bca", "percentile"):
        raise UserError("unknown_method", found=method, known=", ".join(get_args(Method)))
    return method


def _individuals(
    cost: Any, effect: Any, treated: Any, cluster: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None]:
    """The data as arrays of one length: arms of noughts and ones, every cluster in one of them."""
    c, e, arm = (numbers(name, v) for name, v in (("cost", cost), ("effect", effect), ("treated", treated)))
    label = None if cluster is None else np.asarray(cluster)
    if label is not None and label.dtype == object:
        label = label.astype(str)
    shapes = [a.shape for a in (c, e, arm, label) if a is not None]
    if len(set(shapes)) > 1 or c.ndim != 1:
        raise UserError("unequal_draws", found="; ".join(map(str, shapes)), n=c.size)
    if not np.isin(arm, (0, 1)).all():
        raise UserError("choice_unknown", name="treated", found=str(arm[~np.isin(arm, (0, 1))][0]), known="0, 1")
    if label is not None and (both := np.intersect1d(label[arm == 1], label[arm == 0])).size:
        raise UserError("clusters_in_both_arms", found=", ".join(map(str, both[:3])))
    return c, e, arm == 1, label


def _cluster_sums(
    cost: np.ndarray, effect: np.ndarray, treated: np.ndarray, cluster: np.ndarray | None, arm: bool
) -> np.ndarray:
    """(clusters, 3) sums of cost, effect and rows of one arm."""
    mine = treated == arm
    rows = np.column_stack([cost, effect, np.ones(len(mine))])[mine]
    if cluster is None:
        return rows
    _, code = np.unique(cluster[mine], return_inverse=True)
    return np.column_stack([np.bincount(code, column) for column in rows.T])


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., :2] / sums[..., 2:])


def _resampled(sums: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """(n, 2) mean cost and effect of n samples of as many clusters, with replacement."""
    g = len(sums)
    size = max(1, BLOCK // g)
    parts = [sums[rng.integers(g, size=(min(size, n - at), g))].sum(axis=1) for at in range(0, n, size)]
    return _mean(np.concatenate(parts))
