from __future__ import annotations

import pytest

from milter.message.document import VIEWS, Message
from milter.message.guard import Bounds
from milter.message.urls import find_urls

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
    assert message.values("subject") == [b"=?utf-8?B?aMOpbGxv?= you", b"second"]
    assert message.values("to") == []
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
        ("urls", ["https://a.example/x", "http://b.example", "https://a.example/?x&y"]),
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


def test_message_view_body_has_all_texts() -> None:
    message = Message(RAW)
    assert message.view("body") == "\n".join(part.text for part in message.texts)
    assert len(message.texts) == 2


def test_message_view_of_an_unknown_name_is_an_error_of_the_caller() -> None:
    with pytest.raises(KeyError):
        Message(RAW).view("helo")
    assert "helo" not in VIEWS


def test_find_urls_stops_at_the_bound() -> None:
    found = find_urls([" ".join(f"http://h{n}.example/" for n in range(50))], Bounds(urls=7))
    assert len(found) == 7


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("ftp://a.example ://b.example xhttp://c.example", ["http://c.example"]),
        ("(https://a.example/p_(q))", ["https://a.example/p_(q"]),
        ("http://", []),
        ("http:// x", []),
        ("<http://a.example>", ["http://a.example"]),
    ],
)
def test_find_urls(text: str, urls: list[str]) -> None:
    assert find_urls([text]) == urls
