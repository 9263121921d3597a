"""What filters of this kind are commonly tested for: how a message is put together and named.

`docs/behaviours.md` lists the suites of another filter that such behaviours were gathered from.
"""

from __future__ import annotations

import pytest

from milter.checks.attachments import AttachmentsCheck
from milter.checks.headers import HeadersCheck
from milter.checks.identities import IdentitiesCheck
from milter.checks.mime_form import MimeFormCheck
from milter.message.document import Message
from milter.message.files.kinds import is_doubled
from tests.support.checks import a_transaction, looked, symbols_of

V = "MIME-Version: 1.0\r\n"
HTML = "Content-Type: text/html\r\n\r\n<p>x\r\n"
TEXT = "Content-Type: text/plain\r\n\r\nx\r\n"
PICTURE = "Content-Type: image/png\r\n\r\nx\r\n"


def multipart(kind: str, *parts: str, boundary: str = "b") -> str:
    inner = "".join(f"--{boundary}\r\n{part}" for part in parts)
    return f"Content-Type: multipart/{kind}; boundary={boundary}\r\n\r\n{inner}--{boundary}--\r\n"


RELATED = multipart("related", HTML, PICTURE, boundary="r")


@pytest.mark.parametrize(
    ("message", "alone"),
    [
        pytest.param(V + HTML, True, id="html-alone"),
        pytest.param(V + multipart("alternative", TEXT, HTML), False, id="with-a-text-beside"),
        pytest.param(V + multipart("alternative", TEXT, RELATED), False, id="related-inside"),
        pytest.param(V + multipart("mixed", RELATED, PICTURE), True, id="related-in-mixed"),
        pytest.param(V + multipart("mixed", HTML, PICTURE), True, id="with-a-picture"),
        pytest.param(
            V + multipart("alternative", HTML, "Content-Type: text/calendar\r\n\r\nx\r\n"),
            False,
            id="with-an-invitation",
        ),
        pytest.param(
            V
            + multipart(
                "mixed",
                HTML,
                "Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nx\r\n",
            ),
            True,
            id="with-an-attached-text",
        ),
        pytest.param(
            V + "Content-Type: multipart/related; boundary=r\r\n\r\n", False, id="no-part"
        ),
    ],
)
def test_html_without_a_text_is_told(message: str, *, alone: bool) -> None:
    found = symbols_of(looked(MimeFormCheck(), message.encode()))

    assert ("MIME_ONLY_HTML" in found) is alone


@pytest.mark.parametrize(
    ("written", "name"),
    [
        pytest.param("user@example.org", "", id="address-only"),
        pytest.param("user@example.org (a comment)", "", id="comment"),
        pytest.param("First Last <user@example.org>", "First Last", id="name"),
        pytest.param(
            "=?utf-8?B?0JrQuNGA0LjQu9C70LjRhtCw?= <user@example.org>", "Кириллица", id="base64"
        ),
        pytest.param('"First M. Last" <user@example.org>', "First M. Last", id="quoted"),
        pytest.param('First "M." Last <user@example.org>', "First M. Last", id="quoted-inside"),
        pytest.param(
            '"First M. Last" (comment) <user@example.org>', "First M. Last", id="quoted-and-comment"
        ),
    ],
)
def test_author_is_read_however_it_is_written(written: str, name: str) -> None:
    (author,) = Message(f"From: {written}\r\n\r\nx".encode()).authors.addresses

    assert (author.local_part, author.domain) == ("user", "example.org")
    assert author.display_name in (name, "a comment" if "(a comment)" in written else name)


@pytest.mark.parametrize(
    ("name", "doubled"),
    [
        pytest.param("invoice.pdf.exe", True, id="pdf-exe"),
        pytest.param("report 2020.08.14.scr", False, id="date"),
        pytest.param("some.dotted.name.exe", False, id="dotted-name"),
        pytest.param("setup (1.2.3).msi", False, id="numbers-in-brackets"),
        pytest.param("setup [1.2.3].msi", False, id="numbers-in-square-brackets"),
    ],
)
def test_double_extension_is_told_from_dots_in_a_name(name: str, *, doubled: bool) -> None:
    assert is_doubled(name) is doubled


@pytest.mark.parametrize(
    ("content", "symbol"),
    [
        pytest.param("%PDF-1.7\n/Encrypt 1 0 R", "ATTACHMENT_ENCRYPTED", id="encrypted"),
        pytest.param("%PDF-1.7\n/JavaScript (x)", "ATTACHMENT_ACTIVE_PDF", id="javascript"),
    ],
)
def test_pdf_that_hides_or_acts_is_told(content: str, symbol: str) -> None:
    raw = f"Content-Type: application/pdf; name=a.pdf\r\n\r\n{content}".encode()

    assert symbols_of(looked(AttachmentsCheck(), raw)) == [symbol]


@pytest.mark.parametrize(
    ("header", "symbol"),
    [
        pytest.param("Message-ID: no brackets", "MESSAGE_ID_INVALID", id="message-id-invalid"),
        pytest.param("X: y", "MESSAGE_ID_MISSING", id="message-id-missing"),
        pytest.param("From: <b@b.example>", "FROM_SEVERAL", id="second-from"),
    ],
)
def test_header_that_is_wrong_is_told(header: str, symbol: str) -> None:
    raw = f"From: a@a.example\r\n{header}\r\n\r\nx".encode()

    assert symbol in symbols_of(looked(HeadersCheck(), raw))


def test_hops_are_a_fact() -> None:
    raw = b"Received: a\r\nReceived: b\r\nFrom: a@a.example\r\n\r\nx"
    counts = looked(HeadersCheck(), raw).facts["headers"]

    assert isinstance(counts, dict)
    assert counts["received"] == 2


def test_envelope_of_another_domain_than_the_author_is_told() -> None:
    found = looked(IdentitiesCheck(), b"From: a@b.example\r\n\r\nx", a_transaction("a@c.example"))

    assert symbols_of(found) == ["MAIL_FROM_ELSEWHERE"]


def test_file_names_of_any_script_are_read() -> None:
    raw = b"Content-Type: application/pdf;\r\n name*=utf-8''%EC%82%BC%EC%84%B1.pdf\r\n\r\n%PDF-"

    assert Message(raw).filenames == ["삼성.pdf"]
