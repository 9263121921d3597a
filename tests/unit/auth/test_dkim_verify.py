"""Results of DKIM for signatures of every kind, made by `tests.support.dkim_signer`."""

import asyncio
import re
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milter.auth.dkim import check_dkim
from milter.auth.results import Result
from milter.dns.fake import FakeResolver
from tests.support.dkim_judged import check, one
from tests.support.dkim_signer import (
    MESSAGE,
    NAME,
    NOW,
    Pair,
    dkimpy_signed,
    ed25519_pair,
    relaxed_body,
    rsa_pair,
    short_record,
    signed,
)

FORMS = ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("bits", [1024, 2048])
def test_check_dkim_rsa_signature_is_pass(form: str, bits: int) -> None:
    pair = rsa_pair(bits)
    outcome = one(dkimpy_signed(MESSAGE, pair, form=form), pair.record)
    assert outcome.result is Result.PASS
    assert outcome.key_bits == bits
    assert (outcome.domain, outcome.selector) == ("example.org", "sel")
    assert (outcome.algorithm, outcome.identity) == ("rsa-sha256", "@example.org")
    assert re.fullmatch("[A-Za-z0-9+/]{8}", outcome.signature)


@pytest.mark.parametrize("form", FORMS)
def test_check_dkim_ed25519_signature_is_pass(form: str) -> None:
    pair = ed25519_pair()
    outcome = one(dkimpy_signed(MESSAGE, pair, b"ed25519-sha256", form), pair.record)
    assert (outcome.result, outcome.algorithm) == (Result.PASS, "ed25519-sha256")


@pytest.mark.parametrize("pair", [rsa_pair, ed25519_pair], ids=["rsa", "ed25519"])
@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"Hello", b"Hallo", "the body was changed"),
        (b"folded", b"folden", "a signed header was changed"),
        (b"From: Alice", b"From: Mallory", "a signed header was changed"),
        (b"To: bob@example.net\r\n", b"", "a signed header was changed"),
    ],
    ids=["body", "header", "from", "header-removed"],
)
def test_check_dkim_tampered_message_is_fail(
    pair: Callable[[], Pair], old: bytes, new: bytes, reason: str
) -> None:
    keys = pair()
    algorithm = b"rsa-sha256" if b"k=rsa" in keys.record else b"ed25519-sha256"
    message = dkimpy_signed(MESSAGE, keys, algorithm).replace(old, new)
    outcome = one(message, keys.record)
    assert (outcome.result, outcome.reason) == (Result.FAIL, reason)


def test_check_dkim_own_signer_is_pass() -> None:
    assert one(signed(), rsa_pair().record).result is Result.PASS


def test_check_dkim_without_signature_is_nothing_and_asks_nothing() -> None:
    resolver = FakeResolver({})
    assert asyncio.run(check_dkim(MESSAGE, resolver, now=NOW)) == ()
    assert resolver.asked == []


def test_check_dkim_appended_text_is_no_pass() -> None:
    length = str(len(relaxed_body(MESSAGE.partition(b"\r\n\r\n")[2])))
    message = signed(l=length)
    whole = one(message, rsa_pair().record)
    assert whole.result is Result.PASS
    assert whole.reason == f"l= covers the body's {length} octets, not what may follow"
    outcome = one(message + b"Buy now!\r\n", rsa_pair().record)
    assert (outcome.result, outcome.weak) == (Result.POLICY, True)
    assert outcome.reason == "text was appended to the signed body"


def test_check_dkim_rsa_sha1_never_passes_and_is_not_asked_for() -> None:
    resolver = FakeResolver({NAME: {"TXT": [rsa_pair().record]}})
    message = dkimpy_signed(MESSAGE, rsa_pair(), b"rsa-sha1")
    (outcome,) = asyncio.run(check_dkim(message, resolver, now=NOW))
    assert (outcome.result, outcome.weak) == (Result.PERMERROR, True)
    assert outcome.reason == "signed with rsa-sha1"
    assert resolver.asked == []


