"""A joint test of several contrasts of one regression with few clusters: all leads are zero.

Wald statistic with the CR2 covariance, compared with Hotelling's T² whose degrees of freedom η match the second moments
of that covariance under the working model of the house (`ClusterAlgebra.working`): with the covariance of the cluster
scores Γ^st of contrasts standardised to unit expected covariance,

    Var(v_st) = Σ_gh (Γ^ss_gh Γ^tt_gh + Γ^st_gh Γ^ts_gh),    η = q(q+1) / Σ_st Var(v_st),
    F = (η−q+1)/(ηq) β'V⁺β ~ F(q, η−q+1)

Pustejovsky & Tipton 2018 (JBES 36:672), their "HTZ".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import fdtrc

from ..core import EffectPath, Panel
from .facts import RowFacts, Share, facts_of, shares_of
from .linalg import System, cr2_influence, cr2_weights, pseudo_inverse, score_covariance
from .parts import ClusterAlgebra
from .registry import fit_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JointTest:
    """F statistic, its degrees of freedom and p; NaN where η − q + 1 ≤ 0: too few clusters for so many contrasts.

    rows      terms tested at once;  refused: message key of the reason where there is no test
    """

    statistic: float
    df_num: int
    df_denom: float
    p_value: float
    rows: tuple[str, ...] = ()
    refused: str | None = None


def pretrend_test(path: EffectPath, panel: Panel) -> JointTest:
    """All leads of an event study are zero, with few clusters: CR2 Wald test against Hotelling's T² ("HTZ").

    Parameters
        path    rows by event time of one outcome, from one regression (`event_study`, `ppml_event_study`, `sunab`,
                `etwfe` with leads), also after `combine("event_time")`
        panel   the panel it was fitted on
    Leads are rows with event time below −`design.anticipation` that are no reference. Returns a `JointTest`; refused
    without leads, with rows of several regressions or none, where a lead has one treated or one comparison cluster or
    hangs on one cluster, and where clusters are too few for so many leads (ask for fewer: `Design.window`).
    Raises what the estimator raises, and UserError("did_unknown_method").
    Never a gate: a test that is not rejected shows no parallel trends (`pretrend_power`, `honest`; `methods.md` 4).
    Source: Pustejovsky & Tipton 2018; the default Wald test of R clubSandwich.
    """
    fit = fit_of(path.method, panel, path.design)
    transform = np.eye(len(fit.path)) if path.transform is None else np.asarray(path.transform)
    shares = shares_of(fit, transform)
    facts = facts_of(path, shares)
    early = [t.event_time is not None and t.event_time < -path.design.anticipation for t in path.terms]
    at = np.flatnonzero(np.array(early, dtype=bool) & ~facts.reference & np.isfinite(path.estimate))
    rows = tuple(path.terms[i].term for i in at)
    key = _refusal(shares, facts, at)
    if key is None:
        (share,) = (s for s in shares if s.live[at].any())
        part = share.part
        assert isinstance(part, ClusterAlgebra)
        found = joint_test(part.system, part.contrast(share.rows[at]), part.working)
        if np.isfinite(found.p_value):
            return replace(found, rows=rows)
        key = "few_clusters_for_leads"
    nothing = float("nan")
    return JointTest(
        statistic=nothing,
        df_num=len(rows),
        df_denom=nothing,
        p_value=nothing,
        rows=rows,
        refused=f"inference.refused.{key}",
    )


def _refusal(shares: tuple[Share, ...], facts: RowFacts, at: np.ndarray) -> str | None:
    """Why the rows cannot be tested jointly, if so."""
    if not len(at):
        return "no_leads"
    live = [share for share in shares if share.live[at].any()]
    if len(live) != 1 or not isinstance(live[0].part, ClusterAlgebra):
        return "not_one_regression"
    if (facts.treated[at] < 2).any():
        return "one_treated_cluster"
    if (facts.control[at] < 2).any():
        return "one_control_cluster"
    return None if facts.estimable[at].all() else "hangs_on_one_cluster"


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
