"""The same offence in every common charset and disguise bears the same symbols of the packs."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

import pytest

from milter.checks.patterns import PatternsCheck
from policies.loader import PACKS, FileSource, read_policy
from tests.support.checks import looked

# A subject and a text of each; several rules find each of them.
_ZH_SIMPLE: Final = (
    "代开发票",
    "本公司代开发票，税点低。您的账户已被冻结，请点击下方链接验证身份。",
)
_ZH_TRADITIONAL: Final = (
    "代開發票",
    "本公司代開發票，稅點低。您的賬戶已被凍結，請點擊下方鏈接驗證身份。",
)
_JA: Final = (
    "未承諾広告",
    "不正アクセスがありました。アカウントは停止されました。人妻が無料で待つ。",
)
_RU: Final = ("Кредит без справок", "Ваша карта заблокирована банком. Виагра дешево и тихо.")
_AR: Final = ("قروض بدون كفيل", "تم تعليق حسابك اليوم. يرجى تحديث بياناتك اليوم.")
_HI: Final = ("लोन बिना गारंटी", "आपका खाता निलंबित है। आज ही केवाईसी अपडेट करें।")
_FOUND: Final = {
    "zh": {"ZH_INVOICE_ISSUE", "ZH_ACCOUNT_SUSPENDED", "ZH_VERIFY_NOW"},
    "ja": {"JA_UNASKED_AD", "JA_UNUSUAL_LOGIN", "JA_ACCOUNT_RESTRICTED", "JA_DATING_SITE"},
    "ru": {"RU_LOAN", "RU_ACCOUNT_BLOCKED", "RU_PILLS"},
    "ar": {"AR_LOAN", "AR_ACCOUNT_SUSPENDED", "AR_CONFIRM_DETAILS"},
    "hi": {"HI_LOAN", "HI_ACCOUNT_BLOCKED", "HI_KYC_UPDATE"},
}
_CHARSETS: Final = [
    *[("zh", _ZH_SIMPLE, each) for each in ("utf-8", "gb2312", "gbk", "gb18030", "hz", "utf-16")],
    *[("zh", _ZH_TRADITIONAL, each) for each in ("utf-8", "big5", "big5-hkscs", "gbk", "utf-7")],
    *[("ja", _JA, each) for each in ("utf-8", "shift_jis", "euc-jp", "iso-2022-jp", "utf-16")],
    *[
        ("ru", _RU, each)
        for each in ("utf-8", "koi8-r", "windows-1251", "iso-8859-5", "ibm866", "utf-7")
    ],
    *[("ar", _AR, each) for each in ("utf-8", "windows-1256", "iso-8859-6", "utf-16")],
    *[("hi", _HI, each) for each in ("utf-8", "utf-16", "utf-7", "utf-16-le")],
]
_CHECK: Final = PatternsCheck(read_policy(FileSource()).policies.plan.patterns)


def found(message: bytes) -> set[str]:
    """Return the symbols of the packs of languages."""
    prefixes = tuple(f"{name.upper()}_" for name in PACKS if name != "any")
    symbols = {finding.symbol for finding in looked(_CHECK, message).findings}
    return {symbol for symbol in symbols if symbol.startswith(prefixes)}


def written(subject: str, text: str, charset: str) -> bytes:
    """Return a message whose subject and text are in `charset`, in base64."""
    word = b64encode(subject.encode(charset)).decode()
    body = b64encode(text.encode(charset)).decode()
    return (
        f"From: a@example.net\r\nSubject: =?{charset}?B?{word}?=\r\nMIME-Version: 1.0\r\n"
        f"Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{body}\r\n"
    ).encode("ascii")


@pytest.mark.parametrize(("language", "said", "charset"), _CHARSETS)
def test_offence_in_every_charset_bears_the_same_symbols(
    language: str, said: tuple[str, str], charset: str
) -> None:
    assert found(written(*said, charset)) == _FOUND[language]


def _spread(text: str, mark: str) -> str:
    return mark.join(text)


def _full_width(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        pytest.param("zh", tuple(_spread(t, " ") for t in _ZH_SIMPLE), id="zh-spaced"),
        pytest.param("zh", tuple(_spread(t, "*") for t in _ZH_SIMPLE), id="zh-starred"),
        pytest.param("zh", tuple(_spread(t, "\u200b") for t in _ZH_SIMPLE), id="zh-zero-width"),
        pytest.param("zh", tuple(_spread(t, "·") for t in _ZH_TRADITIONAL), id="zh-dotted"),
        pytest.param("zh", tuple(_spread(t, "\r\n") for t in _ZH_SIMPLE), id="zh-broken-lines"),
        pytest.param("ja", tuple(_spread(t, " ") for t in _JA), id="ja-spaced"),
        pytest.param("ja", tuple(_spread(t, "\u2060") for t in _JA), id="ja-zero-width"),
        pytest.param(
            "ja",
            (_JA[0], _JA[1].replace("アカウント", "ｱｶｳﾝﾄ").replace("アクセス", "ｱｸｾｽ")),
            id="ja-half-width",
        ),
        pytest.param(
            "ru",
            tuple(t.replace("а", "a").replace("о", "o").replace("е", "e") for t in _RU),
            id="ru-latin-letters",
        ),
        pytest.param("ru", tuple(_spread(t, "\u200c") for t in _RU), id="ru-zero-width"),
        pytest.param("ru", tuple(_spread(t, "\u00ad") for t in _RU), id="ru-soft-hyphens"),
        pytest.param("ru", tuple(t.upper() for t in _RU), id="ru-capitals"),
        pytest.param(
            "ar", tuple(t.replace("س", "سـ").replace("ق", "قــ") for t in _AR), id="ar-longer"
        ),
        pytest.param("ar", tuple(_spread(t, "\u064e") for t in _AR), id="ar-vowel-signs"),
        pytest.param("ar", tuple(_spread(t, "\u200f") for t in _AR), id="ar-direction-marks"),
        pytest.param(
            "ar", tuple(t.replace("ك", "ک").replace("ي", "ی") for t in _AR), id="ar-persian-letters"
        ),
        pytest.param("hi", tuple(_spread(t, "\u200d") for t in _HI), id="hi-joiners"),
        pytest.param("hi", tuple(_spread(t, "\ufeff") for t in _HI), id="hi-zero-width"),
        pytest.param("hi", tuple(_full_width(t) for t in _HI), id="hi-full-width"),
    ],
)
def test_offence_in_every_disguise_bears_the_same_symbols(
    language: str, said: tuple[str, str]
) -> None:
    assert found(written(said[0].replace("\r\n", "\u2028"), said[1], "utf-8")) == _FOUND[language]


@pytest.mark.parametrize(
    "text",
    [
        "The death of my late client left fifteen million and no next of kin.",
        "The dеath of my lаte client left fifteen million and no nехt of kin.",
        "My late client left fifteen million and no n\u200be\u200bx\u200bt of k\u200bin.",
        "The death of my late client left fifteen million and no n3xt of k1n.",
        "The death of my l.a.t.e client left fifteen million and no next of kin.",
        "𝐓𝐡𝐞 𝐝𝐞𝐚𝐭𝐡 𝐨𝐟 𝐦𝐲 𝐥𝐚𝐭𝐞 𝐜𝐥𝐢𝐞𝐧𝐭 𝐥𝐞𝐟𝐭 𝐟𝐢𝐟𝐭𝐞𝐞𝐧 𝐦𝐢𝐥𝐥𝐢𝐨𝐧 𝐚𝐧𝐝 𝐧𝐨 𝐧𝐞𝐱𝐭 𝐨𝐟 𝐤𝐢𝐧.",
    ],
    ids=["plain", "other-scripts", "zero-width", "leet", "dotted", "mathematical"],
)
def test_offence_in_english_in_every_disguise_is_found(text: str) -> None:
    assert found(written("hello", text, "utf-8")) == {"EN_NEXT_OF_KIN"}
