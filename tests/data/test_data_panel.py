"""What the panel builder promises."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from evalkit import data
from evalkit.core import NEVER, UserError


@pytest.fixture
def long() -> pd.DataFrame:
    """Three units over four quarters: one early, one late, one never treated."""
    rows = [(u, t, 10 * i + j, 5.0 + i, g, b) for i, (u, g, b) in enumerate(
        [("z", "2023Q3", "b1"), ("a", "2024Q2", "b1"), ("m", None, "b2")])
        for j, t in enumerate(["2023Q1", "2023Q2", "2023Q3", "2023Q4"])]  # fmt: skip
    return pd.DataFrame(rows, columns=["unit", "time", "y", "e", "start", "batch"])


def build(frame: pd.DataFrame, **options):
    settings = {"unit": "unit", "time": "time", "outcome": "y", "cohort": "start", "frequency": "quarter", **options}
    return data.panel(frame, **settings)


def refused(frame: pd.DataFrame, **options) -> str:
    with pytest.raises(UserError) as caught:
        build(frame, **options)
    return caught.value.problems[0].key


def test_cohorts_are_indices(long: pd.DataFrame) -> None:
    """A cohort is an index into the times; one after the last period is later than it, a missing one never."""
    panel = build(long, exposure="e", cluster="batch")
    assert panel.units == ("z", "a", "m")
    assert list(panel.cohort) == [2, 5, NEVER]
    assert list(panel.ever_treated) == [True, False, False]
    assert panel.cluster_names == ("b1", "b2")
    assert list(panel.cluster) == [0, 0, 1]


def test_row_order_does_not_matter(long: pd.DataFrame) -> None:
    """Shuffled rows give every unit the same numbers; categories fix the order of units."""
    shuffled = long.sample(frac=1, random_state=1)
    one, two = build(long, exposure="e"), build(shuffled, exposure="e")
    order = [two.units.index(u) for u in one.units]
    np.testing.assert_array_equal(one.matrix(), two.matrix()[order])
    np.testing.assert_array_equal(one.exposure, two.exposure[order])
    np.testing.assert_array_equal(one.cohort, two.cohort[order])
    fixed = pd.CategoricalDtype(["m", "z", "a"])
    assert build(shuffled.astype({"unit": fixed})).units == ("m", "z", "a")


def test_the_frame_is_not_changed(long: pd.DataFrame) -> None:
    """Building leaves the frame alone, and the arrays of a panel are read-only."""
    before = long.copy(deep=True)
    panel = build(long, exposure="e")
    pd.testing.assert_frame_equal(long, before)
    with pytest.raises(ValueError, match="read-only"):
        panel.matrix()[0, 0] = 1


def test_ledger_of_dropped_units(long: pd.DataFrame) -> None:
    """Units leave with their reason: not observed, always treated, no exposure (with cases or without), missing."""
    frame = pd.concat([long.assign(x=1.0)] + [
        long[long.unit == "m"].assign(unit=u, x=1.0) for u in ("gap", "always", "zero", "ghost", "hole")])  # fmt: skip
    frame = frame[~((frame.unit == "gap") & (frame.time == "2023Q2"))].reset_index(drop=True)
    frame.loc[frame.unit == "always", "start"] = "2021Q1"
    frame.loc[frame.unit.isin(["zero", "ghost"]) & (frame.time == "2023Q4"), "e"] = 0
    frame.loc[(frame.unit == "zero") & (frame.time == "2023Q4"), "y"] = 0
    frame.loc[(frame.unit == "hole") & (frame.time == "2023Q4"), "x"] = np.nan
    panel = build(frame, exposure="e", covariates=("x",))
    assert {d.unit: d.reason for d in panel.dropped} == {
        "gap": "unbalanced", "always": "always_treated", "zero": "no_exposure", "ghost": "case_without_exposure",
        "hole": "missing"}  # fmt: skip
    assert panel.units == ("z", "a", "m")


def test_unobserved_cells_may_be_kept(long: pd.DataFrame) -> None:
    """With missing="keep" a gap is NaN and the unit stays."""
    panel = build(long.drop(index=1), missing="keep")
    assert panel.n_units == 3
    assert np.isnan(panel.matrix()[0, 1])


@pytest.mark.parametrize(
    ("change", "options", "key"),
    [
        (lambda f: f, {"outcome": "cases"}, "unknown_column"),
        (lambda f: pd.concat([f, f.iloc[:1]]), {}, "duplicate_cell"),
        (lambda f: f[f.time != "2023Q2"], {}, "time_gap"),
        (lambda f: f.assign(start=0), {}, "cohort_zero"),
        (lambda f: f.assign(start="soon"), {}, "cohort_unreadable"),
        (lambda f: f.assign(start=2023.5), {}, "cohort_unreadable"),
        (lambda f: f.assign(start=((f.unit == "z") & (f.time > "2023Q2")).astype(int)), {}, "cohort_is_treatment"),
        (lambda f: f.assign(start=f.unit == "z"), {}, "cohort_is_treatment"),
        (lambda f: f.assign(start=((f.unit == "z") & (f.time == "2023Q2")) * 1.0), {}, "treatment_switches_off"),
        (lambda f: f.assign(start=f.time), {}, "varies_within_unit"),
        (lambda f: f.assign(y="many"), {}, "not_numeric"),
        (lambda f: f.assign(y=np.inf), {}, "not_numeric"),
        (lambda f: f.assign(w=-1.0), {"weight": "w"}, "negative_weight"),
        (lambda f: f.assign(c=1.5), {"completeness": "c"}, "bad_completeness"),
        (lambda f: f.assign(e=0.0), {"exposure": "e"}, "empty_panel"),
        (lambda f: f.assign(batch=None), {"cluster": "batch"}, "missing_label"),
        (lambda f: f.iloc[:0], {}, "empty_panel"),
    ],
)
def test_mistakes_in_the_frame(long: pd.DataFrame, change, options, key: str) -> None:
    """Every mistake in a frame is a user's mistake with its own words."""
    assert refused(change(long), **options) == key


