"""The same words in every charset, encoding and disguise are the same text for a pattern."""

from __future__ import annotations

import base64
import quopri

import pytest

from milter.message.document import Message
from milter.message.text.forms import folded

CHINESE = "您好，我们公司现在低价代开发票，欢迎来电咨询，电话请联系张先生"
TAIWANESE = "您好，我們公司現在低價代開發票，歡迎來電諮詢，電話請聯繫張先生"
JAPANESE = "お客様のアカウントが停止されました。至急こちらから確認してください"
KOREAN = "고객님의 계정이 정지되었습니다 지금 바로 확인해 주십시오 감사합니다"
RUSSIAN = "Уважаемый клиент, ваш счет заблокирован, подтвердите пароль немедленно"
ARABIC = "عزيزي العميل، تم تعليق حسابك المصرفي، يرجى تأكيد كلمة المرور الآن"
GREEK = "Αγαπητέ πελάτη, ο λογαριασμός σας έχει κλειδωθεί, επιβεβαιώστε τον κωδικό"
HEBREW = "לקוח יקר, החשבון שלך נחסם, אנא אשר את הסיסמה שלך עכשיו כאן"
THAI = "เรียนลูกค้า บัญชีของคุณถูกระงับ กรุณายืนยันรหัสผ่านทันที"
HINDI = "प्रिय ग्राहक, आपका खाता बंद कर दिया गया है, अपना पासवर्ड सत्यापित करें"
CZECH = "Vážený zákazníku, váš účet byl zablokován, potvrďte prosím své heslo ještě dnes"

_CHINESE_CHARSETS = ("utf-8", "gb2312", "gbk", "gb18030", "hz", "utf-7", "utf-16")
_DECLARED = [
    *((CHINESE, charset) for charset in _CHINESE_CHARSETS),
    *((TAIWANESE, charset) for charset in ("utf-8", "big5", "gb18030")),
    *((JAPANESE, charset) for charset in ("utf-8", "iso-2022-jp", "shift_jis", "euc-jp", "utf-7")),
    *((KOREAN, charset) for charset in ("utf-8", "euc-kr", "iso-2022-kr", "cp949", "johab")),
    *((RUSSIAN, charset) for charset in ("utf-8", "koi8-r", "windows-1251", "iso-8859-5", "cp866")),
    *((ARABIC, charset) for charset in ("utf-8", "windows-1256", "iso-8859-6")),
    *((GREEK, charset) for charset in ("utf-8", "windows-1253", "iso-8859-7")),
    *((HEBREW, charset) for charset in ("utf-8", "windows-1255", "iso-8859-8")),
    *((THAI, charset) for charset in ("utf-8", "tis-620", "windows-874")),
    *((HINDI, charset) for charset in ("utf-8", "utf-16", "utf-7")),
    *((CZECH, charset) for charset in ("utf-8", "windows-1250", "iso-8859-2")),
]  # fmt: skip
# Python has no codec of the name, or one that is stricter than mail.
_PYTHON = {"windows-874": "cp874"}


def encoded(text: str, charset: str) -> bytes:
    return text.encode(_PYTHON.get(charset, charset))


def mail(body: bytes, content_type: str, encoding: str = "8bit") -> Message:
    header = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    return Message(header.encode() + body)


@pytest.mark.parametrize(("text", "charset"), _DECLARED)
def test_text_is_the_same_in_every_charset_and_encoding(text: str, charset: str) -> None:
    body, kind = encoded(text, charset), f"text/plain; charset={charset}"
    page = encoded(f"<p>{text}", charset)
    plain = [] if charset == "utf-16" else [mail(body, kind)]
    messages = [
        *plain,
        mail(base64.encodebytes(body), kind, "base64"),
        mail(quopri.encodestring(body), kind, "quoted-printable"),
        mail(base64.encodebytes(page), f"text/html; charset={charset}", "base64"),
    ]  # fmt: skip
    assert {message.folded.strip() for message in messages} == {folded(text)}


@pytest.mark.parametrize(("text", "charset"), _DECLARED)
def test_subject_is_the_same_in_every_charset(text: str, charset: str) -> None:
    word = f"=?{charset}?B?{base64.b64encode(encoded(text, charset)).decode()}?="
    assert Message(f"Subject: {word}\r\n\r\n".encode()).subject == text


@pytest.mark.parametrize("declared", ["", "iso-8859-1", "us-ascii", "utf-8", "x-unknown"])
@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (CHINESE, "gb18030"),
        (TAIWANESE, "big5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc-jp"),
        (KOREAN, "euc-kr"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "windows-1251"),
        (ARABIC, "windows-1256"),
        (GREEK, "windows-1253"),
        (HEBREW, "windows-1255"),
        (THAI, "tis-620"),
    ],
)
def test_text_that_declares_nothing_true_is_read(text: str, charset: str, declared: str) -> None:
    kind = f"text/plain; charset={declared}" if declared else "text/plain"
    message = mail(encoded(text, charset), kind)
    assert message.folded.strip() == folded(text)
    assert mail(text.encode(), kind).folded.strip() == folded(text)


