"""Linear models of `wide`, balanced or not, with weights or without: two passes over the panel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from .first_stage import scaled_inverse
from .linalg import pseudo_inverse
from .reader import Reader, row_sums
from .wide import Columns, Piece, Tally, apply_gram, joined, unit_gram


class LinearModel:
    """y_it = α_i + X_ct β + u_it on cells used and observed. observed (N, T) or None where all are."""

    def __init__(self, reader: Reader, columns: Columns, outcome: str, observed: np.ndarray | None) -> None:
        self.reader, self.columns, self.outcome, self.observed = reader, columns, outcome, observed
        x = columns.columns
        self.tally = Tally(reader, columns.rows)
        found = [self._sums(c) for c in range(len(reader.labels))]
        gram = joined(np.stack([f[0] for f in found]), x)
        self.bread = scaled_inverse(gram)
        self.beta = self.bread @ sum(x[c].T @ f[1] for c, f in enumerate(found))
        self.n_obs = int(self.tally.cells.sum())
        self.size = np.stack([f[2] for f in found])
        scale = np.sqrt(np.clip(np.diag(gram), 0, None))
        scale = np.where(scale > 1e-9 * scale.max(), scale, 1.0)
        scaled = gram / scale[:, None] / scale
        inverse = pseudo_inverse(scaled)
        self.rank = round(float(np.trace(inverse @ scaled)))
        rest = columns.contrast / scale @ (np.eye(len(scale)) - inverse @ scaled) * scale
        self.identified = np.linalg.norm(rest, axis=1) <= 1e-6

    def _read(self, cohort: int, at: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """clusters (n,), mass and y (n, T); y is centred at the unit's first level to save digits."""
        reader, panel = self.reader, self.reader.panel
        units = reader.order[at]
        used = self.columns.used[cohort]
        y = reader.take(panel.matrix(self.outcome), units)
        mass = np.ones(y.shape) if panel.weight is None else reader.take(panel.weight, units)
        if self.observed is not None or not used.all():
            ok = used[None] if self.observed is None else reader.take(self.observed, units) & used
            mass, y = np.where(ok, mass, 0.0), np.where(ok, y, 0.0)
        total = row_sums(mass)
        level = np.divide(row_sums(mass * y), total, out=np.zeros_like(total), where=total > 0)
        return reader.cluster[units], mass, y - level

    def _sums(self, cohort: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Σ W (T, T), Σ W y (T,), Σ mass (T,)."""
        t = self.reader.n_periods
        out = (np.zeros((t, t)), np.zeros(t), np.zeros(t))
        for at in self.reader.blocks(cohort):
            cluster, mass, y = self._read(cohort, at)
            self.tally.add(cohort, cluster, mass > 0)
            gram, share = unit_gram(mass)
            out[0][:] += gram
            out[1][:] += apply_gram(mass, share, y).sum(axis=0)
            out[2][:] += mass.sum(axis=0)
        return out

    def pieces(self, cohort: int) -> Iterator[Piece]:
        """Blocks of clusters, mass and r."""
        fitted = self.columns.columns[cohort] @ self.beta
        for at in self.reader.blocks(cohort):
            cluster, mass, y = self._read(cohort, at)
            _, share = unit_gram(mass)
            yield cluster, mass, apply_gram(mass, share, y - fitted)
