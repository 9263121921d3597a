"""What somebody who wants to break the door tries, each once."""

from __future__ import annotations

import contextlib
import socket
from itertools import takewhile

import pytest

from tests.support.door import running_door
from tests.support.line_client import LineClient, connected
from tests.support.mailbox_sink import Act, Step, running_sink

PASS_THROUGH = "version: 1\nname: nothing\nheaders: none\n"
XFORWARD = ("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",)
GTUBE = (
    b"Subject: x\r\n\r\nXJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
)


def in_transaction(client: LineClient) -> None:
    client.ask(b"EHLO client.example")
    client.ask(b"MAIL FROM:<a@example.net>")
    assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"250"


# -- sessions that do not end -------------------------------------------------------------------


def test_client_that_reads_nothing_loses_its_session() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"command_timeout_s": 0.2, "commands": 100_000}) as door,
        socket.socket() as sock,
    ):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        sock.settimeout(1)
        sock.connect(("127.0.0.1", door.port))
        # The end comes as a time-out or as a reset, as it happens.
        with contextlib.suppress(OSError):
            for _ in range(4000):
                sock.sendall(b"HELP\r\n" * 2000)
        door.drain()
        assert door.limits.sessions == 0


@pytest.mark.parametrize(
    ("verb", "lines"),
    [
        pytest.param("MAIL", [b"MAIL FROM:<a@example.net>"], id="MAIL is refused for now"),
        pytest.param(
            "RCPT",
            [b"MAIL FROM:<a@example.net>", *[b"RCPT TO:<b@example.org>"] * 50],
            id="RCPT is refused for now",
        ),
    ],
)
def test_refusals_without_end_end_the_session(verb: str, lines: list[bytes]) -> None:
    def decide(step: Step) -> Act:
        return Act(reply=b"450 4.2.1 not now") if step.verb == verb else Act()

    with (
        running_sink(decide) as sink,
        running_door(sink.host, limits={"commands": 10}) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        codes = takewhile(lambda code: code != b"421", (client.ask(x)[:3] for x in lines * 50))
        assert len(list(codes)) < 15
        assert client.closed()


def test_empty_chunks_without_end_end_the_session() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"commands": 10}) as door,
        connected(door.port) as client,
    ):
        in_transaction(client)
        codes = takewhile(lambda code: code != b"421", iter(lambda: client.ask(b"BDAT 0")[:3], b""))
        assert len(list(codes)) < 15
        assert client.closed()


def test_chunk_that_trickles_is_ended() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"data_timeout_s": 0.3}) as door,
        connected(door.port) as client,
    ):
        in_transaction(client)
        client.send(b"BDAT 100000\r\n")
        crumbs = takewhile(lambda _: not client.readable(0.05), range(1000))
        for _ in crumbs:
            client.send(b"x")
        assert client.reply()[:9] == b"421 4.4.2"


@pytest.mark.parametrize(
    ("opening", "code"),
    [
        pytest.param(b"BDAT 99999999999", b"503", id="without a transaction"),
        pytest.param(b"BDAT 99999999999 LAST", b"552", id="in a transaction"),
    ],
)
def test_chunk_larger_than_any_message_closes_at_once(opening: bytes, code: bytes) -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        if code == b"552":
            in_transaction(client)
        else:
            client.ask(b"EHLO client.example")
        assert client.ask(opening)[:3] == code
        assert client.closed()


def test_message_that_goes_on_for_ever_is_cut() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"message_bytes": 2000}) as door,
        connected(door.port) as client,
    ):
        in_transaction(client)
        client.ask(b"DATA")
        blocks = takewhile(lambda _: not client.readable(0.01), range(1000))
        with contextlib.suppress(ConnectionError):
            for _ in blocks:
                client.send(b"x" * 65536)
        assert client.closed()
        assert next(blocks, 0) < 100
        assert sink.messages == []


def test_room_of_a_message_thrown_away_is_free_at_once() -> None:
    with (
        running_sink() as sink,
        running_door(
            sink.host, limits={"message_bytes": 20_000, "bytes_in_flight": 30_000}
        ) as door,
        connected(door.port) as greedy,
        connected(door.port) as other,
    ):
        in_transaction(greedy)
        greedy.ask(b"DATA")
        greedy.send(b"x" * 25_000)
        in_transaction(other)
        other.ask(b"DATA")
        other.send(b"y" * 15_000 + b"\r\n.\r\n")
        assert other.code() == 250


# -- smuggling ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"BDAT 5 LAST=1\r\n", id="malformed"),
        pytest.param(b"BDAT 5\n", id="bare newline"),
        pytest.param(b"BDAT 5" + b" " * 5000 + b"\r\n", id="too long a line"),
    ],
)
def test_chunk_of_unknown_size_is_never_taken_for_commands(line: bytes) -> None:
    inner = b"RSET\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx\r\n.\r\n"
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        in_transaction(client)
        client.send(line + inner)
        assert client.code() in {500, 501}
        assert client.closed()
        assert sink.messages == []


@pytest.mark.parametrize("odd", [b"\r", b"\x0b", b"\x0c", "\u2028".encode(), b"\xc2\x85"])
def test_line_breaks_of_other_kinds_are_no_spaces(odd: bytes) -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        client.ask(b"EHLO client.example")
        assert client.ask(b"MAIL FROM:<a@example.net>" + odd + b"SIZE=1")[:1] == b"5"
        assert client.ask(b"MAIL FROM:<a" + odd + b"b@example.net> SMTPUTF8")[:1] == b"5"


