"""What an estimator hands over: its path of effects and the estimations behind it, from which all inference follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core import Design, EffectPath, Panel, Term, UserError, frozen_array
from .cells import Cells, Row, contrast_rows, event_rows, memberships, select, static_rows, without_anticipation
from .linalg import Regression, pseudo_inverse
from .parts import Part

Layout = Callable[[Panel, Design, np.ndarray], tuple[Cells, list[Row]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """An estimator's own path (no covariance yet) and one source per outcome: a regression, or a `Part` of its own.

    The rows of the path are the quantities of the sources, one source after the other (a regression's are its
    contrasts). Every estimator of the registry is a function (Panel, Design) → Fit; the router does the rest.
    """

    path: EffectPath
    sources: tuple[Regression | Part, ...]

    @property
    def regressions(self) -> tuple[Regression, ...]:
        """The sources, where all of them are regressions; otherwise none."""
        found = tuple(s for s in self.sources if isinstance(s, Regression))
        return found if len(found) == len(self.sources) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One outcome's share of a fit: k terms, estimates, the regression, and counts for count paths; `source` makes the
    part where the regression only stands for a larger one.
    """

    terms: tuple[Term, ...]
    estimate: np.ndarray
    regression: Regression
    notes: tuple[str, ...] = ()
    observed: np.ndarray | None = None
    mu0: np.ndarray | None = None
    exposure: np.ndarray | None = None
    source: Callable[[Regression], Part] | None = None

    @property
    def estimation(self) -> Regression | Part:
        """What the fit hands over: the regression, or the part made of it."""
        return self.regression if self.source is None else self.source(self.regression)

    def keep(self, rows: np.ndarray) -> Piece:
        """The piece restricted to the rows (k,) that are True."""
        r = self.regression
        return replace(
            self,
            terms=tuple(t for t, k in zip(self.terms, rows) if k),
            estimate=self.estimate[rows],
            regression=replace(r, contrast=r.contrast[rows], treated=r.treated[rows], control=r.control[rows]),
            observed=None if self.observed is None else self.observed[rows],
            mu0=None if self.mu0 is None else self.mu0[rows],
            exposure=None if self.exposure is None else self.exposure[rows],
        )


def static_layout(panel: Panel, design: Design, observed: np.ndarray) -> tuple[Cells, list[Row]]:
    """One effect of treatment; cells between notice and start are left out."""
    cells = without_anticipation(select(panel, design, observed), design)
    return cells, static_rows(cells)


def event_layout(panel: Panel, design: Design, observed: np.ndarray) -> tuple[Cells, list[Row]]:
    """One effect per event time relative to each cohort's last period before notice."""
    cells = select(panel, design, observed)
    return cells, event_rows(cells)


def outcomes_of(panel: Panel, design: Design) -> tuple[str, ...]:
    """Outcomes that the design asks for.

    Raises UserError did_unknown_outcome or did_unknown_covariate, listing those there are.
    """
    names = tuple(design.outcomes) or (panel.primary,)
    unknown = [n for n in names if n not in panel.outcomes]
    if unknown:
        raise UserError("did_unknown_outcome", outcome=unknown, known=list(panel.outcomes))
    missing = [n for n in design.covariates if n not in panel.covariates]
    if missing:
        raise UserError("did_unknown_covariate", covariate=missing, known=list(panel.covariates))
    return names


def observed_cells(panel: Panel, outcome: str, design: Design) -> np.ndarray:
    """(N, T) True where outcome, covariates and (positive) weight are all there."""
    ok = np.isfinite(panel.matrix(outcome))
    for name in design.covariates:
        ok &= np.isfinite(panel.covariates[name])
    if panel.weight is not None:
        ok &= np.nan_to_num(panel.weight) > 0
    return ok


def build_regression(
    cells: Cells,
    rows: list[Row],
    x: np.ndarray,
    y: np.ndarray,
    root: np.ndarray,
    *,
    n_params: int,
    family: str = "linear",
) -> Regression:
    """A regression from transformed arrays; contrasts and cluster memberships come from the rows."""
    treated, control = memberships(cells, rows)
    return Regression(
        x=x,
        y=y,
        root=root,
        unit=cells.unit,
        cluster=cells.cluster,
        time=cells.time,
        n_clusters=cells.n_clusters,
        contrast=contrast_rows(rows, x.shape[1]),
        treated=treated,
        control=control,
        n_params=n_params,
        family=family,
    )


def shown(piece: Piece, design: Design) -> Piece:
    """Leave out rows outside `design.window` and rows that the sample does not identify (noted)."""
    r = piece.regression
    norms = np.sqrt((r.x**2).sum(axis=0))
    scale = np.where(norms > 0, norms, 1.0)
    gram = (r.x / scale).T @ (r.x / scale)
    rest = (r.contrast / scale) @ (np.eye(len(scale)) - pseudo_inverse(gram) @ gram)
    found = np.linalg.norm(rest * scale, axis=1) <= 1e-6
    low, high = design.window or (None, None)
    inside = np.array(
        [
            t.event_time is None or ((low is None or low <= t.event_time) and (high is None or t.event_time <= high))
            for t in piece.terms
        ],
        dtype=bool,
    )
    kept = piece.keep(found & inside)
    return kept if found.all() else replace(kept, notes=(*kept.notes, "path.note.unidentified_rows"))


def assemble(method: str, panel: Panel, design: Design, pieces: Sequence[Piece], sources: tuple[str, ...]) -> Fit:
    """Join the pieces of all outcomes into one fit.

    Raises UserError("effect_not_identified") where no outcome has an effect that the sample identifies.
    """
    pieces = [shown(p, design) for p in pieces]
    if not any(p.regression.contrast.any() for p in pieces):
        raise UserError("effect_not_identified", outcome=[p.terms[0].outcome if p.terms else "" for p in pieces])
    counts = pieces[0].observed is not None

    def joined(name: str) -> np.ndarray:
        return frozen_array(np.concatenate([getattr(p, name) for p in pieces]))

    path = EffectPath(
        method=method,
        terms=tuple(t for p in pieces for t in p.terms),
        estimate=joined("estimate"),
        observed=joined("observed") if counts else None,
        mu0=joined("mu0") if counts else None,
        exposure=joined("exposure") if counts and pieces[0].exposure is not None else None,
        design=design,
        unit=panel.outcome_unit,
        notes=tuple(dict.fromkeys(n for p in pieces for n in p.notes)),
        sources=sources,
    )
    return Fit(path=path, sources=tuple(p.estimation for p in pieces))