def test_years_may_be_numbers_of_any_kind() -> None:
    """Year labels may be integers or floats; cohorts likewise."""
    frame = pd.DataFrame({"u": ["a"] * 3 + ["b"] * 3, "t": [1984.0, 1985.0, 1986.0] * 2, "y": range(6),
                          "g": [1985.0] * 3 + [np.nan] * 3})  # fmt: skip
    panel = data.panel(frame, unit="u", time="t", outcome="y", cohort="g")
    assert list(panel.cohort) == [1, NEVER]


def test_firm_panel_counts(write, sheets) -> None:
    """Claims land in the firm and quarter of injury; refused claims are left out; exposure is person-years."""
    sheets["claim"][1][10] = "不予认定"
    sheets["claim"][2][9] = "14(6)"
    sheets["claim"][3][11] = "死亡"
    office = write(sheets)
    sheets["case_summary"][2][3], sheets["case_summary"][3][4] = "14(6)", "死亡"
    canonical = write(sheets).ingest()
    panel = data.firm_panel(canonical, office.plan, "P1")
    assert panel.times == ("2024Q1", "2024Q2")
    assert panel.units == tuple(canonical.tables["enrolment"].unit_id)
    np.testing.assert_array_equal(panel.outcomes["avertable"], [[0, 1], [0, 1], [1, 0], [0, 1]])
    np.testing.assert_array_equal(panel.outcomes["avertable.death"], [[0, 0], [0, 0], [1, 0], [0, 0]])
    np.testing.assert_array_equal(panel.outcomes["commute"], [[0, 0], [1, 0], [0, 0], [0, 0]])
    np.testing.assert_allclose(panel.exposure[:, 0], [12.5, 12.75, 13.0, 13.25])
    assert list(panel.cohort) == [1, 1, NEVER, NEVER]
    assert list(panel.cluster) == [0, 0, 1, 1]


def test_firms_of_unknown_projects(write, sheets) -> None:
    """An unknown project is told with the known ones."""
    office = write(sheets)
    with pytest.raises(UserError) as caught:
        data.firm_panel(office.ingest(), office.plan, "P9")
    assert caught.value.problems[0].values["known"] == ["P1"]


def test_city_panel_exposure_and_start(office) -> None:
    """Exposure is the mean of three months × 0.25; the first project of the programme is the start."""
    months = [f"2023-{m:02d}" for m in range(1, 7)]
    office.csv("exposure_summary", "e.csv", [["地市", "行业", "月份", "参保人数"]] + [
        [c, "机械制造", m, 1000 + 30 * i] for c in ("广州", "深圳") for i, m in enumerate(months)])  # fmt: skip
    office.csv("case_summary", "c.csv", [["地市", "行业", "月份", "情形", "等级", "例数"], *(
        [c, "机械制造", "2023-05", "14(1)", "10", 7] for c in ("广州", "深圳"))])  # fmt: skip
    office.csv("project", "p.csv", [
        ["项目编号", "地市", "年度", "项目名称", "类型", "专项代码", "目标行业", "预算金额", "开始日期"],
        ["P1", "广州", 2023, "培训", "培训", "machinery_offline", "machinery", 200000, "2023-05-01"],
        ["P2", "广州", 2023, "培训", "培训", "machinery_offline", "machinery", 200000, "2023-08-01"],
        ["P3", "深圳", 2023, "宣传", "宣传", "", "", 200000, "2023-01-01"]])  # fmt: skip
    panel = data.city_panel(office.ingest(), office.plan, "machinery_offline")
    assert panel.units == ("440100", "440300")
    np.testing.assert_allclose(panel.exposure[0], [1030 / 4, 1120 / 4])
    np.testing.assert_array_equal(panel.matrix(), [[0, 7], [0, 7]])
    assert list(panel.cohort) == [1, NEVER]