def test_text_in_the_other_cyrillic_charset_is_read() -> None:
    message = mail(RUSSIAN.encode("koi8-r"), "text/plain; charset=windows-1251")
    assert message.folded.strip() == folded(RUSSIAN)


def test_subject_of_bare_bytes_is_in_the_charset_of_the_text() -> None:
    raw = (
        b"Subject: "
        + CHINESE.encode("gb18030")
        + b"\r\nContent-Type: text/plain; charset=gb2312\r\n\r\n"
    )
    assert Message(raw).subject == CHINESE


@pytest.mark.parametrize(
    ("body", "charset", "text"),
    [
        pytest.param(
            "Größe café naïve".encode("cp1252"), "iso-8859-1", "Größe café naïve", id="western"
        ),
        pytest.param("é à è".encode("cp1252"), "iso-8859-1", "é à è", id="few-accents"),
        pytest.param("名前".encode("shift_jis") + b"\x82", "shift_jis", "名前\ufffd", id="cut"),
        pytest.param(b"\xa9 2026", "x-unknown", "© 2026", id="too-short-to-guess"),
        pytest.param("ПРИВЕТ".encode("koi8-r"), "koi8-r", "ПРИВЕТ", id="capitals"),
    ],
)
def test_text_whose_charset_is_true_is_not_guessed_at(body: bytes, charset: str, text: str) -> None:
    assert mail(body, f"text/plain; charset={charset}").texts[0].text == text


def test_guesses_of_one_message_are_bounded() -> None:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\n" + RUSSIAN.encode("koi8-r") + b"\r\n"
    message = Message(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 20)
    guessed = [text.text.strip() == RUSSIAN for text in message.texts]
    assert guessed.count(True) == message.bounds.detections


def test_text_without_a_charset_that_can_be_guessed_breaks_no_promise() -> None:
    old = mail(CHINESE.encode("gb2312"), "text/plain")
    wrong = mail(CHINESE.encode("gb2312"), "text/plain; charset=us-ascii")
    assert [old.texts[0].text, wrong.texts[0].text] == [CHINESE, CHINESE]
    assert [len(old.defects), len(wrong.defects)] == [0, 1]


@pytest.mark.parametrize("declared", ["", "iso-8859-1", "us-ascii", "utf-8", "x-unknown"])
@pytest.mark.parametrize(
    ("text", "charset"),
    [
        (JAPANESE, "iso-2022-jp"),
        (KOREAN, "iso-2022-kr"),
        (HINDI, "utf-16"),
        (CHINESE, "utf-32"),
    ],
)
def test_text_whose_bytes_show_their_charset_is_read(
    text: str, charset: str, declared: str
) -> None:
    kind = f"text/plain; charset={declared}" if declared else "text/plain"
    message = mail(base64.encodebytes(encoded(text, charset)), kind, "base64")
    assert message.texts[0].text.strip() == text
    assert [defect.fault for defect in message.defects] == (["charset"] if declared else [])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\x1b$B!!\x1b(IVERIFY!YOUR!ACCOUNT!NOW!", id="half-width-kana"),
        pytest.param("\x1b$BVERIFYYOURPASSWORD", id="chinese-letters"),
        pytest.param("\x1b$)C\n\x0everifyyouraccountnow\x0f", id="korean"),
    ],
)
def test_sequence_that_makes_other_letters_of_all_words_is_not_believed(text: str) -> None:
    assert mail(text.encode(), "text/plain; charset=utf-8").texts[0].text == text


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff"])
@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("Verify your account now or lose it!!", "; charset=iso-8859-1"),
        ("Verify your account now or lose it!!", "; charset=utf-8"),
        ("Verify your account now or lose it!!", ""),
        ("Проверьте ваш счёт сегодня!", "; charset=windows-1251"),
    ],
)
def test_mark_of_utf_16_before_another_charset_hides_no_words(
    mark: bytes, text: str, declared: str
) -> None:
    assert text in mail(mark + text.encode("cp1251"), f"text/plain{declared}").body


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, KOREAN, HINDI, "\u2022 a\n\u2022 \u2122 b\n"])
@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be"])
def test_mark_of_utf_16_before_a_text_in_it_is_believed(text: str, charset: str) -> None:
    body = base64.encodebytes(f"\ufeff{text}".encode(charset))
    assert mail(body, "text/plain; charset=iso-8859-1", "base64").body == text


@pytest.mark.parametrize(("text", "charset"), [("口座停止", "shift_jis"), ("карта", "koi8-r")])
def test_page_without_a_charset_names_its_own(text: str, charset: str) -> None:
    page = f"<meta http-equiv=Content-Type content='text/html; charset={charset}'><p>{text}"
    assert mail(page.encode(charset), "text/html").body == text
    assert mail(page.encode(), "text/html; charset=utf-8").body == text


def test_subject_of_bare_japanese_is_read() -> None:
    assert Message(b"Subject: " + JAPANESE.encode("iso-2022-jp") + b"\r\n\r\nx").subject == JAPANESE
