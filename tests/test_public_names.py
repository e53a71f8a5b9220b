"""The public names of the package and its modules: adding or losing one is a decision, not an accident."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

PUBLIC = {
    "evalkit": """
        Design EffectPath Panel Psa UserError assess cea core data did panel plans show sources study text
    """,
    "evalkit.assess": """
        TOTAL Tables acceptance activity_summary artefacts byar cap_gate economic_scores effect_score
        exact_poisson exceptions execution fund_ratio gates hide industry_targets joint_meetings
        key_industry_target last_mature_month measure_counts measure_roll_up measure_totals measures
        path_value peers project_costs projects_of protect publish rate_ratio rates reference_ratio rows_of
        scores six_enters spend_per_insured suppression target_path training_coverage training_reach
        training_results unit_cost verdict wilson with_margins yearly_ledger
    """,
    "evalkit.cea": """
        Draws PERSPECTIVES Pooled Portfolio RatioSet Returns RiskAverse RouteGap Schedule UnitCosts
        accounts annuity averted_draws benefit_flows breakdown_mbar breakeven budget_impact by_group
        by_payer cash_in_window ceac ceaf compare_routes convert daly decide decision_table
        discount_factor dominance draw draw_all enbs evpi evppi evppi_variance evsi expected_loss
        fade fieller frontier frontier_of_means grade_groups icer icer_bootstrap icer_set icer_table
        impact_inventory in_prices inflate inmb life_annuity mc_errors mixture morris net nmb
        one_way payback pool portfolio present_value price_years programme_flows psa psa_from_arrays
        read_psa returns risk_averse robust_decision scenarios schedule sobol survival
        threshold_curves tornado two_way unit_costs write_psa years_lost
    """,
    "evalkit.data": """
        Canonical ColumnSpec FileSpec InputFile TableSpec capped city_panel firm_panel ingest
        ingest_by_place key_for last_mature_quarter outcome_names panel policy_panel read_canonical
        restrict sample scan table tables write_canonical
    """,
    "evalkit.did": """
        ESTIMATORS SyntheticWeights att_gt bacon balance breakdown counterfactual dose_response
        effective_clusters etwfe event_study first_difference gap honest imputation inference
        informative leave_one_out log_rate outcomes panel_effect placebo power ppml ppml_event_study
        pretrend_power pretrend_test section_effect separated simulated_size sunab synthetic_control
        synthetic_did synthetic_weights trend_evidence triple_difference twfe two_stage
    """,
    "evalkit.show": """
        FIGURES check_exhibits display figure_png render
    """,
}
HEAVY = ("numpy", "pandas", "scipy", "matplotlib", "linearmodels", "pyarrow", "pydantic", "nbformat", "jsonschema")


def loaded(code: str) -> set[str]:
    """Modules that a fresh interpreter holds after `code`."""
    told = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return set(told.stderr.split())


@pytest.mark.parametrize("module", PUBLIC)
def test_public_names(module: str) -> None:
    """`__all__` is the pinned list without repeats, and every name is there."""
    found = import_module(module)
    assert sorted(found.__all__) == sorted(PUBLIC[module].split())
    assert len(set(found.__all__)) == len(found.__all__)
    assert all(hasattr(found, name) for name in found.__all__)


@pytest.mark.parametrize("module", PUBLIC)
def test_every_public_call_is_documented(module: str) -> None:
    """A public function or noun has a docstring of its own, not the one that a dataclass makes up."""
    found = import_module(module)
    for name in found.__all__:
        thing = getattr(found, name)
        if callable(thing):
            said = (thing.__doc__ or "").strip()
            assert said and not said.startswith(f"{name}("), f"{module}.{name}"


@pytest.mark.parametrize("module", ["evalkit", "evalkit.core", "evalkit.text", "evalkit.cli"])
def test_importing_is_light(module: str) -> None:
    """The package, its nouns' index, its texts and its command line load neither arrays nor frames."""
    assert not loaded(f"import {module}") & set(HEAVY)


def test_a_fit_loads_no_sensitivity_analysis() -> None:
    """What an estimator does not use is not loaded with it, and is there when its name is used."""
    rest = {"evalkit.did.sensitivity", "evalkit.did.cross_section", "evalkit.did.wide_fit"}
    assert not loaded("from evalkit import did\ndid.att_gt") & rest
    assert "evalkit.did.sensitivity" in loaded("from evalkit import did\ndid.honest")


def test_help_is_light() -> None:
    """--help loads neither arrays nor frames."""
    code = "from evalkit.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert not loaded(code) & set(HEAVY)


def test_a_name_of_core_is_the_one_of_its_module() -> None:
    """Names of `core` are found in the module that defines them, and an unknown one is an AttributeError."""
    core = import_module("evalkit.core")
    for name in core.__all__:
        assert getattr(core, name) is not None
        module = getattr(getattr(core, name), "__module__", "")
        assert not module.startswith("evalkit.core") or module == f"evalkit.core.{core._HOME[name]}"
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = core.nothing_of_the_kind
