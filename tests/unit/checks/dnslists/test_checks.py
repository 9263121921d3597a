from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest

from milter.auth.story import Story, TellingResolver
from milter.checks.base import Evidence
from milter.checks.dnslists.asking import ListAsker
from milter.checks.dnslists.checks import (
    ClientListsCheck,
    HeloListsCheck,
    MessageListsCheck,
    SenderListsCheck,
    SignerListsCheck,
)
from milter.checks.dnslists.health import ListHealth
from milter.checks.dnslists.relays import relay_addresses
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Outcome
from milter.message.document import Message
from policies.dnslists import Asks, DnsList, HashForm
from policies.ranges import AddressRanges
from tests.support.checks import a_transaction, asked, symbols_of

if TYPE_CHECKING:
    from milter.core.transaction import Transaction
    from milter.dns.resolver import Rrtype

CODES = {IPv4Address("127.0.0.2"): "BL_SPAM", IPv4Address("127.0.0.10"): "BL_DYNAMIC"}
LIST = DnsList("bl.example", (Asks.CLIENT_IP,), "block", codes=CODES)
NAME = "7.2.0.192.bl.example"
LISTED = {"A": ["127.0.0.2"]}


def asker(*lists: DnsList) -> ListAsker:
    return ListAsker(lists, lambda: 0.0)


def client_check(*lists: DnsList) -> ClientListsCheck:
    return ClientListsCheck(asker(*lists))


def message_check(*lists: DnsList) -> MessageListsCheck:
    return MessageListsCheck(asker(*lists), relay_addresses)


def about(*asks: Asks, **more: object) -> DnsList:
    return replace(LIST, asks=asks, **more)  # type: ignore[arg-type]


def of_account(txn: Transaction) -> Transaction:
    return txn._replace(connection=txn.connection._replace(account="alice"))


def answered(record: object, dns_list: DnsList = LIST) -> list[tuple[str, str]]:
    evidence = asked(client_check(dns_list), a_transaction(), {NAME: record})
    return [(finding.symbol, finding.evidence) for finding in evidence.findings]


def said(text: str) -> str:
    return f"{text} from bl.example for 192.0.2.7 (client_ip)"


@pytest.mark.parametrize(
    ("record", "findings"),
    [
        pytest.param({"A": ["127.0.0.2"]}, [("BL_SPAM", said("127.0.0.2"))], id="listed"),
        pytest.param(
            {"A": ["127.0.0.2", "127.0.0.10"]},
            [("BL_SPAM", said("127.0.0.2")), ("BL_DYNAMIC", said("127.0.0.10"))],
            id="listed-twice",
        ),
        pytest.param("nxdomain", [], id="not-listed"),
        pytest.param({"TXT": ["words"]}, [], id="no-address"),
        pytest.param(
            {"A": ["127.0.0.77"]},
            [("DNS_LIST_UNKNOWN", said("127.0.0.77"))],
            id="code-nobody-mapped",
        ),
        pytest.param(
            {"A": ["127.255.255.254"]},
            [("DNS_LIST_ERROR", said("127.255.255.254"))],
            id="refusal",
        ),
        pytest.param(
            {"A": ["127.0.0.2", "127.255.255.255"]},
            [("DNS_LIST_ERROR", said("127.0.0.2, 127.255.255.255"))],
            id="refusal-beside-a-listing",
        ),
        pytest.param(
            {"A": ["203.0.113.5"]},
            [("DNS_LIST_ERROR", said("203.0.113.5"))],
            id="parked-zone-answers-public-address",
        ),
        pytest.param("timeout", [("DNS_LIST_TEMPERROR", said("timeout"))], id="no-answer"),
        pytest.param("refused", [("DNS_LIST_TEMPERROR", said("refused"))], id="refused-by-dns"),
        pytest.param(
            LISTED | {"STALE": True},
            [("DNS_LIST_TEMPERROR", said("no new answer"))],
            id="answer-of-the-past",
        ),
    ],
)
def test_dnslists_answer_means_what_the_policy_maps(
    record: object, findings: list[tuple[str, str]]
) -> None:
    assert answered(record) == findings


