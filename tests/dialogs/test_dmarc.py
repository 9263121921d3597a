"""A list server's message that breaks DMARC: held by itself, refused from a listed client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.door import running_door
from tests.support.line_client import connected, send_message
from tests.support.mailbox_sink import running_sink

if TYPE_CHECKING:
    from collections.abc import Mapping

LIST_SERVER, LISTED = "198.51.100.7", "198.51.100.8"
ZONE: Mapping[str, object] = {
    "_dmarc.bank.example": {"TXT": ["v=DMARC1; p=reject"]},
    "lists.example": {
        "A": [LIST_SERVER, LISTED],
        "TXT": [f"v=spf1 ip4:{LIST_SERVER} ip4:{LISTED} -all"],
        "MX": [[10, "lists.example"]],
    },
    LIST_SERVER: {"PTR": ["lists.example"]},
    LISTED: {"PTR": ["lists.example"]},
    "2.0.0.127.bl.spamcop.net": {"A": ["127.0.0.2"]},
    "8.100.51.198.bl.spamcop.net": {"A": ["127.0.0.2"]},
}
MESSAGE = (
    b"From: Ann <ann@bank.example>\r\nTo: list@lists.example\r\nSubject: [list] hello\r\n"
    b"Date: Mon, 02 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@bank.example>\r\n"
    b"\r\nThe words of Ann.\r\n-- \r\nfooter of the list\r\n"
)
WORDS = (
    b"the message fails DMARC: bank.example asks to refuse mail that neither its servers (SPF) "
    b"nor its signature (DKIM) vouch for"
)


def reply_to(client_ip: str, message: bytes = MESSAGE) -> tuple[bytes, list[bytes]]:
    """Return the reply to the message from `client_ip`, and what the next hop got."""
    with (
        running_sink() as sink,
        running_door(sink.host, zone=ZONE) as door,
        connected(door.port) as client,
    ):
        client.ask(b"EHLO proxy.example")
        client.ask(b"XCLIENT ADDR=" + client_ip.encode() + b" NAME=lists.example")
        client.ask(b"EHLO lists.example")
        assert client.ask(b"MAIL FROM:<bounce@lists.example>")[:3] == b"250"
        assert client.ask(b"RCPT TO:<b@example.org>")[:3] == b"250"
        reply = send_message(client, message)
        return reply, [each.content for each in sink.messages]


def test_list_server_that_breaks_dmarc_is_quarantined_with_a_reason() -> None:
    reply, (received,) = reply_to(LIST_SERVER)

    assert reply.startswith(b"250")
    assert b"\r\nX-Gatepost-Action: quarantine\r\n" in received
    assert WORDS in received.replace(b"\r\n", b"")


def test_listed_client_that_breaks_dmarc_is_refused_with_both_reasons() -> None:
    reply, received = reply_to(LISTED)

    assert reply.startswith(b"550 5.7.1 ")
    assert WORDS in reply
    assert b"bl.spamcop.net" in reply
    assert received == []


def test_result_stands_in_authentication_results() -> None:
    _, (received,) = reply_to(LIST_SERVER)

    header = received.partition(b"X-Spam-Flag")[0].replace(b"\r\n\t", b" ")
    assert b"dmarc=fail" in header
    assert b"header.from=bank.example policy.dmarc=reject" in header


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(b"From : a@bank.example\r\n", id="space-before-the-colon"),
        pytest.param(b"From: a@lists.example\r\nFrom: a@bank.example\r\n", id="two-fields"),
        pytest.param(b"From: <a@lists.example> <a@bank.example>\r\n", id="two-brackets"),
        pytest.param(b"From: =?utf-8?q?a=40bank.example?=\r\n", id="encoded-address"),
        pytest.param(b"From: a@=?utf-8?B?YmFuay5leGFtcGxl?=\r\n", id="encoded-domain"),
        pytest.param(b'From: "Ann <a@bank.example>\r\n', id="quote-never-closed"),
        pytest.param(b"From: a@bank.example(@lists.example)\r\n", id="domain-in-a-comment"),
        pytest.param(b"From: a@bank.example: a@lists.example;\r\n", id="address-as-group"),
        pytest.param(b"From: a@bank.example@lists.example\r\n", id="two-at-signs"),
        pytest.param("From: a@b\u00adank\u3002example\r\n".encode(), id="characters-that-vanish"),
        pytest.param(
            b"From: a@a.example, a@b.example, a@c.example, a@d.example, a@bank.example\r\n",
            id="fifth-of-five",
        ),
    ],
)
def test_author_in_disguise_is_held_like_a_plain_one(fields: bytes) -> None:
    _, rest = MESSAGE.split(b"\r\n", 1)

    # The field of a relay of the sender's stands above it, as it does in real mail.
    reply, (received,) = reply_to(LIST_SERVER, b"Received: by lists.example\r\n" + fields + rest)

    assert reply.startswith(b"250")
    assert b"\r\nX-Gatepost-Action: quarantine\r\n" in received


def test_author_past_the_bounds_of_the_header_is_refused_with_what_hid_it() -> None:
    _, rest = MESSAGE.split(b"\r\n", 1)
    hiding = b"X: y\r\n" * 1500

    reply, received = reply_to(LIST_SERVER, hiding + b"From: a@bank.example\r\n" + rest)

    assert reply.startswith(b"550 ")
    assert WORDS in reply
    assert received == []
