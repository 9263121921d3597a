from __future__ import annotations

import pytest

from milter.checks.languages import LanguagesCheck
from milter.checks.text import TextCheck
from tests.support.checks import looked, symbols_of


@pytest.mark.parametrize(
    ("header", "body", "symbols"),
    [
        pytest.param("Subject: hello", "hello", [], id="plain"),
        pytest.param("Subject: vi\u200bagra", "", ["TEXT_CUT_WORDS"], id="cut-in-subject"),
        pytest.param("Subject: x", "a\u200bb", [], id="a-stray-mark"),
        pytest.param("Subject: x", "a\u200bb c\u200bd e\u200bf", ["TEXT_CUT_WORDS"], id="cut-body"),
        pytest.param("From: РayPal <a@b.example>", "", ["TEXT_MIXED_SCRIPTS"], id="mixed-author"),
        pytest.param("Subject: \u202elaypap", "", ["TEXT_DIRECTION_FORCED"], id="turned"),
        pytest.param("Subject: x", "\u202bשלום\u202c \u202eabc", [], id="turned-in-body"),
        pytest.param("Subject: Привет", "Как дела?", [], id="russian"),
        pytest.param("Subject: TNFα und IFNγ", "", [], id="abbreviation-with-greek"),
        pytest.param("Subject: SMSка", "", [], id="abbreviation-with-a-russian-ending"),
        pytest.param("Subject: PAYPАL", "", ["TEXT_MIXED_SCRIPTS"], id="mixed-capitals"),
        pytest.param("Subject: Tеlеgrаm", "", ["TEXT_MIXED_SCRIPTS"], id="mixed-word"),
    ],
)
def test_disguised_words_are_found(header: str, body: str, symbols: list[str]) -> None:
    kind = "Content-Type: text/plain; charset=utf-8"
    message = f"{header}\r\n{kind}\r\n\r\n{body}\r\n".encode()
    assert symbols_of(looked(TextCheck(), message)) == symbols


def test_languages_are_a_fact() -> None:
    message = (
        "Content-Type: text/plain; charset=utf-8\r\n\r\n您好，我们公司提供发票服务\r\n".encode()
    )
    assert looked(LanguagesCheck(), message).facts == {
        "languages": [{"language": "zh", "script": "Han", "confidence": 1.0}]
    }
