"""Mailboxes in the one spelling in which they are compared."""

from __future__ import annotations

from unicodedata import normalize

import pytest

from policies.lists import ListBuilder
from policies.mailboxes import plain_address, plain_mailbox
from policies.select import Context
from tests.unit.policies.policy_files import policies

SPELLINGS = (
    "ann@example.org",
    '"ann"@example.org',
    r'"a\nn"@example.org',
    r'"\a\n\n"@EXAMPLE.org',
    "ann@example.org.",
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling_is_one_mailbox(text: str) -> None:
    assert plain_mailbox(text) == "ann@example.org"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Ann@Example.ORG", "Ann@example.org"),
        ('"a b"@x.example', '"a b"@x.example'),
        (r'"a\ b"@x.example', '"a b"@x.example'),
        (r'"a\"b"@x.example', r'"a\"b"@x.example'),
        (r'"a\\"@x.example', r'"a\\"@x.example'),
        ('"a@b"@x.example', '"a@b"@x.example'),
        ('"a..b"@x.example', '"a..b"@x.example'),
        ('"a.b"@x.example', "a.b@x.example"),
        ('""@x.example', '""@x.example'),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        (normalize("NFD", "a@bücher.example"), "a@xn--bcher-kva.example"),
        ("*@bücher.example", "*@xn--bcher-kva.example"),
        ("a@[192.0.2.1]", "a@[192.0.2.1]"),
        ("postmaster", "postmaster"),
        ("", ""),
        ('"@x.example', '"@x.example'),
    ],
)
def test_what_must_be_quoted_stays_quoted(text: str, plain: str) -> None:
    assert plain_mailbox(text) == plain
    assert plain_mailbox(plain) == plain


def test_address_may_be_a_domain() -> None:
    assert plain_address("Bücher.example.") == "xn--bcher-kva.example"
    assert plain_address('"ann"@Example.org') == "ann@example.org"


@pytest.mark.parametrize("text", SPELLINGS)
def test_override_holds_for_every_spelling(text: str) -> None:
    said = "thresholds: {tag: 1}\noverrides:\n  - {match: {%s}, thresholds: {tag: 2}}\n"
    inbound = Context("inbound", "inbound", text)
    for match in ("recipient: ann@example.org", "recipient_domain: Example.org"):
        assert policies(said % match).select(inbound, text).required == 2
    assert policies(said % "sender: ann@example.org").select(inbound, "b@b").required == 2


def test_override_names_a_domain_in_either_alphabet() -> None:
    said = "thresholds: {tag: 1}\noverrides:\n  - {match: {%s}, thresholds: {tag: 2}}\n"
    inbound = Context("inbound", "inbound", "")
    for match in ("recipient: '*@bücher.example'", "recipient_domain: xn--bcher-kva.example"):
        for recipient in ("bob@bücher.example", "bob@XN--bcher-kva.example"):
            assert policies(said % match).select(inbound, recipient).required == 2


@pytest.mark.parametrize("text", SPELLINGS)
def test_list_has_every_spelling(text: str) -> None:
    for entry in ("ann@example.org", '"ann"@example.org'):
        builder = ListBuilder()
        builder.add(entry)
        assert builder.build().has(text)
