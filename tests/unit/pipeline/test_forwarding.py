"""Mail that our own relays pass on is judged by the client before them, and by nobody's forgery."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import ClientListsCheck
from milter.checks.forwarding import ForwardingCheck
from milter.checks.greylist import attempt_of
from milter.checks.helo import HeloCheck
from milter.checks.iprev import IprevCheck
from milter.checks.spf import SpfCheck
from milter.core.address import Mailbox
from milter.core.connection import Direction
from milter.core.ids import TxnId
from milter.dns.fake import FakeResolver
from milter.pipeline.runner import Pipeline
from policies.dnslists import Asks, DnsList
from policies.verdict import Action
from tests.support.checks import a_transaction
from tests.support.pipeline import IDENTITY, a_connection, policies, symbols

if TYPE_CHECKING:
    from milter.core.connection import Connection
    from milter.pipeline.scan import Judgement

RELAY, CLIENT, FORGED = "192.0.2.25", "198.51.100.7", "203.0.113.5"
NAMES: dict[str, object] = {
    "example.net": {"TXT": [f"v=spf1 ip4:{CLIENT} -all"]},
    "bank.example": {"TXT": [f"v=spf1 ip4:{FORGED} -all"]},
    CLIENT: {"PTR": ["mail.example.net"]},
    "mail.example.net": {"A": [CLIENT]},
    "7.100.51.198.bl.example": {"A": ["127.0.0.2"]},
}
EARLY = """\
version: 1
name: early
default_weights: true
thresholds: {reject: 12}
early: {connect: 1, rcpt: 1}
weights: {IPREV_MISSING: 5, CHECK_ERROR: 5}
"""


RULE = """\
version: 1
name: early
default_weights: true
rules:
  - id: NOT_THIS_ONE
    when: 'connection.ip == "192.0.2.25"'
    action: reject
    early: true
    describe: A rule of the site about one address
