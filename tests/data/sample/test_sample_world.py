"""The whole province: extract + remainder = totals, calibration, one truth with the fast path."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from evalkit.data.sample import base, official, workspace
from evalkit.data.sample.calibrate import settings, severity, table
from evalkit.data.sample.model import completeness
from evalkit.data.sample.timeline import months, project_quarters
from evalkit.data.sample.world import World, draw_world
from evalkit.sources import parameter
from evalkit.sources import table as source


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(20251220, "effect", 8)


@pytest.fixture(scope="module")
def frames(world: World) -> dict[str, pd.DataFrame]:
    return workspace.all_tables(world)


def test_extract_and_remainder_make_the_official_cases(world: World, frames: dict[str, pd.DataFrame]) -> None:
    """Claims of the extracts plus the remainder equal the official table in every cell, exactly."""
    keys = ["place", "industry", "month", "situation", "grade"]
    industry = frames["enrolment"].set_index("unit_id")["industry"]
    claims = frames["claim"].assign(
        industry=lambda c: c["unit_id"].map(industry), month=lambda c: c["injury_date"].str[:7]
    )
    inside = claims.groupby(keys).size()
    total = frames["case_summary"].set_index(keys)["cases"]
    rest = total.sub(inside, fill_value=0)
    assert (rest >= 0).all()
    assert rest.sum() == world.remainder.sum()
    assert total.sum() == len(claims) + world.remainder.sum()


def test_extract_is_part_of_the_official_insured(world: World, frames: dict[str, pd.DataFrame]) -> None:
    """Firms of the extracts never outnumber their city's industry; a quarter's mean holds in all its months."""
    per = frames["exposure"].merge(frames["enrolment"][["unit_id", "industry"]], on="unit_id")
    inside = per.groupby(["place", "industry", "quarter"])["insured"].sum()
    official_heads = frames["exposure_summary"].assign(
        quarter=lambda f: f["month"].str[:4] + "Q" + ((f["month"].str[5:].astype(int) + 2) // 3).astype(str)
    )
    cells = official_heads.groupby(["place", "industry", "quarter"])["insured"].sum() / 3
    assert (inside < cells.reindex(inside.index)).all()
    assert len(inside) == 8 * len(project_quarters())


def test_province_has_the_calibrated_scale_and_rate(world: World) -> None:
    """About 40.6 million insured, 132,000 cases and 3.3 per mille in 2024; every city near its own rate."""
    at = [k for k, m in enumerate(months()) if m.startswith("2024")]
    insured = (world.cells.insured + world.special)[:, :, at].sum(axis=1).mean(axis=1)
    cases = (world.remainder + world.extract)[:, :, at].sum(axis=(1, 2, 3))
    assert insured.sum() == pytest.approx(40.58e6, rel=0.02)
    assert cases.sum() == pytest.approx(132e3, rel=0.06)
    assert 1000 * cases.sum() / insured.sum() == pytest.approx(3.3, abs=0.2)
    rate = table("cities").rate.to_numpy()
    np.testing.assert_allclose(1000 * cases / insured, rate, rtol=0.3)


def test_situations_and_grades_have_the_calibrated_mix(world: World) -> None:
    """Shares of situations and grades over mature years are those of the data files."""
    total = (world.remainder + world.extract)[:, :, :96].sum(axis=(0, 1, 2))
    _, rows, columns = severity()
    situation = np.bincount(rows, total) / total.sum()
    grade = np.bincount(columns, total) / total.sum()
    np.testing.assert_allclose(situation, table("situations").share, atol=0.01)
    np.testing.assert_allclose(grade, table("grades").share, atol=0.01)


def test_late_months_are_not_complete_and_mature_ones_are(world: World, frames: dict[str, pd.DataFrame]) -> None:
    """No claim is known before its decision; the last months of 2025 lack some cases, mature months none."""
    assert frames["claim"]["decision_date"].max() <= settings()["time"]["as_of"]
    share = dict(zip(months(), completeness()))
    assert share["2025-07"] == share["2016-01"] == 1.0
    assert 0.9 < share["2025-12"] < 1.0


def test_ledger_ties_to_benefits_and_projects(frames: dict[str, pd.DataFrame]) -> None:
    """Months of benefits add up to the year's payments; budgets stand once a year and cover the spending."""
    ledger = frames["ledger"].assign(year=lambda f: f["month"].str[:4].astype(int))
    paid = ledger[ledger["account"] == "benefits"].groupby(["place", "year"])["amount"].sum()
    due = frames["benefit_summary"].groupby(["place", "year"])["amount"].sum()
    np.testing.assert_allclose(paid.reindex(due.index), due, atol=0.01)
    prevention = ledger[ledger["account"] == "prevention"].groupby(["place", "year"])
    assert (prevention["budget"].count() == 1).all()
    assert (prevention["amount"].sum() <= prevention["budget"].sum()).all()
    levy = ledger[ledger["account"] == "levy"].groupby("year")["amount"].sum()
    assert levy.loc[2021:2024].between(60e8, 90e8).all()
    share = prevention["amount"].sum().groupby("year").sum() / levy.shift(1)
    assert (share.loc[2021:2025] < 0.03).all()


