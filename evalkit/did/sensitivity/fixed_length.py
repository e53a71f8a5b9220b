"""Fixed-length intervals under smoothness, exact: the shortest interval of a linear estimator (Armstrong and Kolesár).

The estimator is l'β̂_post + f'β̂_pre. Written on the changes of slope s_j it is θ + Σ_j w_j s_j + noise, so its largest
bias under |s_j| ≤ M is M ‖w‖₁. The w_j at and after the reference follow from l; those before it, x, are free
(pre − 1 of them), and f = K x + w₀ e. The trade-off between bias and variance,

    min over x of ½ var(x) + κ ‖x‖₁,

is a lasso whose whole path is piecewise linear in κ. It does not depend on M: one path serves every M.
Half-length = sd · cv(bias/sd), cv(b) the 1 − α quantile of |N(b, 1)|, minimised along the path (convex in x).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from ...core import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Efficient estimators for one target: knots κ (n,) ascending, free weights x (n, pre − 1) there.

    fixed     Σ |w_j| at and after the reference;  kernel (pre, pre − 1) and start (pre,): f = kernel x + start
    """

    knots: np.ndarray
    free: np.ndarray
    fixed: float
    kernel: np.ndarray
    start: np.ndarray
    target: np.ndarray
    vcov: np.ndarray

    def at(self, kappa: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights on β̂ (n, pre + post), standard deviations and largest biases for M = 1 (n,) at penalties κ (n,)."""
        if self.free.shape[1]:
            x = np.column_stack([np.interp(kappa, self.knots, column) for column in self.free.T])
        else:
            x = np.zeros((len(kappa), 0))
        weights = np.hstack([x @ self.kernel.T + self.start, np.tile(self.target, (len(kappa), 1))])
        sd = np.sqrt(np.einsum("ij,jk,ik->i", weights, self.vcov, weights))
        return weights, sd, self.fixed + np.abs(x).sum(axis=1)

    def shortest(self, size: float, level: float) -> tuple[np.ndarray, float]:
        """Weights (pre + post,) and half-length of the shortest interval under |changes of slope| ≤ `size`."""
        low, high = 0.0, float(self.knots[-1])
        for _ in range(12):
            kappa = np.linspace(low, high, 33)
            weights, sd, bias = self.at(kappa)
            half = sd * folded_quantile(size * bias / sd, level)
            i = int(half.argmin())
            low, high = kappa[max(i - 1, 0)], kappa[min(i + 1, 32)]
        return weights[i], float(half[i])


def frontier(vcov: np.ndarray, pre: int, target: np.ndarray) -> Frontier:
    """The path of efficient estimators of target'τ (post,) given the joint covariance, pre-periods first."""
    post = len(target)
    if pre < 1:
        raise UserError("honest_no_pre_period", found=pre)
    w = np.zeros(post + 2)
    for t in range(post, 0, -1):
        w[t - 1] = target[t - 1] + 2 * w[t] - w[t + 1]
    # rows: f_{-pre} … f_{-1}; columns: w_{-(pre-1)} … w_{-1}, then w_0
    changes = np.diff(np.eye(pre + 2), n=2, axis=0).T[:pre, :pre]
    kernel, start = changes[:, : pre - 1], changes[:, pre - 1] * w[0]
    q = kernel.T @ vcov[:pre, :pre] @ kernel
    c = kernel.T @ (vcov[:pre, :pre] @ start + vcov[:pre, pre:] @ target)
    knots, free = lasso_path(q, c)
    return Frontier(
        knots=knots,
        free=free,
        fixed=float(np.abs(w[:post]).sum()),
        kernel=kernel,
        start=start,
        target=target,
        vcov=vcov,
    )


def lasso_path(q: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Knots κ ascending from 0 and minimisers of ½ x'qx + c'x + κ‖x‖₁ at them (homotopy from κ = max|c| down)."""
    p = len(c)
    if p == 0:
        return np.zeros(1), np.zeros((1, 0))
    kappa, x = float(np.abs(c).max()), np.zeros(p)
    knots, path = [kappa], [x.copy()]
    active: list[int] = [int(np.abs(c).argmax())] if kappa > 0 else []
    sign = -np.sign(c)
    while kappa > 0 and len(knots) < 50 * p:
        a = np.array(active, dtype=int)
        step = np.linalg.solve(q[np.ix_(a, a)], sign[a])
        slope = q[:, a] @ step
        gradient = c + q @ x
        # over a fall d of κ: x_a + d·step, gradient + d·slope; an inactive one joins at ±(κ − d)
        with np.errstate(divide="ignore", invalid="ignore"):
            joins = np.where(slope != -1, (kappa - gradient) / (1 + slope), np.inf)
            joins_low = np.where(slope != 1, (kappa + gradient) / (1 - slope), np.inf)
            leaves = np.where(step * sign[a] < 0, -x[a] / step, np.inf)
        falls = np.minimum(
            np.where(joins > 1e-12 * knots[0], joins, np.inf), np.where(joins_low > 1e-12 * knots[0], joins_low, np.inf)
        )
        falls[a] = np.inf
        leaves = np.where(leaves > 1e-12 * knots[0], leaves, np.inf)
        fall = min(float(falls.min(initial=np.inf)), float(leaves.min(initial=np.inf)), kappa)
        x[a] += fall * step
        kappa -= fall
        if fall == leaves.min(initial=np.inf):
            gone = active.pop(int(leaves.argmin()))
            x[gone] = 0.0
        elif fall == falls.min():
            new = int(falls.argmin())
            sign[new] = -np.sign((c + q @ x)[new])
            active.append(new)
        knots.append(max(kappa, 0.0))
        path.append(x.copy())
        if kappa <= 1e-14 * knots[0]:
            break
    return np.array(knots[::-1]), np.array(path[::-1])


def folded_quantile(bias: np.ndarray, level: float) -> np.ndarray:
    """(n,) `level` quantile of |N(bias, 1)|, bias ≥ 0, by Newton's method."""
    bias = np.asarray(bias, dtype=float)
    z = bias + ndtri(level)
    for _ in range(50):
        density = np.exp(-0.5 * (z - bias) ** 2) + np.exp(-0.5 * (z + bias) ** 2)
        step = (ndtr(z - bias) - ndtr(-z - bias) - level) / (density / np.sqrt(2 * np.pi))
        z = z - step
        if np.abs(step).max() < 1e-13 * (1 + z.max()):
            break
    return z
