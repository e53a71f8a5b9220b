"""Words: the same keys and placeholders in every language, and nothing left untranslated."""

from __future__ import annotations

import string
from pathlib import Path

import pandas as pd
import pytest

from evalkit import text
from evalkit.show.spoken import simplified_only

QUOTING = ("problem.", "workspace.rule.")
"""Messages that quote words as they stand in office files."""
MAINLAND = (
    "信息", "文件夾", "默認", "打印", "屏幕", "視頻", "硬盤", "鼠標", "服務器", "聚類", "窗口", "口徑",
    "台賬", "台帳", "質量", "程序員", "數據庫", "缺省", "激活", "登錄", "事故", "優化", "反饋", "渠道",
    "力度", "處理組", "合同", "系數", "貫徹", "報送", "地市", "互聯網", "短信", "單元格內", "複印", "例工傷",
    "請請",
)  # fmt: skip
"""Words of mainland offices and software for which Hong Kong and Macao have others: 資訊, 資料夾, 預設, 列印, 螢幕 …"""
PLANS = Path(text.__file__).resolve().parents[1] / "plans"


def placeholders(template: str) -> set[str]:
    return {name.split(".")[0].split("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_every_language_has_every_key(lang: str) -> None:
    """No language lacks a message that another has."""
    reference, other = text.catalogue(text.DEFAULT), text.catalogue(lang)
    assert set(reference) == set(other), sorted(set(reference) ^ set(other))[:20]


@pytest.mark.parametrize("lang", text.LANGUAGES)
def test_placeholders_agree(lang: str) -> None:
    """A message asks for the same values in every language."""
    reference, other = text.catalogue(text.DEFAULT), text.catalogue(lang)
    differ = [
        k
        for k in reference
        if k in other and k != "common.date" and placeholders(reference[k]) != placeholders(other[k])
    ]
    assert not differ, differ[:20]


def test_english_holds_no_chinese_and_chinese_is_chinese() -> None:
    """A sentence that was pasted into the wrong language is found."""
    han = lambda s: any("\u4e00" <= c <= "\u9fff" for c in s)  # noqa: E731
    allowed = {"common.synthetic"}
    wrong = [k for k, v in text.catalogue("en").items() if han(v) and k not in allowed and not k.startswith(QUOTING)]
    assert not wrong, wrong[:20]


def test_traditional_is_traditional() -> None:
    """No message and no name of a plan in zh-Hant holds a simplified character or a mainland quotation mark."""
    messages = {k: v for k, v in text.catalogue("zh-Hant").items() if not k.startswith(QUOTING)}
    names = {
        str(path): "".join(pd.read_csv(path).zh_hant)
        for path in PLANS.glob("*/*.csv")
        if "zh_hant" in path.read_text("utf-8")
    }
    assert len(names) >= 3
    wrong = {k: {c for c in v if simplified_only(c) or c in "“”"} for k, v in (messages | names).items()}
    assert not {k: v for k, v in wrong.items() if v}


def test_traditional_says_it_as_hong_kong_and_macao_do() -> None:
    """No word that only the mainland uses in zh-Hant; official titles and names of statutes keep theirs."""
    official = ("measure.gd_2021_2025.", "department.", "phase.", *QUOTING)
    messages = {k: v for k, v in text.catalogue("zh-Hant").items() if not k.startswith(official)}
    found = {k: [w for w in MAINLAND if w in v] for k, v in messages.items()}
    assert not {k: v for k, v in found.items() if v}


def test_traditional_is_not_the_simplified_text_again() -> None:
    """Most sentences of zh-Hant differ from those of zh-Hans; the codecs find the latter."""
    simplified, traditional = text.catalogue("zh-Hans"), text.catalogue("zh-Hant")
    long = [k for k, v in simplified.items() if len(v) > 12 and any("\u4e00" <= c <= "\u9fff" for c in v)]
    assert sum(traditional[k] != simplified[k] for k in long) > 0.98 * len(long)
    assert sum(any(map(simplified_only, simplified[k])) for k in long) > 0.9 * len(long)


def test_amounts_name_their_currency_outside_the_mainland() -> None:
    """The same yuan in each language: 万元 and 萬元 for large amounts, the currency named in zh-Hant and English."""
    assert [text.money(1234567.0, x) for x in text.LANGUAGES] == ["123.46万元", "人民幣123.46萬元", "CNY 1,234,567"]
    assert [text.money(-500.0, x) for x in text.LANGUAGES] == ["−500元", "人民幣−500元", "CNY −500"]
    assert text.date("2026-10-31", "zh-Hant") == "2026年10月31日"


def test_a_name_without_traditional_falls_back() -> None:
    """A name given in two languages is said in Simplified where Traditional is asked for, never as a mapping."""
    names = {"zh-Hans": "甲市", "en": "City A"}
    assert text.t("name.plain", "zh-Hant", name=names) == "甲市"
    assert text.t("name.plain", "zh-Hant", name={**names, "zh-Hant": "甲巿"}) == "甲巿"


def test_missing_key_is_an_error() -> None:
    """A missing message never shows as an empty string or a raw key."""
    with pytest.raises(KeyError, match=r"no\.such\.key"):
        text.t("no.such.key", "en")


def test_numbers_read_the_same_in_every_language() -> None:
    """Digits are equal whatever the language; a minus that rounds to zero loses its sign."""
    assert text.number(-1234.5, "zh-Hans", 1) == text.number(-1234.5, "en", 1) == "−1,234.5"
    assert text.number(-0.001, "en", 1) == "0.0"
    assert text.percent(0.1234, "en") == "12.3%"
    assert text.number(None, "en") == text.t("common.missing", "en")


def test_times_are_written_as_the_language_writes_them() -> None:
    """A day, month or quarter among the values is said by locale; a problem quotes it as it stands in the file."""
    said = [text.t("name.plain", x, name="2025-03-05") for x in text.LANGUAGES]
    assert said == ["2025年3月5日", "2025年3月5日", "5 March 2025"]
    assert [text.timed("2025-03", x) for x in text.LANGUAGES] == ["2025年3月", "2025年3月", "March 2025"]
    assert [text.timed("2025Q1", x) for x in text.LANGUAGES] == ["2025年第一季度", "2025年第一季", "Q1 2025"]
    assert text.timed("2025-13", "en") == "2025-13"
    values = {"value": "2025-03-05", "more": ""}
    assert "2025-03-05" in text.t("problem.bad_date.found", "en", **values)
