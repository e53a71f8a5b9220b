"""A bootstrap statistic as a ratio of quadratic forms in the cluster weights, and the share of weights it exceeds.

One draw gives every cluster a weight v_g. With u_g the scores that the weights multiply, m = M c and z = Σ v_g u_g,

    numerator  w'v, w_g = m'u_g        denominator² |Kv|², Kv = d∘v − T z

cr1: d = w, T_g = M A_g m.  jackknife: d_g = −L_g'u_g, T_g = m − L_g, L_g = (A − A_g)⁺c: the leave-one-cluster-out
estimates of the bootstrap sample. u_g, hence w and d, are linear in the distance of the estimate from the null value,
so one set of products serves every null value. For ±1 weights |t*| ≥ |t| is the sign of one quadratic form
v'(ww' − t²K'K)v; splitting the clusters into two halves makes its 2^G values one product of two tables of 2^(G/2) rows,
and v and −v give the same value: 2^20 numbers for 21 clusters, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .linalg import System, leave_out

TIE = 1e-9
"""Relative slack below which a draw counts as a tie with the sample (the identity draw is one)."""
BLOCK = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Forms:
    """Numerator and denominator as functions of the weights; a pair holds the constant and the slope in the gap.

    estimate, variance   of the contrast, by the statistic's own rule, without small-sample factor
    numerator (2, G), own (2, G), scores (2, G, p), turn (G, p)   w, d, u and T above
    shifts  True where the null value moves the scores (null imposed); False: t* is centred at the estimate
    """

    estimate: float
    variance: float
    numerator: np.ndarray
    own: np.ndarray
    scores: np.ndarray
    turn: np.ndarray

    def at(self, gap: float) -> tuple[np.ndarray, np.ndarray]:
        """w (G,) and K (G, G) at a distance of the estimate from the null value."""
        turned = self.turn @ (self.scores[0] + gap * self.scores[1]).T
        return self.numerator[0] + gap * self.numerator[1], np.diag(self.own[0] + gap * self.own[1]) - turned

    def threshold(self, gap: float) -> float:
        """t² of the sample, less the slack for ties."""
        return gap**2 / self.variance * (1 - TIE) ** 2


def forms(system: System, c: np.ndarray, kind: str, restricted: bool) -> Forms:
    """Forms of the contrast c (p,) in scaled columns; kind "11", "13", "31", "33", see `wild`."""
    here = system.present
    gram, moment, score = system.gram[here], system.moment[here], system.score[here]
    m = system.bread @ c
    lever = np.einsum("gij,j->gi", gram, m)
    estimate = float(c @ system.beta)
    inverses = leave_out(system)[here] if "3" in kind else np.empty(0)
    if "3" in kind:
        left = np.einsum("gij,gj->gi", inverses, moment.sum(axis=0) - moment)
        reach = inverses @ c
    if kind[0] == "1":
        scores = np.stack([score, lever / float(c @ m)])
    else:
        scores = _jackknife_scores(gram, moment, left, reach, c, estimate, restricted)
    if not restricted:
        scores[1] = 0.0
    numerator = scores @ m
    if kind[1] == "1":
        own, turn, variance = numerator, lever @ system.bread, float(((score @ m) ** 2).sum())
    else:
        own = -np.einsum("gi,sgi->sg", reach, scores)
        turn, variance = m - reach, float(((left @ c - estimate) ** 2).sum())
    return Forms(estimate=estimate, variance=variance, numerator=numerator, own=own, scores=scores, turn=turn)


def _jackknife_scores(
    gram: np.ndarray,
    moment: np.ndarray,
    left: np.ndarray,
    reach: np.ndarray,
    c: np.ndarray,
    estimate: float,
    restricted: bool,
) -> np.ndarray:
    """(2, G, p) X_g'(y_g − X_g b) with b the (restricted) estimate without the cluster; slope in the gap."""
    plain = moment - np.einsum("gij,gj->gi", gram, left)
    norm = reach @ c
    known = norm > 1e-12
    pull = np.einsum("gij,gj->gi", gram, reach) * np.where(known, 1 / np.where(known, norm, 1.0), 0.0)[:, None]
    if not restricted:
        return np.stack([plain, np.zeros_like(plain)])
    return np.stack([plain + pull * (left @ c - estimate)[:, None], pull])


