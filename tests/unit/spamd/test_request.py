"""Requests of spamd's protocol from bytes, in any pieces, right and wrong."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.core.errors import RemoteProtocolError
from milter.spamd.request import Head, RequestReader, parse_head

BODY = b"Subject: x\r\n\r\nhello\r\n"
WHOLE = b"PROCESS SPAMC/1.5\r\nUser: a\r\nContent-length: %d\r\n\r\n%b" % (len(BODY), BODY)
EXIM = b"CHECK RSPAMC/1.3\r\nContent-length: 21\r\nRcpt: <a@x>\r\nRcpt: <b@x>\r\n\r\n"


def read(*pieces: bytes, end: bool = False) -> tuple[Head | None, bytes, bool]:
    reader, head, body = RequestReader(), None, b""
    for piece in pieces:
        for part in reader.feed(piece):
            if isinstance(part, Head):
                head = part
            else:
                body += part
    if end:
        reader.end()
    return head, body, reader.done


@given(st.lists(st.integers(0, len(WHOLE)), max_size=8).map(sorted))
def test_request_is_the_same_in_any_pieces(cuts: list[int]) -> None:
    edges = [0, *cuts, len(WHOLE)]
    pieces = [WHOLE[a:b] for a, b in itertools.pairwise(edges)]
    head, body, done = read(*pieces)
    assert head is not None
    assert (head.command, head.version, head.get("user")) == ("PROCESS", (1, 5), "a")
    assert (body, done) == (BODY, True)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_whatever_comes_only_our_own_exception_leaves(data: bytes, cut: int) -> None:
    with contextlib.suppress(RemoteProtocolError):
        read(data[:cut], data[cut:], end=True)


def test_request_of_exim_as_to_rspamd_tells_the_envelope() -> None:
    head, body, done = read(EXIM + BODY)
    assert head is not None
    assert head.from_rspamd
    assert head.getall("RCPT") == ["<a@x>", "<b@x>"]
    assert (body, done) == (BODY, True)


def test_message_without_a_length_goes_to_the_end() -> None:
    assert read(b"CHECK SPAMC/1.2\r\n\r\n" + BODY)[1:] == (BODY, False)
    assert read(b"CHECK SPAMC/1.2\r\n\r\n" + BODY, end=True)[1:] == (BODY, True)


@pytest.mark.parametrize("data", [b"PING SPAMC/1.2\r\n", b"PING SPAMC/1.5\r\n\r\n"])
def test_ping_needs_no_empty_line(data: bytes) -> None:
    head, _, done = read(data)
    assert head is not None
    assert (head.command, done) == ("PING", True)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "begins with a command", id="another-protocol"),
        pytest.param(b"EAT SPAMC/1.5\r\n\r\n", "EAT is not known", id="unknown-command"),
        pytest.param(b"CHECK SPAMC/1.5\r\nContent-length: x\r\n\r\n", "no number", id="no-number"),
        pytest.param(b"CHECK SPAMC/1.5\r\nContent-length: 1\r\n\r\nab", "longer than", id="longer"),
        pytest.param(b"CHECK SPAMC/1.5\r\nContent-length: 5\r\n\r\nab", "shorter", id="shorter"),
        pytest.param(b"CHECK SPAMC/1.5\r\n", "within its headers", id="cut"),
        pytest.param(b"CHECK SPAMC/1.5\r\n" + b"x" * 400_000, "too long", id="endless-header"),
    ],
)
def test_what_is_no_request_is_told_so(data: bytes, words: str) -> None:
    with pytest.raises(RemoteProtocolError, match=words):
        read(data, end=True)


def test_line_without_an_end_is_refused_before_it_fills_memory() -> None:
    reader = RequestReader()
    assert list(reader.feed(b"C" * 99)) == []
    with pytest.raises(RemoteProtocolError, match="begins with a command"):
        list(reader.feed(b"C"))


def test_header_that_is_not_understood_is_passed_over() -> None:
    assert parse_head(b"CHECK SPAMC/1.5\r\nnonsense\r\nX: 1").fields == {"x": ["1"]}
