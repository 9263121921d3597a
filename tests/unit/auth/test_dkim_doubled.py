"""DKIM of messages to which somebody added header fields after the signer."""

from __future__ import annotations

import pytest

from milter.auth.results import Result
from tests.support.dkim_judged import one
from tests.support.dkim_signer import MESSAGE, rsa_pair, signed, signed_value_first


@pytest.mark.parametrize("name", ["From", "Subject", "To"])
def test_check_dkim_field_doubled_after_signing_is_no_pass(name: str) -> None:
    added = f"{name}: Mallory <m@example.com>\r\n".encode()
    whole = signed()
    outcome = one(added + whole, rsa_pair().record)
    assert (outcome.result, outcome.weak) == (Result.POLICY, True)
    assert outcome.reason == f"a {name} was added that is not signed"


@pytest.mark.parametrize("name", ["From ", "From\t", "Subject "])
@pytest.mark.parametrize("above", [b"", b"X: y\r\n"], ids=["topmost", "below-another"])
def test_check_dkim_field_doubled_with_space_before_its_colon_is_no_pass(
    name: str, above: bytes
) -> None:
    added = f"{name}: Mallory <m@example.com>\r\n".encode()

    outcome = one(above + added + signed(), rsa_pair().record)

    assert (outcome.result, outcome.weak) == (Result.POLICY, True)


def test_check_dkim_signed_field_with_space_before_its_colon_is_pass() -> None:
    # RFC 6376 §3.4.5 has such a field as its example.
    spaced = signed().replace(b"Subject: ", b"Subject \t: ")

    assert one(spaced, rsa_pair().record).result is Result.PASS


def test_check_dkim_from_line_of_a_mailbox_is_passed_over_at_the_top_only() -> None:
    line, whole = b">From alice Mon Jan  1\r\n", signed()
    assert one(line + whole, rsa_pair().record).result is Result.PASS
    place = whole.index(b"From: Alice")

    # Others take the body to begin here, so that what is signed below it is shown to nobody.
    outcome = one(whole[:place] + line[1:] + whole[place:], rsa_pair().record)

    assert outcome.result is Result.PERMERROR


def test_check_dkim_signature_that_begins_with_its_value_is_pass() -> None:
    assert one(signed_value_first(), rsa_pair().record).result is Result.PASS


@pytest.mark.parametrize("name", ["Content-Type", "Content-Transfer-Encoding", "Mime-Version"])
def test_check_dkim_field_that_says_how_to_read_the_body_doubled_is_no_pass(name: str) -> None:
    message = signed(f"{name}: 7bit\r\n".encode() + MESSAGE, h=f"from:{name}")
    assert one(message, rsa_pair().record).result is Result.PASS

    outcome = one(f"{name}: 8bit\r\n".encode() + message, rsa_pair().record)

    assert outcome.reason == f"a {name} was added that is not signed"
    assert outcome.result is Result.POLICY


@pytest.mark.parametrize("name", ["from", "subject", "to"])
def test_check_dkim_field_doubled_below_what_was_signed_is_fail(name: str) -> None:
    whole = signed()
    place = whole.index(b"\r\n\r\n") + 2
    added = f"{name}: Mallory <m@example.com>\r\n".encode()
    outcome = one(whole[:place] + added + whole[place:], rsa_pair().record)
    assert (outcome.result, outcome.reason) == (Result.FAIL, "a signed header was changed")


def test_check_dkim_field_signed_once_more_than_it_stands_refuses_another() -> None:
    message = signed(h="from:from:to:subject:subject")
    assert one(message, rsa_pair().record).result is Result.PASS
    assert one(b"Subject: x\r\n" + message, rsa_pair().record).result is Result.FAIL


def test_check_dkim_fields_doubled_but_all_signed_pass() -> None:
    message = signed(MESSAGE.replace(b"To:", b"Cc: c@example.org\r\nTo:"), h="from:to:cc:cc")
    assert one(message, rsa_pair().record).result is Result.PASS
