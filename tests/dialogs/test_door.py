"""Conversations with the door: what a client types and what it gets, byte for byte."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.door import running_door
from tests.support.line_client import (
    MESSAGE,
    LineClient,
    connected,
    open_transaction,
    send_message,
)
from tests.support.mailbox_sink import Act, Step, friendly, running_sink
from tests.support.resets import say_and_reset

if TYPE_CHECKING:
    from collections.abc import Mapping

PASS_THROUGH = "version: 1\nname: nothing\nheaders: none\n"


def extensions(client: LineClient) -> set[bytes]:
    lines = client.ask(b"EHLO client.example").splitlines()
    return {line[4:].split()[0] for line in lines[1:]}


# -- who is taken in -----------------------------------------------------------------------------


def test_client_that_reset_its_connection_is_not_on_a_unix_socket() -> None:
    session = (
        b"EHLO client.example\r\nXCLIENT ADDR=192.0.2.9 LOGIN=boss\r\nEHLO client.example\r\n"
        b"MAIL FROM:<a@example.net>\r\n"
    )
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"clients": ["192.0.2.0/24"]}) as door,
    ):
        with door.standing_still():
            say_and_reset(("127.0.0.1", door.port), session)
        with connected(door.port, greeted=False) as client:
            assert client.reply()[:9] == b"554 5.7.1"
    assert door.sample("gatepost_session_seconds_count") == 0


# -- EHLO and parameters ------------------------------------------------------------------------


def test_ehlo_offers_what_the_next_hop_offers() -> None:
    with (
        running_sink(extensions=("8BITMIME", "SIZE 5000", "BINARYMIME", "SMTPUTF8")) as sink,
        running_door(sink.host, listener={"trusted_clients": []}) as door,
        connected(door.port) as client,
    ):
        reply = client.ask(b"EHLO client.example")
    assert reply == (
        b"250-mx.example.org\r\n250-SIZE 5000\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n"
        b"250-CHUNKING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n"
    )


def test_ehlo_while_the_next_hop_is_unknown_mirrors_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with running_door(f"127.0.0.1:{port}") as door, connected(door.port) as client:
        offered = extensions(client)
        assert offered.isdisjoint({b"8BITMIME", b"DSN", b"SMTPUTF8"})
        assert client.ask(b"MAIL FROM:<a@example.net>")[:9] == b"451 4.4.1"


def test_ehlo_requiretls_is_offered_only_inside_tls_over_verified_tls(
    certificate: dict[str, str],
) -> None:
    with (
        running_sink(extensions=("REQUIRETLS", "8BITMIME")) as sink,
        running_door(sink.host, listener={"tls": certificate}) as door,
        connected(door.port) as client,
    ):
        before = extensions(client)
        client.ask(b"STARTTLS")
        client.start_tls()
        after = extensions(client)
    assert b"STARTTLS" in before
    assert b"STARTTLS" not in after
    assert b"REQUIRETLS" not in before | after


def test_parameters_reach_the_next_hop_unchanged() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, policy=PASS_THROUGH) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@Example.net> BODY=8bitMIME RET=hdrs ENVID=Qq+3D1 X-Later=Abc")
        client.ask(b"RCPT TO:<B@example.org> NOTIFY=success,FAILURE ORCPT=rfc822;B@Example.org")
        send_message(client)
        (message,) = sink.messages
    assert (
        message.mail_from == b"FROM:<a@Example.net> BODY=8bitMIME RET=hdrs ENVID=Qq+3D1 X-Later=Abc"
    )
    assert message.rcpt_to == (
        b"TO:<B@example.org> NOTIFY=success,FAILURE ORCPT=rfc822;B@Example.org",
    )
    assert message.content == MESSAGE


@pytest.mark.parametrize("reply", [b"555 5.5.4 Unsupported: X-Odd", b"451 4.7.1 grey, come again"])
def test_refusal_of_mail_passes_word_for_word(reply: bytes) -> None:
    def refuse(step: Step) -> Act:
        return Act(reply=reply) if step.verb == "MAIL" else Act()

    with running_sink(refuse) as sink, running_door(sink.host) as door, connected(door.port) as c:
        c.ask(b"EHLO client.example")
        assert c.ask(b"MAIL FROM:<a@example.net> X-Odd") == reply + b"\r\n"
        assert c.ask(b"RCPT TO:<b@example.org>")[:3] == b"503"


def test_refusal_of_several_lines_passes_word_for_word() -> None:
    words = b"550-5.1.1 No such user\r\n550 5.1.1 See https://example.org/\r\n"

    def refuse(step: Step) -> Act:
        return Act(reply=words.removesuffix(b"\r\n")) if step.verb == "RCPT" else Act()

    with running_sink(refuse) as sink, running_door(sink.host) as door, connected(door.port) as c:
        c.ask(b"EHLO client.example")
        c.ask(b"MAIL FROM:<a@example.net>")
        assert c.ask(b"RCPT TO:<b@example.org>") == words
        assert c.ask(b"DATA")[:9] == b"554 5.5.1"


# -- messages -----------------------------------------------------------------------------------


def test_message_arrives_byte_for_byte_but_for_added_headers() -> None:
    odd = MESSAGE + b".dot\r\n..two\r\n\tlong " + b"x" * 5000 + b"\r\n\xff\xfe raw\r\n"
    stuffed = odd.replace(b"\r\n.", b"\r\n..")
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        open_transaction(client)
        assert send_message(client, stuffed)[:3] == b"250"
        (message,) = sink.messages
    assert message.content.endswith(odd)
    assert b"X-Gatepost-Action: " in message.content.removesuffix(odd)


def test_pipelined_transactions_are_answered_in_order() -> None:
    one = b"MAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    with (
        running_sink() as sink,
        running_door(sink.host, policy=PASS_THROUGH) as door,
        connected(door.port) as client,
    ):
        client.send(b"EHLO c.example\r\n" + one + MESSAGE + b".\r\n" + one + b"x\r\n.\r\nQUIT\r\n")
        codes = [client.code() for _ in range(10)]
        assert codes == [250, 250, 250, 354, 250, 250, 250, 354, 250, 221]
        assert [m.content for m in sink.messages] == [MESSAGE, b"x\r\n"]


def test_bdat_becomes_data() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, policy=PASS_THROUGH) as door,
        connected(door.port) as client,
    ):
        open_transaction(client)
        client.send(b"BDAT 12\r\nSubject: x\r\n")
        assert client.reply() == b"250 2.0.0 12 bytes received\r\n"
        assert client.ask(b"DATA")[:3] == b"503"
        client.send(b"BDAT 9 LAST\r\n\r\n.\r\nend.")
        assert client.code() == 250
        (message,) = sink.messages
    assert message.content == b"Subject: x\r\n\r\n.\r\nend.\r\n"


def test_bdat_without_transaction_is_read_and_refused() -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        client.ask(b"EHLO client.example")
        client.send(b"BDAT 32 LAST\r\nMAIL FROM:<smuggled@example.net>")
        assert client.code() == 503
        assert client.ask(b"NOOP")[:3] == b"250"
        assert sink.messages == []


def test_bare_newline_is_refused_and_the_connection_closed() -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        open_transaction(client)
        assert send_message(client, b"a\nb\r\n") == (
            b"550 5.5.2 The message has a bare CR or LF\r\n"
        )
        assert client.closed()
        assert sink.messages == []


def test_client_that_leaves_before_the_verdict_gets_nothing_delivered() -> None:
    """Its next try would make two of a message that we sent on after it had gone."""

    def hold_data(step: Step) -> Act:
        return Act(hold=step.verb == "DATA")

    with running_sink(hold_data) as sink, running_door(sink.host) as door:
        with connected(door.port) as client:
            open_transaction(client)
            client.ask(b"DATA")
            client.send(MESSAGE + b".\r\n")
            sink.wait_for_step("DATA")
        sink.decide_by(friendly)
        door.drain()
        sink.release()
        assert sink.messages == []


# -- who the client is --------------------------------------------------------------------------


def test_xclient_starts_the_session_over_as_another_client() -> None:
    zone = {"names": {"7.2.0.192.in-addr.arpa": {"PTR": ["mx.client.example"]},
                      "mx.client.example": {"A": ["192.0.2.7"]}}}  # fmt: skip
    with (
        running_sink(extensions=("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",)) as sink,
        running_door(sink.host, zone=zone["names"]) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        assert client.ask(b"XCLIENT ADDR=192.0.2.7 NAME=mx.client.example HELO=told")[:3] == b"220"
        assert client.ask(b"MAIL FROM:<a@example.net>")[:3] == b"250"
        client.ask(b"RSET")
        open_transaction(client)
        assert send_message(client)[:3] == b"250"
        (message,) = sink.messages
    told = b"\n".join(message.commands)
    assert b"ADDR=192.0.2.7" in told
    assert b"HELO=told" in told
    assert b"iprev=pass policy.iprev=192.0.2.7" in message.content


def test_xforward_holds_for_one_message() -> None:
    with (
        running_sink(extensions=("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",)) as sink,
        running_door(sink.host, policy=PASS_THROUGH) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        assert client.ask(b"XFORWARD ADDR=192.0.2.9 PORT=99")[:3] == b"250"
        assert client.ask(b"XFORWARD IDENT=4bX NAME=[UNAVAILABLE]")[:3] == b"250"
        client.ask(b"MAIL FROM:<a@example.net>")
        client.ask(b"RCPT TO:<b@example.org>")
        send_message(client)
        client.ask(b"MAIL FROM:<a@example.net>")
        client.ask(b"RCPT TO:<b@example.org>")
        send_message(client)
        first, second = sink.messages
    assert b"ADDR=192.0.2.9" in b"\n".join(first.commands)
    later = b"\n".join(second.commands).removeprefix(b"\n".join(first.commands))
    assert b"ADDR=127.0.0.1" in later


@pytest.mark.parametrize("command", [b"XCLIENT ADDR=192.0.2.7", b"XFORWARD ADDR=192.0.2.7"])
def test_forged_identity_is_refused_and_counted(command: bytes) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, listener={"trusted_clients": ["192.0.2.0/24"]}) as door,
        connected(door.port) as client,
    ):
        assert extensions(client).isdisjoint({b"XCLIENT", b"XFORWARD"})
        assert client.ask(command)[:9] == b"550 5.7.0"
        kind = command.split()[0].decode().lower()
        assert door.sample("gatepost_forged_identity_total", kind=kind) == 1


PROXY_V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 4711 25\r\n"
PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\x12\x67\x00\x19"


@pytest.mark.parametrize("header", [PROXY_V1, PROXY_V2], ids=["v1", "v2"])
def test_proxy_header_names_the_client(header: bytes) -> None:
    with (
        running_sink(extensions=("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",)) as sink,
        running_door(sink.host, listener={"proxy_protocol": True}, policy=PASS_THROUGH) as door,
        connected(door.port, greeted=False) as client,
    ):
        client.send(header)
        assert client.code() == 220
        assert b"XCLIENT" not in extensions(client)
        open_transaction(client)
        send_message(client)
        (message,) = sink.messages
    assert b"ADDR=192.0.2.7 PORT=4711" in b"\n".join(message.commands)


@pytest.mark.parametrize(
    ("listener", "sent"),
    [
        pytest.param({"proxy_protocol": True}, b"EHLO x.example\r\n", id="no header"),
        pytest.param(
            {"proxy_protocol": True, "trusted_clients": []}, PROXY_V1, id="from an untrusted peer"
        ),
        pytest.param({"proxy_protocol": True}, b"PROXY TCP4 x y 1 2\r\n", id="malformed"),
    ],
)
def test_proxy_header_missing_or_forged_closes(listener: Mapping[str, object], sent: bytes) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, listener=listener) as door,
        connected(door.port, greeted=False) as client,
    ):
        client.send(sent)
        assert client.closed()


# -- no open relay (RFC 2505 §2.1) --------------------------------------------------------------

RELAY_ATTEMPTS = [
    b"victim@other.example",
    b"victim%other.example@example.org",
    b"other.example!victim@example.org",
    b'"victim@other.example"@example.org',
    b'"victim%other.example"@example.org',
    b"@example.org:victim@other.example",
    b"victim@[192.0.2.1]",
    b"victim%other.example@[192.0.2.1]",
    b"victim@example.org.other.example",
    b'"other.example!victim"@example.org',
]


@pytest.mark.parametrize("direction", ["inbound", "outbound", "internal"])
@pytest.mark.parametrize("attempt", RELAY_ATTEMPTS)
def test_listener_for_strangers_relays_nothing(direction: str, attempt: bytes) -> None:
    listener = {"direction": direction, "recipient_domains": ["example.org"]}
    with (
        running_sink() as sink,
        running_door(sink.host, listener=listener) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.net>")
        assert client.ask(b"RCPT TO:<" + attempt + b">")[:1] == b"5"
        assert client.ask(b"RCPT TO:<postmaster>")[:3] == b"250"
        client.ask(b"RSET")
        client.ask(b"MAIL FROM:<a@example.net>")
        assert client.ask(b"RCPT TO:<@x.example,@y.example:b@example.org>")[:3] == b"250"


@pytest.mark.parametrize("direction", ["inbound", "outbound", "internal"])
def test_listener_turns_away_who_may_not_connect(direction: str) -> None:
    listener = {"direction": direction, "clients": ["192.0.2.0/24"]}
    with (
        running_sink() as sink,
        running_door(sink.host, listener=listener) as door,
        connected(door.port, greeted=False) as client,
    ):
        assert client.reply()[:9] == b"554 5.7.1"
        assert client.closed()
