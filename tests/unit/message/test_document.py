from __future__ import annotations

from base64 import encodebytes

import pytest

from milter.message.document import VIEWS, Message
from milter.message.files.attachment import Danger

RAW = (
    b"Received: by x\r\n"
    b"From: =?utf-8?Q?J=C3=BCrgen?= <j@Example.ORG>, other@b.example\r\n"
    b"Subject: =?utf-8?B?aMOpbGxv?=\r\n you\r\n"
    b"Subject: second\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n'
    b"\r\n"
    b"--b\r\n\r\nsee https://a.example/x. and HTTP://b.example\r\n"
    b'--b\r\nContent-Type: text/html\r\n\r\n<a href="https://a.example/?x&amp;y">l</a>\r\n'
    b"--b\r\nContent-Type: application/pdf; name=x.pdf\r\n"
    b'Content-Disposition: attachment; filename="bill.pdf"\r\n\r\n%PDF\r\n--b--\r\n'
)


def test_message_counts_and_values_by_lower_case_name() -> None:
    message = Message(RAW)
    assert (message.count("subject"), message.count("to")) == (2, 0)
    assert message.values("subject") == (b"=?utf-8?B?aMOpbGxv?= you", b"second")
    assert message.values("to") == ()
    assert message.counts["received"] == 1


def test_message_subject_is_the_topmost_decoded() -> None:
    assert Message(RAW).subject == "héllo you"


def test_message_author_domains_are_each_once_and_lower_case() -> None:
    assert Message(RAW).author_domains == ("example.org", "b.example")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("subject", "héllo you"),
        ("header:Subject", ["héllo you", "second"]),
        ("header:X-None", []),
        ("text", "see https://a.example/x. and HTTP://b.example"),
        ("html", '<a href="https://a.example/?x&amp;y">l</a>'),
        ("urls", ["https://a.example/?x&y", "https://a.example/x", "http://b.example/"]),
        ("filenames", ["bill.pdf"]),
        ("raw", RAW),
    ],
)
def test_message_view_is_what_patterns_are_matched_against(name: str, expected: object) -> None:
    assert Message(RAW).view(name) == expected


def test_message_view_headers_has_a_decoded_line_for_each_field() -> None:
    lines = str(Message(RAW).view("headers")).splitlines()
    assert lines[1] == "From: Jürgen <j@Example.ORG>, other@b.example"
    assert len(lines) == 5


def test_message_view_body_has_all_texts_as_a_person_reads_them() -> None:
    assert Message(RAW).view("body") == "see https://a.example/x. and HTTP://b.example\nl"


def test_message_view_hidden_has_what_html_does_not_show() -> None:
    raw = b"Content-Type: text/html\r\n\r\n<p>seen<p style='display:none'>not seen"
    message = Message(raw)
    assert (message.view("body"), message.view("hidden")) == ("seen", "not seen")


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("plain; format=flowed; DelSp=yes", b"Buy via \r\n gra\r\n", "Buy viagra\n"),
        ("plain; format=flowed; delsp=YES", b"http://a.exam \r\nple/x\r\n", "http://a.example/x\n"),
        ("plain; format=flowed; delsp=yes", b"a\r\n-- \r\nb\r\n", "a\n-- \nb\n"),
        ("plain; format=flowed; delsp=yes", b"> a \r\n> b\r\n", "> a \n> b\n"),
        ("plain; format=flowed", b"Buy via \r\n gra\r\n", "Buy via \n gra\n"),
        ("html; delsp=yes", b"via \r\ngra", "via gra"),
        ("plain; charset=utf-8", "Buy via".encode("utf-16-le"), "Buy via"),
        ("plain", b"http://a.exam\0ple/", "http://a.example/"),
    ],
)
def test_message_lines_that_were_parted_for_the_way_are_joined(
    kind: str, body: bytes, expected: str
) -> None:
    message = Message(f"Content-Type: text/{kind}\r\n\r\n".encode() + body)
    assert message.view("body") == expected


@pytest.mark.parametrize(
    ("kind", "card"),
    [
        (
            "application/octet-stream; name=a.ics",
            b"BEGIN:VCALENDAR\r\nURL:https://a.exa\r\n mple/x",
        ),
        ("application/octet-stream; name=a.vcf", b"BEGIN:VCARD\r\nURL:https://a.exa\r\n mple/x"),
        ("application/ics", b"BEGIN:VCALENDAR\r\nURL:https://a.exa\r\n mple/x"),
    ],
)
def test_dates_and_contacts_are_read_whatever_type_they_are_called(kind: str, card: bytes) -> None:
    message = Message(f"Content-Type: {kind}\r\n\r\n".encode() + card)
    assert message.urls == ["https://a.example/x"]


def test_message_hosts_and_domains_of_links_are_each_once() -> None:
    raw = b"\r\nhttp://www.a.example/ http://b.a.example/ http://192.0.2.1/ https://www.a.example/x"
    message = Message(raw)
    assert message.url_hosts == ("www.a.example", "b.a.example", "192.0.2.1")
    assert message.url_domains == ("a.example",)


def test_message_view_of_an_unknown_name_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        Message(RAW).view("helo")
    assert "helo" not in VIEWS


def test_authors_past_the_bounds_of_the_header_are_found() -> None:
    message = Message(b"A: 1\r\n" * 1500 + b"From : a@b.example\r\n\r\nFrom: c@d.example\r\n")

    assert message.author_domains == ("b.example",)


def _many(kind: str, count: int, part: str) -> Message:
    head = f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n"
    return Message((head + f"--b\r\n{part}\r\n" * count + "--b--\r\n").encode())


def test_message_digest_of_a_busy_list_is_read_whole() -> None:
    message = _many("digest", 200, "\r\nSubject: Re: x\r\n\r\nok")
    assert len(message.texts) == 200
    assert not message.truncated


def test_message_more_html_parts_than_are_parsed_are_noted() -> None:
    message = _many("mixed", 250, "Content-Type: text/html\r\n\r\n<div>ok</div>")
    assert [html.whole for html in message.html] == [True] * 200 + [False] * 50
    assert message.body.split() == ["ok"] * 250
    assert message.truncated == ("html",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.html", b"<p>seen<a href='http://b.example/'>c", id="page-by-its-name"),
        pytest.param("a", b"<html><p>seen<a href='http://b.example/'>c", id="page-by-its-bytes"),
        pytest.param(
            "a.eml",
            b"Content-Type: text/html\r\n\r\n<p>seen<a href='http://b.example/'>c",
            id="message",
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["base64", "binary"])
def test_message_files_that_a_click_shows_are_read(
    name: str, content: bytes, encoding: str
) -> None:
    head = (
        f"Content-Type: application/octet-stream; name={name}\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n\r\n"
    ).encode()
    message = Message(head + (encodebytes(content) if encoding == "base64" else content))
    assert message.body.rstrip() == "seenc"
    assert message.urls == ["http://b.example/"]
    assert message.filenames == [name]
    message.read()
    assert not message.defects


@pytest.mark.parametrize(
    "fields",
    [
        "Content-Disposition: attachment; filename=a.js; filename*=utf-8''a.txt",
        "Content-Disposition: attachment; filename=a.txt; filename=a.js",
        "Content-Type: a/b; name=a.js\r\nContent-Disposition: attachment; filename=a.txt",
    ],
)
def test_attachment_each_name_that_is_claimed_is_judged(fields: str) -> None:
    mail = Message(f"{fields}\r\n\r\nx()".encode())
    assert mail.filenames == ["a.txt"]
    assert mail.attachments[0].dangers == {Danger.SCRIPT}
