"""The words of `Design.control` mean the same in every estimator."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit.core import NEVER, Design, UserError
from evalkit.did.inference import fit_path

LINEAR = ("twfe", "event_study", "att_gt", "imputation", "two_stage", "etwfe", "sunab")
COUNTS = ("ppml", "ppml_event_study", "etwfe_poisson")


@pytest.fixture
def panel_for(linear_panel, count_panel):
    """Three start dates and never-treated units; counts with exposure for the Poisson models."""

    def build(name):
        starts = (3, 5, 7)
        if name in COUNTS:
            return count_panel(n=24, t=9, starts=starts, treated=15)
        return linear_panel(n=24, t=9, starts=starts, treated=15)

    return build


def _without(panel, units):
    keep = ~units
    return replace(
        panel,
        units=tuple(u for u, k in zip(panel.units, keep) if k),
        outcomes={name: y[keep] for name, y in panel.outcomes.items()},
        cohort=panel.cohort[keep],
        cluster=np.arange(int(keep.sum())),
        cluster_names=tuple(c for c, k in zip(panel.cluster_names, keep) if k),
        exposure=None if panel.exposure is None else panel.exposure[keep],
    )


@pytest.mark.parametrize("anticipation", [0, 1])
@pytest.mark.parametrize("name", [*LINEAR, *COUNTS])
def test_later_is_the_panel_without_never_treated_units(panel_for, name, anticipation):
    """ "later" compares with units treated later: never-treated ones might as well not be there, in any estimator."""
    panel = panel_for(name)
    design = Design(control="later", rule="cr1", anticipation=anticipation)
    path = fit_path(name, panel, design)
    alone = fit_path(name, _without(panel, panel.cohort == NEVER), replace(design, control="not_yet"))
    assert [t.term for t in path.terms] == [t.term for t in alone.terms]
    np.testing.assert_allclose(path.estimate, alone.estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(path.std_error, alone.std_error, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", [*LINEAR, *COUNTS])
def test_later_leaves_out_what_not_yet_counts(panel_for, name):
    """ "not_yet" counts never-treated units among the controls, "later" does not: the estimates differ."""
    panel = panel_for(name)
    both = [fit_path(name, panel, Design(control=c, rule="cr1")) for c in ("not_yet", "later")]
    shared = {t.term for t in both[0].terms} & {t.term for t in both[1].terms}
    first, second = ({t.term: e for t, e in zip(p.terms, p.estimate) if t.term in shared} for p in both)
    assert any(abs(first[term] - second[term]) > 1e-6 for term in shared)


@pytest.mark.parametrize("name", ["twfe", "event_study", "ppml", "ppml_event_study"])
def test_a_two_way_model_has_one_sample_for_every_untreated_unit(panel_for, name):
    """Where there are never-treated units, "not_yet" and "never" are the same two-way model: all cells are in it."""
    panel = panel_for(name)
    paths = [fit_path(name, panel, Design(control=c, rule="cr1")) for c in ("not_yet", "never", "auto")]
    np.testing.assert_array_equal(paths[0].estimate, paths[1].estimate)
    np.testing.assert_array_equal(paths[0].estimate, paths[2].estimate)


@pytest.mark.parametrize("name", [*LINEAR, *COUNTS])
def test_later_needs_two_start_dates(panel_for, name):
    """With one start date nobody is treated later: refused by name."""
    panel = panel_for(name)
    once = replace(panel, cohort=np.where(panel.cohort == NEVER, NEVER, 4))
    with pytest.raises(UserError, match="no_not_yet_treated"):
        fit_path(name, once, Design(control="later"))
