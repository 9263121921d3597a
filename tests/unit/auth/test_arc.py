"""Chains of seals made by dkimpy, whole and damaged (RFC 8617 §4, §5)."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.auth.arc import ArcResult, check_arc
from milter.auth.arc.said import dmarc_passed
from milter.auth.results import Result
from milter.dns.fake import FakeResolver
from tests.support.arc_sealer import sealed, sealer_zone
from tests.support.dkim_signer import MESSAGE, NOW

if TYPE_CHECKING:
    from pathlib import Path

    from milter.dns.resolver import Answer, Rrtype

DOMAINS = ("one.example", "two.example", "three.example")
ZONE = sealer_zone(*DOMAINS)


def chain(hops: int = 3) -> bytes:
    message = MESSAGE
    for domain in DOMAINS[:hops]:
        message = sealed(message, domain, "dmarc=pass header.from=example.org")
    return message


def check(message: bytes, zone: dict[str, object] | None = None) -> ArcResult:
    return asyncio.run(check_arc(message, FakeResolver(ZONE if zone is None else zone), now=NOW))


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_chain_of_dkimpy_passes(hops: int) -> None:
    result = check(chain(hops))

    assert (result.result, result.reason) == (Result.PASS, "")
    assert [seal.domain for seal in result.seals] == [*DOMAINS[:hops]]
    assert all(seal.dmarc_passed == {"example.org"} for seal in result.seals)
    assert result.sealer == DOMAINS[hops - 1]


def test_message_without_seals_is_none_and_asks_nothing() -> None:
    resolver = FakeResolver({})

    assert asyncio.run(check_arc(MESSAGE, resolver, now=NOW)).result is Result.NONE
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(b"Hello", b"Hallo", "signature of hop 3: the body was changed", id="body"),
        pytest.param(b"folded", b"folden", "hop 3: a signed header was changed", id="header"),
        pytest.param(
            b"arc=pass", b"arc=fail", "seal 3 of three.example: an ARC field", id="results"
        ),
        pytest.param(b"cv=none", b"cv=pass", "seal 1 says cv=pass", id="first-says-pass"),
        pytest.param(b"i=1; a=rsa", b"i=4; a=rsa", "not three ARC fields", id="a-gap"),
        pytest.param(b"i=2; a=rsa", b"i=1; a=rsa", "two ARC fields of one kind", id="twice"),
        pytest.param(b"i=2; a=rsa", b"i=0; a=rsa", "without a valid i=", id="zero"),
        pytest.param(b"i=2; a=rsa", b"i=51; a=rsa", "without a valid i=", id="fifty-one"),
        pytest.param(b"i=2; a=rsa", b"i=+2; a=rsa", "without a valid i=", id="sign"),
        pytest.param(b"ARC-Seal: i=2", b"X-Seal: i=2", "not three ARC fields", id="missing"),
        pytest.param(b"s=sel; t=", b"s=sel; h=from; t=", "has an h=", id="seal-with-h"),
        pytest.param(b"s=sel; t=16", b"s=sel; t=x6", "t= is no number", id="time"),
        pytest.param(b"a=rsa-sha256;", b"a=rsa-sha1;", "has an unknown algorithm", id="sha1"),
    ],
)
def test_chain_that_was_changed_fails(old: bytes, new: bytes, reason: str) -> None:
    # dkimpy folds; on one line each the fields are easier to change, and as well signed.
    message = re.sub(rb"\r\n[ \t]+", b" ", chain())
    assert check(message).result is Result.PASS
    assert old in message

    result = check(message.replace(old, new, 1))

    assert result.result is Result.FAIL
    assert reason in result.reason
    assert result.seals == ()


def test_seal_that_says_fail_fails() -> None:
    message = sealed(sealed(MESSAGE, "one.example"), "two.example", chain="fail")

    assert check(message).reason == "seal 2 says cv=fail"


@pytest.mark.parametrize(
    ("zone", "reason"),
    [
        pytest.param({}, "no key in the DNS", id="no-key"),
        pytest.param(
            {**ZONE, "sel._domainkey.three.example": "servfail"}, "servfail for the key", id="last"
        ),
        pytest.param(
            {**ZONE, "sel._domainkey.one.example": "timeout"},
            "seal 1 of one.example: timeout for the key",
            id="first",
        ),
    ],
)
def test_chain_whose_key_is_not_known_fails(zone: dict[str, object], reason: str) -> None:
    result = check(chain(), zone)

    assert result.result is Result.FAIL
    assert reason in result.reason


@pytest.mark.parametrize(
    ("added", "reason"),
    [
        (b"Subject: another\r\n", "a Subject was added that is not signed"),
        (b"From: Boss <boss@example.org>\r\n", "a From was added that is not signed"),
    ],
)
def test_chain_with_a_field_on_top_of_what_was_sealed_says_so(added: bytes, reason: str) -> None:
    result = check(added + chain())

    assert (result.result, result.reason, result.uncovered) == (Result.PASS, "", reason)


def test_seals_are_asked_for_only_where_the_last_signature_holds() -> None:
    good, bad = FakeResolver(ZONE), FakeResolver(ZONE)

    asyncio.run(check_arc(chain(), good, now=NOW))
    asyncio.run(check_arc(chain().replace(b"Hello", b"Hallo"), bad, now=NOW))

    assert len({name for name, _ in good.asked}) == 3
    assert [name for name, _ in bad.asked] == ["sel._domainkey.three.example"]


def test_more_than_fifty_sets_fail() -> None:
    fields = b"".join(
        b"ARC-Seal: i=%d; cv=none\r\nARC-Message-Signature: i=%d\r\n"
        b"ARC-Authentication-Results: i=%d; x\r\n" % (n, n, n)
        for n in range(1, 60)
    )

    assert check(fields + MESSAGE).reason == "more than fifty ARC sets"


def test_header_that_cannot_be_read_fails_where_it_is_sealed() -> None:
    assert check(b"no field\r\n" + chain()).result is Result.FAIL
    assert check(b"no field\r\n" + MESSAGE).result is Result.NONE


@pytest.mark.parametrize(
    ("value", "domains"),
    [
        pytest.param("i=1; mx; dmarc=pass header.from=a.example", {"a.example"}, id="usual"),
        pytest.param("i=1; mx; DMARC = Pass header.from = A.Example", {"a.example"}, id="case"),
        pytest.param("i=1; mx; dmarc/1=pass header.from=a.example", {"a.example"}, id="version"),
        pytest.param('i=1; mx; dmarc=pass header.from="a.example"', {"a.example"}, id="quoted"),
        pytest.param("i=1; mx; dmarc=pass (p=none) header.from=a.example", {"a.example"}),
        pytest.param("i=1; mx; dmarc=pass header.from=x@a.example", {"a.example"}, id="address"),
        pytest.param("i=1; mx; dmarc=pass policy.dmarc=none", set(), id="no-domain"),
        pytest.param("i=1; mx; dmarc=fail header.from=a.example", set(), id="fail"),
        pytest.param("i=1; mx; spf=pass header.from=a.example", set(), id="another-method"),
        pytest.param("i=1; mx (; dmarc=pass header.from=a.example)", set(), id="in-a-comment"),
        pytest.param('i=1; mx; x=y reason="; dmarc=pass header.from=a.example"', set()),
        pytest.param('i=1; mx; "dmarc"=pass header.from=a.example', set(), id="quoted-method"),
        pytest.param("i=1; mx; spf=fail dmarc=pass header.from=a.example", set(), id="not-first"),
        pytest.param("i=1; mx; dmarc=pass header.from=", set(), id="cut"),
        pytest.param("i=1; mx (((((", set(), id="open-comment"),
    ],
)
def test_dmarc_passed_reads_what_the_hop_itself_says(value: str, domains: set[str]) -> None:
    assert dmarc_passed(value.encode()) == domains


WHOLE = chain(2)
HEADER_ENDS = WHOLE.index(b"From:")


@given(st.integers(0, HEADER_ENDS), st.binary(min_size=1, max_size=4))
def test_any_damage_to_the_chain_gives_a_result(place: int, noise: bytes) -> None:
    assert check(WHOLE[:place] + noise + WHOLE[place:]).result in set(Result)


def test_nothing_but_its_check_needs_the_folder(checkout: Path) -> None:
    needing = {
        path.relative_to(checkout).as_posix()
        for path in (checkout / "milter").rglob("*.py")
        if "milter.auth.arc" in path.read_text("utf-8")
    }

    assert {path for path in needing if "auth/arc/" not in path} == {"milter/checks/arc.py"}


class Crowded:
    """Asks a zone, and knows how many were asking at once."""

    def __init__(self, zone: dict[str, object]) -> None:
        self.most = self.now = 0
        self._inner = FakeResolver(zone)

    async def resolve(self, name: str, rrtype: Rrtype) -> Answer:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return await self._inner.resolve(name, rrtype)


def test_keys_of_many_seals_are_asked_for_a_few_at_once() -> None:
    domains = [f"hop{number}.example" for number in range(14)]
    message = MESSAGE
    for domain in domains:
        message = sealed(message, domain)
    resolver = Crowded(sealer_zone(*domains))

    result = asyncio.run(check_arc(message, resolver, now=NOW))

    assert (result.result, len(result.seals)) == (Result.PASS, 14)
    assert resolver.most == 10