RECORD_REFUSALS: Mapping[str, tuple[bytes, str]] = {
    "short-key": (short_record(768), "the key has only 768 bits"),
    "one-bit-short": (short_record(1023), "the key has only 1023 bits"),
    "giant-key": (short_record(4104), "the key has 4104 bits"),
    "long-exponent": (short_record(2048, (1 << 32) + 1), "the key has too long an exponent"),
    "revoked": (b"v=DKIM1; p=", "the key is revoked"),
    "other-version": (b"v=DKIM2; p=AAAA", "the key record has another version"),
    "other-kind": (b"k=ed25519; p=AAAA", "the key is not for rsa"),
    "unknown-kind": (b"k=dsa; p=AAAA", "the key is not for rsa"),
    "other-hash": (b"h=sha1; p=AAAA", "the key is not for sha256"),
    "not-for-mail": (b"s=tlsrpt; p=AAAA", "the key is not for mail"),
    "no-base64": (b"p=!", "the key cannot be read"),
    "garbage": (b"p=AAAA", "the key cannot be read"),
    "no-record": (b"hello", "no key record in the DNS"),
    "doubled-tag": (b"p=x; p=y", "the key record cannot be read: a tag that stands twice"),
    "empty-tag": (
        b"v=DKIM1;; p=AAAA",
        "the key record cannot be read: a tag without name or value",
    ),
    "version-behind": (
        b"k=rsa; v=DKIM1; p=AAAA",
        "the key record cannot be read: v= is not its first tag",
    ),
    "no-key-in-it": (b"v=DKIM1; k=rsa", "the key record has no p="),
    "oversized": (b"p=" + b"A" * 5000, "the key record is too long"),
}


@pytest.mark.parametrize(("record", "reason"), RECORD_REFUSALS.values(), ids=RECORD_REFUSALS.keys())
def test_check_dkim_unusable_key_is_permerror(record: bytes, reason: str) -> None:
    outcome = one(signed(), record)
    assert (outcome.result, outcome.reason) == (Result.PERMERROR, reason)
    assert outcome.weak == ("only" in reason)


@pytest.mark.parametrize(
    "extra", [b"; s=email:web; h=sha1 : sha256", b"; t=y:s", b"; n=note; x=1", b";", b"; s=*"]
)
def test_check_dkim_key_with_more_tags_is_used(extra: bytes) -> None:
    assert one(signed(), rsa_pair().record + extra).result is Result.PASS


def test_check_dkim_testing_key_is_said() -> None:
    assert one(signed(), rsa_pair().record + b"; t=y").testing
    assert not one(signed(), rsa_pair().record).testing


def test_check_dkim_key_for_the_domain_alone_refuses_subdomains() -> None:
    message = signed(i="a@sub.example.org")
    assert one(message, rsa_pair().record).result is Result.PASS
    outcome = one(message, rsa_pair().record + b"; t=s")
    assert outcome.result is Result.PERMERROR


def test_check_dkim_key_beside_other_texts_is_found() -> None:
    assert one(signed(), {"TXT": [b"hello", rsa_pair().record]}).result is Result.PASS


def test_check_dkim_several_keys_are_permerror() -> None:
    outcome = one(signed(), {"TXT": [rsa_pair().record, rsa_pair(1024).record]})
    assert (outcome.result, outcome.reason) == (Result.PERMERROR, "several key records in the DNS")


def test_check_dkim_key_in_several_strings_is_joined() -> None:
    record = rsa_pair().record
    outcome = one(signed(), {"TXT": [[record[:100], record[100:]]]})
    assert outcome.result is Result.PASS


@pytest.mark.parametrize("word", ["servfail", "timeout", "refused"])
def test_check_dkim_failing_dns_is_temperror(word: str) -> None:
    outcome = one(signed(), word)
    assert (outcome.result, outcome.reason) == (Result.TEMPERROR, f"{word} for the key")


@pytest.mark.parametrize("word", ["nxdomain", "nodata"])
def test_check_dkim_no_key_is_permerror(word: str) -> None:
    outcome = one(signed(), word)
    assert (outcome.result, outcome.reason) == (Result.PERMERROR, "no key in the DNS")


