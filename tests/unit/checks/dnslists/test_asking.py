"""What a list's answers to a message come to for its health."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import ClientListsCheck, MessageListsCheck
from milter.checks.dnslists.health import FAILURES_IN_A_ROW, ListHealth
from milter.checks.dnslists.questions import of_address
from milter.checks.dnslists.relays import relay_addresses
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome
from milter.message.document import Message
from policies.dnslists import DEFAULT_POINTS, Asks, DnsList
from tests.support.checks import a_transaction, symbols_of

if TYPE_CHECKING:
    from milter.dns.resolver import Rrtype

CODES = {IPv4Address("127.0.0.2"): "BL_SPAM"}
LIST = DnsList("bl.example", (Asks.CLIENT_IP,), "block", codes=CODES)
LISTED = {"A": ["127.0.0.2"]}


@pytest.mark.parametrize(
    ("dns_list", "text"),
    [
        pytest.param(
            replace(LIST, asks=(Asks.URL_DOMAIN,), points=DEFAULT_POINTS["domains"]),
            "http://bad{}.example/\r\n",
            id="links",
        ),
        pytest.param(
            replace(
                LIST, asks=(Asks.CLIENT_IP, Asks.RECEIVED_IP), points=DEFAULT_POINTS["addresses"]
            ),
            "Received: from x (x [198.51.100.{}]) by y; Sun, 22 Nov 2026 10:00:00 +0000\r\n",
            id="relays",
        ),
        # Without test points what is written counts, once for each message.
        pytest.param(
            replace(LIST, asks=(Asks.URL_DOMAIN,)), "http://bad{}.example/\r\n", id="no-test-points"
        ),
    ],
)
def test_dnslists_are_not_switched_off_by_a_few_messages(dns_list: DnsList, text: str) -> None:
    health = ListHealth([dns_list], lambda: 0.0, lambda: 0.0)
    health.probed(dns_list, "")
    check = MessageListsCheck(ListAsker([dns_list], lambda: 0.0, health), relay_addresses)
    resolver = FakeResolver({"*.bl.example": LISTED})

    for mail in range(5):
        lines = "".join([text.format(20 * mail + number) for number in range(20)])
        body = "" if text.startswith("Received") else "From: a@b.example\r\n\r\n"
        message = Message(f"{body}{lines}\r\n".encode())
        asyncio.run(check.ask(a_transaction(), message, resolver))

    assert len(resolver.asked) > 50
    assert health.believes(dns_list)


def test_dnslists_that_fell_silent_are_set_aside_although_old_answers_stand_in() -> None:
    health = ListHealth([LIST], lambda: 0.0, lambda: 0.0)
    health.probed(LIST, "")
    check = ClientListsCheck(ListAsker([LIST], lambda: 0.0, health))
    resolver = FakeResolver({"*.bl.example": LISTED | {"STALE": True}})

    async def found(number: int) -> list[str]:
        txn = a_transaction(client_ip=f"198.51.100.{number}")
        return symbols_of(await check.ask(txn, None, resolver))

    for number in range(FAILURES_IN_A_ROW):
        assert health.believes(LIST)
        assert "BL_SPAM" not in asyncio.run(found(number))
    assert not health.believes(LIST)


class Late:
    """A resolver whose new answer is long in coming: the first that ask get the old one."""

    def __init__(self, old: int) -> None:
        self.asked = 0
        self._old = old

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        self.asked += 1
        stale = self.asked <= self._old
        return Answer(Outcome.ANSWER, ("127.0.0.2",), 30, stale=stale)


@pytest.mark.parametrize(
    ("old", "symbol", "questions"),
    [(0, "BL_SPAM", 1), (1, "BL_SPAM", 2), (2, "DNS_LIST_TEMPERROR", 2)],
)
def test_dnslists_slow_list_is_waited_for_again_where_an_old_answer_stood_in(
    old: int, symbol: str, questions: int
) -> None:
    resolver = Late(old)
    asker = ListAsker([LIST], lambda: 0.0)
    client = {Asks.CLIENT_IP: [of_address(IPv4Address("192.0.2.7"))]}
    evidence = asyncio.run(asker.ask(client, resolver))
    assert (symbols_of(evidence), resolver.asked) == ([symbol], questions)
