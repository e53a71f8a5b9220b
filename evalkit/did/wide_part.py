"""The part of a model of `wide`: full cluster algebra where that is small, otherwise sums over units in T × T matrices.

In full: cluster sums of W, r and P'diag(m²)P give a `System` and with it every rule exactly as for a regression. In one
step, for many clusters: with K_c = X_cA⁺X_c' a cluster's jackknife score is c'A⁺X'u, u = Σ_k (WK)^k r = (I − WK)⁻¹r, summed
until it stands still, cluster by cluster where they are listed and in cross products otherwise; a cluster whose leverage
tr(WK) is above ½ (there are fewer than 2p) is left out exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .first_stage import scaled_inverse
from .influence_part import CellCarriers, InfluencePart, SideCarriers
from .linalg import System, pseudo_inverse
from .parts import ClusterAlgebra, Part
from .wide import ALGEBRA, Columns, Pieces, Reader, apply_gram, joined, segment_products, unit_gram

TERMS = 60
HEAVY = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class SystemPart(ClusterAlgebra):
    """The part of cluster sums that are already there. own (width, p) contrasts, treated and control (width, G)."""

    system: System
    own: np.ndarray
    treated: np.ndarray
    control: np.ndarray


@dataclass(frozen=True, kw_only=True, eq=False)
class Wide:
    """A solved model: its reader, columns, blocks of (cluster, mass, r), coefficients, and N, K of the cr1 factor.

    treated, control (k, C, T) cells that count a cluster as treated in a row, and as compared with
    """

    reader: Reader
    columns: Columns
    pieces: Pieces
    beta: np.ndarray
    contrast: np.ndarray
    treated: np.ndarray
    control: np.ndarray
    n_obs: int
    n_params: int


def wide_part(wide: Wide) -> Part:
    """The part of the model, in full or in one step."""
    reader, p = wide.reader, wide.columns.width
    clusters = len(np.unique(reader.cells[0])) if reader.listed else len(reader.order)
    return _full(wide) if reader.listed and clusters * p**3 <= ALGEBRA else _one_step(wide)


def _full(wide: Wide) -> SystemPart:
    reader, x = wide.reader, wide.columns.columns
    cluster, cohort = reader.cells
    gram, second, score, seen = _listed(wide)
    g, p = reader.n_clusters, wide.columns.width
    scale = np.sqrt(np.einsum("pp->p", _by_cluster(gram, x, cohort, cluster, g).sum(axis=0)).clip(0))
    scale = np.where(scale > 1e-9 * scale.max(), scale, 1.0)
    grams = _by_cluster(gram, x / scale, cohort, cluster, g)
    weighted = _by_cluster(second, x / scale, cohort, cluster, g)
    scores = np.zeros((g, p))
    np.add.at(scores, cluster, np.einsum("jt,jtp->jp", score, (x / scale)[cohort]))
    beta = wide.beta * scale
    system = System(
        scale=scale,
        beta=beta,
        bread=pseudo_inverse(grams.sum(axis=0)),
        gram=grams,
        gram_weighted=weighted,
        moment=scores + grams @ beta,
        score=scores,
        n_obs=wide.n_obs,
        n_params=wide.n_params,
        n_clusters=int(grams.any(axis=(1, 2)).sum()),
    )
    return SystemPart(
        system=system,
        own=wide.contrast,
        treated=_members(wide.treated, seen, cluster, cohort, g),
        control=_members(wide.control, seen, cluster, cohort, g),
    )


def _members(
    rows: np.ndarray, seen: np.ndarray, cluster: np.ndarray, cohort: np.ndarray, n_clusters: int
) -> np.ndarray:
    """(k, G) clusters with a seen cell (J, T) among the rows' cells (k, C, T)."""
    out = np.zeros((len(rows), n_clusters), dtype=bool)
    for r, on in enumerate(rows):
        out[r, cluster[(on[cohort] & seen).any(axis=1)]] = True
    return out


def _by_cluster(t_by_t: np.ndarray, x: np.ndarray, cohort: np.ndarray, cluster: np.ndarray, g: int) -> np.ndarray:
    out = np.zeros((g, x.shape[2], x.shape[2]))
    for j in range(len(cohort)):
        own = x[cohort[j]]
        out[cluster[j]] += own.T @ t_by_t[j] @ own
    return out