@pytest.mark.parametrize(
    ("tags", "result", "reason"),
    [
        ({"t": NOW, "x": NOW + 1}, Result.PASS, ""),
        ({"x": NOW - 299}, Result.PASS, ""),
        ({"x": NOW - 301}, Result.PERMERROR, "the signature has expired"),
        ({"t": NOW + 35_999}, Result.PASS, ""),
        ({"t": NOW + 36_001}, Result.PERMERROR, "the signature is from the future"),
        ({"t": NOW, "x": NOW - 1}, Result.PERMERROR, "the signature expired before it was made"),
        ({"x": "soon"}, Result.PERMERROR, "the signature's x= is no number"),
        ({"t": NOW, "x": NOW}, Result.PERMERROR, "the signature expired before it was made"),
        ({"t": "9" * 77}, Result.PERMERROR, "the signature's t= is no number"),
        ({"l": "9" * 76}, Result.PERMERROR, "the signature's l= is more than the body"),
        ({"l": "-1"}, Result.PERMERROR, "the signature's l= is no number"),
        ({"h": "to:subject"}, Result.PERMERROR, "the signature does not cover From"),
        ({"h": "from::to"}, Result.PERMERROR, "the signature's h= is no list of fields"),
        ({"h": "from to"}, Result.PERMERROR, "the signature's h= is no list of fields"),
        ({"i": "example.org"}, Result.PERMERROR, "the signature's i= is no address"),
        ({"i": ""}, Result.PERMERROR, "the signature's i= is no address"),
        ({"i": "a@.example.org"}, Result.PERMERROR, "the signature's i= is no address"),
        ({"h": "from" + ":to" * 200}, Result.PERMERROR, "the signature covers too many fields"),
        ({"i": "a@example.net"}, Result.PERMERROR, "the signature's i= is not within its d="),
        ({"i": "a@badexample.org"}, Result.PERMERROR, "the signature's i= is not within its d="),
        ({"i": "a=40b@sub.example=2Eorg"}, Result.PASS, ""),
        ({"q": "foo/bar:dns/txt"}, Result.PASS, ""),
        ({"q": "foo"}, Result.PERMERROR, "the signature's key is not in the DNS"),
        ({"c": "nowsp"}, Result.PERMERROR, "the signature has an unknown canonicalization"),
        ({"c": "relaxed/"}, Result.PERMERROR, "the signature has an unknown canonicalization"),
        ({"bh": "A" * 5 + "==="}, Result.PERMERROR, "the signature's bh= is not base64"),
        ({"bh": "%%%%"}, Result.PERMERROR, "the signature's bh= is not base64"),
        ({"d": ""}, Result.PERMERROR, "the signature names no key"),
        ({"d": "org"}, Result.PERMERROR, "the signature names no key"),
        ({"d": "exa mple.org"}, Result.PERMERROR, "the signature names no key"),
        ({"s": "*"}, Result.PERMERROR, "the signature names no key"),
        ({"s": "a..b"}, Result.PERMERROR, "the signature names no key"),
        ({"n": "x" * 9000}, Result.PERMERROR, "the signature field is too long"),
        ({"n": "b" + "\r\n " * 100}, Result.PASS, ""),
        (
            {f"z{i}": "x" for i in range(60)},
            Result.PERMERROR,
            "the signature's tags cannot be read",
        ),
        ({"v": "2"}, Result.PERMERROR, "the signature has another version"),
        ({"v": None}, Result.PERMERROR, "the signature has no v="),
        ({"a": "rsa-sha512"}, Result.PERMERROR, "the signature has an unknown algorithm"),
        ({"n": "a; n=b"}, Result.PERMERROR, "the signature's tags cannot be read"),
    ],
)
def test_check_dkim_tags_of_the_signature_are_judged(
    tags: dict[str, object], result: Result, reason: str
) -> None:
    given = {name: None if value is None else str(value) for name, value in tags.items()}
    outcome = one(signed(**given), rsa_pair().record)
    assert (outcome.result, outcome.reason) == (result, reason)


@pytest.mark.parametrize("tag", ["v", "a", "d", "s", "h", "bh"])
def test_check_dkim_missing_tag_is_permerror(tag: str) -> None:
    assert one(signed(**{tag: None}), rsa_pair().record).result is Result.PERMERROR


@pytest.mark.parametrize("algorithm", ["rsa-sha512", "ed25519-sha256", "RSA", "", "rsa-md5"])
def test_check_dkim_other_algorithm_is_permerror(algorithm: str) -> None:
    assert one(signed(a=algorithm), rsa_pair().record).result is Result.PERMERROR


def test_check_dkim_signatures_are_judged_from_the_top_up_to_the_limit() -> None:
    message = signed(n="x" * 9000)
    for selector in ("one", "two"):
        message = signed(message, s=selector)
    outcomes = check(message, rsa_pair().record, limit=2)
    assert [outcome.selector for outcome in outcomes] == ["two", "one"]


