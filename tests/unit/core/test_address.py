"""Mailboxes in SMTP paths: what their grammar lets in."""

from __future__ import annotations

import string

import pytest

from milter.core.address import Mailbox, parse_path
from milter.core.errors import ParseError

# RFC 5322 §3.2.3, the ASCII part of atext; RFC 6531 §3.3 adds all that is not ASCII.
ATEXT = set(string.ascii_letters + string.digits + "!#$%&'*+/=?^_`{|}~-")
UNSEEN = {
    chr(code) for code in (*range(0x80, 0xA0), *range(0x2028, 0x202F), *range(0x2066, 0x206A))
}
WIDE = set("\xa0é\u2027\u202f\u2065\u206aж漢\ud7ff\ue000\U0001f600\U0010ffff")


def taken(path: str) -> bool:
    try:
        mailbox, rest = parse_path(path)
    except ParseError:
        return False
    return mailbox is not None and not rest


def test_local_part_takes_atext_and_what_is_not_ascii_but_seen() -> None:
    tried = {chr(code) for code in range(0x80)} | WIDE | UNSEEN | {"\ud800"}

    assert {one for one in tried if taken(f"<{one}@b.example>")} == ATEXT | WIDE


def test_quoted_local_part_takes_whatever_can_be_printed() -> None:
    printed = {chr(code) for code in range(0x20, 0x7F)}
    tried = {chr(code) for code in range(0x80)} | WIDE | UNSEEN | {"\ud800"}

    assert {one for one in tried if taken(f'<"{one}"@b.example>')} == printed - {'"', "\\"} | WIDE
    assert {one for one in tried if taken(f'<"\\{one}"@b.example>')} == printed


def test_domain_takes_letters_digits_and_hyphens_inside() -> None:
    letters = set(string.ascii_letters + string.digits + "_") | WIDE
    tried = {chr(code) for code in range(0x80)} | WIDE | UNSEEN | {"\ud800"}

    assert {one for one in tried if taken(f"<a@{one}>")} == letters
    assert {one for one in tried if taken(f"<a@b{one}c>")} == letters | {"-", "."}


@pytest.mark.parametrize("unseen", ["\u202e", "\u2028", "\u2066"])
def test_what_nobody_sees_counts_inside_the_path_alone(unseen: str) -> None:
    assert parse_path(f"<a@b.example>{unseen}") == (Mailbox("a", "b.example"), unseen)
    assert not taken(f"<@r{unseen}.example:a@b.example>")
