"""A joint test of several contrasts of one regression with few clusters: all leads are zero, all effects are equal.

Wald statistic with the CR2 covariance, compared with Hotelling's T² whose degrees of freedom η match the second moments
of that covariance under the working model (identity on the response): with the covariance of the cluster scores Γ^st of
contrasts standardised to unit expected covariance,

    Var(v_st) = Σ_gh (Γ^ss_gh Γ^tt_gh + Γ^st_gh Γ^ts_gh),    η = q(q+1) / Σ_st Var(v_st),
    F = (η−q+1)/(ηq) β'V⁺β ~ F(q, η−q+1)

Pustejovsky & Tipton 2018 (JBES 36:672), their "HTZ".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import fdtrc

from .linalg import System, cr2_influence, cr2_weights, pseudo_inverse, score_covariance


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTest:
    """F statistic, its degrees of freedom and p; NaN where η − q + 1 ≤ 0: too few clusters for so many contrasts."""

    statistic: float
    df_num: int
    df_denom: float
    p_value: float


def joint_test(system: System, contrast: np.ndarray, working: np.ndarray | None = None) -> JointTest:
    """contrast (q, p) in units of the unscaled columns; `working` as in `linalg.score_covariance`."""
    weights = cr2_weights(system)
    c = contrast / system.scale
    q = len(c)
    gamma = np.array([[score_covariance(system, a, b, weights, working) for b in c] for a in c])
    root = pseudo_inverse(np.trace(gamma, axis1=2, axis2=3), power=0.5)
    gamma = np.einsum("ia,jb,abgh->ijgh", root, root, gamma)
    own = np.einsum("iigh,jjgh->", gamma, gamma)
    eta = q * (q + 1) / float(own + np.einsum("ijgh,jigh->", gamma, gamma))
    beta, score = c @ system.beta, cr2_influence(system, weights) @ c.T
    left = eta - q + 1
    if left <= 0:
        return JointTest(statistic=np.nan, df_num=q, df_denom=left, p_value=np.nan)
    f = left / (eta * q) * float(beta @ pseudo_inverse(score.T @ score) @ beta)
    return JointTest(statistic=f, df_num=q, df_denom=left, p_value=float(fdtrc(q, left, f)))
