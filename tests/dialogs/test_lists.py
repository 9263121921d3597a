"""What DNS lists are asked about a client and its message, and when."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from milter.checks.gtube import GTUBE
from tests.support.door import running_door
from tests.support.line_client import connected, send_message
from tests.support.mailbox_sink import running_sink
from tests.support.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

    from tests.support.door import RunningDoor

CLIENT = "198.51.100.7"
LISTS = """
version: 1
name: test
extends: balanced
dns_lists:
  - zone: uri.example
    asks: [url_domain, author_domain]
    codes: {"127.0.0.2": {symbol: URI_LISTED, weight: 5, describe: Listed}}
"""
ZONE: Mapping[str, object] = {
    "test.uri.example": {"A": ["127.0.0.2"]},
    "shop.example.uri.example": {"A": ["127.0.0.2"]},
}
MESSAGE = (
    b"From: Ann <ann@example.net>\r\nTo: b@example.org\r\nSubject: hello\r\n"
    b"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n\r\n"
    b"see https://www.shop.example/\r\n"
)


def asked_about(message: bytes) -> tuple[bytes, list[str]]:
    """Return the reply to `message`, and what uri.example was asked about it."""
    with (
        running_sink() as sink,
        running_door(sink.host, zone=ZONE, policy=LISTS) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        client.ask(b"XCLIENT ADDR=" + CLIENT.encode() + b" NAME=mx.example.net")
        client.ask(b"EHLO mx.example.net")
        assert client.ask(b"MAIL FROM:<ann@example.net>")[:3] == b"250"
        assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"250"
        reply = send_message(client, message)
        asked = [name for name, _ in door.resolver.asked if name.endswith(".uri.example")]
        return reply, sorted(name.removesuffix(".uri.example") for name in asked)


def test_message_that_is_open_is_asked_about() -> None:
    reply, names = asked_about(MESSAGE)

    assert reply.startswith(b"250")
    assert names == ["example.net", "shop.example"]


def test_message_that_is_refused_anyway_is_not_asked_about() -> None:
    reply, names = asked_about(MESSAGE + GTUBE.encode() + b"\r\n")

    assert reply.startswith(b"550")
    assert names == []


# --- before the greeting --------------------------------------------------------------------------

AT_CONNECT = """
version: 1
name: test
extends: balanced
KEYS
dns_lists:
  - zone: one.example
    asks: client_ip
    codes: {"127.0.0.2": {symbol: ONE, weight: 3, describe: Listed}}
  - zone: two.example
    asks: client_ip
    codes: {"127.0.0.2": {symbol: TWO, weight: 3, describe: Listed}}
"""
# Addresses of one machine are never asked about, so the client comes through a proxy.
LISTED = b"PROXY TCP4 198.51.100.7 192.0.2.25 40000 25\r\n"
UNLISTED = b"PROXY TCP4 198.51.100.8 192.0.2.25 40000 25\r\n"
BOTH: Mapping[str, object] = {
    CLIENT: {"PTR": ["mx.bot.example"]},
    "mx.bot.example": {"A": [CLIENT]},
    "7.100.51.198.one.example": {"A": ["127.0.0.2"]},
    "7.100.51.198.two.example": {"A": ["127.0.0.2"]},
}


@contextmanager
def door_with(keys: str) -> Iterator[RunningDoor]:
    """Run a door behind a proxy, where two lists list the client of `LISTED`."""
    with (
        running_sink() as sink,
        running_door(
            sink.host,
            listener={"proxy_protocol": True, "recipient_domains": ["example.org"]},
            zone=BOTH,
            policy=AT_CONNECT.replace("KEYS", keys),
        ) as door,
    ):
        yield door


def test_listed_client_is_refused_in_place_of_the_greeting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with (
        caplog.at_level(logging.INFO, "gatepost"),
        door_with("early: {greeting: 6}") as door,
        connected(door.port, greeted=False) as client,
    ):
        client.send(LISTED)
        first = client.reply()
        assert client.closed()
        assert door.sample("gatepost_sessions_refused_total", reason="policy") == 1

    assert first.startswith(b"554 5.7.1 Message refused: ")
    (record,) = [r for r in caplog.records if r.message == "connection refused"]
    fields = record.__dict__["fields"]
    assert (fields["client_ip"], sorted(fields["symbols"])) == (CLIENT, ["ONE", "TWO"])
    assert (fields["score"], fields["action"]) == (6, "reject")


def test_client_that_is_not_listed_is_greeted() -> None:
    with door_with("early: {greeting: 6}") as door, connected(door.port, greeted=False) as client:
        client.send(UNLISTED)

        assert client.reply().startswith(b"220 ")


def test_listed_client_waits_for_its_greeting_while_others_are_served() -> None:
    with (
        door_with("slow: {connect: 6, seconds: 60}") as door,
        connected(door.port, greeted=False) as listed,
        connected(door.port, greeted=False) as other,
    ):
        listed.send(LISTED)
        wait_until(lambda: len(door.resolver.asked) >= 2)
        other.send(UNLISTED)
        assert other.reply().startswith(b"220 ")

        assert not listed.readable(0)


def test_client_that_cannot_wait_is_found_out() -> None:
    keys = "slow: {connect: 6, seconds: 0.01}\nearly: {connect: 8}\nweights: {EARLY_TALKER: 2}"

    with door_with(keys) as door, connected(door.port, greeted=False) as client:
        client.send(LISTED + b"EHLO bot.example\r\nMAIL FROM:<a@bot.example>\r\n")

        assert [client.code() for _ in range(3)] == [220, 250, 550]
