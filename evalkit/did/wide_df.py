"""Degrees of freedom and leverage of the rows of a model of `wide`, without n × p arrays.

With ℓ = X_cA⁺c (T,) the load of a row, a cluster's variance under the working covariance, identity on the response, is
d = ℓ'Vℓ with V = P'diag(m²)P, and Satterthwaite's matrix is (`linalg.satterthwaite`)

    Γ_gh = δ_gh d_g − u_g'q_h − q_g'u_h + q_g'Bq_h,   u = X'Vℓ, q = A⁺X'Wℓ, B = Σ X'VX;   df = (tr Γ)² / Σ Γ²

with the cluster's own leverage taken out of ℓ as cr2 does, (I − A⁺A_g)^(−½) summed term by term. It is written out for
the `TOP` clusters that carry a row most (all, where there are fewer); of the rest, the diagonal and Welch's correction
V_s²(1/(g_s−1) − 1/g_s) for the estimated mean of their cohort.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .reader import row_sums
from .wide import apply_gram, shares

if TYPE_CHECKING:
    from .wide_steps import State

TOP = 200
TERMS = 40


@dataclass(frozen=True, kw_only=True, eq=False)
class Carried:
    """Cells of some clusters: cluster (J,), cohort (J,), and mass (J, T) of one unit each, or W and V (J, T, T)."""

    cluster: np.ndarray
    cohort: np.ndarray
    mass: np.ndarray | None = None
    gram: np.ndarray | None = None
    second: np.ndarray | None = None

    def take(self, at: np.ndarray) -> Carried:
        arrays = (None if a is None else a[at] for a in (self.mass, self.gram, self.second))
        mass, gram, second = arrays
        return Carried(cluster=self.cluster[at], cohort=self.cohort[at], mass=mass, gram=gram, second=second)

    def weighed(self, v: np.ndarray) -> np.ndarray:
        """(J, T) Wv."""
        if self.mass is not None:
            return apply_gram(self.mass, shares(self.mass), v)
        assert self.gram is not None
        return np.einsum("jts,js->jt", self.gram, v)

    def squared(self, v: np.ndarray) -> np.ndarray:
        """(J, T) Vv."""
        if self.mass is not None:
            share = shares(self.mass)
            z = self.mass**2 * (v - np.einsum("it,it->i", share, v)[:, None])
            return z - share * row_sums(z)
        assert self.second is not None
        return np.einsum("jts,js->jt", self.second, v)


@dataclass(frozen=True, kw_only=True, eq=False)
class Scan:
    """Sums over clusters of some rows (k): by cohort Σ d, Σ d², Σ γ, Σ γ² (C, k), and who carries them most."""

    spread: np.ndarray
    spread_square: np.ndarray
    lever: np.ndarray
    lever_square: np.ndarray
    top: list[np.ndarray]
    carried: Carried
    second: np.ndarray


def quadratics(state: State, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(J, k) ℓ'Vℓ and ℓ'Wℓ of the listed cells."""
    assert state.listed is not None
    gram, second = state.listed[0], state.listed[1]
    cohort, out = state.wide.reader.cells[1], np.zeros((2, len(gram), len(rows)))
    for c in np.unique(cohort):
        at, load = cohort == c, state.load[c] @ rows.T
        pairs = np.einsum("tk,sk->tsk", load, load).reshape(-1, len(rows))
        out[0, at] = second[at].reshape(int(at.sum()), -1) @ pairs
        out[1, at] = gram[at].reshape(int(at.sum()), -1) @ pairs
    return np.clip(out[0], 0, None), np.clip(out[1], 0, None)


def scan(state: State, rows: np.ndarray) -> Scan:
    """One pass over the panel, or over the listed cells."""
    return _scan_listed(state, rows) if state.listed is not None else _scan_units(state, rows)


def _scan_listed(state: State, rows: np.ndarray) -> Scan:
    assert state.listed is not None
    cluster, cohort = state.wide.reader.cells
    gram, second = state.listed[0], state.listed[1]
    spread, lever = quadratics(state, rows)
    sums = np.zeros((4, state.load.shape[0], len(rows)))
    for place, value in enumerate((spread, spread**2, lever, lever**2)):
        np.add.at(sums[place], cohort, value)
    by_cluster = np.zeros((state.wide.reader.n_clusters, len(rows)))
    np.add.at(by_cluster, cluster, spread)
    order = np.argsort(-by_cluster, axis=0)[:TOP]
    top = [order[by_cluster[order[:, r], r] > 0, r] for r in range(len(rows))]
    total = np.zeros_like(state.load, shape=(state.load.shape[0], *second.shape[1:]))
    np.add.at(total, cohort, second)
    carried = Carried(cluster=cluster, cohort=cohort, gram=gram, second=second)
    return Scan(
        spread=sums[0],
        spread_square=sums[1],
        lever=sums[2],
        lever_square=sums[3],
        top=top,
        carried=carried,
        second=total,
    )


