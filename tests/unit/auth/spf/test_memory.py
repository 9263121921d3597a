from __future__ import annotations

import asyncio
from ipaddress import IPv4Address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milter.auth.results import Result
from milter.auth.spf import SpfMeans, SpfMemory, SpfResult, check_helo, check_spf
from milter.auth.spf.memory import KnownAnswers
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
        self,
        local_part: str = "a",
        domain: str = "example.org",
        ip: IPv4Address = CLIENT,
        helo_name: str = "mx",
    ) -> SpfResult:
        """Return the result for a sender."""
        sender = Mailbox(local_part, domain)
        means = SpfMeans(memory=self.memory)
        return asyncio.run(check_spf(ip, sender, helo_name, self.resolver, means))

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
    means = SpfMeans(memory=site.memory)
    helo = asyncio.run(check_helo(CLIENT, "Example.org", site.resolver, means))
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


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        pytest.param("v=spf1 ip4:192.0.2.0/24 -all", "192.0.2.200", "192.0.3.1", id="ip4"),
        pytest.param("v=spf1 ip4:198.51.100.0/24 -all", "192.0.2.1", "198.0.0.1", id="no-match"),
        pytest.param("v=spf1 a/28 -all", "192.0.2.15", "192.0.2.16", id="a"),
        pytest.param("v=spf1 mx/25 -all", "192.0.2.100", "192.0.2.128", id="mx"),
        pytest.param("v=spf1 include:net.example -all", "192.0.2.99", "192.0.4.1", id="include"),
        pytest.param("v=spf1 redirect=net.example", "192.0.2.99", "192.0.4.1", id="redirect"),
    ],
)
def test_memory_is_shared_by_the_network_that_the_records_tell_apart(
    text: str, near: str, far: str
) -> None:
    names: dict[str, object] = {
        "example.org": {"TXT": [text], "A": ["192.0.2.1"], "MX": [[1, "example.org"]]},
        "net.example": record("v=spf1 ip4:192.0.2.0/23 -all"),
    }
    site = Site(names)
    first = site.check()
    site.asked()
    assert site.check(ip=IPv4Address(near)) == first
    assert site.asked() == 0
    site.check(ip=IPv4Address(far))
    assert site.asked() > 0


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("v=spf1 ip4:192.0.2.0/24 exists:%{i}.x.example -all", id="macro"),
        pytest.param("v=spf1 exists:x.example ip4:192.0.2.0/24 -all", id="exists"),
        pytest.param("v=spf1 ptr ip4:192.0.2.0/24 -all", id="ptr"),
        pytest.param("v=spf1 ip4:192.0.2.0/24 -all exp=why.example", id="exp"),
    ],
)
def test_memory_is_kept_for_one_address_where_more_than_networks_count(text: str) -> None:
    site = Site({"example.org": record(text)})
    site.check()
    site.asked()
    site.check("somebody-else")
    assert site.asked() == 0
    site.check(ip=IPv4Address("192.0.2.2"))
    assert site.asked() > 0


def test_memory_of_a_macro_for_the_helo_name_is_kept_for_that_name() -> None:
    names: dict[str, object] = {
        "example.org": record("v=spf1 exists:%{h}.x.example -all"),
        "mx.good.example.x.example": {"A": ["127.0.0.2"]},
    }
    site = Site(names)
    assert site.check(helo_name="mx.good.example").result is Result.PASS
    assert site.check(helo_name="mx.bad.example").result is Result.FAIL
    site.asked()
    assert site.check(helo_name="mx.good.example").result is Result.PASS
    assert site.asked() == 0


ADDRESSES = st.sampled_from(
    ["192.0.2.1", "192.0.2.2", "192.0.2.129", "192.0.3.1", "192.168.0.1", "10.0.0.1"]
)
_OTHER_TERMS = (
    *("all", "a", "ip6:2001:db8::/32", "ptr", "exists:%{i}.example", "exists:%{l}.example"),
    *("exists:%{h}", "a:%{o}/24", "exists:%{p}.p.example"),
)
_TERMS = st.builds(
    "{}{}".format,
    st.sampled_from(["", "-", "~", "?"]),
    st.one_of(
        st.builds("ip4:{}/{}".format, ADDRESSES, st.integers(0, 32)),
        st.builds(
            "a:{}/{}".format, st.sampled_from(["h0.example", "h1.example"]), st.integers(0, 32)
        ),
        st.builds("mx/{}".format, st.integers(0, 32)),
        st.builds("include:{}".format, st.sampled_from(["d1.example", "d2.example"])),
        st.sampled_from(_OTHER_TERMS),
    ),
)
_RECORDS = st.builds(
    lambda terms, modifier: " ".join(["v=spf1", *terms, *modifier]),
    st.lists(_TERMS, max_size=4),
    st.sampled_from(
        [[], ["redirect=d2.example"], ["exp=why.example"], ["exp=who.example"], ["exp=me.example"]]
    ),
)
_SENDERS = st.tuples(
    st.sampled_from(["alice", "bob"]), ADDRESSES, st.sampled_from(["h0.example", "h1.example"])
)


@settings(max_examples=300)
@given(_RECORDS, _RECORDS, _RECORDS, st.lists(_SENDERS, min_size=2, max_size=12))
def test_memory_gives_what_a_fresh_check_gives(
    first: str, second: str, third: str, senders: list[tuple[str, str, str]]
) -> None:
    names: dict[str, object] = {
        "d0.example": {"TXT": [first], "MX": [[1, "h0.example"], [2, "h1.example"]]},
        "d1.example": {"TXT": [second], "A": ["192.0.2.1"]},
        "d2.example": {"TXT": [third], "MX": [[1, "h1.example"]]},
        "h0.example": {"A": ["192.0.2.1", "10.0.0.1"]},
        "h1.example": {"A": ["192.0.3.1"]},
        "why.example": {"TXT": ["go away"]},
        "who.example": {"TXT": ["%{s} from %{c} is not known"]},
        "me.example": {"TXT": ["%{h} at %{r}"]},
        "alice.example": {"A": ["127.0.0.2"]},
        "192.0.2.1.example": {"A": ["127.0.0.2"]},
        "h1.example.p.example": {"A": ["127.0.0.2"]},
        "192.0.3.1": {"PTR": ["h1.example"]},
    }
    site = Site(names)
    for local_part, address, helo_name in senders:
        ip = IPv4Address(address)
        cached = site.check(local_part, "d0.example", ip, helo_name)
        fresh = Site(names).check(local_part, "d0.example", ip, helo_name)
        assert cached == fresh