def test_dnslists_of_bits_yields_a_symbol_for_each_bit() -> None:
    bits = replace(LIST, codes={}, bits={2: "BL_BLACK", 8: "BL_RED"})
    assert answered({"A": ["127.0.0.10"]}, bits) == [
        ("BL_BLACK", said("127.0.0.10")),
        ("BL_RED", said("127.0.0.10")),
    ]


def test_dnslists_own_error_answers_are_no_listings() -> None:
    strict = replace(LIST, errors=frozenset({IPv4Address("127.0.0.10")}))
    assert answered({"A": ["127.0.0.10"]}, strict) == [("DNS_LIST_ERROR", said("127.0.0.10"))]


def test_dnslists_key_stands_in_the_question_and_nowhere_else() -> None:
    keyed = replace(LIST, key="s3cret")
    names = {"7.2.0.192.s3cret.bl.example": LISTED}
    evidence = asked(client_check(keyed), a_transaction(), names)
    assert symbols_of(evidence) == ["BL_SPAM"]
    assert "s3cret" not in repr(evidence)


@pytest.mark.parametrize("record", [LISTED, "nxdomain", "timeout"])
def test_dnslists_key_is_not_told_in_the_story_of_a_check(record: object) -> None:
    keyed, story = replace(LIST, key="S3cret"), Story("dnslists")
    resolver = TellingResolver(FakeResolver({"7.2.0.192.s3cret.bl.example": record}), story)

    asyncio.run(client_check(keyed).ask(a_transaction(), None, resolver))

    told = list(story.lines())
    assert told[0].startswith("? 7.2.0.192.***.bl.example A: ")
    assert not any("s3cret" in line.lower() for line in told)


def test_dnslists_question_that_is_given_up_is_told_without_the_key() -> None:
    keyed, story = replace(LIST, key="s3cret"), Story("dnslists")
    resolver = TellingResolver(FakeResolver({"7.2.0.192.s3cret.bl.example": "silence"}), story)

    async def give_up() -> None:
        async with asyncio.timeout(0):
            await client_check(keyed).ask(a_transaction(), None, resolver)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())
    assert list(story.lines()) == ["= no answer in time for A of 7.2.0.192.***.bl.example"]


def test_dnslists_one_that_fails_does_not_hide_the_others() -> None:
    other = replace(LIST, zone="other.example", codes={IPv4Address("127.0.0.2"): "OTHER"})
    names = {NAME: "servfail", "7.2.0.192.other.example": LISTED}
    evidence = asked(client_check(LIST, other), a_transaction(), names)
    assert symbols_of(evidence) == ["DNS_LIST_TEMPERROR", "OTHER"]


@pytest.mark.parametrize(
    "client_ip",
    [
        *(None, "127.0.0.1", "10.0.0.1", "172.20.1.1", "192.168.0.1", "100.64.1.1", "169.254.1.1"),
        *("0.0.0.0", "224.0.0.1", "::", "::1", "fc00::1", "fe80::1", "ff02::1", "::ffff:10.0.0.1"),
    ],
)
def test_dnslists_local_addresses_are_never_asked(client_ip: str | None) -> None:
    resolver = FakeResolver({})
    check = client_check(LIST)
    evidence = asyncio.run(check.ask(a_transaction(client_ip=client_ip), None, resolver))
    assert (evidence.findings, resolver.asked) == ((), [])


def test_dnslists_our_own_addresses_are_never_asked() -> None:
    resolver = FakeResolver({})
    ours = AddressRanges.of_networks([IPv4Network("192.0.2.0/24")])
    check = ClientListsCheck(ListAsker([LIST], lambda: 0.0, never_ask=ours))
    asyncio.run(check.ask(a_transaction(), None, resolver))
    assert resolver.asked == []


@pytest.mark.parametrize(
    "check",
    [
        client_check(about(Asks.CLIENT_IP), about(Asks.REVERSE_NAME)),
        HeloListsCheck(asker(about(Asks.HELO))),
    ],
)
def test_dnslists_authenticated_clients_are_not_asked_about(
    check: ClientListsCheck | HeloListsCheck,
) -> None:
    resolver = FakeResolver({})
    asyncio.run(check.ask(of_account(a_transaction()), None, resolver))
    assert resolver.asked == []