"""


def received(helo: str, address: str) -> bytes:
    return (
        f"Received: from {helo} (unknown [{address}])\r\n\tby relay.example.org (Postfix)"
        " with ESMTPS id 4X; Tue, 24 Nov 2026 10:00:00 +0000\r\n"
    ).encode()


class Site:
    """A pipeline of real checks behind one relay of ours."""

    def __init__(self, policy: str | None = None) -> None:
        self.resolver = FakeResolver(NAMES)
        codes = {IPv4Address("127.0.0.2"): "BL"}
        listed = DnsList("bl.example", (Asks.CLIENT_IP,), "block", codes=codes)
        checks = (
            *(SpfCheck("mx.example.org"), IprevCheck(), HeloCheck("mx.example.org")),
            *(ClientListsCheck(ListAsker([listed], lambda: 0.0)), ForwardingCheck()),
        )
        self.pipeline = Pipeline(
            checks=checks,
            policies=policies(policy) if policy else policies(),
            resolver=self.resolver,
            identity=IDENTITY,
            budget_s=20.0,
        ).behind(frozenset({IPv4Address(RELAY)}))

    def judge(
        self, header: bytes, mail_from: str = "example.net", connection: Connection | None = None
    ) -> Judgement:
        """Return what is judged of a message with `header`; its door is refused nothing early."""
        return asyncio.run(self._judge(header, mail_from, connection or a_connection(RELAY)))

    async def _judge(self, header: bytes, mail_from: str, connection: Connection) -> Judgement:
        scan_of_connection = self.pipeline.connect(connection)
        assert await scan_of_connection.refuse_connect() is None
        scan = scan_of_connection.begin(TxnId("TXN000000001"))
        scan.mail(Mailbox("a", mail_from), 0)
        recipient = Mailbox("b", "example.org")
        policy = scan.policy_for(recipient)
        assert await scan.refuse_early([policy], recipient) is None
        assert self.resolver.asked == []
        scan.rcpt(recipient)
        message = header + b"From: a@example.net\r\n\r\nhello\r\n"
        judgement = await scan.judge(message, [(policy, False)])
        scan.close()
        scan_of_connection.close()
        return judgement


def test_forwarded_mail_is_not_refused_by_a_rule_about_the_relay() -> None:
    judgement = Site(RULE).judge(received("mail.example.net", CLIENT))
    assert judgement.outcomes[0].verdict.action is Action.PASS


def test_forwarded_mail_is_never_kept_waiting_for_another_try() -> None:
    txn = a_transaction(client_ip=CLIENT)
    forwarded = txn.connection._replace(relays=(IPv4Address(RELAY),))
    assert attempt_of(txn, []) is not None
    assert attempt_of(txn._replace(connection=forwarded), []) is None


def test_forwarded_mail_is_judged_by_the_client_before_the_relay() -> None:
    judgement = Site(EARLY).judge(received("mail.example.net", CLIENT))
    assert symbols(judgement.evidence) == ["BL", "SPF_PASS", "FORWARDED"]
    facts = judgement.evidence.facts
    assert facts["helo"] == "mail.example.net"
    assert facts["iprev"] == {"result": "pass", "name": "mail.example.net"}
    client = facts["connection"]
    assert isinstance(client, dict)
    assert (client["ip"], client["relays"]) == (CLIENT, [RELAY])
    assert client["name"] == "mail.example.net"


def test_forwarded_mail_with_a_forged_received_below_is_judged_the_same() -> None:
    site = Site()
    whole = site.judge(received("mail.example.net", CLIENT), "bank.example")
    forged = Site().judge(
        received("mail.example.net", CLIENT) + received("mail.bank.example", FORGED), "bank.example"
    )
    assert symbols(forged.evidence) == symbols(whole.evidence)
    assert "SPF_FAIL" in symbols(forged.evidence)
    assert dict(forged.evidence.facts)["connection"] == dict(whole.evidence.facts)["connection"]


def test_forwarded_mail_through_filter_and_relay_is_judged_by_the_client_before_them() -> None:
    header = received("localhost", "127.0.0.1") + received("mail.example.net", CLIENT)
    judgement = Site().judge(header)
    assert "SPF_PASS" in symbols(judgement.evidence)
    client = judgement.evidence.facts["connection"]
    assert isinstance(client, dict)
    assert client["relays"] == [RELAY, "127.0.0.1"]


@pytest.mark.parametrize(
    "header",
    [
        pytest.param(b"", id="no-received"),
        pytest.param(b"Received: by relay.example.org (Postfix, userid 0); x\r\n", id="made-there"),
        pytest.param(b"Received: from [198.51.100.7] by relay; x\r\n", id="not-told"),
    ],
)
def test_forwarded_mail_whose_client_is_not_told_is_not_judged_by_the_relay(header: bytes) -> None:
    site = Site()
    judgement = site.judge(header + received("mail.bank.example", FORGED)[:0])
    assert symbols(judgement.evidence) == ["FORWARDED_CLIENT_UNKNOWN"]
    assert site.resolver.asked == []


def test_mail_of_a_stranger_is_judged_by_the_stranger_whatever_the_header_says() -> None:
    pipeline = Site().pipeline

    async def run() -> Judgement:
        connection = pipeline.connect(a_connection(FORGED, helo_name="mail.bank.example"))
        scan = connection.begin(TxnId("TXN000000001"))
        scan.mail(Mailbox("a", "example.net"), 0)
        groups = [(scan.policy_of_others(), False)]
        judgement = await scan.judge(received("mail.example.net", CLIENT) + b"\r\n", groups)
        connection.close()
        return judgement

    judgement = asyncio.run(run())
    assert "SPF_FAIL" in symbols(judgement.evidence)
    assert "FORWARDED" not in symbols(judgement.evidence)


def test_mail_of_our_own_users_is_not_looked_through() -> None:
    site = Site()
    connection = a_connection(RELAY, Direction.OUTBOUND)
    judgement = site.judge(received("mail.example.net", CLIENT), connection=connection)
    assert symbols(judgement.evidence) == []
