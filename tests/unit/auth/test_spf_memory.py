from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest

from milter.auth.results import Result
from milter.auth.spf import SpfResult, check_helo, check_spf
from milter.auth.spf_memory import KnownAnswers, SpfMemory
from milter.core.address import Mailbox
from milter.dns.fake import FakeResolver

CLIENT = IPv4Address("192.0.2.1")
ELSEWHERE = IPv4Address("198.51.100.1")
TTL_S = 600


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Site:
    """Checks senders of example.org again and again, with one memory."""

    def __init__(self, names: dict[str, object], max_entries: int = 100) -> None:
        self.clock = Clock()
        self.resolver = FakeResolver(names)
        self.memory = SpfMemory(self.clock, max_entries)

    def check(
        self, local_part: str = "a", domain: str = "example.org", ip: IPv4Address = CLIENT
    ) -> SpfResult:
        """Return the result for a sender."""
        sender = Mailbox(local_part, domain)
        return asyncio.run(check_spf(ip, sender, "mx", self.resolver, memory=self.memory))

    def asked(self) -> int:
        """Return how many questions there were since the last time."""
        count = len(self.resolver.asked)
        self.resolver.asked.clear()
        return count


def record(text: str, ttl_s: int = TTL_S) -> dict[str, object]:
    return {"TXT": [text], "TTL": ttl_s}


def test_memory_gives_the_same_result_without_asking() -> None:
    site = Site({"example.org": record("v=spf1 ip4:192.0.2.1 -all")})
    first = site.check()
    assert first.result is Result.PASS
    assert site.asked() == 1
    assert site.check() == first
    assert site.asked() == 0


def test_memory_ends_with_the_ttl() -> None:
    site = Site({"example.org": record("v=spf1 -all")})
    site.check()
    site.clock.now += TTL_S - 1
    site.asked()
    site.check()
    assert site.asked() == 0
    site.clock.now += 1
    site.check()
    assert site.asked() == 1


def test_memory_ends_with_the_shortest_ttl_of_all_answers() -> None:
    names: dict[str, object] = {
        "example.org": record("v=spf1 include:other.example -all"),
        "other.example": record("v=spf1 a:host.example -all"),
        "host.example": {"A": ["192.0.2.1"], "TTL": 20},
    }
    site = Site(names)
    assert site.check().result is Result.PASS
    site.clock.now += 20
    site.asked()
    site.check()
    assert site.asked() == 3


def test_memory_of_a_name_without_a_record_ends_with_the_ttl_of_its_absence() -> None:
    site = Site({"example.org": {"A": ["192.0.2.1"]}})
    assert site.check().result is Result.NONE
    site.asked()
    assert site.check().reason == "no record"
    assert site.asked() == 0
    site.clock.now += 100_000
    site.check()
    assert site.asked() == 1


@pytest.mark.parametrize(
    ("text", "own", "others"),
    [
        pytest.param(
            "v=spf1 exists:%{l}.who.example.org -all", Result.PASS, Result.FAIL, id="local-part"
        ),
        pytest.param("v=spf1 include:more.example.org -all", Result.PASS, Result.FAIL, id="below"),
    ],
)
def test_memory_does_not_share_what_macros_said(text: str, own: Result, others: Result) -> None:
    names: dict[str, object] = {
        "example.org": record(text),
        "more.example.org": record("v=spf1 exists:%{l}.who.example.org -all"),
        "alice.who.example.org": {"A": ["127.0.0.2"]},
    }
    site = Site(names)
    assert site.check("alice").result is own
    assert site.check("mallory").result is others
    assert site.check("alice").result is own


def test_memory_does_not_keep_an_explanation_with_macros() -> None:
    names: dict[str, object] = {
        "example.org": record("v=spf1 exp=why.example.org -all"),
        "why.example.org": {"TXT": ["%{s} may not"]},
    }
    site = Site(names)
    assert site.check("alice").explanation == "alice@example.org may not"
    assert site.check("mallory").explanation == "mallory@example.org may not"


def test_memory_tells_addresses_domains_and_identities_apart() -> None:
    names: dict[str, object] = {
        "example.org": record("v=spf1 ip4:192.0.2.1 -all"),
        "example.net": record("v=spf1 -all"),
    }
    site = Site(names)
    assert site.check().result is Result.PASS
    assert site.check(ip=ELSEWHERE).result is Result.FAIL
    assert site.check(domain="example.net").result is Result.FAIL
    helo = asyncio.run(check_helo(CLIENT, "Example.org", site.resolver, memory=site.memory))
    assert (helo.result, helo.identity) == (Result.PASS, "helo")
    assert site.check().identity == "mailfrom"


@pytest.mark.parametrize(
    "names",
    [
        pytest.param({"example.org": "servfail"}, id="failed"),
        pytest.param({"example.org": record("v=spf1 -all", 0)}, id="ttl-zero"),
        pytest.param({"example.org": record("v=spf1 nonsense")}, id="permerror"),
        pytest.param(
            {
                "example.org": record("v=spf1 ptr -all"),
                "1.2.0.192.in-addr.arpa": "servfail",
            },
            id="failed-on-the-way",
        ),
    ],
)
def test_memory_does_not_keep_what_may_change_at_once(names: dict[str, object]) -> None:
    site = Site(names)
    site.check()
    asked = site.asked()
    site.check()
    assert site.asked() == asked > 0


def test_memory_is_bounded_and_the_least_used_leaves() -> None:
    site = Site({f"d{n}.example": record("v=spf1 -all") for n in range(3)}, max_entries=2)
    for domain in ("d0.example", "d1.example", "d0.example", "d2.example"):
        site.check(domain=domain)
    site.asked()
    site.check(domain="d0.example")
    assert site.asked() == 0
    site.check(domain="d1.example")
    assert site.asked() == 1


def test_known_answers_asks_each_question_once() -> None:
    resolver = FakeResolver({"example.org": record("v=spf1 -all")})
    known = KnownAnswers(resolver, Clock())

    async def ask() -> None:
        first = await known.resolve("example.org", "TXT")
        assert await known.resolve("example.org", "TXT") is first

    asyncio.run(ask())
    assert resolver.asked == [("example.org", "TXT")]
    assert known.hold_until == 1000 + TTL_S