def test_policy_panel_with_a_partial_first_year(office) -> None:
    """The first year with any treatment is the cohort; the share itself is a covariate."""
    rows = [[c, y, "claims", v, s] for c, shares in (("广州", [0, 0, 0.5, 1]), ("深圳", [0, 0, 0, 0]))
            for y, v, s in zip(range(1984, 1988), (5.0, 6.0, 7.0, 8.0), shares)]  # fmt: skip
    office.csv("policy_panel", "p.csv", [["city", "year", "outcome", "value", "treated"], *rows])
    panel = data.policy_panel(office.ingest(), office.plan, "claims")
    assert list(panel.cohort) == [2, NEVER]
    assert list(panel.covariates["treated"][0]) == [0, 0, 0.5, 1]
    assert panel.exposure is None


def _grid(n: int = 40, t: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    start = rng.choice([2002, 2004, np.nan], n)
    return pd.DataFrame({
        "unit": np.repeat(np.arange(n) * 7 + 3, t), "time": np.tile(np.arange(2000, 2000 + t), n),
        "y": rng.normal(0, 1, n * t), "start": np.repeat(start, t), "city": np.repeat(np.arange(n) % 4, t),
    })  # fmt: skip


def _same(a, b) -> None:
    order = [b.units.index(u) for u in a.units]
    np.testing.assert_array_equal(a.matrix(), b.matrix()[order])
    np.testing.assert_array_equal(a.cohort, b.cohort[order])
    assert [a.cluster_names[g] for g in a.cluster] == [b.cluster_names[g] for g in b.cluster[order]]


@pytest.mark.parametrize("kind", [str, "category", "object", "Int64", "float64"])
@pytest.mark.parametrize("order", ["kept", "shuffled", "by period", "reversed"])
def test_labels_and_row_order_do_not_matter(order: str, kind) -> None:
    """Every kind of label and every order of rows gives the panel of sorted whole numbers."""
    frame = _grid()
    options = {"frequency": "year", "cluster": "city"}
    plain = build(frame, **options)
    rows = {
        "kept": frame,
        "shuffled": frame.sample(frac=1, random_state=2),
        "by period": frame.sort_values(["time", "unit"]),
        "reversed": frame.iloc[::-1],
    }[order]
    changed = rows.assign(unit=rows["unit"].astype(str if kind == "object" else kind).astype(kind))
    if kind in (str, "object"):
        changed = changed.assign(time=changed["time"].astype(str), city=changed["city"].astype(str))
    found = build(changed, **options)
    assert [int(t) for t in found.times] == list(plain.times)
    if kind == "float64":
        found = build(rows.assign(start=rows["start"].astype("Int64")), **options)
    _same(plain, found)


@pytest.mark.parametrize("kind", ["int16", "int64", "float32", "float64", "Int64"])
def test_a_panel_owns_its_numbers(kind: str) -> None:
    """Numbers of every kind become double precision in arrays that the frame has no part in."""
    frame = _grid()
    frame["y"] = frame["y"].round().astype(kind)
    frame["z"] = frame.groupby("unit")["y"].transform("first")
    panel = build(frame, frequency="year", dose="z", covariates=("z",))
    for name, array in {"y": panel.matrix(), "z": panel.matrix("z")}.items():
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array.reshape(-1), frame[name].to_numpy(dtype=float))
        assert not np.shares_memory(array, frame[name].to_numpy())
    assert panel.dose.dtype == np.float64
    assert not np.shares_memory(panel.dose, frame["z"].to_numpy())


