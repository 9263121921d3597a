"""Records as RFC 9989 §4.7, §4.8 and §4.10.1 have them."""

from __future__ import annotations

import pytest

from milter.auth.dmarc.record import DmarcRecord, Wish, parse_record


def record(text: str | bytes) -> DmarcRecord:
    parsed = parse_record(text.encode() if isinstance(text, str) else text)
    assert parsed is not None
    return parsed


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("v=", id="no-version"),
        pytest.param("v=DMARC12; p=none", id="longer-version"),
        pytest.param("v=dmarc1; p=none", id="value-is-case-sensitive"),
        pytest.param("v=DMARC1 p=none", id="no-semicolon"),
        pytest.param("p=none; v=DMARC1", id="version-not-first"),
        pytest.param(" v=DMARC1; p=none", id="space-before-it"),
        pytest.param("v=spf1 -all", id="spf"),
        pytest.param("V=BOB", id="somebody-else"),
    ],
)
def test_parse_record_of_another_text_is_none(text: str) -> None:
    assert parse_record(text.encode()) is None


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        pytest.param("v=DMARC1; p=reject", Wish.REJECT, id="usual"),
        pytest.param("v=DMARC1;p=quarantine;", Wish.QUARANTINE, id="no-space"),
        pytest.param("V = DMARC1 ; P = Reject ;", Wish.REJECT, id="names-and-wishes-without-case"),
        pytest.param("v=DMARC1\t;\tp\t=\treject\t;", Wish.REJECT, id="tabs"),
        pytest.param("v=DMARC1; sp=none; rua=mailto:a@b.c; p=reject", Wish.REJECT, id="any-order"),
        pytest.param("v=DMARC1", Wish.NONE, id="version-alone"),
        pytest.param("v=DMARC1;;", Wish.NONE, id="empty-tag"),
        pytest.param("v=DMARC1; sp=reject", Wish.NONE, id="no-p-is-none"),
        pytest.param("v=DMARC1; bogus; p=reject", Wish.REJECT, id="a-word-that-is-no-tag"),
        pytest.param("v=DMARC1; x=y; pct=0; ri=bad; rf=-; p=reject", Wish.REJECT, id="unknown"),
        pytest.param("v=DMARC1; psd=bad; t=bad; p=reject", Wish.REJECT, id="bad-values"),
    ],
)
def test_parse_record_wish(text: str, wish: Wish) -> None:
    parsed = record(text)

    assert (parsed.wish, parsed.broken) == (wish, "")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("p=bad", id="p"),
        pytest.param("p=", id="empty-p"),
        pytest.param("p=n", id="abbreviated"),
        pytest.param("p=reject; sp=bad", id="sp"),
        pytest.param("p=reject; np=bad", id="np"),
    ],
)
def test_parse_record_invalid_wish_asks_for_nothing_unless_reports_are_wanted(text: str) -> None:
    alone = record(f"v=DMARC1; {text}")
    reported = record(f"v=DMARC1; {text}; rua=mailto:a@example.org")

    assert alone.broken.endswith("is invalid")
    assert (reported.broken, reported.wish) == ("", Wish.NONE)
    assert (reported.subdomains, reported.missing) == (None, None)


@pytest.mark.parametrize(
    ("uris", "valid"),
    [
        pytest.param("mailto:a@example.org", ("mailto:a@example.org",), id="one"),
        pytest.param(
            "mailto:a@example.org!10m , MAILTO:b@example.org",
            ("mailto:a@example.org", "MAILTO:b@example.org"),
            id="two-and-a-size-that-is-ignored",
        ),
        pytest.param("https://example.org/r", ("https://example.org/r",), id="another-scheme"),
        pytest.param("bogus", (), id="no-scheme"),
        pytest.param("mailto:nobody", (), id="no-mailbox"),
        pytest.param("mailto:a@example.org!", (), id="size-without-digits"),
        pytest.param("", (), id="empty"),
    ],
)
def test_parse_record_reports_to_what_can_be_read(uris: str, valid: tuple[str, ...]) -> None:
    assert record(f"v=DMARC1; rua={uris}").reports_to == valid


def test_parse_record_reports_to_no_more_than_a_few() -> None:
    assert record("v=DMARC1; rua=" + "bad," * 20 + "a:b," * 500).reports_to == ("a:b",) * 10


def test_parse_record_long_record_takes_no_memory_when_it_is_read() -> None:
    usual, long = [b"v=DMARC1; p=none; rua=" + b"a:b," * count for count in (100, 1_000)]
    assert parse_record(usual) is parse_record(usual)
    assert parse_record(long) == parse_record(long)
    assert parse_record(long) is not parse_record(long)


def test_parse_record_all_tags() -> None:
    parsed = record("v=DMARC1; p=reject; sp=quarantine; np=none; t=y; psd=y; adkim=s; aspf=S")

    assert (parsed.subdomains, parsed.missing) == (Wish.QUARANTINE, Wish.NONE)
    assert (parsed.testing, parsed.psd) == (True, "y")
    assert (parsed.strict_dkim, parsed.strict_spf) == (True, True)


def test_parse_record_defaults() -> None:
    parsed = record("v=DMARC1; t=maybe; psd=; adkim=strict; aspf=\u00e9")

    assert (parsed.testing, parsed.psd) == (False, "u")
    assert (parsed.strict_dkim, parsed.strict_spf) == (False, False)


@pytest.mark.parametrize("tag", ["p=none", "psd=n", "rua=mailto:a@b.c"])
def test_parse_record_with_a_tag_twice_asks_for_nothing(tag: str) -> None:
    assert record(f"v=DMARC1; rua=mailto:x@y.z; {tag}; {tag}").broken.endswith("stands twice")


def test_parse_record_with_an_unknown_tag_twice_is_whole() -> None:
    assert record("v=DMARC1; p=none; x=1; x=2").broken == ""


def test_parse_record_too_long_asks_for_nothing() -> None:
    assert record(b"v=DMARC1; p=reject; x=" + b"y" * 9_000).broken == "the record is too long"


def test_parse_record_bytes_that_are_no_text_spoil_their_tag_alone() -> None:
    assert record(b"v=DMARC1; x=\xff\x00; p=reject").wish is Wish.REJECT
    assert record(b"v=DMARC1; p=rej\xffect").wish is Wish.NONE
