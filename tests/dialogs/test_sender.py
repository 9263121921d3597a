"""What a sender reads when SPF speaks against a message, and what the log says of its sender."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tests.support.arc_sealer import sealed, sealer_zone
from tests.support.dkim_signer import MESSAGE, NAME, rsa_pair, signed
from tests.support.door import running_door
from tests.support.line_client import connected, send_message
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

FORGER, OURS = "198.51.100.66", "198.51.100.25"
ZONE: Mapping[str, object] = {
    "example.org": {
        "TXT": [f"v=spf1 ip4:{OURS} -all exp=why.example.org"],
        "MX": [[10, "mx.example.org"]],
    },
    "why.example.org": {"TXT": ["%{i} is not ours, see http://example.org/?s=%{S}"]},
    "mx.example.org": {"A": [OURS]},
    OURS: {"PTR": ["mx.example.org"]},
    "_dmarc.example.org": {"TXT": ["v=DMARC1; p=reject"]},
    NAME: {"TXT": [rsa_pair().record]},
    **sealer_zone("lists.example"),
}
BALANCED = "version: 1\nname: test\nextends: balanced\n"
EXPLAINING = """
version: 1
name: test
extends: balanced
rules:
  - id: NOT_AUTHORISED
    when: 'spf.result == "fail"'
    action: reject
    reply: '550 5.7.23 SPF of the sender fails: {spf_explanation}'
"""


def reply_to(client_ip: str, message: bytes, policy: str) -> bytes:
    """Return the reply to `message` of a@example.org from `client_ip`."""
    with (
        running_sink() as sink,
        running_door(sink.host, zone=ZONE, policy=policy) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        client.ask(b"XCLIENT ADDR=" + client_ip.encode() + b" NAME=mx.example.org")
        client.ask(b"EHLO mx.example.org")
        assert client.ask(b"MAIL FROM:<a@example.org>")[:3] == b"250"
        assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"250"
        return send_message(client, message)


def test_reply_of_a_rule_tells_what_the_domain_says_of_its_fail() -> None:
    reply = reply_to(FORGER, MESSAGE, EXPLAINING)

    expected = (
        b"550 5.7.23 SPF of the sender fails: example.org explains: 198.51.100.66 is not ours, "
        b"see http://example.org/?s=a%40example.org ("
    )
    assert reply.startswith(expected)
    assert reply.endswith(b")\r\n")


def test_log_line_names_every_method_of_authentication(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "gatepost"):
        reply_to(OURS, sealed(signed(), "lists.example"), BALANCED)

    (record,) = [r for r in caplog.records if r.message == "transaction"]
    fields = record.__dict__["fields"]
    assert {method: fields[method] for method in ("spf", "dkim", "dmarc", "arc", "iprev")} == {
        "spf": "pass",
        "dkim": "pass",
        "dmarc": "pass",
        "arc": "pass",
        "iprev": "pass",
    }


def test_results_forged_in_our_name_do_not_reach_the_next_hop() -> None:
    disguises = (
        b"Authentication-Results: mx.example.org; spf=pass",
        b"AUTHENTICATION-RESULTS : MX.Example.ORG 1; forged=pass",
        b"Authentication-Results:\r\n\t(a (nested) comment)\r\n\tmx.example.org; forged=pass",
        b'Authentication-Results: "mx.example.org"/1; forged=pass',
        b"Authentication-Results: mx . (x) example . org; forged=pass",
        "Authentication-Results: \uff4dx\u3002example.org; forged=pass".encode(),
        b"Authentication-Results: =?utf-8?q?mx.example.org?=; forged=pass",
        b"Authentication-Results: ; mx.example.org; forged=pass",
        b"Authentication-Results: (never closed mx.example.org; forged=pass",
    )
    kept = b"Authentication-Results: mx.example.org.example.net; forged=pass\r\n"
    forged = b"".join(field + b"\r\n" for field in disguises)

    with (
        running_sink() as sink,
        running_door(sink.host, zone=ZONE) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO client.example")
        client.ask(b"MAIL FROM:<a@example.org>")
        client.ask(b"RCPT TO:<b@example.org>")
        send_message(client, forged + kept + b"X: y\r\n" * 1500 + forged + MESSAGE)
        (received,) = sink.messages

    header = received.content.partition(b"\r\n\r\n")[0]
    assert header.count(b"forged=pass") == 1
    assert kept in header
    assert header.startswith(b"Authentication-Results: mx.example.org;")
