import asyncio

import pytest

from milter.core.errors import ParseError
from milter.dns.fake import MOST_REMEMBERED, FakeResolver, read_zone
from milter.dns.resolver import Answer, Outcome, Rrtype
from policies.errors import ConfigErrors

ZONE = b"""
names:
  Example.ORG.:
    {A: [192.0.2.1, 192.0.2.9], TXT: ["v=spf1 -all"], MX: [[10, mx.example.org.]], TTL: 60}
  www.example.org: {CNAME: [example.org]}
  gone.example.org: {CNAME: [nowhere.example.org]}
  loop.example: {CNAME: [loop.example]}
  192.0.2.1: {PTR: [mx.example.org]}
  "2001:db8::1": {PTR: [six.example.org]}
  "*.wild.example": {A: [192.0.2.2]}
  host.sub.wild.example: {A: [192.0.2.3]}
  broken.example: servfail
  half.example: {A: [192.0.2.3], TXT: timeout}
  strings.example: {TXT: [["one", "two"]]}
  quiet.example: silence
  old.example: {A: [192.0.2.4], TXT: [], STALE: true}
"""


class Files(dict[str, bytes]):
    def read(self, path: str) -> bytes:
        return self[path]


def ask(name: str, rrtype: Rrtype, zone: bytes = ZONE) -> Answer:
    return asyncio.run(read_zone(Files(z=zone), "z").resolve(name, rrtype))


@pytest.mark.parametrize(
    ("name", "rrtype", "records"),
    [
        ("example.org", "A", ("192.0.2.1", "192.0.2.9")),
        ("EXAMPLE.org.", "TXT", ((b"v=spf1 -all",),)),
        ("example.org", "MX", ((10, "mx.example.org"),)),
        ("www.example.org", "A", ("192.0.2.1", "192.0.2.9")),
        ("www.example.org", "CNAME", ("example.org",)),
        ("1.2.0.192.in-addr.arpa", "PTR", ("mx.example.org",)),
        (f"1.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa", "PTR", ("six.example.org",)),
        ("a.b.wild.example", "A", ("192.0.2.2",)),
        ("strings.example", "TXT", ((b"one", b"two"),)),
    ],
)
def test_resolve_name_in_zone_is_answered(name: str, rrtype: Rrtype, records: object) -> None:
    answer = ask(name, rrtype)
    assert answer.outcome is Outcome.ANSWER
    assert answer.records == records


@pytest.mark.parametrize(
    ("name", "rrtype", "outcome"),
    [
        pytest.param("nowhere.example", "A", Outcome.NXDOMAIN, id="name-not-in-zone"),
        pytest.param("example.org", "AAAA", Outcome.NODATA, id="type-not-at-name"),
        pytest.param("wild.example", "A", Outcome.NODATA, id="empty-node-above-a-name"),
        pytest.param(
            "other.sub.wild.example", "A", Outcome.NXDOMAIN, id="closer-name-than-wildcard"
        ),
        pytest.param("broken.example", "MX", Outcome.SERVFAIL, id="failing-name"),
        pytest.param("half.example", "TXT", Outcome.TIMEOUT, id="failing-type"),
        pytest.param("gone.example.org", "A", Outcome.NXDOMAIN, id="alias-to-nowhere"),
        pytest.param("loop.example", "A", Outcome.SERVFAIL, id="alias-loop"),
        pytest.param("a..example.org", "A", Outcome.NXDOMAIN, id="empty-label"),
        pytest.param("x" * 64 + ".example.org", "A", Outcome.NXDOMAIN, id="long-label"),
        pytest.param("", "A", Outcome.NXDOMAIN, id="no-name"),
    ],
)
def test_resolve_without_records_ends_as_said(name: str, rrtype: Rrtype, outcome: Outcome) -> None:
    answer = ask(name, rrtype)
    assert answer.outcome is outcome
    assert answer.records == ()


def test_resolve_ttl_in_zone_is_given() -> None:
    assert ask("example.org", "A").ttl_s == 60


def test_resolve_answers_of_a_stale_name_say_so() -> None:
    assert ask("old.example", "A") == Answer(Outcome.ANSWER, ("192.0.2.4",), 300, stale=True)
    assert ask("old.example", "TXT") == Answer(Outcome.NODATA, ttl_s=300, stale=True)
    assert not ask("example.org", "A").stale


def test_resolve_long_text_is_cut_into_strings() -> None:
    resolver = FakeResolver({"a.example": {"TXT": ["x" * 300]}})
    answer = asyncio.run(resolver.resolve("a.example", "TXT"))
    assert answer.records == ((b"x" * 255, b"x" * 45),)


def test_resolve_silence_ends_with_the_caller() -> None:
    async def run() -> None:
        async with asyncio.timeout(0):
            await FakeResolver({"a.example": "silence"}).resolve("a.example", "A")

    with pytest.raises(TimeoutError):
        asyncio.run(run())


def test_asked_holds_the_questions_in_order() -> None:
    resolver = FakeResolver({"example.org": {"A": ["192.0.2.1"]}})

    async def run() -> None:
        await resolver.resolve("Example.org.", "A")
        await resolver.resolve("a..b", "TXT")

    asyncio.run(run())
    assert resolver.asked == [("example.org", "A"), ("a..b", "TXT")]


def test_asked_is_bounded() -> None:
    resolver = FakeResolver({})

    async def run() -> None:
        for number in range(MOST_REMEMBERED + 10):
            await resolver.resolve(f"n{number}.example", "A")

    asyncio.run(run())
    assert len(resolver.asked) == MOST_REMEMBERED
    assert resolver.asked[0] == ("n0.example", "A")


@pytest.mark.parametrize(
    ("zone", "words"),
    [
        (b"names: [", "z:2:1: not YAML"),
        (b"zone: {}", "needs `names:`"),
        (b"names: {a.example: 5}", "needs records by type"),
        (b"names:\n  a.example: tomorrow", "z:2:3: .*'tomorrow' is none of"),
        (b"names: {a.example: {SRV: [x]}}", "'SRV' is none of"),
        (b"names: {a.example: {A: [nonsense]}}", "is no A record"),
        (b"names: {a.example: {A: ['2001:db8::1']}}", "is no A record"),
        (b"names: {a.example: {MX: [mx.example]}}", "preference, name"),
        (b"names: {a.example: {TTL: soon}}", "whole number"),
        (b"names: {a.example: {STALE: soon}}", "true or false"),
        (b"names: {a..example: {}}", "cannot be a domain name"),
    ],
)
def test_read_zone_mistake_is_named(zone: bytes, words: str) -> None:
    with pytest.raises(ConfigErrors, match=words):
        ask("a.example", "A", zone)


def test_fake_resolver_mistake_in_mapping_is_a_parse_error() -> None:
    with pytest.raises(ParseError):
        FakeResolver({"a.example": {"A": [1, 2]}})
