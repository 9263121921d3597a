from __future__ import annotations

import pytest

from milter.message.language import _NO_WORDS, language_of, languages_of


@pytest.mark.parametrize(
    ("text", "language", "script"),
    [
        ("Dear Sir, we would like to offer you a great opportunity today", "en", "Latin"),
        ("Sehr geehrte Damen und Herren, anbei senden wir Ihnen die Rechnung", "de", "Latin"),
        ("Estimado señor, su cuenta ha sido bloqueada por seguridad", "es", "Latin"),
        ("Уважаемый клиент, ваш счет заблокирован до подтверждения", "ru", "Cyrillic"),
        ("您好，我们公司现在提供发票服务，欢迎来电", "zh", "Han"),
        ("お客様のアカウントが停止されました。確認してください", "ja", "Kana"),
        ("안녕하세요 고객님 계정이 정지되었습니다", "ko", "Hangul"),
        ("عزيزي العميل، تم تعليق حسابك حتى إشعار آخر", "ar", "Arabic"),
        ("प्रिय ग्राहक, आपका खाता बंद कर दिया गया है", "hi", "Devanagari"),
        ("เรียนลูกค้าบัญชีของคุณถูกระงับ", "th", "Thai"),
        ("hi", "", "Latin"),
        ("https://www.example.org/a/b/c 123", "", ""),
        ("", "", ""),
    ],
)
def test_language_of_a_text(text: str, language: str, script: str) -> None:
    guess = language_of(text)
    assert (guess.language, guess.script) == (language, script)
    assert 0 <= guess.confidence <= 1


def test_languages_of_several_texts_are_each_once_the_longest_first() -> None:
    english = "We would like to invite you to our yearly meeting in the town hall"
    assert [
        guess.language for guess in languages_of(["ok", english, english, "您好欢迎来电咨询"])
    ] == [
        "en",
        "zh",
    ]


def test_long_text_without_blanks_is_searched_for_links_once() -> None:
    chinese = "\u5b63\u5ea6\u62a5\u544a" * 250_000
    # By the square of its length this would take an hour.
    assert _NO_WORDS.sub("", chinese) == chinese
    assert _NO_WORDS.sub("", f"{chinese}@x {chinese}") == f" {chinese}"
