import asyncio
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.auth.results import Result
from milter.auth.spf import SpfLimits, SpfMeans, SpfMemory, SpfResult, check_helo, check_spf
from milter.core.address import Mailbox
from milter.dns.fake import FakeResolver
from milter.dns.resolver import Answer, Rrtype

CLIENT = IPv4Address("192.0.2.1")
ELSEWHERE = IPv4Address("198.51.100.1")


def record(text: str | bytes) -> dict[str, object]:
    return {"TXT": [text]}


def check(
    zone: dict[str, object], mail_from: Mailbox | None = None, ip: str = "192.0.2.1"
) -> SpfResult:
    sender = mail_from or Mailbox("a", "example.org")
    return asyncio.run(check_spf(ip_address(ip), sender, "mx.example.org", FakeResolver(zone)))


@pytest.mark.parametrize(
    ("text", "result", "mechanism"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", Result.PASS, "ip4:192.0.2.0/24"),
        ("v=spf1 -all", Result.FAIL, "-all"),
        ("v=spf1 ~all", Result.SOFTFAIL, "~all"),
        ("v=spf1 ?all", Result.NEUTRAL, "?all"),
        ("v=spf1", Result.NEUTRAL, ""),
        ("v=spf1 nonsense", Result.PERMERROR, ""),
        ("not spf", Result.NONE, ""),
    ],
)
def test_check_spf_record_gives_its_result(text: str, result: Result, mechanism: str) -> None:
    outcome = check({"example.org": record(text)})
    assert (outcome.result, outcome.mechanism) == (result, mechanism)
    assert (outcome.identity, outcome.domain) == ("mailfrom", "example.org")


@pytest.mark.parametrize("word", ["servfail", "timeout", "refused"])
def test_check_spf_failing_dns_is_temperror(word: str) -> None:
    outcome = check({"example.org": word})
    assert outcome.result is Result.TEMPERROR
    assert outcome.reason == f"{word} for TXT of example.org"


def test_check_spf_no_answer_in_time_is_temperror() -> None:
    resolver = FakeResolver({"example.org": "silence"})
    means = SpfMeans(limits=SpfLimits(timeout_s=0))
    checking = check_spf(CLIENT, Mailbox("a", "example.org"), "mx", resolver, means)
    outcome = asyncio.run(checking)
    assert outcome.result is Result.TEMPERROR
    assert outcome.reason == "no answer from the DNS in 0 seconds"


def test_check_spf_cancelled_by_the_caller_is_cancelled() -> None:
    async def run() -> None:
        async with asyncio.timeout(0):
            resolver = FakeResolver({"example.org": "silence"})
            await check_spf(CLIENT, Mailbox("a", "example.org"), "mx", resolver)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


@pytest.mark.parametrize(
    "mail_from", [None, Mailbox("postmaster", "")], ids=["null-path", "bare-postmaster"]
)
def test_check_spf_without_domain_checks_the_helo_name(mail_from: Mailbox | None) -> None:
    resolver = FakeResolver({"mx.example.org": record("v=spf1 -all")})
    outcome = asyncio.run(check_spf(CLIENT, mail_from, "MX.example.org", resolver))
    assert (outcome.result, outcome.identity) == (Result.FAIL, "helo")
    assert outcome.domain == "mx.example.org"


def test_check_helo_asks_for_the_helo_name() -> None:
    resolver = FakeResolver({"mx.example.org": record("v=spf1 a -all"), "x": {"A": ["192.0.2.1"]}})
    outcome = asyncio.run(check_helo(CLIENT, "mx.example.org", resolver))
    assert outcome.result is Result.FAIL
    assert resolver.asked == [("mx.example.org", "TXT"), ("mx.example.org", "A")]


@pytest.mark.parametrize("name", ["localhost", "[192.0.2.1]", "", "a..b", "x" * 64 + ".example"])
def test_check_helo_what_is_no_domain_is_none_and_not_asked(name: str) -> None:
    resolver = FakeResolver({})
    outcome = asyncio.run(check_helo(CLIENT, name, resolver))
    assert outcome.result is Result.NONE
    assert resolver.asked == []


def test_check_spf_eleventh_term_is_permerror_and_not_asked() -> None:
    terms = " ".join(f"exists:e{i}.example" for i in range(11))
    zone: dict[str, object] = {f"e{i}.example": {"TXT": ["x"]} for i in range(11)}
    resolver = FakeResolver({**zone, "example.org": record(f"v=spf1 {terms} -all")})
    means = SpfMeans(limits=SpfLimits(void_lookups=11))
    sender = Mailbox("a", "example.org")
    outcome = asyncio.run(check_spf(CLIENT, sender, "mx", resolver, means))
    assert outcome.result is Result.PERMERROR
    assert outcome.reason == "more than 10 terms that ask the DNS, at exists:e10.example"
    asked = [("example.org", "TXT"), *((f"e{i}.example", "A") for i in range(10))]
    assert resolver.asked == asked


def test_check_spf_third_void_lookup_is_permerror() -> None:
    outcome = check({"example.org": record("v=spf1 a:v1.example a:v2.example a:v3.example +all")})
    assert outcome.result is Result.PERMERROR


