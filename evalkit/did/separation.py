"""Separation of a Poisson model whose effects are those of units and of nodes, found exactly before estimation.

A node is a period, seen through untreated cells, or a (cohort, period) pair with an effect of its own. With μ = exp(a_i +
b_node + offset) a cell without a case is separated where a direction (a, b) exists along which its fitted count falls to
zero and every cell with a case stays (Correia, Guimarães and Zylkin 2019, arXiv 1903.01633). Such a direction has
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
    """unit (n,) and node (M,) labels of strongly connected components; node is −1 without a case."""

    unit: np.ndarray
    node: np.ndarray


def components(present: np.ndarray, positive: np.ndarray) -> Components:
    """present, positive (n, M): a unit has a cell at a node, and a case in it."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n, m = present.shape
    packed = np.packbits(np.concatenate([present, positive], axis=1), axis=1)
    keys = np.ascontiguousarray(packed).view(np.dtype((np.void, packed.shape[1]))).ravel()
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    u, v = np.nonzero(present[first])
    back_u, back_v = np.nonzero(positive[first])
    k = len(first)
    row, column = np.r_[u, k + back_v], np.r_[k + v, back_u]
    graph = coo_array((np.ones(len(row), dtype=np.int8), (row, column)), shape=(k + m, k + m)).tocsr()
    _, label = connected_components(graph, directed=True, connection="strong")
    node = np.where(positive[first].any(axis=0), label[k:], -1)
    return Components(unit=label[:k][which.reshape(-1)], node=node)
