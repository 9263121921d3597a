"""Signed messages of other projects, and their canonical forms, against ours.

Their expectations are held where RFC 8301 still allows them: rsa-sha1 and keys under 1024 bits
never pass here, DomainKeys (RFC 4870) is not DKIM, and drafts from before RFC 4871 are not judged.
"""

import asyncio
import json
from typing import Any

import pytest

from milter.auth.dkim import DkimResult, check_dkim
from milter.auth.dkim.body import canonical_body
from milter.auth.dkim.fields import split_message
from milter.dns.fake import FakeResolver
from tests.support.third_party import SHARED

DATA = SHARED / "conformance/dkim"

pytestmark = [
    pytest.mark.conformance,
    pytest.mark.skipif(not DATA.exists(), reason=f"no DKIM test data at {DATA}"),
]

# The seventh of November 2022: two real signatures were just made, one expires on the eighth.
NOW = 1_667_850_000


def read(name: str) -> bytes:
    """Return a file of the data with its lines ended by CRLF."""
    return crlf((DATA / name).read_bytes())


def crlf(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def check(message: bytes, zone: dict[str, object], now: int = NOW) -> list[DkimResult]:
    return [*asyncio.run(check_dkim(message, FakeResolver(zone), now=now))]


def names(folder: str, pattern: str) -> list[str]:
    return sorted(path.name for path in (DATA / folder).glob(pattern))


@pytest.mark.parametrize("name", names("stalwart", "*.txt"))
def test_check_dkim_real_messages_pass(name: str) -> None:
    head, _, message = (DATA / "stalwart" / name).read_bytes().partition(b"\n\n")
    zone: dict[str, object] = {}
    for line in head.decode().splitlines():
        owner, _, text = line.partition(" ")
        zone[owner] = {"TXT": [text]}
    results = [outcome.result.value for outcome in check(crlf(message), zone)]
    assert results
    assert set(results) == {"pass"}


def test_check_dkim_expired_real_message_is_no_pass() -> None:
    head, _, message = (DATA / "stalwart/005.txt").read_bytes().partition(b"\n\n")
    owner, _, text = head.decode().partition(" ")
    (outcome,) = check(crlf(message), {owner: {"TXT": [text]}}, 1_667_930_064 + 301)
    assert (outcome.result.value, outcome.reason) == ("permerror", "the signature has expired")


def corpus_cases() -> list[Any]:
    path = DATA / "mail-dkim-corpus/expected.json"
    return [*json.loads(path.read_text())["cases"]] if path.exists() else []


def expected_of(name: str) -> tuple[set[str], str]:
    """Return the results that RFC 8301 leaves of a good message of the corpus, and the reason."""
    if name.startswith("good_dk_"):
        return set(), ""
    if name == "goodkey_ed25519.txt":
        return {"pass"}, ""
    if name == "good_ietf01_1.txt":
        return {"permerror"}, "the signature has no v="
    return {"permerror"}, "signed with rsa-sha1"


@pytest.mark.parametrize("name", corpus_cases())
def test_check_dkim_corpus_is_judged_as_rfc_8301_has_it(name: str) -> None:
    keys = json.loads((DATA / "mail-dkim-corpus/expected.json").read_text())["dns_txt"]
    zone: dict[str, object] = {o: {"TXT": [text]} for o, text in keys.items() if ".." not in o}
    outcomes = check((DATA / "mail-dkim-corpus/corpus" / name).read_bytes(), zone)
    results, reason = expected_of(name)
    assert {outcome.result.value for outcome in outcomes} == results
    assert all(outcome.reason == reason for outcome in outcomes)


def dkimpy_zone() -> dict[str, object]:
    texts = json.loads((DATA / "dkimpy/dns.json").read_text())["txt"]
    zone: dict[str, object] = {}
    for owner, values in texts.items():
        # Where several keys were used in turn, the first one belongs to the messages checked here.
        first = next((text for text in values if text != "@sample_dns"), None)
        if first is not None and first.startswith("@file:"):
            first = (DATA / "dkimpy" / first.removeprefix("@file:")).read_text().strip()
        zone[owner] = {"TXT": [first] if first else []}
    football = json.loads((DATA / "mailauth/test/dkim/ec/fixtures/dns.json").read_text())
    owner = "test._domainkey.football.example.com"
    return {**zone, owner: {"TXT": football[owner]["TXT"]}}


@pytest.mark.parametrize(
    ("name", "results"),
    [
        ("dkimpy/rfc6376.signed.msg", ["pass", "pass"]),
        ("dkimpy/rfc6376.signed.rsa.msg", ["pass"]),
        # Its t= was taken out after signing.
        ("dkimpy/rfc6376.signed.no_t.msg", ["fail"]),
        ("dkimpy/ed25519test2.msg", ["pass"]),
        ("dkimpy/test2.message", ["pass"]),
        ("mimekit/gmail.msg", ["pass"]),
        ("mimekit/multipart-no-end-boundary.msg", ["pass"]),
        ("mimekit/related.msg", ["pass"]),
        ("mimekit/rfc8463-example.msg", ["pass", "pass"]),
    ],
)
def test_check_dkim_messages_of_libraries_are_judged_alike(name: str, results: list[str]) -> None:
    outcomes = check(read(name), dkimpy_zone())
    assert [outcome.result.value for outcome in outcomes] == results


@pytest.mark.parametrize("form", ["simple", "relaxed"])
@pytest.mark.parametrize("name", names("flanker-canonicalisation", "email.*"))
def test_canonical_body_is_the_published_one(name: str, form: str) -> None:
    message = read(f"flanker-canonicalisation/{name}")
    expected = read(f"flanker-canonicalisation/{form}.expected.{name.removeprefix('email.')}")
    _, start = split_message(message)
    header_ends = 0 if expected.startswith(b"\r\n") else expected.index(b"\r\n\r\n") + 2
    pieces = canonical_body(message, start, relaxed=form == "relaxed")
    assert b"".join(pieces) == expected[header_ends + 2 :]
