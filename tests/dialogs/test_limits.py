"""Limits, timers and trouble: what ends a session, and what a client hears of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from milter.smtp.mail_transaction import MailTransaction
from tests.support.door import running_door
from tests.support.line_client import (
    MESSAGE,
    LineClient,
    connected,
    open_transaction,
    send_message,
)
from tests.support.mailbox_sink import Act, Step, running_sink

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_sessions_past_the_bound_are_told_to_come_later() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"sessions": 1}) as door,
        connected(door.port),
        connected(door.port, greeted=False) as second,
    ):
        assert second.reply()[:9] == b"421 4.3.2"
        assert second.closed()


def test_sessions_of_one_client_are_bounded() -> None:
    with (
        running_sink() as sink,
        running_door(
            sink.host, listener={"trusted_clients": []}, limits={"sessions_per_client": 2}
        ) as door,
        connected(door.port),
        connected(door.port),
        connected(door.port, greeted=False) as third,
    ):
        assert third.reply()[:9] == b"421 4.7.0"


def test_message_larger_than_allowed_is_refused_when_announced_and_when_sent() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"message_bytes": 2000}) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        assert client.ask(b"MAIL FROM:<a@example.net> SIZE=2001")[:9] == b"552 5.3.4"
        open_transaction(client)
        assert send_message(client, b"x" * 3000 + b"\r\n")[:9] == b"552 5.3.4"
        assert client.ask(b"NOOP")[:3] == b"250"
        assert sink.messages == []


def test_bytes_in_flight_are_bounded_and_given_back() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={"bytes_in_flight": 4000}) as door,
        connected(door.port) as client,
    ):
        open_transaction(client)
        assert send_message(client, b"x" * 5000 + b"\r\n")[:9] == b"452 4.3.1"
        open_transaction(client)
        assert send_message(client)[:3] == b"250"
        assert door.limits.bytes_in_flight == 0


@pytest.mark.parametrize(
    ("opening", "limit"),
    [
        pytest.param(b"", "command_timeout_s", id="no command"),
        pytest.param(b"EHLO c.exam", "command_timeout_s", id="half a command"),
        pytest.param(
            b"EHLO c.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<b@example.org>\r\nDATA\r\nx",
            "data_timeout_s",
            id="half a message",
        ),
    ],
)
def test_silent_client_is_sent_away(opening: bytes, limit: str) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits={limit: 0.2}) as door,
        connected(door.port) as client,
    ):
        client.send(opening)
        replies = [client.reply()]
        while replies[-1]:
            replies.append(client.reply())
    assert replies[-2][:9] == b"421 4.4.2"


@pytest.mark.parametrize(
    ("limits", "command"), [({"errors": 3}, b"NONSENSE"), ({"commands": 10}, b"NOOP")]
)
def test_commands_that_lead_nowhere_end_the_session(
    limits: Mapping[str, int], command: bytes
) -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, limits=limits) as door,
        connected(door.port) as client,
    ):
        replies = [client.ask(command) for _ in range(max(limits.values()) + 1)]
        assert replies[-1][:9] == b"421 4.7.0"
        assert client.closed()


def test_browser_is_told_and_closed() -> None:
    with running_sink() as sink, running_door(sink.host) as door, connected(door.port) as client:
        assert client.ask(b"GET / HTTP/1.1")[:3] == b"502"
        assert client.closed()


# -- trouble ------------------------------------------------------------------------------------


def test_crash_answers_451_with_the_id_and_nothing_of_the_inside(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def crash(*_: object) -> None:
        raise ValueError("the inside")

    monkeypatch.setattr(MailTransaction, "message", crash)
    with (
        caplog.at_level(logging.INFO, "gatepost"),
        running_sink() as sink,
        running_door(sink.host) as door,
        connected(door.port) as client,
    ):
        open_transaction(client)
        reply = send_message(client)
        assert client.ask(b"NOOP")[:3] == b"250"
    (record,) = [r for r in caplog.records if r.message == "transaction"]
    txn_id = str(record.__dict__["fields"]["txn_id"]).encode()
    assert reply == b"451 4.3.0 Internal error, try again later (" + txn_id + b")\r\n"
    assert sink.messages == []


def test_draining_ends_idle_sessions_and_finishes_messages() -> None:
    def hold_body(step: Step) -> Act:
        return Act(hold=step.verb == "BODY")

    with running_sink(hold_body) as sink, running_door(sink.host) as door:
        with connected(door.port) as idle, connected(door.port) as busy:
            open_transaction(busy)
            busy.ask(b"DATA")
            busy.send(MESSAGE + b".\r\n")
            sink.wait_for_step("BODY")
            sink.release()
            door.drain()
            assert idle.reply()[:9] == b"421 4.3.2"
            assert busy.code() == 250
            assert busy.reply()[:9] == b"421 4.3.2"
        assert len(sink.messages) == 1


@pytest.mark.parametrize(
    ("line", "code"), [(b"QUIT\r\n", 221), (b"quit \r\n", 221), (b"NOOP\r\n", 421)]
)
def test_draining_answers_quit_as_ever_and_all_else_with_421(line: bytes, code: int) -> None:
    def hold_body(step: Step) -> Act:
        return Act(hold=step.verb == "BODY")

    with running_sink(hold_body) as sink, running_door(sink.host) as door:
        with connected(door.port) as client:
            open_transaction(client)
            client.ask(b"DATA")
            client.send(MESSAGE + b".\r\n")
            sink.wait_for_step("BODY")
            drained = door.begin_drain(20.0)
            sink.release()
            assert client.code() == 250
            client.send(line)
            assert client.code() == code
            assert client.closed()
        drained.result(20)


def test_handshake_that_fails_leaves_the_server_alive(certificate: dict[str, str]) -> None:
    with running_sink() as sink, running_door(sink.host, listener={"tls": certificate}) as door:
        with connected(door.port) as client:
            client.ask(b"STARTTLS")
            client.send(b"this is no handshake\r\n")
            assert client.closed()
        with connected(door.port) as client:
            client.ask(b"STARTTLS")
            client.start_tls()
            assert client.ask(b"QUIT")[:3] == b"221"
        with connected(door.port) as client:
            assert client.ask(b"NOOP")[:3] == b"250"


EARLY = """\
version: 1
name: early
extends: balanced
early: {rcpt: 3}
overrides:
  - {name: lax, match: {recipient: c@example.org}, early: {rcpt: null}}