def _listed(wide: Wide) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sums by cell (J): W, P'diag(m²)P (J, T, T), r (J, T), and where mass was seen (J, T)."""
    reader, t = wide.reader, wide.reader.n_periods
    j = len(reader.cells[0])
    gram, second, score, seen = np.zeros((j, t, t)), np.zeros((j, t, t)), np.zeros((j, t)), np.zeros((j, t), dtype=bool)
    diagonal = np.arange(t)
    for cohort in range(len(reader.labels)):
        for cluster, mass, r in wide.pieces(cohort):
            starts, at = reader.place(cohort, cluster)
            total = mass.sum(axis=1, keepdims=True)
            share = np.divide(mass, total, out=np.zeros_like(mass), where=total > 0)
            square = mass**2
            gram[at] -= segment_products(mass, share, starts)
            gram[at[:, None], diagonal, diagonal] += np.add.reduceat(mass, starts, axis=0)
            crossed = segment_products(square, share, starts)
            own = segment_products(share * square.sum(axis=1, keepdims=True), share, starts)
            second[at] += own - crossed - np.swapaxes(crossed, 1, 2)
            second[at[:, None], diagonal, diagonal] += np.add.reduceat(square, starts, axis=0)
            score[at] += np.add.reduceat(r, starts, axis=0)
            seen[at] |= np.add.reduceat(mass > 0, starts, axis=0) > 0
    return gram, second, score, seen


def _one_step(wide: Wide) -> InfluencePart:
    reader, x = wide.reader, wide.columns.columns
    gram = np.stack([sum(unit_gram(m)[0] for _, m, _ in wide.pieces(c)) for c in range(len(reader.labels))])
    bread = scaled_inverse(joined(gram, x))
    load = np.einsum("ctp,pq,kq->ctk", x, bread, wide.contrast, optimize=True)
    total = joined(gram, x)
    answers = (_listed_scores if reader.listed else _crossed)(wide, bread, load, total)
    return InfluencePart(
        estimate=wide.contrast @ wide.beta,
        treated=wide.treated.any(axis=2),
        control=wide.control.any(axis=2),
        n_obs=wide.n_obs,
        n_params=wide.n_params,
        published="cr1",
        **answers,
    )


def _crossed(wide: Wide, bread: np.ndarray, load: np.ndarray, total: np.ndarray) -> dict:
    """Every unit a cluster, too many to list: cross products of r and of u by cohort."""
    reader, x = wide.reader, wide.columns.columns
    c, t, k = load.shape
    plain, stretched = np.zeros((2, k, k))
    gram, number, units = np.zeros((c, c * t, c * t)), np.full((c, k), np.inf), np.zeros(c, dtype=int)
    for s in range(c):
        cross = np.zeros((2, t, t))
        second, fourth, squared = np.zeros((t, t)), np.zeros(k), np.zeros(k)
        hat = x[s] @ bread @ x[s].T
        extra = np.zeros((k, k))
        for _, mass, r in wide.pieces(s):
            _, share = unit_gram(mass)
            u, heavy = _series(lambda v, m=mass, p=share: apply_gram(m, p, v @ hat), _traces(mass, share, hat), r)
            cross[0] += r.T @ r
            cross[1] += u.T @ u
            for i in np.flatnonzero(heavy):
                w = np.diag(mass[i]) - np.outer(mass[i], share[i])
                own = wide.contrast @ scaled_inverse(total - x[s].T @ w @ x[s]) @ x[s].T @ r[i]
                extra += np.outer(own, own)
            units[s] += int((mass > 0).any(axis=1).sum())
            spread = _spread(mass, share, load[s])
            squared += spread.sum(axis=0)
            fourth += (spread**2).sum(axis=0)
            second += _second(mass, share)
        plain += load[s].T @ cross[0] @ load[s]
        stretched += load[s].T @ cross[1] @ load[s] + extra
        gram[s, s * t : (s + 1) * t, s * t : (s + 1) * t] = second
        some = fourth > 0
        number[s, some] = squared[some] ** 2 / fourth[some]
    return {
        "covariances": {"cr0": plain, "cr2": (plain + stretched) / 2, "cr3": stretched},
        "carriers": SideCarriers(n=units, gram=gram, effective_units=number, reading=load.reshape(1, c * t, k)),
    }


