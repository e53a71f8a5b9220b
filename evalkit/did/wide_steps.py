"""The part of a model of `wide` with many clusters: one step, sums over units in T × T matrices.

With K_c = X_cA⁺X_c' a cluster's jackknife score is c'A⁺X'u, u = Σ_k (WK)^k r = (I − WK)⁻¹r, summed until it stands
still, cluster by cluster where they are listed and in cross products otherwise; a cluster whose leverage tr(WK) is
above ½ (there are fewer than 2p) is left out exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np

from .components import Components, components
from .first_stage import scaled_inverse
from .linalg import inverse_herfindahl
from .wide import apply_gram, joined, shares, unit_gram
from .wide_df import Scan, degrees, quadratics, scan
from .wide_sums import Wide, cell_sums, listed_sums, members_of

TERMS = 60
HEAVY = 0.5


def one_step(wide: Wide) -> WidePart:
    """The part, from another pass over the panel."""
    reader, x = wide.reader, wide.columns.columns
    gram = np.stack([sum(unit_gram(m)[0] for _, m, _ in wide.pieces(c)) for c in range(len(reader.labels))])
    total = joined(gram, x)
    bread = scaled_inverse(total)
    listed, found = listed_sums(wide) if reader.listed else None, None
    if listed is not None and wide.counts and wide.n_units > len(np.unique(reader.cells[0])):
        found = components(cell_sums(wide))
        listed = (listed[0], found.working(listed[0] @ listed[0], listed[1], listed[0]), *listed[2:])
    state = State(
        wide=wide,
        bread=bread,
        total=total,
        load=np.einsum("ctp,pq,kq->ctk", x, bread, wide.contrast, optimize=True),
        listed=listed,
    )
    return WidePart(state=state, working=found, **(_listed_scores if reader.listed else _crossed)(state))


@dataclass(frozen=True, kw_only=True, eq=False)
class State:
    """A solved model with A, A⁺, loads X_cA⁺c (C, T, k), and the sums of `listed_sums` where clusters are listed.

    The second of these is a cell's working covariance: P'diag(m²)P, the identity on the response, or error components.
    """

    wide: Wide
    bread: np.ndarray
    total: np.ndarray
    load: np.ndarray
    listed: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None

    @property
    def x(self) -> np.ndarray:
        return self.wide.columns.columns

    def without(self, gram: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(k,) exact jackknife score without a cluster of this share (p, p) of A, and (p, p) what is not told then."""
        left = self.total - gram
        inverse = scaled_inverse(left)
        lost = np.eye(len(left)) - inverse @ left
        told = np.abs(self.wide.contrast @ lost).max(axis=1) <= 1e-6
        return np.where(told, self.wide.contrast @ inverse @ score, 0.0), lost


def _crossed(state: State) -> dict[str, Any]:
    """Every unit a cluster, too many to list: cross products of r and of u by cohort."""
    wide, x, load = state.wide, state.x, state.load
    c, t, k = load.shape
    plain, stretched, lost = np.zeros((k, k)), np.zeros((k, k)), []
    for s in range(c):
        cross, hat = np.zeros((2, t, t)), x[s] @ state.bread @ x[s].T
        for _, mass, r in wide.pieces(s):
            share = shares(mass)
            u, heavy = _series(partial(_pulled, mass, share, hat), _traces(mass, share, hat), r)
            cross[0] += r.T @ r
            cross[1] += u.T @ u
            for i in np.flatnonzero(heavy):
                w = np.diag(mass[i]) - np.outer(mass[i], share[i])
                own, rest = state.without(x[s].T @ w @ x[s], x[s].T @ r[i])
                stretched += np.outer(own, own)
                lost.append(wide.contrast @ rest)
        plain += load[s].T @ cross[0] @ load[s]
        stretched += load[s].T @ cross[1] @ load[s]
    return {"covariances": {"cr0": plain, "cr2": (plain + stretched) / 2, "cr3": stretched}, "lost": _lost(lost, k)}


def _lost(found: list[np.ndarray], k: int) -> np.ndarray:
    """(H, k, p) what single clusters alone tell of the effects; only where they do."""
    some = [f for f in found if np.abs(f).max(initial=0.0) > 1e-6]
    return np.stack(some) if some else np.zeros((0, k, 1))


