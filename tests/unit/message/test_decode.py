from __future__ import annotations

import pytest

from milter.message.charsets import codec_of, decode_text
from milter.message.decode import decode_base64, decode_words, parse_parameters
from milter.message.guard import Bounds, Fault, Notes


def faults_of(notes: Notes) -> set[Fault]:
    return {defect.fault for defect in notes.defects}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(b"plain", "plain", id="nothing-to-do"),
        pytest.param(b"=?utf-8?B?aMOpbGxv?=", "héllo", id="base64"),
        pytest.param(b"=?iso-8859-1?q?h=E9l_lo?= x", "hél lo x", id="quoted-printable"),
        pytest.param(b"a =?utf-8?Q?b?= c", "a b c", id="space-beside-plain-text-stays"),
        pytest.param(b"=?utf-8?Q?a?=  =?utf-8?Q?b?=", "ab", id="space-between-words-goes"),
        pytest.param(b"=?utf-8?B?w6k=?==?utf-8?B?w6k=?=", "éé", id="words-without-space"),
        pytest.param(b"=?utf-8?B?ww==?= =?utf-8?B?qQ==?=", "é", id="character-cut-in-two"),
        pytest.param(b"=?utf-8*en?Q?x?=", "x", id="language-after-charset"),
        pytest.param(b"=?gb2312?B?xOO6ww==?=", "你好", id="chinese"),
        pytest.param(b"=?iso-2022-jp?B?GyRCJDMbKEI=?=", "こ", id="japanese"),
        pytest.param(b"=?koi8-r?B?8NLJ18XU?=", "Привет", id="russian"),
        pytest.param(b"=?utf-8?B?aGVsbG8?=", "hello", id="padding-missing"),
        pytest.param("héllo".encode(), "héllo", id="raw-utf-8"),
        pytest.param(b"h\xe9llo", "héllo", id="raw-latin-1"),
        pytest.param(b"=?utf-8?Q?open", "=?utf-8?Q?open", id="never-closed"),
        pytest.param(b"=?utf-8?X?abc?=", "=?utf-8?X?abc?=", id="no-such-encoding"),
    ],
)
def test_decode_words_reads_as_mail_readers_do(value: bytes, text: str) -> None:
    notes = Notes()
    assert decode_words(value, notes) == text
    assert not notes.defects


def test_decode_words_bad_base64_stays_text_and_is_noted() -> None:
    notes = Notes()
    assert decode_words(b"x =?utf-8?B?$$$$?= y", notes) == "x =?utf-8?B?$$$$?= y"
    assert faults_of(notes) == {Fault.MIME}


def test_decode_words_unknown_charset_is_guessed_and_noted() -> None:
    notes = Notes()
    assert decode_words(b"=?x-none?Q?h=E9?=", notes) == "hé"
    assert faults_of(notes) == {Fault.CHARSET}


@pytest.mark.parametrize(
    ("data", "decoded"),
    [
        pytest.param(b"aGVs\r\nbG8=\r\n", b"hello", id="line-breaks"),
        pytest.param(b"aGVsbG8", b"hello", id="no-padding"),
        pytest.param(b"aGVs*bG8=", b"hello", id="foreign-character"),
        pytest.param(b"aGk=\r\ndGhlcmU=\r\n", b"hithere", id="goes-on-behind-padding"),
        pytest.param(b"aGk=\r\n\r\n_____\r\nlist footer", b"hi", id="ends-before-a-footer"),
        pytest.param(b"aGk=\r\n!dGhl*cmU=\r\n", b"hithere", id="text-behind-foreign-characters"),
        pytest.param(b"aGk=\r\ndGhl cmU=\r\n", b"hithere", id="text-behind-space"),
        pytest.param(b"aGVsbG8gd", b"hello ", id="one-character-too-many"),
        pytest.param(b"", b"", id="nothing"),
    ],
)
def test_decode_base64_forgives(data: bytes, decoded: bytes) -> None:
    assert decode_base64(data) == decoded


