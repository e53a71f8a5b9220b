"""Bootstrap by cluster draws of a row's scores: for parts that are no regression, and rows over several outcomes.

Every cluster's score is multiplied by a weight and the estimate's error re-computed as Σ v_g ψ_g, never the estimator
(Kline & Santos 2012, J. Econometric Methods 1:23; the multiplier bootstrap of influence functions). The null r is
imposed along the effect: a restricted score is ψ_g + (θ − r) γ_g, γ_g the cluster's share of the row's leverage, and
the draw's own estimate is taken out of the scores in the same shares before its variance is formed. In a regression on
one orthogonal regressor this is the restricted wild cluster bootstrap exactly; otherwise to first order. Where a part
does not tell the leverage the scores stay as they are and the draws are centred at the estimate.

Appendix only, as `wild`: few or unequal treated clusters make it reject too often.
"""

from __future__ import annotations

import numpy as np

from .wild import WildResult, of_forms
from .wild_forms import Forms


def bootstrap(
    estimate: float,
    scores: np.ndarray,
    leverage: np.ndarray | None,
    *,
    level: float | None = 0.95,
    seed: int = 1,
    n: int = 9_999,
) -> WildResult:
    """Test of estimate = 0 and interval from cluster scores (G,) that sum to about zero.

    leverage (G,) shares that sum to one, or None. Weights and enumeration as in `wild.bootstrap`.
    """
    here = scores != 0
    psi, g = scores[here], int(here.sum())
    if leverage is None:
        numerator, turn = np.stack([psi, np.zeros(g)]), np.zeros((g, 1))
    else:
        share = leverage[here] / leverage[here].sum()
        numerator, turn = np.stack([psi, share]), share[:, None]
    forms = Forms(
        estimate=estimate,
        variance=float((psi**2).sum()),
        numerator=numerator,
        own=numerator,
        scores=numerator[:, :, None],
        turn=turn,
    )
    return of_forms(forms, np.sqrt(forms.variance), level=level, seed=seed, weights="auto", n=n, null=0.0)