def test_check_spf_scope_id_is_left_out() -> None:
    outcome = check({"example.org": record("v=spf1 ip6:fe80::/10 -all")}, ip="fe80::1%eth0")
    assert outcome.result is Result.PASS


def test_check_spf_mapped_address_is_the_ipv4_one() -> None:
    outcome = check({"example.org": record("v=spf1 ip4:192.0.2.1 -all")}, ip="::ffff:192.0.2.1")
    assert outcome.result is Result.PASS


def test_check_spf_quoted_local_part_keeps_the_domain() -> None:
    zone: dict[str, object] = {"example.org": record("v=spf1 -all"), "evil.example": "servfail"}
    outcome = check(zone, Mailbox('"x@evil.example"', "example.org"))
    assert (outcome.result, outcome.domain) == (Result.FAIL, "example.org")


def test_check_spf_domain_outside_of_ascii_is_asked_in_a_labels() -> None:
    outcome = check(
        {"xn--bcher-kva.example": record("v=spf1 -all")}, Mailbox("a", "Bücher.example")
    )
    assert (outcome.result, outcome.domain) == (Result.FAIL, "xn--bcher-kva.example")


def test_check_spf_local_part_outside_of_ascii_matches_no_macro() -> None:
    zone = {"example.org": record("v=spf1 exists:%{l}.example.org -all")}
    resolver = FakeResolver({**zone, "*.example.org": {"A": ["127.0.0.2"]}})
    checking = check_spf(CLIENT, Mailbox("bücher", "example.org"), "mx", resolver)
    assert asyncio.run(checking).result is Result.FAIL
    assert resolver.asked == [("example.org", "TXT")]


def test_check_spf_failing_lookup_of_a_client_name_is_passed_over() -> None:
    zone: dict[str, object] = {
        "example.org": record("v=spf1 ptr:good.example -all"),
        "192.0.2.1": {"PTR": ["bad.example", "mx.good.example"]},
        "bad.example": "servfail",
        "mx.good.example": {"A": ["192.0.2.1"]},
    }
    assert check(zone).result is Result.PASS
    assert check({**zone, "192.0.2.1": "servfail"}).result is Result.FAIL


def explained(text: str) -> str:
    zone: dict[str, object] = {
        "example.org": record("v=spf1 -all exp=why.example.org"),
        "why.example.org": record(text),
    }
    return check(zone).explanation


def test_check_spf_explanation_of_the_domain_is_given() -> None:
    assert explained("%{i} may not send for %{d}") == "192.0.2.1 may not send for example.org"


def test_check_spf_explanation_is_made_safe() -> None:
    zone: dict[str, object] = {
        "example.org": record("v=spf1 -all exp=why.example.org"),
        "why.example.org": record("%{h} is not known"),
    }
    checking = check_spf(
        CLIENT, Mailbox("a", "example.org"), "x\r\n250 ok\x1b[2J", FakeResolver(zone)
    )
    assert asyncio.run(checking).explanation == "x?250 ok?[2J is not known"


@pytest.mark.parametrize(
    "text",
    ["é", "%{x}", "x" * 481, "no\r\n250 ok"],
    ids=["not-ascii", "macro", "long", "line-break"],
)
def test_check_spf_explanation_that_cannot_be_used_is_left_out(text: str) -> None:
    assert explained(text) == ""


def test_check_spf_two_records_are_permerror() -> None:
    outcome = check({"example.org": {"TXT": ["v=spf1 +all", "v=spf1 -all"]}})
    assert outcome.result is Result.PERMERROR


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("v=spf1 x=1 x=2 X=3 -all", id="unknown-modifier-often"),
        pytest.param("v=spf1 REDIRECT=fails.example", id="modifier-in-capitals"),
    ],
)
def test_check_spf_modifiers_are_read_as_the_rfc_has_them(text: str) -> None:
    zone = {"example.org": record(text), "fails.example": record("v=spf1 -all")}
    assert check({**zone}).result is Result.FAIL


@pytest.mark.parametrize(
    "text",
    ["v=spf1 exp=a.example exp=b.example -all", "v=spf1 x=%{z} -all", "v=spf1 x=1 x=%{z} -all"],
)
def test_check_spf_wrong_modifier_is_permerror(text: str) -> None:
    assert check({"example.org": record(text)}).result is Result.PERMERROR


