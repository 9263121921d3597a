"""Replies in every cut, capabilities, commands and dots; no socket."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.core.errors import LocalProtocolError, RemoteProtocolError
from milter.core.reply import Reply
from milter.relay.protocol import (
    MAX_REPLY_LINE,
    MAX_REPLY_LINES,
    Capabilities,
    ReplyParser,
    least_lasting,
    line,
    parse_capabilities,
    wire_form,
)


def replies_of(parser: ReplyParser) -> list[Reply]:
    found = []
    while (reply := parser.next_reply()) is not None:
        found.append(reply)
    return found


CONVERSATION = (
    b"220 hop.example ESMTP\r\n250-hop.example\r\n250-SIZE 1000\r\n250 DSN\r\n"
    b"250\r\n354 go\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n421 4.3.2 bye\n"
)
EXPECTED = [
    Reply(220, (b"hop.example ESMTP",)),
    Reply(250, (b"hop.example", b"SIZE 1000", b"DSN")),
    Reply(250, (b"",)),
    Reply(354, (b"go",)),
    Reply(550, (b"5.1.1 no", b"5.1.1 such user")),
    Reply(421, (b"4.3.2 bye",)),
]


def test_parser_every_single_cut_gives_the_same_replies() -> None:
    for cut in range(len(CONVERSATION) + 1):
        parser = ReplyParser()
        parser.feed(CONVERSATION[:cut])
        found = replies_of(parser)
        parser.feed(CONVERSATION[cut:])
        found += replies_of(parser)

        assert found == EXPECTED
        assert not parser.pending


@given(st.lists(st.integers(0, len(CONVERSATION))))
def test_parser_any_cuts_give_the_same_replies(cuts: list[int]) -> None:
    parser = ReplyParser()
    found = []
    edges = [0, *sorted(cuts), len(CONVERSATION)]
    for start, end in itertools.pairwise(edges):
        parser.feed(CONVERSATION[start:end])
        found += replies_of(parser)

    assert found == EXPECTED


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_parser_any_bytes_raise_nothing_but_our_own_error(chunks: list[bytes]) -> None:
    parser = ReplyParser()
    try:
        for chunk in chunks:
            parser.feed(chunk)
            for reply in replies_of(parser):
                assert 200 <= reply.code < 600
                assert b"\r" not in b"".join(reply.lines)
    except RemoteProtocolError:
        pass


@pytest.mark.parametrize(
    "nonsense",
    [
        pytest.param(b"hello\r\n", id="no-code"),
        pytest.param(b"\r\n", id="an-empty-line"),
        pytest.param(b"99 low\r\n", id="two-digits"),
        pytest.param(b"100 early\r\n", id="first-digit-1"),
        pytest.param(b"600 late\r\n", id="first-digit-6"),
        pytest.param(b"2500 four\r\n", id="four-digits"),
        pytest.param(b"250-a\r\n251 b\r\n", id="codes-differ"),
        pytest.param(b"250 a\r250 b\r\n", id="a-bare-cr-would-be-a-line-for-our-client"),
        pytest.param(b"250 a\0b\r\n", id="a-nul"),
        pytest.param("２５０ ok\r\n".encode(), id="digits-of-another-script"),
        pytest.param(b"250 " + b"x" * MAX_REPLY_LINE + b"\r\n", id="a-line-too-long"),
        pytest.param(b"250 " + b"x" * MAX_REPLY_LINE, id="a-line-too-long-without-end"),
        pytest.param(b"250-x\r\n" * (MAX_REPLY_LINES + 1), id="too-many-lines"),
    ],
)
def test_parser_nonsense_is_the_fault_of_the_peer(nonsense: bytes) -> None:
    parser = ReplyParser()
    parser.feed(nonsense)

    with pytest.raises(RemoteProtocolError):
        replies_of(parser)


def test_parser_good_reply_before_nonsense_is_kept() -> None:
    parser = ReplyParser()
    parser.feed(b"250 taken\r\ngarbage\r\n")

    assert parser.next_reply() == Reply(250, (b"taken",))
    with pytest.raises(RemoteProtocolError):
        parser.next_reply()


def test_parser_longest_allowed_reply_is_read() -> None:
    parser = ReplyParser()
    parser.feed(b"250-x\r\n" * (MAX_REPLY_LINES - 1) + b"250 x\r\n")

    (reply,) = replies_of(parser)

    assert len(reply.lines) == MAX_REPLY_LINES


def test_capabilities_keywords_have_no_case_and_parameters_keep_theirs() -> None:
    reply = Reply(250, (b"hop PIPELINING", b"size 1000", b"xforward Name ADDR", b"", b"8BITMIME"))

    capabilities = parse_capabilities(reply)

    assert capabilities.extensions == {"SIZE": "1000", "XFORWARD": "Name ADDR", "8BITMIME": ""}
    assert capabilities.parameters("XFORWARD") == {"NAME", "ADDR"}
    assert not capabilities.offers("PIPELINING")


@pytest.mark.parametrize(
    ("parameter", "size"),
    [("1000", 1000), ("0", None), ("", None), ("a lot", None), ("9" * 30, None), ("-5", None)],
)
def test_capabilities_size_is_a_limit_only_where_one_is_given(
    parameter: str, size: int | None
) -> None:
    assert Capabilities({"SIZE": parameter}).size == size


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [("100", "200", 100), ("0", "200", 200), ("100", "", 100), ("0", "0", None)],
)
def test_capabilities_common_size_is_the_smaller_limit(
    one: str, other: str, common: int | None
) -> None:
    assert Capabilities({"SIZE": one}).common(Capabilities({"SIZE": other})).size == common


def test_capabilities_common_is_what_both_offer() -> None:
    one = Capabilities({"DSN": "", "8BITMIME": "", "XFORWARD": "NAME ADDR PORT"})
    other = Capabilities({"8BITMIME": "", "SMTPUTF8": "", "XFORWARD": "addr name"})

    assert one.common(other) == Capabilities({"8BITMIME": "", "XFORWARD": "NAME ADDR"})


@pytest.mark.parametrize("argument", [b"TO:<a@b>\r\nDATA", b"TO:<a@b>\n", b"\r", b"a\0b"])
def test_line_argument_with_a_line_break_is_our_own_bug(argument: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        line(b"RCPT", argument)


@pytest.mark.parametrize(
    ("pieces", "wire"),
    [
        pytest.param([b"a\r\n"], b"a\r\n", id="nothing-to-stuff"),
        pytest.param([b".\r\n"], b"..\r\n", id="first-line-is-a-dot"),
        pytest.param([b".a\r\n.b\r\n"], b"..a\r\n..b\r\n", id="every-line-begins-with-a-dot"),
        pytest.param([b"a\r\n", b".b\r\n"], b"a\r\n..b\r\n", id="a-dot-begins-a-piece"),
        pytest.param([b"a\r", b"\n.b\r\n"], b"a\r\n..b\r\n", id="cut-between-cr-and-lf"),
        pytest.param([b"a\r", b"\n", b".b\r\n"], b"a\r\n..b\r\n", id="lf-alone-in-a-piece"),
        pytest.param([b"a", b".b\r\n"], b"a.b\r\n", id="a-dot-inside-a-line"),
        pytest.param([b"a\r\n", b"", b".\r\n"], b"a\r\n..\r\n", id="an-empty-piece-between"),
        pytest.param([b"a"], b"a\r\n", id="no-line-break-at-the-end"),
        pytest.param([b"a\r"], b"a\r\r\n", id="a-lone-cr-at-the-end"),
        pytest.param([], b"", id="no-message-at-all"),
    ],
)
def test_wire_form_doubles_the_dot_that_begins_a_line(pieces: list[bytes], wire: bytes) -> None:
    assert b"".join(wire_form(pieces)) == wire


@given(
    st.lists(st.sampled_from([b".", b"\r\n", b"\r", b"\n", b"a", b"\r\n."]), max_size=30),
    st.lists(st.integers(0, 60), max_size=5),
)
def test_wire_form_is_the_same_however_the_message_is_cut(
    parts: list[bytes], cuts: list[int]
) -> None:
    message = b"".join(parts)
    edges = [0, *sorted(cuts), len(message)]
    pieces = [message[start:end] for start, end in itertools.pairwise(edges)]

    assert b"".join(wire_form(pieces)) == b"".join(wire_form([message]))


@given(st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a", b"\r", b"\n"]), max_size=12))
def test_wire_form_unstuffs_to_the_message_and_never_ends_early(lines: list[bytes]) -> None:
    message = b"".join(text + b"\r\n" for text in lines)

    wire = b"".join(wire_form([message]))

    received = (b"\r\n" + wire).replace(b"\r\n.", b"\r\n")[2:]
    assert received == message
    assert b"\r\n.\r\n" not in b"\r\n" + wire


def test_wire_form_without_dots_copies_nothing() -> None:
    message = b"a long message\r\n" * 1000

    (piece,) = wire_form([message])

    assert piece is message


def test_least_lasting_prefers_a_temporary_refusal() -> None:
    for_ever, for_now = Reply.of(550, "no"), Reply.of(451, "later")

    assert least_lasting([for_ever, for_now]) == for_now
    assert least_lasting([for_ever, Reply.of(552, "full")]) == for_ever
