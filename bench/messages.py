"""The messages that are measured with, made anew for each run, and the DNS zone that they need."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import dkim

from tests.support.dkim_signer import rsa_pair

CLIENT_IP = "192.0.2.10"
_WORDS = (
    "about after again because before between during every first from great have into letter made "
    "meeting most never next only other over paper people report same should some such than their "
    "there these they thing think this through time under very water well were what when where"
)
_HEADERS = (
    "Received: from desk.example.net (desk.example.net [198.51.100.7])\r\n"
    "\tby client.example.net with ESMTPS id 4Xb2kQ0000z1\r\n"
    "\tfor <user@example.org>; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    "From: Sender <sender@example.net>\r\n"
    "To: User <user@example.org>\r\n"
    "Subject: Minutes of the meeting on Tuesday\r\n"
    "Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    "Message-ID: <20261122100000.4711@client.example.net>\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: 7bit\r\n"
    "\r\n"
)


def plain_message(size: int) -> bytes:
    """Return a text message of about `size` bytes, the same in each run."""
    rng = random.Random(size)  # noqa: S311 -- filler, and the same in each run
    words = _WORDS.split()
    lines, length = [], len(_HEADERS)
    while length < size:
        line = " ".join(rng.choices(words, k=11)) + "\r\n"
        lines.append(line)
        length += len(line)
    return (_HEADERS + "".join(lines)).encode("ascii")


@dataclass(frozen=True, slots=True)
class Signed:
    """A DKIM-signed message and the record that its key is published in."""

    message: bytes
    record: str


def signed_message(message: bytes) -> Signed:
    """Return `message` signed with a new RSA-2048 key, relaxed/relaxed as most mail is."""
    pair = rsa_pair()
    field = dkim.sign(
        message,
        b"bench",
        b"example.net",
        pair.private,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[b"from", b"to", b"subject", b"date", b"message-id", b"mime-version"],
    )
    return Signed(field + message, pair.record.decode("ascii"))


def zone(dkim_record: str) -> dict[str, Any]:
    """Return a zone in which the client is beyond reproach and on no list."""
    return {
        "names": {
            "10.2.0.192.in-addr.arpa": {"PTR": ["client.example.net"]},
            "client.example.net": {"A": [CLIENT_IP]},
            "example.net": {
                "A": [CLIENT_IP],
                "MX": [[10, "client.example.net"]],
                "TXT": ["v=spf1 ip4:192.0.2.0/24 -all"],
            },
            "bench._domainkey.example.net": {"TXT": [dkim_record]},
        }
    }