def test_check_dkim_past_the_limit_the_authors_signatures_come_first() -> None:
    message = MESSAGE
    for domain in ("example.org", "sub.example.org", *["other.example"] * 3):
        message = signed(message, d=domain)
    zone = {f"sel._domainkey.{d}": {"TXT": [rsa_pair().record]} for d in ("example.org",)}
    judged = asyncio.run(
        check_dkim(message, FakeResolver(zone), now=NOW, limit=3, authors=["example.org"])
    )
    assert [each.domain for each in judged] == ["other.example", "sub.example.org", "example.org"]
    assert judged[-1].result is Result.PASS


def test_check_dkim_each_key_is_asked_for_once_and_all_at_once() -> None:
    message = signed(signed(signed(), s="other"))
    resolver = FakeResolver(
        {NAME: {"TXT": [rsa_pair().record]}, "other._domainkey.example.org": "timeout"}
    )
    outcomes = asyncio.run(check_dkim(message, resolver, now=NOW))
    assert [o.result for o in outcomes] == [Result.PASS, Result.TEMPERROR, Result.PASS]
    assert len(resolver.asked) == 2


def test_check_dkim_large_body_is_judged_alike() -> None:
    message = MESSAGE + b"A long line of text with  two blanks.\r\n" * 20_000
    assert one(signed(message), rsa_pair().record).result is Result.PASS
    assert one(signed(message) + b"more\r\n", rsa_pair().record).result is Result.FAIL


def test_check_dkim_header_that_cannot_be_read_is_permerror() -> None:
    outcome = one(b"no field\r\n" + signed(), rsa_pair().record)
    assert (outcome.result, outcome.reason) == (
        Result.PERMERROR,
        "a line of the header is no field",
    )


def test_check_dkim_header_that_cannot_be_read_without_signature_is_nothing() -> None:
    assert check(b"no field\r\n" + MESSAGE, rsa_pair().record) == []


def test_check_dkim_cancelled_while_waiting_is_cancelled() -> None:
    async def run() -> None:
        async with asyncio.timeout(0):
            resolver = FakeResolver({NAME: "silence", "b._domainkey.example.org": "silence"})
            await check_dkim(signed(signed(), s="b"), resolver, now=NOW)

    with pytest.raises(TimeoutError):
        asyncio.run(run())


TAGS = st.dictionaries(
    st.sampled_from([*"vacdshlitxqz", "bh"]),
    st.one_of(
        st.none(),
        st.text(st.characters(max_codepoint=255, exclude_characters="\r\n;"), max_size=12),
        st.sampled_from(
            ["from:from", "simple", "relaxed/simple", "0", "1", "=", "@", "a@example.org"]
        ),
    ),
    max_size=4,
)


@given(TAGS, st.binary(max_size=30))
def test_check_dkim_any_tags_and_key_give_a_result(
    tags: dict[str, str | None], noise: bytes
) -> None:
    message = signed(**{k: v for k, v in tags.items() if v is None or v.isascii()})
    for record in (rsa_pair().record + b"; " + noise, b"p=" + noise):
        outcome = one(message, record)
        assert outcome.result is not Result.NONE


@given(st.integers(0, 700), st.binary(min_size=1, max_size=4))
def test_check_dkim_any_damage_to_the_field_gives_a_result(place: int, noise: bytes) -> None:
    whole = signed()
    field, rest = whole[: whole.index(b"From:")], whole[whole.index(b"From:") :]
    damaged = field[:place] + noise + field[place:] + rest
    for outcome in check(damaged, rsa_pair().record):
        assert outcome.result in set(Result)


def large_body_without_time(message: bytes, zone: Mapping[str, object]) -> list[tuple[str, str]]:
    results = asyncio.run(check_dkim(message, FakeResolver(zone), now=NOW, wait_s=0))
    return [(said.result.value, said.reason) for said in results]


def test_check_dkim_without_time_for_the_body_doubts_only_what_could_hold() -> None:
    pair = rsa_pair()
    message = dkimpy_signed(MESSAGE + b"more of it\r\n" * 30_000, pair)
    zone = {NAME: {"TXT": [pair.record]}}
    unasked = message.replace(b"s=sel", b"s=none", 1)
    forged = message.replace(b"From: Alice", b"From: Mallory", 1)

    assert large_body_without_time(message, zone) == [("temperror", "no time for the body")]
    assert large_body_without_time(unasked, zone) == [("permerror", "no key in the DNS")]
    assert large_body_without_time(forged, zone) == [("fail", "a signed header was changed")]
