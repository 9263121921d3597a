"""Whatever bytes arrive, reading ends, raises nothing, and stays within the bounds."""

from __future__ import annotations

import base64
import io
import time
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milter.message.document import VIEWS, Message
from milter.message.guard import DEFAULT_BOUNDS

if TYPE_CHECKING:
    from collections.abc import Callable

_WORDS = (
    "From: |Subject: |Content-Type: |multipart/mixed; boundary=b|text/html|message/rfc822|"
    "Content-Transfer-Encoding: base64|quoted-printable|charset=|utf-7|utf-16|iso-2022-jp|hz|"
    "gb18030|name*0*=utf-8''%e2|name*9=x|https://|&#55296;|filename=|=e9|--b|=?|?=|?B?|?q?|\x1b$B|"
    "Content-Disposition: attachment; |\r\n\r\n|\r\n|\n|\r| |\t|:|;|--|(|)|<|>|@|,|\\|\x00|\xff|a"
)
_PIECES = [word.encode("latin-1") for word in _WORDS.split("|")]
_MAIL = st.lists(st.sampled_from(_PIECES) | st.binary(max_size=4), max_size=60).map(b"".join)


# Before what the lines below write into HTML.
_PAGE = b"Content-Type: text/html\r\n\r\n"


def _document(size: int) -> bytes:
    """Return a message with a document of relations that are opened and never closed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"x")
        for number in range(16):
            archive.writestr(f"{number}.rels", b"<Relationship " * (size // 16 // 14))
    header = b"Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return header + base64.encodebytes(file.getvalue())


def _seven_zip(size: int) -> bytes:
    """Return a message with a 7z file whose header goes through all its folders again and again."""
    folders = b"\x07\x0b\x90\x00\x00" + b"\x01\x01\x00" * 0x1000 + b"\x00"
    header = b"\x01\x04" + folders + b"\x08\x00" * (size // 2)
    start = bytes(8) + len(header).to_bytes(8, "little") + bytes(4)
    file = b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(4) + start + header
    return b"Content-Type: application/x\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + file


def read_everything(raw: bytes) -> Message:
    message = Message(raw)
    message.read()
    for name in VIEWS:
        view = message.view(name)
        if isinstance(view, str):
            view.encode("utf-8")
    message.view("header:content-type")
    return message


@given(st.binary(max_size=400) | _MAIL)
@settings(max_examples=300)
def test_message_of_any_bytes_raises_nothing_and_its_offsets_hold(raw: bytes) -> None:
    message = read_everything(raw)
    ends = [0]
    for field in message.fields:
        assert ends[-1] <= field.start < field.value_start <= field.end <= message.body_start
        ends.append(field.end)
    assert all(0 <= part.start <= part.end <= len(part.source) for part in message.parts)


# The first passes through the bounds of the header whole, the second is cut by them.
_SIZES = (60_000, 250_000, 1 << 20)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(lambda n: b"Subject: " + b"=?utf-8?B?YQ==?= " * (n // 17), id="long-subject"),
        pytest.param(lambda n: b"Subject: " + b"=?a?b?" * (n // 6), id="half-encoded-words"),
        pytest.param(lambda n: b"A: b\r\n" * (n // 6), id="many-fields"),
        pytest.param(lambda n: b"A: b\r\n" + b" \r\n" * (n // 3), id="endless-folding"),
        pytest.param(lambda n: b"A" * n, id="name-without-colon"),
        pytest.param(lambda n: b"From: " + b"(" * n, id="open-comments"),
        pytest.param(lambda n: b"From: " + b"(a) " * (n // 4) + b"@", id="many-comments"),
        pytest.param(lambda n: b"From: " + b"<" * n, id="open-brackets"),
        pytest.param(lambda n: b"From: " + b'"\\' * (n // 2), id="open-quotes"),
        pytest.param(lambda n: b"From: " + b"a@b," * (n // 4), id="many-authors"),
        pytest.param(lambda n: b"From: " + b"\xc3\xa4." * (n // 3) + b"@a", id="u-labels"),
        pytest.param(
            lambda n: b"From: a@" + b".".join([b"\xc3\xa4" * 20] * (n // 41)), id="long-u-domain"
        ),
        pytest.param(lambda n: b"Content-Type: a/b" + b"; n*1*=x" * (n // 8), id="many-segments"),
        pytest.param(lambda n: b"Content-Type: a/b" + b";  " * (n // 3), id="empty-parameters"),
        pytest.param(
            lambda n: b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"--b\n" * (n // 4),
            id="many-parts",
        ),
        pytest.param(
            lambda n: b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"\n--bb" * (n // 5),
            id="false-delimiters",
        ),
        pytest.param(
            lambda n: b"Content-Type: multipart/x; boundary=b\n\n--b\n" * (n // 44),
            id="same-boundary-nested",
        ),
        pytest.param(
            lambda n: b"Content-Type: message/rfc822\r\n\r\n" * (n // 32), id="nested-messages"
        ),
        pytest.param(
            lambda n: b"Content-Transfer-Encoding: base64\r\n\r\n" + b"YQ==" * (n // 4),
            id="padding-everywhere",
        ),
        pytest.param(
            lambda n: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=" * n,
            id="equal-signs",
        ),
        pytest.param(
            lambda n: b"Content-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n" + b"\r\n" * n,
            id="blank-lines-in-base64",
        ),
        pytest.param(
            lambda n: b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=" + b" =" * (n // 2),
            id="soft-breaks-with-space",
        ),
        pytest.param(
            lambda n: b"Content-Type: multipart/x; boundary=b\r\n\r\n" + b"--b\nx\n" * (n // 6),
            id="parts-of-lines-that-are-no-fields",
        ),
        pytest.param(lambda n: b"\r\n" + b"://" * (n // 3), id="many-half-urls"),
        pytest.param(lambda n: b"\r\n" + b"http://a\xff" * (n // 9), id="many-urls"),
        pytest.param(
            lambda n: b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+2AA-" * (n // 5),
            id="surrogates",
        ),
        pytest.param(
            lambda n: b'Content-Disposition: attachment; filename="a' + b" " * n + b'b"',
            id="name-with-a-gap",
        ),
        pytest.param(lambda n: _PAGE + b"<style>" + b"/* " * (n // 3), id="open-css-comments"),
        pytest.param(lambda n: _PAGE + b"<style>" + b"@x{}" * (n // 4), id="many-at-rules"),
        pytest.param(
            lambda n: _PAGE + (b"<p style='" + b"/* " * 1_300 + b"'>") * (n // 3_912),
            id="open-comments-in-styles",
        ),
        pytest.param(lambda n: _PAGE + b"<b>" * (n // 3), id="formatting-that-is-alike"),
        pytest.param(lambda n: _PAGE + b'<a href="a.' + b"a" * n + b'">', id="long-name"),
        pytest.param(
            lambda n: (
                b"\r\n"
                + b"".join([b"http://%d/" % i + b"__http://" * 200 for i in range(n // 1_800)])
            ),
            id="defended-urls-without-an-end",
        ),
        pytest.param(
            lambda n: (
                _PAGE
                + b"<style>"
                + (b".a{color:red;" + b"x:y;" * 990 + b"}") * 20
                + b"</style>"
                + b"".join([b"<p class=a id=i%d>" % i for i in range(n // 60)])
            ),
            id="long-rules-for-many",
        ),
        pytest.param(
            lambda n: _PAGE + (b"<p style='" + b"a:(" * 1_300 + b"'>") * (n // 3_912),
            id="open-brackets-in-styles",
        ),
        pytest.param(lambda n: _PAGE + b"<style>" + b"a{'" * (n // 3), id="open-strings-in-css"),
        pytest.param(lambda n: _PAGE + b"<style>" + b"content:" * (n // 8), id="css-contents"),
        pytest.param(
            lambda n: _PAGE + b"<style>content:" + b"'\\a" * (n // 3), id="open-strings-of-contents"
        ),
        pytest.param(lambda n: _document(n * 4), id="relations-without-an-end"),
        pytest.param(_seven_zip, id="folders-gone-through-again"),
    ],
)
@pytest.mark.parametrize("size", _SIZES)
def test_message_made_to_hurt_is_read_in_bounded_time(
    raw: Callable[[int], bytes], size: int
) -> None:
    started = time.process_time()
    message = read_everything(raw(size) + b"\r\n\r\n")
    # Far above what each takes, far below what anything quadratic would.
    assert time.process_time() - started < 1.0
    assert len(message.parts) <= DEFAULT_BOUNDS.parts