HOSTILE = {
    "long-record": "v=spf1 " + "ip4:192.0.2.9 " * 1400 + "-all",
    "endless-include": "v=spf1 include:%{d} -all",
    "control-characters": "v=spf1 a:\x00\x01 -all",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_check_spf_hostile_record_is_permerror(text: str) -> None:
    assert check({"example.org": record(text)}).result is Result.PERMERROR


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("v=spf1 a:%%" + "." * 12_000 + "x -all", id="dots"),
        pytest.param("v=spf1 a:" + "%{d}" * 3_000 + " -all", id="macros"),
        pytest.param("v=spf1 a:" + "a" * 12_000 + "!.x -all", id="label"),
        pytest.param("v=spf1 a:%{d" + "1" * 12_000 + "r}.example -all", id="digits"),
        pytest.param("v=spf1 " + "x=" * 6_000 + " -all", id="modifiers"),
    ],
)
def test_check_spf_costly_name_matches_nothing(text: str) -> None:
    resolver = FakeResolver({"example.org": record(text)})
    outcome = asyncio.run(check_spf(CLIENT, Mailbox("a", "example.org"), "mx", resolver))
    assert outcome.result is Result.FAIL
    assert len(resolver.asked) <= 2


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        pytest.param("%{S}" * 16_000, "", id="longer-than-any"),
        pytest.param("%{S}" * 500, "", id="longer-than-a-reply"),
        pytest.param("x" * 481, "", id="no-macros"),
        pytest.param("x" * 478 + "%%%_", "x" * 478 + "% ", id="fits"),
    ],
)
def test_check_spf_explanation_that_fits_no_reply_is_none(text: str, explanation: str) -> None:
    zone = {"example.org": record("v=spf1 exp=e.example -all"), "e.example": record(text)}
    outcome = check({**zone}, Mailbox("!" * 256, "example.org"))
    assert (outcome.result, outcome.explanation) == (Result.FAIL, explanation)


def test_check_spf_too_long_an_explanation_is_read_once_for_all_senders() -> None:
    zone = {"example.org": record("v=spf1 exp=e.example -all"), "e.example": record("%{S}" * 9_000)}
    resolver, means = FakeResolver(zone), SpfMeans(memory=SpfMemory(lambda: 0.0))

    async def run() -> None:
        for number in range(5):
            sender = Mailbox(f"{number}!", "example.org")
            await check_spf(CLIENT, sender, "mx", resolver, means)

    asyncio.run(run())
    assert len(resolver.asked) == 2


@pytest.mark.parametrize("filler", ["ip6::: " * 300, "x=%{d}%{d}%{d}%{d}%{d} " * 200])
def test_check_spf_records_that_are_long_together_are_permerror(filler: str) -> None:
    zone = {f"i{number}.example": record(f"v=spf1 {filler}") for number in range(10)}
    few = {**zone, "example.org": record("v=spf1 include:i0.example include:i1.example -all")}
    includes = " ".join(f"include:{name}" for name in zone)
    many = {**zone, "example.org": record(f"v=spf1 {includes} -all")}

    assert check({**few}).result is Result.FAIL
    outcome = check({**many})
    assert outcome.result is Result.PERMERROR
    assert outcome.reason.endswith("are too long")


def test_check_spf_addresses_of_a_name_are_bounded() -> None:
    addresses = [f"198.51.{i // 250}.{i % 250}" for i in range(5000)]
    zone = {"example.org": {"TXT": ["v=spf1 a -all"], "A": [*addresses, "192.0.2.1"]}}
    assert check({**zone}).result is Result.FAIL


WORDS = (
    "a|mx|ptr|include:|redirect=|exp=|exists:|ip4:|ip6:|%{|}|%|%{i}|%{lr-}|%{p}|/|//|:|-all|~|?|+|."
    "|b.example| | | | "
)
TERMS = st.sampled_from(WORDS.split("|"))


@given(st.lists(TERMS, max_size=25).map("".join), st.binary(max_size=60))
def test_check_spf_any_record_gives_a_result(text: str, octets: bytes) -> None:
    zone: dict[str, object] = {
        "example.org": record(f"v=spf1 {text}"),
        "b.example": {"TXT": [b"v=spf1 " + octets], "MX": [[1, "m.example"]], "A": ["192.0.2.7"]},
        "m.example": "servfail",
        "192.0.2.1": {"PTR": ["b.example", "m.example"]},
    }
    assert check(zone).result is not Result.POLICY


@given(st.text(max_size=80), st.text(max_size=80))
def test_check_spf_any_address_gives_a_result(local_part: str, domain: str) -> None:
    resolver = FakeResolver({"*.example": record("v=spf1 exists:%{l}.%{d}.%{h} -all")})
    checking = check_spf(ELSEWHERE, Mailbox(local_part, f"{domain}.example"), domain, resolver)
    assert asyncio.run(checking).result is not Result.PASS


def test_check_spf_many_at_once_do_not_mix() -> None:
    class Slow:
        def __init__(self, zone: dict[str, object]) -> None:
            self.inner = FakeResolver(zone)

        async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
            await asyncio.sleep(0)
            return await self.inner.resolve(name, rrtype)

    async def run() -> list[Result]:
        texts = ["v=spf1 a -all", "v=spf1 mx ~all", "v=spf1 a ?all"] * 10
        sender = Mailbox("a", "example.org")
        calls = [
            check_spf(IPv6Address(i), sender, "mx", Slow({"example.org": record(text)}))
            for i, text in enumerate(texts, 1)
        ]
        return [outcome.result for outcome in await asyncio.gather(*calls)]

    assert asyncio.run(run()) == [Result.FAIL, Result.SOFTFAIL, Result.NEUTRAL] * 10
