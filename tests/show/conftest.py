"""Made-up data for every figure and one exhibit of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evalkit.core import Column, Exhibit, Message

YEARS = list(range(2016, 2026))
CITIES = [
    ("广州市", "Guangzhou"),
    ("韶关市", "Shaoguan"),
    ("深圳市", "Shenzhen"),
    ("珠海市", "Zhuhai"),
    ("汕头市", "Shantou"),
    ("佛山市", "Foshan"),
    ("江门市", "Jiangmen"),
    ("湛江市", "Zhanjiang"),
    ("茂名市", "Maoming"),
    ("肇庆市", "Zhaoqing"),
    ("惠州市", "Huizhou"),
    ("梅州市", "Meizhou"),
    ("汕尾市", "Shanwei"),
    ("河源市", "Heyuan"),
    ("阳江市", "Yangjiang"),
    ("清远市", "Qingyuan"),
    ("东莞市", "Dongguan"),
    ("中山市", "Zhongshan"),
    ("潮州市", "Chaozhou"),
    ("揭阳市", "Jieyang"),
    ("云浮市", "Yunfu"),
]
INDUSTRIES = [
    ("非煤矿山", "Non-coal mining"),
    ("冶金", "Metallurgy"),
    ("机械制造", "Machinery"),
    ("建筑施工", "Construction"),
    ("交通运输", "Transport"),
    ("危险化学品", "Hazardous chemicals"),
]
SHARES = [0.6, 0.15, 0.1, 0.05, 0.05, 0.05]
STATUSES = ["met", "near", "not_met", "no_target", "no_data", "provisional"]


def name(zh: str, en: str) -> dict[str, str]:
    return {"zh-Hans": zh, "en": en}


def fall(rng: np.random.Generator, start: float = 3.4, rate: float = 0.03) -> dict[str, Any]:
    value = start * np.exp(-rate * np.arange(10)) * np.exp(rng.normal(0, 0.02, 10))
    return {
        "time": YEARS,
        "value": value.tolist(),
        "conf_low": (value * 0.94).tolist(),
        "conf_high": (value * 1.06).tolist(),
        "provisional": [False] * 9 + [True],
    }


def over_time(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    series = [name("全部工伤", "All injuries"), name("死亡及一至四级伤残", "Deaths and grades 1 to 4")]
    ratio = [1.0, 0.97, 0.94, 0.9, 0.87, 0.83]
    quarters = [f"{y}Q{q}" for y in range(2019, 2026) for q in range(1, 5)]
    wave = 0.1 * np.sin(np.arange(28) * np.pi / 2)
    return {
        "trend": {
            "series": [{"label": s, **fall(rng, r)} for s, r in zip(series, (3.4, 1.1))],
            "y_label": name("工伤发生率", "Injury rate"),
            "unit": "‰",
            "events": [
                {"time": 2020, "label": name("新冠疫情与阶段性减免社会保险费", "Covid-19, temporary relief")},
                {"time": 2021, "label": name("工伤预防五年行动计划启动", "Five-year prevention plan starts")},
            ],
            "target": {"value": 2.4},
        },
        "target_path": {
            "series": [
                {
                    "label": name("重点行业合计", "Key industries"),
                    "time": list(range(2020, 2026)),
                    "value": ratio,
                    "conf_low": [None] + [r * 0.96 for r in ratio[1:]],
                    "conf_high": [None] + [r * 1.04 for r in ratio[1:]],
                    "provisional": [False] * 5 + [True],
                }
            ],
            "path": {"time": list(range(2020, 2026)), "value": [1, 0.96, 0.92, 0.88, 0.84, 0.8]},
            "band": [0.8, 0.82],
        },
        "small_multiples": {
            "panels": [
                {"label": name(*i), **fall(rng, 2 + k), "target": 1.6 + 0.8 * k} for k, i in enumerate(INDUSTRIES)
            ],
            "y_label": name("工伤发生率", "Injury rate"),
            "unit": "‰",
        },
        "paths": {
            "time": quarters,
            "start": "2023Q1",
            "selection": ["2022Q1", "2022Q2"],
            "series": [
                {"label": "show.word.treated", "value": (-6 + wave - 0.13 * (np.arange(28) >= 16)).tolist()},
                {"label": "show.word.control", "value": (-6.02 + wave + 0.02 * rng.normal(size=28)).tolist()},
            ],
        },
    }


def with_intervals(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    time = list(range(-16, 10))
    effect = np.where(np.array(time) >= 0, -0.13, 0.0) + rng.normal(0, 0.04, 26)
    effect[15] = 0
    spread = np.full(26, 0.12)
    ends = {
        k: (effect + s * f * spread).tolist()
        for k, s, f in (("conf_low", -1, 1), ("conf_high", 1, 1), ("band_low", -1, 1.5), ("band_high", 1, 1.5))
    }
    for k in ends:
        ends[k][15] = None
    projects = [name(f"{c[0]}机械制造企业培训项目", f"{c[1]}: machinery training") for c in CITIES[:8]]
    ratio = np.exp(rng.normal(-0.1, 0.12, 8))
    rows = [{"label": p, "estimate": r, "conf_low": r * 0.8, "conf_high": r * 1.25} for p, r in zip(projects, ratio)]
    rows[3] |= {"conf_low": 0.08, "conf_high": 9.0}
    rows[5] |= {"conf_low": None, "conf_high": None, "refused": "show.word.not_testable"}
    pooled = {"label": name("合并", "Pooled"), "estimate": 0.89, "conf_low": 0.83, "conf_high": 0.96, "summary": True}
    rates = rng.gamma(20, 0.13, 21)
    return {
        "event_study": {
            "event_time": time,
            "estimate": effect.tolist(),
            **ends,
            "base": -1,
            "selection": [-4, -3],
            "n_treated": [152] * 20 + [121, 118, 96, 80, 64, 31],
        },
        "forest": {"rows": [*rows, pooled]},
        "dot_rank": {
            "rows": [
                {
                    "label": name(*c),
                    "value": r,
                    "conf_low": r * 0.85,
                    "conf_high": r * 1.17,
                    "highlight": i == 2,
                    "provisional": i == 7,
                }
                for i, (c, r) in enumerate(zip(CITIES, rates))
            ],
            "x_label": name("工伤发生率", "Injury rate"),
            "unit": "‰",
            "reference": {"value": 2.6, "label": name("全省", "Province")},
        },
    }


def amounts(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    grades = [
        ("未达级", "Ungraded"),
        ("七至十级", "Grades 7 to 10"),
        ("五至六级", "Grades 5 to 6"),
        ("一至四级", "Grades 1 to 4"),
        ("死亡", "Deaths"),
    ]
    groups = [
        ("企业分管负责人", "Managers in charge"),
        ("安全管理部门负责人", "Heads of safety departments"),
        ("班组长", "Team leaders"),
        ("重点岗位职工", "Workers in key posts"),
        ("新上岗职工", "New workers"),
    ]
    effect = rng.normal(24, 11, 4000)
    grid = np.linspace(0, 200_000, 41)
    yes = 1 / (1 + np.exp(-(grid - 60_000) / 25_000))
    return {
        "stacked_bar": {
            "categories": [str(y) for y in YEARS],
            "y_label": name("认定工伤人数", "Recognised injuries"),
            "unit": name("人", "persons"),
            "series": [
                {"label": name(*g), "value": (w * rng.uniform(0.9, 1.1, 10)).tolist()}
                for g, w in zip(grades, (6200, 2600, 320, 90, 140))
            ],
        },
        "coverage_bar": {
            "rows": [
                {"label": name(*g), "value": v, "numerator": round(v * 3000), "denominator": 3000}
                for g, v in zip(groups, (1.0, 0.93, 0.86, 0.71, 0.48))
            ],
            "target": 1.0,
        },
        "ce_plane": {
            "effect": effect.tolist(),
            "cost": (900_000 - 36_000 * effect + rng.normal(0, 2e5, 4000)).tolist(),
            "total": 10_000,
            "threshold": 50_000,
        },
        "ce_planes": {
            "rows": [
                {"label": "①", "mean": [12.0, -3e5], "cov": [[30.0, -9e5], [-9e5, 4e10]]},
                {"label": "②", "mean": [-4.0, 2e5], "cov": [[90.0, -4e6], [-4e6, 3e11]]},
            ]
        },
        "ceac": {
            "threshold": grid.tolist(),
            "series": [
                {"label": name("基金口径", "Fund"), "value": yes.tolist(), "mc_error": [0.005] * 41},
                {"label": name("社会口径", "Society"), "value": (yes**0.5).tolist(), "mc_error": [0.005] * 41},
            ],
            "marks": [{"threshold": 50_000, "label": name("平均单位成本", "Mean unit cost")}],
        },
        "heat": {
            "rows": [name(*c) for c in CITIES],
            "columns": [f"M{i:02d}" for i in range(1, 19)],
            "cells": [[STATUSES[int(k)] for k in rng.choice(6, 18, p=SHARES)] for _ in CITIES],
        },
    }


def decisions() -> dict[str, dict[str, Any]]:
    """Figures of a funding decision, in yuan."""
    parameters = [
        (("避免工伤人数", "Injuries averted"), 4.0, 41.0, -9.2e5, 2.4e6, 12.1),
        (("单位成本", "Unit cost"), 28_000.0, 52_000.0, -1.2e5, 1.1e6, 31_500.0),
        (("工伤预防费", "Prevention spending"), 7.4e5, 1.1e6, 7.2e5, 3.1e5, None),
    ]
    mbar = np.linspace(0, 2, 9)
    return {
        "tornado": {
            "rows": [
                dict(zip(("low", "high", "outcome_low", "outcome_high", "flips_at"), row), label=name(*label))
                for label, *row in parameters
            ],
            "base": 5.1e5,
        },
        "value_bars": {
            "rows": [
                {"label": name(*p[0]), "value": v, "mc_error": v / 9 + 900, "floor": 4_000.0}
                for p, v in zip(parameters, (1.9e5, 7.0e4, 3.0e3))
            ],
            "total": 2.4e5,
        },
        "frontier": {
            "rows": [
                {"label": name("惯常做法", "Usual"), "cost": 0.0, "effect": 0.0, "status": "on_frontier"},
                {"label": name("宣传", "Campaign"), "cost": 9e5, "effect": 6.0, "status": "extended_dominated"},
                {"label": name("培训", "Training"), "cost": 8e5, "effect": 22.0, "status": "on_frontier"},
                {"label": name("督导", "Inspection"), "cost": 2.1e6, "effect": 31.0, "status": "on_frontier"},
                {"label": name("监测", "Monitoring"), "cost": 2.4e6, "effect": 25.0, "status": "dominated"},
            ]
        },
        "budget_path": {
            "rows": [
                {"year": y, "spending": 1.1e8 * (1 + i / 9), "cap": 2.0e8 * (1 + i / 12)}
                for i, y in enumerate(range(2021, 2026))
            ]
        },
        "robust_decision": {
            "mbar": mbar.tolist(),
            "bcr_low": (1.7 - 0.6 * mbar).tolist(),
            "bcr_high": (1.9 + 0.7 * mbar).tolist(),
            "confidence": (0.94 - 0.28 * mbar).tolist(),
            "breakdown": 1.17,
        },
    }


def how_robust(rng: np.random.Generator) -> dict[str, dict[str, Any]]:
    mbar = [0.0, 0.5, 1.0, 1.5, 2.0]
    quarters = [f"{y}Q{q}" for y in range(2019, 2026) for q in range(1, 5)]
    share = np.linspace(0, 0.45, 25)
    starts = ["2021Q3", "2022Q1", "2023Q1", None]

    def cohort(start: str, n: int) -> dict[str, Any]:
        time = np.arange(-8, 9)
        effect = np.where(time >= 0, -0.12, 0.0) + rng.normal(0, 0.04, 17)
        effect[7] = 0.0
        ends = [[None if t == -1 else v for t, v in zip(time, effect + s * 0.1)] for s in (-1, 1)]
        return {
            "label": start,
            "event_time": time.tolist(),
            "estimate": effect.tolist(),
            "conf_low": ends[0],
            "conf_high": ends[1],
            "n_treated": n,
        }

    return {
        "sensitivity": {
            "size": mbar,
            "estimate": -0.17,
            "original": [-0.27, -0.08],
            "conf_low": [-0.27 - 0.09 * m for m in mbar],
            "conf_high": [-0.08 + 0.08 * m**1.2 for m in mbar],
            "breakdown": 1.0,
            "measure": "log_rate_ratio",
            "approximate": True,
        },
        "synthetic_paths": {
            "time": quarters,
            "treated": (3.1 - 0.01 * np.arange(len(quarters)) + rng.normal(0, 0.05, len(quarters))).tolist(),
            "synthetic": (2.9 - 0.008 * np.arange(len(quarters)) + rng.normal(0, 0.02, len(quarters))).tolist(),
            "time_weight": [0.0, 0.1, 0.0, 0.4, 0.5, *[0.0] * (len(quarters) - 5)],
            "start": quarters[8],
        },
        "synthetic_weights": {
            "rows": [{"label": name(*c), "weight": w} for c, w in zip(CITIES, [0.4, 0.3, 0.2, 0.1, *[0.0] * 17])],
        },
        "leave_one_out": {
            "rows": [
                {"label": name(*c), "estimate": -0.13 + v, "treated": i % 3 == 0}
                for i, (c, v) in enumerate(zip(CITIES, rng.normal(0, 0.02, 21)))
            ],
            "full": -0.13,
            "conf_low": -0.22,
            "conf_high": -0.05,
            "measure": "log_rate_ratio",
        },
        "power_curve": {
            "series": [
                {
                    "label": name(*words),
                    "share": share.tolist(),
                    "power": (1 - 0.95 * np.exp(-((share / scale) ** 2))).tolist(),
                    "mde": mde,
                }
                for words, scale, mde in (
                    (("6个城市", "6 cities"), 0.21, 0.266),
                    (("3个城市", "3 cities"), 0.3, 0.38),
                )
            ],
            "limit": 0.3,
        },
        "rollout": {
            "time": quarters,
            "selection": ["2020Q1", "2020Q4"],
            "rows": [
                {"label": name(*c), "start": starts[i % 4], "missing": ["2019Q1"] if i == 2 else []}
                for i, c in enumerate(CITIES)
            ],
        },
        "cohort_panels": {
            "panels": [cohort("2021Q3", 31), cohort("2022Q1", 58), cohort("2023Q1", 63)],
            "measure": "log_rate_ratio",
        },
    }


def every() -> dict[str, dict[str, Any]]:
    rng = np.random.default_rng(7)
    return {**over_time(rng), **with_intervals(rng), **amounts(rng), **decisions(), **how_robust(rng)}


@pytest.fixture(scope="session")
def figure_data() -> dict[str, dict[str, Any]]:
    """Figure name → its data, realistic enough to look at."""
    return every()


def as_exhibit(figure: str, data: dict[str, Any], **more: Any) -> Exhibit:
    return Exhibit(
        id=f"F_{figure}",
        kind="figure",
        title=Message(key="show.figure"),
        alt=Message(key="show.figure"),
        data={"figure": figure, **data},
        **{"synthetic": True, **more},
    )


@pytest.fixture(scope="session")
def make_figure() -> Any:
    """(figure name, data) → exhibit with the synthetic mark."""
    return as_exhibit


@pytest.fixture
def table() -> Exhibit:
    """A table with every kind of column, and cells that want to break out of HTML."""
    columns = (
        Column(name="place", label="show.word.reference"),
        Column(name="why", label="show.word.target", kind="message"),
        Column(name="cases", label="show.axis.averted", kind="int"),
        Column(name="rate", label="show.axis.rate_ratio", kind="number", digits=3, unit="‰"),
        Column(name="share", label="show.axis.share", kind="percent", digits=1),
        Column(name="cost", label="show.axis.net_cost", kind="money"),
        Column(name="range", label="show.word.estimate", kind="interval", digits=2),
        Column(name="status", label="show.word.mean", kind="status"),
        Column(name="done", label="show.table", kind="flag"),
    )
    rows = [
        ['<script>alert("1")</script>', "show.status.met", 12345, 2.3456, 0.1234, 1234567.0, [-0.5, 1.25], "met", True],
        [
            '=HYPERLINK("x")&\'"',
            Message(key="show.year", values={"year": 2025}),
            None,
            "NaN",
            -0.05,
            950.0,
            [0.1, "Infinity"],
            "not_met",
            None,
        ],
    ]
    return Exhibit(
        id="T1_test",
        kind="table",
        title=Message(key="show.unit", values={"label": "<b>", "unit": "'\"&"}),
        data={"columns": columns, "rows": rows},
        notes=(Message(key="show.note.interval", values={"level": "95%"}),),
        source=Message(key="show.year", values={"year": "<i>"}),
        unit="‰",
        as_of="2026-10-31",
        n=1234,
        synthetic=True,
    )