# -- somebody else's identity -------------------------------------------------------------------


def told(commands: tuple[bytes, ...]) -> bytes:
    return b"\n".join(line for line in commands if line.startswith(b"XFORWARD"))


def test_xclient_with_a_new_address_brings_nothing_of_the_one_before() -> None:
    with (
        running_sink(extensions=XFORWARD) as sink,
        running_door(sink.host, policy=PASS_THROUGH) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        client.ask(b"XCLIENT ADDR=192.0.2.1 NAME=first.example LOGIN=bob PORT=99")
        client.ask(b"EHLO first.example")
        client.ask(b"XCLIENT ADDR=198.51.100.9")
        in_transaction(client)
        client.ask(b"DATA")
        assert client.ask(b"x\r\n.")[:3] == b"250"
        (message,) = sink.messages
    line = told(message.commands)
    assert b"ADDR=198.51.100.9" in line
    assert b"first.example" not in line
    assert b"PORT=[UNAVAILABLE]" in line


def test_xclient_protocol_outlives_the_upstreams_ehlo() -> None:
    with (
        running_sink(extensions=XFORWARD) as sink,
        running_door(sink.host, policy=PASS_THROUGH) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        client.ask(b"XCLIENT ADDR=192.0.2.1 PROTO=SMTP HELO=old.example")
        client.ask(b"EHLO proxy.example")
        assert client.ask(b"MAIL FROM:<a@example.net> SIZE=3")[:3] == b"250"
        client.ask(b"RCPT TO:<b@example.org>")
        client.ask(b"DATA")
        client.ask(b"x\r\n.")
        (message,) = sink.messages
    assert b"PROTO=SMTP" in told(message.commands)
    assert b"HELO=old.example" in told(message.commands)


def test_xclient_helo_and_starttls_leave_a_session_that_takes_mail(
    certificate: dict[str, str],
) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"tls": certificate}) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        client.ask(b"XCLIENT ADDR=192.0.2.1 HELO=told.example")
        client.ask(b"EHLO proxy.example")
        client.ask(b"STARTTLS")
        client.start_tls()
        assert client.ask(b"MAIL FROM:<a@example.net>")[:3] == b"503"
        in_transaction(client)


def test_proxy_header_of_the_proxy_itself_names_nobody() -> None:
    header = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\x00\x0c\xcb\x00\x71\x4d\xc6\x33\x64\x01\x12\x67\x00\x19"
    with (
        running_sink(extensions=XFORWARD) as sink,
        running_door(sink.host, listener={"proxy_protocol": True}, policy=PASS_THROUGH) as door,
        connected(door.port, greeted=False) as client,
    ):
        client.send(header)
        assert client.code() == 220
        in_transaction(client)
        client.ask(b"DATA")
        client.ask(b"x\r\n.")
        (message,) = sink.messages
    assert b"ADDR=127.0.0.1" in told(message.commands)


def test_sessions_of_one_client_are_bounded_behind_a_proxy() -> None:
    header = b"PROXY TCP4 203.0.113.5 198.51.100.1 4711 25\r\n"
    with (
        running_sink() as sink,
        running_door(
            sink.host, listener={"proxy_protocol": True}, limits={"sessions_per_client": 1}
        ) as door,
        connected(door.port, greeted=False) as first,
        connected(door.port, greeted=False) as second,
    ):
        first.send(header)
        assert first.code() == 220
        second.send(header)
        assert second.reply()[:9] == b"421 4.7.0"
        assert second.closed()
        assert door.sample("gatepost_sessions_refused_total", reason="client") == 1


def test_proxy_header_where_none_is_configured_is_counted() -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        assert client.ask(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 25")[:3] == b"500"
        assert door.sample("gatepost_forged_identity_total", kind="proxy") == 1


# -- past the filter ----------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["separate", "quarantine", "strictest"])
def test_postmaster_carries_nothing_past_the_filter(mode: str) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"differing_recipients": mode}) as door,
        connected(door.port) as client,
    ):
        in_transaction(client)
        assert client.ask(b"RCPT TO:<postmaster>")[:9] == b"452 4.5.3"
        client.ask(b"DATA")
        assert client.ask(GTUBE + b".")[:9] == b"550 5.7.1"
        assert sink.messages == []


def test_postmaster_of_others_is_judged_like_anybody() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"direction": "outbound"}) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        client.ask(b"RCPT TO:<postmaster@victim.example>")
        client.ask(b"DATA")
        assert client.ask(GTUBE + b".")[:3] == b"550"


# -- a filter that is asked to stop -------------------------------------------------------------


def test_drain_that_runs_out_leaves_a_message_that_the_next_hop_has() -> None:
    def hold_body(step: Step) -> Act:
        return Act(hold=step.verb == "BODY")

    with (
        running_sink(hold_body) as sink,
        running_door(sink.host) as door,
        connected(door.port) as client,
    ):
        in_transaction(client)
        client.ask(b"DATA")
        client.send(b"x\r\n.\r\n")
        sink.wait_for_step("BODY")
        draining = door.begin_drain(0.05)
        assert not client.readable(0.3)
        sink.release()
        assert client.code() == 250
        draining.result(20)


def test_vrfy_of_a_name_says_what_a_server_says_that_will_not_tell() -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        assert client.ask(b"VRFY Smith")[:3] == b"252"