"""
FORGED = {"bank.example": {"TXT": ["v=spf1 -all"], "A": ["192.0.2.1"]}}


def begin_forged(client: LineClient) -> None:
    client.ask(b"EHLO client.example")
    client.ask(b"XCLIENT ADDR=203.0.113.9")
    client.ask(b"EHLO client.example")
    assert client.ask(b"MAIL FROM:<a@bank.example> SIZE=5000")[:3] == b"250"


def test_refusal_before_data_saves_the_bytes_that_were_announced() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, policy=EARLY, zone=FORGED) as door,
        connected(door.port) as client,
    ):
        begin_forged(client)
        refused = client.ask(b"RCPT TO:<b@example.org>")
        client.ask(b"RSET")
        saved = door.sample("gatepost_bytes_saved_total", stage="rcpt")
    assert refused[:10] == b"550 5.7.23"
    assert saved == 5000


def test_recipients_refused_one_by_one_are_one_message_with_its_kind_and_symbols() -> None:
    rule = "{id: BANK, when: helo != '', weight: 9, kind: phishing, describe: d}"
    with (
        running_sink() as sink,
        running_door(sink.host, policy=f"{EARLY}rules: [{rule}]\n", zone=FORGED) as door,
        connected(door.port) as client,
    ):
        begin_forged(client)
        for recipient in (b"b", b"d", b"e"):
            assert client.ask(b"RCPT TO:<" + recipient + b"@example.org>")[:3] == b"550"
        client.ask(b"RSET")

        labels = {"listener": "inbound", "direction": "inbound", "action": "reject"}
        assert door.sample("gatepost_messages_total", **labels) == 1
        assert door.sample("gatepost_spam_kind_total", kind="phishing") == 1
        assert door.sample("gatepost_symbols_total", symbol="SPF_FAIL") == 1


def test_refusal_of_one_recipient_saves_nothing_when_the_message_comes_for_another() -> None:
    with (
        running_sink() as sink,
        running_door(sink.host, policy=EARLY, zone=FORGED) as door,
        connected(door.port) as client,
    ):
        begin_forged(client)
        assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"550"
        assert client.ask(b"RCPT TO:<c@example.org>")[:3] == b"250"
        assert send_message(client)[:3] == b"250"
        assert door.sample("gatepost_bytes_saved_total", stage="rcpt") == 0


def test_recipients_who_are_to_come_again_do_not_end_the_session() -> None:
    policy = (
        "version: 1\nname: x\noverrides: [{match: {recipient: boss@*}, thresholds: {reject: 9}}]\n"
    )
    limits = {"commands": 10, "recipients": 100}
    with (
        running_sink() as sink,
        running_door(sink.host, policy=policy, limits=limits) as door,
        connected(door.port) as client,
    ):
        open_transaction(client, b"boss@example.org")
        for _ in range(100):
            assert client.ask(b"RCPT TO:<bob@example.org>")[:9] == b"452 4.5.3"
        assert send_message(client, MESSAGE)[:3] == b"250"
        open_transaction(client, b"boss@example.org")
        said = [client.ask(b"RCPT TO:<bob@example.org>")[:9] for _ in range(110)]
        assert said == [b"452 4.5.3"] * 109 + [b"421 4.7.0"]
    assert len(sink.messages) == 1