def enumerated_share(f: Forms, gap: float) -> float:
    """Share of all 2^G sign vectors with |t*| at least |t|, the sample's own among them."""
    w, k = f.at(gap)
    h = np.outer(w, w) - f.threshold(gap) * (k.T @ k)
    g = len(w)
    first = (g + 1) // 2
    a, b = _signs(first)[: 2 ** (first - 1)], _signs(g - first)
    head = np.column_stack(
        [2 * a @ h[:first, first:], np.einsum("ni,ij,nj->n", a, h[:first, :first], a), np.ones(len(a))]
    )
    tail = np.vstack([b.T, np.ones(len(b)), np.einsum("ni,ij,nj->n", b, h[first:, first:], b)])
    least = -1e-13 * np.abs(h).sum()
    rows = max(1, 2**16 // len(b))
    count = sum(int(((head[i : i + rows] @ tail) >= least).sum()) for i in range(0, len(head), rows))
    return count / (len(a) * len(b))


def _signs(g: int) -> np.ndarray:
    """(2^g, g) all sign vectors, those with a positive last entry first."""
    bits = (np.arange(2**g)[:, None] >> np.arange(g)[None, :]) & 1
    return 1.0 - 2.0 * bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Forms evaluated on draws: numerator n0 + gap n1, denominator² q0 + gap q1 + gap² q2, each (B,)."""

    forms: Forms
    numerator: tuple[np.ndarray, np.ndarray]
    square: tuple[np.ndarray, np.ndarray, np.ndarray]

    def share(self, gap: float) -> float:
        """Share of the draws with |t*| at least |t|."""
        (n0, n1), (q0, q1, q2) = self.numerator, self.square
        top = n0 + gap * n1
        below = (q0 + gap * (q1 + gap * q2)) * self.forms.threshold(gap)
        return float((top * top >= below).mean())


def drawn(f: Forms, kind: str, n: int, seed: int) -> Drawn:
    """n + 1 draws, the identity first, in blocks: only five numbers a draw are kept.

    T = QΣB' turns Tz into Qx with x = X'v of at most G entries, so that |Kv|² = Σd²v² − 2(Q'(d∘v))'x + x'x costs
    (2 + 4 rank T) G a draw.
    """
    q, size, basis = np.linalg.svd(f.turn, full_matrices=False)
    kept = size > 1e-12 * max(float(size.max(initial=0.0)), 1e-300)
    q, turn = q[:, kept], (basis[kept] * size[kept, None]).T
    r = q.shape[1]
    x, y = f.scores @ turn, f.own[:, :, None] * q
    table = np.column_stack([f.numerator.T, x[0], x[1], y[0], y[1]])
    squares = np.column_stack([f.own[0] ** 2, 2 * f.own[0] * f.own[1], f.own[1] ** 2])
    rng = np.random.default_rng(seed)
    out = np.empty((5, n + 1))
    for start in range(0, n + 1, BLOCK):
        v = weights(rng, kind, min(BLOCK, n + 1 - start), len(q))
        if start == 0:
            v[0] = 1.0
        to = slice(start, start + len(v))
        sums = v @ table
        x0, x1, y0, y1 = (sums[:, 2 + j * r : 2 + (j + 1) * r] for j in range(4))
        free = squares.sum(axis=0) if kind == "rademacher" else (v**2) @ squares
        out[:2, to] = sums[:, :2].T
        out[2:, to] = np.atleast_2d(free).T
        out[2, to] += _dots(x0, x0) - 2 * _dots(y0, x0)
        out[3, to] += 2 * (_dots(x0, x1) - _dots(y0, x1) - _dots(y1, x0))
        out[4, to] += _dots(x1, x1) - 2 * _dots(y1, x1)
    return Drawn(forms=f, numerator=(out[0], out[1]), square=(out[2], out[3], out[4]))


def _dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.einsum("nr,nr->n", a, b))


WEBB = np.array([-np.sqrt(1.5), -1.0, -np.sqrt(0.5), np.sqrt(0.5), 1.0, np.sqrt(1.5)])


def weights(rng: np.random.Generator, kind: str, n: int, g: int) -> np.ndarray:
    """(n, g) independent weights of mean 0 and variance 1: "rademacher", "webb" or "normal"."""
    if kind == "rademacher":
        bits = np.unpackbits(np.frombuffer(rng.bytes((n * g + 7) // 8), np.uint8), count=n * g)
        return np.asarray(1.0 - 2.0 * bits).reshape(n, g)
    return WEBB[rng.integers(0, 6, (n, g))] if kind == "webb" else rng.standard_normal((n, g))