def _scan_units(state: State, rows: np.ndarray) -> Scan:
    c, t, _ = state.load.shape
    k = len(rows)
    sums, second = np.zeros((4, c, k)), np.zeros((c, t, t))
    best, who = np.zeros((0, k)), np.zeros((0, k), dtype=np.int64)
    kept: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for s in range(c):
        load = state.load[s] @ rows.T
        for cluster, mass, _ in state.wide.pieces(s):
            share, square = shares(mass), mass**2
            mean = share @ load
            d = square @ load**2 - 2 * mean * (square @ load) + mean**2 * row_sums(square)
            lever = mass @ load**2 - mean**2 * row_sums(mass)
            d, lever = np.clip(d, 0, None), np.clip(lever, 0, None)
            for place, value in enumerate((d, lever)):
                sums[2 * place, s] += value.sum(axis=0)
                sums[2 * place + 1, s] += np.einsum("ik,ik->k", value, value)
            crossed = square.T @ share
            own = share.T @ (share * row_sums(square))
            second[s] += np.diag(square.sum(axis=0)) - crossed - crossed.T + own
            near = np.argpartition(-d, min(TOP, len(d)) - 1, axis=0)[:TOP]
            kept.append((cluster[np.unique(near)], np.full(len(np.unique(near)), s), mass[np.unique(near)]))
            best = np.concatenate([best, np.take_along_axis(d, near, axis=0)])
            who = np.concatenate([who, cluster[near]])
            order = np.argsort(-best, axis=0)[:TOP]
            best, who = np.take_along_axis(best, order, axis=0), np.take_along_axis(who, order, axis=0)
    wanted = np.unique(who)
    parts = [(cl[on], s[on], m[on]) for cl, s, m in kept if (on := np.isin(cl, wanted)).any()]
    carried = Carried(
        cluster=np.concatenate([p[0] for p in parts]),
        cohort=np.concatenate([p[1] for p in parts]),
        mass=np.concatenate([p[2] for p in parts]),
    )
    top = [who[best[:, r] > 0, r] for r in range(k)]
    return Scan(
        spread=sums[0],
        spread_square=sums[1],
        lever=sums[2],
        lever_square=sums[3],
        top=top,
        carried=carried,
        second=second,
    )


def degrees(state: State, rows: np.ndarray, found: Scan) -> np.ndarray:
    """(k,) degrees of freedom."""
    total = np.einsum("ctp,cts,csq->pq", state.x, found.second, state.x, optimize=True)
    order = np.argsort(found.carried.cluster, kind="stable")
    carried = found.carried.take(order)
    return np.array([_degrees(state, rows[r], r, found, carried, total) for r in range(len(rows))])


def _degrees(state: State, row: np.ndarray, r: int, found: Scan, carried: Carried, total: np.ndarray) -> float:
    top = np.sort(found.top[r])
    if not len(top):
        return float("nan")
    own = carried.take(np.flatnonzero(np.isin(carried.cluster, top)))
    place = np.searchsorted(top, own.cluster)
    gamma, spread = _gamma(state, row, own, place, len(top), total)
    first, square = found.spread[:, r].copy(), found.spread_square[:, r].copy()
    np.subtract.at(first, own.cohort, spread)
    np.subtract.at(square, own.cohort, spread**2)
    tiny = 1e-12 * max(float(found.spread[:, r].sum()), 1e-300)
    first, square = np.where(first > tiny, first, 0.0), np.clip(square, 0, None)
    number = np.divide(first**2, square, out=np.full_like(first, np.inf), where=(square > 0) & (first > 0))
    welch = np.where(number > 1.5, first**2 * (1 / np.maximum(number - 1, 0.5) - 1 / number), 0.0)
    trace = float(np.trace(gamma) + first.sum())
    below = float((gamma**2).sum() + square[first > 0].sum() + welch[np.isfinite(number)].sum())
    return trace**2 / below if trace > 0 and below > 0 else float("nan")


def _gamma(
    state: State, row: np.ndarray, own: Carried, place: np.ndarray, m: int, total: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(m, m) Γ among the clusters, and (J,) ℓ'Vℓ of their cells before leverage is taken out."""
    x, p = state.x, state.x.shape[2]
    pulled = row @ state.wide.contrast @ state.bread
    plain = (x @ pulled)[own.cohort]

    def gathered(v: np.ndarray) -> np.ndarray:
        """(m, p) Σ X'v over the cells of a cluster."""
        out = np.zeros((m, p))
        for c in np.unique(own.cohort):
            at = own.cohort == c
            np.add.at(out, place[at], v[at] @ x[c])
        return out

    def spread_out(step: np.ndarray) -> np.ndarray:
        """(J, T) X step of the cell's cluster."""
        out = np.empty_like(plain)
        for c in np.unique(own.cohort):
            at = own.cohort == c
            out[at] = step[place[at]] @ x[c].T
        return out

    term = np.tile(pulled, (m, 1))
    step = term.copy()
    for k in range(1, TERMS):
        term = gathered(own.weighed(spread_out(term))) @ state.bread * ((k - 0.5) / k)
        step += term
        if np.abs(term).max() <= 1e-9 * np.abs(step).max():
            break
    load = spread_out(step)
    weighted = own.squared(load)
    u, q = gathered(weighted), gathered(own.weighed(load)) @ state.bread
    cross = u @ q.T
    diagonal = np.bincount(place, np.einsum("jt,jt->j", weighted, load), minlength=m)
    return np.diag(diagonal) - cross - cross.T + q @ total @ q.T, np.einsum("jt,jt->j", own.squared(plain), plain)