def test_a_panel_of_runs_that_differ_in_length(long: pd.DataFrame) -> None:
    """Units of different length, the first one short, are laid out by their labels, not by their position."""
    frame = _grid()
    short = frame.drop(index=[0, 3, 100])
    full, holed = build(frame, frequency="year"), build(short, frequency="year", missing="keep")
    ours = full.matrix().copy()
    ours.reshape(-1)[[0, 3, 100]] = np.nan
    np.testing.assert_array_equal(holed.matrix(), ours)
    dropped = build(short, frequency="year")
    assert {d.unit for d in dropped.dropped} == {"3", "115"} and dropped.n_units == 38


def test_two_runs_of_one_unit_are_one_unit() -> None:
    """A unit whose rows come in two pieces is put together; a doubled piece is a duplicate."""
    frame = _grid()
    split = pd.concat([frame.iloc[3:], frame.iloc[:3]])
    _same(build(frame, frequency="year"), build(split, frequency="year"))
    assert refused(pd.concat([frame, frame.iloc[:6]]), frequency="year") == "duplicate_cell"


def waves(labels, starts, **options):
    """Three units over the periods `labels`, starting at `starts`."""
    rows = [(u, t, float(i + j), g) for i, (u, g) in enumerate(zip("abc", starts)) for j, t in enumerate(labels)]
    frame = pd.DataFrame(rows, columns=["unit", "time", "y", "start"])
    return build(frame, frequency="year", **options)


@pytest.mark.parametrize(
    ("labels", "start"),
    [
        (["8", "9", "10", "11"], "10"),
        (["wave 8", "wave 9", "wave 10", "wave 11"], "wave 10"),
        (["2003年8月", "2003年9月", "2003年10月", "2003年11月"], "2003年10月"),
        ([-2, -1, 0, 1], 0),
        ([2003.0, 2004.0, 2005.0, 2006.0], 2005),
    ],
)
def test_labels_are_ordered_by_the_numbers_in_them(labels, start) -> None:
    """Text labels follow the numbers they hold, not the alphabet, and zero may be a period like another."""
    panel = waves(labels, [start, None, None])
    assert [str(t) for t in panel.times] == [str(t).removesuffix(".0") for t in labels]
    assert panel.cohort[0] == 2


def test_labels_without_an_order_are_refused() -> None:
    """Text that says no order ("Q42010") is refused; as an ordered category it is taken in that order."""
    labels = ["Q42010", "Q12011", "Q22011"]
    with pytest.raises(UserError, match="time_unordered"):
        waves(labels, ["Q12011", None, None])
    frame = pd.DataFrame([(u, t, 1.0, g) for u, g in (("a", "Q12011"), ("b", None)) for t in labels])
    frame.columns = ["unit", "time", "y", "start"]
    frame["time"] = pd.Categorical(frame["time"], categories=labels, ordered=True)
    panel = build(frame)
    assert (panel.times, panel.cohort[0]) == (tuple(labels), 1)


def test_surveys_that_skip_years_on_request() -> None:
    """With gaps="keep" periods are those observed, and a start between two of them is at the later one."""
    with pytest.raises(UserError, match="time_gap"):
        waves([2003, 2004, 2007, 2010], [2007, 2006, None])
    panel = waves([2003, 2004, 2007, 2010], [2007, 2006, 2012], gaps="keep")
    assert panel.times == (2003, 2004, 2007, 2010)
    assert list(panel.cohort) == [2, 2, 5]


@pytest.mark.parametrize("never", [0, -1, np.inf, -np.inf])
def test_codes_for_never_are_refused_whatever_the_times(never) -> None:
    """Zero, a negative number and infinity are no first treated period where times are plain numbers."""
    with pytest.raises(UserError, match="cohort_zero"):
        waves([1, 2, 3], [2, never, never])
    assert waves([1, 2, 3], [2, 9, 9]).cohort.tolist() == [1, 3, 3]


def test_two_columns_of_one_name(long: pd.DataFrame) -> None:
    """A column name that stands twice is refused, and a treatment mark of a nullable type is told from a start."""
    assert refused(pd.concat([long, long[["y"]]], axis=1)) == "duplicate_column"
    marked = long.assign(start=((long["unit"] == "z") & (long["time"] >= "2023Q3")).astype("Int64"))
    assert refused(marked) == "cohort_is_treatment"


def test_a_unit_without_a_weight_is_told(long: pd.DataFrame) -> None:
    """A missing weight is a missing variable: the unit leaves with its reason; without any there is no panel."""
    panel = build(long.assign(w=long.e.where((long.unit != "a") | (long.time != "2023Q2"))), weight="w")
    assert panel.units == ("z", "m")
    assert [(d.unit, d.reason) for d in panel.dropped] == [("a", "missing")]
    assert refused(long.assign(w=np.nan), weight="w") == "empty_panel"