def _traces(mass: np.ndarray, share: np.ndarray, hat: np.ndarray) -> np.ndarray:
    """(n,) tr(W_i K)."""
    return mass @ np.diag(hat) - np.einsum("it,it->i", mass @ hat, share)


def _series(step: Callable[[np.ndarray], np.ndarray], trace: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ_k (WK)^k r, and which rows are left to exact algebra (zero here)."""
    heavy = trace > HEAVY
    term = np.where(heavy[:, None], 0.0, r)
    out, size = term.copy(), float(np.abs(term).max(initial=0.0))
    for _ in range(TERMS):
        term = np.where(heavy[:, None], 0.0, step(term))
        out += term
        if np.abs(term).max(initial=0.0) <= 1e-13 * size:
            break
    return out, heavy


def _spread(mass: np.ndarray, share: np.ndarray, load: np.ndarray) -> np.ndarray:
    """(n, k) ℓ'P'diag(m²)Pℓ: a unit's variance of each effect, identity on the response."""
    square = mass**2
    mean = share @ load
    out = square @ load**2 - 2 * mean * (square @ load) + mean**2 * square.sum(axis=1, keepdims=True)
    return np.clip(out, 0, None)


def _second(mass: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(T, T) Σ_i P'diag(m²)P."""
    square = mass**2
    crossed = square.T @ share
    own = share.T @ (share * square.sum(axis=1, keepdims=True))
    return np.diag(square.sum(axis=0)) - crossed - crossed.T + own


def _listed_scores(wide: Wide, bread: np.ndarray, load: np.ndarray, total: np.ndarray) -> dict:
    """Clusters listed, but too many for full algebra."""
    reader, x = wide.reader, wide.columns.columns
    cluster, cohort = reader.cells
    c, t, k = load.shape
    gram, second, score, _ = _listed(wide)
    g = reader.n_clusters
    flat = np.zeros((g, c, t))
    flat[cluster, cohort] = score
    full = np.einsum("ctp,pq,dsq->ctds", x, bread, x, optimize=True).reshape(c * t, c * t)
    trace = np.zeros(g)
    hats = np.stack([x[s] @ bread @ x[s].T for s in range(c)])
    np.add.at(trace, cluster, np.einsum("jts,jst->j", gram, hats[cohort]))

    def step(v: np.ndarray) -> np.ndarray:
        pulled = (v.reshape(g, -1) @ full).reshape(g, c, t)
        out = np.zeros_like(pulled)
        out[cluster, cohort] = np.einsum("jts,js->jt", gram, pulled[cluster, cohort])
        return out.reshape(g, -1)

    u, heavy = _series(step, trace, flat.reshape(g, -1))
    flat_load = load.reshape(c * t, k)
    one_step = u @ flat_load
    for i in np.flatnonzero(heavy):
        own = cluster == i
        left = total - sum(x[s].T @ w @ x[s] for s, w in zip(cohort[own], gram[own]))
        one_step[i] = wide.contrast @ scaled_inverse(left) @ np.einsum("jt,jtp->p", score[own], x[cohort[own]])
    return {
        "influence": flat.reshape(g, -1) @ flat_load,
        "one_step": one_step,
        "carriers": TimeCarriers(cluster=cluster, side=cohort, n_sides=c, gram=second, load=load),
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class TimeCarriers(CellCarriers):
    """Cells with second moments (J, T, T) of mass, read by the loads (C, T, width) of their cohort."""

    load: np.ndarray

    def _cells(self, rows: np.ndarray) -> np.ndarray:
        assert self.gram is not None
        out = np.empty((len(self.side), len(rows)))
        for s in np.unique(self.side):
            at = self.side == s
            own = self.load[s] @ rows.T
            out[at] = np.einsum("tk,jts,sk->jk", own, self.gram[at], own, optimize=True)
        return np.clip(out, 0, None)
