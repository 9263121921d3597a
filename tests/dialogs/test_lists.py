"""What DNS lists are asked about a client and its message, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milter.checks.gtube import GTUBE
from tests.support.door import running_door
from tests.support.line_client import connected, send_message
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from collections.abc import Mapping

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
