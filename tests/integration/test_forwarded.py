"""Mail that a relay of the site passes on, through the whole daemon: whom it is judged for."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import pytest

from milter.auth.read_results import parse_authentication_results
from milter.message.document import Message
from tests.support.gatepost import Gatepost, configuration, running_gatepost
from tests.support.line_client import connected
from tests.support.mailbox_sink import MailboxSink, running_sink

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

_ZONE = """\
names:
  192.0.2.1: {PTR: [mail.example.com]}
  mail.example.com: {A: [192.0.2.1]}
  example.com: {MX: [[10, mail.example.com]], TXT: ["v=spf1 ip4:192.0.2.1 -all"]}
"""
_FORGED = (
    b"Received: from mail.example.com (mail.example.com [192.0.2.1])\r\n"
    b"\tby relay.example.org (Postfix) with ESMTPS id 2; Sun, 22 Nov 2026 09:00:00 +0000\r\n"
)


@contextlib.contextmanager
def _daemon() -> Iterator[tuple[Gatepost, MailboxSink]]:
    with running_sink() as sink:
        config = configuration(
            f"127.0.0.1:{sink.port}",
            dns={"zone_file": "zone.yaml"},
            trusted_relays=["203.0.113.25/32"],
            trusted_authserv_ids=["relay.example.org"],
        )
        with running_gatepost(config, {"zone.yaml": _ZONE}) as daemon:
            yield daemon, sink


def _results(address: str, below: bytes = b"") -> dict[str, str]:
    """Return the results of a message that the relay took from `address`, by method."""
    (value,) = _relayed(address, below)[0].values("authentication-results")
    return {said.method: said.result.value for said in parse_authentication_results(value).results}


def _relayed(address: str, below: bytes = b"") -> tuple[Message, str]:
    """Return a message that the relay took from `address`, as delivered, and the daemon's log."""
    message = (
        b"Received: from mail.example.com (unknown [" + address.encode() + b"])\r\n"
        b"\tby relay.example.org (Postfix) with ESMTPS id 1; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
        + below
        + b"From: alice@example.com\r\nSubject: hello\r\n\r\nhello\r\n"
    )
    with _daemon() as (daemon, sink):
        with connected(daemon.port) as client:
            client.ask(b"EHLO localhost")
            assert client.ask(b"XCLIENT ADDR=203.0.113.25 NAME=relay.example.org")[:3] == b"220"
            client.ask(b"EHLO relay.example.org")
            assert client.ask(b"MAIL FROM:<alice@example.com>").startswith(b"250")
            assert client.ask(b"RCPT TO:<bob@example.org>").startswith(b"250")
            assert client.ask(b"DATA").startswith(b"354")
            client.send(message + b".\r\n")
            assert client.reply().startswith(b"250")
        daemon.stop()
        return Message(sink.messages[0].content), daemon.log


def test_forwarded_mail_of_an_authorised_client_passes() -> None:
    results = _results("192.0.2.1")
    assert (results["spf"], results["iprev"]) == ("pass", "pass")


def test_forwarded_mail_with_a_forged_received_below_does_not_pass() -> None:
    results = _results("198.51.100.7", _FORGED)
    assert (results["spf"], results["iprev"]) == ("fail", "permerror")


def test_log_line_names_the_judged_client_beside_the_relay() -> None:
    _, log = _relayed("192.0.2.1")

    (line,) = [
        line for text in log.splitlines() if (line := json.loads(text))["event"] == "transaction"
    ]
    assert line["client_ip"] == "203.0.113.25"
    assert line["judged_ip"] == "192.0.2.1"
    assert line["judged_helo_name"] == "mail.example.com"
    assert line["relays"] == ["203.0.113.25"]