@pytest.mark.parametrize(
    ("value", "head", "parameters"),
    [
        pytest.param(
            b'Text/Plain; charset="UTF-8"', "text/plain", {"charset": "UTF-8"}, id="quoted"
        ),
        pytest.param(
            b"text/plain; charset=us-ascii (plain text)",
            "text/plain",
            {"charset": "us-ascii"},
            id="comment-behind-the-value",
        ),
        pytest.param(
            b'a/b; name="x; y=\\"z\\""; c=d',
            "a/b",
            {"name": 'x; y="z"', "c": "d"},
            id="semicolon-and-quote-inside-quotes",
        ),
        pytest.param(b"a/b;name=a b.txt;", "a/b", {"name": "a b.txt"}, id="bare-value-with-space"),
        pytest.param(b'a/b; name="open', "a/b", {"name": "open"}, id="quote-never-closed"),
        pytest.param(b"a/b; x=1; x=2", "a/b", {"x": "1"}, id="first-of-two-holds"),
        pytest.param(
            b"a/b; filename*=utf-8'en'%e2%82%ac%20rates",
            "a/b",
            {"filename": "€ rates"},
            id="rfc-2231-charset",
        ),
        pytest.param(
            b"a/b; name*1=b; name*0*=utf-8''%41; name*2*=%63; name=other",
            "a/b",
            {"name": "Abc"},
            id="rfc-2231-segments-out-of-order",
        ),
        pytest.param(
            b'a/b; filename="=?utf-8?B?w6kudHh0?="',
            "a/b",
            {"filename": "é.txt"},
            id="encoded-word-in-a-file-name",
        ),
        pytest.param(
            b'multipart/x; boundary="=?utf-8?Q?a?="',
            "multipart/x",
            {"boundary": "=?utf-8?Q?a?="},
            id="boundary-is-never-decoded",
        ),
        pytest.param(b"text / html", "text/html", {}, id="space-around-the-slash"),
        pytest.param(
            b"(x) text (y) / (z) html (w); a=b", "text/html", {"a": "b"}, id="comments-in-the-type"
        ),
        pytest.param(
            b"text/html charset=utf-8; a=b",
            "text/html",
            {"charset": "utf-8", "a": "b"},
            id="semicolon-forgotten",
        ),
        pytest.param(b"; ;=; *=x; a*b=c", "", {"": "x"}, id="rubbish"),
    ],
)
def test_parse_parameters(value: bytes, head: str, parameters: dict[str, str]) -> None:
    notes = Notes()
    assert parse_parameters(value, notes) == (head, parameters)
    assert not notes.defects


def test_parse_parameters_past_the_bound_reads_no_more_and_is_noted() -> None:
    notes = Notes()
    value = b"a/b" + b"".join(b"; p%d=x" % n for n in range(10))
    _, parameters = parse_parameters(value, notes, Bounds(parameters=4))
    assert list(parameters) == ["p0", "p1", "p2", "p3"]
    assert faults_of(notes) == {Fault.LIMIT}


@pytest.mark.parametrize(
    ("data", "charset", "text", "fits"),
    [
        pytest.param(b"abc", "", "abc", True, id="ascii-by-default"),
        pytest.param("é".encode(), "us-ascii", "é", True, id="utf-8-called-ascii"),
        pytest.param(b"\x93x\x94", "iso-8859-1", "“x”", True, id="latin-1-means-windows-1252"),
        pytest.param(b"h\xe9", "utf-8", "h�", False, id="broken-utf-8-keeps-what-it-can"),
        pytest.param(b"h\xe9", "", "hé", False, id="raw-8-bit-without-charset"),
        pytest.param(b"\x81", "", "\x81", False, id="not-even-windows-1252"),
        pytest.param(b"abc", "no-such", "abc", False, id="unknown-name-is-noted"),
        pytest.param(b"+AOk-", "UTF-7", "é", True, id="utf-7"),
        pytest.param(b"+2AA-x", "utf-7", "?x", True, id="utf-7-lone-surrogate-is-replaced"),
        pytest.param(b"\xff\xfeh\x00", "utf-16", "h", True, id="utf-16"),
    ],
)
def test_decode_text(data: bytes, charset: str, text: str, fits: bool) -> None:
    assert decode_text(data, charset) == (text, fits)


@pytest.mark.parametrize("name", ["punycode", "idna", "unicode_escape", "zlib", "rot13", "hex"])
def test_codec_of_codecs_that_are_no_charsets_is_none(name: str) -> None:
    assert codec_of(name) is None
