"""Disclosure control of a 2-D table of counts with its margins: what may leave in the release edition.

Primary: counts below the threshold are hidden, zeros too unless they are structural. Secondary: every hidden cell lies
on a closed path of hidden cells (right angles through rows and columns, margins included) along which counts can be
shifted without touching a published number. So no margin gives a hidden cell back: a primary cell's possible values
reach at least `PROTECTION` beyond its own on both sides, a secondary cell's on one side at least. Limits: one table at
a time. Two releases that share margins, or a margin known from elsewhere, must be checked together before one leaves.
Source: Cox (1980) JASA 75:377-385; Hundepool et al. (2012) Statistical Disclosure Control, ch. 4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

TOTAL = "total"
PROTECTION = 0.20
"""Share of a hidden count by which its possible values must exceed it and fall short of it."""


def with_margins(counts: pd.DataFrame) -> pd.DataFrame:
    """The table of counts with a last row and a last column `TOTAL`."""
    wide = counts.assign(**{TOTAL: counts.sum(axis=1)})
    return pd.concat([wide, wide.sum(axis=0).to_frame(TOTAL).T])


def suppression(counts: pd.DataFrame, *, threshold: int, structural_zeros: pd.DataFrame | None = None) -> pd.DataFrame:
    """Which cells of the table and its margins must be hidden.

    counts            whole numbers ≥ 0, rows × columns, without margins
    threshold         smallest count that may be shown (10 for the public, 5 inside government)
    structural_zeros  True where a zero is known to everybody and may stand (no mine in this city); none by default
    Returns a table of bool, True = hidden, with margins (`TOTAL`). The hiding order is deterministic. Raises ValueError
    for negative or fractional counts. Hides more than the least possible where a longer path would do.
    """
    if (counts.to_numpy(float) < 0).any() or (counts.to_numpy(float) % 1 != 0).any():
        raise ValueError("counts must be whole numbers, not negative")
    table = with_margins(counts)
    value = table.to_numpy(float)
    known = np.zeros(value.shape, dtype=bool)
    if structural_zeros is not None:
        known[:-1, :-1] = structural_zeros.reindex_like(counts).to_numpy(dtype=bool)
    primary = (value < threshold) & ~(known & (value == 0))
    hidden = _secondary(value, primary, known)
    return pd.DataFrame(hidden, index=table.index, columns=table.columns)


def publish(counts: pd.DataFrame, *, threshold: int, structural_zeros: pd.DataFrame | None = None) -> pd.DataFrame:
    """The table with margins as it may leave: hidden cells are NaN. Parameters and errors as in `suppression`.

    Not for two tables that share margins: each is safe alone, together they may not be.
    """
    return hide(with_margins(counts), suppression(counts, threshold=threshold, structural_zeros=structural_zeros))


def hide(values: pd.DataFrame, mask: pd.DataFrame) -> pd.DataFrame:
    """NaN wherever the count behind a value is hidden: a rate beside a known denominator gives its numerator away.

    values   any table;  mask   True = hidden (`suppression`), matched by labels; cells that it does not name are kept
    """
    return values.astype(float).mask(mask.reindex(index=values.index, columns=values.columns, fill_value=False))


def protect(
    frame: pd.DataFrame, *, rows: str, columns: str, count: str, hidden: Sequence[str] = (), threshold: int
) -> pd.DataFrame:
    """Disclosure control of a tidy table.

    frame    one line per `rows` × `columns`; lines labelled `TOTAL` are margins and are hidden where they would tell
    count    column of counts that decides;  hidden: further columns that go with it (rates, intervals)
    Returns the frame with NaN in hidden lines and `suppressed` (bool). Absent combinations count as structural zeros.
    Raises ValueError where a combination stands twice.
    """
    inner = frame.loc[(frame[rows] != TOTAL) & (frame[columns] != TOTAL)]
    if inner.duplicated([rows, columns]).any():
        raise ValueError(f"{rows} × {columns} does not identify the lines of this table")
    wide = inner.pivot(index=rows, columns=columns, values=count)
    mask = suppression(wide.fillna(0), threshold=threshold, structural_zeros=wide.isna())
    long = mask.rename_axis(index=rows, columns=columns).stack().rename("suppressed").reset_index()
    long[rows], long[columns] = long[rows].astype(object), long[columns].astype(object)
    keys = frame[[rows, columns]].astype(object)
    found = keys.merge(long, on=[rows, columns], how="left")["suppressed"].fillna(False).to_numpy(bool)
    out = frame.assign(suppressed=found)
    return out.assign(**{name: out[name].astype(float).mask(found) for name in (count, *hidden)})


def _secondary(value: np.ndarray, primary: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Add the cheapest closed path of four cells for every primary cell, the smallest cells first."""
    hidden = primary.copy()
    sign = np.ones(value.shape)
    sign[-1, :-1] = sign[:-1, -1] = -1
    price = value + value[-1, -1] * ((sign < 0) + 2.0 * _corner(value.shape)) + 1e-6
    cells = np.argwhere(primary)
    for r, c in cells[np.argsort(-value[primary], kind="stable")]:
        _close(value, sign, price, hidden, known, int(r), int(c))
    return hidden


def _close(
    value: np.ndarray, sign: np.ndarray, price: np.ndarray, hidden: np.ndarray, known: np.ndarray, r: int, c: int
) -> None:
    """Hide the cheapest (r, k), (i, c), (i, k) that let cell (r, c) move both ways by enough.

    Raising (r, c) by δ moves each of the three by ±δ. Cells that fall bound the rise, cells that rise bound the fall.
    Row and column total and grand total all rise with the cell, so a path through them always exists.
    """
    three = [np.broadcast_to(a, value.shape) for a in (value[r, :], value[:, [c]], value)]
    signs = [np.broadcast_to(a, value.shape) for a in (-sign[r, :], -sign[:, [c]], sign)]
    new = [np.broadcast_to(~a, value.shape) for a in (hidden[r, :], hidden[:, [c]], hidden)]
    cost = [np.broadcast_to(a, value.shape) for a in (price[r, :], price[:, [c]], price)]
    fixed = [np.broadcast_to(a, value.shape) for a in (known[r, :], known[:, [c]], known)]
    up = np.full(value.shape, np.inf)
    down = np.full(value.shape, value[r, c])
    for v, s in zip(three, signs):
        up = np.where(s * sign[r, c] < 0, np.minimum(up, v), up)
        down = np.where(s * sign[r, c] > 0, np.minimum(down, v), down)
    need = np.ceil(max(1.0, PROTECTION * value[r, c]))
    works = (up >= need) & (down >= min(need, value[r, c]))
    for v, n, f in zip(three, new, fixed):
        works &= ~f & (~n | (np.maximum(up, down) >= np.maximum(1.0, PROTECTION * v)))
    works[r, :] = works[:, c] = False
    total = np.where(works, sum(n * p for n, p in zip(new, cost)), np.inf)
    i, k = np.unravel_index(int(np.argmin(total)), total.shape)
    hidden[r, k] = hidden[i, c] = hidden[i, k] = True


def _corner(shape: tuple[int, ...]) -> np.ndarray:
    corner = np.zeros(shape)
    corner[-1, -1] = 1
    return corner