def test_dnslists_ipv6_is_not_asked_of_a_list_without() -> None:
    resolver = FakeResolver({})
    check = client_check(replace(LIST, ipv6=False))
    asyncio.run(check.ask(a_transaction(client_ip="2001:db8::7"), None, resolver))
    assert resolver.asked == []


def test_dnslists_symbols_are_those_of_its_lists_and_of_trouble() -> None:
    assert client_check(LIST).symbols == {
        "BL_SPAM",
        "BL_DYNAMIC",
        "DNS_LIST_UNKNOWN",
        "DNS_LIST_ERROR",
        "DNS_LIST_TEMPERROR",
    }


def test_dnslists_check_without_lists_yields_nothing() -> None:
    assert HeloListsCheck(asker(LIST)).symbols == frozenset()


def test_dnslists_reverse_name_counts_when_it_leads_back() -> None:
    names = {
        "192.0.2.7": {"PTR": ["host.dyn.example.net"]},
        "host.dyn.example.net": {"A": ["192.0.2.7"]},
        "example.net.bl.example": LISTED,
    }
    evidence = asked(client_check(about(Asks.REVERSE_NAME)), a_transaction(), names)
    assert symbols_of(evidence) == ["BL_SPAM"]


def test_dnslists_reverse_name_that_leads_elsewhere_is_not_asked_about() -> None:
    names = {"192.0.2.7": {"PTR": ["host.example.net"]}, "example.net.bl.example": LISTED}
    evidence = asked(client_check(about(Asks.REVERSE_NAME)), a_transaction(), names)
    assert symbols_of(evidence) == []


@pytest.mark.parametrize("slow", ["192.0.2.7", "host.example.net"])
def test_dnslists_reverse_zone_that_is_silent_keeps_no_list_of_addresses_from_answering(
    slow: str,
) -> None:
    names: dict[str, object] = {
        "192.0.2.7": {"PTR": ["host.example.net"]},
        "7.2.0.192.bl.example": LISTED,
        slow: "silence",
    }
    lists = asker(about(Asks.REVERSE_NAME), LIST)
    evidence = asked(ClientListsCheck(lists, wait_s=0.02), a_transaction(), names)
    assert symbols_of(evidence) == ["BL_SPAM"]


@pytest.mark.parametrize("helo", ["[192.0.2.7]", "192.0.2.7", "localhost", "", "a..b", "co.uk"])
def test_dnslists_of_domains_are_not_asked_about_addresses_and_suffixes(helo: str) -> None:
    resolver = FakeResolver({})
    check = HeloListsCheck(asker(about(Asks.HELO)))
    asyncio.run(check.ask(a_transaction(helo_name=helo), None, resolver))
    assert resolver.asked == []


def test_dnslists_sender_is_asked_by_its_registrable_domain() -> None:
    txn = a_transaction(mail_from="a@bounces.shop.example.co.uk")
    check = SenderListsCheck(asker(about(Asks.MAIL_FROM_DOMAIN)))
    evidence = asked(check, txn, {"example.co.uk.bl.example": LISTED})
    assert symbols_of(evidence) == ["BL_SPAM"]


def test_dnslists_null_sender_is_not_asked_about() -> None:
    resolver = FakeResolver({})
    check = SenderListsCheck(asker(about(Asks.MAIL_FROM_DOMAIN)))
    asyncio.run(check.ask(a_transaction(mail_from=None), None, resolver))
    assert resolver.asked == []


MESSAGE = b"""\
Received: from relay.example (relay.example [198.51.100.9]) by mx.example.org
Received: from [10.0.0.9] by relay.example
From: Anna <anna@author.example>
Reply-To: <box+1@reply.example>
Subject: x

See http://www.shop.example/a and http://203.0.113.4/b or write to Sales@Body.example.
""".replace(b"\n", b"\r\n")


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (Asks.RECEIVED_IP, "9.100.51.198.bl.example"),
        (Asks.AUTHOR_DOMAIN, "author.example.bl.example"),
        (Asks.REPLY_TO_DOMAIN, "reply.example.bl.example"),
        (Asks.URL_DOMAIN, "shop.example.bl.example"),
        (Asks.URL_IP, "4.113.0.203.bl.example"),
    ],
)
def test_dnslists_of_a_message_are_asked_about_what_stands_in_it(ask: Asks, name: str) -> None:
    resolver = FakeResolver({})
    check = message_check(about(ask))
    asyncio.run(check.ask(a_transaction(), Message(MESSAGE), resolver))
    assert resolver.asked == [(name, "A")]