def test_projects_are_as_many_and_in_order(world: World, frames: dict[str, pd.DataFrame]) -> None:
    """About 120 projects a year; dates in order; the programme starts in its quarter in every adopting city only."""
    projects = frames["project"]
    assert projects.groupby("fiscal_year").size().between(110, 130).all()
    steps = ["applied", "reviewed", "approved", "contracted", "started", "ended", "accepted", "paid_final"]
    days = projects[steps].apply(pd.to_datetime)
    for one, two in pairwise(steps):
        assert not (days[one] > days[two]).any()
    assert (projects["actual_cost"] <= projects["contract_sum"]).all()
    assert (projects["contract_sum"] <= projects["budget"]).all()
    of_programme = projects[projects["programme"] == "machinery_offline"]
    first = pd.to_datetime(of_programme["started"]).groupby(of_programme["place"]).min()
    assert set(first.index) == {p for p, a in zip(base.places(), world.cells.adopter) if a}
    assert first.dt.to_period("Q").astype(str).eq("2023Q1").all()
    assert set(projects["acceptance"]) == {"passed", "passed_after_rework", "failed", "pending"}


def test_one_city_misses_a_meeting_and_provincial_measures_do_not_apply_to_cities(
    frames: dict[str, pd.DataFrame],
) -> None:
    """Every city meets every year but one; the province's own measures are not counted against a city."""
    acts = frames["activity"]
    met = acts[acts["kind"] == "joint_meeting"].groupby(["place", acts["date"].str[:4]]).size()
    assert len(met) == 22 * 5 - 1
    assert ("445200", "2023") not in met.index
    status = frames["measure_status"]
    assert len(status) == 22 * 18 * 5
    provincial = status["measure_no"].isin(settings()["duty"]["provincial_measures"])
    city = status["place"] != official.PROVINCE
    assert (status.loc[provincial & city, "status"] == "not_applicable").all()


def test_people_of_the_claims_are_obviously_made_up(frames: dict[str, pd.DataFrame]) -> None:
    """Identity numbers start with 99, telephones with 100, names say that they are synthetic."""
    claims = frames["claim"]
    assert claims["person_id"].str.fullmatch(r"99\d{16}").all()
    assert claims["phone"].str.fullmatch(r"100\d{8}").all()
    assert claims["person_name"].str.startswith("合成人员").all()
    assert frames["enrolment"]["unit_name"].str.startswith("合成样本企业").all()
    assert claims["claim_id"].is_unique
    assert claims["unit_id"].isin(frames["enrolment"]["unit_id"]).all()


def test_city_truth_counts_every_injury_of_the_industry(world: World) -> None:
    """Truth of the programme: 0.88 in its cities, expectations close to what is recorded there."""
    truth = world.truth["programmes"]["machinery_offline"]
    assert truth["rate_ratio"] == pytest.approx(0.88)
    here = world.cells.industries.index("machinery")
    at = [k for k, m in enumerate(months()) if "2023-01" <= m <= "2025-06"]
    avertable = np.isin(severity()[1], np.flatnonzero(table("situations").family == "avertable"))
    counts = (world.remainder + world.extract)[world.cells.adopter][:, here][:, at][:, :, avertable].sum()
    assert abs(counts - truth["expected_with"]) < 4 * np.sqrt(counts)


def test_payments_are_of_claims_of_the_extracts_and_known_at_as_of(frames: dict[str, pd.DataFrame]) -> None:
    """Every payment has a claim, one row per claim, item and month, nothing after as_of or before the decision."""
    benefit, claims = frames["benefit"], frames["claim"].set_index("claim_id")
    assert benefit["claim_id"].isin(claims.index).all()
    assert not benefit.duplicated(["claim_id", "item", "period"]).any()
    dated = benefit[benefit["paid_date"] != ""]
    assert dated["paid_date"].max() <= settings()["time"]["as_of"]
    assert (dated["paid_date"] > dated["claim_id"].map(claims["decision_date"])).all()
    assert 0 < (benefit["paid_date"] == "").mean() < 0.02
    assert len(claims) > benefit.loc[benefit["item"] == "medical", "claim_id"].nunique() > 0.99 * len(claims)


def test_payments_of_the_extracts_are_part_of_the_official_benefits(frames: dict[str, pd.DataFrame]) -> None:
    """By city, year and item the firms of the extracts were paid no more than everybody in the city together."""
    benefit = frames["benefit"]
    said = benefit["paid_date"].where(benefit["paid_date"] != "", benefit["period"])
    keys = ["place", "year", "item"]
    own = benefit.assign(year=said.str[:4].astype(int)).groupby(keys)["amount"].sum()
    own = own[own.index.get_level_values("year") <= 2025]
    everybody = frames["benefit_summary"].set_index(keys)["amount"]
    assert len(own) > 300
    assert (own <= everybody.reindex(own.index)).all()


def test_lump_sums_are_the_months_of_the_schedule(frames: dict[str, pd.DataFrame]) -> None:
    """The grants of one claim rest on one wage, which lies within 60 to 300 % of the pool wage; deaths on income."""
    lump = frames["benefit"].pivot_table(index="claim_id", columns="item", values="amount", aggfunc="sum")
    claims = frames["claim"].set_index("claim_id").loc[lump.index]
    months_of = {r.item + r.grade: r.value for r in source("benefits").itertuples() if r.payer == "fund"}
    grant = claims["grade"].map(lambda g: months_of.get("disability_grant" + g, np.nan))
    other = claims["grade"].map(lambda g: months_of.get("medical_grant" + g, np.nan))
    wage = lump["disability_grant"] / grant
    both = lump["medical_grant"].notna() & wage.notna()
    assert both.sum() > 3000
    np.testing.assert_allclose((lump["medical_grant"] / other)[both], wage[both], atol=0.01)
    pool = lump["funeral"].dropna() / 6
    assert wage.min() > 0.59 * pool.min()
    assert wage.max() < 3 * pool.max()
    died = pd.to_datetime(claims["injury_date"]).dt.year[lump["death_grant"].notna()]
    income = died.map(lambda y: 20 * parameter("disposable_income_urban", y - 1).value)
    np.testing.assert_allclose(lump["death_grant"].dropna(), income)