def _pulled(mass: np.ndarray, share: np.ndarray, hat: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(n, T) W_i K v_i."""
    return apply_gram(mass, share, v @ hat)


def _traces(mass: np.ndarray, share: np.ndarray, hat: np.ndarray) -> np.ndarray:
    """(n,) tr(W_i K)."""
    return mass @ np.diag(hat) - np.einsum("it,it->i", mass @ hat, share)


def _series(
    step: Callable[[np.ndarray], np.ndarray], trace: np.ndarray, r: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
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


def _listed_scores(state: State) -> dict[str, Any]:
    """Clusters listed, but too many for full algebra: scores (G, k) plain and left out."""
    assert state.listed is not None
    reader, x, (gram, _, score, _) = state.wide.reader, state.x, state.listed
    cluster, cohort = reader.cells
    c, t, k = state.load.shape
    g = reader.n_clusters
    flat = np.zeros((g, c, t))
    flat[cluster, cohort] = score
    full = np.einsum("ctp,pq,dsq->ctds", x, state.bread, x, optimize=True).reshape(c * t, c * t)
    hats, trace = np.stack([x[s] @ state.bread @ x[s].T for s in range(c)]), np.zeros(g)
    np.add.at(trace, cluster, np.einsum("jts,jst->j", gram, hats[cohort]))

    def step(v: np.ndarray) -> np.ndarray:
        pulled = (v.reshape(g, -1) @ full).reshape(g, c, t)
        out = np.zeros_like(pulled)
        out[cluster, cohort] = np.einsum("jts,js->jt", gram, pulled[cluster, cohort])
        return out.reshape(g, -1)

    u, heavy = _series(step, trace, flat.reshape(g, -1))
    load = state.load.reshape(c * t, k)
    jackknife, lost = u @ load, []
    for i in np.flatnonzero(heavy):
        own = cluster == i
        share = sum(x[s].T @ w @ x[s] for s, w in zip(cohort[own], gram[own]))
        jackknife[i], rest = state.without(share, np.einsum("jt,jtp->p", score[own], x[cohort[own]]))
        lost.append(state.wide.contrast @ rest)
    return {"influence": flat.reshape(g, -1) @ load, "jackknife": jackknife, "lost": _lost(lost, k)}


@dataclass(frozen=True, kw_only=True, eq=False)
class WidePart:
    """A `Part` of many clusters. influence, jackknife (G, width) where they are listed, otherwise `covariances`; cr2 is
    halfway. lost (H, width, p): what single clusters alone tell of the effects.

    Degrees of freedom are Satterthwaite's on the cr0 scores, exact among the `TOP` clusters that carry a row most; the
    rest count with their variance and the Welch correction for their cohort's estimated mean (`influence_part`).
    Under `working` error components a shock is shared within a cluster's cohort: cohorts of one cluster count as apart.
    """

    state: State
    lost: np.ndarray
    working: Components | None = None
    influence: np.ndarray | None = None
    jackknife: np.ndarray | None = None
    covariances: dict[str, np.ndarray] | None = None
    memo: dict[str, Any] = field(default_factory=dict, repr=False)
    df_where_estimable: ClassVar[bool] = True

    @property
    def width(self) -> int:
        return len(self.state.wide.contrast)

    @cached_property
    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """(width, C) clusters of a cohort treated in each effect, and compared with: units, where not listed."""
        wide = self.state.wide
        out = np.zeros((2, self.width, len(wide.reader.labels)))
        for c in range(out.shape[2]):
            for _, mass, _ in wide.pieces(c):
                seen = (mass > 0).astype(np.float32)
                for place, on in enumerate((wide.treated, wide.control)):
                    out[place, :, c] += (seen @ on[:, c].T.astype(np.float32) > 0).sum(axis=0)
        return out[0], out[1]

    @cached_property
    def members(self) -> tuple[np.ndarray, np.ndarray]:
        """(width, G) listed clusters treated in each effect, and compared with."""
        assert self.state.listed is not None
        wide, seen = self.state.wide, self.state.listed[3]
        own = (members_of(on, seen, *wide.reader.cells, wide.reader.n_clusters) for on in (wide.treated, wide.control))
        treated, control = own
        return treated, control

    @cached_property
    def n_clusters(self) -> int:  # type: ignore[override]
        reader, listed = self.state.wide.reader, self.state.listed
        if listed is not None:
            return len(np.unique(reader.cells[0][listed[3].any(axis=1)]))
        return self.state.wide.n_units

    def live(self, rows: np.ndarray) -> np.ndarray:
        return np.asarray((rows @ self.state.wide.contrast).any(axis=1))

    def scores(self, rule: str, rows: np.ndarray) -> np.ndarray | None:
        if self.influence is None or self.jackknife is None:
            return None
        own = {"cr2": (self.influence + self.jackknife) / 2, "cr3": self.jackknife}.get(rule, self.influence)
        return own @ rows.T * self._scale(rule)

    def vcov(self, rule: str, rows: np.ndarray) -> np.ndarray:
        scores = self.scores(rule, rows)
        if scores is not None:
            return scores.T @ scores
        assert self.covariances is not None
        name = rule if rule in ("cr2", "cr3") else "cr0"
        return np.asarray(rows @ self.covariances[name] @ rows.T) * self._scale(rule) ** 2

    def _scale(self, rule: str) -> float:
        g, wide = self.n_clusters, self.state.wide
        if rule in ("cr1", "analytic"):
            return float(np.sqrt(g / (g - 1) * (wide.n_obs - 1) / (wide.n_obs - wide.n_params)))
        return float(np.sqrt((g - 1) / g)) if rule == "cr3" else 1.0

    def df(self, rows: np.ndarray) -> np.ndarray:
        return degrees(self.state, rows, self._scan(rows))

    def estimable(self, rows: np.ndarray) -> np.ndarray:
        told = [bool(np.abs(row @ lost).max() <= 1e-6) for lost in self.lost for row in rows]
        return np.asarray(np.array(told, dtype=bool).reshape(len(self.lost), len(rows)).all(axis=0))

    def clusters(self, rows: np.ndarray) -> np.ndarray:
        if self.state.listed is not None:
            return np.column_stack([m.sum(axis=1) for m in self._members(rows)])
        own = [[np.max(count[row != 0], axis=0, initial=0).sum() for row in rows] for count in self.counts]
        return np.array(own, dtype=np.int64).T

    def effective(self, rows: np.ndarray) -> np.ndarray:
        return self._listed_effective(rows) if self.state.listed is not None else self._unit_effective(rows)

    def _listed_effective(self, rows: np.ndarray) -> np.ndarray:
        treated, control = self._members(rows)
        lever = np.zeros((self.state.wide.reader.n_clusters, len(rows)))
        np.add.at(lever, self.state.wide.reader.cells[0], quadratics(self.state, rows)[1])
        apart = np.where((control & ~treated).any(axis=1)[:, None], control & ~treated, control)
        pairs = [[inverse_herfindahl(lever[m[r], r]) for m in (treated, apart)] for r in range(len(rows))]
        return np.array(pairs).reshape(len(rows), 2)

    def _unit_effective(self, rows: np.ndarray) -> np.ndarray:
        found, out = self._scan(rows), np.zeros((len(rows), 2))
        for r, row in enumerate(rows):
            treated, control = (count[row != 0].any(axis=0) for count in self.counts)
            apart = control & ~treated
            for place, on in enumerate((treated, apart if apart.any() else control)):
                square = found.lever_square[on, r].sum()
                out[r, place] = found.lever[on, r].sum() ** 2 / square if square > 0 else 0.0
        return out

    def _members(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        treated, control = (np.stack([m[row != 0].any(axis=0) for row in rows]) for m in self.members)
        return treated, control

    def _scan(self, rows: np.ndarray) -> Scan:
        """The pass over the panel, kept for the rows asked for last."""
        key = rows.tobytes()
        if self.memo.get("key") != key:
            self.memo.update(key=key, scan=scan(self.state, rows))
        return self.memo["scan"]