def test_dnslists_of_hashes_are_asked_about_mail_addresses_without_their_tags() -> None:
    resolver = FakeResolver({})
    dns_list = about(Asks.EMAIL_HASH, hashed=HashForm("md5"))
    asyncio.run(message_check(dns_list).ask(a_transaction(), Message(MESSAGE), resolver))
    assert [name.partition(".")[0] for name, _ in resolver.asked] == [
        "9c59fc35eaeda938da824d6690ef827f",  # anna@author.example
        "e3bc4b44fcb1b3e9c8b010d441ebdd49",  # box@reply.example
        "9bbdf1e14cc3eeb0ed88fcaa863e231a",  # sales@body.example
    ]


def test_dnslists_of_a_message_ask_one_name_once() -> None:
    resolver = FakeResolver({})
    dns_list = about(Asks.AUTHOR_DOMAIN, Asks.REPLY_TO_DOMAIN)
    message = Message(b"From: a@one.example\r\nReply-To: b@one.example\r\n\r\nx\r\n")
    asyncio.run(message_check(dns_list).ask(a_transaction(), message, resolver))
    assert resolver.asked == [("one.example.bl.example", "A")]


def test_dnslists_of_a_message_ask_no_more_than_the_bound() -> None:
    resolver = FakeResolver({})
    urls = "".join(f"http://www.n{i}.example/\r\n" for i in range(90)).encode()
    dns_list = about(Asks.URL_DOMAIN, most=7)
    asyncio.run(message_check(dns_list).ask(a_transaction(), Message(b"\r\n" + urls), resolver))
    assert len(resolver.asked) == 7


def test_dnslists_signers_are_asked_about_when_their_signature_holds() -> None:
    resolver = FakeResolver({"good.example.bl.example": LISTED})
    results = [
        {"result": "pass", "domain": "good.example", "selector": "s"},
        {"result": "fail", "domain": "forged.example", "selector": "s"},
    ]
    check = SignerListsCheck(asker(about(Asks.DKIM_DOMAIN)))
    known = [Evidence(facts={"dkim": results})]  # type: ignore[dict-item]
    evidence = asyncio.run(check.combine(a_transaction(), Message(MESSAGE), resolver, known))
    assert symbols_of(evidence) == ["BL_SPAM"]
    assert resolver.asked == [("good.example.bl.example", "A")]


def test_dnslists_set_aside_is_neither_asked_nor_believed() -> None:
    health = ListHealth([LIST], lambda: 0.0, lambda: 0.0)
    health.probed(LIST, "it lists the world")
    resolver = FakeResolver({NAME: LISTED})
    check = ClientListsCheck(ListAsker([LIST], lambda: 0.0, health))
    evidence = asyncio.run(check.ask(a_transaction(), None, resolver))
    assert (evidence.findings, resolver.asked) == ((), [])


def test_dnslists_questions_are_counted_with_their_time() -> None:
    told: list[tuple[str, str, float]] = []
    times = iter([1.0, 1.5])
    check = ClientListsCheck(
        ListAsker([LIST], lambda: next(times), observe=lambda *a: told.append(a))
    )
    asked(check, a_transaction(), {NAME: LISTED})
    assert told == [("bl.example", "listed", 0.5)]


class Together:
    """A resolver that answers nobody before it was asked `expected` questions."""

    def __init__(self, expected: int) -> None:
        self._missing = expected
        self._all_there = asyncio.Event()

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        """Return that there is no such name, to all at once."""
        self._missing -= 1
        if not self._missing:
            self._all_there.set()
        await self._all_there.wait()
        return Answer(Outcome.NXDOMAIN)


def test_dnslists_ask_everything_before_they_wait_for_an_answer() -> None:
    lists = [about(Asks.URL_DOMAIN, zone=f"bl{number}.example") for number in range(3)]
    urls = b"".join(b"http://www.n%d.example/\r\n" % number for number in range(5))

    async def run() -> Evidence:
        check = message_check(*lists)
        async with asyncio.timeout(10):
            return await check.ask(a_transaction(), Message(b"\r\n" + urls), Together(15))

    assert asyncio.run(run()).findings == ()
