"""Separation of a Poisson model whose effects are those of units and of nodes, found exactly before estimation.

A node is a period, seen through untreated cells, or a (cohort, period) pair with an effect of its own. With μ = exp(a_i
+ b_node + offset) a cell without a case is separated where a direction (a, b) exists along which its fitted count falls
to zero and every cell with a case stays (Correia, Guimarães and Zylkin 2019, arXiv 1903.01633). Such a direction has
a_i = −b_node on cells with a case and a_i ≤ −b_node on cells without: draw an edge both ways for the former, from unit
to node for the latter. Then a cell is separated if and only if its two ends lie in different strongly connected
components, and two nodes are comparable if and only if they lie in the same one. Units alike in which nodes they have
cases and cells in are one vertex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """unit (n,) and node (M,) labels of strongly connected components; a node without a case has −1."""

    unit: np.ndarray
    node: np.ndarray


def components(cohort: np.ndarray, node: np.ndarray, present: np.ndarray, positive: np.ndarray) -> Components:
    """cohort (n,) positions; node (C, T) the node of a cohort's period; present, positive (n, T): a unit has a cell in
    the
    period, and a case in it.
    """
    joined = _all_joined(cohort, node, positive)
    if joined is not None:
        return joined
    return _strong(cohort, node, present, positive)


def _all_joined(cohort: np.ndarray, node: np.ndarray, positive: np.ndarray) -> Components | None:
    """The one component where cases alone join all nodes that have any, which is the rule; None otherwise."""
    from scipy.sparse.csgraph import connected_components

    m = int(node.max(initial=-1)) + 1
    together = np.zeros((m, m))
    for c in range(len(node)):
        own = positive[cohort == c].astype(np.float32)
        np.add.at(together, np.ix_(node[c], node[c]), own.T @ own)
    seen = np.diag(together) > 0
    count, _ = connected_components(together[np.ix_(seen, seen)] > 0, directed=False)
    if count != 1:
        return None
    some = positive.astype(np.float32) @ np.ones(positive.shape[1], dtype=np.float32) > 0
    return Components(unit=np.where(some, 0, -2), node=np.where(seen, 0, -1))


def _strong(cohort: np.ndarray, node: np.ndarray, present: np.ndarray, positive: np.ndarray) -> Components:
    """Strongly connected components of the graph of units alike and nodes."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, which = _patterns(cohort, present, positive)
    k, m, here = len(first), int(node.max(initial=-1)) + 1, node[cohort[first]]
    u, t = np.nonzero(present[first])
    back_u, back_t = np.nonzero(positive[first])
    row, column = np.r_[u, k + here[back_u, back_t]], np.r_[k + here[u, t], back_u]
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, column)), shape=(k + m, k + m)).tocsr()
    _, label = connected_components(graph, directed=True, connection="strong")
    seen = np.bincount(here[back_u, back_t], minlength=m) > 0
    return Components(unit=label[:k][which], node=np.where(seen, label[k:], -1))


def _patterns(cohort: np.ndarray, present: np.ndarray, positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions of units that differ in cohort, cells or cases, and which of them every unit is like."""
    t = present.shape[1]
    if 2 * t + int(cohort.max(initial=0)).bit_length() <= 62:
        power = 2.0 ** np.arange(t)
        bits = [(a.astype(float) @ power).astype(np.int64) for a in (present, positive)]
        keys = (cohort.astype(np.int64) << (2 * t)) | (bits[0] << t) | bits[1]
    else:
        packed = np.packbits(np.concatenate([present, positive], axis=1), axis=1)
        packed = np.column_stack([packed, cohort.astype(np.int64).view(np.uint8).reshape(len(cohort), 8)])
        keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    return first, which.reshape(-1)
