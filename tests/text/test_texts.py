"""Words: the same keys and placeholders in every language, and nothing left untranslated."""

from __future__ import annotations

import string
from pathlib import Path

import pandas as pd
import pytest

from evalkit import text

SIMPLIFIED = set(
    "伤险评业与数据职岗员训亚亿仅从们优会传伦体债偿储兰关兴养写军农况冻净减凤创删别务劳动势汇区医华协单卖卫厂历压厅县参双变"
    "号听响团园围图圆圣块坚备够奖妈学宁实审宪宽对导寿将尔层属岁岭币师帐带帮广庄庆库应庙废开异张弹归录忆态总惊惩惯愿户护报拟"
    "择换损摆摄敌断无旧时显晓术机杀杂权条来极构标栏树样桥检楼欢欧残毕汉沟泽洁济测涛润涨渐湾湿满滞灭灯灵灾炉点热爱独狱猎献环"
    "现玛电画疗监盖盘矿码础确碍离积税稳穷窃竞笔签类粮紧红纤约级纪纯纲纳纵纷纸线练组细终绍经结绕绘给络绝统绩续维综绿缓编缘缩"
    "缴网罗罚联肃肠肤胀胁胜脑脚脸舰艰艺节苏荣药获营虑虽补装见观规视览觉触计订认讨让议记讲许论设访证识诉词试诚话询该详语误说"
    "请诸诺读课调谈谋谢谱负责贡财贤败货质贫购贯贴贵贷贸费贺资赋赔赖赛赢车轨转轮软轻载较辅辆辉输辑边达迁过运还这进远违连迟适"
    "选递逻遗邓邮邻郑释针钟钢钱铁铜银销锁错键镇长门闪闭问闲间闻阅队阳阴阵阶际陆陈随隐难雾韩页顶项顺须顾顿预领频题额风飞饭馆驱"
    "驶验骗鱼鲁鸟鸡齐龄龙为么义乌乡书买亏产亲"
)
"""Common characters that stand in Simplified Chinese only."""
QUOTING = ("problem.", "workspace.rule.")
"""Messages that quote words as they stand in office files."""
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
    wrong = {k: SIMPLIFIED & set(v) | {c for c in v if c in "“”"} for k, v in (messages | names).items()}
    assert not {k: v for k, v in wrong.items() if v}


def test_traditional_is_not_the_simplified_text_again() -> None:
    """Most sentences of zh-Hant differ from those of zh-Hans; the list of simplified characters finds the latter."""
    simplified, traditional = text.catalogue("zh-Hans"), text.catalogue("zh-Hant")
    long = [k for k, v in simplified.items() if len(v) > 12 and any("\u4e00" <= c <= "\u9fff" for c in v)]
    assert sum(traditional[k] != simplified[k] for k in long) > 0.98 * len(long)
    assert sum(bool(SIMPLIFIED & set(simplified[k])) for k in long) > 0.9 * len(long)


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
